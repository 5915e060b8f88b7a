"""Settings of what comes in, and of how long it stays."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from radrelay.settings.base import GIB, HOUR_S, MIB, Section


class DicomSettings(Section):
    """The DICOM listener and Radrelay as a DICOM client."""

    host: str = Field("127.0.0.1", description="address that the DICOM listener binds; loopback until told otherwise")
    port: int = Field(11112, description="port of the DICOM listener", ge=0, le=65535)
    ae_title: str = Field("RADRELAY", description="own AE title: called by senders, calling towards destinations")
    more_ports: tuple[int, ...] = Field((), description="further ports that answer in the same way")
    accept_any_called: bool = Field(True, description="answer to every called AE title, not only to known ones")
    max_pdu_bytes: int = Field(131072, description="largest P-DATA PDU taken", ge=4096, le=1 << 24)
    max_associations: int = Field(64, description="associations at once; one more is refused as transient")
    max_associations_per_peer: int = Field(32, description="associations at once from one address")
    idle_timeout_s: float = Field(120.0, description="an association that says nothing for so long is ended")
    max_object_bytes: int = Field(8 * GIB, description="largest single object taken")
    tls_port: int | None = Field(None, description="port of the DICOM TLS listener; none: off")
    tls_certificate: Path | None = Field(None, description="PEM chain of the TLS listener")
    tls_key: Path | None = Field(None, description="PEM key of the TLS listener")
    tls_ca: Path | None = Field(None, description="PEM of the authorities whose client certificates are taken")
    query_callers: tuple[str, ...] = Field(
        ("*",), description="calling AE titles that may query and retrieve; * is any"
    )
    unbound_callers: bool = Field(
        False,
        description="answer queries of calling AE titles that are bound to no address or certificate; "
        "false: such a title gets nothing, but from this machine itself",
    )
    transfer_hosts: dict[str, str] = Field(
        {}, description="move destinations: AE title = host:port, beside the list in the pages"
    )


class RetentionSettings(Section):
    """Defaults for new sources, and when studies go."""

    pushed_s: int | None = Field(48 * HOUR_S, description="default retention of pushed data (C-STORE, STOW-RS)")
    uploaded_s: int | None = Field(168 * HOUR_S, description="default retention of uploads, imports, watched folders")
    quiet_s: float = Field(30.0, description="a study counts as complete after so many seconds without a new object")
    clock_jump_s: int = Field(6 * HOUR_S, description="a forward jump of the clock beyond this suspends expiry")
    quarantine_s: int = Field(168 * HOUR_S, description="a quarantined object is deleted after so long")


class IntakeSettings(Section):
    """What is taken in, and how far it is unpacked."""

    clamd: str | None = Field(None, description="clamd's address, unix:///path or tcp://host:port; none: no scan")
    watch: tuple[Path, ...] = Field((), description="folders that are watched")
    watch_settle_s: float = Field(5.0, description="a file in a watched folder is taken once unchanged for so long")
    watch_delete: bool = Field(False, description="remove files from watched folders once they are kept")
    max_inflated_bytes: int = Field(16 * GIB, description="most bytes that one archive may unpack to")
    max_ratio: int = Field(200, description="most times that an archive's member may grow when unpacked")
    max_entries: int = Field(200_000, description="most files that one archive may hold")
    max_depth: int = Field(4, description="how deep archives may be nested")


class DecodingSettings(Section):
    """Decoding of compressed pictures, in processes that damaged ones may hang or crash."""

    deadline_s: float = Field(
        10.0, description="a frame that is not decoded by then is refused; longer above 64 MiB of samples", gt=0
    )
    processes: int | None = Field(None, description="decoder processes of a role at most; none: one a core", ge=1)
    memory_bytes: int = Field(4 * GIB, description="most memory that one decoder process may take", ge=256 * MIB)


class MarksSettings(Section):
    """Measurements and annotations."""

    file_after_s: int = Field(
        900,
        description="marks unchanged for so many seconds are filed in their study as DICOM objects; 0: only by hand",
        ge=0,
    )


class DisplaySettings(Section):
    """Checks of the displays that images are read on. The numbers are for reading, beside those of DIN 6868-157."""

    visual_valid_h: float = Field(
        16.0,
        description="hours that a visual check is good for: a shift of that working day, not the next",
        gt=0,
        le=9600,
    )
    photometer_days: int = Field(365, description="days that photometer readings are good for", ge=1, le=1500)
    photometer_required: bool = Field(
        False, description="a display counts as checked only with photometer readings that passed"
    )
    letters: int = Field(11, description="letters of QUALITY CONTROL that must be readable on each ground", ge=1, le=14)
    least_matrix: int = Field(1024, description="least pixels of a display along either side", ge=1)
    least_pixel_um: float = Field(140.0, description="least distance of a display's pixels, in micrometres", ge=0)
    least_luminance: float = Field(150.0, description="least luminance of white, in cd/m²", ge=0)
    least_ratio: float = Field(250.0, description="least luminance of white, as times that of black", ge=1)
    most_unevenness: float = Field(25.0, description="a display's luminance may differ by less than so many percent")
    most_gsdf_deviation: float = Field(15.0, description="most deviation from the GSDF, in percent", ge=0)

"""One typed, frozen tree of settings, read from a TOML file and the environment.

A name is `RADRELAY_` and the path through the tree with two underscores between levels:
`RADRELAY_DICOM__PORT` is `dicom.port`. The environment wins over the file; the file is
`radrelay.toml` beside the data directory or the one that `RADRELAY_CONFIG` names.
"""

from __future__ import annotations

import os
import socket
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from radrelay.errors import Misconfigured

MIB = 1 << 20
GIB = 1 << 30
HOUR_S = 3600


class Section(BaseModel):
    """A branch of the tree."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WebSettings(Section):
    """The pages, DICOMweb and the REST interface."""

    host: str = Field("127.0.0.1", description="address that the pages listen on; loopback until told otherwise")
    port: int = Field(8080, description="port of the pages, DICOMweb and REST", ge=0, le=65535)
    behind_proxy: bool = Field(False, description="a reverse proxy ends TLS and sets X-Forwarded-For/-Proto")
    tls_certificate: Path | None = Field(None, description="PEM chain of the pages; with tls_key they speak HTTPS")
    tls_key: Path | None = Field(None, description="PEM key of that")
    session_idle_s: int = Field(8 * HOUR_S, description="a login ends after this many seconds without use")
    session_absolute_s: int = Field(24 * HOUR_S, description="a login ends after this many seconds at the latest")
    upload_limit_bytes: int = Field(64 * GIB, description="largest single upload taken")
    organisation_name: str = Field("Radrelay", description="shown in the pages' head")
    address: str | None = Field(
        None,
        description="https://… under which people outside reach the pages, for links; none: as each request came",
        pattern=r"^https?://[^/\s?#]+$",
    )
    security_contact: str | None = Field(
        None,
        description="whom to tell of a weakness (mailto:… or https://…), for /.well-known/security.txt",
        pattern=r"^(mailto:|https://)\S+$",
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> WebSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are set together")
        return self

    @property
    def speaks_tls(self) -> bool:
        """Say whether the pages end TLS themselves."""
        return self.tls_certificate is not None

    @property
    def wants_tls(self) -> bool:
        """Say whether the pages listen beyond loopback and nothing is told of TLS: others are refused then."""
        return not (self.speaks_tls or self.behind_proxy or self.host in ("127.0.0.1", "::1", "localhost"))


class IdentitySettings(Section):
    """How people get in."""

    password_iterations: int = Field(
        210_000,
        description="PBKDF2-HMAC-SHA-512 iterations of new passwords (OWASP: 210000)",
        ge=100_000,
        le=10_000_000,
    )


class DirectorySettings(Section):
    """The directory (Active Directory or another LDAP server) that people come from; without `urls` there is none."""

    urls: tuple[str, ...] = Field((), description="ldaps://host[:port] (or ldap:// with start_tls), tried in turn")
    start_tls: bool = Field(False, description="begin TLS by StartTLS on ldap:// addresses")
    ca_file: Path | None = Field(None, description="PEM of the directory's authority; none: the system's authorities")
    kind: Literal["active-directory", "ldap"] = Field(
        "active-directory", description="which attributes and filters are meant where none are set"
    )
    bind_dn: str = Field("", description="the account that reads the directory: its DN, or user@domain")
    bind_password: str | None = Field(None, description="its password", repr=False)
    bind_password_file: Path | None = Field(None, description="file that holds its password instead")
    base: str = Field("", description="DN below which people and groups are looked for")
    user_base: str | None = Field(None, description="DN below which people are, if another")
    group_base: str | None = Field(None, description="DN below which groups are, if another")
    user_filter: str | None = Field(None, description="filter of people; none: that of the kind")
    group_filter: str | None = Field(None, description="filter of groups; none: that of the kind")
    suspended_filter: str = Field("", description="people who match count as suspended: (employeeStatus=left)")
    id_attribute: str | None = Field(None, description="what stays when somebody is renamed: objectGUID, entryUUID")
    login_attribute: str | None = Field(None, description="the name that is typed: sAMAccountName, uid")
    name_attribute: str = Field("displayName", description="the name that is shown")
    allowed_groups: tuple[str, ...] = Field((), description="only members of these come in; none: all people")
    admin_groups: tuple[str, ...] = Field((), description="their members are administrators, all others users")
    groups: dict[str, str] = Field({}, description="directory group (name or DN) = group here that follows it")
    every_s: int = Field(900, description="people and groups are read every so many seconds; 0: only on demand", ge=0)
    timeout_s: float = Field(5.0, description="longest wait for an answer", gt=0, le=60)
    read_timeout_s: float = Field(300.0, description="longest time that reading all people and groups may take", gt=0)
    page_size: int = Field(500, description="entries asked for at once", ge=1, le=10_000)
    most_entries: int = Field(200_000, description="more people or groups than this are not taken", ge=1)
    most_disabled_percent: float = Field(
        10.0, description="a run that would shut out a larger share of people stops and asks", ge=0, le=100
    )
    guesses: int = Field(
        4,
        description="wrong passwords for a name from unknown places in half an hour; below the directory's lockout",
        ge=1,
    )

    @model_validator(mode="after")
    def _protected(self) -> Self:
        """Refuse addresses that a password would go to in the clear, and a directory without a base."""
        for url in self.urls:
            parts = urlsplit(url)
            if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or parts.path.strip("/") or parts.username:
                raise ValueError(f"urls: {url!r} is not ldaps://host or ldaps://host:port")
            if (parts.scheme == "ldap") != self.start_tls:
                raise ValueError(f"urls: {url!r} needs {'ldap:// for' if self.start_tls else 'ldaps://, or'} start_tls")
        if self.urls and not self.base:
            raise ValueError("base: a directory needs the DN below which people are")
        if self.bind_password and self.bind_password_file:
            raise ValueError("bind_password and bind_password_file are both set")
        return self


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
    transfer_hosts: dict[str, str] = Field(
        {}, description="move destinations: AE title = host:port, beside the list in the pages"
    )


class DatabaseSettings(Section):
    """Where rows are kept."""

    url: str | None = Field(None, description="postgresql://… ; none: SQLCipher in the data directory")
    pool_size: int = Field(10, description="connections kept open to PostgreSQL")


class StorageSettings(Section):
    """Where bytes are kept."""

    url: str | None = Field(
        None, description="file:///folder or s3://bucket/prefix ; none: `packs` in the data directory"
    )
    s3_endpoint: str | None = Field(None, description="address of an S3-compatible store")
    s3_region: str = Field("us-east-1", description="region of the S3 store")
    s3_access_key: str | None = Field(None, description="access key of the S3 store")
    s3_secret_key: str | None = Field(None, description="secret key of the S3 store", repr=False)
    s3_allow_http: bool = Field(False, description="speak plain HTTP to the S3 store (a loopback one only)")
    segment_bytes: int = Field(64 * MIB, description="size of a landing segment", ge=MIB)
    large_object_bytes: int = Field(
        4 * MIB, description="objects above this are landed in a file of their own, piece by piece"
    )
    min_free_bytes: int = Field(2 * GIB, description="below so much free space new objects are refused (A700, 507)")
    ballast_bytes: int = Field(64 * MIB, description="space kept aside so that deleting works on a full disk")
    landing_high_water_bytes: int = Field(
        64 * GIB, description="landed, not yet packed bytes above which receiving slows"
    )


class KeySettings(Section):
    """Where the master key comes from."""

    master_file: Path | None = Field(
        None,
        description="file of the master key; none: systemd credential radrelay-master, else beside the data folder",
    )
    mirror: Path | None = Field(
        None, description="second folder that study keys and the deletion ledger are written to at once"
    )
    backup_days: int = Field(
        35,
        description="a backup up to so many days old restores all that still lives; 0: only the newest",
        ge=0,
        le=3650,
    )

    @property
    def keep_replaced(self) -> timedelta:
        """How long the key of what was written anew is kept at most."""
        return timedelta(days=self.backup_days)


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


class WorkSettings(Section):
    """Durable work."""

    database_url: str | None = Field(
        None, description="where durable work is recorded; none: own SQLite file, or the PostgreSQL of database.url"
    )
    concurrency: int = Field(4, description="pieces of durable work at once on this machine")
    retry_first_s: float = Field(10.0, description="wait before a failed delivery's first retry")
    retry_cap_s: float = Field(3600.0, description="longest wait between a delivery's retries")
    retry_for_s: float = Field(7 * 24 * HOUR_S, description="a delivery fails for good after so long")


class MarksSettings(Section):
    """Measurements and annotations."""

    file_after_s: int = Field(
        900,
        description="marks unchanged for so many seconds are filed in their study as DICOM objects; 0: only by hand",
        ge=0,
    )


class NodeSettings(Section):
    """This machine among others of the same installation (several need PostgreSQL and S3)."""

    name: str | None = Field(None, description="what this machine is called in messages; none: its host name")
    host: str = Field(
        "127.0.0.1", description="address that other machines' requests for landed objects are taken at; mutual TLS"
    )
    port: int = Field(11180, description="port of that", ge=0, le=65535)
    address: str | None = Field(
        None, description="host:port under which the other machines reach it; none: node.host and node.port"
    )

    def reached_at(self, port: int) -> str:
        """Return host:port under which others reach the internal endpoint that listens on `port`."""
        if self.address is not None:
            return self.address
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 -- compared, not bound
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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


class RepositorySettings(Section):
    """The audit repository (IHE ATNA) that DICOM audit messages go to, by syslog over TLS (RFC 5424, RFC 5425)."""

    host: str | None = Field(None, description="host name of the audit repository; none: nothing is sent")
    port: int = Field(6514, description="its port (RFC 5425: 6514)", ge=1, le=65535)
    ca: Path | None = Field(None, description="PEM of the authorities that its certificate is checked by; none: system")
    certificate: Path | None = Field(None, description="PEM chain that Radrelay shows it; none: it asks for none")
    key: Path | None = Field(None, description="PEM key of that")
    server_name: str | None = Field(None, description="name in its certificate, where that is not the host's")
    timeout_s: float = Field(10.0, description="it must answer within so many seconds", gt=0, le=120)
    retry_cap_s: float = Field(300.0, description="longest wait between tries while it is away", gt=0)
    alarm_s: int = Field(900, description="an event that waits longer than so many seconds is an alarm", ge=1)


class AuditSettings(Section):
    """The record of who did what: how long it is kept, and where else it goes."""

    patient_days: int = Field(
        6 * 365 + 2, description="days that events about patients are kept, unless an organisation says", ge=365
    )
    usage_days: int = Field(10 * 365 + 3, description="days that all other events are kept", ge=365)
    repository: RepositorySettings = RepositorySettings()


class PrivacySettings(Section):
    """What the page of promises calls old."""

    backup_days: int = Field(2, description="a last backup older than so many days is told of", ge=1)
    key_days: int = Field(730, description="an image key older than so many days is told of", ge=1)


class LogSettings(Section):
    """Technical logs; no patient data at the default level."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level written")
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else JSON")
    keep_days: int = Field(14, description="technical log files are deleted after so many days")


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(
        env_prefix="RADRELAY_", env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    data_dir: Path = Field(Path("var/data"), description="everything that this machine keeps")
    web: WebSettings = WebSettings()
    identity: IdentitySettings = IdentitySettings()
    directory: DirectorySettings = DirectorySettings()
    dicom: DicomSettings = DicomSettings()
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    keys: KeySettings = KeySettings()
    retention: RetentionSettings = RetentionSettings()
    intake: IntakeSettings = IntakeSettings()
    decoding: DecodingSettings = DecodingSettings()
    work: WorkSettings = WorkSettings()
    marks: MarksSettings = MarksSettings()
    node: NodeSettings = NodeSettings()
    displays: DisplaySettings = DisplaySettings()
    audit: AuditSettings = AuditSettings()
    privacy: PrivacySettings = PrivacySettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the environment precedence over the TOML file, and explicit arguments over both."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    @property
    def keys_dir(self) -> Path:
        """Where the keyring and the study keys are."""
        return self.data_dir / "keys"

    @property
    def landing_dir(self) -> Path:
        """Where landing segments are."""
        return self.data_dir / "landing"

    @property
    def log_dir(self) -> Path:
        """Where technical logs are."""
        return self.data_dir / "log"


def config_file() -> Path:
    """Return the path of the TOML file, which need not exist."""
    named = os.environ.get("RADRELAY_CONFIG")
    if named:
        return Path(named)
    return Path(os.environ.get("RADRELAY_DATA_DIR", "var/data")).parent / "radrelay.toml"


def load_settings() -> Settings:
    """Read the settings.

    Raises pydantic's `ValidationError`, which names the setting, and `Misconfigured` for a file that cannot be read.
    """
    path = config_file()
    if os.environ.get("RADRELAY_CONFIG") and not path.is_file():
        raise Misconfigured(f"RADRELAY_CONFIG names {path}, which is not there")
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path} is not TOML: {error}") from error
    except SettingsError as error:
        raise Misconfigured(f"{error}: lists and tables in the environment are written as JSON") from error

"""Settings of where things are kept, by which machines, and what is on record."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from radrelay.settings.base import GIB, HOUR_S, MIB, Section


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


class WorkSettings(Section):
    """Durable work."""

    database_url: str | None = Field(
        None, description="where durable work is recorded; none: own SQLite file, or the PostgreSQL of database.url"
    )
    concurrency: int = Field(4, description="pieces of durable work at once on this machine")
    retry_first_s: float = Field(10.0, description="wait before a failed delivery's first retry")
    retry_cap_s: float = Field(3600.0, description="longest wait between a delivery's retries")
    retry_for_s: float = Field(7 * 24 * HOUR_S, description="a delivery fails for good after so long")
    commitment_s: float = Field(
        600.0, description="a storage commitment that was not reported after so long is asked for again", gt=0
    )
    destination_alarm_s: float = Field(
        900.0, description="administrators are told by mail of a destination that is down for so long", gt=0
    )
    folders: tuple[Path, ...] = Field(
        (), description="folders that destinations may write studies into, unencrypted; none: no such destinations"
    )
    web_ca: Path | None = Field(
        None, description="PEM of the authority of DICOMweb destinations; none: the system's authorities"
    )
    zone: str = Field(
        "",
        description="time zone of destinations' hours, rules and schedules, as Europe/Berlin; empty: this machine's",
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
    """What the page of promises calls old, and when data protection officers are reminded of requests."""

    backup_days: int = Field(2, description="a last backup older than so many days is told of", ge=1)
    key_days: int = Field(730, description="an image key older than so many days is told of", ge=1)
    remind_days: tuple[Annotated[int, Field(ge=1, le=89)], ...] = Field(
        (10, 3, 1),
        description="officers are reminded by mail so many days before a request is due, and once it is late",
    )


class LogSettings(Section):
    """Technical logs; no patient data at the default level."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level written")
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else JSON")
    keep_days: int = Field(14, description="technical log files are deleted after so many days")

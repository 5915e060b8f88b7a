"""Settings of HL7: where messages are taken, how each port's senders write, how long messages are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from radrelay.settings.base import MIB, Section


class Hl7Port(Section):
    """A port that HL7 messages are taken at (MLLP)."""

    name: str = Field(description="what the port is called in lists and in what is kept", min_length=1, max_length=64)
    host: str = Field("127.0.0.1", description="address that it binds; loopback until told otherwise")
    port: int = Field(description="its number; 2575 is registered for HL7", ge=0, le=65535)
    tls: bool = Field(False, description="speak TLS, by hl7.tls_certificate and hl7.tls_key")
    organisation: str = Field("", description="whose messages these are; empty: the first organisation")
    character_set: str = Field(
        "", description="character set where MSH-18 says none, as MSH-18 would: 8859/1, UNICODE UTF-8"
    )
    senders: dict[str, str] = Field({}, description="character set of single senders, by their application (MSH-3)")
    trust_character_set: bool = Field(
        True, description="false: the character set set here counts even where MSH-18 names another"
    )
    zone: str = Field(
        "",
        description="time zone of times that are written without one, as Europe/Berlin; empty: the mapping's "
        "messages.zone, else work.zone, else this machine's",
    )
    acknowledge: Literal["auto", "original"] = Field(
        "auto", description="auto: as MSH-15 and MSH-16 ask; original: always one AA, AE or AR"
    )
    mapping: Path | None = Field(None, description="TOML file of what is different from the shipped mapping")
    issuers: tuple[str, ...] = Field(
        (), description="issuers of patient IDs that these senders speak for; empty: for each that they name"
    )
    coerce: tuple[Literal["merges", "demographics"], ...] = Field(
        (),
        description="what studies follow in, their originals kept: merges (joined and changed patient IDs), "
        "demographics (name, birth date, sex); empty: they stay as they came",
    )


class Hl7Receiver(Section):
    """Where HL7 messages are sent to (MLLP)."""

    name: str = Field(
        description="what the receiver is called in lists and in what is kept", min_length=1, max_length=64
    )
    host: str = Field(description="its address")
    port: int = Field(description="its port", ge=1, le=65535)
    organisation: str = Field("", description="whose messages go there; empty: the first organisation's")
    tls: bool = Field(False, description="speak TLS, and check its certificate")
    tls_ca: Path | None = Field(None, description="PEM of the authorities that are trusted; none: the system's")
    application: str = Field("", description="its application (MSH-5)", max_length=100)
    facility: str = Field("", description="its facility (MSH-6)", max_length=100)
    reports: Literal["ORU", "MDM"] = Field("ORU", description="as which message it takes reports")
    character_set: str = Field("UNICODE UTF-8", description="what is written in, as MSH-18 names it")
    answer_timeout_s: float = Field(30.0, description="time for its acknowledgement", gt=0)


class Hl7Settings(Section):
    """HL7 v2; without `ports` none is listened for."""

    ports: tuple[Hl7Port, ...] = Field((), description="where messages are taken: a list of tables with name, port …")
    receivers: tuple[Hl7Receiver, ...] = Field(
        (), description="where messages are sent to: a list of tables with name, host, port …"
    )
    tls_certificate: Path | None = Field(None, description="PEM chain of ports with TLS")
    tls_key: Path | None = Field(None, description="PEM key of that")
    tls_ca: Path | None = Field(None, description="PEM of the authorities whose client certificates are demanded")
    max_message_bytes: int = Field(50 * MIB, description="largest message taken", ge=64 << 10, le=1 << 30)
    max_connections: int = Field(
        256, description="connections at once; the one that is silent longest gives way to another", ge=1, le=100_000
    )
    message_timeout_s: float = Field(
        60.0, description="a message that has begun and does not go on for so long is refused", gt=0
    )
    idle_timeout_s: float = Field(
        0.0, description="a connection that says nothing for so long is closed; 0: never", ge=0
    )
    keep_days: int = Field(30, description="days that messages are kept", ge=1, le=3650)
    keep_worklist_days: int = Field(30, description="days that worklist items are kept after theirs", ge=1, le=3650)
    worklist_own_only: bool = Field(
        False, description="tell a modality only of what is scheduled for its own AE title, or for none"
    )
    keep_patients_days: int = Field(
        366, description="days that a patient whom no message names any more is remembered", ge=1, le=3650
    )

    @model_validator(mode="after")
    def _unlike(self) -> Self:
        """Refuse two ports of one name, and TLS without a certificate."""
        for what, some in (("ports", self.ports), ("receivers", self.receivers)):
            names = [one.name for one in some]
            if len(set(names)) != len(names):
                raise ValueError(f"{what}: each has a name of its own")
        if any(one.tls for one in self.ports) and (self.tls_certificate is None or self.tls_key is None):
            raise ValueError("ports: TLS needs tls_certificate and tls_key")
        return self

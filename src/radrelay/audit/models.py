"""Tables of the audit: append-only chains of events, one per writer, organisation and class.

What holds them append-only in the database itself stands in `storage.append_only`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage import append_only
from radrelay.storage.columns import Base, Id, Instant, Owned


class AuditEvent(Owned, Base):
    """One thing that happened, who did it, and the hash that ties it to the one before."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ux_audit_event_chain", "writer", "sequence", unique=True),
        Index("ix_audit_event_at", "organisation_id", "at", "id"),
        Index("ix_audit_event_actor", "organisation_id", "actor_id", "at"),
        Index("ix_audit_event_patient", "patient_ref", "at"),
        Index("ix_audit_event_study", "study_id", "at"),
    )

    writer: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Instant)
    action: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str] = mapped_column(String(64))
    actor_name: Mapped[str] = mapped_column(String(128))
    peer: Mapped[str] = mapped_column(String(64))
    subject_kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(64))
    correlation_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)  # JSON without patient data
    patient_ref: Mapped[uuid.UUID | None] = mapped_column(Id)  # row of audit_patient
    study_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # row of study, which may be gone; see audit_study
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditPatient(Owned, Base):
    """Whom events are about, encrypted apart from the chain so that erasure leaves the chain whole."""

    __tablename__ = "audit_patient"
    __table_args__ = (
        Index("ix_audit_patient_digest", "organisation_id", "digest", unique=True),
        Index("ix_audit_patient_id", "organisation_id", "id_digest"),
    )

    digest: Mapped[bytes] = mapped_column(LargeBinary(32))  # HMAC of issuer and patient ID
    id_digest: Mapped[bytes] = mapped_column(LargeBinary(32))  # HMAC of the patient ID alone, whoever issued it
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # name and ID, AES-256-GCM; none once erased


class AuditStudy(Owned, Base):
    """Which study events are about, sealed as its patient is: what was disclosed can be told when it is long gone."""

    __tablename__ = "audit_study"
    __table_args__ = (
        Index("ux_audit_study_study", "study_id", unique=True),
        Index("ix_audit_study_digest", "organisation_id", "digest"),
        Index("ix_audit_study_patient", "patient_ref"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    patient_ref: Mapped[uuid.UUID | None] = mapped_column(Id)  # row of audit_patient
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))  # HMAC of the Study Instance UID
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # UID, accession number, date, description


class AuditWriter(Base):
    """The head of each chain, signed: who cuts the chain's end cannot sign an earlier head."""

    __tablename__ = "audit_writer"

    writer: Mapped[str] = mapped_column(String(64), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    signature: Mapped[bytes | None] = mapped_column(LargeBinary(32))  # none where the writer had no key


class AuditRoot(Base):
    """A signature over the head of a writer's chain at one moment: what came before cannot be rewritten unseen."""

    __tablename__ = "audit_root"

    writer: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime] = mapped_column(Instant)
    signature: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditCheckpoint(Base):
    """Where a chain begins since what came before was over: signed, so that nobody shortens it unseen."""

    __tablename__ = "audit_checkpoint"

    writer: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime] = mapped_column(Instant)
    signature: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditRetention(Base):
    """How long an organisation keeps its record, where that is not the installation's default. In days."""

    __tablename__ = "audit_retention"

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    patient_days: Mapped[int] = mapped_column(Integer)
    usage_days: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class AuditProof(Base):
    """What a verification of all chains found, and when."""

    __tablename__ = "audit_proof"

    at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    events: Mapped[int] = mapped_column(BigInteger)
    writers: Mapped[int] = mapped_column(Integer)
    roots: Mapped[int] = mapped_column(Integer)
    faults: Mapped[int] = mapped_column(Integer)
    first_fault: Mapped[str] = mapped_column(Text)
    parts: Mapped[str] = mapped_column(Text)  # JSON: of each organisation's chains events, faults, the first fault


class AuditShipped(Base):
    """Up to where a chain was handed to the audit repository."""

    __tablename__ = "audit_shipped"

    writer: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Instant)


class AuditMark(Base):
    """Something that is recorded once per login (a view of one study) has been recorded."""

    __tablename__ = "audit_mark"
    __table_args__ = (Index("ix_audit_mark_at", "at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)


@sa.event.listens_for(Base.metadata, "after_create")
def _held(target: sa.MetaData, connection: sa.Connection, *, tables: Sequence[sa.Table] = (), **_: object) -> None:
    """Hold what a test made without migrations append-only, too."""
    if any(table.name in append_only.GUARDED for table in tables):
        append_only.hold(connection)

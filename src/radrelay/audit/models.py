"""Tables of the audit: an append-only chain of events per writer."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class AuditEvent(Owned, Base):
    """One thing that happened, who did it, and the hash that ties it to the one before."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ux_audit_event_chain", "writer", "sequence", unique=True),
        Index("ix_audit_event_at", "organisation_id", "at"),
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
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditPatient(Owned, Base):
    """Whom events are about, encrypted apart from the chain so that erasure leaves the chain whole."""

    __tablename__ = "audit_patient"
    __table_args__ = (Index("ix_audit_patient_digest", "organisation_id", "digest", unique=True),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32))  # HMAC of issuer and patient ID
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # name and ID, AES-256-GCM; none once erased


class AuditWriter(Base):
    """The head of each writer's chain."""

    __tablename__ = "audit_writer"

    writer: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditRoot(Base):
    """A signature over the head of a writer's chain at one moment: what came before cannot be rewritten unseen."""

    __tablename__ = "audit_root"

    writer: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime] = mapped_column(Instant)
    signature: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditMark(Base):
    """Something that is recorded once per login (a view of one study) has been recorded."""

    __tablename__ = "audit_mark"
    __table_args__ = (Index("ix_audit_mark_at", "at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)

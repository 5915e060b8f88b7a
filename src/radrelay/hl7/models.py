"""The table of HL7 messages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Instant, Owned


class Hl7Message(Owned, Base):
    """A message that was received, or that is sent. What it says is sealed; ids grow in the order of arrival.

    `state` of a received one: waiting, done, failed, kept (nothing follows from it) or refused (answered AE or AR); of
    one to be sent: waiting, sent, failed or held. `lanes` are the patients whose other messages keep their order with
    it.
    """

    __tablename__ = "hl7_message"
    __table_args__ = (
        Index("ux_hl7_message_digest", "organisation_id", "digest", unique=True),
        Index("ix_hl7_message_state", "direction", "state", "id"),
        Index("ix_hl7_message_newest", "organisation_id", "received_at"),
        Index("ix_hl7_message_patient", "organisation_id", "patient_id"),
        Index("ix_hl7_message_prior", "organisation_id", "prior_patient_id"),
        Index("ix_hl7_message_control", "organisation_id", "control_id"),
    )

    direction: Mapped[str] = mapped_column(String(3))  # in | out
    port: Mapped[str] = mapped_column(String(64))  # the listener's port, or the receiver
    sender: Mapped[str] = mapped_column(String(200))  # application|facility, as MSH says
    control_id: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(16))  # ADT^A01
    patient_id: Mapped[str] = mapped_column(String(64))
    patient_issuer: Mapped[str] = mapped_column(String(200))
    prior_patient_id: Mapped[str] = mapped_column(String(64))  # of a merge or changed ID: the one that is no more
    accession_number: Mapped[str] = mapped_column(String(64))
    lanes: Mapped[str] = mapped_column(Text)  # JSON: pairs of issuer and patient ID
    state: Mapped[str] = mapped_column(String(16))
    answer: Mapped[str] = mapped_column(String(2))  # what it was answered; empty: nothing yet
    error: Mapped[str] = mapped_column(Text)  # in plain English
    error_code: Mapped[str] = mapped_column(String(64))
    error_facts: Mapped[str] = mapped_column(Text)  # JSON
    peer: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary)  # HMAC over port, sender, control ID and bytes; see `keeping`
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(Instant)  # or made, of one to be sent
    processed_at: Mapped[datetime | None] = mapped_column(Instant)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(Integer)
    repeats: Mapped[int] = mapped_column(Integer)  # how often it came again
    replays: Mapped[int] = mapped_column(Integer)

"""The tables of HL7: messages, what they say of patients, and the modality worklist that orders make."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time

import sqlalchemy as sa
from sqlalchemy import Date, ForeignKey, Index, Integer, LargeBinary, String, Text, Time
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


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
        Index(
            "ix_hl7_message_study",
            "study_id",
            sqlite_where=sa.text("study_id IS NOT NULL"),
            postgresql_where=sa.text("study_id IS NOT NULL"),
        ),
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
    sending_until: Mapped[datetime | None] = mapped_column(Instant)  # some machine sends it, at the latest until then
    attempts: Mapped[int] = mapped_column(Integer)
    repeats: Mapped[int] = mapped_column(Integer)  # how often it came again
    replays: Mapped[int] = mapped_column(Integer)
    study_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # of a report that is sent: whose it is


class Hl7Document(Owned, Base):
    """A document of a study that came or went by HL7: it goes to a receiver once, and not back. It goes with the study.

    `port` is the listener's, or the receiver; `sender` and `host` are who it came from, as `Hl7Message` has them.
    """

    __tablename__ = "hl7_document"
    __table_args__ = (Index("ix_hl7_document_study", "study_id"),)

    study_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("study.id", ondelete="CASCADE"))
    sop_uid: Mapped[str] = mapped_column(String(64))
    direction: Mapped[str] = mapped_column(String(3))  # in | out
    port: Mapped[str] = mapped_column(String(64))
    sender: Mapped[str] = mapped_column(String(200))
    host: Mapped[str] = mapped_column(String(64))


class Hl7Patient(Owned, Base):
    """What a hospital's system says of a patient, by issuer and ID; the words of the newest message count.

    `told_at` is when that was said, `visit_at` the same of where the patient is. `former` are names, birth dates and
    sexes that were said before (JSON). `into_*` is the ID that this one was merged into, by a message of `into_port`.
    """

    __tablename__ = "hl7_patient"
    __table_args__ = (
        Index("ux_hl7_patient", "organisation_id", "issuer", "patient_id", unique=True),
        Index("ix_hl7_patient_id", "organisation_id", "patient_id"),
        Index("ix_hl7_patient_born", "organisation_id", "birth_date"),
        Index("ix_hl7_patient_ward", "organisation_id", "ward"),
        Index("ix_hl7_patient_changed", "changed_at"),
    )

    issuer: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Text)
    birth_date: Mapped[date | None] = mapped_column(Date)
    sex: Mapped[str] = mapped_column(String(1))
    account_number: Mapped[str] = mapped_column(String(200))
    identifiers: Mapped[str] = mapped_column(Text)  # JSON: value, authority, kind of each that was named
    authority: Mapped[str] = mapped_column(Text)  # JSON: who issued the ID: namespace, universal ID and its type
    former: Mapped[str] = mapped_column(Text)
    patient_class: Mapped[str] = mapped_column(String(20))
    ward: Mapped[str] = mapped_column(String(100))
    room: Mapped[str] = mapped_column(String(100))
    bed: Mapped[str] = mapped_column(String(100))
    facility: Mapped[str] = mapped_column(String(100))
    visit_number: Mapped[str] = mapped_column(String(100))
    admitted_at: Mapped[datetime | None] = mapped_column(Instant)
    discharged_at: Mapped[datetime | None] = mapped_column(Instant)
    into_issuer: Mapped[str] = mapped_column(String(64))
    into_patient_id: Mapped[str] = mapped_column(String(64))
    into_port: Mapped[str] = mapped_column(String(64))
    merged_at: Mapped[datetime | None] = mapped_column(Instant)
    port: Mapped[str] = mapped_column(String(64))
    message_id: Mapped[uuid.UUID] = mapped_column(Id)  # the last that changed it
    told_at: Mapped[datetime | None] = mapped_column(Instant)
    visit_at: Mapped[datetime | None] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class WorklistItem(Owned, Base):
    """One scheduled procedure step of an order, as modalities are told of it.

    `state` is scheduled, held, started, done, cancelled or discontinued. `scheduled_date` and `scheduled_time` are the
    site's (DICOM has no zone here). `said_at` is when the order said so.
    """

    __tablename__ = "worklist_item"
    __table_args__ = (
        Index("ix_worklist_item_placer", "organisation_id", "placer_number"),
        Index("ix_worklist_item_filler", "organisation_id", "filler_number"),
        Index("ix_worklist_item_accession", "organisation_id", "accession_number"),
        Index("ix_worklist_item_patient", "organisation_id", "patient_id", "patient_issuer"),
        Index("ix_worklist_item_born", "organisation_id", "patient_birth_date"),
        Index("ix_worklist_item_due", "organisation_id", "state", "scheduled_date", "scheduled_time", "id"),
        Index("ix_worklist_item_study", "organisation_id", "study_uid"),
        Index("ix_worklist_item_changed", "changed_at"),
    )

    port: Mapped[str] = mapped_column(String(64))
    patient_issuer: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(String(64))
    patient_authority: Mapped[str] = mapped_column(Text)  # JSON, as of a patient; of the accession number likewise
    patient_name: Mapped[str] = mapped_column(Text)
    patient_birth_date: Mapped[date | None] = mapped_column(Date)
    patient_sex: Mapped[str] = mapped_column(String(1))
    visit_number: Mapped[str] = mapped_column(String(64))
    patient_location: Mapped[str] = mapped_column(String(64))
    placer_number: Mapped[str] = mapped_column(String(64))
    filler_number: Mapped[str] = mapped_column(String(64))
    accession_number: Mapped[str] = mapped_column(String(16))
    accession_authority: Mapped[str] = mapped_column(Text)
    requested_procedure_id: Mapped[str] = mapped_column(String(64))  # as the order says it, these two
    step_id: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(String(64))
    procedure_code: Mapped[str] = mapped_column(String(64))
    procedure_text: Mapped[str] = mapped_column(Text)
    procedure_scheme: Mapped[str] = mapped_column(String(64))
    protocol_code: Mapped[str] = mapped_column(String(64))
    protocol_text: Mapped[str] = mapped_column(Text)
    protocol_scheme: Mapped[str] = mapped_column(String(64))
    modality: Mapped[str] = mapped_column(String(16))
    scheduled_date: Mapped[date | None] = mapped_column(Date)
    scheduled_time: Mapped[time | None] = mapped_column(Time)
    station_ae_titles: Mapped[str] = mapped_column(String(400))  # a backslash before, between and behind them
    station_name: Mapped[str] = mapped_column(String(64))
    location: Mapped[str] = mapped_column(String(64))
    priority: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    requesting_physician: Mapped[str] = mapped_column(Text)
    performing_physician: Mapped[str] = mapped_column(Text)
    referring_physician: Mapped[str] = mapped_column(Text)
    comments: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    message_id: Mapped[uuid.UUID] = mapped_column(Id)  # the last that changed it
    said_at: Mapped[datetime] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class PerformedStep(Owned, Base):
    """What a modality says of a step that it performs (MPPS). `state` is DICOM's; `said` all attributes (JSON)."""

    __tablename__ = "performed_step"
    __table_args__ = (
        Index("ux_performed_step", "organisation_id", "sop_uid", unique=True),
        Index("ix_performed_step_patient", "organisation_id", "patient_id"),
        Index("ix_performed_step_changed", "changed_at"),
    )

    sop_uid: Mapped[str] = mapped_column(String(64))
    calling_ae: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    patient_id: Mapped[str] = mapped_column(String(64))
    patient_issuer: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(String(64))
    accession_number: Mapped[str] = mapped_column(String(16))
    step_ids: Mapped[str] = mapped_column(Text)  # JSON: of the scheduled steps
    said: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)

"""Tables of routing: destinations, deliveries and their receipts."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Boolean, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class Destination(Owned, Base):
    """Where studies are sent: `kind` is one of `routing.kinds`; a DICOM node is also a C-MOVE destination."""

    __tablename__ = "destination"
    __table_args__ = (Index("ux_destination_name", "organisation_id", "name", unique=True),)

    name: Mapped[str] = mapped_column(String(100))
    ae_title: Mapped[str] = mapped_column(String(16))
    host: Mapped[str] = mapped_column(String(255))
    port: Mapped[int] = mapped_column(Integer)
    calling_ae_title: Mapped[str] = mapped_column(String(16), default="")
    tls: Mapped[bool] = mapped_column(Boolean, default=False)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    kind: Mapped[str] = mapped_column(String(16), default="dicom")
    address: Mapped[str] = mapped_column(String(1000), default="")  # a URL, a folder, or an e-mail address
    username: Mapped[str] = mapped_column(String(200), default="")
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # its password or token
    commitment: Mapped[bool] = mapped_column(Boolean, default=False)
    performed_steps: Mapped[bool] = mapped_column(Boolean, default=False)  # MPPS is passed on to it
    kib_per_s: Mapped[int] = mapped_column(Integer, default=0)  # 0: as fast as it goes
    project_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # of pseudonyms: what goes there are copies by it
    windows: Mapped[str] = mapped_column(Text, default="[]")  # JSON, see `routing.windows`
    paused_at: Mapped[datetime | None] = mapped_column(Instant)
    down_since: Mapped[datetime | None] = mapped_column(Instant)
    retry_at: Mapped[datetime | None] = mapped_column(Instant)  # nothing is tried before, while it is down
    failures: Mapped[int] = mapped_column(Integer, default=0)  # tries since it went down
    alarmed_at: Mapped[datetime | None] = mapped_column(Instant)  # when administrators were told of this outage
    error: Mapped[str] = mapped_column(Text, default="")  # why it is down, in plain English
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_facts: Mapped[str] = mapped_column(Text, default="{}")  # JSON
    created_at: Mapped[datetime] = mapped_column(Instant)


class Delivery(Owned, Base):
    """A study or series on its way to a destination; `state` is one of those that `routing.deliveries` explains."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_created", "organisation_id", "created_at"),
        Index("ix_delivery_study", "study_id"),
    )

    destination_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    series_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    priority: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int] = mapped_column(Integer, default=0)
    sent: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    committed: Mapped[int] = mapped_column(Integer, default=0)
    project_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # of pseudonyms: de-identified copies go, see `copies`
    kept_back: Mapped[int] = mapped_column(Integer, default=0)  # objects that could not be made safe
    kept_reasons: Mapped[str] = mapped_column(String(300), default="")  # comma list
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str] = mapped_column(Text, default="")  # in plain English
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_facts: Mapped[str] = mapped_column(Text, default="{}")  # JSON
    requested_by: Mapped[str] = mapped_column(String(200), default="")
    correlation_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class DeliveryReceipt(Owned, Base):
    """What a destination answered for one instance, latest attempt.

    Of a copy `sop_uid` is the original's: which new UID stands for it is in the vault, and nowhere else.
    """

    __tablename__ = "delivery_receipt"
    __table_args__ = (Index("ux_delivery_receipt", "delivery_id", "instance_id", unique=True),)

    delivery_id: Mapped[uuid.UUID] = mapped_column(Id)
    instance_id: Mapped[uuid.UUID] = mapped_column(Id)
    sop_uid: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)  # DIMSE status; -1: no answer
    comment: Mapped[str] = mapped_column(Text, default="")  # the node's own; our words where `error_code` is ours
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_facts: Mapped[str] = mapped_column(Text, default="{}")  # JSON
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64), default="")
    at: Mapped[datetime] = mapped_column(Instant)
    committed_at: Mapped[datetime | None] = mapped_column(Instant)


class StepDelivery(Owned, Base):
    """What a modality said of a step that it performs (N-CREATE or N-SET), on its way to a destination.

    `turn` counts the messages of a step to a destination, which go in that order. `state` as a delivery's; `status` is
    the destination's answer, -1: none yet. `asked` says that it was under way once, so it may have come there.
    """

    __tablename__ = "step_delivery"
    __table_args__ = (
        Index("ux_step_delivery", "destination_id", "sop_uid", "turn", unique=True),
        Index("ix_step_delivery_state", "state", "destination_id"),
        Index("ix_step_delivery_created", "organisation_id", "created_at"),
        Index("ix_step_delivery_patient", "organisation_id", "patient_id"),
    )

    destination_id: Mapped[uuid.UUID] = mapped_column(Id)
    sop_uid: Mapped[str] = mapped_column(String(64))
    turn: Mapped[int] = mapped_column(Integer)
    said_state: Mapped[str] = mapped_column(String(16))  # IN PROGRESS, COMPLETED, DISCONTINUED
    calling_ae: Mapped[str] = mapped_column(String(16))
    patient_issuer: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(String(64))
    accession_number: Mapped[str] = mapped_column(String(16))
    data_set: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, sort_order=999)  # last, and read alone
    transfer_syntax: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    asked: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[int] = mapped_column(Integer)
    comment: Mapped[str] = mapped_column(Text)  # the destination's own
    attempts: Mapped[int] = mapped_column(Integer)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str] = mapped_column(Text)
    error_code: Mapped[str] = mapped_column(String(64))
    error_facts: Mapped[str] = mapped_column(Text)  # JSON
    created_at: Mapped[datetime] = mapped_column(Instant)
    due_since: Mapped[datetime] = mapped_column(Instant)  # made, or last asked for again by a person
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class CommitmentAsked(Owned, Base):
    """A transaction by which we asked a destination to commit to a delivery's objects; see `routing.committing`."""

    __tablename__ = "commitment_asked"
    __table_args__ = (
        Index("ux_commitment_asked", "transaction_uid", unique=True),
        Index("ix_commitment_asked_delivery", "delivery_id"),
    )

    delivery_id: Mapped[uuid.UUID] = mapped_column(Id)
    transaction_uid: Mapped[str] = mapped_column(String(64))
    sop_uids: Mapped[str] = mapped_column(Text)  # JSON: of what was asked for; of copies, which the vault knows, none
    asked_at: Mapped[datetime] = mapped_column(Instant)


class CommitmentRequest(Owned, Base):
    """A storage commitment request that was accepted and is not reported yet; see `routing.commitments`."""

    __tablename__ = "commitment_request"
    __table_args__ = (
        Index("ix_commitment_request_due", "next_attempt_at"),
        Index("ux_commitment_request", "organisation_id", "calling_ae", "transaction_uid", unique=True),
    )

    calling_ae: Mapped[str] = mapped_column(String(16))
    called_ae: Mapped[str] = mapped_column(String(16))
    host: Mapped[str] = mapped_column(String(255))
    association_id: Mapped[str] = mapped_column(String(64))
    transaction_uid: Mapped[str] = mapped_column(String(64))
    references: Mapped[str] = mapped_column(Text)  # JSON: pairs of SOP Class and SOP Instance UID
    owner: Mapped[str] = mapped_column(String(128))  # of the landing of the process that works on it
    attempts: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_attempt_at: Mapped[datetime] = mapped_column(Instant)
    error: Mapped[str] = mapped_column(Text)

"""Tables of retrieving: the archives that studies are fetched from, and the fetches."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, Boolean, Date, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class Pacs(Owned, Base):
    """An archive elsewhere that is searched and fetched from; what comes belongs to the source `source_id`.

    A worklist that is asked stands here, too: who may fetch into its source may ask it.
    """

    __tablename__ = "pacs"
    __table_args__ = (Index("ux_pacs_name", "organisation_id", "name", unique=True),)

    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(16), default="dicom")  # dicom, dicomweb, worklist
    ae_title: Mapped[str] = mapped_column(String(16))
    host: Mapped[str] = mapped_column(String(255))
    port: Mapped[int] = mapped_column(Integer)
    calling_ae_title: Mapped[str] = mapped_column(String(16), default="")
    tls: Mapped[bool] = mapped_column(Boolean, default=False)
    model: Mapped[str] = mapped_column(String(8), default="study")  # information model: study, patient
    method: Mapped[str] = mapped_column(String(8), default="move")  # move, get
    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    address: Mapped[str] = mapped_column(String(1000), default="")  # of a DICOMweb service
    username: Mapped[str] = mapped_column(String(200), default="")
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # its password or token
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Fetch(Owned, Base):
    """A study or series that is fetched; `state` is one of those that `retrieve.fetches` explains."""

    __tablename__ = "fetch"
    __table_args__ = (
        Index("ix_fetch_created", "organisation_id", "created_at"),
        Index("ix_fetch_due", "state", "next_attempt_at"),
        Index("ix_fetch_study", "organisation_id", "study_uid"),
    )

    pacs_id: Mapped[uuid.UUID] = mapped_column(Id)
    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_uid: Mapped[str] = mapped_column(String(64))
    series_uid: Mapped[str] = mapped_column(String(64), default="")
    patient_id_value: Mapped[str] = mapped_column(String(64), default="")
    patient_name: Mapped[str] = mapped_column(String(400), default="")
    description: Mapped[str] = mapped_column(String(400), default="")
    study_date: Mapped[date | None] = mapped_column(Date)
    modalities: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    expected: Mapped[int | None] = mapped_column(Integer)  # objects that the PACS says it has; none: not asked yet
    here: Mapped[int] = mapped_column(Integer, default=0)
    refused: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str] = mapped_column(Text, default="")  # in plain English
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_facts: Mapped[str] = mapped_column(Text, default="{}")  # JSON
    requested_by: Mapped[str] = mapped_column(String(200), default="")
    correlation_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class FetchSchedule(Owned, Base):
    """Something that is fetched by itself; `plan` is what it says (`retrieve.schedules.plan`, JSON)."""

    __tablename__ = "fetch_schedule"
    __table_args__ = (
        Index("ux_fetch_schedule_name", "organisation_id", "name", unique=True),
        Index("ix_fetch_schedule_next", "next_at"),
    )

    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(8))  # timed, priors, cache
    enabled: Mapped[bool] = mapped_column(Boolean)
    plan: Mapped[str] = mapped_column(Text)
    next_at: Mapped[datetime | None] = mapped_column(Instant)  # none: switched off, or has no times
    changed_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class FetchRun(Owned, Base):
    """One run of a schedule. `occasion` is what it is for: no schedule runs twice for one.

    `state` is waiting (to search), fetching, done, failed, missed or stopped. Of a run for priors `patient_*`,
    `modalities` and `body_parts` tell whose and of what, `study_uid` the study that came.
    """

    __tablename__ = "fetch_run"
    __table_args__ = (
        Index("ux_fetch_run_occasion", "schedule_id", "occasion", unique=True),
        Index("ix_fetch_run_state", "state"),
        Index("ix_fetch_run_created", "organisation_id", "created_at"),
        Index("ix_fetch_run_ended", "ended_at"),
        Index("ix_fetch_run_study", "organisation_id", "study_uid"),
    )

    schedule_id: Mapped[uuid.UUID] = mapped_column(Id)
    schedule: Mapped[str] = mapped_column(String(100))  # its name then
    kind: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(8))  # time, hand, study, order
    occasion: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    created_at: Mapped[datetime] = mapped_column(Instant)
    claimed_until: Mapped[datetime | None] = mapped_column(Instant)
    stops_at: Mapped[datetime | None] = mapped_column(Instant)
    next_ask_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    found: Mapped[int] = mapped_column(Integer, default=0)
    here: Mapped[int] = mapped_column(Integer, default=0)  # were here already
    fetched: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)  # of what it has fetched
    left_out: Mapped[str] = mapped_column(Text, default="{}")  # JSON: why, how many
    more: Mapped[bool] = mapped_column(Boolean, default=False)  # a PACS has more than it was asked for
    error: Mapped[str] = mapped_column(Text, default="")
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_facts: Mapped[str] = mapped_column(Text, default="{}")
    patient_issuer: Mapped[str] = mapped_column(String(64), default="")
    patient_id: Mapped[str] = mapped_column(String(64), default="")
    patient_name: Mapped[str] = mapped_column(Text, default="")
    patient_birth_date: Mapped[date | None] = mapped_column(Date)
    patient_sex: Mapped[str] = mapped_column(String(16), default="")
    modalities: Mapped[str] = mapped_column(String(200), default="")
    body_parts: Mapped[str] = mapped_column(String(400), default="")
    study_uid: Mapped[str] = mapped_column(String(64), default="")


class FetchRunStudy(Owned, Base):
    """A study that a run is to fetch; `state` is waiting, asked, done, failed or left (by `left_by`)."""

    __tablename__ = "fetch_run_study"
    __table_args__ = (
        Index("ux_fetch_run_study", "run_id", "study_uid", unique=True),
        Index("ix_fetch_run_study_state", "run_id", "state"),
        Index("ix_fetch_run_study_uid", "organisation_id", "study_uid"),
    )

    run_id: Mapped[uuid.UUID] = mapped_column(Id)
    schedule_id: Mapped[uuid.UUID] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(8))  # the schedule's
    place: Mapped[int] = mapped_column(Integer)  # in the order of fetching
    pacs_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_uid: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    left_by: Mapped[str] = mapped_column(String(16), default="")
    fetch_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    expected_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    patient_id_value: Mapped[str] = mapped_column(String(64), default="")
    patient_name: Mapped[str] = mapped_column(String(400), default="")
    description: Mapped[str] = mapped_column(String(400), default="")
    study_date: Mapped[date | None] = mapped_column(Date)
    modalities: Mapped[str] = mapped_column(String(200), default="")

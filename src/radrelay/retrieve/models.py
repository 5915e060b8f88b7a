"""Tables of retrieving: the archives that studies are fetched from, and the fetches."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import Boolean, Date, Index, Integer, LargeBinary, String, Text
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

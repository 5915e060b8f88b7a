"""Tables of analyses: what is switched on, what ran on which study, and a log of their use that knows no patient.

A run hangs on its study and goes in the transaction in which that does; the log of use stays.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class AnalysisSetting(Owned, Base):
    """What an organisation says of a kind of analysis; without a row it is off.

    `parameters` (JSON) stand for the kind's own defaults. `called_ae_titles` is a comma list: what is sent to one of
    them is analysed. Results go to `destination_id` besides wherever rules send them. None: the kind's own limit.
    """

    __tablename__ = "analysis_setting"
    __table_args__ = (Index("ux_analysis_setting_kind", "organisation_id", "kind", unique=True),)

    kind: Mapped[str] = mapped_column(String(32))
    enabled: Mapped[bool] = mapped_column(Boolean, default=False)
    parameters: Mapped[str] = mapped_column(Text, default="{}")
    called_ae_titles: Mapped[str] = mapped_column(Text, default="")
    destination_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    cores: Mapped[int | None] = mapped_column(Integer)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class AnalysisRun(Owned, Base):
    """An analysis of a study: asked for, waiting, running, or how it ended.

    `state` is waiting, running, done, refused, failed or cancelled. `asked_kind` says who asked: account, token, rule,
    ae-title or command. `inputs` tells one set of objects from another. `results` is JSON: the objects that it made, as
    (SOP Instance UID, Series Instance UID, description), written down before the first of them lands.
    """

    __tablename__ = "analysis_run"
    __table_args__ = (
        Index("ix_analysis_run_study", "study_id", "created_at"),
        Index("ix_analysis_run_listed", "organisation_id", "created_at", "id"),
        Index("ix_analysis_run_state", "state", "next_attempt_at"),
        Index("ix_analysis_run_changed", "organisation_id", "changed_at"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("study.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    version: Mapped[str] = mapped_column(String(64), default="")
    parameters: Mapped[str] = mapped_column(Text, default="{}")
    series: Mapped[str] = mapped_column(Text, default="")  # comma list of ids; "": all that fit
    inputs: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    step: Mapped[str] = mapped_column(String(64), default="")
    share: Mapped[float] = mapped_column(Float, default=0.0)
    machine: Mapped[str] = mapped_column(String(200), default="")
    memory_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    cores: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str] = mapped_column(Text, default="")  # in plain English
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_facts: Mapped[str] = mapped_column(Text, default="{}")  # JSON
    asked_kind: Mapped[str] = mapped_column(String(16))
    asked_by: Mapped[str] = mapped_column(String(200), default="")
    rerun_of: Mapped[uuid.UUID | None] = mapped_column(Id)
    results: Mapped[str] = mapped_column(Text, default="")
    findings: Mapped[str | None] = mapped_column(Text)  # JSON
    correlation_id: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class AnalysisUse(Owned, Base):
    """That an analysis was used: which, when, for which source, and how it ended. No patient, no study, no person."""

    __tablename__ = "analysis_use"
    __table_args__ = (Index("ix_analysis_use_at", "organisation_id", "at"),)

    kind: Mapped[str] = mapped_column(String(32))
    version: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(100), default="")  # the source's name
    asked_kind: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64), default="")  # a code
    seconds: Mapped[float] = mapped_column(Float)
    at: Mapped[datetime] = mapped_column(Instant)

"""Tables of consent: what is counted of usage, withdrawals of that, and patients' transfers with what each covers."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import Date, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class UsageEvent(Base):
    """Something was done in the pages by somebody who agreed to be counted.

    Nothing tells when beyond the day: the id is drawn at random, and rows lie in its order where the database lets
    them. Backups leave these out.
    """

    __tablename__ = "usage_event"
    __table_args__ = (
        Index("ix_usage_event", "organisation_id", "day", "kind", "value", "pseudonym"),
        Index("ix_usage_event_pseudonym", "pseudonym"),
        {"sqlite_with_rowid": False},
    )

    id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    day: Mapped[date] = mapped_column(Date)
    pseudonym: Mapped[bytes] = mapped_column(LargeBinary(16))  # of one browser on one day
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(String(16))


class UsageWithdrawal(Base):
    """A browser withdrew: what still comes of it is refused."""

    __tablename__ = "usage_withdrawal"
    __table_args__ = ({"sqlite_with_rowid": False},)

    digest: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    day: Mapped[date] = mapped_column(Date)


class PrivacyTransfer(Owned, Base):
    """A consent to a patient's data being brought here: who gave it, how that is shown, and what became of it."""

    __tablename__ = "privacy_transfer"
    __table_args__ = (Index("ix_privacy_transfer", "organisation_id", "given_at"),)

    patient_issuer: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(String(64))
    giver: Mapped[str] = mapped_column(String(200))
    capacity: Mapped[str] = mapped_column(String(16))  # patient | representative | referrer
    shown_by: Mapped[str] = mapped_column(String(16))  # written | page | phone | spoken
    text_version: Mapped[str] = mapped_column(String(100))  # what was consented to
    note: Mapped[str] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(Instant)
    entered_at: Mapped[datetime] = mapped_column(Instant)
    entered_by: Mapped[str] = mapped_column(String(200))
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)
    withdrawn_by: Mapped[str] = mapped_column(String(200))  # who wrote it here
    withdrawn_how: Mapped[str] = mapped_column(String(500))
    proof: Mapped[str] = mapped_column(Text)  # JSON: what was erased, when, under which keys
    revision: Mapped[int] = mapped_column(Integer)


class PrivacyTransferStudy(Owned, Base):
    """A study that a source brought by a transfer. Ids and UID stay when the study is gone."""

    __tablename__ = "privacy_transfer_study"
    __table_args__ = (
        Index("ix_privacy_transfer_study", "transfer_id"),
        Index("ix_privacy_transfer_study_open", "state", "organisation_id", "source_id", "study_uid"),
    )

    transfer_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_uid: Mapped[str] = mapped_column(String(64))
    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    source_name: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(16))  # standing | held | gone

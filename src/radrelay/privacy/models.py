"""Tables of privacy: texts and who accepted them, processors and contacts, incidents, requests of data subjects and
what becomes of them.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, Boolean, Date, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class PrivacyText(Owned, Base):
    """A version of terms, privacy notice or patients' consent; version 0 is the draft. What is published stays."""

    __tablename__ = "privacy_text"
    __table_args__ = (Index("ux_privacy_text_version", "organisation_id", "kind", "version", unique=True),)

    kind: Mapped[str] = mapped_column(String(16))  # terms | notice | consent
    version: Mapped[int] = mapped_column(Integer)
    english: Mapped[str] = mapped_column(Text)
    german: Mapped[str] = mapped_column(Text)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    facts: Mapped[bytes] = mapped_column(LargeBinary(32))  # SHA-256 of the settings that it was filled from
    revision: Mapped[int] = mapped_column(Integer)  # of the draft
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[str] = mapped_column(String(200))


class PrivacyAcceptance(Owned, Base):
    """Somebody accepted a version, in a language, from an address. Stays when the account is gone."""

    __tablename__ = "privacy_acceptance"
    __table_args__ = (Index("ux_privacy_acceptance", "account_id", "text_id", unique=True),)

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    username: Mapped[str] = mapped_column(String(200))
    text_id: Mapped[uuid.UUID] = mapped_column(Id)
    language: Mapped[str] = mapped_column(String(8))
    peer: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Instant)


class PrivacyProcessor(Owned, Base):
    """Somebody who processes data for the organisation, and the agreement with them."""

    __tablename__ = "privacy_processor"
    __table_args__ = (Index("ix_privacy_processor", "organisation_id", "name"),)

    name: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(String(500))
    country: Mapped[str] = mapped_column(String(2))  # ISO 3166-1
    privacy_url: Mapped[str] = mapped_column(String(500))
    agreement: Mapped[str] = mapped_column(String(8))  # none | dpa | baa | both
    agreed_on: Mapped[date | None] = mapped_column(Date)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class PrivacyAgreement(Owned, Base):
    """An agreement about processing that is on record: with whom, for what, from when; ended, never deleted."""

    __tablename__ = "privacy_agreement"
    __table_args__ = (Index("ix_privacy_agreement", "organisation_id", "signed_on"),)

    kind: Mapped[str] = mapped_column(String(8))  # dpa | baa | other
    party: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(String(500))
    signed_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date | None] = mapped_column(Date)  # as agreed: its last day
    document: Mapped[str] = mapped_column(String(500))  # where it lies, or a note
    ended_on: Mapped[date | None] = mapped_column(Date)  # it was ended: its last day
    ended_why: Mapped[str] = mapped_column(String(500))
    entered_at: Mapped[datetime] = mapped_column(Instant)
    entered_by: Mapped[str] = mapped_column(String(200))
    revision: Mapped[int] = mapped_column(Integer)


class PrivacySetting(Base):
    """An organisation's contacts, and whether its texts have to be accepted."""

    __tablename__ = "privacy_setting"

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    controller: Mapped[str] = mapped_column(String(500))  # name and address
    officer_name: Mapped[str] = mapped_column(String(200))
    officer_contact: Mapped[str] = mapped_column(String(200))
    authority_name: Mapped[str] = mapped_column(String(200))
    authority_url: Mapped[str] = mapped_column(String(500))
    terms_required: Mapped[bool] = mapped_column(Boolean)
    notice_required: Mapped[bool] = mapped_column(Boolean)
    revision: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class PrivacyIncident(Owned, Base):
    """Something by which data may have come to the wrong person: what is suspected, and what was told to whom when."""

    __tablename__ = "privacy_incident"
    __table_args__ = (Index("ix_privacy_incident", "organisation_id", "noticed_at"),)

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(16))  # account | token | link | device | session
    subject: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime] = mapped_column(Instant)
    noticed_at: Mapped[datetime] = mapped_column(Instant)
    authority_told_at: Mapped[datetime | None] = mapped_column(Instant)
    patients_told_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[str] = mapped_column(String(200))
    revision: Mapped[int] = mapped_column(Integer)


class PrivacyRequest(Owned, Base):
    """A data subject's request: what is asked, of whom, how they proved who they are, and what became of it."""

    __tablename__ = "privacy_request"
    __table_args__ = (Index("ix_privacy_request", "organisation_id", "due_at"),)

    kind: Mapped[str] = mapped_column(String(16))  # access | correction | erasure | restriction | objection
    subject_kind: Mapped[str] = mapped_column(String(16))  # patient | account
    patient_issuer: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(String(64))
    account_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    requester: Mapped[str] = mapped_column(String(200))
    contact: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)
    extended_why: Mapped[str] = mapped_column(String(500))
    verified_how: Mapped[str] = mapped_column(String(500))
    verified_by: Mapped[str] = mapped_column(String(200))
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(String(16))  # open | done | refused | passed
    answer: Mapped[str] = mapped_column(Text)
    told_how: Mapped[str] = mapped_column(String(500))  # how the requester was told of the answer
    stops: Mapped[str] = mapped_column(String(500))  # of an objection that is upheld: what is not done any more
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    proof: Mapped[str] = mapped_column(Text)  # JSON: what was erased, when, under which keys
    created_by: Mapped[str] = mapped_column(String(200))
    revision: Mapped[int] = mapped_column(Integer)


class VolumeSent(Base):
    """Bytes that were sent to an account, token, link or device (`kind`; of a device the AE title) in an hour."""

    __tablename__ = "privacy_volume_sent"
    __table_args__ = (Index("ix_privacy_volume_sent_hour", "organisation_id", "hour"),)

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    own_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    hour: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)


class VolumeAlarm(Owned, Base):
    """An access fetched far more than usual: how much since `began_at`, what was usual, and what was done about it."""

    __tablename__ = "privacy_volume_alarm"
    __table_args__ = (
        Index("ix_privacy_volume_alarm_at", "organisation_id", "at"),
        Index("ix_privacy_volume_alarm_own", "organisation_id", "own_id", "at"),
    )

    kind: Mapped[str] = mapped_column(String(16))  # account | token | link | ae
    own_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    began_at: Mapped[datetime] = mapped_column(Instant)  # from when on it is counted
    at: Mapped[datetime] = mapped_column(Instant)
    counted_at: Mapped[datetime] = mapped_column(Instant)
    studies: Mapped[int] = mapped_column(Integer)
    patients: Mapped[int] = mapped_column(Integer)
    fetches: Mapped[int] = mapped_column(Integer)
    bytes: Mapped[int] = mapped_column(BigInteger)
    measure: Mapped[str] = mapped_column(String(16))  # what was furthest above its limit: studies, patients, …
    usual: Mapped[int | None] = mapped_column(BigInteger)  # of that measure, on a day; none: too little is known
    most: Mapped[int] = mapped_column(BigInteger)  # the limit of that measure
    suspended_at: Mapped[datetime | None] = mapped_column(Instant)
    kept_open: Mapped[str] = mapped_column(String(16), default="")  # last-admin: why it was not suspended
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_by: Mapped[str] = mapped_column(String(200), default="")
    note: Mapped[str] = mapped_column(String(1000), default="")


class PrivacyReminder(Base):
    """The officers were reminded of a request that many days before it is due (0: once it was late)."""

    __tablename__ = "privacy_reminder"

    request_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    due_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)  # a longer clock reminds anew
    days: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    letters: Mapped[int] = mapped_column(Integer)


class PrivacyClinic(Base):
    """Whose patients a source brings, where the organisation only processes for them: the clinic that decides."""

    __tablename__ = "privacy_clinic"

    source_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(200))
    contact: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(500))
    changed_at: Mapped[datetime] = mapped_column(Instant)


class PrivacyPassing(Owned, Base):
    """A request was passed on to the clinic that decides: to whom as they were named then, how, when and by whom."""

    __tablename__ = "privacy_passing"
    __table_args__ = (Index("ux_privacy_passing", "request_id", "source_id", unique=True),)

    request_id: Mapped[uuid.UUID] = mapped_column(Id)
    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    clinic: Mapped[str] = mapped_column(String(200))
    contact: Mapped[str] = mapped_column(String(200))
    how: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(String(200))

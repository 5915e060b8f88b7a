"""Tables of intake: parcels (what came together), the quarantine, and what watched folders already gave."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class Parcel(Owned, Base):
    """What came in together: an upload, an import, a STOW request, an association.

    `state` is receiving, scanning, unpacking, done or failed. Counts move while it is worked on. `sealed` says that
    its sender has no more; it is done when sealed and none of its archives is open.
    """

    __tablename__ = "parcel"
    __table_args__ = (Index("ix_parcel_created", "organisation_id", "created_at"),)

    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    account_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(Text)  # file or folder name as sent
    state: Mapped[str] = mapped_column(String(16))
    error: Mapped[str] = mapped_column(Text, default="")
    error_code: Mapped[str] = mapped_column(String(40), default="")
    bytes_expected: Mapped[int | None] = mapped_column(BigInteger)
    bytes_received: Mapped[int] = mapped_column(BigInteger, default=0)
    files: Mapped[int] = mapped_column(Integer, default=0)  # looked at
    objects: Mapped[int] = mapped_column(Integer, default=0)  # kept as instances
    duplicates: Mapped[int] = mapped_column(Integer, default=0)
    attachments: Mapped[int] = mapped_column(Integer, default=0)
    quarantined: Mapped[int] = mapped_column(Integer, default=0)
    refused: Mapped[int] = mapped_column(Integer, default=0)
    sealed: Mapped[bool] = mapped_column(Boolean, default=False)
    archives_open: Mapped[int] = mapped_column(Integer, default=0)
    correlation_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class OpenArchive(Owned, Base):
    """An archive that has landed and is still to be unpacked; its id is its landing record's.

    `due_at` is when it is handed over (again); `waits` and `failures` count what came in the way, `waiting_for` says
    what it was last.
    """

    __tablename__ = "open_archive"
    __table_args__ = (Index("ix_open_archive_due", "due_at"),)

    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    parcel_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    file_name: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    correlation_id: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)
    waits: Mapped[int] = mapped_column(Integer)
    failures: Mapped[int] = mapped_column(Integer)
    waiting_for: Mapped[str] = mapped_column(Text)


class ParcelFinding(Owned, Base):
    """One file of a parcel that was not kept as it came, and why.

    `disc-reference` is what a disc's directory names: at the parcel's end it goes, or becomes `missing-on-disc`.
    """

    __tablename__ = "parcel_finding"
    __table_args__ = (Index("ix_parcel_finding_parcel", "parcel_id"),)

    parcel_id: Mapped[uuid.UUID] = mapped_column(Id)
    file_name: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
    sop_uid: Mapped[str] = mapped_column(String(64), default="")  # of what a disc's directory names


class RawFile(Owned, Base):
    """A file that is kept as it came until a person has checked what is in it; its id is its landing record's.

    `parcel_id` is the parcel's that it came in; `ends_at` is when it goes, whatever has become of it. `thing` is what
    it is of, where that is told: of several of one thing the last is what came of it.
    """

    __tablename__ = "raw_file"
    __table_args__ = (Index("ix_raw_file_parcel", "parcel_id", "ends_at"), Index("ix_raw_file_ends", "ends_at"))

    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    parcel_id: Mapped[uuid.UUID] = mapped_column(Id)
    thing: Mapped[uuid.UUID | None] = mapped_column(Id)
    file_name: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)


class ParcelItem(Base):
    """A member of an archive that is indexed, so that unpacking again after a crash adds nothing."""

    __tablename__ = "parcel_item"
    __table_args__ = (Index("ix_parcel_item_parcel", "parcel_id"),)

    id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    parcel_id: Mapped[uuid.UUID] = mapped_column(Id)


class ParcelStudy(Base):
    """A study that a parcel brought objects of; its attachments belong there when it is the only one."""

    __tablename__ = "parcel_study"
    __table_args__ = (Index("ix_parcel_study_study", "study_id"),)

    parcel_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    study_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)


class Quarantined(Owned, Base):
    """An object that is kept aside until a person releases or deletes it.

    One that was released with another identity stays, with its bytes, as long as what it became.
    """

    __tablename__ = "quarantined"
    __table_args__ = (
        Index("ix_quarantined_received", "organisation_id", "received_at"),
        Index("ix_quarantined_record", "organisation_id", "record_id"),
        Index("ix_quarantined_correlation", "organisation_id", "correlation_id"),
    )

    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    parcel_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    record_id: Mapped[uuid.UUID] = mapped_column(Id)
    code: Mapped[str] = mapped_column(String(40))  # patient-mismatch, other-content, malformed, infected …
    reason: Mapped[str] = mapped_column(Text)
    study_uid: Mapped[str] = mapped_column(String(64), default="")
    sop_uid: Mapped[str] = mapped_column(String(64), default="")
    patient_name: Mapped[str] = mapped_column(Text, default="")
    patient_id_value: Mapped[str] = mapped_column(String(64), default="")
    file_name: Mapped[str] = mapped_column(Text, default="")
    size: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    released_at: Mapped[datetime | None] = mapped_column(Instant)
    wait_number: Mapped[int] = mapped_column(BigInteger, default=0)  # which of its source's it was, put to wait
    correlation_id: Mapped[str] = mapped_column(String(64), default="")
    identity: Mapped[str] = mapped_column(Text, default="")  # JSON of what it was released as, if not as received
    instance_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # of what it was released as


class WatchedFile(Owned, Base):
    """A file of a watched folder that was taken, as it was then: it is not taken again until it changes."""

    __tablename__ = "watched_file"
    __table_args__ = (Index("ux_watched_file_path", "source_id", "path_hash", unique=True),)

    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    path_hash: Mapped[str] = mapped_column(String(64))  # SHA-256 of the path inside the folder, hex
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    taken_at: Mapped[datetime] = mapped_column(Instant)

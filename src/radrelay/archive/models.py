"""Tables of the archive: sources, patients, studies, series, instances, holdings.

Names stand twice: as sent (DICOM's PN with its ideographic and phonetic groups, decoded) and folded for search.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, time

from sqlalchemy import BigInteger, Boolean, Computed, Date, Index, Integer, LargeBinary, String, Text, Time, text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.archive.telling import Telling
from radrelay.storage.columns import Base, Id, Instant, Owned


def ordered(length: int | None = None) -> String:
    """Return a text type that sorts and compares by code points on every database, whatever its locale."""
    kind = Text if length is None else String
    plain: String = kind(length)
    return plain.with_variant(kind(length, collation="C"), "postgresql")


MODALITIES_LENGTH = 200
"""Of a study's modalities so much stands in its row."""
NARROW = "_narrow"
"""Ends the names of indexes that PostgreSQL has in the place of wider ones: it takes no row over 2,704 bytes."""
_RECEIVED = (
    "organisation_id", "last_received_at", "sort_key", "expires_at", "id", "patient_id", "modalities",
)  # fmt: skip
_LISTED = (
    "id", "organisation_id", "sort_key", "expires_at", "patient_id", "last_received_at", "patient_name_order",
)  # fmt: skip
_TEXTS = ("patient_name_folded", "search_text")
_SOUGHT = ("modalities", *_TEXTS)
_PATIENT_ROW = (
    "patient_id", "id", "organisation_id", "patient_issuer", "patient_id_value", "patient_birth_date", "patient_sex",
)  # fmt: skip
_PATIENT_DATES = ("study_date", "expires_at", "sort_key", "last_received_at")
_TOLD = ("patient_telling", "modalities")


class Source(Owned, Base):
    """A door that studies come in by, and what its data are promised.

    `kind` is dicom, stow, upload, import or folder. `retention_s` none means until deleted or the owner's
    account ends; `max_age_s` is the ceiling that nothing extends. `duplicate_policy` is quarantine,
    supersede or keep-both.
    """

    __tablename__ = "source"
    __table_args__ = (Index("ux_source_name", "organisation_id", "name", unique=True),)

    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(16))
    ae_title: Mapped[str | None] = mapped_column(
        String(16)
    )  # called AE title that leads here; none: the default of its kind
    callers: Mapped[str] = mapped_column(
        Text, default="*"
    )  # comma list of calling AE titles, each with optional @address
    folder: Mapped[str | None] = mapped_column(Text)
    issuer_of_patient_id: Mapped[str] = mapped_column(String(64), default="")
    retention_s: Mapped[int | None] = mapped_column(Integer)
    max_age_s: Mapped[int | None] = mapped_column(Integer)
    quiet_s: Mapped[int] = mapped_column(Integer, default=30)
    duplicate_policy: Mapped[str] = mapped_column(String(16), default="quarantine")
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    scan: Mapped[bool] = mapped_column(Boolean, default=True)  # when a scanner is configured
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    project_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # of pseudonyms: what comes is de-identified by it
    release_by_hand: Mapped[str] = mapped_column(Text, default="")  # "": nothing waits for it; "*": all; or whose
    put_to_wait: Mapped[int] = mapped_column(BigInteger, default=0)  # so many have waited for their release by hand
    created_at: Mapped[datetime] = mapped_column(Instant)


class Patient(Owned, Base):
    """A person as one issuer of patient IDs knows them; never a bare ID."""

    __tablename__ = "patient"
    __table_args__ = (Index("ux_patient_identity", "organisation_id", "issuer", "patient_id", unique=True),)

    issuer: Mapped[str] = mapped_column(ordered(64))  # of a study without any patient ID: a mark of its own
    patient_id: Mapped[str] = mapped_column(ordered(64))
    name: Mapped[str] = mapped_column(Text)
    name_folded: Mapped[str] = mapped_column(ordered())
    birth_date: Mapped[date | None] = mapped_column(Date)
    sex: Mapped[str] = mapped_column(String(16))


class Study(Owned, Base):
    """(organisation, StudyInstanceUID). Patient columns are repeated for search and sorting.

    `state` is arriving or complete. `expires_at` is the latest of its holdings' ends, none if one has no end;
    `ceiling_at` likewise of their ceilings. `held` is true while a hold stands.
    `sort_key` orders studies by date and time and is unique; it is also the row number of the text index.
    """

    __tablename__ = "study"
    __table_args__ = (
        Index("ux_study_uid", "organisation_id", "study_uid", unique=True),
        Index("ux_study_sort_key", "sort_key", unique=True),
        Index("ix_study_date", "organisation_id", "sort_key", "expires_at", "id", "patient_name_order", "patient_id"),
        Index(  # all that a list asks of the studies of somebody who sees few
            "ix_study_listed",
            *_LISTED,
            *_SOUGHT,
        ).ddl_if(dialect="sqlite"),
        Index(f"ix_study_listed{NARROW}", *_LISTED).ddl_if(dialect="postgresql"),
        Index(  # the list's own order, with all that is asked of a study on the way
            "ix_study_received",
            *_RECEIVED,
            *_TEXTS,
        ).ddl_if(dialect="sqlite"),
        Index(f"ix_study_received{NARROW}", *_RECEIVED).ddl_if(dialect="postgresql"),
        Index("ix_study_end", "organisation_id", "expires_at", "sort_key", "id"),
        Index("ix_study_patient", "organisation_id", "patient_id_value"),
        Index("ix_study_name", "organisation_id", "patient_name_order", "sort_key", "expires_at", "id", "patient_id"),
        Index("ix_study_birth", "organisation_id", "patient_birth_date"),
        Index("ix_study_accession", "organisation_id", "accession_number"),
        Index(  # all that the rule of earlier studies asks of a patient's studies
            "ix_study_patient_row",
            *_PATIENT_ROW,
            "patient_spellings",
            *_PATIENT_DATES,
            "patient_name_order",
            *_SOUGHT,
        ).ddl_if(dialect="sqlite"),
        Index(f"ix_study_patient_row{NARROW}", *_PATIENT_ROW, *_PATIENT_DATES, *_TOLD).ddl_if(dialect="postgresql"),
        Index("ix_study_quiet", "quiet_at"),
    )

    study_uid: Mapped[str] = mapped_column(ordered(64))
    sort_key: Mapped[int] = mapped_column(BigInteger)
    search_text: Mapped[str] = mapped_column(ordered())  # description, patient ID and accession number, folded
    patient_id: Mapped[uuid.UUID] = mapped_column(Id)  # row of patient
    patient_id_value: Mapped[str] = mapped_column(ordered(64))
    patient_issuer: Mapped[str] = mapped_column(String(64))
    patient_name: Mapped[str] = mapped_column(Text)
    patient_name_folded: Mapped[str] = mapped_column(ordered())  # its groups folded, between =
    patient_name_order: Mapped[str] = mapped_column(ordered())  # what the list goes by; see `folding.name_order`
    patient_spellings: Mapped[str] = mapped_column(ordered())  # what `persons` compares; see `folding.spellings_text`
    patient_birth_date: Mapped[date | None] = mapped_column(Date)
    patient_sex: Mapped[str] = mapped_column(String(16))
    patient_telling: Mapped[int] = mapped_column(BigInteger, Computed(Telling(), persisted=True))
    study_date: Mapped[date | None] = mapped_column(Date)
    study_time: Mapped[time | None] = mapped_column(Time)
    accession_number: Mapped[str] = mapped_column(ordered(64))
    study_id_value: Mapped[str] = mapped_column(String(64))
    description: Mapped[str] = mapped_column(Text)
    referring_physician: Mapped[str] = mapped_column(Text)
    institution: Mapped[str] = mapped_column(Text)
    modalities: Mapped[str] = mapped_column(String(MODALITIES_LENGTH))  # sorted, joined by backslash
    series_count: Mapped[int] = mapped_column(Integer, default=0)
    instance_count: Mapped[int] = mapped_column(Integer, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    attributes: Mapped[str] = mapped_column(
        Text, default="{}"
    )  # DICOM JSON of the patient and study levels, first instance
    state: Mapped[str] = mapped_column(String(16), default="arriving")
    quiet_at: Mapped[datetime | None] = mapped_column(Instant)  # becomes complete then, unless more arrives
    first_received_at: Mapped[datetime] = mapped_column(Instant)
    last_received_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    ceiling_at: Mapped[datetime | None] = mapped_column(Instant)
    held: Mapped[bool] = mapped_column(Boolean, default=False)


class Modality(Base):
    """One row per study and modality, so that a search by modality uses an index."""

    __tablename__ = "study_modality"
    __table_args__ = (
        Index("ix_study_modality", "organisation_id", "modality", "sort_key"),
        {"sqlite_with_rowid": False},
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    modality: Mapped[str] = mapped_column(ordered(16), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    sort_key: Mapped[int] = mapped_column(BigInteger)


class Sender(Base):
    """Who brought something of a study: by which source, over DICOM by which AE titles, a machine from where."""

    __tablename__ = "study_sender"
    __table_args__ = ({"sqlite_with_rowid": False},)

    study_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    source_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    calling_ae: Mapped[str] = mapped_column(String(16), primary_key=True)
    called_ae: Mapped[str] = mapped_column(String(16), primary_key=True)
    host: Mapped[str] = mapped_column(String(64), primary_key=True, default="")
    series_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)  # of which it brought what was not here yet


class ShortToken(Base):
    """One and two characters that a word of a study's patient name begins with (ideographs: contains).

    The text index knows three characters and more; these find what is shorter.
    """

    __tablename__ = "study_token"
    __table_args__ = ({"sqlite_with_rowid": False},)

    token: Mapped[str] = mapped_column(ordered(8), primary_key=True)
    sort_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class Series(Owned, Base):
    """A series of a study. `metadata_pack_id` names the pack whose ready-made metadata is complete, if any."""

    __tablename__ = "series"
    __table_args__ = (
        Index("ux_series_uid", "study_id", "organisation_id", "series_uid", unique=True),
        Index("ix_series_uid", "organisation_id", "series_uid"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    series_uid: Mapped[str] = mapped_column(ordered(64))
    modality: Mapped[str] = mapped_column(String(16))
    number: Mapped[int | None] = mapped_column(Integer)
    description: Mapped[str] = mapped_column(Text)
    body_part: Mapped[str] = mapped_column(String(64))
    laterality: Mapped[str] = mapped_column(String(16))
    series_date: Mapped[date | None] = mapped_column(Date)
    series_time: Mapped[time | None] = mapped_column(Time)
    orientation: Mapped[str] = mapped_column(String(120), default="")  # Image Orientation (Patient), first instance
    instance_count: Mapped[int] = mapped_column(Integer, default=0)
    frame_count: Mapped[int] = mapped_column(Integer, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    attributes: Mapped[str] = mapped_column(Text, default="{}")  # DICOM JSON of the series level, first instance
    changed_at: Mapped[datetime] = mapped_column(Instant)  # last arrival, removal or compaction: the caches' version


class Instance(Owned, Base):
    """One version of a SOP instance. Its bytes lie in a landing record or in a pack, never in both for readers.

    `sha256` is of the data set as received. `holding_id` is the holding that brought it (others: InstanceHolding).
    `correction` is up to which of its study's corrections it is written; a version that was `corrected` is kept as it
    was received, and nothing makes it current again.
    """

    __tablename__ = "instance"
    __table_args__ = (
        Index("ux_instance_version", "organisation_id", "sop_uid", "version", unique=True),
        Index("ix_instance_series", "series_id", "number"),
        Index("ix_instance_holding", "holding_id"),
        Index("ix_instance_record", "record_id"),
        Index("ix_instance_pack", "pack_id"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    series_id: Mapped[uuid.UUID] = mapped_column(Id)
    holding_id: Mapped[uuid.UUID] = mapped_column(Id)
    sop_uid: Mapped[str] = mapped_column(ordered(64))
    version: Mapped[int] = mapped_column(Integer, default=1)
    current: Mapped[bool] = mapped_column(Boolean, default=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))  # as received
    number: Mapped[int | None] = mapped_column(BigInteger)
    rows: Mapped[int | None] = mapped_column(Integer)
    columns: Mapped[int | None] = mapped_column(Integer)
    frames: Mapped[int] = mapped_column(Integer, default=1)
    view: Mapped[str] = mapped_column(String(32), default="")  # such as MLO or PA
    side: Mapped[str] = mapped_column(String(1), default="")  # of the body: R, L, B
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    size: Mapped[int] = mapped_column(BigInteger)  # of the data set as received
    file_name: Mapped[str] = mapped_column(Text, default="")  # as sent
    file_size: Mapped[int | None] = mapped_column(BigInteger)  # as sent
    file_type: Mapped[str] = mapped_column(String(100), default="")  # media type as sent
    received_at: Mapped[datetime] = mapped_column(Instant)
    correlation_id: Mapped[str] = mapped_column(String(64), default="")
    record_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # row of landing_record
    pack_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    pack_entry: Mapped[int | None] = mapped_column(Integer)  # place in the pack's table of contents
    correction: Mapped[int] = mapped_column(Integer, default=0)
    corrected: Mapped[bool] = mapped_column(Boolean, default=False)


class Correction(Owned, Base):
    """A person corrected whose or what a study is: values by DICOM tag before and after (JSON). Goes with its study.

    `follows`: another system said so (HL7), and what still arrives under the values before is the study's, too.
    """

    __tablename__ = "study_correction"
    __table_args__ = (
        Index("ux_study_correction", "study_id", "number", unique=True),
        Index("ix_study_correction_done", "done_at"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    number: Mapped[int] = mapped_column(Integer)  # 1 is the first
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(400))
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    request_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    follows: Mapped[bool] = mapped_column(Boolean, default=False)
    done_at: Mapped[datetime | None] = mapped_column(Instant)  # all objects have it


class Holding(Owned, Base):
    """(study, source): a source's claim on the instances it brought, and when it ends."""

    __tablename__ = "holding"
    __table_args__ = (
        Index("ix_holding_study", "study_id", "source_id", "ends_at"),
        Index("ix_holding_source", "source_id", "study_id", "ends_at", "patient_id"),
        Index("ix_holding_end", "ends_at"),
        Index(  # of those alone that people brought
            "ix_holding_account",
            "account_id",
            sqlite_where=text("account_id IS NOT NULL"),
            postgresql_where=text("account_id IS NOT NULL"),
        ),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    patient_id: Mapped[uuid.UUID] = mapped_column(Id)  # the study's: lists need not read studies
    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    account_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # owner of an upload
    received_at: Mapped[datetime] = mapped_column(Instant)  # first object
    last_received_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)  # by the source's retention
    ceiling_at: Mapped[datetime | None] = mapped_column(Instant)  # by the source's maximum age
    hold_until: Mapped[datetime | None] = mapped_column(Instant)
    hold_reason: Mapped[str] = mapped_column(Text, default="")
    ends_at: Mapped[datetime | None] = mapped_column(Instant)  # min(max(expires_at, hold_until), ceiling_at)


class InstanceHolding(Base):
    """Further holdings of an instance that several sources brought."""

    __tablename__ = "instance_holding"
    __table_args__ = (Index("ix_instance_holding_holding", "holding_id"),)

    instance_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    holding_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)


class Attachment(Owned, Base):
    """A file that came with a study and is not DICOM."""

    __tablename__ = "attachment"
    __table_args__ = (
        Index("ix_attachment_study", "study_id"),
        Index("ix_attachment_parcel", "parcel_id"),
        Index("ix_attachment_holding", "holding_id"),
        Index("ix_attachment_pack", "pack_id"),
        Index("ix_attachment_end", "ends_at"),
    )

    study_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    holding_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    parcel_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    file_name: Mapped[str] = mapped_column(Text)
    file_size: Mapped[int] = mapped_column(BigInteger)
    file_type: Mapped[str] = mapped_column(String(100))  # by its bytes
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    received_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    record_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    pack_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    pack_entry: Mapped[int | None] = mapped_column(Integer)


class Tombstone(Owned, Base):
    """Something that was deleted or expired: study, series, instance, holding, attachment, quarantine, parcel.

    Or an account that was closed.

    `ledgered_at` says since when the key store's ledger, which outlives a restored backup, has it too.
    """

    __tablename__ = "tombstone"
    __table_args__ = (
        Index("ix_tombstone_at", "organisation_id", "at"),
        Index("ix_tombstone_open", "ledgered_at"),
    )

    kind: Mapped[str] = mapped_column(String(16))
    subject_id: Mapped[uuid.UUID] = mapped_column(Id)
    reason: Mapped[str] = mapped_column(String(32))  # expired | deleted | superseded
    at: Mapped[datetime] = mapped_column(Instant)
    ledgered_at: Mapped[datetime | None] = mapped_column(Instant)

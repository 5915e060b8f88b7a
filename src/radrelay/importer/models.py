"""Tables of the importer: imports, the people and objects in them, portals' hosts, reports, attempts, consents.

What opens a link elsewhere stands sealed, and only until what it leads to has come; in a report until that is solved.
An import goes with all that hangs on it; counts by portal stay.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, Boolean, Date, Float, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class ImportCase(Owned, Base):
    """One patient's parcel from elsewhere: fetched or brought, checked, filed.

    `state` is fetching, asking (the portal asks what only a person knows), receiving (files are being brought),
    checking, open (a person decides), filing, filed, failed or over. `resumes` is the state that a failed one goes back
    to. `sealed` holds the link and the answers (JSON), `fingerprint` is the link's SHA-256. `findings`, `questions` and
    `listed` are JSON. `asked_kind` is account, token or patient. `basis` is why the import is lawful, as its maker
    confirmed.
    """

    __tablename__ = "import_case"
    __table_args__ = (
        Index("ix_import_case_listed", "organisation_id", "created_at", "id"),
        Index("ix_import_case_due", "state", "next_attempt_at"),
        Index("ix_import_case_changed", "organisation_id", "changed_at"),
        Index("ix_import_case_parcel", "parcel_id"),
    )

    source_id: Mapped[uuid.UUID] = mapped_column(Id)
    parcel_id: Mapped[uuid.UUID] = mapped_column(Id)
    account_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(16))
    resumes: Mapped[str] = mapped_column(String(16), default="")
    connector: Mapped[str] = mapped_column(String(80), default="")  # media: brought
    host: Mapped[str] = mapped_column(String(255), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    birth_date: Mapped[date | None] = mapped_column(Date)  # as entered
    questions: Mapped[str] = mapped_column(Text, default="[]")
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)  # sealed: the portal's page that a question is about
    asks_until: Mapped[datetime | None] = mapped_column(Instant)  # so long a browser waits for the answer
    listed: Mapped[str] = mapped_column(Text, default="")  # what the portal's list promises; "": there was none
    findings: Mapped[str] = mapped_column(Text, default="[]")
    confirmed: Mapped[str] = mapped_column(Text, default="{}")  # findings about the parcel by who and when
    came: Mapped[str] = mapped_column(Text, default="")  # JSON: how many studies, and what the newest says; "": none
    lacking: Mapped[str] = mapped_column(Text, default="[]")  # names of files that were to be brought and did not come
    bytes_received: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_expected: Mapped[int | None] = mapped_column(BigInteger)
    packs_since: Mapped[datetime | None] = mapped_column(Instant)  # the portal is waited for, and sends nothing yet
    objects: Mapped[int] = mapped_column(Integer, default=0)
    machine: Mapped[str] = mapped_column(String(200), default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    answers_sent: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str] = mapped_column(Text, default="")  # in plain English
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_facts: Mapped[str] = mapped_column(Text, default="{}")  # JSON
    asked_kind: Mapped[str] = mapped_column(String(16))
    asked_by: Mapped[str] = mapped_column(String(200), default="")
    basis: Mapped[str] = mapped_column(String(32), default="")
    correlation_id: Mapped[str] = mapped_column(String(64), default="")  # its own: what lands of it is known by this
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    last_came_at: Mapped[datetime | None] = mapped_column(Instant)  # when the last file was brought
    fetched_at: Mapped[datetime | None] = mapped_column(Instant)
    checked_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    link_ends_at: Mapped[datetime | None] = mapped_column(Instant)  # when the portal's link ends, where it is known
    ends_at: Mapped[datetime] = mapped_column(Instant)
    names_end_at: Mapped[datetime | None] = mapped_column(Instant)  # until when it may name anybody; none: it does not
    late: Mapped[str] = mapped_column(Text, default="")  # JSON: of a filing that broke off, what may yet land
    acts: Mapped[str] = mapped_column(Text, default="[]")  # what people did of late, as `importer.acts` has it
    refused: Mapped[str] = mapped_column(Text, default="")  # JSON: records of files that came too late, and go


class ImportPerson(Owned, Base):
    """Somebody whom a parcel names, and who that is here, once a person has said so.

    `state` is open, filing, filed or taken-back. `matched`, `chosen`, `import_order` and `confirmed` are JSON.
    """

    __tablename__ = "import_person"
    __table_args__ = (Index("ux_import_person_number", "case_id", "number", unique=True),)

    case_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("import_case.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16), default="open")
    patient_name: Mapped[str] = mapped_column(Text, default="")
    patient_id_value: Mapped[str] = mapped_column(String(64), default="")
    patient_issuer: Mapped[str] = mapped_column(String(64), default="")
    patient_birth_date: Mapped[date | None] = mapped_column(Date)
    patient_sex: Mapped[str] = mapped_column(String(16), default="")
    matched: Mapped[str] = mapped_column(Text, default="[]")  # who may be meant here, the proposed one first
    chosen: Mapped[str] = mapped_column(Text, default="")
    import_order: Mapped[str] = mapped_column(Text, default="")
    confirmed: Mapped[str] = mapped_column(Text, default="{}")  # findings by who and when
    destination_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    filing_at: Mapped[datetime | None] = mapped_column(Instant)
    filed_at: Mapped[datetime | None] = mapped_column(Instant)
    filed_by: Mapped[str] = mapped_column(String(200), default="")
    unsent: Mapped[str] = mapped_column(String(64), default="")  # why what was filed is not sent on as it was to be


class ImportObject(Owned, Base):
    """An object of a parcel as it arrived, and what became of it.

    `digest` is of its data set as received, `pixels` and `header` as `importer.arrived` has them. `action` and `why`
    are of `importer.duplicates` once it was filed.
    """

    __tablename__ = "import_object"
    __table_args__ = (
        Index("ix_import_object_case", "case_id", "person_number"),
        Index("ix_import_object_sop", "organisation_id", "sop_uid"),
    )

    case_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("import_case.id", ondelete="CASCADE"))
    person_number: Mapped[int] = mapped_column(Integer)
    file_name: Mapped[str] = mapped_column(Text)
    sop_uid: Mapped[str] = mapped_column(String(64))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    series_uid: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(String(64))
    patient_name: Mapped[str] = mapped_column(Text, default="")
    patient_id_value: Mapped[str] = mapped_column(String(64), default="")
    patient_issuer: Mapped[str] = mapped_column(String(64), default="")
    patient_birth_date: Mapped[date | None] = mapped_column(Date)
    patient_sex: Mapped[str] = mapped_column(String(16), default="")
    transfer_syntax: Mapped[str] = mapped_column(String(64), default="")
    modality: Mapped[str] = mapped_column(String(16), default="")
    study_date: Mapped[date | None] = mapped_column(Date)
    description: Mapped[str] = mapped_column(Text, default="")
    accession: Mapped[str] = mapped_column(String(64), default="")
    digest: Mapped[str] = mapped_column(String(64))
    pixels: Mapped[str] = mapped_column(String(64), default="")
    header: Mapped[str] = mapped_column(String(64), default="")
    action: Mapped[str] = mapped_column(String(16), default="")
    why: Mapped[str] = mapped_column(String(32), default="")
    written: Mapped[str] = mapped_column(String(64), default="")  # SHA-256 of what was filed of it


class ImportPaper(Owned, Base):
    """A document or picture that came beside the images, and the study that it joins; without one it stays behind.

    `digest` is of the file as it came.
    """

    __tablename__ = "import_paper"
    __table_args__ = (
        Index("ix_import_paper_case", "case_id"),
        Index("ix_import_paper_study", "organisation_id", "study_uid"),
    )

    case_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("import_case.id", ondelete="CASCADE"))
    file_name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(16))  # document, picture, text, other
    digest: Mapped[str] = mapped_column(String(64), default="")
    person_number: Mapped[int | None] = mapped_column(Integer)
    study_uid: Mapped[str] = mapped_column(String(64), default="")
    why: Mapped[str] = mapped_column(String(32), default="")
    filed: Mapped[bool] = mapped_column(Boolean, default=False)
    written: Mapped[str] = mapped_column(Text, default="")  # JSON: SHA-256 by SOP Instance UID; "": was here


class ImportVersion(Base):
    """By what an object that came here otherwise is known again, as `ImportObject.pixels` and `header`; made once."""

    __tablename__ = "import_version"

    instance_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("instance.id", ondelete="CASCADE"), primary_key=True)
    pixels: Mapped[str] = mapped_column(String(64))
    header: Mapped[str] = mapped_column(String(64))


class ImportUpload(Owned, Base):
    """What an upload into an import said would come: `files` and their `size`, under the `key` of its list of files.

    `accounted` has a bit for each file, by its number, that came or is told by name; `named` are so many more.
    """

    __tablename__ = "import_upload"
    __table_args__ = (Index("ux_import_upload_key", "case_id", "key", unique=True),)

    case_id: Mapped[uuid.UUID] = mapped_column(Id, ForeignKey("import_case.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))
    files: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)
    accounted: Mapped[bytes] = mapped_column(LargeBinary)
    came_files: Mapped[int] = mapped_column(Integer)
    came_bytes: Mapped[int] = mapped_column(BigInteger)
    named: Mapped[int] = mapped_column(Integer)

    @property
    def accounted_for(self) -> int:
        """Return how many files came, or are told by name."""
        return int.from_bytes(self.accounted).bit_count()


class PortalHost(Owned, Base):
    """A portal's host: confirmed by an administrator once, or met; and how fetching from it has gone.

    `led_how` is how it was met before anybody confirmed it: by a link, a redirect or an answer, of `led_by` where that
    is another host. `asked_kind`, `asked_by` and `asked_at` are of the import that met it.
    """

    __tablename__ = "portal_host"
    __table_args__ = (Index("ux_portal_host_host", "organisation_id", "host", unique=True),)

    host: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16))  # asked, confirmed, refused, counted
    led_how: Mapped[str] = mapped_column(String(16), default="")
    led_by: Mapped[str] = mapped_column(String(255), default="")
    case_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    asked_kind: Mapped[str] = mapped_column(String(16), default="")
    asked_by: Mapped[str] = mapped_column(String(200), default="")
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    decided_by: Mapped[str] = mapped_column(String(200), default="")
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    first_at: Mapped[datetime] = mapped_column(Instant)
    successes: Mapped[int] = mapped_column(Integer, default=0)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    seconds: Mapped[float] = mapped_column(Float, default=0.0)  # of all successes together
    last_success_at: Mapped[datetime | None] = mapped_column(Instant)
    last_failure_at: Mapped[datetime | None] = mapped_column(Instant)
    last_failure_code: Mapped[str] = mapped_column(String(64), default="")


class PortalFetch(Owned, Base):
    """What one fetch from a portal came to, by language or recipe: how long it took, or why and where it failed."""

    __tablename__ = "portal_fetch"
    __table_args__ = (Index("ix_portal_fetch_at", "organisation_id", "at"),)

    host: Mapped[str] = mapped_column(String(255))
    connector: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(Instant)
    seconds: Mapped[float | None] = mapped_column(Float)  # of a success
    code: Mapped[str] = mapped_column(String(64))  # of a failure
    step: Mapped[str] = mapped_column(String(200))


class ImportReport(Owned, Base):
    """A portal that failed, as staff reported it to who looks after fetching; goes once it is solved.

    It outlives its import. `sealed` holds what staff wrote, the link, and birth date and answers only if they agreed.
    `step` is the state in which the import failed, `mailed` says whether a letter went to the service address.
    """

    __tablename__ = "import_report"
    __table_args__ = (
        Index("ux_import_report_case", "case_id", unique=True),
        Index("ix_import_report_listed", "organisation_id", "reported_at"),
    )

    case_id: Mapped[uuid.UUID] = mapped_column(Id)
    host: Mapped[str] = mapped_column(String(255))
    connector: Mapped[str] = mapped_column(String(80))
    error: Mapped[str] = mapped_column(Text)  # in plain English
    error_code: Mapped[str] = mapped_column(String(64))
    error_facts: Mapped[str] = mapped_column(Text)  # JSON
    step: Mapped[str] = mapped_column(String(16))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    mailed: Mapped[bool] = mapped_column(Boolean)
    reported_by: Mapped[str] = mapped_column(String(200))
    reported_at: Mapped[datetime] = mapped_column(Instant)


class ImportPage(Base):
    """An organisation's page on which patients enter their links. `door` is what its address ends in."""

    __tablename__ = "import_page"
    __table_args__ = (Index("ux_import_page_door", "door", unique=True),)

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    door: Mapped[str] = mapped_column(String(16))
    is_open: Mapped[bool] = mapped_column(Boolean)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[str] = mapped_column(String(200))


class ImportConsent(Owned, Base):
    """A patient's consent to an import, by the page: to which text, when; whether it was withdrawn, and the proof.

    It names nobody, and outlives its import. `secret_hash` is of the patient's number. `proof` is JSON: what was
    erased, when, under which keys. `decision` is what staff did with what had been filed by then: deleted or kept; or
    that the time for it ended.
    """

    __tablename__ = "import_consent"
    __table_args__ = (
        Index("ux_import_consent_case", "case_id", unique=True),
        Index("ux_import_consent_secret", "secret_hash", unique=True),
        Index("ix_import_consent_given", "organisation_id", "given_at"),
    )

    case_id: Mapped[uuid.UUID] = mapped_column(Id)
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    text_id: Mapped[uuid.UUID] = mapped_column(Id)
    text_version: Mapped[int] = mapped_column(Integer)
    text_sha256: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(8))
    given_at: Mapped[datetime] = mapped_column(Instant)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)
    proof: Mapped[str] = mapped_column(Text, default="")
    decision: Mapped[str] = mapped_column(String(16), default="")
    decided_by: Mapped[str] = mapped_column(String(200), default="")
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    decided_why: Mapped[str] = mapped_column(String(500), default="")


class LinkAttempt(Base):
    """How many wrong answers were sent for one link, by the SHA-256 of its host and token; forgotten after a while."""

    __tablename__ = "link_attempt"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    spent: Mapped[int] = mapped_column(Integer, default=0)
    last_at: Mapped[datetime] = mapped_column(Instant)

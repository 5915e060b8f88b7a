"""The shapes of data subjects' requests, of what is held of a person, and of an erasure's proof."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from radrelay.privacy.requests import Clock, Decision, Right, State, SubjectKind

Line = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(max_length=500)]
Text = Annotated[str, Field(max_length=20_000)]
Identifier = Annotated[str, Field(max_length=64)]


class RequestWanted(BaseModel):
    """A request about a patient (issuer and ID) or somebody with an account; received now unless it says."""

    model_config = ConfigDict(extra="forbid")

    kind: Right
    subject: SubjectKind = "patient"
    patient_issuer: Identifier = ""
    patient_id: Identifier = ""
    account_id: uuid.UUID | None = None
    requester: Annotated[str, Field(min_length=1, max_length=200)]
    contact: Line = ""
    note: Text = ""
    received_at: AwareDatetime | None = None


class RequestChanged(BaseModel):
    """What is known by now. A reason in `extended_why` gives 60 days more; `verified_how` is noted once.

    What is `done` or `refused` has an `answer`, and says in `told_how` how the requester was told; an objection that is
    upheld says what `stops`.
    """

    model_config = ConfigDict(extra="forbid")

    contact: Line = ""
    note: Text = ""
    extended_why: Reason = ""
    verified_how: Reason = ""
    state: Decision = "open"
    answer: Text = ""
    told_how: Reason = ""
    stops: Reason = ""
    revision: Annotated[int, Field(ge=1)]


class ErasedShown(BaseModel):
    """A study that was erased: its id, the SHA-256 of its UID, and how many keys its bytes lay under."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    uid_sha256: str
    objects: int
    bytes: int
    keys: list[uuid.UUID]


class KeptShown(BaseModel):
    """A study that was kept because a hold stands."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    study_uid: str
    hold_until: datetime
    reason: str


class ProofShown(BaseModel):
    """What was erased when and by whom; `destroyed_at` is set once every key is gone: only then it is proven.

    `aside` counts what is kept aside under the same ID: it is left for a person to look at in the quarantine; `clinics`
    the studies that stay because a clinic decides about them; `imports` parcels from elsewhere that were erased.
    """

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    by: str
    studies: list[ErasedShown]
    aside: int
    kept: list[KeptShown]
    record_erased: bool
    clinics: int
    imports: int
    destroyed_at: datetime | None


class PassingShown(BaseModel):
    """A request was passed on to the clinic that decides."""

    model_config = ConfigDict(from_attributes=True)

    source_id: uuid.UUID
    clinic: str
    contact: str
    how: str
    at: datetime
    by: str


class RequestShown(BaseModel):
    """A request in the register; `clock` is soon in the last week before it is due.

    It is `passed` once nothing is left that the organisation decides itself.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: Right
    subject: SubjectKind
    patient_issuer: str
    patient_id: str
    account_id: uuid.UUID | None
    requester: str
    contact: str
    note: str
    received_at: datetime
    due_at: datetime
    clock: Clock
    extended_why: str
    verified_how: str
    verified_by: str
    verified_at: datetime | None
    state: State
    answer: str
    told_how: str
    stops: str
    passed: list[PassingShown]
    closed_at: datetime | None
    proof: ProofShown | None
    created_by: str
    revision: int


class Requests(BaseModel):
    """The register: open ones by when they are due, then those that are answered.

    `reminded`: reminders reach somebody, by mail.
    """

    requests: list[RequestShown]
    reminded: bool


class HeldByShown(BaseModel):
    """By which source a study is held, since and until when; `clinic`: for whom, empty for oneself."""

    model_config = ConfigDict(from_attributes=True)

    source: str
    source_id: uuid.UUID
    clinic: str
    received_at: datetime
    ends_at: datetime | None
    hold_until: datetime | None
    hold_reason: str


class StudyShown(BaseModel):
    """A study that is held; `included` says that its images are for who asks, and in the export.

    Studies of one `person` are beyond doubt of the same. Of one that is not `own` `clinics` decide; processing of one
    that is `barred` is restricted. `uncorrected` objects are still to be written with corrected values.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    study_uid: str
    study_date: date | None
    accession_number: str
    description: str
    modalities: str
    name: str
    birth_date: date | None
    sex: str
    referring_physician: str
    institution: str
    series: int
    objects: int
    bytes: int
    received_at: datetime
    files: int
    marks: int
    deliveries: int
    links: int
    held_by: list[HeldByShown]
    person: int
    own: bool
    clinics: list[str]
    barred: bool
    uncorrected: int
    included: bool = False


class AsideShown(BaseModel):
    """An object that is kept aside, of the same ID by a source of the same issuer; who it is of, a person decides."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    code: str
    received_at: datetime


class HeldImportShown(BaseModel):
    """A parcel from elsewhere of which a person has said that it is this patient's."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    host: str
    state: str
    created_at: datetime
    ends_at: datetime


class AccountShown(BaseModel):
    """What is held of somebody with an account; `affiliation` is what they said of where they work."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    username: str
    full_name: str
    email: str
    affiliation: str
    organisation: str
    role: str
    language: str
    created_at: datetime
    disabled_at: datetime | None
    groups: list[str]
    logins: int
    links: int
    marks: int
    settings: int
    accepted: int


class Data(BaseModel):
    """All that is held of a person; `disclosures` counts how often data went out in six years.

    `unclear` counts how often more did under this ID, of studies that are gone and of whom nobody can tell: they may be
    another person's, so an export leaves them out. `other_issuers` have somebody by the same patient ID: the request
    may have named the wrong one.
    """

    at: datetime
    studies: list[StudyShown]
    aside: list[AsideShown]
    imports: list[HeldImportShown]
    account: AccountShown | None
    disclosures: int
    unclear: int
    other_issuers: list[str]


class ErasureWanted(BaseModel):
    """The request of this revision is carried out. `record` also erases the patient's name from the record.

    Where several people have the patient ID, `person` is any study of the one who is meant, and the record, which
    knows them under one ID, is not erased. Studies that a clinic decides about stay unless it has `instructed` us.
    """

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=1)]
    record: bool = False
    instructed: bool = False
    person: uuid.UUID | None = None

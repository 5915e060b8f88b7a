"""The shapes of what is done for a request besides export and erasure: restriction of processing, and passing on."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import Ground
from radrelay.web.request_shapes import Line, Reason

Said = Annotated[str, Field(min_length=3, max_length=400)]


class RestrictionWanted(BaseModel):
    """Processing of a patient's data is to be restricted, for the request of this revision.

    `person` is a study of the one who is meant, where several have the ID; on `review_on` somebody looks again.
    """

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=1)]
    ground: Ground
    reason: Said
    review_on: date | None = None
    person: uuid.UUID | None = None


class Lifting(BaseModel):
    """Why a restriction is lifted, and how the person was told before (GDPR Art. 18 (3))."""

    model_config = ConfigDict(extra="forbid")

    reason: Said
    told_how: Said


class BarShown(BaseModel):
    """Processing is restricted of a patient's studies, those that are here and that will come, or of one study."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: Literal["patient", "study"]
    value: str
    issuer: str
    ground: Ground
    reason: str
    review_on: date | None
    request_id: uuid.UUID | None
    made_by: str
    created_at: datetime
    studies: int


class Bars(BaseModel):
    """Of whom processing is restricted, the newest first."""

    restrictions: list[BarShown]


class ClinicWanted(BaseModel):
    """Whose patients a source brings, where the organisation only processes for them; an empty name: one's own."""

    model_config = ConfigDict(extra="forbid")

    name: Line = ""
    contact: Line = ""
    address: Reason = ""


class ClinicShown(ClinicWanted):
    """A source, and the clinic whose patients it brings."""

    source_id: uuid.UUID
    source: str


class Clinics(BaseModel):
    """All sources, by name."""

    clinics: list[ClinicShown]


class LetterShown(BaseModel):
    """The words of the letter by which a request is passed on."""

    subject: str
    text: str


class PassingWanted(BaseModel):
    """The request of this revision was passed on to the clinic of a source: how, and when if not now."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=1)]
    source_id: uuid.UUID
    how: Said


class CorrectedValues(BaseModel):
    """What is to be said instead; null stays. Names as DICOM writes them (PS3.5 6.2.1), birth dates YYYYMMDD."""

    model_config = ConfigDict(extra="forbid")

    patient_name: Annotated[str, Field(max_length=192)] | None = None
    patient_id: Annotated[str, Field(max_length=64)] | None = None
    patient_issuer: Annotated[str, Field(max_length=64)] | None = None
    birth_date: Annotated[str, Field(max_length=8)] | None = None
    sex: Annotated[str, Field(max_length=16)] | None = None
    accession_number: Annotated[str, Field(max_length=16)] | None = None
    description: Annotated[str, Field(max_length=64)] | None = None
    referring_physician: Annotated[str, Field(max_length=192)] | None = None


class CorrectionWanted(BaseModel):
    """Some of the patient's studies are to say something else; unless `carry_out`, only what that changes is told."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=1)]
    studies: Annotated[list[uuid.UUID], Field(min_length=1, max_length=500)]
    values: CorrectedValues
    reason: Annotated[str, Field(max_length=400)] = ""
    carry_out: bool = False


class StudyChangeShown(BaseModel):
    """What of a study becomes otherwise, by name, and how many objects are written anew."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    study_uid: str
    objects: int
    before: dict[str, str]
    after: dict[str, str]


class CorrectionShown(BaseModel):
    """What a correction changes. `joins`: studies that are here under the new patient ID, with the names they say;
    `left`: studies that stay under the old one; restrictions that go by patient, before and after.
    """

    model_config = ConfigDict(from_attributes=True)

    studies: list[StudyChangeShown]
    joins: int
    joined_names: list[str]
    left: int
    restrictions_before: int
    restrictions_after: int

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

"""What is asked of imports, as JSON: begin, answer, choose, confirm, file, take back."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from radrelay.importer.announced import MOST_FILES
from radrelay.web.import_shapes import OrderChosen, PatientChosen

Basis = Literal["treatment", "consent", "request"]


class WantedImport(BaseModel):
    """What is to be imported: what a link leads to; without one, files that follow. `basis`: why that is lawful."""

    model_config = ConfigDict(extra="forbid")

    link: str = Field("", max_length=20_000)
    birth_date: date | None = None
    basis: Basis
    source: uuid.UUID | None = None


class Answers(BaseModel):
    """Answers to the portal's questions, by their ids."""

    model_config = ConfigDict(extra="forbid")

    answers: dict[str, str] = Field(min_length=1, max_length=20)


class Brought(BaseModel):
    """What of the files is not here: those that somebody wanted to bring and goes on without."""

    model_config = ConfigDict(extra="forbid")

    lacking: list[Annotated[str, Field(min_length=1, max_length=1024)]] = Field(default_factory=list, max_length=10_000)
    upload: str = Field("", max_length=64)
    """The key of the upload whose files they are, where that announced itself."""


class Announcement(BaseModel):
    """What an upload is to bring: so many files, of so many bytes in all."""

    model_config = ConfigDict(extra="forbid")

    files: int = Field(ge=0, le=MOST_FILES)
    bytes: int = Field(ge=0, lt=1 << 62)


class BirthDate(BaseModel):
    """The patient's birth date, as somebody says it."""

    model_config = ConfigDict(extra="forbid")

    birth_date: date | None


class PapersTaken(BaseModel):
    """Papers that may be a viewer's own: filed with the images, or left out."""

    model_config = ConfigDict(extra="forbid")

    files: list[Annotated[str, Field(max_length=4000)]] = Field(min_length=1, max_length=10_000)
    filed: bool


class Under(BaseModel):
    """The patient that somebody sees as chosen."""

    model_config = ConfigDict(extra="forbid")

    patient_id: str
    issuer: str = ""


class OrderSeen(BaseModel):
    """The order that somebody sees as chosen."""

    model_config = ConfigDict(extra="forbid")

    accession: str
    procedure_id: str = ""
    step_id: str = ""


class Choice(BaseModel):
    """Whose somebody's studies are here, and the order that they are filed under; none: nobody has said.

    `instead_of` is whom who chooses sees as chosen till now, null for nobody: 409 `import-chosen-otherwise` where a
    colleague has chosen somebody else meanwhile. Left out, it is not looked at.
    """

    model_config = ConfigDict(extra="forbid")

    patient: PatientChosen | None
    order: OrderChosen | None = None
    instead_of: Under | None = None


class Confirmation(BaseModel):
    """Findings that were looked at: of the parcel, or of somebody in it; not `seen`: that is taken back.

    `under` is whom who confirms sees as chosen, as for filing: what was found of one patient is not seen of another.
    """

    model_config = ConfigDict(extra="forbid")

    number: int | None = Field(None, ge=0)
    keys: list[Annotated[str, Field(max_length=4000)]] = Field(min_length=1, max_length=200)
    seen: bool = True
    under: Under | None = None


class TakingBack(BaseModel):
    """How a filing is taken back: once what came is erased, only for good; it is not filed anew then."""

    model_config = ConfigDict(extra="forbid")

    for_good: bool = False


class SendingOn(BaseModel):
    """Where what was filed and not sent on is to go."""

    model_config = ConfigDict(extra="forbid")

    destination_id: uuid.UUID


class AfterWithdrawal(BaseModel):
    """Whether what had been filed before a patient withdrew stays, and why."""

    model_config = ConfigDict(extra="forbid")

    keep: bool
    why: str = Field("", max_length=500)


class Filing(BaseModel):
    """Where somebody's studies go on to; none: they are kept here alone.

    `under` is whom who asks for it sees as chosen, and `order` under which order, null for none: 409
    `import-chosen-otherwise` where a colleague has chosen otherwise meanwhile. What is left out is not looked at.
    """

    model_config = ConfigDict(extra="forbid")

    destination_id: uuid.UUID | None = None
    under: Under | None = None
    order: OrderSeen | None = None

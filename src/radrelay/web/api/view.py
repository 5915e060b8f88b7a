"""What an address of the viewer leads to: one study to open, or several to choose from."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from radrelay.access import Right
from radrelay.web import study_rows
from radrelay.web.answering import json_answer
from radrelay.web.api.studies import Study, shown
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.invocation import Address, Found, find, note_search
from radrelay.web.reach import Reach

router = APIRouter(prefix="/view", tags=["studies"])
Choice = Literal["", "several-studies", "several-patients"]


class Noted(BaseModel):
    """What the caller said of how it wants images shown (IHE Invoke Image Display)."""

    viewer_type: str
    diagnostic_quality: bool
    key_images_only: bool


class Resolved(BaseModel):
    """Where an address leads. `open` is the study to show at once; null where `choice` says why a person chooses.

    `patients` counts the people whose studies these are; whom it is in doubt to be one counts as two. `whose` says of
    each study which of them it is of, from 0 on; `more` says that not all are listed.
    """

    open: uuid.UUID | None
    series: uuid.UUID | None
    choice: Choice
    patients: int
    more: bool
    studies: list[Study]
    whose: list[int]
    noted: Noted


@router.get("", response_model=Resolved)
def view(
    request: Request, services: Services, principal: Authenticated, address: Annotated[Address, Query()]
) -> Response:
    """Find the studies that an address of the viewer asks for; what was asked is on record, without its values."""
    note_search(request, services, principal, address)
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        found = find(reach, address)
        names = study_rows.source_names(session, [row.id for row in found.studies], reach.now)
        listed = [shown(row, reach.scope, names.get(row.id, [])) for row in found.studies]
    return json_answer(
        {
            "open": found.opens,
            "series": found.series,
            "choice": _choice(found),
            "patients": found.patients,
            "more": found.more,
            "studies": listed,
            "whose": found.whose,
            "noted": {
                "viewer_type": address.viewer_type,
                "diagnostic_quality": _is_true(address.diagnostic_quality),
                "key_images_only": _is_true(address.key_images_only),
            },
        }
    )


def _choice(found: Found) -> Choice:
    if found.opens is not None:
        return ""
    return "several-patients" if found.patients > 1 else "several-studies"


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("true", "1", "yes")

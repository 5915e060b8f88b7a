"""What is promised of people's data and whether it is kept, for administrators and the data protection officer."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from radrelay.privacy.promises import report
from radrelay.web import trail
from radrelay.web.authentication import Auditor, Services

router = APIRouter(prefix="/promises", tags=["privacy"])
State = Literal["good", "look", "bad"]


class SourceShown(BaseModel):
    """What a source promises, and the oldest that is held of it; spans in seconds, null is without end.

    `held` counts what a person keeps longer, `longer` what stays longer than is promised now because it came before
    that was set, `restricted` what is over and waits because its processing is restricted, `overdue` what is over and
    still here for no such reason.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    kind: str
    retention_s: int | None
    max_age_s: int | None
    holdings: int
    oldest_at: datetime | None
    next_end_at: datetime | None
    held: int
    longer: int
    restricted: int
    overdue: int
    overdue_since: datetime | None
    state: State


class KeptShown(BaseModel):
    """A promise about the whole installation: how it stands by code and facts, and in plain English."""

    model_config = ConfigDict(from_attributes=True)

    subject: str
    state: State
    code: str
    text: str
    facts: dict[str, str | int | float]


class PromisesShown(BaseModel):
    """All promises as they stand; `state` is the worst. What nobody can tell from here is `look`, never `good`."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    state: State
    sources: list[SourceShown]
    kept: list[KeptShown]


@router.get("")
def promises(request: Request, services: Services, principal: Auditor) -> PromisesShown:
    """Look at everything that is promised, now."""
    trail.seen(services.database, principal, trail.event(request, principal, "promises.view"))
    return PromisesShown.model_validate(report(services.house, principal.organisation_id))

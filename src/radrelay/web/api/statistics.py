"""Usage statistics: browsers whose people agreed send what they did; administrators and the officer see counts.

Where `statistics.enabled` is off, none of these addresses is there. What is sent names nobody, so it comes without a
login, and the pages send no cookie along.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.errors import NotFound
from radrelay.privacy import usage
from radrelay.privacy.usage import FEWEST, Consent, Pseudonyms, Span
from radrelay.web.authentication import Auditor, Services, require_same_origin
from radrelay.web.connection import peer_address
from radrelay.web.services import WebServices

router = APIRouter(prefix="/statistics", tags=["statistics"])
MOST_EVENTS = 50
SHOWN = timedelta(days=27)
Word = Annotated[str, Field(max_length=16)]


class UsageEvent(BaseModel):
    """Something that was done: what, and which of its kind."""

    model_config = ConfigDict(extra="forbid")

    kind: Word
    value: Word


class UsageWanted(BaseModel):
    """What a browser did, with its person's consent and the id that the browser drew when it was given."""

    model_config = ConfigDict(extra="forbid")

    consent: Word = ""
    version: Annotated[int, Field(ge=0, le=1000)] = 0
    id: Annotated[str, Field(max_length=32)] = ""
    events: Annotated[list[UsageEvent], Field(max_length=MOST_EVENTS)] = []


class WithdrawalWanted(BaseModel):
    """Whose events shall go: the id that the browser drew."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=32)]


class Withdrawn(BaseModel):
    """How many events went."""

    deleted: int


class CountShown(BaseModel):
    """How often something was done on a day, or in the week from a Monday."""

    model_config = ConfigDict(from_attributes=True)

    since: date
    kind: str
    value: str
    count: int


class UsageShown(BaseModel):
    """Counts that may be shown. What is not there was done by fewer than `fewest` browsers a day, or by none.

    `until` is the last day that is over. Weeks are the sums of the days that are shown.
    """

    by: Span
    since: date
    until: date
    fewest: int
    retention_days: int
    counts: list[CountShown]


def _require_on(services: WebServices) -> None:
    if not services.settings.statistics.enabled:
        raise NotFound("usage is not counted here")


def _enter(request: Request, services: WebServices, events: int) -> None:
    _require_on(services)
    require_same_origin(request)
    services.usage_door.take(peer_address(request.scope, services.settings.web.behind_proxy), events)


@router.post("/events", status_code=204)
def count(request: Request, services: Services, wanted: UsageWanted) -> None:
    """Count what a browser did; 403 `consent-wanted` without consent to the present version. Needs no login."""
    _enter(request, services, max(1, len(wanted.events)))
    names = Pseudonyms(services.metadata_key)
    consent = Consent(wanted.consent, wanted.version, wanted.id)
    events = [(one.kind, one.value) for one in wanted.events]
    with services.database.write() as session:
        usage.count(session, names, services.organisation_id, consent, events, services.clock.now())


@router.post("/withdrawals")
def withdraw(request: Request, services: Services, wanted: WithdrawalWanted) -> Withdrawn:
    """Delete all that is kept of a browser, by the id that it drew; what still comes of it is refused."""
    _enter(request, services, MOST_EVENTS)
    keep_days = services.settings.statistics.retention_days
    with services.database.write() as session:
        gone = usage.withdraw(session, Pseudonyms(services.metadata_key), wanted.id, services.clock.now(), keep_days)
    return Withdrawn(deleted=gone)


@router.get("")
def read(
    services: Services, principal: Auditor, by: Span = "day", since: date | None = None, until: date | None = None
) -> UsageShown:
    """Show how the pages are used: counts of at least five browsers on a day that is over, by day or by week."""
    _require_on(services)
    now = services.clock.now()
    last = min(until or now.date(), now.date() - timedelta(days=1))
    first = min(since or last - SHOWN, last)
    with services.database.read() as session:
        found = usage.counted(session, principal.organisation_id, since=first, until=last, by=by, now=now)
    return UsageShown(
        by=by, since=first, until=last, fewest=FEWEST, counts=[CountShown.model_validate(one) for one in found],
        retention_days=services.settings.statistics.retention_days,
    )  # fmt: skip

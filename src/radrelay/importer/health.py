"""How fetching fares, by portal and by the language or recipe that was spoken: counted from what each fetch came to.

What a person got wrong (a code, a birth date), what a link is (expired, locked), and what this house does not allow say
nothing about a portal or its recipe and are left out. What a recipe had to guess of that is left out, too, unless it is
all that comes lately: then the guess may be wrong. A fetch is kept for half a year, without anything of whom it was.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from statistics import median
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer.errors import (
    AddressRefused,
    AnswerUnusable,
    AnswerWrong,
    AttemptsSpent,
    HostNotAllowed,
    LinkExpiredThere,
    LockedThere,
    NothingListed,
    NotThere,
    PortalTrouble,
)
from radrelay.importer.following import Walk
from radrelay.importer.models import PortalFetch
from radrelay.storage.ids import new_id

State = Literal["untried", "well", "failing"]
NOT_ITS_FAULT = (
    AddressRefused, AnswerUnusable, AnswerWrong, AttemptsSpent, HostNotAllowed, LinkExpiredThere, LockedThere,
    NothingListed, NotThere,
)  # fmt: skip
COUNTED, KEPT = timedelta(days=30), timedelta(days=180)
MOST_LOOKED_AT = 20_000
GUESSES_DOUBTED = 3
"""So many guesses in a row, with nothing that went well between them, and the recipe itself is doubted."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """What one fetch came to: how long it took, or the code and step of its failure."""

    at: datetime
    seconds: float | None = None
    code: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How something fares: counts and times of 30 days, and the last success and failure of half a year.

    `code` and `step` are of the last failure; `worst_step` is where most failures of 30 days were.
    """

    state: State = "untried"
    fetched: int = 0
    failed: int = 0
    median_s: float | None = None
    last_success: datetime | None = None
    last_failure: datetime | None = None
    code: str = ""
    step: str = ""
    worst_step: str = ""
    worst_failures: int = 0

    @property
    def share(self) -> float | None:
        """Return how many of 1 went well in 30 days, none where nothing was fetched."""
        return self.fetched / (self.fetched + self.failed) if self.fetched + self.failed else None


def health_of(fetches: Iterable[Fetch], now: datetime) -> Health:
    """Return how something fares of which all fetches are given."""
    ordered = _without_guesses(sorted(fetches, key=lambda one: one.at))
    well = [one for one in ordered if not one.code]
    ill = [one for one in ordered if one.code]
    recent = [one for one in ordered if one.at > now - COUNTED]
    took = [one.seconds for one in recent if not one.code and one.seconds is not None]
    steps = Counter(one.step for one in recent if one.code and one.step)
    worst = min(steps, key=lambda step: (-steps[step], step), default="")
    last = ill[-1] if ill else None
    return Health(
        state="untried" if not ordered else "failing" if ordered[-1].code else "well",
        fetched=sum(not one.code for one in recent), failed=sum(bool(one.code) for one in recent),
        median_s=median(took) if took else None, last_success=well[-1].at if well else None,
        last_failure=last.at if last else None, code=last.code if last else "", step=last.step if last else "",
        worst_step=worst, worst_failures=steps[worst],
    )  # fmt: skip


def _without_guesses(ordered: Sequence[Fetch]) -> Sequence[Fetch]:
    """Return fetches without what was guessed to be somebody's mistake; with it, where nothing else comes lately."""
    guesses = {one.code for one in NOT_ITS_FAULT}
    lately = [*takewhile(lambda one: one.code in guesses, reversed(ordered))][::-1]
    known = [one for one in ordered if one.code not in guesses]
    return [*known, *lately] if len(lately) >= GUESSES_DOUBTED else known


def note_fetch(
    session: Session, organisation_id: uuid.UUID, walk: Walk, now: datetime, came: float | PortalTrouble
) -> None:
    """Note what a fetch came to: how many seconds it took, or what went wrong."""
    trouble = came if isinstance(came, PortalTrouble) else None
    guessed = trouble is not None and bool(trouble.facts.get("guessed"))
    if (isinstance(trouble, NOT_ITS_FAULT) and not guessed) or not walk.connector:
        return
    row = PortalFetch(
        id=new_id(), organisation_id=organisation_id, host=walk.host[:255], connector=walk.connector[:80], at=now,
        seconds=None if isinstance(came, PortalTrouble) else came, code=trouble.code if trouble else "",
        step=walk.step[:200] if trouble else "",
    )  # fmt: skip
    session.add(row)


def healths(
    session: Session, organisation_id: uuid.UUID, now: datetime
) -> tuple[Mapping[str, Health], Mapping[str, Mapping[str, Health]]]:
    """Return how each language and recipe fares, and the same by portal."""
    asked = sa.select(PortalFetch).where(PortalFetch.organisation_id == organisation_id, PortalFetch.at > now - KEPT)
    of_way: dict[str, list[Fetch]] = {}
    of_host: dict[str, dict[str, list[Fetch]]] = {}
    newest = asked.order_by(PortalFetch.at.desc(), PortalFetch.id.desc()).limit(MOST_LOOKED_AT)
    for row in reversed(session.scalars(newest).all()):
        one = Fetch(row.at, row.seconds, row.code, row.step)
        of_way.setdefault(row.connector, []).append(one)
        of_host.setdefault(row.host, {}).setdefault(row.connector, []).append(one)
    return _each(of_way, now), {host: _each(ways, now) for host, ways in of_host.items()}


def _each(fetches: Mapping[str, Sequence[Fetch]], now: datetime) -> dict[str, Health]:
    return {name: health_of(some, now) for name, some in sorted(fetches.items())}


def forget_fetches(session: Session, now: datetime) -> int:
    """Forget fetches of long ago; returns how many."""
    gone = sa.delete(PortalFetch).where(PortalFetch.at <= now - KEPT)
    told = session.execute(gone, execution_options={"synchronize_session": False})
    return int(getattr(told, "rowcount", 0) or 0)

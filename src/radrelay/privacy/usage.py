"""How the pages are used, of browsers whose people agreed: few things, by day, under pseudonyms that nobody can follow.

A browser draws a random id when its person agrees, and sends it with what is counted. It is kept nowhere: what is kept
is an HMAC of it and the day, so that two days of one browser cannot be put together without both the browser's id and
the installation's key, and nothing leads to an account. Whoever shows the id can have all of its days deleted.

What is shown are counts of at least `FEWEST` browsers on a day that is over. Each thing is counted by one partition,
and every sum is made of what is shown, so that nothing small is the difference of two numbers.
"""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Session

from radrelay.errors import Forbidden, Invalid
from radrelay.privacy.consent_models import UsageEvent, UsageWithdrawal

CONSENT_VERSION = 1
"""Of what people agree to: raised when more is counted, so that everybody is asked anew."""
FEWEST = 5
LONGEST_DAYS = 731
KINDS: Mapping[str, tuple[str, ...]] = {
    "page": ("login", "studies", "link", "import", "quarantine", "sharing", "privacy", "administration", "other"),
    "viewer": ("CT", "MR", "PT", "NM", "US", "XR", "MG", "other"),
    "first-picture": ("under-1s", "under-2s", "under-5s", "over-5s"),
    "error": ("script", "network"),
    "device": ("phone", "tablet", "desktop"),
}
OF_ONE_COUNT = (("viewer", "first-picture"),)
"""Kinds whose totals tell each other: a small count in one of them hides the second of that day."""
ID = re.compile(r"[0-9a-f]{32}")
WITHDRAWN_FOR = timedelta(days=2)
Span = Literal["day", "week"]


class ConsentWanted(Forbidden):
    """Nothing is counted of anybody who has not agreed to it."""

    code = "consent-wanted"


class UsageInvalid(Invalid):
    """This is nothing that is counted."""

    code = "usage-invalid"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a browser says of its person's choice, and the id that it drew then."""

    choice: str
    version: int
    browser_id: str


@dataclass(frozen=True, slots=True)
class Counted:
    """How often something was done from a day on, by at least `FEWEST` browsers on each day that is in it."""

    since: date
    kind: str
    value: str
    count: int


class Pseudonyms:
    """Makes what is kept of a browser's id."""

    def __init__(self, metadata_key: bytes) -> None:
        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"radrelay usage pseudonyms")
        self._key = kdf.derive(metadata_key)

    def of_day(self, browser_id: str, day: date) -> bytes:
        """Return the pseudonym of a browser on one day."""
        return hmac.digest(self._key, f"day {day.isoformat()} {browser_id}".encode(), "sha256")[:16]

    def of_withdrawal(self, browser_id: str) -> bytes:
        """Return what is kept, for two days, of a browser that withdrew."""
        return hmac.digest(self._key, f"withdrawn {browser_id}".encode(), "sha256")[:16]


def count(
    session: Session, names: Pseudonyms, organisation_id: uuid.UUID, consent: Consent,
    events: Sequence[tuple[str, str]], now: datetime,
) -> None:  # fmt: skip
    """Keep what was done; raises `ConsentWanted` without a consent that stands, `UsageInvalid` for other events."""
    if consent.choice != "yes" or consent.version != CONSENT_VERSION:
        raise ConsentWanted
    _require_id(consent.browser_id)
    if any(value not in KINDS.get(kind, ()) for kind, value in events):
        raise UsageInvalid(f"what is counted is one of {', '.join(KINDS)}, with its own values")
    if session.get(UsageWithdrawal, names.of_withdrawal(consent.browser_id)) is not None:
        raise ConsentWanted
    day = now.date()
    pseudonym = names.of_day(consent.browser_id, day)
    told = session.scalar(_device_of(pseudonym)) is not None
    for kind, value in events:
        if kind == "device":
            if told:
                continue  # once a day: it counts browsers
            told = True
        session.add(
            UsageEvent(
                id=uuid.uuid4(), organisation_id=organisation_id, day=day, pseudonym=pseudonym, kind=kind, value=value
            )
        )
    session.flush()


def _device_of(pseudonym: bytes) -> sa.Select[Any]:
    return sa.select(UsageEvent.value).where(UsageEvent.pseudonym == pseudonym, UsageEvent.kind == "device").limit(1)


def withdraw(session: Session, names: Pseudonyms, browser_id: str, now: datetime, keep_days: int) -> int:
    """Delete all that is kept of a browser and refuse what still comes of it; returns how many events went."""
    _require_id(browser_id)
    days = (now.date() + timedelta(days=1 - back) for back in range(keep_days + 3))  # clocks of two machines differ
    pseudonyms = [names.of_day(browser_id, day) for day in days]
    gone = 0
    for start in range(0, len(pseudonyms), 500):
        of = UsageEvent.pseudonym.in_(pseudonyms[start : start + 500])
        gone += session.scalar(sa.select(sa.func.count()).select_from(UsageEvent).where(of)) or 0
        session.execute(sa.delete(UsageEvent).where(of))
    session.merge(UsageWithdrawal(digest=names.of_withdrawal(browser_id), day=now.date()))
    session.flush()
    return gone


def forget_usage(session: Session, now: datetime, keep_days: int, *, enabled: bool) -> int:
    """Delete what was kept long enough, and all of it where usage is not counted any more; returns how many events."""
    over = UsageEvent.day < now.date() - timedelta(days=keep_days) if enabled else sa.true()
    gone = session.scalar(sa.select(sa.func.count()).select_from(UsageEvent).where(over)) or 0
    session.execute(sa.delete(UsageEvent).where(over))
    session.execute(sa.delete(UsageWithdrawal).where(UsageWithdrawal.day < (now - WITHDRAWN_FOR).date()))
    return gone


def counted(
    session: Session, organisation_id: uuid.UUID, *, since: date, until: date, by: Span, now: datetime
) -> list[Counted]:
    """Return what may be shown of the days from `since` to `until` that are over, by day or by week (from Monday)."""
    if until < since or (until - since).days > LONGEST_DAYS:
        raise UsageInvalid("the last day comes after the first, and within two years", field="until")
    last = min(until, now.date() - timedelta(days=1))
    rows = session.execute(
        sa.select(
            UsageEvent.day, UsageEvent.kind, UsageEvent.value, sa.func.count(),
            sa.func.count(sa.distinct(UsageEvent.pseudonym)),
        )
        .where(UsageEvent.organisation_id == organisation_id, UsageEvent.day >= since, UsageEvent.day <= last)
        .group_by(UsageEvent.day, UsageEvent.kind, UsageEvent.value)
    ).all()  # fmt: skip
    small = {(row[0], row[1]) for row in rows if row[4] < FEWEST}
    shown = [row for row in rows if row[4] >= FEWEST and not _is_told_by_another(row[0], row[1], small)]
    return _summed((row[0] if by == "day" else _monday(row[0]), row[1], row[2], row[3]) for row in shown)


def _is_told_by_another(day: date, kind: str, small: set[tuple[date, str]]) -> bool:
    return any(kind == second and small & {(day, first), (day, second)} for first, second in OF_ONE_COUNT)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _summed(cells: Iterable[tuple[date, str, str, int]]) -> list[Counted]:
    sums: dict[tuple[date, str, str], int] = {}
    for since, kind, value, times in cells:
        sums[since, kind, value] = sums.get((since, kind, value), 0) + times
    places = {name: place for kind, values in KINDS.items() for place, name in enumerate((kind, *values))}
    ordered = sorted(sums, key=lambda cell: (cell[0], list(KINDS).index(cell[1]), places[cell[2]]))
    return [Counted(*cell, sums[cell]) for cell in ordered]


def _require_id(browser_id: str) -> None:
    if not ID.fullmatch(browser_id):
        raise UsageInvalid("an id is 32 hexadecimal digits that the browser drew at random", field="id")

"""How long data stay: what each source promises, the oldest that is held, expiry's own state, deletions under way.

A source's retention counts for what arrives after it was set; what was here keeps the end that it was given then
(`longer` counts what stays longer than is promised now). A breach is what is over and still here.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.models import Holding, Source, Tombstone
from radrelay.archive.retention import last_run, suspended_since
from radrelay.errors import Fact
from radrelay.privacy.standing import Kept, State
from radrelay.storage.models import Erasure

OVERDUE = timedelta(minutes=5)  # what is over for longer and still here is a breach
LATE = timedelta(minutes=10)  # expiry runs every few seconds
UNREADABLE = timedelta(minutes=5)  # promised within one minute; packs that others lie in are written anew first
FREED = timedelta(hours=24)
DELETED = ("pack", "record", "rewrite")


@dataclass(frozen=True, slots=True)
class SourcePromise:
    """What a source promises and how that is kept. Spans are seconds; none is without end.

    `holdings` are the claims on studies that live, `held` those that a person keeps longer, `longer` those that stay
    longer than the source promises now, `restricted` those that are over and wait because their processing is
    restricted, `overdue` those that are over and still here for no such reason.
    """

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


@dataclass(frozen=True, slots=True)
class OpenDeletions:
    """How many deletions are later than promised: still readable, or unreadable and still taking up room."""

    readable: int
    occupying: int


def sources(session: Session, organisation_id: uuid.UUID, now: datetime, *, trusted: bool) -> list[SourcePromise]:
    """Return what each source of an organisation promises; where time is not `trusted`, nothing is proven."""
    rows = session.scalars(sa.select(Source).where(Source.organisation_id == organisation_id).order_by(Source.name))
    return [_source(session, row, now, trusted) for row in rows]


def _source(session: Session, source: Source, now: datetime, trusted: bool) -> SourcePromise:
    ended = Holding.ends_at <= now - OVERDUE
    barred = Holding.study_id.in_(access.barred_ids(source.organisation_id))
    over = sa.and_(ended, sa.not_(barred))
    held = Holding.hold_until > now
    counted = sa.select(
        sa.func.count(),
        sa.func.min(Holding.received_at),
        sa.func.min(sa.case((Holding.ends_at > now, Holding.ends_at))),
        sa.func.count(sa.case((held, 1))),
        sa.func.count(sa.case((_longer(source, now), 1))),
        sa.func.count(sa.case((sa.and_(ended, barred), 1))),
        sa.func.count(sa.case((over, 1))),
        sa.func.min(sa.case((over, Holding.ends_at))),
    ).where(Holding.source_id == source.id)
    count, oldest, next_end, kept_by_hand, longer, restricted, overdue, since = session.execute(counted).one()
    state: State = "bad" if overdue else "look" if longer or not trusted else "good"
    return SourcePromise(
        source.id, source.name, source.kind, source.retention_s, source.max_age_s, count, oldest, next_end,
        kept_by_hand, longer, restricted, overdue, since, state,
    )  # fmt: skip


def _longer(source: Source, now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a holding lives on beyond what its source promises now, and nobody holds it."""
    lives = sa.or_(Holding.ends_at.is_(None), Holding.ends_at > now)
    beyond: list[sa.ColumnElement[bool]] = []
    if source.retention_s is not None:
        free = sa.or_(Holding.hold_until.is_(None), Holding.hold_until <= now)
        past = Holding.last_received_at < now - timedelta(seconds=source.retention_s) - OVERDUE
        beyond.append(sa.and_(free, past))
    if source.max_age_s is not None:
        beyond.append(Holding.received_at < now - timedelta(seconds=source.max_age_s) - OVERDUE)
    return sa.and_(lives, sa.or_(sa.false(), *beyond))


def expiry_state(session: Session, now: datetime) -> Kept:
    """Say whether expiry has run just now."""
    suspended, ran = suspended_since(session), last_run(session)
    if suspended is not None:
        text = f"expiry is suspended: the clock jumped to {suspended:%Y-%m-%d %H:%M} UTC; see `radrelay expiry resume`"
        return Kept("expiry", "bad", "expiry-suspended", text, {"since_at": suspended.isoformat()})
    if ran is None:
        return Kept("expiry", "look", "expiry-never", "expiry has not run yet; is the role `work` running?")
    facts: dict[str, Fact] = {"last_at": ran.isoformat()}
    if not -LATE < now - ran < LATE:
        text = f"expiry last ran at {ran:%Y-%m-%d %H:%M} UTC; is the role `work` running?"
        return Kept("expiry", "bad", "expiry-late", text, facts)
    return Kept("expiry", "good", "expiry-runs", f"expiry last ran at {ran:%Y-%m-%d %H:%M} UTC", facts)


def open_deletions(session: Session, organisation_id: uuid.UUID, now: datetime) -> OpenDeletions:
    """Count deletions of an organisation that are not carried out in time, and those that the ledger has not yet."""
    own = sa.and_(Erasure.organisation_id == organisation_id, Erasure.done_at.is_(None))
    asked = sa.select(sa.func.count()).select_from(Erasure).where(own)
    late = Erasure.requested_at < now - UNREADABLE
    readable = session.scalar(asked.where(Erasure.kind.in_(DELETED), Erasure.destroyed_at.is_(None), late)) or 0
    unledgered = sa.select(sa.func.count()).where(Tombstone.organisation_id == organisation_id)
    unledgered = unledgered.where(Tombstone.ledgered_at.is_(None), Tombstone.at < now - UNREADABLE)
    occupying = session.scalar(asked.where(Erasure.kind.in_(DELETED), Erasure.requested_at < now - FREED)) or 0
    return OpenDeletions(readable + (session.scalar(unledgered) or 0), occupying)

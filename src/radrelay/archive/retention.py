"""When holdings end: expiry, the guard against a clock that jumps, and a restored backup's deletions.

Expiry only looks for what is over and hands it to `deletion`; nothing else decides that a study goes by itself.
A clock that is suddenly far ahead would end everything at once: then expiry stands still until a person confirms
the time or the clock is set right again. What is over by that clock is hidden meanwhile, but not destroyed. What a
person has restricted the processing of (`access.barring`) stays until that is lifted.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive import deletion
from radrelay.archive.attachments import remove_attachments
from radrelay.archive.discard import bury
from radrelay.archive.erasing import Eraser, Finished
from radrelay.archive.locking import lock_archive
from radrelay.archive.tables import ATTACHMENT, HOLDING
from radrelay.clock import Clock
from radrelay.errors import NotFound
from radrelay.settings import RetentionSettings
from radrelay.storage.database import Database
from radrelay.storage.keystore import LedgerEntry
from radrelay.storage.models import NodeState

log = structlog.get_logger(__name__)

LAST_SEEN = "last-seen"
SUSPENDED = "expiry-suspended"
LAST_RUN = "expiry-run"
SWITCHED_OFF = timedelta(days=14)  # an installation may have been off for so long without its clock being doubted
LOOKED_AT = timedelta(minutes=10)  # expiry looks every few seconds
BATCH = 20  # holdings ended in one transaction: arrivals wait meanwhile
ATTACHMENTS = 200

Further = Callable[[], int]
"""Expires what another room keeps (the quarantine, parcels); returns how much."""
Undo = Callable[[Session, uuid.UUID, datetime], None]
"""Deletes what another room keeps by the id in the ledger, if it is there."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What one look at the clock ended."""

    suspended: bool
    holdings: int = 0
    attachments: int = 0
    further: int = 0
    finished: Finished = field(default_factory=Finished)


class Retention:
    """Ends what is over; call `expire` at least every half minute from one role."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: RetentionSettings,
        eraser: Eraser,
        further: Sequence[Further] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._eraser = eraser
        self._further = further
        self._running = False

    def expire(self) -> Expired:
        """End what is over, unless the clock jumped; then finish what deletions of any kind left open."""
        now = self._clock.now()
        if not self._clock_is_trusted(now):
            return Expired(True, finished=self._eraser.finish())
        holdings = self._end_holdings(now)
        attachments = self._end_attachments(now)
        further = sum(expire() for expire in self._further)
        self._eraser.end_kept_keys()
        finished = self._eraser.finish()
        with self._database.write() as session:
            _write_moment(session, LAST_RUN, now)
        return Expired(False, holdings, attachments, further, finished)

    def suspended_at(self) -> datetime | None:
        """Return the moment that the clock jumped to when expiry was suspended, none if it is not."""
        with self._database.read() as session:
            return _read_moment(session, SUSPENDED)

    def confirm_clock(self) -> None:
        """Say that the clock is right: expiry goes on by it."""
        with self._database.write() as session:
            _write_moment(session, LAST_SEEN, self._clock.now())
            session.execute(sa.delete(NodeState).where(NodeState.name == SUSPENDED))

    def _clock_is_trusted(self, now: datetime) -> bool:
        with self._database.write() as session:
            seen = _read_moment(session, LAST_SEEN)
            suspended = _read_moment(session, SUSPENDED)
            jumped = seen is not None and now - seen > self._allowed()
            if jumped:
                if suspended is None:
                    _write_moment(session, SUSPENDED, now)
                    log.error("expiry suspended: the clock jumped forward", last_seen=str(seen), now=str(now))
                return False
            if suspended is not None:
                session.execute(sa.delete(NodeState).where(NodeState.name == SUSPENDED))
                log.warning("expiry goes on: the clock is back", now=str(now))
            _write_moment(session, LAST_SEEN, now)
            return True

    def _allowed(self) -> timedelta:
        """Return how far the clock may have moved: `clock_jump_s` while running, longer over the time switched off."""
        if not self._running:
            self._running = True
            return max(SWITCHED_OFF, timedelta(seconds=self._settings.clock_jump_s))
        return timedelta(seconds=self._settings.clock_jump_s)

    def _end_holdings(self, now: datetime) -> int:
        ended = 0
        while True:
            with self._database.write() as session:
                lock_archive(session)
                over = sa.select(HOLDING.c.id).where(
                    HOLDING.c.ends_at <= now, HOLDING.c.study_id.not_in(access.barred_ids())
                )
                ids = list(session.scalars(over.order_by(HOLDING.c.ends_at).limit(BATCH)))
                deletion.end_holdings(session, ids, now)
            ended += len(ids)
            if len(ids) < BATCH:
                return ended

    def _end_attachments(self, now: datetime) -> int:
        """End attachments that belong to no holding, for those of one end with it."""
        ended = 0
        while True:
            with self._database.write() as session:
                lock_archive(session)
                c = ATTACHMENT.c
                over = sa.select(c.id, c.organisation_id).where(c.ends_at <= now, c.holding_id.is_(None))
                free = sa.or_(c.study_id.is_(None), c.study_id.not_in(access.barred_ids()))
                rows = session.execute(over.where(free).limit(ATTACHMENTS)).all()
                for row in rows:
                    bury(session, row.organisation_id, "attachment", [row.id], now, "expired")
                remove_attachments(session, [row.id for row in rows], now)
            ended += len(rows)
            if len(rows) < ATTACHMENTS:
                return ended


def last_run(session: Session) -> datetime | None:
    """Return when expiry last ran to its end; none if it never has."""
    return _read_moment(session, LAST_RUN)


def suspended_since(session: Session) -> datetime | None:
    """Return the moment that the clock jumped to when expiry was suspended; none if it is not."""
    return _read_moment(session, SUSPENDED)


def clock_is_trusted(session: Session, now: datetime) -> bool:
    """Say whether expiry has looked at the clock just now and did not doubt it: for what acts by itself on a day."""
    seen = _read_moment(session, LAST_SEEN)
    suspended = suspended_since(session) is not None
    return seen is not None and not suspended and abs(now - seen) <= LOOKED_AT


def replay(
    database: Database, entries: Iterable[LedgerEntry], now: datetime, further: Mapping[str, Undo] | None = None
) -> int:
    """Repeat the ledger's deletions on a restored database, before it serves; returns how many found something.

    `further` deletes the kinds that other rooms keep (quarantine, parcel). Run `Retention.expire` after it.
    """
    repeated = 0
    for entry in entries:
        with database.write() as session:
            repeated += _repeat(session, entry, now, further or {})
    return repeated


def _repeat(session: Session, entry: LedgerEntry, now: datetime, further: Mapping[str, Undo]) -> bool:
    delete = {
        "study": deletion.delete_study,
        "series": deletion.delete_series,
        "instance": deletion.delete_instance,
        "attachment": deletion.delete_attachment,
    }.get(entry.kind)
    if delete is not None:
        try:
            delete(session, entry.subject_id, now, entry.reason)
        except NotFound:
            return False
        return True
    if entry.kind == "holding":
        known = session.scalar(sa.select(HOLDING.c.id).where(HOLDING.c.id == entry.subject_id))
        deletion.end_holdings(session, [entry.subject_id], now, entry.reason, spare=False)
        return known is not None
    undo = further.get(entry.kind)
    if undo is None:
        return False
    undo(session, entry.subject_id, now)
    return True


def _read_moment(session: Session, name: str) -> datetime | None:
    value = session.scalar(sa.select(NodeState.value).where(NodeState.name == name))
    return datetime.fromisoformat(value.decode()) if value is not None else None


def _write_moment(session: Session, name: str, moment: datetime) -> None:
    session.merge(NodeState(name=name, value=moment.isoformat().encode()))
    session.flush()

"""Handing the record to an audit repository (IHE ATNA): each chain in order, at least once, whenever it is there.

There is no second copy: of each chain is kept up to where it was taken, and what stands behind that waits, through
restarts and for as long as the repository is away.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.dicom_message import AuditSource, message
from radrelay.audit.models import AuditEvent, AuditShipped, AuditWriter
from radrelay.audit.record import recorder_of
from radrelay.audit.search import NAMED, AuditEntry, entries_of
from radrelay.audit.syslog import send, syslog_message
from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.settings import RepositorySettings
from radrelay.storage.database import Database
from radrelay.storage.models import NodeState

BATCH = 500
CHAIN_BATCH = 200
FIRST_WAIT_S = 1.0
_ROW = "audit-repository"


class _Trouble(msgspec.Struct, frozen=True):
    """Since when the repository takes nothing, how often it was tried, when it is tried again, and why."""

    since: datetime
    tries: int
    next_at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """What waits for the repository, since when its oldest waits, and what is wrong with the repository if anything."""

    waiting: int
    oldest_at: datetime | None
    failing_since: datetime | None
    error: str

    def is_behind(self, now: datetime, alarm_s: int) -> bool:
        """Say whether an event waits longer than it may."""
        return self.oldest_at is not None and now - self.oldest_at > timedelta(seconds=alarm_s)


class AuditRepository:
    """The way to one repository; one process at a time calls `attempt`."""

    def __init__(self, database: Database, clock: Clock, settings: RepositorySettings, source: AuditSource) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._source = source

    def attempt(self) -> int:
        """Send what waits, unless the repository is to be left alone yet; returns how many events were taken."""
        now = self._clock.now()
        with self._database.read() as session:
            trouble = _trouble(session)
            if trouble is not None and now < trouble.next_at <= now + timedelta(seconds=self._settings.retry_cap_s):
                return 0
            batch = _next_batch(session)
        if not batch:
            return 0
        try:
            send(self._settings, [self._message(writer, entry) for writer, _, entry in batch])
        except RadrelayError as error:
            self._note(_worse(trouble, now, error, self._settings.retry_cap_s))
            raise
        self._taken({writer: sequence for writer, sequence, _ in batch}, was_away=trouble is not None)
        return len(batch)

    def _message(self, writer: str, entry: AuditEntry) -> bytes:
        content = message(entry, writer, self._source)
        process = writer.partition(".")[0]
        return syslog_message(content, entry.at, self._source.machine, process, success=entry.outcome == "success")

    def _taken(self, places: Mapping[str, int], *, was_away: bool) -> None:
        with self._database.write() as session:
            for writer, sequence in places.items():
                session.merge(AuditShipped(writer=writer, sequence=sequence, at=self._clock.now()))
            if was_away:
                session.execute(sa.delete(NodeState).where(NodeState.name == _ROW))

    def _note(self, trouble: _Trouble) -> None:
        with self._database.write() as session:
            session.merge(NodeState(name=_ROW, value=msgspec.msgpack.encode(trouble)))


def _worse(before: _Trouble | None, now: datetime, error: RadrelayError, cap_s: float) -> _Trouble:
    tries = 0 if before is None else min(before.tries, 60)
    wait = timedelta(seconds=min(cap_s, FIRST_WAIT_S * 2**tries))
    return _Trouble(now if before is None else before.since, tries + 1, now + wait, error.message[:500])


def _trouble(session: Session) -> _Trouble | None:
    row = session.get(NodeState, _ROW)
    return None if row is None else msgspec.msgpack.decode(row.value, type=_Trouble)


def next_try(session: Session) -> datetime:
    """Return when the repository is tried again at the earliest: long ago, unless it is away."""
    trouble = _trouble(session)
    return datetime.min.replace(tzinfo=UTC) if trouble is None else trouble.next_at


_BEHIND = (
    sa.select(AuditWriter.writer, AuditWriter.sequence, sa.func.coalesce(AuditShipped.sequence, 0).label("shipped"))
    .outerjoin(AuditShipped, AuditShipped.writer == AuditWriter.writer)
    .where(AuditWriter.sequence > sa.func.coalesce(AuditShipped.sequence, 0))
    .order_by(AuditWriter.writer)
)


def _next_batch(session: Session) -> list[tuple[str, int, AuditEntry]]:
    """Return what is next of all chains, each in its order, together as nearly by time as that allows."""
    keys = recorder_of(session).keys
    parts = []
    for chain in session.execute(_BEHIND).all():
        rows = session.execute(
            NAMED.where(AuditEvent.writer == chain.writer, AuditEvent.sequence > chain.shipped)
            .order_by(AuditEvent.sequence)
            .limit(CHAIN_BATCH)
        ).all()
        entries = zip(rows, entries_of(session, keys, rows), strict=True)
        parts.append([(chain.writer, row[0].sequence, entry) for row, entry in entries])
    return list(heapq.merge(*parts, key=lambda one: one[2].at))[:BATCH]


def repository_state(session: Session) -> RepositoryState:
    """Return what waits for the repository."""
    waiting, oldest = 0, []
    for chain in session.execute(_BEHIND).all():
        left = sa.select(sa.func.min(AuditEvent.sequence)).where(
            AuditEvent.writer == chain.writer, AuditEvent.sequence > chain.shipped
        )
        first = session.scalar(left)  # not the one behind `shipped` where that was over, and has gone, meanwhile
        if first is None:
            continue
        waiting += chain.sequence - first + 1
        at = sa.select(AuditEvent.at).where(AuditEvent.writer == chain.writer, AuditEvent.sequence == first)
        oldest.append(session.scalars(at).one())
    trouble = _trouble(session)
    return RepositoryState(
        waiting,
        min(oldest, default=None),
        None if trouble is None else trouble.since,
        "" if trouble is None else trouble.error,
    )

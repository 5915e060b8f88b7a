"""What one access has fetched in a time: from the record, which has every look before its first byte, and the bytes.

Nothing is counted where frames are delivered but bytes, added up in memory and written every few seconds by hours.
Bytes that were not written when a process ends at once are lost to this count, never to the record.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast, get_args

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from radrelay.audit.disclosures import SEEING
from radrelay.audit.models import AuditEvent
from radrelay.privacy.models import VolumeSent
from radrelay.storage.database import Database

SubjectKind = Literal["account", "token", "link", "ae"]
KINDS: tuple[SubjectKind, ...] = get_args(SubjectKind)
Measure = Literal["studies", "patients", "fetches", "bytes"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
FETCHING = (*SEEING, "study.forward")
HOUR = timedelta(hours=1)
_EVENT, _SENT = cast(sa.Table, AuditEvent.__table__), cast(sa.Table, VolumeSent.__table__)


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """Whose fetching is counted: an account, a token or a link by its id, a device by its AE title."""

    organisation_id: uuid.UUID
    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What was fetched: different studies and patients, events of looking and taking, bytes sent."""

    studies: int = 0
    patients: int = 0
    fetches: int = 0
    bytes: int = 0

    def of(self, measure: Measure) -> int:
        """Return one of the four."""
        found: int = getattr(self, measure)
        return found


def counts(session: Session, subject: Subject, since: datetime, until: datetime) -> Counts:
    """Return what was fetched from `since` to before `until`; bytes by the hours that begin in that time."""
    event = _EVENT.c
    looked = sa.select(
        sa.func.count(sa.distinct(event.study_id)), sa.func.count(sa.distinct(event.patient_ref)), sa.func.count()
    ).where(*_of(subject), event.at >= since, event.at < until)
    studies, patients, fetches = session.execute(looked).one()
    sent = sa.select(sa.func.sum(_SENT.c.bytes)).where(*_bytes_of(subject), _SENT.c.hour >= since, _SENT.c.hour < until)
    return Counts(studies, patients, fetches, int(session.scalar(sent) or 0))


def days_before(session: Session, subject: Subject, day: datetime, days: int) -> list[Counts]:
    """Return what was fetched on each of the `days` before the one that begins at `day`, those without any left out."""
    starts = [day - timedelta(days=n) for n in range(1, days + 1)]
    every = (counts(session, subject, start, start + timedelta(days=1)) for start in starts)
    return [one for one in every if one.fetches or one.bytes]


def active(
    session: Session, organisation_id: uuid.UUID, since: datetime, bytes_since: datetime, least_bytes: int
) -> set[Subject]:
    """Return who has fetched anything since a moment, and who was sent more than `least_bytes` since another."""
    event = _EVENT.c
    looked = (
        sa.select(event.actor_kind, event.actor_id)
        .where(event.organisation_id == organisation_id, event.at >= since, *_FETCHED)
        .distinct()
    )
    sent = (
        sa.select(_SENT.c.kind, _SENT.c.own_id)
        .where(_SENT.c.organisation_id == organisation_id, _SENT.c.hour >= bytes_since)
        .group_by(_SENT.c.kind, _SENT.c.own_id)
        .having(sa.func.sum(_SENT.c.bytes) > least_bytes)
    )
    rows = (*session.execute(looked), *session.execute(sent))
    return {Subject(organisation_id, kind, own_id) for kind, own_id in rows if kind in KINDS and own_id}


_FETCHED = (
    _EVENT.c.actor_kind.in_(KINDS),
    _EVENT.c.action.in_(FETCHING),
    _EVENT.c.outcome == "success",
)


def _of(subject: Subject) -> Sequence[sa.ColumnElement[bool]]:
    event = _EVENT.c
    return (
        event.organisation_id == subject.organisation_id, event.actor_id == subject.id,
        event.actor_kind == subject.kind, *_FETCHED,
    )  # fmt: skip


def _bytes_of(subject: Subject) -> Sequence[sa.ColumnElement[bool]]:
    return (
        _SENT.c.organisation_id == subject.organisation_id, _SENT.c.kind == subject.kind, _SENT.c.own_id == subject.id,
    )  # fmt: skip


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour of a moment."""
    return moment.replace(minute=0, second=0, microsecond=0)


def note_sent(session: Session, sent: Iterable[tuple[Subject, int]], now: datetime) -> None:
    """Add bytes to what was sent in this hour, in the caller's writing transaction."""
    rows: list[dict[str, Any]] = [
        {"organisation_id": one.organisation_id, "kind": one.kind, "own_id": one.id, "hour": hour_of(now), "bytes": n}
        for one, n in sorted(sent)
    ]
    if not rows:
        return
    postgres = session.get_bind().dialect.name == "postgresql"
    if postgres:
        new: Any = postgresql.insert(_SENT)
    else:
        new = sqlite.insert(_SENT)
    adding = new.on_conflict_do_update(
        index_elements=[_SENT.c.organisation_id, _SENT.c.kind, _SENT.c.own_id, _SENT.c.hour],
        set_={"bytes": _SENT.c.bytes + new.excluded.bytes},
    )
    session.execute(adding, rows)


def forget_sent(session: Session, before: datetime) -> None:
    """Delete what was sent so long ago that it tells nothing of what is usual."""
    session.execute(sa.delete(_SENT).where(_SENT.c.hour < before))


class SentTally:
    """Bytes that a process has sent to whom since they were last written; a few additions for each answer."""

    def __init__(self) -> None:
        self._sent: Counter[Subject] = Counter()
        self._lock = threading.Lock()

    def add(self, subject: Subject, size: int) -> None:
        """Count bytes that were sent."""
        with self._lock:
            self._sent[subject] += size

    def write(self, database: Database, now: datetime) -> None:
        """Write what was counted; without the database it is kept for the next time."""
        with self._lock:
            taken, self._sent = self._sent, Counter()
        if not taken:
            return
        try:
            with database.write() as session:
                note_sent(session, taken.items(), now)
        except BaseException:
            with self._lock:
                self._sent.update(taken)
            raise

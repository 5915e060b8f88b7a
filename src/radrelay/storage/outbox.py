"""The outbox: what happened, written in the transaction in which it happened.

Durable work follows from it: the event's id becomes the workflow's id, so that an event which is handed
over twice is worked on once. Who works hears of it as soon as the transaction is there (`bells`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.storage.bells import RINGS
from radrelay.storage.ids import new_id
from radrelay.storage.models import OutboxEvent

TURN = "turn"
"""Of a payload: events of one kind are worked on in this order, lowest first; from 1, without it before them."""


@dataclass(frozen=True)
class Event:
    """An event as a job is handed it; `payload` holds ids and plain words, never patient data."""

    id: uuid.UUID
    kind: str
    organisation_id: uuid.UUID
    subject_id: uuid.UUID
    payload: Mapping[str, str]


def emit(
    session: Session,
    *,
    organisation_id: uuid.UUID,
    kind: str,
    subject_id: uuid.UUID,
    at: datetime,
    payload: Mapping[str, str] | None = None,
) -> uuid.UUID:
    """Write an event in the caller's transaction; returns its id."""
    event_id = new_id()
    told = dict(payload or {})
    session.info[RINGS] = True
    session.execute(
        sa.insert(OutboxEvent),
        [
            {
                "id": event_id,
                "organisation_id": organisation_id,
                "kind": kind,
                "subject_id": subject_id,
                "turn": int(told.get(TURN, 0)),
                "payload": json.dumps(told),
                "created_at": at,
            }
        ],
    )
    return event_id


def open_events(session: Session, kinds: Sequence[str], limit: int = 500, *, lock: bool = False) -> list[Event]:
    """Return events of `kinds` that nobody has taken yet, by their turn and age; no two transactions lock the same."""
    waiting = sa.select(OutboxEvent).where(OutboxEvent.taken_at.is_(None), OutboxEvent.kind.in_(kinds))
    first = waiting.order_by(OutboxEvent.turn, OutboxEvent.id).limit(limit)
    rows = session.scalars(first.with_for_update(skip_locked=True) if lock else first)
    return [Event(r.id, r.kind, r.organisation_id, r.subject_id, json.loads(r.payload)) for r in rows]


def open_kinds(session: Session, kinds: Sequence[str]) -> set[str]:
    """Return those of `kinds` of which something waits."""
    waiting = sa.select(OutboxEvent.kind).where(OutboxEvent.taken_at.is_(None), OutboxEvent.kind.in_(kinds))
    return set(session.scalars(waiting.distinct()))


def open_subjects(session: Session, kind: str) -> set[uuid.UUID]:
    """Return what events of a kind wait for."""
    waiting = sa.select(OutboxEvent.subject_id).where(OutboxEvent.taken_at.is_(None), OutboxEvent.kind == kind)
    return set(session.scalars(waiting))


def mark_taken(session: Session, event_ids: Sequence[uuid.UUID], at: datetime) -> None:
    """Note that durable work has the events."""
    session.execute(sa.update(OutboxEvent).where(OutboxEvent.id.in_(event_ids)).values(taken_at=at))


def forget_taken(session: Session, before: datetime) -> int:
    """Delete events that were taken before `before`; returns how many."""
    result = session.execute(sa.delete(OutboxEvent).where(OutboxEvent.taken_at < before))
    return int(getattr(result, "rowcount", 0))

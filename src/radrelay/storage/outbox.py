"""The outbox: what happened, written in the transaction in which it happened.

Durable work follows from it: the event's id becomes the workflow's id, so that an event which is handed
over twice is worked on once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.storage.ids import new_id
from radrelay.storage.models import OutboxEvent

TURN = "turn"
"""Of a payload: events of one queue are worked on in this order, lowest first; from 1."""


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
    session.execute(
        sa.insert(OutboxEvent),
        [
            {
                "id": event_id,
                "organisation_id": organisation_id,
                "kind": kind,
                "subject_id": subject_id,
                "payload": json.dumps(dict(payload or {})),
                "created_at": at,
            }
        ],
    )
    return event_id


def open_events(session: Session, kinds: Sequence[str], limit: int = 500) -> list[Event]:
    """Return the oldest events of `kinds` that nobody has taken yet."""
    rows = session.scalars(
        sa.select(OutboxEvent)
        .where(OutboxEvent.taken_at.is_(None), OutboxEvent.kind.in_(kinds))
        .order_by(OutboxEvent.id)
        .limit(limit)
    )
    return [Event(r.id, r.kind, r.organisation_id, r.subject_id, json.loads(r.payload)) for r in rows]


def mark_taken(session: Session, event_ids: Sequence[uuid.UUID], at: datetime) -> None:
    """Note that durable work has the events."""
    session.execute(sa.update(OutboxEvent).where(OutboxEvent.id.in_(event_ids)).values(taken_at=at))


def forget_taken(session: Session, before: datetime) -> int:
    """Delete events that were taken before `before`; returns how many."""
    result = session.execute(sa.delete(OutboxEvent).where(OutboxEvent.taken_at < before))
    return int(getattr(result, "rowcount", 0))

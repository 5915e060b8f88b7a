"""Storage commitment requests that are not reported yet (PS3.4 J.3): durable from before the N-ACTION is answered.

A request belongs first to the process whose association it came on, named by the landing that it alone may own. When
the report was not answered there, when a process of that name starts again, or when its lease is over, the request is
due: reported on an association to the peer's node, again with growing pauses.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import OutOfResources
from radrelay.routing.deliveries import next_pause
from radrelay.routing.models import CommitmentRequest
from radrelay.settings import WorkSettings
from radrelay.storage.ids import new_id

MAX_OPEN = 1000
LEASE = timedelta(minutes=5)
"""How long whoever works on a request has it alone."""


class TooManyCommitments(OutOfResources):
    """Too many storage commitment requests of this device are not reported yet."""

    code = "too-many-commitments"
    dimse_status = 0x0213


@dataclass(frozen=True, slots=True)
class Requested:
    """A request: its references are pairs of SOP Class and SOP Instance UID."""

    calling_ae: str
    called_ae: str
    host: str
    association_id: str
    transaction_uid: str
    references: tuple[tuple[str, str], ...]
    attempts: int = 0


def remember(
    session: Session, organisation_id: uuid.UUID, requested: Requested, owner: str, now: datetime
) -> uuid.UUID:
    """Write a request down for the process `owner`; the same transaction asked for again replaces it.

    Raises `TooManyCommitments`.
    """
    of_device = (CommitmentRequest.organisation_id == organisation_id) & (
        CommitmentRequest.calling_ae == requested.calling_ae
    )
    session.execute(
        sa.delete(CommitmentRequest).where(of_device, CommitmentRequest.transaction_uid == requested.transaction_uid)
    )
    waiting = session.scalar(sa.select(sa.func.count()).select_from(CommitmentRequest).where(of_device)) or 0
    if waiting >= MAX_OPEN:
        raise TooManyCommitments
    row = CommitmentRequest(
        id=new_id(),
        organisation_id=organisation_id,
        calling_ae=requested.calling_ae,
        called_ae=requested.called_ae,
        host=requested.host,
        association_id=requested.association_id,
        transaction_uid=requested.transaction_uid,
        references=json.dumps(requested.references),
        owner=owner,
        attempts=0,
        created_at=now,
        next_attempt_at=now + LEASE,
        error="",
    )
    session.add(row)
    session.flush()
    return row.id


def release(session: Session, owner: str, now: datetime) -> None:
    """Have what the process that was `owner` before left open reported; call it once when one starts."""
    session.execute(sa.update(CommitmentRequest).where(CommitmentRequest.owner == owner).values(next_attempt_at=now))


def claim_due(session: Session, owner: str, now: datetime, limit: int) -> list[tuple[uuid.UUID, Requested]]:
    """Take requests that are due for `owner`."""
    due = (
        sa.select(CommitmentRequest)
        .where(CommitmentRequest.next_attempt_at <= now)
        .order_by(CommitmentRequest.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = []
    for row in session.scalars(due):
        row.owner = owner
        row.next_attempt_at = now + LEASE
        row.attempts += 1
        references = tuple((pair[0], pair[1]) for pair in json.loads(row.references))
        claimed.append(
            (
                row.id,
                Requested(
                    row.calling_ae, row.called_ae, row.host, row.association_id, row.transaction_uid, references,
                    row.attempts,
                ),
            )
        )  # fmt: skip
    return claimed


def is_any_due(session: Session, now: datetime) -> bool:
    """Return whether `claim_due` would find something."""
    due = CommitmentRequest.next_attempt_at <= now
    return session.scalar(sa.select(CommitmentRequest.id).where(due).limit(1)) is not None


def reported(session: Session, request_id: uuid.UUID) -> None:
    """Forget a request whose report was answered."""
    session.execute(sa.delete(CommitmentRequest).where(CommitmentRequest.id == request_id))


def due_now(session: Session, request_id: uuid.UUID, now: datetime) -> None:
    """Have a request reported on an association of its own, at once."""
    session.execute(sa.update(CommitmentRequest).where(CommitmentRequest.id == request_id).values(next_attempt_at=now))


def postpone(session: Session, request_id: uuid.UUID, error: str, settings: WorkSettings, now: datetime) -> bool:
    """Have a request tried again after a pause; returns false when it was given up, after `work.retry_for_s`."""
    row = session.get(CommitmentRequest, request_id)
    if row is None:
        return True
    if now - row.created_at > timedelta(seconds=settings.retry_for_s):
        session.delete(row)
        return False
    row.error = error
    row.next_attempt_at = now + next_pause(max(1, row.attempts), settings)
    return True


def open_requests(session: Session) -> Sequence[CommitmentRequest]:
    """Return what is not reported yet, the oldest first."""
    return session.scalars(sa.select(CommitmentRequest).order_by(CommitmentRequest.created_at)).all()

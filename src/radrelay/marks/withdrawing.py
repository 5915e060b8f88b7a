"""Objects of ours that hold no more: taken out of their study again, for nothing can be filed that says so.

A Key Object Selection names at least one object (TID 2010), and no other that it follows on (PS3.3 A.35.4); nor does
a presentation state (A.33), which viewers offer beside all others: an empty one would only be in the way. So one that
was replaced, and one whose last key image or mark was taken back, is deleted: with a tombstone, and on record. It is
replaced once the newer one stands in the archive, not when that has landed: it may still be refused there. What was
written down but has not appeared yet is deleted when it does. A hold keeps every object of its study: what was
withdrawn goes when that ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive import deletion
from radrelay.archive.tables import HOLDING, INSTANCE, table_of
from radrelay.marks.models import MarkFiling

FILING = table_of(MarkFiling)
KEY_OBJECTS = "key-objects"
PRESENTATIONS = "presentation/"
"""What the subjects of presentation states begin with."""


def names_none(subject: str) -> bool:
    """Say whether an object of a subject can neither be empty nor name the one that it follows on."""
    return subject == KEY_OBJECTS or subject.startswith(PRESENTATIONS)


def replaced(session: Session, study_id: uuid.UUID) -> Sequence[Any]:
    """Return a study's objects for which a newer one of the same subject stands in the archive."""
    return session.execute(sa.select(FILING).where(FILING.c.study_id == study_id, _is_replaced())).all()


def with_replaced(session: Session) -> Sequence[Any]:
    """Return id and organisation of the studies that have `replaced` objects."""
    columns = (FILING.c.study_id, FILING.c.organisation_id)
    return session.execute(sa.select(*columns).where(_is_replaced()).distinct()).all()


def withdraw(session: Session, filings: Sequence[Any], at: datetime) -> None:
    """Delete what was made of marks, in the caller's transaction; the rows stay, so that nothing comes back.

    What is held is deleted when that has ended.
    """
    ids = [row.id for row in filings]
    session.execute(sa.update(FILING).where(FILING.c.id.in_(ids)).values(withdrawn_at=at, sheet=None))
    delete_withdrawn(session, at, FILING.c.id.in_(ids))


def any_left(session: Session, at: datetime) -> bool:
    """Say whether something withdrawn has appeared in its study after all, or is held no more."""
    return session.scalar(_appeared(at).limit(1)) is not None


def is_held(session: Session, study_id: uuid.UUID, at: datetime) -> bool:
    """Say whether a hold stands on a study."""
    return bool(session.scalar(sa.select(_hold(study_id, at))))


def delete_withdrawn(session: Session, at: datetime, *conditions: sa.ColumnElement[bool]) -> int:
    """Delete what was withdrawn, is there and not held; returns how many objects."""
    found: list[uuid.UUID] = list(session.scalars(_appeared(at).where(*conditions)))
    for instance_id in found:
        deletion.delete_instance(session, instance_id, at, "withdrawn")
    return len(found)


def _is_replaced() -> sa.ColumnElement[bool]:
    newer = FILING.alias()
    stands = sa.exists().where(
        newer.c.study_id == FILING.c.study_id,
        newer.c.holding_id == FILING.c.holding_id,
        newer.c.subject == FILING.c.subject,
        newer.c.number > FILING.c.number,
        newer.c.withdrawn_at.is_(None),
        INSTANCE.c.study_id == newer.c.study_id,
        INSTANCE.c.sop_uid == newer.c.sop_uid,
        INSTANCE.c.current,
    )
    of_these = sa.or_(FILING.c.subject == KEY_OBJECTS, FILING.c.subject.startswith(PRESENTATIONS))
    mine = (of_these, FILING.c.withdrawn_at.is_(None), FILING.c.landed_at.is_not(None))
    return sa.and_(*mine, stands)


def _appeared(at: datetime) -> sa.Select[tuple[uuid.UUID]]:
    """Return the statement for the withdrawn objects that are there and not held, in their newest versions."""
    same = (INSTANCE.c.study_id == FILING.c.study_id, INSTANCE.c.sop_uid == FILING.c.sop_uid, INSTANCE.c.current)
    return (
        sa.select(INSTANCE.c.id)
        .join_from(FILING, INSTANCE, sa.and_(*same))
        .where(FILING.c.withdrawn_at.is_not(None), sa.not_(_hold(FILING.c.study_id, at)))
    )


def _hold(study_id: uuid.UUID | sa.ColumnElement[uuid.UUID], at: datetime) -> sa.Exists:
    return sa.exists().where(HOLDING.c.study_id == study_id, HOLDING.c.hold_until > at)

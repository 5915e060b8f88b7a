"""What corrected studies' objects still lack: which corrections there were, and which objects say them already."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Correction
from radrelay.archive.tables import CORRECTION, INSTANCE, SERIES, STUDY


@dataclass(frozen=True, slots=True)
class Made:
    """A correction as the objects are written by it: values by tag.

    `asked`: a person's request led to it; else the house's own rules coerce what comes (PS3.3 C.12.1.1.9).
    """

    number: int
    at: datetime
    by: str
    after: Mapping[int, str]
    asked: bool = True


def corrections_of(session: Session, study_id: uuid.UUID) -> list[Made]:
    """Return a study's corrections in their order."""
    rows = session.scalars(sa.select(Correction).where(Correction.study_id == study_id).order_by(Correction.number))
    return [Made(row.number, row.at, row.by, _by_tag(row.after), row.request_id is not None) for row in rows]


def lacked(session: Session, study_id: uuid.UUID, instance_id: uuid.UUID) -> list[Made]:
    """Return the corrections that an instance does not say, in their order; none of one that is gone."""
    done = session.scalar(sa.select(INSTANCE.c.correction).where(INSTANCE.c.id == instance_id))
    return [] if done is None else [one for one in corrections_of(session, study_id) if one.number > done]


def corrected_since(session: Session, since: datetime) -> frozenset[uuid.UUID]:
    """Return the studies whose objects are being written anew, or were since a moment."""
    late = sa.or_(CORRECTION.c.done_at.is_(None), CORRECTION.c.done_at > since)
    return frozenset(session.scalars(sa.select(CORRECTION.c.study_id).where(late)))


def _by_tag(kept: str) -> dict[int, str]:
    return {int(tag): value for tag, value in json.loads(kept).items()}


def followed(session: Session, study_id: uuid.UUID) -> list[Mapping[int, str]]:
    """Return what a study said before the corrections that are followed, the latest first: values by tag.

    Only of those after the last one that a person made: what that put right does not come back.
    """
    rows = session.execute(
        sa.select(CORRECTION.c.before, CORRECTION.c.follows)
        .where(CORRECTION.c.study_id == study_id)
        .order_by(CORRECTION.c.number.desc())
    )
    said: dict[int, str] = {}
    found: list[Mapping[int, str]] = []
    for row in rows:
        if not row.follows:
            break
        said = said | {int(tag): value for tag, value in json.loads(row.before).items()}
        found.append(said)
    return found


def reopen(session: Session, study_id: uuid.UUID) -> None:
    """Have a study's corrections looked at again: something has come that does not say them, however late it came."""
    session.execute(sa.update(CORRECTION).where(CORRECTION.c.study_id == study_id).values(done_at=None))


def pending(session: Session, limit: int) -> list[tuple[uuid.UUID, uuid.UUID, uuid.UUID, int]]:
    """Return organisation, study and id of current instances that lack corrections, and up to which they have them."""
    rows = session.execute(_open().order_by(INSTANCE.c.study_id, INSTANCE.c.id).limit(limit))
    return [(row.organisation_id, row.study_id, row.id, row.correction) for row in rows]


def any_open(session: Session) -> bool:
    """Say whether something may be to be written anew: a correction is open, or its study has grown since."""
    asked = sa.select(CORRECTION.c.id).where(sa.or_(CORRECTION.c.done_at.is_(None), _grown()))
    return session.scalar(asked.limit(1)) is not None


def settle(session: Session, now: datetime) -> None:
    """Close corrections whose objects all have them, and open those anew whose study has grown since."""
    session.execute(sa.update(CORRECTION).where(_grown()).values(done_at=None))
    studies = set(session.scalars(sa.select(CORRECTION.c.study_id).where(CORRECTION.c.done_at.is_(None))))
    done = [study_id for study_id in studies if not open_objects(session, [study_id])]
    session.execute(sa.update(CORRECTION).where(CORRECTION.c.study_id.in_(done)).values(done_at=now))


def _grown() -> sa.ColumnElement[bool]:
    since = sa.select(STUDY.c.id).where(
        STUDY.c.id == CORRECTION.c.study_id, STUDY.c.last_received_at > CORRECTION.c.done_at
    )
    return sa.and_(CORRECTION.c.done_at.is_not(None), since.exists())


def open_objects(session: Session, study_ids: Sequence[uuid.UUID]) -> int:
    """Count the objects of studies that are still to be written anew."""
    some = _open().where(INSTANCE.c.study_id.in_(study_ids)).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _open() -> sa.Select[Any]:
    last = (
        sa.select(CORRECTION.c.study_id, sa.func.max(CORRECTION.c.number).label("number"))
        .group_by(CORRECTION.c.study_id)
        .having(sa.func.count() > sa.func.count(CORRECTION.c.done_at))
        .subquery()
    )
    return (
        sa.select(INSTANCE.c.organisation_id, INSTANCE.c.study_id, INSTANCE.c.id, INSTANCE.c.correction)
        .join_from(last, SERIES, SERIES.c.study_id == last.c.study_id)
        .join(INSTANCE, INSTANCE.c.series_id == SERIES.c.id)
        .where(INSTANCE.c.current, INSTANCE.c.correction < last.c.number)
    )


def note_conforming(session: Session, instance_id: uuid.UUID, number: int) -> None:
    """Note that an instance says what was corrected already."""
    session.execute(sa.update(INSTANCE).where(INSTANCE.c.id == instance_id).values(correction=number))

"""What corrected studies' objects still lack: which corrections there were, and which objects say them already."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Correction
from radrelay.archive.tables import CORRECTION, INSTANCE, SERIES

PATIENCE = timedelta(hours=1)


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


def lacking(session: Session, study_id: uuid.UUID) -> tuple[list[Made], dict[uuid.UUID, int]]:
    """Return a study's corrections, and of all its instances that lack some up to which one they have them."""
    made = corrections_of(session, study_id)
    if not made:
        return made, {}
    series = sa.select(SERIES.c.id).where(_series_of(study_id))
    asked = sa.select(INSTANCE.c.id, INSTANCE.c.correction).where(INSTANCE.c.series_id.in_(series))
    rows = session.execute(asked.where(INSTANCE.c.correction < made[-1].number))
    return made, {row.id: row.correction for row in rows}


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


def reopen(session: Session, came: Mapping[uuid.UUID, int]) -> None:
    """Have corrections looked at again by which something that came to their studies is not written, however late.

    `came`: study, and up to which of its corrections what came is written.
    """
    for number in set(came.values()):
        some = [study_id for study_id, written in came.items() if written == number]
        lacked = sa.and_(CORRECTION.c.study_id.in_(some), CORRECTION.c.number > number)
        session.execute(sa.update(CORRECTION).where(lacked, CORRECTION.c.done_at.is_not(None)).values(done_at=None))


def pending(session: Session, limit: int) -> list[tuple[uuid.UUID, uuid.UUID, uuid.UUID, int]]:
    """Return organisation, study and id of current instances that lack corrections, and up to which they have them."""
    rows = session.execute(_open().order_by(INSTANCE.c.study_id, INSTANCE.c.id).limit(limit))
    return [(row.organisation_id, row.study_id, row.id, row.correction) for row in rows]


def any_open(session: Session) -> bool:
    """Say whether something may be to be written anew: a correction is open."""
    return session.scalar(sa.select(CORRECTION.c.id).where(CORRECTION.c.done_at.is_(None)).limit(1)) is not None


def settled(session: Session) -> list[uuid.UUID]:
    """Return the studies with open corrections whose objects all have them."""
    last = _last()
    lacking = (
        sa.select(INSTANCE.c.id)
        .join(SERIES, INSTANCE.c.series_id == SERIES.c.id)
        .where(
            SERIES.c.organisation_id == last.c.organisation_id,
            SERIES.c.study_id == last.c.study_id,
            INSTANCE.c.current,
            INSTANCE.c.correction < last.c.number,
        )
    )
    return list(session.scalars(sa.select(last.c.study_id).where(~lacking.exists())))


def settle(session: Session, now: datetime) -> None:
    """Close corrections whose objects all have them; what comes later opens them again (`reopen`)."""
    lock_archive(session)  # nothing comes between the look and what is noted of it
    done = CORRECTION.c.study_id.in_(settled(session))
    session.execute(sa.update(CORRECTION).where(done, CORRECTION.c.done_at.is_(None)).values(done_at=now))


def is_awaited(session: Session, study_id: uuid.UUID, now: datetime) -> bool:
    """Say whether what goes out by itself waits for objects of a study to be written with its corrected attributes.

    Not for longer than `PATIENCE`: what is not written by then is made as it is sent, and what cannot be made fails
    where somebody sees it.
    """
    last = session.scalar(sa.select(sa.func.max(CORRECTION.c.at)).where(CORRECTION.c.study_id == study_id))
    return last is not None and last > now - PATIENCE and is_open(session, study_id)


def is_open(session: Session, study_id: uuid.UUID) -> bool:
    """Say whether objects of a study are still to be written with its corrected attributes."""
    last = session.scalar(sa.select(sa.func.max(CORRECTION.c.number)).where(CORRECTION.c.study_id == study_id))
    if last is None:
        return False
    lacking = (
        sa.select(INSTANCE.c.id)
        .join(SERIES, INSTANCE.c.series_id == SERIES.c.id)
        .where(_series_of(study_id), INSTANCE.c.current, INSTANCE.c.correction < last)
    )
    return session.scalar(lacking.limit(1)) is not None


def open_objects(session: Session, study_ids: Sequence[uuid.UUID]) -> int:
    """Count the objects of studies that are still to be written anew."""
    some = _open().where(INSTANCE.c.study_id.in_(study_ids)).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _series_of(study_id: uuid.UUID) -> sa.ColumnElement[bool]:
    """Return the condition for a corrected study's series, by their index."""
    whose = sa.select(CORRECTION.c.organisation_id).where(CORRECTION.c.study_id == study_id).limit(1)
    return sa.and_(SERIES.c.organisation_id == whose.scalar_subquery(), SERIES.c.study_id == study_id)


def _last() -> sa.Subquery:
    """Return the studies with open corrections, and the number of the last correction of each."""
    some = sa.select(CORRECTION.c.study_id).where(CORRECTION.c.done_at.is_(None))
    return (
        sa.select(CORRECTION.c.organisation_id, CORRECTION.c.study_id, sa.func.max(CORRECTION.c.number).label("number"))
        .where(CORRECTION.c.study_id.in_(some))
        .group_by(CORRECTION.c.organisation_id, CORRECTION.c.study_id)
        .subquery()
    )


def _open() -> sa.Select[Any]:
    last = _last()
    return (
        sa.select(INSTANCE.c.organisation_id, INSTANCE.c.study_id, INSTANCE.c.id, INSTANCE.c.correction)
        .join_from(
            last,
            SERIES,
            sa.and_(SERIES.c.organisation_id == last.c.organisation_id, SERIES.c.study_id == last.c.study_id),
        )
        .join(INSTANCE, INSTANCE.c.series_id == SERIES.c.id)
        .where(INSTANCE.c.current, INSTANCE.c.correction < last.c.number)
    )


def note_conforming(session: Session, instance_id: uuid.UUID, number: int) -> None:
    """Note that an instance says what was corrected already."""
    session.execute(sa.update(INSTANCE).where(INSTANCE.c.id == instance_id).values(correction=number))

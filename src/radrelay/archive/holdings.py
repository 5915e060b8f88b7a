"""Holdings: how long a source's claim on a study lasts, and what the study's row says of it.

A claim ends at min(max(expires_at, hold_until), ceiling_at), where none means no end. The retention runs from
the last arrival, the ceiling from the first receipt; nothing moves the ceiling.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.errors import StudyNotFound
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Attachment, Holding
from radrelay.archive.tables import STUDY

WITHOUT_END = datetime(9999, 12, 31, tzinfo=UTC)  # a hold until it is released


class Claim(Protocol):
    """The moments of a holding that its study's row is derived from."""

    @property
    def ends_at(self) -> datetime | None:
        """Return when the claim ends."""

    @property
    def ceiling_at(self) -> datetime | None:
        """Return when it ends at the latest."""

    @property
    def hold_until(self) -> datetime | None:
        """Return how long it is held."""


@dataclass(frozen=True, slots=True)
class StudyTimes:
    """When a study goes, and whether it is held."""

    expires_at: datetime | None
    ceiling_at: datetime | None
    held: bool


def after(moment: datetime, span_s: float | None) -> datetime | None:
    """Return `moment` plus `span_s` seconds; none means without end."""
    return None if span_s is None else moment + timedelta(seconds=span_s)


def end_of(expires_at: datetime | None, hold_until: datetime | None, ceiling_at: datetime | None) -> datetime | None:
    """Return when a claim with these moments ends, none if never."""
    end = expires_at
    if end is not None and hold_until is not None and hold_until > end:
        end = None if hold_until >= WITHOUT_END else hold_until
    if ceiling_at is not None and (end is None or ceiling_at < end):
        return ceiling_at
    return end


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """Return the latest of `moments`; none, which has no end, is later than all."""
    found: datetime | None = None
    for moment in moments:
        if moment is None:
            return None
        if found is None or moment > found:
            found = moment
    return found


def study_times(claims: Iterable[Claim]) -> StudyTimes:
    """Return what a study with these holdings shows."""
    known = list(claims)
    return StudyTimes(
        expires_at=latest(claim.ends_at for claim in known),
        ceiling_at=latest(claim.ceiling_at for claim in known),
        held=any(claim.hold_until is not None for claim in known),
    )


def hold(session: Session, study_id: uuid.UUID, until: datetime | None, reason: str, now: datetime) -> StudyTimes:
    """Hold a study's living holdings until `until` (none: until released), up to each one's ceiling.

    Raises `StudyNotFound` when the study is not here or none of its holdings lives.
    """
    return _set_hold(session, study_id, until or WITHOUT_END, reason, now)


def release(session: Session, study_id: uuid.UUID, now: datetime) -> StudyTimes:
    """Take a study's hold back: its holdings end by their retention again; raises `StudyNotFound`."""
    return _set_hold(session, study_id, None, "", now)


def _set_hold(session: Session, study_id: uuid.UUID, until: datetime | None, reason: str, now: datetime) -> StudyTimes:
    lock_archive(session)
    for holding in _living(session, study_id, now):
        holding.hold_until = until
        holding.hold_reason = reason
        _end_anew(session, holding)
    session.flush()
    return refresh_times(session, [study_id])[study_id]


def keep_for(session: Session, study_id: uuid.UUID, span_s: float, now: datetime) -> StudyTimes:
    """Let a study's living holdings end `span_s` after what arrived last of each, up to each one's ceiling.

    It counts until their source brings more: then that source's own retention counts anew. Raises `StudyNotFound`.
    """
    lock_archive(session)
    for holding in _living(session, study_id, now):
        holding.expires_at = after(holding.last_received_at, span_s)
        _end_anew(session, holding)
    session.flush()
    return refresh_times(session, [study_id])[study_id]


def end_by(
    session: Session, study_id: uuid.UUID, source_id: uuid.UUID, since: datetime, until: datetime, now: datetime
) -> bool:
    """Let what a source has held of a study only since a moment end at `until`, up to its ceiling; says whether any.

    It counts until the source brings more: then its own retention counts anew.
    """
    lock_archive(session)
    lasts = sa.or_(Holding.ends_at.is_(None), Holding.ends_at > now)
    mine = sa.select(Holding).where(
        Holding.study_id == study_id, Holding.source_id == source_id, Holding.received_at >= since, lasts
    )
    found = session.scalars(mine).all()
    for holding in found:
        holding.expires_at = until
        _end_anew(session, holding)
    if found:
        session.flush()
        refresh_times(session, [study_id])
    return bool(found)


def kept_for(session: Session, study_id: uuid.UUID, span_s: float, now: datetime) -> StudyTimes:
    """Return what `keep_for` would come to; raises `StudyNotFound`."""
    ends = [
        end_of(after(one.last_received_at, span_s), one.hold_until, one.ceiling_at)
        for one in _living(session, study_id, now)
    ]
    times = study_times(_living(session, study_id, now))
    return StudyTimes(latest(ends), times.ceiling_at, times.held)


def times_of(session: Session, study_id: uuid.UUID, now: datetime) -> StudyTimes:
    """Return when a study goes as its living holdings say; raises `StudyNotFound`."""
    return study_times(_living(session, study_id, now))


def _living(session: Session, study_id: uuid.UUID, now: datetime) -> Sequence[Holding]:
    lasts = sa.or_(Holding.ends_at.is_(None), Holding.ends_at > now)
    found = session.scalars(sa.select(Holding).where(Holding.study_id == study_id, lasts)).all()
    if not found:
        raise StudyNotFound
    return found


def _end_anew(session: Session, holding: Holding) -> None:
    holding.ends_at = end_of(holding.expires_at, holding.hold_until, holding.ceiling_at)
    session.execute(sa.update(Attachment).where(Attachment.holding_id == holding.id).values(ends_at=holding.ends_at))


def refresh_times(session: Session, study_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, StudyTimes]:
    """Derive the studies' rows from their holdings again; returns what they now show."""
    wanted = list(study_ids)
    claims: dict[uuid.UUID, list[Holding]] = {study_id: [] for study_id in wanted}
    for holding in session.scalars(sa.select(Holding).where(Holding.study_id.in_(wanted))):
        claims[holding.study_id].append(holding)
    times = {study_id: study_times(found) for study_id, found in claims.items() if found}
    if times:
        session.connection().execute(
            sa.update(STUDY)
            .where(STUDY.c.id == sa.bindparam("study"))
            .values(
                expires_at=sa.bindparam("expires_at"), ceiling_at=sa.bindparam("ceiling_at"), held=sa.bindparam("held")
            ),
            [
                {"study": study_id, "expires_at": t.expires_at, "ceiling_at": t.ceiling_at, "held": t.held}
                for study_id, t in times.items()
            ],
        )
    return times

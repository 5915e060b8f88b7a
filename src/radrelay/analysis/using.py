"""The log of use: which analysis in which version ran when, for which source, how it ended and how long it took.

It names no patient, no study and no person, so it outlives what it is about.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.analysis.models import AnalysisRun, AnalysisUse
from radrelay.archive.instances import InstanceRef
from radrelay.archive.models import Holding, Source
from radrelay.storage.ids import new_id

MOST = 100_000


def note(session: Session, row: AnalysisRun, source: str, now: datetime) -> None:
    """Write down that a run has ended."""
    began = row.started_at or row.created_at
    session.add(
        AnalysisUse(
            id=new_id(), organisation_id=row.organisation_id, kind=row.kind, version=row.version, source=source[:100],
            asked_kind=row.asked_kind, outcome=row.state, reason=row.error_code, at=now,
            seconds=max(0.0, (now - began).total_seconds()),
        )
    )  # fmt: skip


def used(
    session: Session, organisation_id: uuid.UUID, since: datetime | None = None, until: datetime | None = None
) -> Sequence[AnalysisUse]:
    """Return what is in the log, oldest first."""
    asked = sa.select(AnalysisUse).where(AnalysisUse.organisation_id == organisation_id)
    if since is not None:
        asked = asked.where(AnalysisUse.at >= since)
    if until is not None:
        asked = asked.where(AnalysisUse.at < until)
    return session.scalars(asked.order_by(AnalysisUse.at, AnalysisUse.id).limit(MOST)).all()


def forget(session: Session, now: datetime, keep_days: int) -> int:
    """Delete what was kept long enough; returns how many entries."""
    gone = session.execute(sa.delete(AnalysisUse).where(AnalysisUse.at < now - timedelta(days=keep_days)))
    return int(getattr(gone, "rowcount", 0))


def source_of(session: Session, refs: Sequence[InstanceRef]) -> str:
    """Return the name of the source that most of some objects came by."""
    holding_id, _ = Counter(ref.holding_id for ref in refs).most_common(1)[0]
    holding = session.get(Holding, holding_id)
    return _named(session, holding)


def source_of_study(session: Session, study_id: uuid.UUID) -> str:
    """Return the name of a source that holds a study."""
    return _named(session, session.query(Holding).filter(Holding.study_id == study_id).first())


def _named(session: Session, holding: Holding | None) -> str:
    source = None if holding is None else session.get(Source, holding.source_id)
    return "" if source is None else source.name

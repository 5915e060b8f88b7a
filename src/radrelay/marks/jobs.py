"""The durable work of marks: those that have rested are filed. Run at least once; filing twice lands nothing new."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.access import system_principal
from radrelay.archive.errors import StudyNotFound
from radrelay.clock import Clock
from radrelay.marks import service
from radrelay.marks.filing import MarkFilings
from radrelay.marks.models import MarkedStudy
from radrelay.marks.withdrawing import any_left, delete_withdrawn, with_replaced
from radrelay.settings import MarksSettings
from radrelay.storage.database import Database
from radrelay.storage.outbox import Event, emit

log = structlog.get_logger(__name__)

FILE = "marks.file"


class MarksWork:
    """Finds marks that have rested, and files them."""

    def __init__(self, database: Database, clock: Clock, settings: MarksSettings, filings: MarkFilings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._filings = filings
        self._stuck: set[uuid.UUID] = set()

    def any_due(self, session: Session) -> bool:
        """Say whether some study's marks have rested long enough."""
        return (
            self._settings.file_after_s > 0
            and session.scalar(sa.select(MarkedStudy.study_id).where(MarkedStudy.open_since <= self._rested()).limit(1))
            is not None
        )

    def emit_due(self, session: Session) -> int:
        """Hand studies over whose marks have rested; returns how many. In the caller's transaction."""
        if self._settings.file_after_s == 0:
            return 0
        due = (
            sa.update(MarkedStudy)
            .where(MarkedStudy.open_since <= self._rested())
            .values(open_since=None)
            .returning(MarkedStudy.study_id, MarkedStudy.organisation_id)
            .execution_options(synchronize_session=False)
        )
        rows = session.execute(due).all()
        for study_id, organisation_id in rows:
            emit(session, organisation_id=organisation_id, kind=FILE, subject_id=study_id, at=self._clock.now())
        return len(rows)

    def attempt(self, event: Event) -> None:
        """File the marks of an event's study, if it is still here."""
        try:
            filed = self._filings.file(event.subject_id, system_principal(event.organisation_id), str(event.id))
        except StudyNotFound:
            return
        if filed:
            log.info("marks filed", study_id=str(event.subject_id), objects=len(filed))

    def sweep(self, attended: Collection[uuid.UUID] = ()) -> int:
        """Have studies filed again whose work gave up, withdraw what was replaced, and forget marks deleted days ago.

        Returns how many studies are filed again.

        `attended` are those that work waits or is under way for. A study is met twice before: what was handed over
        may not have begun yet.
        """
        lost = sa.and_(MarkedStudy.open_since.is_(None), MarkedStudy.filed_turn < MarkedStudy.turn)
        with self._database.read() as session:
            stuck = set(session.scalars(sa.select(MarkedStudy.study_id).where(lost))) - set(attended)
            replaced = with_replaced(session)
        again, self._stuck = stuck & self._stuck, stuck
        with self._database.write() as session:
            if again:
                session.execute(
                    sa.update(MarkedStudy)
                    .where(MarkedStudy.study_id.in_(again), lost)
                    .values(open_since=MarkedStudy.changed_at)
                    .execution_options(synchronize_session=False)
                )
            if any_left(session, self._clock.now()):
                delete_withdrawn(session, self._clock.now())
            service.forget_deleted(session, self._clock.now() - timedelta(days=service.KEEP_DELETED_DAYS))
        for study_id, organisation_id in replaced:
            self._filings.withdraw_replaced(study_id, system_principal(organisation_id))
        return len(again)

    def _rested(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self._settings.file_after_s)

"""Analyses in the role `work`: their runs, and the destination that a kind's results are sent to."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.analysis.ending import Done
from radrelay.analysis.jobs import AnalysisWork
from radrelay.analysis.kinds import Kinds
from radrelay.analysis.models import AnalysisRun
from radrelay.app.core import Core
from radrelay.archive.models import Series
from radrelay.archive.reader import InstanceReader
from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.intake.landing import Landing
from radrelay.routing import deliveries

log = structlog.get_logger(__name__)


def open_analyses(core: Core, reader: InstanceReader, landing: Landing) -> AnalysisWork:
    """Return what carries runs out."""
    kinds = Kinds(core.settings.analysis, core.settings.mail.language)
    return AnalysisWork(core.settings, core.database, core.clock, kinds, reader, landing, sending_on(core.clock))


def sending_on(clock: Clock) -> Done:
    """Return what asks for the delivery of a run's series to the destination that its kind has."""

    def send(
        session: Session, row: AnalysisRun, destination_id: uuid.UUID | None, series_uids: Collection[str]
    ) -> None:
        if destination_id is None or not series_uids:
            return
        made = sa.select(Series.id).where(
            Series.organisation_id == row.organisation_id, Series.study_id == row.study_id,
            Series.series_uid.in_(series_uids),
        )  # fmt: skip
        for series_id in session.scalars(made.order_by(Series.series_uid)).all():
            _send(clock, session, row, destination_id, series_id)

    return send


def _send(clock: Clock, session: Session, row: AnalysisRun, destination_id: uuid.UUID, series_id: uuid.UUID) -> None:
    try:
        delivery = deliveries.request_delivery(
            session, clock, organisation_id=row.organisation_id, destination_id=destination_id,
            study_id=row.study_id, series_id=series_id, requested_by=row.kind, correlation_id=row.correlation_id,
        )  # fmt: skip
    except RadrelayError as error:  # a destination that is gone must not cost the result
        log.warning("a result is not sent on", run_id=str(row.id), code=error.code)
        return
    detail = {"by": "analysis", "destination": destination_id, "delivery": delivery.id, "series": series_id}
    who = system_principal(row.organisation_id)
    audit.record(session, audit.AuditRecord("study.forward", who, "study", row.study_id, detail))


def closing_with(work: AnalysisWork, stop: threading.Event) -> threading.Thread:
    """Return the thread that ends what runs here once the process is told to stop."""

    def wait() -> None:
        stop.wait()
        work.close()

    return threading.Thread(target=wait, name="analyses", daemon=True)

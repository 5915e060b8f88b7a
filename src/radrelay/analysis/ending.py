"""How a run ends: noted, put on record, entered into the log of use, its results sent on."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.analysis import service, using
from radrelay.analysis.models import AnalysisRun
from radrelay.archive.models import Study


class Done(Protocol):
    """What follows from a result, in the transaction in which the run ends."""

    def __call__(
        self, session: Session, row: AnalysisRun, destination_id: uuid.UUID | None, series_uids: Collection[str], /
    ) -> None:
        """Send the series of a run's results to the destination of its kind."""
        ...


def finish(session: Session, row: AnalysisRun, state: str, now: datetime, source: str = "") -> None:
    """End a run in the caller's transaction."""
    service.end(row, state, now)
    if state == "done":
        row.step, row.share = "", 1.0
    using.note(session, row, source or using.source_of_study(session, row.study_id), now)
    study = session.get(Study, row.study_id)
    if study is None:
        return
    detail = {"kind": row.kind, "version": row.version, "run": row.id, "state": state, "reason": row.error_code or None}
    patient = (study.patient_issuer, study.patient_id_value, study.patient_name)
    outcome = "success" if state == "done" else "failure"
    record = audit.AuditRecord(
        "analysis.end", system_principal(row.organisation_id), "study", row.study_id, detail, patient, outcome,
        row.correlation_id,
    )  # fmt: skip
    audit.record(session, record)

"""Analyses that start by themselves: of studies that were sent to the AE title of one, once they are complete."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import system_principal
from radrelay.analysis import service
from radrelay.analysis.kinds import Kinds
from radrelay.analysis.models import AnalysisRun, AnalysisSetting
from radrelay.analysis.service import Asked
from radrelay.analysis.switching import switched
from radrelay.archive.models import Study
from radrelay.archive.tables import SENDER
from radrelay.errors import RadrelayError

log = structlog.get_logger(__name__)


def start_called(session: Session, study_ids: Sequence[uuid.UUID], kinds: Kinds, now: datetime) -> int:
    """Start what complete studies were sent for, where there are images that no run has seen; returns how many."""
    if not study_ids:
        return 0
    asked = sa.select(AnalysisSetting).where(AnalysisSetting.enabled.is_(True), AnalysisSetting.called_ae_titles != "")
    started = 0
    for setting in session.scalars(asked).all():
        titles = setting.called_ae_titles.split(",")
        sent = sa.select(SENDER.c.study_id, sa.func.min(SENDER.c.called_ae)).where(
            SENDER.c.study_id.in_(study_ids), SENDER.c.called_ae.in_(titles)
        )
        for study_id, title in session.execute(sent.group_by(SENDER.c.study_id)).all():
            study = session.get(Study, study_id)
            if study is None or study.organisation_id != setting.organisation_id or setting.kind not in kinds:
                continue
            started += start_once(session, study, setting.kind, kinds, now, "ae-title", title) is not None
    return started


def start_once(
    session: Session, study: Study, kind: str, kinds: Kinds, now: datetime, asked_kind: str, asked_by: str,
    parameters: Mapping[str, object] | None = None,
) -> AnalysisRun | None:  # fmt: skip
    """Start an analysis of a study unless one has seen the same images; none where it did, or cannot.

    What analyses have made is no input, so that a result starts nothing.
    """
    found = kinds.get(kind)
    refs = service.inputs(session, now, found, study.organisation_id, study.id)
    if (
        not refs
        or access.is_barred(session, study.id)
        or service.has_run(session, study.id, kind, service.digest_of(refs))
    ):
        return None
    asked = Asked(study.organisation_id, study.id, asked_kind, asked_by, parameters)
    try:
        row = service.request_run(session, now, found, asked)
    except RadrelayError as error:
        log.warning("an analysis was not started", study_id=str(study.id), kind=kind, code=error.code)
        return None
    detail = {"kind": row.kind, "version": row.version, "run": row.id, "by": asked_kind}
    patient = (study.patient_issuer, study.patient_id_value, study.patient_name)
    who = system_principal(study.organisation_id)
    audit.record(session, audit.AuditRecord("analysis.start", who, "study", study.id, detail, patient))
    return row


class RuleMet(Protocol):
    """A study that a rule has met; `routing.rules.actions.Met` is one."""

    @property
    def study(self) -> Study: ...  # noqa: D102
    @property
    def rule_name(self) -> str: ...  # noqa: D102
    @property
    def now(self) -> datetime: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class AnalysesByRule:
    """Fulfils `routing.rules.analysing.Analyses`."""

    kinds: Kinds

    def cleaned(
        self, session: Session, organisation_id: uuid.UUID, kind: str, parameters: Mapping[str, object]
    ) -> dict[str, object]:
        """Return parameters as they are kept; raises `AnalysisUnknown`, `ParametersInvalid`."""
        del session, organisation_id
        return dict(self.kinds.get(kind).checked(parameters))

    def standing(self, session: Session, met: RuleMet, kind: str) -> str:
        """Say by a word why no analysis would start, "" if one would."""
        study = met.study
        found = self.kinds.get(kind)
        if not switched(session, study.organisation_id, found).enabled:
            return "analysis-off"
        refs = service.inputs(session, met.now, found, study.organisation_id, study.id)
        if not refs:
            return "analysis-nothing-to-analyse"
        seen = service.has_run(session, study.id, kind, service.digest_of(refs))
        return "analysed-already" if seen else ""

    def start(self, session: Session, met: RuleMet, kind: str, parameters: Mapping[str, object]) -> uuid.UUID | None:
        """Start it, on record; returns the run."""
        row = start_once(session, met.study, kind, self.kinds, met.now, "rule", met.rule_name, parameters)
        return None if row is None else row.id

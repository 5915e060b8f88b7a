"""Analyses of studies: which there are and how they are set, what ran on a study, and the log of their use.

Who may annotate a whole study may have it analysed; what came of it is seen as the study is.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from radrelay.access import Principal, Right
from radrelay.analysis import service, switching, using
from radrelay.analysis.errors import NoFindings
from radrelay.analysis.kinds import Kind as KindOfAnalysis
from radrelay.analysis.models import AnalysisRun
from radrelay.analysis.switching import Switched
from radrelay.archive.models import Series
from radrelay.routing.destinations import list_destinations
from radrelay.web import trail
from radrelay.web.analysis_findings import veiled, with_pictures
from radrelay.web.analysis_shapes import (
    Analysis,
    Parameter,
    ResultSeries,
    Run,
    Runs,
    Use,
    WantedRerun,
    WantedRun,
    WantedSetting,
)
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.problems import Trouble, answers, correlation_of
from radrelay.web.reach import Reach, ReachedStudy
from radrelay.web.services import WebServices

router = APIRouter(tags=["analyses"])


@router.get("/analyses")
def list_analyses(services: Services, principal: Authenticated) -> list[Analysis]:
    """List the analyses that there are here, on or off."""
    with services.database.read() as session:
        counted = service.counts(session, principal.organisation_id)
        return [
            _analysis(switching.switched(session, principal.organisation_id, kind), counted)
            for kind in services.analyses
        ]


@router.put("/analyses/{kind}")
def set_analysis(
    request: Request, services: Services, principal: Administrator, kind: str, wanted: WantedSetting
) -> Analysis:
    """Switch an analysis on or off, and set what counts where a run says nothing else."""
    found = services.analyses.get(kind)
    changes = wanted.model_dump(exclude_unset=True)
    for name in ("enabled", "parameters", "called_ae_titles"):
        if name in changes and changes[name] is None:
            del changes[name]
    with services.database.write() as session:
        there = [one.id for one in list_destinations(session, principal.organisation_id)]
        here = switching.change(session, principal.organisation_id, found, changes, services.clock.now(), there)
        detail = {"kind": kind, "enabled": here.enabled, "fields": sorted(changes)}
        trail.write(session, trail.event(request, principal, "analysis.set", ("analysis", kind), detail=detail))
        return _analysis(here, service.counts(session, principal.organisation_id))


@router.get("/analyses/usage")
def list_usage(
    services: Services, principal: Administrator,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
) -> list[Use]:  # fmt: skip
    """List which analyses ran when, for which source, and how they ended."""
    with services.database.read() as session:
        rows = using.used(session, principal.organisation_id, since, until)
        return [Use.model_validate(row) for row in rows]


@router.post("/studies/{study_id}/analyses", status_code=202)
def start_analysis(
    request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID, wanted: WantedRun
) -> Run:
    """Have a study analysed; the work is durable and goes on by itself."""
    kind = services.analyses.get(wanted.kind)
    with services.database.write() as session:
        reach, study = _may_start(services, session, principal, study_id)
        asked = service.Asked(
            principal.organisation_id, study_id, principal.kind, principal.name, wanted.parameters, wanted.series,
            correlation_id=correlation_of(request),
        )  # fmt: skip
        row = service.request_run(session, services.clock.now(), kind, asked)
        _note(session, request, principal, "analysis.start", row, study)
        return _shown(services, session, reach, row)


@router.get("/studies/{study_id}/analyses")
def list_study_runs(services: Services, principal: Authenticated, study_id: uuid.UUID) -> list[Run]:
    """List what ran on a study, newest first."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        reach.study(study_id)
        rows = service.list_runs(session, principal.organisation_id, study_id=study_id)
        return [_shown(services, session, reach, row) for row in rows]


@router.get("/analysis-runs")
def list_runs(
    services: Services, principal: Authenticated, state: Annotated[str, Query(max_length=16)] = "",
    kind: Annotated[str, Query(max_length=32)] = "", cursor: uuid.UUID | None = None,
) -> Runs:  # fmt: skip
    """List runs on the studies within reach."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        rows = service.list_runs(
            session, principal.organisation_id, within=reach.holds(AnalysisRun.study_id), state=state, kind=kind,
            after=cursor,
        )  # fmt: skip
        further = str(rows[-1].id) if len(rows) == service.PAGE else None
        return Runs(runs=[_shown(services, session, reach, row) for row in rows], next_cursor=further)


@router.get("/analysis-runs/{analysis_run_id}")
def get_run(services: Services, principal: Authenticated, analysis_run_id: uuid.UUID) -> Run:
    """Return a run."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        row = service.get_run(session, principal.organisation_id, analysis_run_id)
        reach.study(row.study_id)
        return _shown(services, session, reach, row)


@router.get("/analysis-runs/{analysis_run_id}/findings", responses=answers("application/json"))
def get_findings(
    request: Request, services: Services, principal: Authenticated, analysis_run_id: uuid.UUID
) -> Response:
    """Return what a run found, for a page; beside `sop_uids` stand `pictures`, the instances' ids, null where gone."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        row = service.get_run(session, principal.organisation_id, analysis_run_id)
        study = reach.study(row.study_id, whole=True)
        if row.findings is None or not _has_findings(row) or not _may_be_told(services, reach, row):
            raise NoFindings
        said = with_pictures(session, row, json.loads(row.findings))
    record = trail.event(request, principal, "study.open", ("study", study.id), patient=study.patient)
    trail.seen(services.database, principal, record)
    if study.identity != "clear":
        said = veiled(services, principal.organisation_id, said)
    return Response(json.dumps(said), media_type="application/json", headers={"Cache-Control": "no-store"})


@router.post("/analysis-runs/{analysis_run_id}/cancel")
def cancel_run(request: Request, services: Services, principal: Authenticated, analysis_run_id: uuid.UUID) -> Run:
    """Stop a run at once; it leaves nothing."""
    with services.database.write() as session:
        row = service.get_run(session, principal.organisation_id, analysis_run_id)
        reach, study = _may_start(services, session, principal, row.study_id)
        row = service.cancel_run(session, principal.organisation_id, analysis_run_id, services.clock.now())
        _note(session, request, principal, "analysis.cancel", row, study)
        return _shown(services, session, reach, row)


@router.post("/analysis-runs/{analysis_run_id}/retry")
def retry_run(request: Request, services: Services, principal: Authenticated, analysis_run_id: uuid.UUID) -> Run:
    """Begin a run anew that was refused, failed or was cancelled."""
    with services.database.write() as session:
        row = service.get_run(session, principal.organisation_id, analysis_run_id)
        reach, study = _may_start(services, session, principal, row.study_id)
        kind = services.analyses.get(row.kind)
        row = service.retry_run(session, principal.organisation_id, analysis_run_id, kind, services.clock.now())
        _note(session, request, principal, "analysis.start", row, study)
        return _shown(services, session, reach, row)


@router.post("/analysis-runs/{analysis_run_id}/rerun", status_code=202)
def rerun(
    request: Request, services: Services, principal: Authenticated, analysis_run_id: uuid.UUID, wanted: WantedRerun
) -> Run:
    """Run the same analysis on the same series with other values; the run before stays as it is."""
    with services.database.write() as session:
        before = service.get_run(session, principal.organisation_id, analysis_run_id)
        reach, study = _may_start(services, session, principal, before.study_id)
        kind = services.analyses.get(before.kind)
        row = service.rerun(
            session, services.clock.now(), kind, before, principal.kind, principal.name, wanted.parameters,
            correlation_of(request),
        )  # fmt: skip
        _note(session, request, principal, "analysis.start", row, study)
        return _shown(services, session, reach, row)


def _may_start(
    services: WebServices, session: Session, principal: Principal, study_id: uuid.UUID
) -> tuple[Reach, ReachedStudy]:
    """Return a study that the caller may have analysed, with what the caller sees; raises as not found."""
    reach = Reach.of(services, session, principal, Right.SEE)
    reach.study(study_id)
    return reach, Reach.of(services, session, principal, Right.ANNOTATE).study(study_id, whole=True)


def _note(
    session: Session, request: Request, principal: Principal, action: str, row: AnalysisRun, study: ReachedStudy
) -> None:
    detail = {"kind": row.kind, "version": row.version, "run": row.id}
    subject = ("study", study.id)
    trail.write(session, trail.event(request, principal, action, subject, detail=detail, patient=study.patient))


def _analysis(here: Switched, counted: dict[tuple[str, str], int]) -> Analysis:
    kind: KindOfAnalysis = here.kind
    parameters = [
        Parameter.model_validate({
            "name": one.name, "kind": one.kind, "default": here.parameters[one.name], "least": one.least,
            "most": one.most, "choices": list(one.choices), "unit": one.unit,
        })
        for one in kind.parameters
    ]  # fmt: skip
    return Analysis(
        kind=kind.name, name=kind.title, version=kind.version, enabled=here.enabled, parameters=parameters,
        modalities=list(kind.modalities), called_ae_titles=list(here.called_ae_titles),
        destination_id=here.destination_id, memory_bytes=here.memory_bytes, cores=here.cores,
        seconds=kind.limits.seconds, waiting=counted.get((kind.name, "waiting"), 0),
        running=counted.get((kind.name, "running"), 0),
    )  # fmt: skip


def _has_findings(row: AnalysisRun) -> bool:
    """Say whether a run's numbers count: not before all that it made is here."""
    return row.state == "done" and row.findings is not None


def _shown(services: WebServices, session: Session, reach: Reach, row: AnalysisRun) -> Run:
    clear, told = reach.scope.identity == "clear", _may_be_told(services, reach, row)
    trouble = service.trouble_of(row)
    if trouble is not None and not clear:  # what a program says may name the patient or hold UIDs
        trouble = replace(trouble, detail="", facts={})
    return Run(
        id=row.id, study_id=row.study_id, kind=row.kind, version=row.version, state=row.state,
        step=row.step if told else "", share=row.share, reason=Trouble.shown(trouble),
        parameters=json.loads(row.parameters), asked_kind=row.asked_kind, asked_by=row.asked_by,
        created_at=row.created_at, started_at=row.started_at, finished_at=row.finished_at,
        results=_results(session, row, clear=clear), has_findings=_has_findings(row) and told,
        rerun_of=row.rerun_of,
    )  # fmt: skip


def _may_be_told(services: WebServices, reach: Reach, row: AnalysisRun) -> bool:
    """Say whether what a program wrote may be shown: to whom may not know the patient only what is Radrelay's own."""
    built_in = row.kind in services.analyses and services.analyses.get(row.kind).built_in
    return built_in or reach.scope.identity == "clear"


def _results(session: Session, row: AnalysisRun, *, clear: bool) -> list[ResultSeries]:
    """Return the series that a run made; nothing before it is done: what has landed of it may not be all."""
    if row.state != "done":
        return []
    made: dict[str, ResultSeries] = {}
    for one in service.results_from(row.results):
        series = made.get(one.series_uid)
        if series is None:
            uid = one.series_uid if clear else ""
            series = made[one.series_uid] = ResultSeries(
                series_uid=uid, series_id=None, sop_uids=[], description=one.description
            )
        if clear:
            series.sop_uids.append(one.sop_uid)
    known = sa.select(Series.series_uid, Series.id).where(
        Series.organisation_id == row.organisation_id, Series.study_id == row.study_id, Series.series_uid.in_(made)
    )
    for series_uid, series_id in session.execute(known):
        made[series_uid].series_id = series_id
    return list(made.values())

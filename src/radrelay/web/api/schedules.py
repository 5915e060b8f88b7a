"""Schedules of fetching: administrators enter them, try them without effect, and read what they did."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal, Right
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.models import Study
from radrelay.retrieve.errors import RetrieveOff, RunNotFound, ScheduleInvalid, ScheduleRuns
from radrelay.retrieve.models import FetchRun, FetchSchedule
from radrelay.retrieve.schedules import service
from radrelay.retrieve.schedules.finding import Candidate, Found, Origin
from radrelay.retrieve.schedules.origins import origin_of
from radrelay.retrieve.schedules.plan import Plan
from radrelay.retrieve.schedules.work import fetched_before, nodes_of
from radrelay.settings.zones import zone_of
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services
from radrelay.web.fetching import archives_of, reached, within_reach
from radrelay.web.problems import Trouble
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/schedules", tags=["schedules"])


class Run(BaseModel):
    """A run of a schedule. `here` were here already; `left_out` says why how many were not fetched.

    `more`: a PACS has more than it was asked for.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    schedule_id: uuid.UUID
    reason: str
    state: str
    created_at: datetime
    stops_at: datetime | None
    ended_at: datetime | None
    found: int
    here: int
    fetched: int
    failed: int
    bytes: int
    left_out: dict[str, int]
    more: bool
    error: Trouble | None


class Schedule(BaseModel):
    """A schedule: what it says, when it runs next (none: switched off, or without times), and its last run."""

    id: uuid.UUID
    plan: Plan
    next_at: datetime | None
    changed_by: str
    changed_at: datetime
    last: Run | None


class Schedules(BaseModel):
    """An organisation's schedules. `enabled`: fetching is switched on here at all; else they do nothing."""

    enabled: bool
    zone: str
    schedules: list[Schedule]


class Runs(BaseModel):
    """A schedule's runs, newest first."""

    runs: list[Run]


class RunStudy(BaseModel):
    """A study that a run found and that was not here; `study_id` once it is and the caller may see it."""

    pacs_id: uuid.UUID
    study_uid: str
    study_date: date | None
    modalities: str
    state: str
    left_by: str
    study_id: uuid.UUID | None


class RunStudies(BaseModel):
    """A run and its studies from archives that the caller may fetch from."""

    run: Run
    studies: list[RunStudy]


class WantedTrial(BaseModel):
    """What is to be tried: a plan as it would be kept; for priors the study here whose they are."""

    model_config = ConfigDict(extra="forbid")

    plan: Plan
    schedule_id: uuid.UUID | None = None
    study_id: uuid.UUID | None = None


class TrialStudy(BaseModel):
    """A study that would be fetched, or why it would not."""

    pacs_id: uuid.UUID
    study_uid: str
    patient_id: str
    patient_name: str
    study_date: str
    description: str
    modalities: list[str]
    instances: int | None
    expected_bytes: int
    left_by: str


class Trial(BaseModel):
    """What a schedule would fetch now."""

    studies: list[TrialStudy]
    more: bool
    errors: dict[uuid.UUID, Trouble] = Field(default_factory=dict)


@router.get("")
def list_schedules(services: Services, principal: Administrator) -> Schedules:
    """List the organisation's schedules by name."""
    with services.database.read() as session:
        rows = service.schedules_of(session, principal.organisation_id)
        enabled, zone = services.archives is not None, services.settings.work.zone
        return Schedules(enabled=enabled, zone=zone, schedules=[_shown(session, row) for row in rows])


@router.post("", status_code=201)
def create_schedule(request: Request, services: Services, principal: Administrator, plan: Plan) -> Schedule:
    """Add a schedule."""
    with services.database.write() as session:
        zone = zone_of(services.settings.work.zone)
        row = service.create_schedule(session, services.clock, principal.organisation_id, plan, zone, principal.name)
        trail.write(session, trail.event(request, principal, "schedule.create", ("schedule", row.id)))
        return _shown(session, row)


@router.put("/{schedule_id}")
def change_schedule(
    request: Request, services: Services, principal: Administrator, schedule_id: uuid.UUID, plan: Plan
) -> Schedule:
    """Change a schedule: all that it says is replaced."""
    with services.database.write() as session:
        zone = zone_of(services.settings.work.zone)
        before = service.plan_of(service.get_schedule(session, principal.organisation_id, schedule_id))
        row = service.change_schedule(
            session, services.clock, principal.organisation_id, schedule_id, plan, zone, principal.name
        )
        changed = sorted(name for name in Plan.model_fields if getattr(before, name) != getattr(plan, name))
        detail = {"changed": changed}
        trail.write(session, trail.event(request, principal, "schedule.change", ("schedule", row.id), detail=detail))
        return _shown(session, row)


@router.delete("/{schedule_id}", status_code=204)
def delete_schedule(
    request: Request, services: Services, principal: Administrator, schedule_id: uuid.UUID
) -> None:  # fmt: skip
    """Remove a schedule; what it has fetched stays."""
    with services.database.write() as session:
        service.delete_schedule(session, services.clock, principal.organisation_id, schedule_id)
        trail.write(session, trail.event(request, principal, "schedule.delete", ("schedule", schedule_id)))


@router.post("/try")
def try_schedule(request: Request, services: Services, principal: Administrator, wanted: WantedTrial) -> Trial:
    """Say what a schedule would fetch now, without fetching; of archives that the caller may fetch from."""
    archives_of(services)
    if services.finder is None:
        raise RetrieveOff
    wanted.plan.check()
    now, done = services.clock.now(), frozenset[str]()
    with services.database.write() as session:
        targets = [reached(services, session, principal, one) for one in wanted.plan.pacs]
        nodes, issuers = nodes_of(session, principal.organisation_id, wanted.plan)
        if wanted.schedule_id is not None:
            row = service.get_schedule(session, principal.organisation_id, wanted.schedule_id)
            done = fetched_before(session, row.id)
        origin = _origin(services, session, principal, wanted)
        hidden = access.kept_from(session, principal, now=now)
        detail = {"pacs": [one.name for one in targets], "schedule": wanted.plan.name}
        trail.write(session, trail.event(request, principal, "schedule.try", detail=detail))
    found = services.finder.find(
        principal.organisation_id, wanted.plan, nodes, issuers, now, hidden, origin=origin, done=done
    )
    return _tried(found)


@router.post("/{schedule_id}/runs", status_code=201)
def run_schedule(
    request: Request, services: Services, principal: Administrator, schedule_id: uuid.UUID
) -> Run:  # fmt: skip
    """Run a schedule now; it is searched for and fetched by itself."""
    with services.database.write() as session:
        row = service.get_schedule(session, principal.organisation_id, schedule_id)
        archives_of(services)
        if row.kind == "priors":
            raise ScheduleInvalid("kind: priors are fetched when a study or an order comes", field="kind")
        now, zone = services.clock.now(), zone_of(services.settings.work.zone)
        run = service.start_run(session, row, "hand", f"hand {uuid.uuid4()}", now, zone)
        if run is None:
            raise ScheduleRuns
        trail.write(session, trail.event(request, principal, "schedule.run", ("schedule", schedule_id)))
        return _run(run)


@router.get("/{schedule_id}/runs")
def list_runs(services: Services, principal: Administrator, schedule_id: uuid.UUID) -> Runs:
    """List what a schedule has done."""
    with services.database.read() as session:
        service.get_schedule(session, principal.organisation_id, schedule_id)
        return Runs(runs=[_run(row) for row in service.runs_of(session, principal.organisation_id, schedule_id)])


@router.get("/{schedule_id}/runs/{fetch_run_id}")
def read_run(
    services: Services, principal: Administrator, schedule_id: uuid.UUID, fetch_run_id: uuid.UUID
) -> RunStudies:
    """Tell which studies a run has fetched, and which it left and why."""
    with services.database.read() as session:
        run = _own(session, principal, schedule_id, fetch_run_id)
        within = {row.id for row in within_reach(services, session, principal)}
        rows = [row for row in service.studies_of(session, run) if row.pacs_id in within]
        hidden = access.kept_from(session, principal, now=services.clock.now())
        rows = [row for row in rows if not hidden(row.study_uid, row.patient_id_value)]
        here = _here(services, session, principal, [row.study_uid for row in rows])
        told = ("pacs_id", "study_uid", "study_date", "modalities", "state", "left_by")
        studies = [
            RunStudy(**{name: getattr(row, name) for name in told}, study_id=here.get(row.study_uid)) for row in rows
        ]
        return RunStudies(run=_run(run), studies=studies)


@router.post("/{schedule_id}/runs/{fetch_run_id}/stop")
def stop_run(
    request: Request, services: Services, principal: Administrator, schedule_id: uuid.UUID, fetch_run_id: uuid.UUID
) -> Run:
    """Stop a run: it asks for nothing more; what is under way comes still."""
    with services.database.write() as session:
        _own(session, principal, schedule_id, fetch_run_id)
        run = service.stop_run(session, services.clock, principal.organisation_id, fetch_run_id)
        trail.write(session, trail.event(request, principal, "schedule.stop", ("schedule", schedule_id)))
        return _run(run)


def _own(session: Session, principal: Principal, schedule_id: uuid.UUID, fetch_run_id: uuid.UUID) -> FetchRun:
    service.get_schedule(session, principal.organisation_id, schedule_id)
    run = service.get_run(session, principal.organisation_id, fetch_run_id)
    if run.schedule_id != schedule_id:
        raise RunNotFound
    return run


def _origin(services: WebServices, session: Session, principal: Principal, wanted: WantedTrial) -> Origin | None:
    """Return the study whose priors are tried; raises `StudyNotFound`, `ScheduleInvalid`."""
    if wanted.plan.kind != "priors":
        return None
    if wanted.study_id is None:
        raise ScheduleInvalid("study_id: the study here whose priors are looked for", field="study_id")
    seen = Reach.of(services, session, principal, Right.SEE).newest_studies([Study.id == wanted.study_id], 1)
    found = origin_of(session, wanted.study_id) if seen else None
    if found is None:
        raise StudyNotFound
    return found[1]


def _here(
    services: WebServices, session: Session, principal: Principal, study_uids: Sequence[str]
) -> dict[str, uuid.UUID]:
    reach, found = Reach.of(services, session, principal, Right.SEE), dict[str, uuid.UUID]()
    for start in range(0, len(study_uids), 500):
        named = [Study.study_uid.in_(study_uids[start : start + 500])]
        found |= {row.study_uid: row.id for row in reach.newest_studies(named, 500)}
    return found


def _shown(session: Session, row: FetchSchedule) -> Schedule:
    last = service.last_run(session, row)
    return Schedule(
        id=row.id, plan=service.plan_of(row), next_at=row.next_at, changed_by=row.changed_by,
        changed_at=row.changed_at, last=_run(last) if last is not None else None,
    )  # fmt: skip


def _run(run: FetchRun) -> Run:
    of_row: dict[str, Any] = {
        name: getattr(run, name) for name in Run.model_fields if name not in ("left_out", "error")
    }
    return Run(**of_row, left_out=json.loads(run.left_out), error=Trouble.shown(service.trouble_of(run)))


def _tried(found: Found) -> Trial:
    errors = {pacs: shown for pacs, one in found.troubles.items() if (shown := Trouble.shown(one)) is not None}
    return Trial(studies=[_tried_study(one) for one in found.candidates], more=found.more, errors=errors)


def _tried_study(one: Candidate) -> TrialStudy:
    names = ("study_uid", "patient_id", "patient_name", "study_date", "description", "instances")
    told: dict[str, Any] = {name: getattr(one.study, name) for name in names}
    return TrialStudy(**told, pacs_id=one.pacs_id, modalities=list(one.study.modalities), left_by=one.left_by,
                      expected_bytes=one.expected_bytes)  # fmt: skip

"""The commands of schedules of fetching: made, tried, run, switched and looked up without the pages."""

from __future__ import annotations

import json
import uuid

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.app.commands import command_principal, opened
from radrelay.app.core import Core
from radrelay.app.prepare import Prepared
from radrelay.app.retrieving import connector
from radrelay.app.schedules import open_finder
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.models import Study
from radrelay.intake.landing import Landing
from radrelay.intake.sources import SourceBook
from radrelay.retrieve.errors import RetrieveOff, ScheduleInvalid, ScheduleNotFound, ScheduleRuns
from radrelay.retrieve.models import FetchRun, FetchSchedule
from radrelay.retrieve.nodes import every_pacs
from radrelay.retrieve.schedules import service
from radrelay.retrieve.schedules.finding import Found, Origin
from radrelay.retrieve.schedules.origins import origin_of
from radrelay.retrieve.schedules.plan import Plan
from radrelay.retrieve.schedules.work import barred_from, fetched_before, nodes_of
from radrelay.settings import Settings
from radrelay.settings.zones import zone_of


def list_command(settings: Settings) -> int:
    """Print the schedules, one a line."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        for row in service.schedules_of(session, prepared.organisation_id):
            last = service.last_run(session, row)
            told = f"  next {row.next_at:%Y-%m-%d %H:%M} UTC" if row.next_at else ""
            told += f"  last {last.state}, {last.fetched} fetched" if last is not None else ""
            print(f"{row.id}  {row.name}  {row.kind}{'' if row.enabled else '  off'}{told}")  # noqa: T201
    return 0


def show_command(settings: Settings, schedule: str) -> int:
    """Print a schedule as JSON."""
    with opened(settings) as (_core, prepared), _core.database.read() as session:
        plan = service.plan_of(_named(session, prepared.organisation_id, schedule))
        print(json.dumps(plan.model_dump(mode="json"), ensure_ascii=False, indent=2))  # noqa: T201
    return 0


def add_command(settings: Settings, text: str) -> int:
    """Make a schedule; prints its id."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        plan = _plan(session, prepared.organisation_id, text)
        zone, by = zone_of(settings.work.zone), command_principal(prepared).name
        row = service.create_schedule(session, core.clock, prepared.organisation_id, plan, zone, by)
        _record(session, prepared, "schedule.create", row)
        print(row.id)  # noqa: T201
    return 0


def switch_command(settings: Settings, schedule: str, *, enabled: bool) -> int:
    """Switch a schedule on or off."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        row = _named(session, prepared.organisation_id, schedule)
        plan = service.plan_of(row).model_copy(update={"enabled": enabled})
        zone, by = zone_of(settings.work.zone), command_principal(prepared).name
        service.change_schedule(session, core.clock, prepared.organisation_id, row.id, plan, zone, by)
        detail: dict[str, object] = {"changed": ["enabled"]}
        audit.record(
            session, audit.AuditRecord("schedule.change", command_principal(prepared), "schedule", row.id, detail)
        )
    return 0


def run_command(settings: Settings, schedule: str, study: str, *, dry_run: bool) -> int:
    """Begin a run, or only tell what it would fetch now."""
    if not settings.retrieve.enabled:
        raise RetrieveOff
    with opened(settings) as (core, prepared):
        if dry_run:
            return _try(core, prepared, schedule, study)
        with core.database.write() as session:
            row = _named(session, prepared.organisation_id, schedule)
            if row.kind == "priors":
                raise ScheduleInvalid("kind: priors are fetched when a study or an order comes", field="kind")
            zone = zone_of(settings.work.zone)
            run = service.start_run(session, row, "hand", f"hand {uuid.uuid4()}", core.clock.now(), zone)
            if run is None:
                raise ScheduleRuns
            _record(session, prepared, "schedule.run", row)
            print(run.id)  # noqa: T201
    return 0


def history_command(settings: Settings, schedule: str) -> int:
    """Print a schedule's runs, one a line."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        row = _named(session, prepared.organisation_id, schedule)
        for run in service.runs_of(session, prepared.organisation_id, row.id):
            print(_told(run))  # noqa: T201
    return 0


def remove_command(settings: Settings, schedule: str) -> int:
    """Remove a schedule."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        row = _named(session, prepared.organisation_id, schedule)
        _record(session, prepared, "schedule.delete", row)
        service.delete_schedule(session, core.clock, prepared.organisation_id, row.id)
    return 0


def _try(core: Core, prepared: Prepared, schedule: str, study: str) -> int:
    organisation, now = prepared.organisation_id, core.clock.now()
    with core.database.write() as session:
        row = _named(session, organisation, schedule)
        plan = service.plan_of(row)
        nodes, issuers = nodes_of(session, organisation, plan)
        origin = _origin(session, organisation, study) if plan.kind == "priors" else None
        hidden, done = barred_from(session, organisation, now), fetched_before(session, row.id)
        detail: dict[str, object] = {"pacs": [one.name for one in nodes], "schedule": row.name}
        audit.record(
            session, audit.AuditRecord("schedule.try", command_principal(prepared), "schedule", row.id, detail)
        )
    book = SourceBook(core.database, core.settings)
    landing = Landing.open(core.settings, "command", core.keyring, core.clock, allowance=book)
    try:
        finder = open_finder(core, connector(core, landing, book))
        found = finder.find(organisation, plan, nodes, issuers, now, hidden, origin=origin, done=done)
    finally:
        landing.close()
    _print_found(found, {node.id: node.name for node in nodes})
    return 1 if found.troubles else 0


def _print_found(found: Found, names: dict[uuid.UUID, str]) -> None:
    for one in found.candidates:
        study = one.study
        images = "?" if study.instances is None else str(study.instances)
        told = "  ".join(filter(None, (study.study_date, "/".join(study.modalities), study.description)))
        fate = f"left: {one.left_by}" if one.left_by else "would be fetched"
        print(f"{study.study_uid}  {names.get(one.pacs_id, '')}  {images} images  {told}  {fate}")  # noqa: T201
    print(f"{len(found.wanted)} of {len(found.candidates)} would be fetched")  # noqa: T201
    for pacs_id, trouble in found.troubles.items():
        print(f"{names.get(pacs_id, '')}: {trouble.detail}")  # noqa: T201


def _told(run: FetchRun) -> str:
    left = ", ".join(f"{count} {why}" for why, count in json.loads(run.left_out).items())
    fetched = f"{run.fetched} fetched ({run.bytes / 1e6:.0f} MB)"
    counts = f"{run.found} found, {run.here} here, {fetched}, {run.failed} failed"
    told = f"{run.created_at:%Y-%m-%d %H:%M}  {run.reason}  {run.state}  {counts}"
    return told + (f"  left: {left}" if left else "") + (f"  {run.error}" if run.error else "")


def _plan(session: Session, organisation_id: uuid.UUID, text: str) -> Plan:
    """Read a plan; raises `ScheduleInvalid`."""
    named = {one.name.casefold(): str(one.id) for one in every_pacs(session, organisation_id)}
    try:
        told = json.loads(text)
        if isinstance(told, dict) and isinstance(told.get("pacs"), list):
            told["pacs"] = [named.get(str(one).casefold(), one) for one in told["pacs"]]
        return Plan.model_validate(told)
    except json.JSONDecodeError as error:
        raise ScheduleInvalid(f"this is no JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(one) for one in first["loc"])
        raise ScheduleInvalid(f"{place}: {first['msg']}", field=place) from error


def _named(session: Session, organisation_id: uuid.UUID, wanted: str) -> FetchSchedule:
    for row in service.schedules_of(session, organisation_id):
        if wanted.casefold() in (str(row.id), row.name.casefold()):
            return row
    raise ScheduleNotFound


def _origin(session: Session, organisation_id: uuid.UUID, study_uid: str) -> Origin:
    found = sa.select(Study.id).where(Study.organisation_id == organisation_id, Study.study_uid == study_uid)
    study_id = session.scalar(found)
    origin = origin_of(session, study_id) if study_id is not None else None
    if origin is None:
        raise StudyNotFound
    return origin[1]


def _record(session: Session, prepared: Prepared, action: str, row: FetchSchedule) -> None:
    audit.record(session, audit.AuditRecord(action, command_principal(prepared), "schedule", row.id))

"""Schedules as they are kept: entered, changed, removed, and their history."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, tzinfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.retrieve.errors import RunEnded, RunNotFound, ScheduleExists, ScheduleNotFound
from radrelay.retrieve.models import Fetch, FetchRun, FetchRunStudy, FetchSchedule
from radrelay.retrieve.nodes import get_pacs
from radrelay.retrieve.schedules.plan import Plan
from radrelay.retrieve.schedules.times import clock_after, read_times
from radrelay.storage.ids import new_id

OPEN = ("waiting", "fetching")
LISTED = 200


def schedules_of(session: Session, organisation_id: uuid.UUID) -> list[FetchSchedule]:
    """Return an organisation's schedules by name."""
    mine = sa.select(FetchSchedule).where(FetchSchedule.organisation_id == organisation_id)
    return list(session.scalars(mine.order_by(FetchSchedule.name)))


def get_schedule(session: Session, organisation_id: uuid.UUID, schedule_id: uuid.UUID) -> FetchSchedule:
    """Return one schedule; raises `ScheduleNotFound`."""
    found = session.get(FetchSchedule, schedule_id)
    if found is None or found.organisation_id != organisation_id:
        raise ScheduleNotFound
    return found


def plan_of(row: FetchSchedule) -> Plan:
    """Return what a schedule says."""
    return Plan.model_validate_json(row.plan)


def create_schedule(
    session: Session, clock: Clock, organisation_id: uuid.UUID, plan: Plan, zone: tzinfo | None, by: str
) -> FetchSchedule:
    """Add a schedule; raises `ScheduleInvalid`, `PacsNotFound`."""
    now = clock.now()
    row = FetchSchedule(id=new_id(), organisation_id=organisation_id, created_at=now)
    return _write(session, row, plan, zone, by, now)


def change_schedule(
    session: Session, clock: Clock, organisation_id: uuid.UUID, schedule_id: uuid.UUID, plan: Plan,
    zone: tzinfo | None, by: str,
) -> FetchSchedule:  # fmt: skip
    """Replace what a schedule says; for what runs its load and limits count at once."""
    row = get_schedule(session, organisation_id, schedule_id)
    return _write(session, row, plan, zone, by, clock.now())


def delete_schedule(session: Session, clock: Clock, organisation_id: uuid.UUID, schedule_id: uuid.UUID) -> None:
    """Remove a schedule; what it has not asked for yet stays where it is, its history stays."""
    row = get_schedule(session, organisation_id, schedule_id)
    for run in session.scalars(sa.select(FetchRun).where(FetchRun.schedule_id == row.id, FetchRun.state.in_(OPEN))):
        end_run(session, run, "stopped", clock.now(), left_by="stopped")
    session.delete(row)


def start_run(
    session: Session, row: FetchSchedule, reason: str, occasion: str, now: datetime, zone: tzinfo | None,
    since: datetime | None = None,
) -> FetchRun | None:  # fmt: skip
    """Begin a run of a schedule, which the role `work` carries out; None if it ran for this occasion, or still runs.

    Its time window counts from `since`, when it was due. A run for priors is given whose they are by the caller.
    """
    same = sa.select(FetchRun.id).where(FetchRun.schedule_id == row.id, FetchRun.occasion == occasion[:200])
    if session.scalar(same) is not None or (row.kind != "priors" and _is_running(session, row)):
        return None
    plan = plan_of(row)
    stops = clock_after(plan.stop_at, since or now, zone) if plan.stop_at else None
    run = FetchRun(
        id=new_id(), organisation_id=row.organisation_id, schedule_id=row.id, schedule=row.name, kind=row.kind,
        reason=reason, occasion=occasion[:200], created_at=now, stops_at=stops,
    )  # fmt: skip
    session.add(run)
    session.flush()
    return run


def _is_running(session: Session, row: FetchSchedule) -> bool:
    """Say whether a schedule's last run is not over: a further one at the same time would double the load.

    Of two that ask at once the second waits for the row, and then sees what the first began.
    """
    session.execute(sa.select(FetchSchedule.id).where(FetchSchedule.id == row.id).with_for_update())
    running = sa.select(FetchRun.id).where(FetchRun.schedule_id == row.id, FetchRun.state.in_(OPEN))
    return session.scalar(running.limit(1)) is not None


def runs_of(session: Session, organisation_id: uuid.UUID, schedule_id: uuid.UUID) -> list[FetchRun]:
    """Return a schedule's newest runs, newest first."""
    mine = sa.select(FetchRun).where(FetchRun.organisation_id == organisation_id, FetchRun.schedule_id == schedule_id)
    return list(session.scalars(mine.order_by(FetchRun.created_at.desc(), FetchRun.id.desc()).limit(LISTED)))


def last_run(session: Session, row: FetchSchedule) -> FetchRun | None:
    """Return a schedule's newest run."""
    mine = sa.select(FetchRun).where(FetchRun.schedule_id == row.id)
    return session.scalars(mine.order_by(FetchRun.created_at.desc(), FetchRun.id.desc()).limit(1)).first()


def studies_of(session: Session, run: FetchRun) -> list[FetchRunStudy]:
    """Return the studies that a run found and that were not here, in the order of fetching."""
    mine = sa.select(FetchRunStudy).where(FetchRunStudy.run_id == run.id)
    return list(session.scalars(mine.order_by(FetchRunStudy.place)))


def get_run(session: Session, organisation_id: uuid.UUID, run_id: uuid.UUID) -> FetchRun:
    """Return one run; raises `RunNotFound`."""
    found = session.get(FetchRun, run_id)
    if found is None or found.organisation_id != organisation_id:
        raise RunNotFound
    return found


def stop_run(session: Session, clock: Clock, organisation_id: uuid.UUID, run_id: uuid.UUID) -> FetchRun:
    """Stop a run: what it has not asked for yet is left, what is under way goes on; raises `RunEnded`."""
    run = get_run(session, organisation_id, run_id)
    if run.state not in OPEN:
        raise RunEnded
    end_run(session, run, "stopped", clock.now(), left_by="stopped")
    return run


def end_run(session: Session, run: FetchRun, state: str, now: datetime, *, left_by: str = "") -> None:
    """End a run; what still waits is left by `left_by`. Whose the fetched studies are, they tell themselves."""
    waiting = sa.and_(FetchRunStudy.run_id == run.id, FetchRunStudy.state == "waiting")
    if left_by:
        left = session.execute(
            sa.update(FetchRunStudy).where(waiting).values(state="left", left_by=left_by).returning(FetchRunStudy.id)
        ).all()
        if left:
            counts = json.loads(run.left_out)
            counts[left_by] = counts.get(left_by, 0) + len(left)
            run.left_out = json.dumps(counts)
    run.state, run.ended_at, run.claimed_until = state, now, None
    run.patient_name, run.patient_birth_date, run.patient_sex = "", None, ""
    blank = {"patient_id_value": "", "patient_name": "", "description": ""}
    session.execute(sa.update(FetchRunStudy).where(FetchRunStudy.run_id == run.id).values(**blank))


def tell(run: FetchRun, trouble: Trouble) -> None:
    """Write into a run what stands against it."""
    run.error, run.error_code, run.error_facts = trouble.detail, trouble.code, json.dumps(dict(trouble.facts))


def trouble_of(run: FetchRun) -> Trouble | None:
    """Return what stands against a run."""
    return Trouble(run.error_code, run.error, json.loads(run.error_facts)) if run.error_code else None


def hold_open(session: Session, now: datetime) -> int:
    """Stop what runs and switch schedules off, for the rows are of a restored copy: it asks nobody by itself."""
    for row in session.scalars(sa.select(FetchSchedule).where(FetchSchedule.enabled.is_(True))):
        row.enabled, row.next_at = False, None
        row.plan = plan_of(row).model_copy(update={"enabled": False}).model_dump_json()
    runs = session.scalars(sa.select(FetchRun).where(FetchRun.state.in_(OPEN))).all()
    for run in runs:
        end_run(session, run, "stopped", now, left_by="stopped")
    return len(runs)


def forget_ended(session: Session, before: datetime) -> int:
    """Forget runs that ended before."""
    ids = list(session.scalars(sa.select(FetchRun.id).where(FetchRun.ended_at < before).limit(500)))
    if ids:
        session.execute(sa.delete(FetchRunStudy).where(FetchRunStudy.run_id.in_(ids)))
        session.execute(sa.delete(FetchRun).where(FetchRun.id.in_(ids)))
    return len(ids)


def forget_of(session: Session, study_uid: str) -> None:
    """Forget what runs say of a study, for its patient wants to be forgotten."""
    session.execute(sa.delete(FetchRunStudy).where(FetchRunStudy.study_uid == study_uid))
    session.execute(sa.delete(FetchRun).where(FetchRun.study_uid == study_uid))


def was_fetched(session: Session, organisation_id: uuid.UUID, study_uid: str) -> bool:
    """Say whether a study came because somebody or something fetched it: such a one asks for no priors."""
    fetch = sa.select(Fetch.id).where(Fetch.organisation_id == organisation_id, Fetch.study_uid == study_uid)
    asked = sa.select(FetchRunStudy.id).where(
        FetchRunStudy.organisation_id == organisation_id,
        FetchRunStudy.study_uid == study_uid,
        FetchRunStudy.asked_at.is_not(None),
    )
    return any(session.scalar(one.limit(1)) is not None for one in (fetch, asked))


def next_run(plan: Plan, after: datetime, zone: tzinfo | None) -> datetime | None:
    """Return when a schedule runs next; None for one that is switched off or has no times."""
    if not plan.enabled or plan.kind == "priors":
        return None
    return read_times(plan.times).after(after, zone)


def _write(
    session: Session, row: FetchSchedule, plan: Plan, zone: tzinfo | None, by: str, now: datetime
) -> FetchSchedule:  # fmt: skip
    plan.check()
    for pacs_id in plan.pacs:
        get_pacs(session, row.organisation_id, pacs_id)
    row.name, row.kind, row.enabled, row.plan = plan.name.strip(), plan.kind, plan.enabled, plan.model_dump_json()
    row.next_at = next_run(plan, now, zone)
    row.changed_by, row.changed_at = by[:200], now
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise ScheduleExists("name: another schedule has this name", field="name") from error
    return row


def window_over(run: FetchRun, now: datetime) -> bool:
    """Say whether a run may ask for nothing more."""
    return run.stops_at is not None and now >= run.stops_at

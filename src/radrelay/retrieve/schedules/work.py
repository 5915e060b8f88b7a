"""The durable work of schedules: runs begin when they are due, search once, and ask for fetches a few at a time.

All that a run has decided stands in its rows: killed at any moment, it goes on from there. One process leads; a run is
begun and searched by a conditional write besides, so that two machines never do the same.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import system_principal
from radrelay.archive.models import Source
from radrelay.clock import Clock
from radrelay.errors import RadrelayError, Trouble
from radrelay.retrieve import fetches
from radrelay.retrieve.errors import RunMissed, SearchedNobody
from radrelay.retrieve.models import Fetch, FetchRun, FetchRunStudy, FetchSchedule, Pacs
from radrelay.retrieve.nodes import node_of
from radrelay.retrieve.ports import PacsNode, Person
from radrelay.retrieve.schedules import service
from radrelay.retrieve.schedules.finding import Candidate, Finder, Found, Origin, study_date_of
from radrelay.retrieve.schedules.plan import Plan
from radrelay.retrieve.schedules.sizes import bytes_of
from radrelay.settings import RetrieveSettings
from radrelay.storage.database import Database

CLAIM = timedelta(minutes=15)
log = structlog.get_logger(__name__)

Retain = Callable[[Session, uuid.UUID, str, uuid.UUID, datetime, date, int], None]
"""Has what a source holds of a study since a moment end so many days after its date (UID, source, since)."""


@dataclass(frozen=True, slots=True)
class _Ready:
    run_id: uuid.UUID
    claim: datetime
    organisation_id: uuid.UUID
    plan: Plan
    nodes: tuple[PacsNode, ...]
    issuers: dict[uuid.UUID, str]
    origin: Origin | None
    done: frozenset[str]
    hidden: Callable[[str, str], bool]


class ScheduleWork:
    """Begins and carries out runs; where fetching is switched off it does nothing."""

    def __init__(
        self, database: Database, clock: Clock, settings: RetrieveSettings, finder: Finder, retain: Retain
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._finder = finder
        self._retain = retain

    def tick(self) -> int:
        """Do what is due; returns how many runs were searched for. Call every second or so, on one machine."""
        if not self._settings.enabled:
            return 0
        self._begin_due()
        searched = self._search_waiting()
        self._carry_on()
        return searched

    def _begin_due(self) -> None:
        now = self._clock.now()
        due = sa.select(FetchSchedule).where(FetchSchedule.next_at <= now)
        with self._database.read() as session:
            if session.scalar(due.with_only_columns(FetchSchedule.id).limit(1)) is None:
                return
        with self._database.write() as session:
            for row in session.scalars(due.order_by(FetchSchedule.next_at).limit(100)).all():
                due_at, following = row.next_at, service.next_run(service.plan_of(row), now, self._finder.zone)
                mine = sa.update(FetchSchedule).where(FetchSchedule.id == row.id, FetchSchedule.next_at == due_at)
                taken = session.execute(mine.values(next_at=following).returning(FetchSchedule.id)).first()
                if taken is None or due_at is None:
                    continue
                service.start_run(session, row, "time", due_at.isoformat(), now, self._finder.zone, since=due_at)

    def _search_waiting(self) -> int:
        count = 0
        while (ready := self._claim()) is not None:
            count += 1
            try:
                found = self._finder.find(
                    ready.organisation_id, ready.plan, ready.nodes, ready.issuers, self._clock.now(), ready.hidden,
                    origin=ready.origin, done=ready.done,
                )  # fmt: skip
            except RadrelayError as error:
                self._fail(ready, Trouble.of(error))
            else:
                self._note_found(ready, found)
        return count

    def _claim(self) -> _Ready | None:
        """Take a run that waits to be searched for; one that nobody came back from in time is taken again."""
        now = self._clock.now()
        free = sa.or_(FetchRun.claimed_until.is_(None), FetchRun.claimed_until <= now)
        waits = sa.select(FetchRun).where(FetchRun.state == "waiting", free).order_by(FetchRun.created_at, FetchRun.id)
        with self._database.read() as session:
            if session.scalar(waits.with_only_columns(FetchRun.id).limit(1)) is None:
                return None
        with self._database.write() as session:
            for run in session.scalars(waits.limit(100)).all():
                row = session.get(FetchSchedule, run.schedule_id)
                if row is None:
                    service.end_run(session, run, "stopped", now)
                elif service.window_over(run, now):
                    service.tell(run, Trouble.of(RunMissed()))
                    self._end(session, run, "missed")
                else:
                    run.claimed_until = now + CLAIM
                    return _ready(session, run, row, now)
        return None

    def _note_found(self, ready: _Ready, found: Found) -> None:
        now = self._clock.now()
        with self._database.write() as session:
            run = _still(session, ready)
            if run is None:
                return
            names = [node.name for node in ready.nodes]
            _record(session, run, "pacs.search", {"pacs": names, "schedule": run.schedule})
            run.found, run.more = len(found.candidates), found.more
            run.here = sum(one.left_by == "here" for one in found.candidates)
            run.left_out = json.dumps(found.left)
            for place, one in enumerate(one for one in found.candidates if one.left_by != "here"):
                session.add(_study_of(run, place, one))
            if found.troubles:
                service.tell(run, next(iter(found.troubles.values())))
            run.state, run.claimed_until = "fetching", None
            session.flush()
            if not ready.nodes or (found.troubles and len(found.troubles) == len(ready.nodes)):
                if not found.troubles:
                    service.tell(run, Trouble.of(SearchedNobody()))
                self._end(session, run, "failed")
            log.info("a schedule was searched for", schedule=str(run.schedule_id), found=run.found, here=run.here,
                     to_fetch=len(found.wanted), at=now.isoformat())  # fmt: skip

    def _fail(self, ready: _Ready, trouble: Trouble) -> None:
        with self._database.write() as session:
            run = _still(session, ready)
            if run is not None:
                service.tell(run, trouble)
                self._end(session, run, "failed")

    def _carry_on(self) -> None:
        with self._database.read() as session:
            ids = list(session.scalars(sa.select(FetchRun.id).where(FetchRun.state == "fetching").limit(100)))
        for run_id in ids:
            with self._database.write() as session:
                run = session.get(FetchRun, run_id)
                if run is not None and run.state == "fetching":
                    self._carry_on_with(session, run)

    def _carry_on_with(self, session: Session, run: FetchRun) -> None:
        now, row = self._clock.now(), session.get(FetchSchedule, run.schedule_id)
        if row is None:
            service.end_run(session, run, "stopped", now, left_by="stopped")
            return
        plan = service.plan_of(row)
        under_way = self._look_after(session, run, plan)
        if service.window_over(run, now):
            self._close_window(session, run)
            under_way = self._look_after(session, run, plan)
        due = run.next_ask_at is None or run.next_ask_at <= now
        waiting = sa.select(FetchRunStudy).where(FetchRunStudy.run_id == run.id, FetchRunStudy.state == "waiting")
        room = plan.at_once - under_way if due else 0
        if plan.most_bytes is not None and room > 0:
            self._leave_too_large(session, run, plan.most_bytes)
        for one in session.scalars(waiting.order_by(FetchRunStudy.place).limit(max(room, 0))).all():
            under_way += self._ask(session, run, one)
            if plan.pause_s:
                run.next_ask_at = now + timedelta(seconds=plan.pause_s)
                break
        if not under_way and session.scalar(waiting.with_only_columns(FetchRunStudy.id).limit(1)) is None:
            self._end(session, run, "done")

    def _leave_too_large(self, session: Session, run: FetchRun, most_bytes: int) -> None:
        """Leave what would go beyond the limit, now that it is known how much came; what is under way comes whole."""
        asked = sa.and_(FetchRunStudy.run_id == run.id, FetchRunStudy.state == "asked")
        under_way = session.scalar(sa.select(sa.func.sum(FetchRunStudy.expected_bytes)).where(asked))
        taken, left = run.bytes + int(under_way or 0), 0
        waiting = sa.select(FetchRunStudy).where(FetchRunStudy.run_id == run.id, FetchRunStudy.state == "waiting")
        for one in session.scalars(waiting.order_by(FetchRunStudy.place)).all():
            if taken + one.expected_bytes > most_bytes:
                one.state, one.left_by = "left", "bytes"
                left += 1
            else:
                taken += one.expected_bytes
        if left:
            told = json.loads(run.left_out)
            told["bytes"] = told.get("bytes", 0) + left
            run.left_out = json.dumps(told)
        session.flush()

    def _look_after(self, session: Session, run: FetchRun, plan: Plan) -> int:
        """Note what came of the fetches that were asked for; returns how many are still under way."""
        asked = sa.select(FetchRunStudy).where(FetchRunStudy.run_id == run.id, FetchRunStudy.state == "asked")
        under_way = 0
        for one in session.scalars(asked).all():
            fetch = session.get(Fetch, one.fetch_id) if one.fetch_id is not None else None
            if fetch is not None and fetch.state in ("waiting", "fetching", "held"):
                under_way += 1
            elif fetch is not None and fetch.state == "done":
                one.state = "done"
                run.fetched += 1
                run.bytes += bytes_of(session, run.organisation_id, one.study_uid)
                if run.kind == "cache" and one.study_date is not None and one.asked_at is not None:
                    self._retain(
                        session, run.organisation_id, one.study_uid, fetch.source_id, one.asked_at, one.study_date,
                        plan.keep_days,
                    )  # fmt: skip
            else:
                one.state = "failed"
                run.failed += 1
        return under_way

    def _close_window(self, session: Session, run: FetchRun) -> None:
        """Leave what waits; a fetch of this run's own that waits for another attempt ends, one under way goes on."""
        now = self._clock.now()
        waiting = sa.and_(FetchRunStudy.run_id == run.id, FetchRunStudy.state == "waiting")
        left = session.execute(
            sa.update(FetchRunStudy).where(waiting).values(state="left", left_by="window").returning(FetchRunStudy.id)
        ).all()
        asked = sa.select(FetchRunStudy, Fetch).join(Fetch, Fetch.id == FetchRunStudy.fetch_id)
        own = asked.where(
            FetchRunStudy.run_id == run.id, FetchRunStudy.state == "asked", Fetch.state == "waiting",
            Fetch.correlation_id == str(run.id),
        )  # fmt: skip
        count = len(left)
        for one, fetch in session.execute(own).all():
            fetches.cancel_fetch(session, self._clock, run.organisation_id, fetch.id)
            one.state, one.left_by = "left", "window"
            count += 1
        if count:
            told = json.loads(run.left_out)
            told["window"] = told.get("window", 0) + count
            run.left_out = json.dumps(told)
        log.info("a schedule's window is over", schedule=str(run.schedule_id), left=count, at=now.isoformat())

    def _ask(self, session: Session, run: FetchRun, one: FetchRunStudy) -> int:
        """Ask for a fetch; returns 1, or 0 where its archive was removed or switched off."""
        wanted = fetches.WantedFetch(
            one.pacs_id, one.study_uid, patient_id=one.patient_id_value, patient_name=one.patient_name,
            description=one.description, study_date=one.study_date, modalities=one.modalities,
        )  # fmt: skip
        try:
            fetch = fetches.request_fetch(
                session, self._clock, run.organisation_id, wanted, requested_by=run.schedule,
                correlation_id=str(run.id),
            )  # fmt: skip
        except RadrelayError as error:
            service.tell(run, Trouble.of(error))
            one.state = "failed"
            run.failed += 1
            return 0
        one.state, one.fetch_id, one.asked_at = "asked", fetch.id, self._clock.now()
        pacs = session.get(Pacs, one.pacs_id)
        audit.record(
            session,
            audit.AuditRecord(
                "fetch.request", system_principal(run.organisation_id), "fetch", fetch.id,
                detail={"pacs": pacs.name if pacs else "", "study_uid": one.study_uid, "schedule": run.schedule},
                patient=("", one.patient_id_value, one.patient_name) if one.patient_id_value else None,
                correlation_id=str(run.id),
            ),
        )  # fmt: skip
        return 1

    def _end(self, session: Session, run: FetchRun, state: str) -> None:
        service.end_run(session, run, state, self._clock.now(), left_by="stopped")
        counts = {"found": run.found, "here": run.here, "fetched": run.fetched, "failed": run.failed}
        outcome = "success" if state == "done" and not run.failed else "failure"
        _record(session, run, "schedule.end", {"schedule": run.schedule, **counts}, outcome)


def note_complete(session: Session, study_ids: Sequence[uuid.UUID], now: datetime, origin_of: OriginOf) -> None:
    """Have the priors of studies that have come looked for, where a schedule says so; what was fetched asks not."""
    for study_id in study_ids:
        found = origin_of(session, study_id)
        if found is not None and not service.was_fetched(session, found[0], found[1].study_uid):
            start_priors(session, found[0], found[1], "study", found[1].study_uid, now)


OriginOf = Callable[[Session, uuid.UUID], tuple[uuid.UUID, Origin] | None]
"""Returns the organisation of a study and what its priors are looked for by, if it says whose it is."""


def asks_for_priors(session: Session) -> bool:
    """Say whether any schedule waits for studies or orders."""
    some = sa.select(FetchSchedule.id).where(FetchSchedule.kind == "priors", FetchSchedule.enabled.is_(True)).limit(1)
    return session.scalar(some) is not None


def start_priors(
    session: Session, organisation_id: uuid.UUID, origin: Origin, reason: str, occasion: str, now: datetime
) -> int:
    """Begin a run of each schedule that looks for priors on such an occasion; returns how many."""
    person, begun = origin.person, 0
    if not person.patient_id:
        return 0
    for row in service.schedules_of(session, organisation_id):
        plan = service.plan_of(row)
        if row.kind != "priors" or not row.enabled or not (plan.on_study if reason == "study" else plan.on_order):
            continue
        run = service.start_run(session, row, reason, f"{reason} {occasion}", now, None)
        if run is not None:
            begun += 1
            run.patient_issuer, run.patient_id, run.patient_name = person.issuer, person.patient_id, person.name
            run.patient_birth_date, run.patient_sex = person.birth_date, person.sex[:16]
            run.modalities, run.body_parts = "\\".join(origin.modalities)[:200], "\\".join(origin.body_parts)[:400]
            run.study_uid = origin.study_uid
    return begun


def nodes_of(
    session: Session, organisation_id: uuid.UUID, plan: Plan
) -> tuple[tuple[PacsNode, ...], dict[uuid.UUID, str]]:
    """Return the archives that a schedule asks, and the issuers of patient IDs that their sources give."""
    found = sa.select(Pacs).where(
        Pacs.organisation_id == organisation_id, Pacs.id.in_(plan.pacs), Pacs.enabled.is_(True)
    )
    rows = {row.id: row for row in session.scalars(found)}
    given = sa.select(Source.id, Source.issuer_of_patient_id).where(Source.organisation_id == organisation_id)
    sources = {row.id: row.issuer_of_patient_id for row in session.execute(given)}
    nodes = tuple(node_of(rows[one]) for one in plan.pacs if one in rows)
    return nodes, {node.id: sources.get(node.source_id, "") for node in nodes}


def fetched_before(session: Session, schedule_id: uuid.UUID) -> frozenset[str]:
    """Return the studies that a schedule has fetched."""
    done = sa.select(FetchRunStudy.study_uid).where(
        FetchRunStudy.schedule_id == schedule_id, FetchRunStudy.state == "done"
    )
    return frozenset(session.scalars(done))


def barred_from(session: Session, organisation_id: uuid.UUID, now: datetime) -> Callable[[str, str], bool]:
    """Return what says whether nobody may process a study, by its UID and patient ID."""
    return access.kept_from(session, system_principal(organisation_id), now=now)


def _ready(session: Session, run: FetchRun, row: FetchSchedule, now: datetime) -> _Ready:
    plan, claim = service.plan_of(row), run.claimed_until or now
    nodes, issuers = nodes_of(session, run.organisation_id, plan)
    origin = None
    if run.kind == "priors":
        person = Person(run.patient_issuer, run.patient_id, run.patient_name, run.patient_birth_date, run.patient_sex)
        modalities, parts = (tuple(x for x in text.split("\\") if x) for text in (run.modalities, run.body_parts))
        origin = Origin(person, modalities, parts, run.study_uid)
    done, hidden = fetched_before(session, row.id), barred_from(session, run.organisation_id, now)
    return _Ready(run.id, claim, run.organisation_id, plan, nodes, issuers, origin, done, hidden)


def _still(session: Session, ready: _Ready) -> FetchRun | None:
    """Return a run that is still this process's to search for."""
    run = session.get(FetchRun, ready.run_id)
    return run if run is not None and run.state == "waiting" and run.claimed_until == ready.claim else None


def _study_of(run: FetchRun, place: int, one: Candidate) -> FetchRunStudy:
    study = one.study
    return FetchRunStudy(
        organisation_id=run.organisation_id, run_id=run.id, schedule_id=run.schedule_id, kind=run.kind, place=place,
        pacs_id=one.pacs_id, study_uid=study.study_uid[:64], state="left" if one.left_by else "waiting",
        left_by=one.left_by, expected_bytes=one.expected_bytes, patient_id_value=study.patient_id[:64],
        patient_name=study.patient_name[:400],
        description=study.description[:400], study_date=study_date_of(study),
        modalities="\\".join(study.modalities)[:200],
    )  # fmt: skip


def _record(session: Session, run: FetchRun, action: str, detail: dict[str, object], outcome: str = "success") -> None:
    audit.record(
        session,
        audit.AuditRecord(
            action, system_principal(run.organisation_id), "schedule", run.schedule_id, detail=detail,
            outcome=outcome, correlation_id=str(run.id),
        ),
    )  # fmt: skip

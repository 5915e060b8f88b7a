"""Runs of analyses: asked for, listed, cancelled, tried again, run again with other parameters."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.analysis import using
from radrelay.analysis.errors import AnalysisRunNotFound, HeldAfterRestore, NothingToAnalyse, RunOver, RunUnderWay
from radrelay.analysis.kinds import Kind
from radrelay.analysis.models import AnalysisRun
from radrelay.analysis.switching import require_on
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.tables import SERIES
from radrelay.errors import Trouble
from radrelay.storage.ids import new_id
from radrelay.storage.outbox import emit

ATTEMPT = "analysis.attempt"
OPEN = ("waiting", "running")
ENDED = ("done", "refused", "failed", "cancelled")
STATES = (*OPEN, *ENDED)
PAGE = 100
FILING = "filing"
"""The step in which results land: from then on a run is not cancelled any more."""


@dataclass(frozen=True, slots=True)
class Result:
    """An object that a run made."""

    sop_uid: str
    series_uid: str
    description: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a run, of what, and with which values."""

    organisation_id: uuid.UUID
    study_id: uuid.UUID
    asked_kind: str
    asked_by: str
    parameters: Mapping[str, object] | None = None
    series: Sequence[uuid.UUID] = ()
    rerun_of: uuid.UUID | None = None
    correlation_id: str = ""


def request_run(session: Session, now: datetime, kind: Kind, asked: Asked) -> AnalysisRun:
    """Ask for a run; what does it hears of it by the event. Raises `AnalysisOff`, `ParametersInvalid`,
    `NothingToAnalyse`.
    """
    here = require_on(session, asked.organisation_id, kind)
    values = kind.filled(here.parameters, kind.checked(asked.parameters or {}))
    refs = inputs(session, now, kind, asked.organisation_id, asked.study_id, asked.series)
    if not refs:
        raise NothingToAnalyse(f"the study has no images that {kind.name} takes", kind=kind.name)
    row = AnalysisRun(
        id=new_id(), organisation_id=asked.organisation_id, study_id=asked.study_id, kind=kind.name,
        version=kind.version, parameters=json.dumps(values), series=",".join(str(one) for one in asked.series),
        inputs=digest_of(refs), state="waiting", step="", share=0.0, machine="", memory_bytes=here.memory_bytes,
        cores=here.cores, attempts=0, next_attempt_at=None, asked_kind=asked.asked_kind, asked_by=asked.asked_by[:200],
        rerun_of=asked.rerun_of, results="", findings=None, correlation_id=asked.correlation_id[:64], created_at=now,
        changed_at=now,
    )  # fmt: skip
    tell(row, None)
    session.add(row)
    session.flush()
    _emit(session, row, now)
    return row


def inputs(
    session: Session, now: datetime, kind: Kind, organisation_id: uuid.UUID, study_id: uuid.UUID,
    series: Sequence[uuid.UUID] = (),
) -> list[InstanceRef]:  # fmt: skip
    """Return the objects of a study that a kind takes: of its modalities, and made by no analysis here."""
    refs = find_instances(session, now, organisation_id=organisation_id, study_id=study_id)
    of_study = (SERIES.c.organisation_id == organisation_id, SERIES.c.study_id == study_id)
    asked = sa.select(SERIES.c.id, SERIES.c.modality).where(*of_study)
    modality = {one.id: one.modality for one in session.execute(asked)}
    own = made_here(session, study_id)
    return [
        ref
        for ref in refs
        if ref.sop_uid not in own
        and (not kind.modalities or modality.get(ref.series_id) in kind.modalities)
        and (not series or ref.series_id in series)
    ]


def made_here(session: Session, study_id: uuid.UUID) -> set[str]:
    """Return the SOP Instance UIDs of all that analyses made of a study."""
    asked = sa.select(AnalysisRun.results).where(AnalysisRun.study_id == study_id, AnalysisRun.results != "")
    return {one.sop_uid for text in session.scalars(asked) for one in results_from(text)}


def digest_of(refs: Sequence[InstanceRef]) -> str:
    """Return what tells one set of objects from another."""
    return hashlib.sha256("\n".join(sorted(ref.sop_uid for ref in refs)).encode()).hexdigest()


def has_run(session: Session, study_id: uuid.UUID, kind: str, inputs: str) -> bool:
    """Say whether a kind was asked for with these very objects before, however it ended."""
    same = (AnalysisRun.study_id == study_id, AnalysisRun.kind == kind, AnalysisRun.inputs == inputs)
    return session.scalar(sa.select(AnalysisRun.id).where(*same).limit(1)) is not None


def get_run(
    session: Session, organisation_id: uuid.UUID, run_id: uuid.UUID, *, hold: bool = False
) -> AnalysisRun:  # fmt: skip
    """Return a run, with `hold` so that nobody else changes it meanwhile; raises `AnalysisRunNotFound`."""
    row = session.get(AnalysisRun, run_id, with_for_update=hold, populate_existing=hold)
    if row is None or row.organisation_id != organisation_id:
        raise AnalysisRunNotFound
    return row


def list_runs(
    session: Session, organisation_id: uuid.UUID, *, within: sa.ColumnElement[bool] | None = None,
    study_id: uuid.UUID | None = None, state: str = "", kind: str = "", after: uuid.UUID | None = None,
    limit: int = PAGE,
) -> list[AnalysisRun]:  # fmt: skip
    """Return runs, newest first; `after` is the last one of the page before."""
    asked = sa.select(AnalysisRun).where(AnalysisRun.organisation_id == organisation_id)
    if within is not None:
        asked = asked.where(within)
    if study_id is not None:
        asked = asked.where(AnalysisRun.study_id == study_id)
    if state:
        asked = asked.where(AnalysisRun.state == state)
    if kind:
        asked = asked.where(AnalysisRun.kind == kind)
    if after is not None and (last := session.get(AnalysisRun, after)) is not None:
        asked = asked.where(
            sa.tuple_(AnalysisRun.created_at, AnalysisRun.id) < sa.tuple_(sa.literal(last.created_at), last.id)
        )
    return list(session.scalars(asked.order_by(AnalysisRun.created_at.desc(), AnalysisRun.id.desc()).limit(limit)))


def cancel_run(session: Session, organisation_id: uuid.UUID, run_id: uuid.UUID, now: datetime) -> AnalysisRun:
    """Stop a run for good; whatever works on it sees that within a moment. Raises `RunOver`."""
    row = get_run(session, organisation_id, run_id, hold=True)
    if row.state not in OPEN or row.step == FILING:
        raise RunOver
    end(row, "cancelled", now)
    using.note(session, row, using.source_of_study(session, row.study_id), now)
    return row


def retry_run(
    session: Session, organisation_id: uuid.UUID, run_id: uuid.UUID, kind: Kind, now: datetime
) -> AnalysisRun:
    """Have a run that came to nothing begun anew; raises `RunUnderWay`, `RunOver`, `AnalysisOff`."""
    row = get_run(session, organisation_id, run_id, hold=True)
    if row.state in OPEN:
        raise RunUnderWay
    if row.state == "done":
        raise RunOver
    require_on(session, organisation_id, kind)
    row.state, row.attempts, row.finished_at, row.step, row.share = "waiting", 0, None, "", 0.0
    row.version = kind.version
    tell(row, None)
    row.changed_at = now
    _emit(session, row, now)
    return row


def hold_open(session: Session, now: datetime) -> int:
    """Have runs that a restored backup left open wait for a person: what they made may have been sent since."""
    rows = session.scalars(sa.select(AnalysisRun).where(AnalysisRun.state.in_(OPEN))).all()
    for row in rows:
        row.state, row.finished_at, row.changed_at = "failed", now, now
        tell(row, Trouble.of(HeldAfterRestore()))
    return len(rows)


def rerun(
    session: Session, now: datetime, kind: Kind, before: AnalysisRun, asked_kind: str, asked_by: str,
    parameters: Mapping[str, object], correlation_id: str,
) -> AnalysisRun:  # fmt: skip
    """Ask for a run of the same series with other values; those not named stay as they were."""
    kept = {name: value for name, value in json.loads(before.parameters).items() if name in kind.filled()}
    series = [uuid.UUID(one) for one in before.series.split(",") if one]
    asked = Asked(
        before.organisation_id, before.study_id, asked_kind, asked_by, kept | dict(parameters), series, before.id,
        correlation_id,
    )  # fmt: skip
    return request_run(session, now, kind, asked)


def end(row: AnalysisRun, state: str, now: datetime) -> None:
    """Note how a run ended."""
    row.state, row.finished_at, row.next_attempt_at, row.changed_at = state, now, None, now


def emit_due(session: Session, now: datetime) -> int:
    """Turn waits that are over into events; returns how many."""
    due = (AnalysisRun.state == "waiting", AnalysisRun.next_attempt_at <= now)
    rows = session.scalars(sa.select(AnalysisRun).where(*due).order_by(AnalysisRun.created_at).limit(100)).all()
    for row in rows:
        row.next_attempt_at = None
        _emit(session, row, now)
    return len(rows)


def any_due(session: Session, now: datetime) -> bool:
    """Say whether a wait is over."""
    due = (AnalysisRun.state == "waiting", AnalysisRun.next_attempt_at <= now)
    return session.scalar(sa.select(AnalysisRun.id).where(*due).limit(1)) is not None


def tell(row: AnalysisRun, trouble: Trouble | None) -> None:
    """Write into a run why it is not done; None: nothing stands against it."""
    row.error = trouble.detail if trouble is not None else ""
    row.error_code = trouble.code if trouble is not None else ""
    row.error_facts = json.dumps(dict(trouble.facts) if trouble is not None else {})


def trouble_of(row: AnalysisRun) -> Trouble | None:
    """Return what was written of an error, none if nothing was."""
    return Trouble(row.error_code, row.error, json.loads(row.error_facts)) if row.error_code else None


def results_from(text: str) -> list[Result]:
    """Return the objects that a run made, as they were written down."""
    return [Result(*one) for one in json.loads(text)] if text else []


def results_text(results: Sequence[Result]) -> str:
    """Return what is written down of the objects that a run makes."""
    return json.dumps([[one.sop_uid, one.series_uid, one.description] for one in results])


def counts(session: Session, organisation_id: uuid.UUID) -> dict[tuple[str, str], int]:
    """Return how many runs of each kind wait and run."""
    asked = sa.select(AnalysisRun.kind, AnalysisRun.state, sa.func.count()).where(
        AnalysisRun.organisation_id == organisation_id, AnalysisRun.state.in_(OPEN)
    )
    return {
        (kind, state): int(n) for kind, state, n in session.execute(asked.group_by(AnalysisRun.kind, AnalysisRun.state))
    }


def _emit(session: Session, row: AnalysisRun, now: datetime) -> None:
    emit(session, organisation_id=row.organisation_id, kind=ATTEMPT, subject_id=row.id, at=now)

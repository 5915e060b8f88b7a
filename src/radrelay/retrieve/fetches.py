"""Fetches: a study or series on its way from an archive elsewhere.

A fetch is `waiting` (for its first or next attempt), `fetching`, `done`, `failed` or `cancelled`; or `held`: it was
open in a backup that was restored, and goes on when a person says so. An attempt is one piece of durable work; between
attempts nothing sleeps: the time of the next one stands in the row, and `emit_due` turns it into an event. What is
here is never fetched again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.retrieve.errors import FetchEnded, FetchNotFound, PacsDisabled, PacsNotFound
from radrelay.retrieve.models import Fetch
from radrelay.retrieve.nodes import OPEN_STATES, get_pacs
from radrelay.settings import RetrieveSettings
from radrelay.storage import outbox
from radrelay.storage.ids import new_id

ATTEMPT = "fetch.attempt"
LISTED = 500


@dataclass(frozen=True)
class WantedFetch:
    """What somebody wants to have fetched, with what the archive said of it, for the list."""

    pacs_id: uuid.UUID
    study_uid: str
    series_uid: str = ""
    patient_id: str = ""
    patient_name: str = ""
    description: str = ""
    study_date: date | None = None
    modalities: str = ""


def request_fetch(
    session: Session,
    clock: Clock,
    organisation_id: uuid.UUID,
    wanted: WantedFetch,
    *,
    requested_by: str,
    correlation_id: str,
) -> Fetch:
    """Ask for a fetch; its first attempt follows from the event that is written with it.

    The same order from the same archive that is still open is that one: asked for twice, it is fetched once.
    Raises `PacsNotFound`, `PacsDisabled`.
    """
    pacs = get_pacs(session, organisation_id, wanted.pacs_id)
    if pacs.kind == "worklist":
        raise PacsNotFound("nothing is fetched from a worklist")
    if not pacs.enabled:
        raise PacsDisabled
    same = sa.select(Fetch).where(
        Fetch.organisation_id == organisation_id,
        Fetch.pacs_id == pacs.id,
        Fetch.study_uid == wanted.study_uid,
        Fetch.series_uid == wanted.series_uid,
        Fetch.state.in_(OPEN_STATES),
    )
    known = session.scalars(same.limit(1)).first()
    if known is not None:
        return known
    row = Fetch(
        id=new_id(),
        organisation_id=organisation_id,
        pacs_id=pacs.id,
        source_id=pacs.source_id,
        study_uid=wanted.study_uid,
        series_uid=wanted.series_uid,
        patient_id_value=wanted.patient_id[:64],
        patient_name=wanted.patient_name[:400],
        description=wanted.description[:400],
        study_date=wanted.study_date,
        modalities=wanted.modalities[:200],
        requested_by=requested_by,
        correlation_id=correlation_id,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    _emit(session, row, clock.now())
    return row


def list_fetches(session: Session, organisation_id: uuid.UUID, pacs_ids: Collection[uuid.UUID]) -> list[Fetch]:
    """Return the newest fetches from these archives, newest first."""
    found = sa.select(Fetch).where(Fetch.organisation_id == organisation_id, Fetch.pacs_id.in_(pacs_ids))
    return list(session.scalars(found.order_by(Fetch.created_at.desc(), Fetch.id.desc()).limit(LISTED)))


def get_fetch(session: Session, organisation_id: uuid.UUID, fetch_id: uuid.UUID) -> Fetch:
    """Return one fetch; raises `FetchNotFound`."""
    found = session.get(Fetch, fetch_id)
    if found is None or found.organisation_id != organisation_id:
        raise FetchNotFound
    return found


def cancel_fetch(session: Session, clock: Clock, organisation_id: uuid.UUID, fetch_id: uuid.UUID) -> Fetch:
    """Stop a fetch; what is under way is cancelled at the archive, what has come stays."""
    row = get_fetch(session, organisation_id, fetch_id)
    if row.state not in OPEN_STATES:
        raise FetchEnded
    finish(row, "cancelled", clock.now())
    return row


def retry_fetch(session: Session, clock: Clock, organisation_id: uuid.UUID, fetch_id: uuid.UUID) -> Fetch:
    """Try again at once what failed, was cancelled, waits or is held: only what is missing is fetched."""
    row = get_fetch(session, organisation_id, fetch_id)
    if row.state in ("done", "fetching"):
        raise FetchEnded
    row.state, row.next_attempt_at, row.finished_at = "waiting", None, None
    row.attempts, row.created_at = 0, clock.now()
    tell(row, None)
    _emit(session, row, clock.now())
    return row


def hold_open(session: Session) -> int:
    """Hold every fetch that is open, so that a restored copy calls nobody by itself; returns how many."""
    opened = sa.update(Fetch).where(Fetch.state.in_(("waiting", "fetching")))
    return len(session.execute(opened.values(state="held", next_attempt_at=None).returning(Fetch.id)).all())


def emit_due(session: Session, clock: Clock) -> int:
    """Turn waits that are over into events; returns how many. Call every second or so."""
    now = clock.now()
    due = sa.select(Fetch).where(Fetch.state == "waiting", Fetch.next_attempt_at <= now)
    rows = session.scalars(due.limit(200)).all()
    for row in rows:
        row.next_attempt_at = None
        _emit(session, row, now)
    return len(rows)


def any_due(session: Session, clock: Clock) -> bool:
    """Say whether a wait is over, without taking the writer's place."""
    due = sa.select(Fetch.id).where(Fetch.state == "waiting", Fetch.next_attempt_at <= clock.now()).limit(1)
    return session.scalar(due) is not None


def forget_ended(session: Session, before: datetime) -> int:
    """Forget fetches that ended before: the record keeps who asked for what."""
    gone = sa.delete(Fetch).where(Fetch.finished_at < before)
    return len(session.execute(gone.returning(Fetch.id)).all())


def forget_of(session: Session, study_uid: str) -> None:
    """Forget what was fetched of a study, for its patient wants to be forgotten."""
    session.execute(sa.delete(Fetch).where(Fetch.study_uid == study_uid))


def finish(row: Fetch, state: str, at: datetime) -> None:
    """End a fetch. Of one that is done the study is here, with its patient's name: no more is kept of that."""
    row.state, row.finished_at, row.next_attempt_at = state, at, None
    if state == "done":
        row.patient_id_value = row.patient_name = row.description = ""


def tell(row: Fetch, trouble: Trouble | None) -> None:
    """Write into a fetch why it is not done; None: nothing stands against it."""
    row.error = trouble.detail if trouble is not None else ""
    row.error_code = trouble.code if trouble is not None else ""
    row.error_facts = json.dumps(dict(trouble.facts) if trouble is not None else {})


def trouble_of(row: Fetch) -> Trouble | None:
    """Return why a fetch is not done, if something stands against it."""
    if not row.error_code:
        return None
    return Trouble(row.error_code, row.error, json.loads(row.error_facts))


def next_pause(attempts: int, settings: RetrieveSettings) -> timedelta:
    """Return the wait after so many attempts: doubled each time, up to the cap."""
    return timedelta(seconds=min(settings.retry_first_s * 2.0 ** min(attempts - 1, 30), settings.retry_cap_s))


def _emit(session: Session, row: Fetch, at: datetime) -> None:
    outbox.emit(session, organisation_id=row.organisation_id, kind=ATTEMPT, subject_id=row.id, at=at)

"""Imports as rows: found, listed, moved from one state to the next, ended.

An import moves in the transaction in which something happens to it; work on it follows from the event that is written
with it. What two people do at once is decided by the row: whoever comes second hears `ImportElsewhere`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Trouble
from radrelay.importer import announced, broken_off, put_aside
from radrelay.importer.errors import AttemptsSpent, Unanswered
from radrelay.importer.import_errors import ImportElsewhere, ImportHeld, ImportUnknown
from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.written_down import refused_of
from radrelay.intake.models import RawFile
from radrelay.intake.raw_files import discard_raw
from radrelay.storage.outbox import emit

ATTEMPT = "import.attempt"
FETCHING, ASKING, RECEIVING, CHECKING = "fetching", "asking", "receiving", "checking"
OPEN, FILING, FILED, FAILED, OVER = "open", "filing", "filed", "failed", "over"
STATES = (FETCHING, ASKING, RECEIVING, CHECKING, OPEN, FILING, FILED, FAILED, OVER)
WORKED_ON = (FETCHING, CHECKING, FILING)
PAGE = 100
FILING_LEFT = timedelta(hours=6)
"""So long an import whose time is over while it is filed is left to come to the end of that."""
MOST_ANSWERS = 30
"""So often an import is answered, rightly or wrongly: a browser asks several things, and nobody guesses on."""
_UNTRACKED = {"synchronize_session": False}


def get_case(
    session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, *, states: Sequence[str] = (), lock: bool = False
) -> ImportCase:
    """Return an import; raises `ImportUnknown`, or `ImportElsewhere` if it is in none of `states`.

    Locked, it is worked on by nobody until the transaction ends.
    """
    row = session.get(ImportCase, case_id, populate_existing=True, with_for_update=lock or None)
    if row is None or row.organisation_id != organisation_id:
        raise ImportUnknown
    if states and row.state not in states:
        raise ImportElsewhere(state=row.state)
    return row


def list_cases(
    session: Session,
    organisation_id: uuid.UUID,
    source_ids: Sequence[uuid.UUID] | None,
    *,
    states: Sequence[str] = (),
    after: uuid.UUID | None = None,
    limit: int = PAGE,
) -> list[ImportCase]:
    """Return imports, newest first, of some sources if given; `after` is the last one of the page before."""
    asked = sa.select(ImportCase).where(ImportCase.organisation_id == organisation_id)
    if source_ids is not None:
        asked = asked.where(ImportCase.source_id.in_(source_ids))
    if states:
        asked = asked.where(ImportCase.state.in_(states))
    if after is not None and (last := session.get(ImportCase, after)) is not None:
        earlier = sa.tuple_(ImportCase.created_at, ImportCase.id) < sa.tuple_(sa.literal(last.created_at), last.id)
        asked = asked.where(earlier)
    return list(session.scalars(asked.order_by(ImportCase.created_at.desc(), ImportCase.id.desc()).limit(limit)))


def people_of(session: Session, case_id: uuid.UUID) -> list[ImportPerson]:
    """Return whom a parcel names, in its order."""
    asked = sa.select(ImportPerson).where(ImportPerson.case_id == case_id).order_by(ImportPerson.number)
    return list(session.scalars(asked))


def people_in(session: Session, case_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[ImportPerson]]:
    """Return whom some parcels name, each in its order."""
    asked = sa.select(ImportPerson).where(ImportPerson.case_id.in_(case_ids)).order_by(ImportPerson.number)
    found: dict[uuid.UUID, list[ImportPerson]] = {}
    for one in session.scalars(asked):
        found.setdefault(one.case_id, []).append(one)
    return found


def move(session: Session, row: ImportCase, state: str, now: datetime, trouble: Trouble | None = None) -> None:
    """Have an import be in a state from now on; work that follows is asked for."""
    row.state, row.changed_at, row.next_attempt_at, row.packs_since = state, now, None, None
    if row.asks_until is not None:  # what was asked while a browser waited is nothing without it
        row.questions, row.picture, row.asks_until = "[]", None, None
    tell(row, trouble)
    if state in WORKED_ON:
        row.attempts = 0
        emit(session, organisation_id=row.organisation_id, kind=ATTEMPT, subject_id=row.id, at=now)
    if state in (FILED, OVER):
        row.finished_at = now
        row.sealed = None


def count_answers(row: ImportCase) -> None:
    """Count that an import, which is locked, is answered once more; raises `AttemptsSpent`."""
    if row.answers_sent >= MOST_ANSWERS:
        raise AttemptsSpent(limit=MOST_ANSWERS)
    row.answers_sent += 1


def add_bytes(session: Session, row: ImportCase, count: int, now: datetime) -> None:
    """Count bytes that were brought for an import now; several files of it may come at once."""
    row.last_came_at = now
    row.bytes_received = ImportCase.bytes_received + count
    session.flush()


def bytes_brought(session: Session, row: ImportCase) -> int:
    """Return how many bytes that somebody brought are in the rows of an import.

    What was fetched, or came too late, stands for none that has not come.
    """
    refused = [uuid.UUID(one) for one in refused_of(row)]
    here = sa.select(sa.func.sum(RawFile.size)).where(
        RawFile.parcel_id == row.parcel_id, RawFile.thing.is_(None), RawFile.id.not_in(refused)
    )
    return int(session.scalar(here) or 0)


def waits_turn(row: ImportCase) -> bool:
    """Say whether nothing has begun to work on an import that is to be worked on."""
    return row.state in WORKED_ON and row.attempts == 0


def fail(session: Session, row: ImportCase, trouble: Trouble, now: datetime) -> None:
    """Have an import wait for a person, who may have it go on where it was."""
    row.resumes = row.state
    move(session, row, FAILED, now, trouble)


def any_unanswered(session: Session, now: datetime) -> bool:
    """Say whether nobody has answered in time what a portal asks."""
    return session.scalar(sa.select(ImportCase.id).where(*_unanswered(now)).limit(1)) is not None


def end_unanswered(session: Session, now: datetime) -> int:
    """Have imports that nobody answered in time wait for somebody to begin them anew; returns how many."""
    asked = sa.select(ImportCase).where(*_unanswered(now)).order_by(ImportCase.id).limit(PAGE)
    rows = session.scalars(asked.with_for_update().execution_options(populate_existing=True)).all()
    for row in rows:
        move(session, row, FAILED, now, Trouble.of(Unanswered(host=row.host)))
        row.resumes = FETCHING
    return len(rows)


def _unanswered(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return ImportCase.state == ASKING, ImportCase.asks_until <= now


def tell(row: ImportCase, trouble: Trouble | None) -> None:
    """Write into an import what stands against it; None: nothing does."""
    row.error = trouble.detail if trouble is not None else ""
    row.error_code = trouble.code if trouble is not None else ""
    row.error_facts = json.dumps(dict(trouble.facts) if trouble is not None else {})


def trouble_of(row: ImportCase) -> Trouble | None:
    """Return what stands against an import, none if nothing does."""
    return Trouble(row.error_code, row.error, json.loads(row.error_facts)) if row.error_code else None


def end(session: Session, row: ImportCase, reason: str, now: datetime) -> None:
    """End an import, with the archive locked: what came is erased, whom it named is forgotten; what was filed stays.

    What it put into the quarantine goes, unless somebody has released it. What landed of a filing that broke off goes,
    unless a restored backup does not know how far that had come.
    """
    if row.error_code != ImportHeld.code:
        broken_off.drop(session, row, now, reason)
    broken_off.spare(session, row)
    put_aside.drop_all(session, row, now, reason)
    discard_raw(session, [row.parcel_id], reason, now)
    for table in (ImportObject, ImportPaper, ImportPerson):
        session.execute(sa.delete(table).where(table.case_id == row.id), execution_options=_UNTRACKED)
    announced.forget(session, row.id)
    row.birth_date, row.listed, row.questions, row.findings, row.confirmed = None, "", "[]", "[]", "{}"
    row.lacking, row.came, row.objects, row.names_end_at = "[]", "", 0, None
    move(session, row, OVER, now)


def over(session: Session, now: datetime) -> list[uuid.UUID]:
    """Return imports whose time is over; one that is being filed has some more."""
    hung = sa.or_(ImportCase.state != FILING, ImportCase.ends_at <= now - FILING_LEFT)
    ended = (ImportCase.ends_at <= now, ImportCase.state != OVER, hung)
    return list(session.scalars(sa.select(ImportCase.id).where(*ended).limit(PAGE)))


def late(session: Session) -> list[uuid.UUID]:
    """Return parcels of imports that have ended, of which something came all the same: it was on its way."""
    ended = sa.select(ImportCase.parcel_id).join(RawFile, RawFile.parcel_id == ImportCase.parcel_id)
    return list(session.scalars(ended.where(ImportCase.state == OVER).distinct().limit(PAGE)))


def forget_ended(session: Session, before: datetime) -> int:
    """Forget imports that ended before a moment; returns how many."""
    ended = sa.delete(ImportCase).where(ImportCase.state == OVER, ImportCase.changed_at < before)
    return int(getattr(session.execute(ended, execution_options=_UNTRACKED), "rowcount", 0) or 0)


def emit_due(session: Session, now: datetime) -> int:
    """Turn waits that are over into events; returns how many."""
    due = (ImportCase.state.in_(WORKED_ON), ImportCase.next_attempt_at <= now)
    rows = session.scalars(sa.select(ImportCase).where(*due).order_by(ImportCase.created_at).limit(100)).all()
    for row in rows:
        row.next_attempt_at = None
        emit(session, organisation_id=row.organisation_id, kind=ATTEMPT, subject_id=row.id, at=now)
    return len(rows)


def any_due(session: Session, now: datetime) -> bool:
    """Say whether a wait is over."""
    due = (ImportCase.state.in_(WORKED_ON), ImportCase.next_attempt_at <= now)
    return session.scalar(sa.select(ImportCase.id).where(*due).limit(1)) is not None


def hold_open(session: Session, now: datetime) -> int:
    """Have imports that a restored backup left at work wait for a person: they may have been filed since."""
    rows = session.scalars(sa.select(ImportCase).where(ImportCase.state.in_(WORKED_ON))).all()
    for row in rows:
        fail(session, row, Trouble.of(ImportHeld()), now)
    return len(rows)

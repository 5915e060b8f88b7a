"""The durable work of imports: fetching, checking, filing; each begun anew after a crash without anything coming twice.

What a portal or this house does not manage just now is tried again a few times by itself; what only a person can mend
waits for one, and says what it is.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.archive.locking import lock_archive
from radrelay.clock import Clock
from radrelay.errors import NotFound, RadrelayError, Trouble, Unavailable
from radrelay.importer import broken_off, cases, hosts
from radrelay.importer.all_here import wait_for_all
from radrelay.importer.bounds import Bounds, spent_s, with_time
from radrelay.importer.browser.keeping import Keeping
from radrelay.importer.cases import ASKING, CHECKING, FETCHING, FILING, OPEN, WORKED_ON
from radrelay.importer.checking import check, open_parcel, require_same, write_down
from radrelay.importer.deciding import is_undecided, reopen
from radrelay.importer.errors import AnswerUnusable, AnswerWrong, BegunAgain, GivenUp, PortalStalled, PortalTrouble
from radrelay.importer.filing_turn import FilingTurn
from radrelay.importer.following import Fetched, Follow, Walk, Wanted, fetch, listed_text, questions_text
from radrelay.importer.health import note_fetch
from radrelay.importer.import_errors import (
    FetchUnforeseen,
    FileChanged,
    ImportBroken,
    ImportOutOfBounds,
    ImportStopped,
    ImportUnconfirmed,
    ImportUndecided,
)
from radrelay.importer.models import ImportCase
from radrelay.importer.sealing import LinkSeal
from radrelay.importer.slots import Slots
from radrelay.importer.surroundings import Surroundings, know_ahead
from radrelay.importer.turns import Turn, TurnBroken, TurnOver
from radrelay.importer.upkeep import Upkeep
from radrelay.intake.landing import Landing
from radrelay.intake.sources import get_source
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.outbox import Event
from radrelay.storage.segments import SegmentReader

log = structlog.get_logger(__name__)

MOST_ATTEMPTS = 5
PAUSES_S = (10.0, 60.0, 300.0)
TURN_S = 10.0
"""After so long at the latest an import asks anew whether it is its turn."""
LEFT_TO_OTHERS = timedelta(seconds=30)


class Parts(NamedTuple):
    """What the work is done with."""

    settings: Settings
    database: Database
    clock: Clock
    reader: SegmentReader
    landing: Landing
    seal: LinkSeal
    follow: Follow
    surroundings: Surroundings


class ImportWork:
    """Carries imports on."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._under_way: set[uuid.UUID] = set()
        self._stuck: set[uuid.UUID] = set()
        self._closing = threading.Event()
        self._keeping = Keeping(self._waits)
        self._upkeep = Upkeep(parts.settings, parts.database, parts.clock)
        self._slots = Slots(parts.settings.importer.concurrency)

    @property
    def machine(self) -> str:
        """The name of this process among all that work."""
        return self._parts.landing.log.owner

    def close(self) -> None:
        """Stop what is under way here; it is begun anew wherever there is room."""
        self._closing.set()
        self._keeping.close()

    def attempt(self, event: Event) -> None:
        """Do what an import's state asks for, once."""
        case_id = event.subject_id
        if case_id in self._under_way:
            self.postpone(case_id)
            return
        self._under_way.add(case_id)
        try:
            turn = self._begin(case_id)
            if turn is not None:
                self._carry_out(turn)
        finally:
            self._under_way.discard(case_id)
            for waiting in self._slots.leave(case_id):
                self.postpone(waiting, 0.0)

    def postpone(self, case_id: uuid.UUID, after_s: float = 1.0) -> None:
        """Look at an import again a little later, if something is to be done for it."""
        later = self._parts.clock.now() + timedelta(seconds=after_s)
        with self._parts.database.write() as session:
            waits = sa.update(ImportCase).where(ImportCase.id == case_id, ImportCase.state.in_(WORKED_ON))
            session.execute(waits.values(next_attempt_at=later))

    def revive(self, attended: Collection[uuid.UUID] = ()) -> int:
        """Go on with imports that nothing works on, met so twice; returns how many. `attended` are worked on."""
        lost = sa.and_(ImportCase.state.in_(WORKED_ON), ImportCase.next_attempt_at.is_(None))
        with self._parts.database.read() as session:
            stuck = set(session.scalars(sa.select(ImportCase.id).where(lost))) - self._under_way - set(attended)
        again, self._stuck = stuck & self._stuck, stuck
        if again:
            with self._parts.database.write() as session:
                due = sa.update(ImportCase).where(ImportCase.id.in_(again), lost)
                session.execute(due.values(next_attempt_at=self._parts.clock.now()))
        return len(again)

    def expire(self) -> int:
        """End imports whose time is over; returns how many."""
        return self._upkeep.expire()

    def forget(self) -> int:
        """Forget what was long ago; returns how much."""
        return self._upkeep.forget()

    def _waits(self, case_id: uuid.UUID) -> bool:
        """Tell whether an import still waits here for an answer, or has just got one."""
        with self._parts.database.read() as session:
            row = session.get(ImportCase, case_id)
            if row is None or row.machine not in ("", self.machine):
                return False
            return row.state == FETCHING or (row.state == ASKING and row.asks_until is not None)

    def _begin(self, case_id: uuid.UUID) -> Turn | None:
        """Take an import on; none where nothing is to be done for it, or it was tried often enough."""
        now = self._parts.clock.now()
        with self._parts.database.write() as session:
            row = session.get(ImportCase, case_id, populate_existing=True)
            if row is None or row.state not in WORKED_ON:
                return None
            if self._is_awaited_elsewhere(row, now):
                row.next_attempt_at = now + timedelta(seconds=1)
                return None
            if row.attempts >= MOST_ATTEMPTS:
                cases.fail(session, row, cases.trouble_of(row) or Trouble.of(ImportBroken()), now)
                return None
            portal = row.host if row.state == FETCHING else None
            if not self._slots.take(case_id, portal, at_once=row.asks_until is not None):
                row.next_attempt_at = now + timedelta(seconds=TURN_S)
                return None
            row.attempts += 1
            row.machine, row.next_attempt_at, row.changed_at, row.packs_since = self.machine, None, now, None
            return Turn(
                self._parts.database, self._parts.clock, self._closing, row.id, row.organisation_id, row.state,
                row.attempts, self.machine,
            )  # fmt: skip

    def _is_awaited_elsewhere(self, row: ImportCase, now: datetime) -> bool:
        """Tell whether a browser of another machine waits for what was answered; for a while it is left to that one."""
        awaited = row.state == FETCHING and row.asks_until is not None and row.machine != self.machine
        return awaited and now - row.changed_at < LEFT_TO_OTHERS

    def _carry_out(self, turn: Turn) -> None:
        acts = {FETCHING: self._fetch, CHECKING: self._check, FILING: self._file}
        try:
            acts[turn.state](turn)
        except TurnOver:
            log.info("an import is not wanted any more", case=str(turn.case_id))
        except TurnBroken:
            self._again(turn, 1.0, None, counts=False)
        except RadrelayError as error:
            self._stumbled(turn, error)
        if turn.state == FILING:
            self._upkeep.withdraw_owed()

    def _stumbled(self, turn: Turn, error: RadrelayError) -> None:
        """Try again what may go another time; have the rest wait for a person."""
        log.warning("an import stumbled", case=str(turn.case_id), state=turn.state, code=error.code)
        if self._passing(turn, error):
            self._again(turn, PAUSES_S[turn.attempt - 1], Trouble.of(error), counts=True)
            return
        with self._parts.database.write() as session:
            try:
                row = turn.mine(session, lock=True)
            except TurnOver:
                return
            if isinstance(error, ImportStopped | ImportUnconfirmed | ImportUndecided):
                reopen(session, row, Trouble.of(error), self._parts.clock.now())
                return
            if isinstance(error, AnswerWrong | AnswerUnusable | FetchUnforeseen):
                self._forget_answers(row)
            cases.fail(session, row, Trouble.of(error), self._parts.clock.now())
            if isinstance(error, FileChanged) and is_undecided(session, row):
                row.resumes = CHECKING  # what landed goes, and all is looked at anew

    @staticmethod
    def _passing(turn: Turn, error: RadrelayError) -> bool:
        """Say whether it is tried again by itself. One that was waited for in vain is not: that a person says."""
        waited = isinstance(error, PortalStalled) or bool(error.facts.get("waited_s"))
        passing = isinstance(error, Unavailable) and not waited
        return passing and turn.attempt <= len(PAUSES_S)

    def _again(self, turn: Turn, after_s: float, trouble: Trouble | None, *, counts: bool) -> None:
        now = self._parts.clock.now()
        later = now + timedelta(seconds=after_s)
        if trouble is not None:
            trouble = replace(trouble, facts={**trouble.facts, "next_attempt_at": later.isoformat()})
        with self._parts.database.write() as session:
            try:
                row = turn.mine(session, lock=True)
            except TurnOver:
                return
            cases.tell(row, with_time(trouble, turn.bounds))
            row.attempts -= not counts
            row.changed_at, row.next_attempt_at = now, later

    def _forget_answers(self, row: ImportCase) -> None:
        """Keep the link of what was entered, and no answer: none of them is sent a second time by itself."""
        if row.sealed is not None:
            entered = self._parts.seal.open(row.id, row.sealed)
            row.sealed = self._parts.seal.close(row.id, replace(entered, answers={}))

    def _fetch(self, turn: Turn) -> None:
        parts = self._parts
        began = time.monotonic()
        with parts.database.read() as session:
            row = turn.mine(session)
            if row.sealed is None:
                raise TurnOver
            entered = parts.seal.open(row.id, row.sealed)
            source = get_source(session, row.organisation_id, row.source_id)
            origin = source.origin(
                correlation_id=row.correlation_id, parcel_id=row.parcel_id, account_id=row.account_id
            )
            born = row.birth_date
            turn.bounds = Bounds.of(parts.settings.importer, spent_s(row))
        raw = msgspec.structs.replace(origin, raw=True)
        walk = Walk()
        try:
            fetched = fetch(parts.follow, Wanted(entered, born, raw), parts.landing, turn, self._keeping, walk)
        except PortalTrouble as error:
            if not self._passing(turn, error):
                self._note_failed(turn, walk, error)
            raise
        except ImportOutOfBounds as error:
            with parts.database.write() as session:
                row = turn.mine(session)
                row.listed = error.listed or row.listed  # of what an earlier turn brought
            raise
        except TurnOver:
            self._note_given_up(turn, walk)
            raise
        if not fetched.asks:
            parts.landing.end(raw)
        self._note_fetched(turn, fetched, walk, time.monotonic() - began)

    def _note_failed(self, turn: Turn, walk: Walk, error: PortalTrouble) -> None:
        now = self._parts.clock.now()
        with self._parts.database.write() as session:
            hosts.note_failure(session, turn.mine(session), error, now)
            note_fetch(session, turn.organisation_id, walk, now, error)

    def _note_given_up(self, turn: Turn, walk: Walk) -> None:
        """Count a download that somebody gave up on its way: it did not come."""
        if walk.doing != "download":
            return
        now, error = self._parts.clock.now(), GivenUp(host=walk.host)
        with self._parts.database.write() as session:
            row = session.get(ImportCase, turn.case_id)
            if row is not None and row.state == cases.OVER:
                hosts.note_failure(session, row, error, now)
                note_fetch(session, turn.organisation_id, walk, now, error)

    def _note_fetched(self, turn: Turn, fetched: Fetched, walk: Walk, seconds: float) -> None:
        now = self._parts.clock.now()
        with self._parts.database.write() as session:
            row = turn.mine(session, lock=True)
            row.connector, row.host = fetched.lead.connector, fetched.lead.host[:255]
            if fetched.asks:
                self._note_asked(session, row, fetched, now)
                return
            row.questions = questions_text(fetched.questions)
            row.listed, row.fetched_at, row.sealed = listed_text(fetched.items), now, None
            hosts.note_success(session, row, seconds, now)
            note_fetch(session, row.organisation_id, walk, now, seconds)
            cases.move(session, row, CHECKING, now)

    def _note_asked(self, session: Session, row: ImportCase, fetched: Fetched, now: datetime) -> None:
        pending = fetched.pending
        again = pending is not None and pending.again
        cases.move(session, row, ASKING, now, Trouble.of(BegunAgain(host=fetched.lead.host)) if again else None)
        row.questions = questions_text(fetched.questions)
        if pending is not None:
            row.picture = self._parts.seal.close_picture(row.id, pending.picture)
            row.asks_until = now + timedelta(seconds=pending.within_s)

    def _check(self, turn: Turn) -> None:
        parts = self._parts
        wait_for_all(parts.database, turn)
        self._upkeep.drop_refused(turn.case_id)
        with parts.database.read() as session:
            case = turn.mine(session)
            parcel = open_parcel(session, parts.reader, parts.settings, case)
            broken = broken_off.is_begun(session, case)
            session.expunge(case)
        if broken:
            self._drop_broken(turn)
        try:
            checked = check(case, parcel, parts.surroundings, turn)
        except NotFound:  # a file that came too late may be erased while it is read
            with parts.database.read() as session:
                require_same(session, turn.mine(session), parcel)
            raise
        if broken:  # what of it was on its way to the index may be there by now
            self._drop_broken(turn)
        know_ahead(parts.surroundings, case, checked.arrived, turn.look)
        now = parts.clock.now()
        with parts.database.write() as session:
            row = turn.mine(session, lock=True)
            require_same(session, row, parcel)
            write_down(session, row, checked)
            row.checked_at = now
            cases.move(session, row, OPEN, now)

    def _drop_broken(self, turn: Turn) -> None:
        """Have what landed of a filing that was stopped go, for nothing tells what that was once all is looked at anew.

        The objects' decisions stay until then, so that this, too, can be begun anew.
        """
        with self._parts.database.write() as session:
            lock_archive(session)
            broken_off.drop(session, turn.mine(session, lock=True), self._parts.clock.now(), "import-stopped")

    def _file(self, turn: Turn) -> None:
        FilingTurn(self._parts, turn).run()

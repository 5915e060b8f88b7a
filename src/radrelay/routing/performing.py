"""The work of passing performed procedure steps on: one process of an installation, a thread for each destination.

A destination that is paused, out of its hours or down keeps its messages waiting, as it does deliveries.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import system_principal
from radrelay.archive.models import Study
from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.network.performed_user import StepMessage
from radrelay.routing import deliveries, steering
from radrelay.routing.ending import called
from radrelay.routing.errors import DestinationOff, Interrupted, ProcessingRestricted, StepNotBegun, StepRefused
from radrelay.routing.models import Destination, StepDelivery
from radrelay.routing.performed import IN_PROGRESS, tell
from radrelay.settings import WorkSettings
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

AT_ONCE = 100
DUPLICATE, NOT_CHANGED_ANY_MORE, BUSY = 0x0111, 0x0110, 0x0213


class StepTeller(Protocol):
    """Tells a destination of steps; `app.stored.DicomCarrier` does."""

    def tell_steps(self, destination: Destination, messages: Iterable[StepMessage]) -> Iterator[tuple[int, str]]:
        """Send messages one after the other and yield each answer's status and comment; raises `Interrupted`."""
        ...


class StepWork:
    """Passes on what waits; only one process does this at a time (`storage.leadership`)."""

    def __init__(self, database: Database, clock: Clock, settings: WorkSettings, teller: StepTeller) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._teller = teller
        self._pool = ThreadPoolExecutor(max(1, settings.concurrency), thread_name_prefix="steps")

    def any_due(self) -> bool:
        """Say whether something waits and may go, without taking the writer's place."""
        with self._database.read() as session:
            return session.scalar(sa.select(StepDelivery.id).where(*_due(self._clock.now())).limit(1)) is not None

    def tick(self) -> int:
        """Pass on what is due to each destination; returns how many messages came to an end."""
        with self._database.read() as session:
            due = sa.select(StepDelivery.destination_id).where(*_due(self._clock.now())).distinct()
            destinations = session.scalars(due).all()
        return sum(self._pool.map(self._pass_on, destinations))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _pass_on(self, destination_id: uuid.UUID) -> int:
        begun = self._begin(destination_id)
        if begun is None:
            return 0
        destination, rows = begun
        ended, asked = 0, rows[0]

        def messages() -> Iterator[StepMessage]:
            nonlocal asked
            for row in rows:
                message = self._asked(row)
                if message is not None:
                    asked = row
                    yield message

        try:
            for status, comment in self._teller.tell_steps(destination, messages()):
                ended += self._answered(destination, asked, status, comment)
        except Interrupted as broken:
            self._interrupted(destination, rows, broken)
        return ended

    def _begin(self, destination_id: uuid.UUID) -> tuple[Destination, list[StepDelivery]] | None:
        """Return what may go to a destination now, in order, none of it behind a message that cannot go yet."""
        now = self._clock.now()
        with self._database.write() as session:
            destination = session.get(Destination, destination_id, with_for_update=True)
            mine = StepDelivery.destination_id == destination_id
            if destination is None or not destination.enabled or not destination.performed_steps:
                off = Trouble.of(DestinationOff("the destination was removed, or wants no steps any more"))
                for row in session.scalars(sa.select(StepDelivery).where(mine, StepDelivery.state == "waiting")):
                    self._end(session, row, "failed", off, destination)
                return None
            wait = steering.wait_of(destination, self._settings, now)
            rows = self._in_turn(session, mine, now)
            if wait is not None:
                for row in rows:
                    tell(row, wait.trouble)
                    row.next_attempt_at = min(wait.until, now + deliveries.next_pause(1, self._settings))
                return None
            steering.claim(destination, self._settings, now)
            session.flush()
            session.expunge_all()
            return (destination, rows) if rows else None

    def _in_turn(self, session: Session, mine: sa.ColumnElement[bool], now: datetime) -> list[StepDelivery]:
        open_ones = sa.select(StepDelivery).where(mine, StepDelivery.state.in_(("waiting", "held")))
        order = open_ones.order_by(StepDelivery.created_at, StepDelivery.sop_uid, StepDelivery.turn)
        stopped: set[str] = set()
        found: list[StepDelivery] = []
        for row in session.scalars(order):
            due = row.state == "waiting" and (row.next_attempt_at is None or row.next_attempt_at <= now)
            if due and row.sop_uid not in stopped and _is_barred(session, row):
                tell(row, Trouble.of(ProcessingRestricted()))
                row.state, due = "held", False
            if not due:
                stopped.add(row.sop_uid)
            elif row.sop_uid not in stopped and len(found) < AT_ONCE:
                found.append(row)
        return found

    def _asked(self, row: StepDelivery) -> StepMessage | None:
        """Note that a message goes now, and return it; none where what comes before it did not get there."""
        with self._database.write() as session:
            kept = session.get(StepDelivery, row.id, with_for_update=True)
            if kept is None or kept.state != "waiting":  # cancelled meanwhile
                return None
            before = sa.select(StepDelivery.state).where(
                StepDelivery.destination_id == row.destination_id, StepDelivery.sop_uid == row.sop_uid
            )
            earlier = session.scalars(before.where(StepDelivery.turn < row.turn)).all()
            if any(state in ("waiting", "held") for state in earlier):
                return None
            if session.scalar(before.where(StepDelivery.turn == 0, StepDelivery.state != "done")) and row.turn:
                self._end(
                    session, kept, "failed", Trouble.of(StepNotBegun()), session.get(Destination, row.destination_id)
                )
                return None
            row.asked = kept.asked  # whether it was under way before
            kept.asked, kept.attempts = True, kept.attempts + 1
            return StepMessage(kept.sop_uid, kept.turn == 0, kept.data_set, kept.transfer_syntax)

    def _answered(self, destination: Destination, asked: StepDelivery, status: int, comment: str) -> int:
        """Write an answer down; returns 1 if the message is at its end."""
        now = self._clock.now()
        with self._database.write() as session:
            if destination.down_since is not None:
                steering.came_up(session, destination.id, now)
                destination.down_since = None
            row = session.get(StepDelivery, asked.id, with_for_update=True)
            if row is None:  # what was kept of the patient was deleted meanwhile
                return 1
            row.status, row.comment = status, comment[:500]
            if _is_there(status) or (asked.asked and _came_before(row, status)):
                self._end(session, row, "done", None, destination)
                return 1
            words = f"the destination answered {status:04X}H" + (f": {comment}" if comment else "")
            trouble = Trouble.of(StepRefused(words, status=f"{status:04X}", said=comment[:200]))
            if status not in (NOT_CHANGED_ANY_MORE, BUSY) or deliveries.too_late_since(
                row.due_since, self._settings, now
            ):
                self._end(session, row, "failed", trouble, destination)
                return 1
            tell(row, trouble)
            row.next_attempt_at = now + deliveries.next_pause(row.attempts, self._settings)
            return 0

    def _interrupted(self, destination: Destination, rows: Sequence[StepDelivery], broken: Interrupted) -> None:
        """Let what could not be told wait; what was tried for too long has failed."""
        now = self._clock.now()
        with self._database.write() as session:
            retry_at = steering.interrupted(session, destination.id, broken, self._settings, now)
            for one in rows:
                row = session.get(StepDelivery, one.id, with_for_update=True)
                if row is None or row.state != "waiting":
                    continue
                if deliveries.too_late_since(row.due_since, self._settings, now):
                    self._end(session, row, "failed", broken.trouble, destination)
                    continue
                tell(row, broken.trouble)
                row.attempts = max(row.attempts, one.attempts + 1)
                row.next_attempt_at = retry_at or now + deliveries.next_pause(row.attempts, self._settings)
        log.warning("performed steps wait for a destination", destination=str(destination.id), code=broken.trouble.code)

    def _end(
        self, session: Session, row: StepDelivery, state: str, trouble: Trouble | None, destination: Destination | None
    ) -> None:
        """End a message, on record: where it got to is a disclosure."""
        row.state, row.next_attempt_at, row.finished_at = state, None, self._clock.now()
        tell(row, trouble)
        detail = {
            "destination": called(destination) if destination is not None else str(row.destination_id),
            "state": row.said_state,
        }
        record = audit.AuditRecord(
            "delivery.step", system_principal(row.organisation_id), "step_delivery", row.id, detail=detail,
            patient=(row.patient_issuer, row.patient_id, "") if row.patient_id else None,
            outcome="success" if state == "done" else "failure", correlation_id=str(row.id),
        )  # fmt: skip
        audit.record(session, record)


def _is_there(status: int) -> bool:
    """Say whether the destination has taken a message: success, or a warning (PS3.7 C.4)."""
    return status in (0x0000, 0x0001, 0x0107, 0x0116) or 0xB000 <= status <= 0xBFFF


def _came_before(row: StepDelivery, status: int) -> bool:
    """Say whether a node that was told this before, with its answer lost, says that it has it."""
    ends = row.turn > 0 and row.said_state != IN_PROGRESS
    return (row.turn == 0 and status == DUPLICATE) or (ends and status == NOT_CHANGED_ANY_MORE)


def _due(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        StepDelivery.state == "waiting",
        sa.or_(StepDelivery.next_attempt_at.is_(None), StepDelivery.next_attempt_at <= now),
    )


def _is_barred(session: Session, row: StepDelivery) -> bool:
    of_study = sa.select(Study.id).where(Study.organisation_id == row.organisation_id, Study.study_uid == row.study_uid)
    study_id = session.scalar(of_study)
    return study_id is not None and access.is_barred(session, study_id)

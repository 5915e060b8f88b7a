"""The work of passing performed procedure steps on: one process of an installation, a thread for each destination.

No destination waits for another. What leads is renewed while something is under way (`StepWork.begin`); a process that
could not renew it tells nothing further.

A destination that is paused, out of its hours or down keeps its messages waiting, as it does deliveries.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, aliased

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
from radrelay.routing.performed import IN_PROGRESS, OPEN, due, put_off, tell
from radrelay.settings import WorkSettings
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

AT_ONCE = 100
LED_S = 15.0
"""So long after it was looked at no other process leads (`storage.leadership`: `LASTS` less `RENEW_S`, with room)."""
AGAIN_S = 5.0
DUPLICATE, NOT_CHANGED_ANY_MORE, BUSY = 0x0111, 0x0110, 0x0213


class StepTeller(Protocol):
    """Tells a destination of steps; `app.stored.DicomCarrier` does."""

    def tell_steps(self, destination: Destination, messages: Iterable[StepMessage]) -> Iterator[tuple[int, str]]:
        """Send messages one after the other and yield each answer's status and comment; raises `Interrupted`."""
        ...


class StepWork:
    """Passes on what waits; only one process does this at a time (`storage.leadership`)."""

    def __init__(
        self, database: Database, clock: Clock, settings: WorkSettings, teller: StepTeller,
        stop: threading.Event | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._settings = settings
        self._teller = teller
        self._pool = ThreadPoolExecutor(max(1, settings.concurrency), thread_name_prefix="steps")
        self._stop = stop or threading.Event()
        self._under_way: dict[uuid.UUID, Future[int]] = {}
        self._not_before: dict[uuid.UUID, float] = {}
        self._led_until = float("-inf")

    def any_to_do(self) -> bool:
        """Say whether something is under way, or waits and may go, without taking the writer's place."""
        if any(not one.done() for one in self._under_way.values()):
            return True
        with self._database.read() as session:
            return session.scalar(sa.select(StepDelivery.id).where(*_goes(self._clock.now())).limit(1)) is not None

    def begin(self) -> list[Future[int]]:
        """Begin to pass on what is due to each destination that is free; for who leads, again and again.

        Each gives how many messages came to an end.
        """
        self._led_until = time.monotonic() + LED_S
        self._under_way = {key: one for key, one in self._under_way.items() if not one.done()}
        with self._database.read() as session:
            asked = sa.select(StepDelivery.destination_id).where(*_goes(self._clock.now())).distinct()
            destinations = session.scalars(asked).all()
        begun = []
        for one in destinations:
            if one not in self._under_way and time.monotonic() >= self._not_before.get(one, 0.0):
                self._under_way[one] = self._pool.submit(self._kept_up, one)
                begun.append(self._under_way[one])
        return begun

    def tick(self) -> int:
        """Pass on what is due and wait until that has ended; returns how many messages came to an end."""
        return sum(one.result() for one in self.begin())

    def close(self) -> None:
        """End the threads, after the messages that are being sent."""
        self._stop.set()
        self._pool.shutdown()

    def _kept_up(self, destination_id: uuid.UUID) -> int:
        self._not_before.pop(destination_id, None)
        try:
            return self._pass_on(destination_id)
        except Exception:  # why: what goes wrong with one destination keeps no other waiting, and is tried again
            log.exception("performed steps could not be passed on", destination=str(destination_id))
            self._not_before[destination_id] = time.monotonic() + AGAIN_S
            return 0

    def _may_go_on(self) -> bool:
        return time.monotonic() < self._led_until and not self._stop.is_set()

    def _pass_on(self, destination_id: uuid.UUID) -> int:
        begun = self._begin(destination_id)
        if begun is None:
            return 0
        destination, rows = begun
        ended, asked = 0, rows[0]

        def messages() -> Iterator[StepMessage]:
            nonlocal asked
            for row in rows:
                message = self._asked(row) if self._may_go_on() else None
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
            if wait is not None:
                put_off(session, destination_id, wait.trouble, wait.until, now)
                return None
            rows = self._in_turn(session, mine, now)
            steering.claim(destination, self._settings, now)
            session.flush()
            session.expunge_all()
            return (destination, rows) if rows else None

    def _in_turn(self, session: Session, mine: sa.ColumnElement[bool], now: datetime) -> list[StepDelivery]:
        first = sa.select(StepDelivery, _BARRED).where(mine, *_goes(now))
        order = first.order_by(StepDelivery.created_at, StepDelivery.sop_uid, StepDelivery.turn).limit(AT_ONCE)
        stopped: set[str] = set()
        found: list[StepDelivery] = []
        for row, is_barred in session.execute(order).all():
            if is_barred and row.sop_uid not in stopped:
                tell(row, Trouble.of(ProcessingRestricted()))
                row.state = "held"
                stopped.add(row.sop_uid)
            elif row.sop_uid not in stopped:
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
            before = {one.id: one for one in rows}
            kept = sa.select(StepDelivery).where(StepDelivery.id.in_(before), StepDelivery.state == "waiting")
            for row in session.scalars(kept.with_for_update()).all():
                if deliveries.too_late_since(row.due_since, self._settings, now):
                    self._end(session, row, "failed", broken.trouble, destination)
                    continue
                tell(row, broken.trouble)
                row.attempts = max(row.attempts, before[row.id].attempts + 1)
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


def _goes(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions of what is due, with nothing before it of the same step that is not."""
    earlier = aliased(StepDelivery)
    later_or_held = sa.or_(earlier.state == "held", earlier.next_attempt_at > now)
    kept_back = sa.exists().where(
        earlier.destination_id == StepDelivery.destination_id, earlier.sop_uid == StepDelivery.sop_uid,
        earlier.turn < StepDelivery.turn, earlier.state.in_(OPEN), later_or_held,
    )  # fmt: skip
    return (*due(now), ~kept_back)


_BARRED = sa.exists().where(
    Study.organisation_id == StepDelivery.organisation_id, Study.study_uid == StepDelivery.study_uid,
    Study.id.in_(access.barred_ids()),
)  # fmt: skip

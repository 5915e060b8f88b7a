"""What follows from received messages: one process works through them, each patient's in the order of their arrival.

A handler runs in the transaction that notes the message as done, so its effects are there once. What fails because a
part does not answer is tried again after growing pauses, and only messages of the same patients wait for it; what
cannot be done is noted with its reason, and the patient's next message follows.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import RadrelayError, Trouble, Unavailable
from radrelay.hl7.content import Change, Content, change_of
from radrelay.hl7.errors import MessageRefused
from radrelay.hl7.keeping import DONE, FAILED, KEPT, WAITING, Inbox
from radrelay.hl7.models import Hl7Message
from radrelay.hl7.sealing import Seal
from radrelay.hl7.trying import understood
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

PAGE = 200
AT_ONCE = 50  # read for one transaction, which takes as many of them as `HELD_S` lets it
AT_ONCE_BYTES = 4 << 20
HELD_S, YIELD_S = 0.05, 0.005
"""So long a transaction goes on to the next message, and so long others may write in between."""
RECEIVING_S = 0.2
"""So long in place of `YIELD_S` while messages come in: their senders wait for an answer, this can wait."""
FIRST_S, CAP_S = 2, 600
MOST_FAULTS = 5
"""An error in the program itself is tried so often."""
OwnedLane = tuple[uuid.UUID, str, str]


class Waiting(NamedTuple):
    """A waiting message, as far as its turn depends on it."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    lanes: str
    next_attempt_at: datetime | None
    type: str
    size: int

    @property
    def owned_lanes(self) -> set[OwnedLane]:
        """Return the patients whose messages keep their order with this one."""
        return {(self.organisation_id, issuer, patient_id) for issuer, patient_id in json.loads(self.lanes)}


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message as a handler is told of it; its id is what effects of it refer to."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    port: str
    type: str
    control_id: str
    received_at: datetime
    replays: int


class _Read(NamedTuple):
    """A message as it was kept, with what says how often it was tried."""

    kept: KeptMessage
    sealed: bytes
    attempts: int
    processed_at: datetime | None


_TABLE = cast(sa.Table, Hl7Message.__table__)
_NOTE = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("of"))
    .values({name: sa.bindparam(name) for name in (
        "state", "attempts", "next_attempt_at", "processed_at", "error", "error_code", "error_facts"
    )})
)  # fmt: skip
Handler = Callable[[Session, KeptMessage, Content], RadrelayError | None]
"""Acts on a message in the caller's transaction; raises an error of `RadrelayError` for what cannot be done.

One that raises `Unavailable` is called again later. It may be called again for a message that is replayed. An error
that is returned is noted with the message, which is done: some of it is for a person to look at.
"""


class Processor:
    """Works through waiting messages; one at a time for an installation (`storage.leadership`)."""

    def __init__(
        self, database: Database, clock: Clock, seal: Seal, inboxes: Mapping[str, Inbox],
        handlers: Mapping[Change, Sequence[Handler]],
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._seal = seal
        self._inboxes = inboxes
        self._handlers = handlers

    def tick(self) -> int:
        """Work on all that waits and is due; returns how many messages came to an end."""
        ended, after = 0, uuid.UUID(int=0)
        stopped: set[OwnedLane] = set()
        newest = self._newest()
        while rows := self._page(after):
            after = rows[-1].id
            idle = [row.id for row in rows if not self._handlers_of(row.type)]
            ended += self._set_aside(idle)
            due = [row for row in rows if self._handlers_of(row.type) and not self._is_stopped(row, stopped)]
            while due:
                ended += self._work(due, stopped)
                newest, before = self._newest(), newest
                time.sleep(YIELD_S if newest in (None, before) else RECEIVING_S)
        return ended

    def _newest(self) -> uuid.UUID | None:
        """Return the message that came last of those that wait."""
        with self._database.read() as session:
            return session.scalar(
                sa.select(Hl7Message.id)
                .where(Hl7Message.direction == "in", Hl7Message.state == WAITING)
                .order_by(Hl7Message.id.desc())
                .limit(1)
            )

    def _page(self, after: uuid.UUID) -> list[Waiting]:
        columns = (
            Hl7Message.id, Hl7Message.organisation_id, Hl7Message.lanes, Hl7Message.next_attempt_at, Hl7Message.type,
            Hl7Message.size,
        )  # fmt: skip
        with self._database.read() as session:
            rows = session.execute(
                sa.select(*columns)
                .where(Hl7Message.direction == "in", Hl7Message.state == WAITING, Hl7Message.id > after)
                .order_by(Hl7Message.id)
                .limit(PAGE)
            )
            return [Waiting(*row) for row in rows]

    def _handlers_of(self, kind: str) -> Sequence[Handler]:
        change = change_of(kind)
        return () if change is None else self._handlers.get(change, ())

    def _set_aside(self, ids: Sequence[uuid.UUID]) -> int:
        """End messages that nothing follows from here; they can be replayed once something does."""
        if ids:
            with self._database.write() as session:
                session.execute(
                    sa.update(Hl7Message)
                    .where(Hl7Message.id.in_(ids), Hl7Message.state == WAITING)
                    .values(state=KEPT, processed_at=self._clock.now())
                )
        return len(ids)

    def _is_stopped(self, row: Waiting, stopped: set[OwnedLane]) -> bool:
        """Say whether a message has to wait, for itself or for an earlier one; those behind it wait for it then."""
        waits = row.next_attempt_at is not None and row.next_attempt_at > self._clock.now()
        if waits or row.owned_lanes & stopped:
            stopped |= row.owned_lanes
            return True
        return False

    def _work(self, due: list[Waiting], stopped: set[OwnedLane]) -> int:
        """Work on the first of `due`, as many as one transaction takes, and take them away."""
        outcomes: list[dict[str, Any]] = []
        with self._database.write() as session:
            rows = _first(due)
            waiting = _read(session, [row.id for row in rows])
            until = time.monotonic() + HELD_S
            for at, row in enumerate(rows):
                if at and time.monotonic() >= until:
                    break
                due.pop(0)
                message = waiting.get(row.id)
                if message is None:  # replayed, ended or deleted meanwhile
                    continue
                if row.owned_lanes & stopped:
                    stopped |= row.owned_lanes
                    continue
                outcome = self._handled(session, message)
                if outcome["state"] == WAITING:
                    stopped |= row.owned_lanes
                outcomes.append(outcome)
            if outcomes:
                session.execute(_NOTE, outcomes)
        return sum(one["state"] != WAITING for one in outcomes)

    def _handled(self, session: Session, message: _Read) -> dict[str, Any]:
        """Let handlers act on a message; returns what is to be noted of it."""
        try:
            content = self._content(message)
            with session.begin_nested():
                said = [one(session, message.kept, content) for one in self._handlers_of(message.kept.type)]
        except Unavailable as error:
            return self._again(message, Trouble.of(error))
        except RadrelayError as error:
            return self._ended(message, FAILED, Trouble.of(error))
        except Exception as error:  # why: one message that no handler foresaw must not stop all that come after it
            log.exception("an HL7 message could not be worked on", message=str(message.kept.id))
            trouble = Trouble("error", f"an error in the program itself ({type(error).__name__}); see the log")
            if message.attempts + 1 >= MOST_FAULTS:
                return self._ended(message, FAILED, trouble)
            return self._again(message, trouble)
        remark = next(filter(None, said), None)
        return self._ended(message, DONE, None if remark is None else Trouble.of(remark))

    def _content(self, message: _Read) -> Content:
        """Return what a message says by the mapping of today; raises what it is refused by."""
        kept = message.kept
        inbox = self._inboxes.get(kept.port)
        if inbox is None:
            raise MessageRefused(f"the port {kept.port} is not set any more, so nothing says how to read this")
        _, content, refusal = understood(self._seal.open(kept.id, message.sealed), inbox.mapping, inbox.reading)
        if refusal is not None:
            raise refusal
        assert content is not None  # noqa: S101 - narrows for the type checker; one of the two is there
        return content

    def _again(self, message: _Read, trouble: Trouble) -> dict[str, Any]:
        pause_s = min(FIRST_S << min(message.attempts, 10), CAP_S)
        next_at = self._clock.now() + timedelta(seconds=pause_s)
        return _noted(message, trouble, state=WAITING, next_attempt_at=next_at, processed_at=message.processed_at)

    def _ended(self, message: _Read, state: str, trouble: Trouble | None) -> dict[str, Any]:
        return _noted(message, trouble, state=state, next_attempt_at=None, processed_at=self._clock.now())


def _first(due: Sequence[Waiting]) -> Sequence[Waiting]:
    """Return as many of the first as are read at once: one at least, and of several no more than fit."""
    sizes = accumulate(row.size for row in due[:AT_ONCE])
    return due[: max(1, sum(size <= AT_ONCE_BYTES for size in sizes))]


def _read(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, _Read]:
    """Return messages that still wait, by their ids."""
    rows = session.execute(
        sa.select(
            _TABLE.c.id, _TABLE.c.organisation_id, _TABLE.c.port, _TABLE.c.type, _TABLE.c.control_id,
            _TABLE.c.received_at, _TABLE.c.replays, _TABLE.c.sealed, _TABLE.c.attempts, _TABLE.c.processed_at,
        )
        .where(_TABLE.c.id.in_(ids), _TABLE.c.state == WAITING)
        .with_for_update()
    )  # fmt: skip
    return {row[0]: _Read(KeptMessage(*row[:7]), row.sealed, row.attempts, row.processed_at) for row in rows}


def _noted(message: _Read, trouble: Trouble | None, **values: Any) -> dict[str, Any]:
    return {
        "of": message.kept.id,
        "attempts": message.attempts + 1,
        "error": "" if trouble is None else trouble.detail,
        "error_code": "" if trouble is None else trouble.code,
        "error_facts": "{}" if trouble is None else json.dumps(dict(trouble.facts)),
        **values,
    }

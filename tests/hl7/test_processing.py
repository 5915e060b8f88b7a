"""What follows from messages: each patient's in order, once, whatever fails in between."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import FixedClock
from radrelay.errors import Conflict, Unavailable
from radrelay.hl7 import Content, Keeping, KeptMessage, Processor, Seal, processing
from radrelay.hl7.mllp import Received
from radrelay.hl7.models import Hl7Message
from radrelay.hl7.processing import _read
from radrelay.storage.database import Database
from radrelay.storage.models import NodeState
from tests.hl7.conftest import INBOX, rows
from tests.hl7.samples import adt, merge, order


@dataclass
class Hand:
    """A handler that writes what it was handed, and fails where it is told to."""

    failing: dict[str, Callable[[], Exception]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def __call__(self, session: Session, kept: KeptMessage, content: Content) -> None:
        assert content.patient is not None
        self.seen.append(kept.control_id)
        session.add(NodeState(name=f"{kept.control_id}/{kept.replays}", value=content.patient.name.encode()))
        session.flush()
        if kept.control_id in self.failing:
            raise self.failing[kept.control_id]()


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def processor(database: Database, clock: FixedClock, seal: Seal, hand: Hand) -> Processor:
    return Processor(database, clock, seal, {"KIS": INBOX}, {"patient": [hand]})


def receive(keeping: Keeping, *frames: bytes) -> None:
    keeping.take([Received("KIS", "x", frame) for frame in frames])


def states(database: Database) -> dict[str, str]:
    return {row.control_id: row.state for row in rows(database)}


def written(database: Database) -> set[str]:
    with database.read() as session:
        return {name.partition("/")[0] for name in session.scalars(sa.select(NodeState.name))}


def test_while_messages_come_they_go_first(
    keeping: Keeping, processor: Processor, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []
    later = iter((adt(control_id="2", patient_id="2"), adt(control_id="3", patient_id="3")))

    def pause(seconds: float) -> None:
        paused.append(seconds)
        if (frame := next(later, None)) is not None:
            receive(keeping, frame)

    monkeypatch.setattr(processing, "HELD_S", 0.0)
    monkeypatch.setattr("radrelay.hl7.processing.time.sleep", pause)
    receive(keeping, adt(control_id="0", patient_id="0"), adt(control_id="1", patient_id="1"))
    assert processor.tick() == 4
    assert paused == [processing.YIELD_S, processing.RECEIVING_S, processing.RECEIVING_S, processing.YIELD_S]


def test_messages_are_worked_on_in_the_order_in_which_they_came(
    keeping: Keeping, database: Database, processor: Processor, hand: Hand
) -> None:
    receive(keeping, *(adt(control_id=str(number), patient_id=str(number % 7)) for number in range(500)))
    receive(keeping, order("O"))
    assert processor.tick() == 501
    assert hand.seen == [str(number) for number in range(500)]
    assert set(states(database).values()) == {"done", "kept"}
    assert states(database)["O"] == "kept"
    assert processor.tick() == 0


def test_large_messages_are_read_few_at_a_time_and_slow_ones_one_by_one(
    keeping: Keeping, processor: Processor, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counted(session: Session, ids: Sequence[uuid.UUID]) -> Any:
        read.append(len(ids))
        return _read(session, ids)

    frames = [adt(control_id=str(number)) for number in range(5)]
    monkeypatch.setattr(processing, "_read", counted)
    monkeypatch.setattr(processing, "AT_ONCE_BYTES", 2 * len(frames[0]))
    receive(keeping, *frames)
    assert processor.tick() == 5
    monkeypatch.setattr(processing, "AT_ONCE_BYTES", 1)
    monkeypatch.setattr(processing, "HELD_S", 0)
    receive(keeping, *(adt(control_id=str(number)) for number in range(5, 8)))
    assert processor.tick() == 3
    assert read == [2, 2, 1, 1, 1, 1]
    assert hand.seen == [str(number) for number in range(8)]


def test_patient_whose_message_waits_waits_and_others_do_not(
    keeping: Keeping, database: Database, processor: Processor, hand: Hand, clock: FixedClock
) -> None:
    hand.failing = {"1": lambda: Unavailable("away")}
    receive(keeping, adt(control_id="1", patient_id="A"), adt(control_id="2", patient_id="B"),
            merge("3", "B", "A"), adt(control_id="4", patient_id="B"), adt(control_id="5", patient_id="C"))  # fmt: skip
    assert processor.tick() == 2
    assert hand.seen == ["1", "2", "5"]
    assert processor.tick() == 0
    assert states(database) == {"1": "waiting", "2": "done", "3": "waiting", "4": "waiting", "5": "done"}
    assert written(database) == {"2", "5"}, "what failed has no effect"
    hand.failing, hand.seen = {}, []
    clock.advance(timedelta(seconds=3))
    assert processor.tick() == 3
    assert hand.seen == ["1", "3", "4"]


def test_message_that_cannot_be_done_ends_and_the_patients_next_one_follows(
    keeping: Keeping, database: Database, processor: Processor, hand: Hand
) -> None:
    hand.failing = {"1": lambda: Conflict("no such study", study="x")}
    receive(keeping, adt(control_id="1"), adt(control_id="2"))
    assert processor.tick() == 2
    assert states(database) == {"1": "failed", "2": "done"}
    assert written(database) == {"2"}
    first = rows(database)[0]
    assert (first.error, first.error_code, first.error_facts) == ("no such study", "conflict", '{"study": "x"}')


def test_fault_in_the_program_is_tried_a_few_times_and_stops_nobody_else(
    keeping: Keeping, database: Database, processor: Processor, hand: Hand, clock: FixedClock
) -> None:
    hand.failing = {"1": ZeroDivisionError}
    receive(keeping, adt(control_id="1"), adt(control_id="2", patient_id="B"))
    for _ in range(6):
        processor.tick()
        clock.advance(timedelta(hours=1))
    assert states(database) == {"1": "failed", "2": "done"}
    assert hand.seen.count("1") == 5
    assert "ZeroDivisionError" in rows(database)[0].error


def test_message_that_was_changed_where_it_lies_is_told_of(
    keeping: Keeping, database: Database, processor: Processor, hand: Hand
) -> None:
    receive(keeping, adt(control_id="1"), adt(control_id="2"))
    with database.write() as session:
        session.execute(sa.update(Hl7Message).where(Hl7Message.control_id == "1").values(sealed=b"x" * 40))
    assert processor.tick() == 2
    assert states(database) == {"1": "failed", "2": "done"}
    assert rows(database)[0].error_code == "hl7-sealed"

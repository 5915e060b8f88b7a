"""Messages sent: in order to each receiver, until it has taken them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from radrelay.clock import FixedClock
from radrelay.hl7 import MllpSender, Outgoing, Receiver, Seal, parse, replay
from radrelay.hl7.errors import ReceiverAway
from radrelay.hl7.keeping import Keeping
from radrelay.hl7.message import Acknowledgement
from radrelay.hl7.models import Hl7Message
from radrelay.storage.database import Database
from tests.hl7.conftest import HOSPITAL, Listening, rows
from tests.hl7.samples import adt


class Scripted:
    """Answers what the script says for a control ID, else AA."""

    longest_s = 60.0

    def __init__(self) -> None:
        self.script: dict[str, Callable[[], Acknowledgement]] = {}
        self.sent: list[str] = []

    def send(self, raw: bytes) -> Acknowledgement:
        control_id = parse(raw).header.value(10)
        self.sent.append(control_id)
        return self.script.get(control_id, lambda: Acknowledgement("AA", control_id, ""))()


@pytest.fixture
def outgoing(database: Database, clock: FixedClock, seal: Seal) -> Outgoing:
    return Outgoing(database, clock, seal)


def enqueue(database: Database, outgoing: Outgoing, *control_ids: str, receiver: str = "RIS") -> None:
    with database.write() as session:
        for control_id in control_ids:
            outgoing.enqueue(session, HOSPITAL, receiver, parse(adt(control_id=control_id)), ("HOSPITAL", "4711"))


def states(database: Database) -> dict[str, str]:
    return {row.control_id: row.state for row in rows(database)}


def test_order_is_kept_while_a_receiver_is_away_and_others_go_on(
    database: Database, outgoing: Outgoing, clock: FixedClock
) -> None:
    def away() -> Acknowledgement:
        raise ReceiverAway

    ris, kis = Scripted(), Scripted()
    ris.script = {"1": away}
    enqueue(database, outgoing, "1", "2")
    enqueue(database, outgoing, "3", receiver="KIS")
    assert outgoing.send_due({"RIS": ris, "KIS": kis}) == 1
    assert outgoing.send_due({"RIS": ris, "KIS": kis}) == 0
    assert (ris.sent, kis.sent) == (["1"], ["3"])
    ris.script = {}
    with database.write() as session, ThreadPoolExecutor(1) as thread:
        session.execute(sa.text("SELECT 1"))  # has the writer's place, which who has nothing to send does not want
        assert thread.submit(outgoing.send_due, {"RIS": ris, "KIS": kis}).result(timeout=5) == 0
    clock.advance(timedelta(seconds=6))
    assert outgoing.send_due({"RIS": ris, "KIS": kis}) == 2
    assert ris.sent == ["1", "1", "2"]
    assert states(database) == {"1": "sent", "2": "sent", "3": "sent"}


def test_two_machines_with_one_receiver_send_no_message_twice_and_keep_the_order(
    database: Database, outgoing: Outgoing, clock: FixedClock, seal: Seal
) -> None:
    other, seen = Outgoing(database, clock, seal), []
    ris = Scripted()

    def meanwhile(control_id: str) -> Acknowledgement:
        seen.append(other.send_due({"RIS": ris}))
        return Acknowledgement("AA", control_id, "")

    ris.script = {one: partial(meanwhile, one) for one in ("1", "2")}
    enqueue(database, outgoing, "1", "2", "3")
    assert outgoing.send_due({"RIS": ris}) == 3
    assert (ris.sent, seen) == (["1", "2", "3"], [0, 0])

    def killed() -> Acknowledgement:
        raise KeyboardInterrupt

    ris.script = {"4": killed}
    enqueue(database, outgoing, "4")
    with pytest.raises(KeyboardInterrupt):
        outgoing.send_due({"RIS": ris})
    ris.script = {}
    clock.advance(timedelta(seconds=59))
    assert other.send_due({"RIS": ris}) == 0
    with database.write() as session:  # PostgreSQL goes by a clock of its own
        session.execute(sa.update(Hl7Message).values(sending_until=clock.now() - timedelta(days=1)))
    assert other.send_due({"RIS": ris}) == 1, "what a machine that died has begun is sent by another"
    assert ris.sent == ["1", "2", "3", "4", "4"]


def test_what_a_receiver_refuses_for_good_ends_and_what_it_cannot_take_now_waits(
    database: Database, outgoing: Outgoing, clock: FixedClock, seal: Seal
) -> None:
    ris = Scripted()
    ris.script = {"1": lambda: Acknowledgement("AE", "1", "no such order"), "2": lambda: Acknowledgement("AR", "2", "")}
    enqueue(database, outgoing, "1", "2", "3")
    assert outgoing.send_due({"RIS": ris}) == 0
    assert ris.sent == ["1", "2"]
    first, second, third = rows(database)
    assert (first.state, first.answer, first.error_code) == ("failed", "AE", "hl7-receiver-refused")
    assert "no such order" in first.error
    assert (second.state, second.answer, second.attempts, third.state) == ("waiting", "AR", 1, "waiting")
    ris.script = {}
    clock.advance(timedelta(seconds=6))
    with database.write() as session:
        replay(session, seal, {}, HOSPITAL, [first.id])
    assert outgoing.send_due({"RIS": ris}) == 3
    assert ris.sent[2:] == ["1", "2", "3"]


def test_one_radrelay_sends_to_another(
    database: Database, outgoing: Outgoing, keeping: Keeping, listening: Listening
) -> None:
    host, port = listening(keeping).addresses["KIS"]
    sender = MllpSender(Receiver(host, port))
    enqueue(database, outgoing, "1", "2")
    assert outgoing.send_due({"RIS": sender}) == 2
    sender.close()
    kept = [(row.direction, row.control_id, row.state) for row in rows(database)]
    assert sorted(kept) == [("in", "1", "waiting"), ("in", "2", "waiting"), ("out", "1", "sent"), ("out", "2", "sent")]

"""Performed steps on their way: no destination waits for another, and who leads no more tells nothing further."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.archive.naming import study_named
from radrelay.clock import FixedClock
from radrelay.network.performed_user import StepMessage
from radrelay.routing import performing, steering
from radrelay.routing.destinations import DestinationDraft, create_destination
from radrelay.routing.errors import DestinationDown, Interrupted
from radrelay.routing.models import Destination, StepDelivery
from radrelay.routing.performed import ToldStep, pass_on_begun, pass_on_changed
from radrelay.routing.performing import StepWork
from radrelay.settings import WorkSettings
from radrelay.storage.database import Database
from tests.hl7.conftest import HOSPITAL


@pytest.fixture(autouse=True)
def on_record(database: Database, clock: FixedClock) -> None:
    audit.install(database, "work", clock, bytes(32), study_named)


class Told:
    """What destinations were told, by name; `before` is called ahead of each message."""

    def __init__(self, before: Callable[[str], object] = lambda name: None) -> None:
        self.before = before
        self.uids: list[tuple[str, str]] = []

    def tell_steps(self, destination: Destination, messages: Iterable[StepMessage]) -> Iterator[tuple[int, str]]:
        for message in messages:
            self.before(destination.name)
            self.uids.append((destination.name, message.sop_uid))
            yield 0, ""


@contextmanager
def working(
    database: Database, clock: FixedClock, told: Told, stop: threading.Event | None = None
) -> Iterator[StepWork]:
    work = StepWork(database, clock, WorkSettings(), told, stop)
    yield work
    work.close()


def said(number: int) -> ToldStep:
    body = b"\x08\x00\x60\x00\x02\x00\x00\x00CT"
    return ToldStep(
        HOSPITAL, f"1.2.{number}", "IN PROGRESS", "CT_A", ("", "4711"), "1.2", "", body, "1.2.840.10008.1.2"
    )


def asked_for(database: Database, clock: FixedClock, count: int, *names: str) -> None:
    with database.write() as session:
        for name in names:
            draft = DestinationDraft(name, name, "127.0.0.1", 1, performed_steps=True)
            create_destination(session, clock, HOSPITAL, draft)
        for number in range(count):
            pass_on_begun(session, said(number), clock.now())


def states(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(sa.select(StepDelivery.state).order_by(StepDelivery.created_at)))


def test_a_slow_destination_keeps_no_other_waiting_and_is_told_once(database: Database, clock: FixedClock) -> None:
    slow, there = threading.Event(), threading.Event()

    def hang(name: str) -> None:
        if name == "SLOW":
            there.set()
            slow.wait(10)

    asked_for(database, clock, 1, "SLOW", "RIS")
    told = Told(hang)
    with working(database, clock, told) as work:
        begun = work.begin()
        assert there.wait(5)
        assert len(wait(begun, 5, "FIRST_COMPLETED").done) == 1
        with database.write() as session:
            pass_on_changed(session, said(0), clock.now())
        assert work.any_to_do()
        assert work.tick() == 1
        assert told.uids == [("RIS", "1.2.0")] * 2
        slow.set()
        assert sum(one.result() for one in begun) == 2
        assert work.tick() == 1
        assert not work.any_to_do()


def test_who_leads_no_more_or_is_to_stop_tells_nothing_further(
    database: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for(database, clock, 3, "RIS")
    stop = threading.Event()
    with working(database, clock, Told(lambda name: stop.set()), stop) as work:
        with monkeypatch.context() as led:
            led.setattr(performing, "LED_S", -1)
            assert work.tick() == 0
        assert work.tick() == 1
        assert sorted(states(database)) == ["done", "waiting", "waiting"]


def test_all_that_waits_for_a_destination_that_is_down_is_put_off_and_goes_when_it_is_up(
    database: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performing, "AT_ONCE", 2)
    asked_for(database, clock, 5, "RIS")

    def down(name: str) -> None:
        raise Interrupted(DestinationDown(), down=True)

    told = Told(down)
    with working(database, clock, told) as work:
        assert [work.tick(), work.tick()] == [0, 0]
        assert not work.any_to_do(), "all are put off, not some at a time"
        with database.write() as session:
            assert set(session.scalars(sa.select(StepDelivery.error_code))) == {DestinationDown.code}
            destination = session.scalars(sa.select(Destination)).one()
            steering.resume(session, HOSPITAL, destination.id, clock.now())
        told.before = lambda name: None
        assert [work.tick() for _ in range(4)] == [2, 2, 1, 0]


def test_what_stands_behind_a_message_that_waits_is_not_looked_for(database: Database, clock: FixedClock) -> None:
    asked_for(database, clock, 2, "RIS")
    with working(database, clock, Told()) as work:
        with database.write() as session:
            pass_on_changed(session, said(0), clock.now())
            first = sa.update(StepDelivery).where(StepDelivery.turn == 0)
            session.execute(first.values(next_attempt_at=clock.now() + timedelta(seconds=9)))
        assert not work.any_to_do()
        clock.advance(timedelta(seconds=10))
        assert work.tick() == 3

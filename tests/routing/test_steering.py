"""A destination is paused, has its hours and its speed, is down for a day; what waits goes by its priority."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from radrelay.routing import deliveries, destinations, steering, windows
from radrelay.routing.carriers import Answer, DeliveryItem, Errand
from radrelay.routing.destinations import DestinationDraft
from radrelay.routing.errors import DestinationInvalid
from radrelay.routing.jobs import DeliveryWork
from radrelay.routing.models import Destination
from radrelay.routing.pacing import Bucket, Buckets
from radrelay.routing.windows import Window
from radrelay.settings import WorkSettings
from radrelay.storage import outbox
from tests.routing.house import EXPLICIT, ORGANISATION, House, Peer


def another(house: House, priority: int = 0, destination_id: uuid.UUID | None = None) -> uuid.UUID:
    """Ask for one more delivery, to the same destination where no other is named."""
    with house.database.write() as session:
        return deliveries.request_delivery(
            session, house.clock, organisation_id=ORGANISATION, destination_id=destination_id or house.destination_id,
            study_id=uuid.uuid4(), series_id=None, requested_by="a rule", correlation_id="c", priority=priority,
        ).id  # fmt: skip


def states(house: House) -> list[tuple[str, str]]:
    with house.database.read() as session:
        return [(row.state, row.error_code) for row in deliveries.list_deliveries(session, ORGANISATION)]


def test_a_destination_down_for_a_day_is_tried_by_one_delivery_and_then_gets_everything_by_itself(house: House) -> None:
    house.peer.down = True
    house.run_due()
    for _ in range(3):
        another(house)
    dialled = house.peer.dialled
    for _ in range(24 * 6):
        house.run_due()
        house.clock.advance(timedelta(minutes=10))
    assert set(states(house)) == {("waiting", "node-silent")}
    assert house.peer.dialled - dialled <= 33, "doubling from 10 s, then once an hour, though four wait"
    house.peer.down = False
    house.clock.advance(timedelta(hours=1))
    house.run_due()
    house.run_due()
    assert set(states(house)) == {("done", "")}
    assert house.peer.received.count("1.2.3.0") == 4
    with house.database.read() as session:
        assert steering.down(session) == []


def test_a_paused_destination_is_sent_nothing_and_goes_on_when_it_is_resumed(house: House) -> None:
    with house.database.write() as session:
        steering.pause(session, ORGANISATION, house.destination_id, house.clock.now())
    house.run_due()
    assert (states(house), house.peer.dialled) == ([("waiting", "destination-paused")], 0)
    assert house.delivery().attempts == 0
    with house.database.write() as session:
        steering.resume(session, ORGANISATION, house.destination_id, house.clock.now())
    house.run_due()
    assert states(house) == [("done", "")]


def test_an_attempt_under_way_stops_when_its_destination_is_paused_or_its_hours_end(house: House) -> None:
    original = house.peer.send

    def pausing(item: DeliveryItem) -> Answer:
        house.clock.advance(timedelta(seconds=2))
        with house.database.write() as session:
            steering.pause(session, ORGANISATION, house.destination_id, house.clock.now())
        return original(item)

    house.peer.send = pausing  # type: ignore[method-assign]
    house.run_due()
    assert (house.peer.received, house.delivery().state) == (["1.2.3.0"], "waiting")
    house.peer.send = original  # type: ignore[method-assign]
    with house.database.write() as session:
        steering.resume(session, ORGANISATION, house.destination_id, house.clock.now())
    house.run_due()
    assert (house.peer.received, house.delivery().state) == (["1.2.3.0", "1.2.3.1", "1.2.3.2"], "done")


def test_what_waits_for_its_hours_goes_when_they_begin(house: House) -> None:
    # 29 March 2026, 01:59 in Berlin, a Sunday: a minute later the clock is set from 2 to 3
    with house.database.write() as session:
        row = session.get_one(Destination, house.destination_id)
        row.windows = windows.written([Window((6,), "02:30", "04:00")])
    house.run_due()
    assert states(house) == [("waiting", "outside-hours")]
    assert house.delivery().next_attempt_at == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    house.clock.advance(timedelta(minutes=1))
    house.run_due()
    assert states(house) == [("done", "")]


def test_the_most_urgent_goes_first(house: House) -> None:
    house.peer.down = True
    usual, urgent, late = house.delivery_id, another(house, priority=5), another(house, priority=-5)
    house.run_due()
    with house.database.write() as session:
        deliveries.prioritise(session, house.clock, ORGANISATION, late, 9)
    house.clock.advance(timedelta(seconds=10))
    with house.database.write() as session:
        deliveries.emit_due(session, house.clock)
        events = outbox.open_events(session, [deliveries.ATTEMPT])
    turns = {event.subject_id: int(event.payload[outbox.TURN]) for event in events}
    assert turns == {late: 92, urgent: 96, usual: 101}


BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window((4, 5, 6), "22:00", "06:00")  # the nights from Friday, Saturday and Sunday


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        (NIGHT, "2026-03-27T20:59", "2026-03-27T21:00"),  # Friday before ten
        (NIGHT, "2026-03-27T21:00", None),
        (NIGHT, "2026-03-28T04:59", None),  # past midnight it is still Friday's
        (NIGHT, "2026-03-30T03:59", None),  # Monday before six, in summer time
        (NIGHT, "2026-03-30T04:00", "2026-04-03T20:00"),
        (Window((6,), "02:00", "03:00"), "2026-10-24T23:59", "2026-10-25T00:00"),
        (Window((6,), "02:00", "03:00"), "2026-10-25T01:59", None),  # the hour that comes twice, the second time
        (Window((6,), "02:00", "03:00"), "2026-10-25T02:00", "2026-11-01T01:00"),
        (Window(tuple(range(7)), "00:00", "24:00"), "2026-03-29T01:30", None),
    ],
)
def test_hours_go_by_the_clock_on_the_wall(window: Window, now: str, opens: str | None) -> None:
    at = datetime.fromisoformat(f"{now}+00:00")
    expected = None if opens is None else datetime.fromisoformat(f"{opens}+00:00")
    assert windows.opens_at([window], at, BERLIN) == expected


@pytest.mark.parametrize("wrong", [Window((), "01:00", "02:00"), Window((7,), "01:00", "02:00"),
                                   Window((1,), "01:00", "01:00"), Window((1,), "24:00", "02:00"),
                                   Window((1,), "1:00", "02:00")])  # fmt: skip
def test_hours_that_are_none_are_refused(wrong: Window) -> None:
    with pytest.raises(DestinationInvalid):
        windows.written([wrong])


def test_a_destination_is_sent_to_no_faster_than_it_shall_be(house: House) -> None:
    elapsed = [0.0]
    bucket = Bucket(100 * 1024, now=lambda: elapsed[0], sleep=lambda s: elapsed.__setitem__(0, elapsed[0] + s))
    for _ in range(100):
        bucket.take(10 * 1024)
    assert elapsed[0] == pytest.approx(9, abs=1.1)  # 1,000 KiB, of which one second's worth may go at once
    destination = Destination(id=uuid.uuid4(), kib_per_s=8)
    paced = Buckets().paced(destination, next(iter(house.peer.stock.values())))
    assert b"".join(paced.open([EXPLICIT])[1]) == b"abc"


def test_a_destination_that_takes_its_time_leaves_a_worker_to_the_others(house: House) -> None:
    house.work = DeliveryWork(
        house.database, house.clock, WorkSettings(concurrency=2), house.peer, {"dicom": house.peer}, None
    )
    with house.database.write() as session:
        draft = DestinationDraft("Other", "OTHER", "127.0.0.1", 105)
        other = destinations.create_destination(session, house.clock, ORGANISATION, draft).id
    same, elsewhere = another(house), another(house, destination_id=other)
    nested: list[uuid.UUID] = []
    original = house.peer.send

    def slow(item: DeliveryItem) -> Answer:
        if not nested:
            for delivery_id in (same, elsewhere):
                nested.append(delivery_id)
                house.work.attempt(outbox.Event(uuid.uuid4(), deliveries.ATTEMPT, ORGANISATION, delivery_id, {}))
        return original(item)

    house.peer.send = slow  # type: ignore[method-assign]
    house.work.attempt(outbox.Event(uuid.uuid4(), deliveries.ATTEMPT, ORGANISATION, house.delivery_id, {}))
    with house.database.read() as session:
        found = {row.id: row.state for row in deliveries.list_deliveries(session, ORGANISATION)}
    assert found == {house.delivery_id: "done", same: "waiting", elsewhere: "done"}
    house.clock.advance(timedelta(seconds=2))
    house.run_due()
    assert {state for state, _ in states(house)} == {"done"}


def test_of_all_that_wait_for_a_destination_that_is_down_one_tries_it(house: House) -> None:
    house.peer.down = True
    house.run_due()
    other = another(house)
    entered: list[uuid.UUID] = []
    original = house.peer.open

    @contextmanager
    def dialling(errand: Errand, portion: Sequence[DeliveryItem]) -> Iterator[Peer]:
        entered.append(errand.delivery.id)
        if len(entered) == 1:  # while this one is dialling
            house.work.attempt(outbox.Event(uuid.uuid4(), deliveries.ATTEMPT, ORGANISATION, other, {}))
        with original(errand, portion) as opened:
            yield opened

    house.peer.open = dialling  # type: ignore[method-assign]
    house.clock.advance(timedelta(seconds=10))
    house.work.attempt(outbox.Event(uuid.uuid4(), deliveries.ATTEMPT, ORGANISATION, house.delivery_id, {}))
    assert entered == [house.delivery_id]
    with house.database.read() as session:
        waits = {row.next_attempt_at for row in deliveries.list_deliveries(session, ORGANISATION)}
    assert waits == {house.clock.now() + timedelta(seconds=20)}

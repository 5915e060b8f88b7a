"""A delivery ends when the destination has every object, and never sends twice what it has."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.audit.models import AuditEvent
from radrelay.clock import FixedClock
from radrelay.errors import Trouble
from radrelay.network.errors import CommitmentNotOffered, NodeSilent, PeerAborted
from radrelay.network.ports import CommitmentReport, Reference
from radrelay.routing import committing, deliveries, destinations, jobs
from radrelay.routing.carriers import Answer, DeliveryItem, Errand
from radrelay.routing.destinations import DestinationDraft
from radrelay.routing.errors import DeliveryEnded, DestinationInUse, DestinationInvalid, Interrupted
from radrelay.routing.jobs import DeliveryWork
from radrelay.routing.models import Delivery, Destination
from radrelay.settings import WorkSettings
from radrelay.storage import outbox
from tests.backends import open_database
from tests.schema import lay

ORGANISATION = uuid.uuid4()
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class Item:
    """An object of three bytes."""

    instance_id: uuid.UUID
    sop_class_uid: str
    sop_uid: str
    transfer_syntax: str

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        return self.transfer_syntax, [b"abc"]


class Peer:
    """A destination that does as it is told and remembers what reached it."""

    def __init__(self, items: Sequence[DeliveryItem]) -> None:
        self.stock = {item.instance_id: item for item in items}
        self.received: list[str] = []
        self.answers: dict[str, int] = {}
        self.down = False
        self.breaks_after: int | None = None
        self.carries = True
        self.dialled = self.finished = 0

    def items(
        self, organisation_id: uuid.UUID, study_id: uuid.UUID, series_id: uuid.UUID | None
    ) -> Sequence[DeliveryItem]:
        return list(self.stock.values())

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        yield items

    @contextmanager
    def open(self, errand: Errand, portion: Sequence[DeliveryItem]) -> Iterator[Peer]:
        self.dialled += 1
        if self.down:
            raise Interrupted(NodeSilent("nobody answers at the address", address="127.0.0.1:104"), down=True)
        yield self

    def finish(self, errand: Errand) -> None:
        self.finished += 1

    def send(self, item: DeliveryItem) -> Answer:
        if self.breaks_after is not None and len(self.received) >= self.breaks_after:
            raise Interrupted(PeerAborted("the association was aborted"))
        self.received.append(item.sop_uid)
        return Answer(self.answers.get(item.sop_uid, 0), "", item.transfer_syntax)


class Committing:
    """Answers requests for storage commitment with what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.lost: set[str] = set()
        self.at_once = True
        self.refuses: Interrupted | None = None

    def ask(
        self, destination: Destination, transaction_uid: str, references: Sequence[Reference]
    ) -> CommitmentReport | None:
        if self.refuses is not None:
            raise self.refuses
        self.asked.append((transaction_uid, [one.sop_uid for one in references]))
        return self.report() if self.at_once else None

    def report(self, number: int = -1) -> CommitmentReport:
        """Return the report on a request."""
        transaction_uid, uids = self.asked[number]
        kept = frozenset(uids) - self.lost
        return CommitmentReport(transaction_uid, kept, dict.fromkeys(self.lost.intersection(uids), 274))


class House:
    """A database with one destination and one delivery of three objects."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(datetime(2026, 3, 29, 0, 59, tzinfo=UTC))
        self.database = open_database(folder)
        lay(self.database)
        self.peer = Peer([Item(uuid.uuid4(), CT, f"1.2.3.{n}", EXPLICIT) for n in range(3)])
        self.settings = WorkSettings(zone="Europe/Berlin")
        self.committer = Committing()
        self.work = DeliveryWork(
            self.database, self.clock, self.settings, self.peer, {"dicom": self.peer}, self.committer
        )
        with self.database.write() as session:
            self.destination_id = destinations.create_destination(
                session, self.clock, ORGANISATION, DestinationDraft("PACS", "PACS", "127.0.0.1", 104)
            ).id
            self.delivery_id = deliveries.request_delivery(
                session,
                self.clock,
                organisation_id=ORGANISATION,
                destination_id=self.destination_id,
                study_id=uuid.uuid4(),
                series_id=None,
                requested_by="a person",
                correlation_id="c",
            ).id

    def run_due(self) -> int:
        with self.database.write() as session:
            deliveries.emit_due(session, self.clock)
        with self.database.write() as session:
            events = outbox.open_events(session, [deliveries.ATTEMPT])
            outbox.mark_taken(session, [event.id for event in events], self.clock.now())
        for event in events:
            self.work.attempt(event)
        return len(events)

    def delivery(self) -> Delivery:
        with self.database.read() as session:
            return session.get_one(Delivery, self.delivery_id)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.database.close()


def test_every_object_arrives_and_has_a_receipt(house: House) -> None:
    assert house.run_due() == 1
    delivery = house.delivery()
    assert (delivery.state, delivery.sent, delivery.total, delivery.failed) == ("done", 3, 3, 0)
    with house.database.read() as session:
        receipts = deliveries.receipts_of(session, delivery.id)
    assert [r.status for r in receipts] == [0, 0, 0]
    assert {r.transfer_syntax_uid for r in receipts} == {EXPLICIT}


@pytest.mark.parametrize(("status", "outcome", "kept"), [(0, "success", 3), (0xA900, "failure", 2)])
def test_what_came_of_a_delivery_is_on_record(house: House, status: int, outcome: str, kept: int) -> None:
    house.peer.answers["1.2.3.1"] = status
    house.run_due()
    with house.database.read() as session:
        [event] = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "delivery.end"))
        parts = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "delivery.part")).all()
    assert [(part.outcome, json.loads(part.detail)["kept"]) for part in parts] == (
        [] if kept == 3 else [("success", 2)]
    )
    assert event.outcome == outcome
    assert json.loads(event.detail) | {"delivery": ""} == {
        "delivery": "", "destination": "PACS", "kept": kept, "refused": 3 - kept,
    }  # fmt: skip


def test_what_left_before_a_delivery_broke_off_and_was_cancelled_is_on_record(house: House) -> None:
    house.peer.breaks_after = 1
    house.run_due()
    house.clock.advance(timedelta(hours=1))
    house.run_due()  # nothing more leaves
    with house.database.write() as session:
        deliveries.cancel_delivery(session, house.clock, ORGANISATION, house.delivery_id)
    with house.database.read() as session:
        [event] = session.scalars(sa.select(AuditEvent).where(AuditEvent.action.like("delivery.%")))
    assert (event.action, event.outcome, json.loads(event.detail)["kept"]) == ("delivery.part", "success", 1)


def test_a_delivery_that_waits_is_not_on_record_yet(house: House) -> None:
    house.peer.down = True
    house.run_due()
    with house.database.read() as session:
        assert session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "delivery.end")).all() == []


def test_a_slow_delivery_shows_how_far_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH_S", 0.0)
    original, seen = house.peer.send, []

    def watched(item: DeliveryItem) -> Answer:
        seen.append((house.delivery().sent, house.delivery().total))
        return original(item)

    house.peer.send = watched  # type: ignore[method-assign]
    house.run_due()
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_a_destination_that_is_down_is_tried_again_with_growing_pauses(house: House) -> None:
    house.peer.down = True
    pauses = []
    for _ in range(4):
        assert house.run_due() == 1
        delivery = house.delivery()
        assert delivery.state == "waiting"
        assert deliveries.trouble_of(delivery) == Trouble(
            "node-silent", "nobody answers at the address", {"address": "127.0.0.1:104"}
        )
        assert delivery.next_attempt_at is not None
        pauses.append((delivery.next_attempt_at - house.clock.now()).total_seconds())
        assert house.run_due() == 0
        house.clock.advance(timedelta(seconds=pauses[-1]))
    assert pauses == [10, 20, 40, 80]
    house.peer.down = False
    house.run_due()
    assert house.delivery().state == "done"


def test_what_arrived_before_a_break_is_not_sent_again(house: House) -> None:
    house.peer.breaks_after = 2
    house.run_due()
    assert (house.delivery().state, house.delivery().sent) == ("waiting", 2)
    house.peer.breaks_after = None
    house.clock.advance(timedelta(seconds=10))
    house.run_due()
    assert house.delivery().state == "done"
    assert house.peer.received == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]


@pytest.mark.parametrize("status", [0xA900, 0x0111, 0x0122, 0xC123])
def test_an_object_that_is_refused_for_good_ends_the_delivery_with_its_reason(house: House, status: int) -> None:
    house.peer.answers["1.2.3.1"] = status
    house.run_due()
    delivery = house.delivery()
    assert (delivery.state, delivery.sent, delivery.failed) == ("failed", 2, 1)
    told = Trouble("objects-refused", "the destination refused 1 of 3 objects", {"n": 1, "total": 3})
    assert deliveries.trouble_of(delivery) == told


def test_a_destination_without_room_is_tried_again(house: House) -> None:
    house.peer.answers["1.2.3.2"] = 0xA700
    house.run_due()
    assert house.delivery().state == "waiting"
    house.peer.answers.clear()
    house.clock.advance(timedelta(seconds=10))
    house.run_due()
    assert house.delivery().state == "done"


def test_a_warning_counts_as_kept(house: House) -> None:
    house.peer.answers["1.2.3.0"] = 0xB000
    house.run_due()
    assert house.delivery().state == "done"


def test_an_attempt_that_was_killed_is_taken_up_where_it_was(house: House) -> None:
    house.peer.breaks_after = 1
    house.run_due()
    with house.database.write() as session:
        session.get_one(Delivery, house.delivery_id).state = "sending"
    house.peer.breaks_after = None
    with house.database.write() as session:
        event = outbox.open_events(session, [deliveries.ATTEMPT])
    assert event == []
    house.work.attempt(
        outbox.Event(uuid.uuid4(), deliveries.ATTEMPT, ORGANISATION, house.delivery_id, {}),
    )
    assert house.delivery().state == "done"
    assert house.peer.received == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]


def test_a_study_that_left_meanwhile_fails_the_delivery(house: House) -> None:
    house.peer.stock.clear()
    house.run_due()
    assert (house.delivery().state, house.delivery().error) == ("failed", "the study is no longer here")


def test_after_a_week_a_delivery_fails_for_good_and_can_be_asked_for_again(house: House) -> None:
    house.peer.down = True
    house.clock.advance(timedelta(days=8))
    house.run_due()
    assert house.delivery().state == "failed"
    house.peer.down = False
    with house.database.write() as session:
        deliveries.retry_delivery(session, house.clock, ORGANISATION, house.delivery_id)
    house.run_due()
    assert house.delivery().state == "done"
    with house.database.write() as session, pytest.raises(DeliveryEnded):
        deliveries.retry_delivery(session, house.clock, ORGANISATION, house.delivery_id)


def test_a_cancelled_delivery_sends_nothing(house: House) -> None:
    with house.database.write() as session:
        deliveries.cancel_delivery(session, house.clock, ORGANISATION, house.delivery_id)
    house.run_due()
    assert house.peer.received == []
    assert house.delivery().state == "cancelled"


def test_a_destination_with_open_deliveries_is_not_removed(house: House) -> None:
    with house.database.write() as session, pytest.raises(DestinationInUse):
        destinations.delete_destination(session, ORGANISATION, house.destination_id)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ae_title": ""}, "ae_title"),
        ({"ae_title": "SEVENTEEN-LETTERS"}, "ae_title"),
        ({"ae_title": "BACK\\SLASH"}, "ae_title"),
        ({"host": "two words"}, "host"),
        ({"port": 0}, "port"),
        ({"name": " "}, "name"),
    ],
)
def test_a_destination_that_cannot_be_right_is_refused_by_its_field(change: dict[str, object], field: str) -> None:
    fields: dict[str, object] = {"name": "A", "ae_title": "A", "host": "h", "port": 104, **change}
    with pytest.raises(DestinationInvalid) as raised:
        DestinationDraft(**fields).check()  # type: ignore[arg-type]
    assert raised.value.facts["field"] == field


def test_a_version_that_was_superseded_counts_for_nothing_that_is_missing(house: House) -> None:
    house.peer.breaks_after = 2
    house.run_due()
    sent = next(item for item in house.peer.stock.values() if item.sop_uid == "1.2.3.0")
    del house.peer.stock[sent.instance_id]
    newer = Item(uuid.uuid4(), CT, sent.sop_uid, EXPLICIT)
    house.peer.stock[newer.instance_id] = newer
    house.peer.breaks_after = None
    house.peer.answers["1.2.3.2"] = 0xA700
    house.clock.advance(timedelta(seconds=10))
    house.run_due()
    assert house.delivery().state == "waiting"
    assert house.delivery().error == "1 of 3 objects are not there yet"


def test_a_delivery_whose_worker_gave_up_is_tried_again(house: House) -> None:
    with house.database.write() as session:
        session.get_one(Delivery, house.delivery_id).state = "sending"
        outbox.mark_taken(session, [e.id for e in outbox.open_events(session, [deliveries.ATTEMPT])], house.clock.now())
    assert house.work.revive() == 0
    assert house.work.revive() == 1
    assert house.run_due() == 1
    assert house.delivery().state == "done"
    assert (house.work.revive(), house.work.revive()) == (0, 0)


def test_a_delivery_cancelled_and_asked_for_again_while_it_sends_is_not_forgotten(house: House) -> None:
    original = house.peer.send

    def cancel_and_retry(item: DeliveryItem) -> Answer:
        house.peer.send = original  # type: ignore[method-assign]
        with house.database.write() as session:
            deliveries.cancel_delivery(session, house.clock, ORGANISATION, house.delivery_id)
        with house.database.write() as session:
            deliveries.retry_delivery(session, house.clock, ORGANISATION, house.delivery_id)
        house.run_due()
        house.clock.advance(timedelta(seconds=2))
        return original(item)

    house.peer.send = cancel_and_retry  # type: ignore[method-assign]
    house.run_due()
    house.clock.advance(timedelta(seconds=10))
    house.run_due()
    assert house.delivery().state == "done"


def test_held_delivery_waits_for_a_person_and_then_goes_out(house: House) -> None:
    with house.database.write() as session:
        assert deliveries.hold_open(session) == 1
    assert house.run_due() == 1  # the event that asked for it is still there, and does nothing
    house.work.revive()
    house.work.revive()
    house.clock.advance(timedelta(days=30))
    assert house.run_due() == 0
    assert (house.delivery().state, house.peer.received) == ("held", [])
    with house.database.write() as session, pytest.raises(DestinationInUse):
        destinations.delete_destination(session, ORGANISATION, house.destination_id)
    with house.database.write() as session:
        deliveries.retry_delivery(session, house.clock, ORGANISATION, house.delivery_id)
    house.run_due()
    assert (house.delivery().state, len(house.peer.received)) == ("done", 3)


def test_held_delivery_can_be_cancelled(house: House) -> None:
    with house.database.write() as session:
        deliveries.hold_open(session)
        deliveries.cancel_delivery(session, house.clock, ORGANISATION, house.delivery_id)
    assert house.delivery().state == "cancelled"


def commit(house: House) -> None:
    with house.database.write() as session:
        session.get_one(Destination, house.destination_id).commitment = True


def reported(house: House, number: int = -1) -> bool:
    with house.database.write() as session:
        return committing.take_report(session, house.clock, house.settings, house.committer.report(number))


def test_a_delivery_is_done_once_the_destination_has_committed_to_every_object(house: House) -> None:
    commit(house)
    house.run_due()
    assert (house.delivery().state, house.delivery().committed) == ("done", 3)
    assert [uids for _, uids in house.committer.asked] == [["1.2.3.0", "1.2.3.1", "1.2.3.2"]]


def test_a_commitment_that_is_reported_later_is_taken_whoever_takes_it(house: House) -> None:
    commit(house)
    house.committer.at_once = False
    house.run_due()
    assert (house.delivery().state, house.delivery().sent, house.delivery().committed) == ("confirming", 3, 0)
    assert reported(house)
    assert (house.delivery().state, house.delivery().committed) == ("done", 3)
    unknown = CommitmentReport("2.25.1", frozenset({"1.2.3.0"}), {})
    with house.database.write() as session:
        assert not committing.take_report(session, house.clock, house.settings, unknown)
    assert house.run_due() == 0


def test_a_commitment_that_is_never_reported_is_asked_for_again_and_told(house: House) -> None:
    commit(house)
    house.committer.at_once = False
    house.run_due()
    house.clock.advance(timedelta(seconds=599))
    assert house.run_due() == 0
    house.clock.advance(timedelta(seconds=1))
    assert house.run_due() == 1
    assert house.peer.received == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
    assert len({transaction for transaction, _ in house.committer.asked}) == 2
    assert (house.delivery().state, house.delivery().error_code) == ("confirming", "commitment-overdue")
    assert reported(house, 0), "the report on the first request comes late"
    assert (house.delivery().state, house.delivery().error_code) == ("done", "")


def test_what_a_destination_does_not_commit_to_is_sent_again_and_nothing_else(house: House) -> None:
    commit(house)
    house.committer.lost = {"1.2.3.1"}
    house.run_due()
    assert (house.delivery().state, house.delivery().sent, house.delivery().committed) == ("waiting", 2, 2)
    assert house.delivery().error_code == "not-committed"
    house.committer.lost = set()
    house.clock.advance(timedelta(seconds=10))
    house.run_due()
    assert house.peer.received == ["1.2.3.0", "1.2.3.1", "1.2.3.2", "1.2.3.1"]
    assert (house.delivery().state, house.delivery().committed) == ("done", 3)


def test_a_destination_that_does_not_offer_commitment_fails_in_plain_words(house: House) -> None:
    commit(house)
    house.committer.refuses = Interrupted(CommitmentNotOffered("PACS does not offer it", ae_title="PACS"), final=True)
    house.run_due()
    delivery = house.delivery()
    assert (delivery.state, delivery.sent, delivery.error_code) == ("failed", 3, "commitment-not-offered")


def test_a_worker_that_was_killed_while_it_asked_for_commitment_asks_again(house: House) -> None:
    commit(house)
    house.committer.at_once = False
    house.run_due()
    with house.database.write() as session:
        session.get_one(Delivery, house.delivery_id).next_attempt_at = None  # handed over, and its worker killed
    assert (house.work.revive(), house.work.revive()) == (0, 1)
    house.committer.at_once = True
    house.run_due()
    assert house.delivery().state == "done"
    assert len(house.peer.received) == 3

"""A delivery ends when the destination has every object, and never sends twice what it has."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.app.sweeping import REVIVE_S
from radrelay.archive.counts import GONE
from radrelay.audit.models import AuditEvent
from radrelay.errors import Trouble
from radrelay.routing import committing, deliveries, destinations, jobs
from radrelay.routing.carriers import Answer, DeliveryItem
from radrelay.routing.destinations import DestinationDraft
from radrelay.routing.ending import any_gone, forget_gone, sweep_gone
from radrelay.routing.errors import DeliveryEnded, DestinationInUse, DestinationInvalid
from radrelay.routing.models import CommitmentAsked, Delivery, DeliveryReceipt, Destination
from radrelay.settings import DatabaseSettings
from radrelay.storage import outbox
from radrelay.storage.database import Database
from tests.backends import BACKENDS
from tests.postgres import drop_database, new_database
from tests.routing.house import CT, EXPLICIT, ORGANISATION, House, Item
from tests.system.installation import until


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


def test_a_delivery_cancelled_while_it_waits_for_its_destination_sends_nothing(
    tmp_path: Path, postgres_url: str
) -> None:
    url = new_database(postgres_url, BACKENDS.template())
    house = House(tmp_path, Database.open(DatabaseSettings.model_validate({"url": url}), tmp_path, b""))
    try:
        with ThreadPoolExecutor(1) as pool, house.database.write() as held:
            held.get(Destination, house.destination_id, with_for_update=True)
            attempt = pool.submit(house.run_due)
            until(lambda: _waiting(house) > 0, "the attempt to wait for the destination")
            with house.database.write() as session:
                deliveries.cancel_delivery(session, house.clock, ORGANISATION, house.delivery_id)
            held.rollback()
            attempt.result(30)
        assert (house.peer.received, house.delivery().state) == ([], "cancelled")
    finally:
        house.database.close()
        drop_database(url)


def _waiting(house: House) -> int:
    with house.database.read() as session:
        return session.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0


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


def test_an_attempt_that_was_handed_over_and_nobody_took_yet_is_no_lost_one(house: House) -> None:
    assert (house.work.revive(), house.work.revive()) == (0, 0)
    assert 2 * REVIVE_S <= 30, "met twice, what is lost is begun anew in half a minute"
    assert house.run_due() == 1


def test_a_delivery_goes_with_its_study_and_nothing_of_what_was_answered_stays(house: House) -> None:
    house.run_due()
    with house.database.write() as session:
        session.get_one(Delivery, house.delivery_id).state = "sending"
        study_id = session.get_one(Delivery, house.delivery_id).study_id
        assert not any_gone(session), "nothing is looked through while no study goes"
        outbox.emit(session, organisation_id=ORGANISATION, kind=GONE, subject_id=study_id, at=house.clock.now())
        assert (forget_gone(session, house.clock.now()), any_gone(session)) == (0, True), "it is sent still"
        session.get_one(Delivery, house.delivery_id).state = "confirming"
        committing.open_transaction(session, session.get_one(Delivery, house.delivery_id), [], house.clock.now())
        assert (forget_gone(session, house.clock.now()), any_gone(session)) == (1, False)
        assert sweep_gone(session, house.clock.now()) == 0
        for table in (Delivery, DeliveryReceipt, CommitmentAsked):
            assert session.scalars(sa.select(table)).all() == []
        ends = session.scalars(sa.select(AuditEvent.detail).where(AuditEvent.action == "delivery.end")).all()
        assert [json.loads(one)["kept"] for one in ends][-1] == 3, "the record keeps to whom it went"


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

"""Storage commitment that we ask for: asked once all is there, again when nothing comes, sent again what is lost."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

import sqlalchemy as sa

from radrelay.app.commitments import is_at
from radrelay.network.errors import CommitmentNotOffered
from radrelay.network.ports import CommitmentReport
from radrelay.routing import committing
from radrelay.routing.committing import Reporter
from radrelay.routing.errors import Interrupted
from radrelay.routing.models import CommitmentAsked, Delivery, Destination
from tests.routing.house import House


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


def test_a_report_counts_from_who_was_asked_and_of_what_was_asked_alone(house: House) -> None:
    commit(house)
    house.committer.at_once = False
    house.run_due()
    [(transaction, _)] = house.committer.asked
    whole = house.committer.report()
    further = CommitmentReport(transaction, frozenset({"1.2.3.0", "9.9"}), {"1.2.3.9": 274})
    with house.database.write() as session:
        take = partial(committing.take_report, session, house.clock, house.settings)
        assert not take(whole, reporter=Reporter("OTHER", "10.9.9.9"))
    assert house.delivery().error_code == "commitment-from-other", "the page tells why it does not count"
    assert json.loads(house.delivery().error_facts) == {"ae_title": "OTHER", "host": "10.9.9.9"}
    with house.database.write() as session:
        take = partial(committing.take_report, session, house.clock, house.settings)
        assert take(further, reporter=Reporter("PACS", "10.9.9.9"))
    assert (house.delivery().state, house.delivery().committed, house.delivery().failed) == ("confirming", 1, 0)
    with house.database.write() as session:
        asked = session.scalars(sa.select(CommitmentAsked)).one()
        asked.sop_uids = '["1.2.3.1"]'
        assert committing.take_report(session, house.clock, house.settings, whole, reporter=Reporter("pacs "))
    assert house.delivery().committed == 2, "a transaction says nothing of what it was not about"


def test_a_report_from_the_address_of_the_destination_counts_under_whatever_title(house: House) -> None:
    commit(house)
    house.committer.at_once = False
    house.run_due()
    with house.database.write() as session:
        host = committing.host_asked(session, house.committer.asked[0][0])
        assert (is_at(host, "127.0.0.1"), is_at(host, "::ffff:127.0.0.1"), is_at(host, "10.9.9.9")) == (
            True,
            True,
            False,
        )
        assert (committing.host_asked(session, "2.25.1"), is_at("no such host", "127.0.0.1")) == ("", False)
        reporter = Reporter("ARCHIVE_SCU", "127.0.0.1", is_destination=True)
        take = partial(committing.take_report, session, house.clock, house.settings)
        assert take(house.committer.report(), reporter=reporter)
    assert house.delivery().state == "done"


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

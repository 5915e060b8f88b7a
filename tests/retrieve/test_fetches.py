"""A fetch ends when all that the archive has is here, asks only for what is missing, and loses nothing on the way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, current_thread, main_thread

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.audit.models import AuditEvent
from radrelay.clock import FixedClock
from radrelay.network.errors import NobodyListens, PeerAborted
from radrelay.retrieve import fetches, nodes
from radrelay.retrieve.errors import Broken, FetchEnded, PacsDisabled, PacsExists, PacsInUse, PacsInvalid
from radrelay.retrieve.fetches import WantedFetch
from radrelay.retrieve.jobs import FetchWork
from radrelay.retrieve.models import Fetch
from radrelay.retrieve.nodes import PacsDraft
from radrelay.retrieve.ports import (
    Answer,
    Came,
    FoundSeries,
    Held,
    Here,
    Inventory,
    Order,
    PacsNode,
    Stop,
    Tell,
    Wanted,
)
from radrelay.settings import RetrieveSettings
from radrelay.storage import outbox
from tests.backends import open_database
from tests.schema import lay

ORGANISATION = uuid.uuid4()
STUDY, SERIES = "1.2.3", "1.2.3.4"


@dataclass
class Pacs:
    """An archive that does as it is told, and what has come of it."""

    objects: list[str] = field(default_factory=lambda: [f"1.2.3.4.{n}" for n in range(5)])
    lists: bool = True
    counts: bool = True
    here: set[str] = field(default_factory=set)
    aside: set[str] = field(default_factory=set)
    asked: list[list[str] | None] = field(default_factory=list)
    keeps_back: set[str] = field(default_factory=set)
    foreign: int = 0
    status: int = 0
    breaks_after: int | None = None
    down: bool = False
    alone: bool = False  # takes one association of ours at a time
    list_wins: bool = False  # and the one is that of the list
    beside: list[bool] = field(default_factory=list)  # whether it was listed while it was fetched from
    refused: Event = field(default_factory=Event)
    listing: Event = field(default_factory=Event)
    sending: Event = field(default_factory=Event)
    when_asked: object = None

    def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
        raise NotImplementedError

    def series(self, node: PacsNode, order: Order) -> Sequence[FoundSeries]:
        raise NotImplementedError

    def inventory(self, node: PacsNode, order: Order) -> Inventory:
        refused = self.down or (self.alone and self.sending.is_set())
        self.listing.set()
        self.beside.append(current_thread() is not main_thread())
        if refused:
            raise Broken(NobodyListens("nothing listens there"))
        if self.list_wins:
            assert self.refused.wait(10)
            self.listing.clear()
        count = len(self.objects) if self.counts else None
        series = (FoundSeries(SERIES, instances=count),) if self.objects else ()
        listed = tuple(Held(uid, SERIES) for uid in self.objects) if self.lists else None
        return Inventory(series, listed)

    def fetch(
        self, node: PacsNode, order: Order, inventory: Inventory, missing: Sequence[Held] | None, tell: Tell, stop: Stop
    ) -> Came:
        if self.down:
            raise Broken(NobodyListens("nothing listens there"))
        if self.list_wins and not self.refused.is_set():
            assert self.listing.wait(10)
            self.refused.set()
            raise Broken(PeerAborted("it takes one association"))
        self.asked.append(None if missing is None else [one.sop_uid for one in missing])
        wanted = self.objects if missing is None else [one.sop_uid for one in missing]
        completed = 0
        for number, uid in enumerate(wanted):
            if self.breaks_after == number:
                raise Broken(PeerAborted("the association was aborted"))
            if callable(self.when_asked):
                self.when_asked()
            if stop():
                return Came(completed, cancelled=True, status=0xFE00)
            if uid not in self.keeps_back:
                self.here.add(uid)
                completed += 1
            tell(Came(completed))
        return Came(completed, len(wanted) - completed, self.foreign, self.status)


class House:
    """A database with one archive and one fetch of five objects."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(datetime(2026, 3, 29, 0, 59, tzinfo=UTC))
        self.database = open_database(folder)
        lay(self.database)
        audit.install(self.database, "work", self.clock, bytes(32))
        self.pacs = Pacs()
        settings = RetrieveSettings(enabled=True, arriving_s=0.05)
        self.work = FetchWork(self.database, self.clock, settings, self.pacs, self)
        with self.database.write() as session:
            draft = PacsDraft("PACS", "PACS", "127.0.0.1", 104, uuid.uuid4())
            self.pacs_id = nodes.create_pacs(session, self.clock, ORGANISATION, draft).id
        self.fetch_id = self.ask()

    def here(self, organisation_id: uuid.UUID, study_uid: str) -> Here:
        assert (organisation_id, study_uid) == (ORGANISATION, STUDY)
        return Here(frozenset(self.pacs.here), frozenset(self.pacs.aside))

    def ask(self) -> uuid.UUID:
        wanted = WantedFetch(self.pacs_id, STUDY, patient_id="4711", patient_name="山田^太郎")
        with self.database.write() as session:
            return fetches.request_fetch(
                session, self.clock, ORGANISATION, wanted, requested_by="a person", correlation_id="c"
            ).id

    def run_due(self) -> int:
        with self.database.write() as session:
            fetches.emit_due(session, self.clock)
            events = outbox.open_events(session, [fetches.ATTEMPT])
            outbox.mark_taken(session, [event.id for event in events], self.clock.now())
        for event in events:
            self.work.attempt(event)
        return len(events)

    @property
    def fetch(self) -> Fetch:
        with self.database.read() as session:
            return session.get_one(Fetch, self.fetch_id)

    def state(self) -> tuple[str, int, int | None, str]:
        row = self.fetch
        return row.state, row.here, row.expected, row.error_code


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.database.close()


def test_whole_study_is_asked_for_at_once_and_counted(house: House) -> None:
    assert house.run_due() == 1
    assert house.state() == ("done", 5, 5, "")
    assert house.pacs.asked == [None]
    with house.database.read() as session:
        ends = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "fetch.end")).all()
    assert [one.outcome for one in ends] == ["success"]
    assert house.run_due() == 0


def test_study_that_is_new_here_is_sent_while_it_is_listed(house: House) -> None:
    house.pacs.when_asked = lambda: house.pacs.listing.wait(10) or pytest.fail("it was listed only afterwards")
    house.run_due()
    assert house.state() == ("done", 5, 5, "")


def test_archive_that_takes_one_association_at_a_time_is_asked_for_its_list_afterwards(house: House) -> None:
    def sending() -> None:
        assert house.pacs.listing.wait(10)
        if len(house.pacs.here) == 4:
            house.pacs.sending.clear()

    house.pacs.alone, house.pacs.when_asked = True, sending
    house.pacs.sending.set()
    house.run_due()
    assert house.state() == ("done", 5, 5, "")


def test_archive_that_lists_and_sends_nothing_meanwhile_is_asked_for_all_afterwards(house: House) -> None:
    house.pacs.list_wins = True
    house.run_due()
    assert (house.state(), house.pacs.asked) == (("done", 5, 5, ""), [None]), "in the same attempt"
    house.pacs.here.clear()
    house.fetch_id = house.ask()
    house.run_due()
    assert (house.state(), house.pacs.beside) == (("done", 5, 5, ""), [True, False]), "it takes one, as is known by now"


def test_what_is_here_or_in_quarantine_is_not_fetched_again(house: House) -> None:
    house.pacs.here, house.pacs.aside = {"1.2.3.4.0", "9.9"}, {"1.2.3.4.1"}
    house.run_due()
    assert house.state() == ("done", 5, 5, "")
    assert house.pacs.asked == [["1.2.3.4.2", "1.2.3.4.3", "1.2.3.4.4"]]


def test_nothing_is_asked_for_when_all_is_here(house: House) -> None:
    house.pacs.here = set(house.pacs.objects)
    house.run_due()
    assert (house.state(), house.pacs.asked) == (("done", 5, 5, ""), [])


def test_archive_that_sends_too_few_is_asked_again_for_the_rest(house: House) -> None:
    house.pacs.keeps_back = {"1.2.3.4.3"}
    house.run_due()
    assert house.state() == ("waiting", 4, 5, "fetch-incomplete")
    house.pacs.keeps_back.clear()
    assert house.run_due() == 0, "not before its time"
    house.clock.advance(timedelta(seconds=31))
    assert house.run_due() == 1
    assert house.state() == ("done", 5, 5, "")
    assert house.pacs.asked == [None, ["1.2.3.4.3"]]


def test_archive_that_never_sends_all_fails_after_a_day_and_keeps_what_came(house: House) -> None:
    house.pacs.keeps_back = {"1.2.3.4.3"}
    for _ in range(30):
        house.run_due()
        house.clock.advance(timedelta(hours=1))
    assert house.state() == ("failed", 4, 5, "fetch-incomplete")
    assert 5 < len(house.pacs.asked) < 30
    with house.database.write() as session:
        fetches.retry_fetch(session, house.clock, ORGANISATION, house.fetch_id)
    house.pacs.keeps_back.clear()
    house.run_due()
    assert house.state() == ("done", 5, 5, "")


def test_association_that_breaks_in_the_middle_goes_on_where_it_was(house: House) -> None:
    house.pacs.breaks_after = 2
    house.run_due()
    assert house.state() == ("waiting", 2, 5, "peer-aborted")
    house.pacs.breaks_after = None
    house.clock.advance(timedelta(minutes=1))
    house.run_due()
    assert house.state() == ("done", 5, 5, "")
    assert house.pacs.asked[1] == ["1.2.3.4.2", "1.2.3.4.3", "1.2.3.4.4"]


def test_archive_that_is_down_is_tried_until_it_is_there(house: House) -> None:
    house.pacs.down = True
    house.run_due()
    assert house.state() == ("waiting", 0, None, "nobody-listens")
    house.pacs.down = False
    house.clock.advance(timedelta(minutes=1))
    house.run_due()
    assert house.state() == ("done", 5, 5, "")


def test_archive_that_has_nothing_or_refuses_is_not_tried_again(house: House) -> None:
    house.pacs.objects = []
    house.run_due()
    assert house.state() == ("failed", 0, 0, "fetched-nothing")
    house.pacs.objects, house.pacs.keeps_back, house.pacs.status = ["1.2.3.4.0"], {"1.2.3.4.0"}, 0xA801
    house.fetch_id = house.ask()
    house.run_due()
    assert house.state() == ("failed", 0, 1, "retrieval-refused")


def test_objects_of_others_are_told_of_and_never_counted(house: House) -> None:
    house.pacs.foreign = 3
    house.run_due()
    assert house.state() == ("waiting", 5, 5, "fetch-sent-others")
    assert house.fetch.refused == 3


@pytest.mark.parametrize("counts", [True, False])
def test_archive_that_lists_no_objects_is_taken_by_its_counts_or_its_word(house: House, counts: bool) -> None:
    house.pacs.lists, house.pacs.counts = False, counts
    house.run_due()
    assert house.state() == ("done", 5, 5 if counts else None, "")
    assert house.pacs.asked == [None]


def test_cancelled_in_the_middle_stays_cancelled(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radrelay.retrieve.jobs.LOOK_S", 0.0)

    def cancel() -> None:
        if len(house.pacs.here) == 2 and house.fetch.state == "fetching":
            with house.database.write() as session:
                fetches.cancel_fetch(session, house.clock, ORGANISATION, house.fetch_id)

    house.pacs.when_asked = cancel
    house.run_due()
    assert house.state() == ("cancelled", 2, 5, "")
    with house.database.write() as session, pytest.raises(FetchEnded):
        fetches.cancel_fetch(session, house.clock, ORGANISATION, house.fetch_id)


def test_asked_for_twice_it_is_fetched_once(house: House) -> None:
    assert house.ask() == house.fetch_id
    assert house.run_due() == 1
    assert house.ask() != house.fetch_id, "it has ended"


def test_restored_copy_calls_nobody_by_itself(house: House) -> None:
    with house.database.write() as session:
        assert fetches.hold_open(session) == 1
    house.run_due()
    assert (house.state()[0], house.pacs.asked) == ("held", [])


def test_attempt_whose_worker_died_is_taken_up_again(house: House) -> None:
    with house.database.write() as session:
        session.execute(sa.update(Fetch).values(state="fetching"))
        outbox.mark_taken(session, [e.id for e in outbox.open_events(session, [fetches.ATTEMPT])], house.clock.now())
    assert house.work.revive() == 0
    assert house.work.revive() == 1
    house.run_due()
    assert house.state() == ("done", 5, 5, "")


def test_archives_are_entered_once_and_go_only_when_nothing_is_under_way(house: House) -> None:
    same = PacsDraft("PACS", "OTHER", "10.0.0.1", 104, uuid.uuid4())
    with pytest.raises(PacsExists), house.database.write() as session:
        nodes.create_pacs(session, house.clock, ORGANISATION, same)
    for wrong in ({"ae_title": "x" * 17}, {"host": "a b"}, {"port": 0}, {"method": "push"}, {"name": " "}):
        fields = {"name": "B", "ae_title": "B", "host": "b", "port": 1, "source_id": uuid.uuid4()} | wrong
        with pytest.raises(PacsInvalid):
            PacsDraft(**fields).check()  # type: ignore[arg-type]  # what a field may be is what is tried
    with house.database.write() as session:
        with pytest.raises(PacsInUse):
            nodes.delete_pacs(session, ORGANISATION, house.pacs_id)
        nodes.update_pacs(
            session, ORGANISATION, house.pacs_id, PacsDraft("PACS", "PACS", "h", 1, uuid.uuid4(), enabled=False)
        )
    with pytest.raises(PacsDisabled):
        house.ask()
    house.run_due()
    assert house.state()[0] == "failed"
    with house.database.write() as session:
        nodes.delete_pacs(session, ORGANISATION, house.pacs_id)


def test_ended_fetches_are_forgotten_in_time(house: House) -> None:
    house.run_due()
    with house.database.write() as session:
        assert fetches.forget_ended(session, house.clock.now() - timedelta(days=1)) == 0
        assert fetches.forget_ended(session, house.clock.now() + timedelta(days=1)) == 1

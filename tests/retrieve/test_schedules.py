"""Schedules fetch what they say and no more: in their hours, a few at a time, once, and nobody else's studies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.clock import FixedClock
from radrelay.network.errors import NobodyListens
from radrelay.retrieve import fetches, nodes
from radrelay.retrieve.errors import Broken
from radrelay.retrieve.models import Fetch, FetchRun, FetchRunStudy
from radrelay.retrieve.nodes import PacsDraft
from radrelay.retrieve.ports import (
    Answer,
    Came,
    FoundSeries,
    FoundStudy,
    Held,
    Here,
    Inventory,
    Order,
    PacsNode,
    Person,
    Stop,
    Tell,
    Wanted,
)
from radrelay.retrieve.schedules import service
from radrelay.retrieve.schedules.finding import Finder, Origin
from radrelay.retrieve.schedules.plan import Plan
from radrelay.retrieve.schedules.sizes import Means
from radrelay.retrieve.schedules.work import ScheduleWork, note_complete
from radrelay.settings import RetrieveSettings
from tests.backends import open_database
from tests.schema import lay

ORGANISATION = uuid.uuid4()
BERLIN = ZoneInfo("Europe/Berlin")
MEIER = Person("HOSP", "4711", "Meier^Anna", date(1970, 1, 2), "F")


def study(number: int, **more: object) -> FoundStudy:
    plain = FoundStudy(
        f"1.2.{number}", "4711", "HOSP", "Meier^Anna", "19700102", "F", study_date="20260327",
        study_time=f"{number:02}0000", modalities=("CT",), instances=10,
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


@dataclass
class Pacs:
    """An archive that answers with what it has of the asked days and patient, whatever else it is asked for."""

    studies: list[FoundStudy] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    asked: list[Wanted] = field(default_factory=list)
    down: bool = False

    def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
        self.asked.append(wanted)
        if self.down:
            raise Broken(NobodyListens("nothing listens there"))
        first, last = (day.strftime("%Y%m%d") if day else "" for day in (wanted.since, wanted.until))
        fits = [one for one in self.studies if first <= one.study_date <= last]
        return Answer(tuple(one for one in fits if wanted.patient_id in ("", one.patient_id)))

    def series(self, node: PacsNode, order: Order) -> Sequence[FoundSeries]:
        return [FoundSeries("1.9", body_part=self.parts.get(order.study_uid, ""))]

    def inventory(self, node: PacsNode, order: Order) -> Inventory:
        return Inventory()

    def fetch(
        self, node: PacsNode, order: Order, inventory: Inventory, missing: Sequence[Held] | None, tell: Tell, stop: Stop
    ) -> Came:
        return Came()


class House:
    """A database with one archive and schedules, 05:29 on a Saturday in Berlin, the night before the clock is set."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(datetime(2026, 3, 28, 4, 29, tzinfo=UTC))
        self.database = open_database(folder)
        lay(self.database)
        audit.install(self.database, "work", self.clock, bytes(32))
        self.pacs, self.people, self.present = Pacs(), [MEIER], dict[str, int]()
        self.retained: list[tuple[str, date, int]] = []
        self.mean = Means()
        self.work = self.worker(enabled=True)
        with self.database.write() as session:
            draft = PacsDraft("PACS", "PACS", "127.0.0.1", 104, uuid.uuid4())
            self.pacs_id = nodes.create_pacs(session, self.clock, ORGANISATION, draft).id

    def worker(self, *, enabled: bool) -> ScheduleWork:
        settings = RetrieveSettings(enabled=enabled)
        finder = Finder(self.pacs, self, self, settings, BERLIN, self)
        return ScheduleWork(self.database, self.clock, settings, finder, self.retain)

    def retain(
        self, session: Session, organisation_id: uuid.UUID, study_uid: str, source_id: uuid.UUID, since: datetime,
        day: date, days: int,
    ) -> None:  # fmt: skip
        self.retained.append((study_uid, day, days))

    def means(self, organisation_id: uuid.UUID, pacs_ids: Collection[uuid.UUID]) -> Means:
        return self.mean

    def here(self, organisation_id: uuid.UUID, study_uid: str) -> Here:
        return Here(frozenset(str(n) for n in range(self.present.get(study_uid, 0))))

    def on_wards(self, organisation_id: uuid.UUID, wards: Collection[str]) -> Sequence[Person]:
        return self.people if "3B" in wards else []

    def due_on(self, organisation_id: uuid.UUID, day: date) -> Sequence[Person]:
        return self.people

    def plan(self, **more: object) -> uuid.UUID:
        plan = Plan.model_validate({"name": "Round", "pacs": [self.pacs_id], "times": "30 5 * * *"} | more)
        with self.database.write() as session:
            return service.create_schedule(session, self.clock, ORGANISATION, plan, BERLIN, "somebody").id

    def at(self, minutes: float = 1) -> None:
        self.clock.advance(timedelta(minutes=minutes))
        self.work.tick()

    def runs(self) -> list[FetchRun]:
        with self.database.read() as session:
            return list(session.scalars(sa.select(FetchRun).order_by(FetchRun.created_at, FetchRun.id)))

    def states(self) -> dict[str, str]:
        with self.database.read() as session:
            rows = session.scalars(sa.select(FetchRunStudy).order_by(FetchRunStudy.place)).all()
            return {row.study_uid: row.left_by or row.state for row in rows}

    def come(self, state: str = "done") -> None:
        with self.database.write() as session:
            for row in session.scalars(sa.select(Fetch).where(Fetch.state == "waiting")).all():
                fetches.finish(row, state, self.clock.now())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.database.close()


def test_a_schedule_runs_at_its_time_and_asks_for_a_few_at_a_time(house: House) -> None:
    house.pacs.studies = [study(n) for n in (1, 2, 3)] + [study(9, study_date="20260320")]
    house.plan(since_days=1, at_once=2)
    house.work.tick()
    assert house.runs() == [], "not before its time"
    house.at()
    assert house.states() == {"1.2.3": "asked", "1.2.2": "asked", "1.2.1": "waiting"}
    house.come()
    house.at(0.1)
    assert house.states() == {"1.2.3": "done", "1.2.2": "done", "1.2.1": "asked"}
    house.come()
    house.at(0.1)
    (run,) = house.runs()
    assert (run.state, run.found, run.fetched, run.failed) == ("done", 3, 3, 0)
    house.at(23 * 60)
    assert len(house.runs()) == 2, "the clock was set in the night"


def test_no_time_is_run_twice_by_two_machines(house: House) -> None:
    house.plan()
    other = house.worker(enabled=True)
    house.at()
    other.tick()
    assert len(house.runs()) == 1


def test_while_a_run_goes_on_no_other_begins_by_hand_or_by_the_clock(house: House) -> None:
    house.pacs.studies = [study(1)]
    schedule_id = house.plan(since_days=1)

    def by_hand() -> bool:
        with house.database.write() as session:
            row = service.get_schedule(session, ORGANISATION, schedule_id)
            occasion = f"hand {uuid.uuid4()}"
            return service.start_run(session, row, "hand", occasion, house.clock.now(), BERLIN) is not None

    assert [by_hand(), by_hand()] == [True, False]
    house.at()
    assert [run.reason for run in house.runs()] == ["hand"], "its time comes while it runs"
    house.come()
    house.at()
    assert by_hand()


def test_a_restored_copy_asks_nobody_by_itself(house: House) -> None:
    house.pacs.studies = [study(1)]
    house.plan(since_days=1, pause_s=60)
    house.at()
    with house.database.write() as session:
        assert service.hold_open(session, house.clock.now()) == 1
    house.at(48 * 60)
    assert [run.state for run in house.runs()] == ["stopped"]


def test_nothing_runs_where_fetching_is_switched_off(house: House) -> None:
    house.plan()
    house.work = house.worker(enabled=False)
    house.at()
    assert (house.runs(), house.pacs.asked) == ([], [])


def test_limits_and_what_is_here_are_told(house: House) -> None:
    house.pacs.studies = [study(n) for n in (1, 2, 3, 4)]
    house.present = {"1.2.4": 10, "1.2.3": 9}
    house.plan(most_studies=2, at_once=9)
    house.at()
    assert house.states() == {"1.2.3": "asked", "1.2.2": "asked", "1.2.1": "studies"}
    (run,) = house.runs()
    assert (run.found, run.here, json.loads(run.left_out)) == (4, 1, {"studies": 1})


def test_number_of_objects_limits_too(house: House) -> None:
    house.pacs.studies = [study(1, instances=5), study(2, instances=100), study(3, instances=10)]
    house.plan(most_instances=20, at_once=9)
    house.at()
    assert house.states() == {"1.2.3": "asked", "1.2.2": "instances", "1.2.1": "asked"}


def test_size_limits_by_the_mean_of_what_was_fetched_and_by_what_has_come(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.pacs.studies = [study(n, instances=10) for n in (1, 2, 3, 4)]
    means = Means(image=1_000_000, image_of={"CT": 100_000.0}, images_of={"CT": 10.0})
    house.mean = means
    house.plan(most_bytes=3_500_000)
    house.at()
    assert house.states() == {"1.2.4": "asked", "1.2.3": "waiting", "1.2.2": "waiting", "1.2.1": "bytes"}
    monkeypatch.setattr("radrelay.retrieve.schedules.work.bytes_of", lambda *_: 2_000_000)
    house.come()
    house.at()
    assert house.states() == {"1.2.4": "done", "1.2.3": "asked", "1.2.2": "bytes", "1.2.1": "bytes"}
    house.come()
    house.at()
    (run,) = house.runs()
    assert (run.state, run.bytes, json.loads(run.left_out)) == ("done", 4_000_000, {"bytes": 2})


def test_the_window_ends_what_waits(house: House) -> None:
    house.pacs.studies = [study(1), study(2)]
    house.plan(stop_at="06:30")
    house.at()
    house.at(60)
    assert house.states() == {"1.2.2": "window", "1.2.1": "window"}
    (run,) = house.runs()
    assert (run.state, json.loads(run.left_out)) == ("done", {"window": 2})
    with house.database.read() as session:
        assert session.scalars(sa.select(Fetch.state)).all() == ["cancelled"]


def test_a_run_whose_window_is_over_is_missed(house: House) -> None:
    house.plan(stop_at="06:30")
    house.at(120)
    (run,) = house.runs()
    assert (run.state, run.error_code, house.pacs.asked) == ("missed", "run-missed", [])


def test_between_two_fetches_is_the_pause_that_is_set(house: House) -> None:
    house.pacs.studies = [study(1), study(2)]
    house.plan(at_once=5, pause_s=60)
    house.at()
    house.at(0.5)
    assert list(house.states().values()) == ["asked", "waiting"]
    house.at(0.6)
    assert list(house.states().values()) == ["asked", "asked"]


def test_an_archive_that_does_not_filter_is_not_believed(house: House) -> None:
    house.pacs.studies = [
        study(1, modalities=("MR",)), study(2, ward="4A"), study(3, ward="3B"), study(4), study(5, ward="3B1"),
    ]  # fmt: skip
    house.plan(modalities=["CT"], whose="ward", wards=["3B"], at_once=9)
    house.at()
    assert house.states() == {"1.2.4": "ward", "1.2.3": "asked"}


@pytest.mark.parametrize("whose", ["hl7-ward", "worklist"])
def test_of_patients_only_what_is_theirs_beyond_doubt_is_fetched(house: House, whose: str) -> None:
    house.pacs.studies = [
        study(1), study(2, issuer="OTHER"), study(3, issuer=""), study(4, birth_date="19700103"),
        study(5, patient_name="Schulz^Uwe", birth_date=""), study(6, patient_id="4712"),
    ]  # fmt: skip
    house.plan(whose=whose, wards=["3B"], since_days=30, at_once=9)
    house.at()
    assert house.states() == {
        "1.2.5": "person", "1.2.4": "person", "1.2.3": "person", "1.2.2": "person", "1.2.1": "asked",
    }  # fmt: skip


def test_an_archive_that_is_down_fails_the_run_and_says_why(house: House) -> None:
    house.pacs.down = True
    house.plan()
    house.at()
    (run,) = house.runs()
    assert (run.state, run.error_code) == ("failed", "nobody-listens")


def test_the_last_hours_go_by_the_time_of_the_study(house: House) -> None:
    house.pacs.studies = [study(19), study(22), study(23, study_time="")]
    house.plan(last_hours=8, at_once=9)
    house.at()
    assert house.states() == {"1.2.22": "asked", "1.2.23": "asked"}


def test_priors_are_fetched_once_and_ask_for_no_priors(house: House) -> None:
    house.pacs.studies = [
        study(1, study_date="20250101"), study(2, study_date="20240101"), study(3, study_date="20230101"),
        study(4, study_date="20100101"), study(5, study_date="20240601", modalities=("MR",)), study(7),
    ]  # fmt: skip
    house.pacs.parts = {"1.2.2": "KNEE", "1.2.1": "CHEST"}
    house.plan(
        kind="priors", times="", same_modality=True, same_body_part=True, years=5, most_each=2, at_once=9
    )  # fmt: skip
    new, prior = uuid.uuid4(), uuid.uuid4()
    origins = {
        new: (ORGANISATION, Origin(MEIER, ("CT",), ("CHEST",), "1.2.7")),
        prior: (ORGANISATION, Origin(MEIER, ("CT",), ("CHEST",), "1.2.1")),
    }
    for _ in range(2):
        with house.database.write() as session:
            note_complete(session, [new], house.clock.now(), lambda _, one: origins[one])
        house.at()
    assert house.states() == {"1.2.1": "asked", "1.2.2": "part", "1.2.3": "asked"}
    house.come()
    house.at()
    with house.database.write() as session:
        note_complete(session, [prior], house.clock.now(), lambda _, one: origins[one])
    house.at()
    (run,) = house.runs()
    assert (run.state, run.reason, run.fetched) == ("done", "study", 2)


def test_a_cache_keeps_its_days_and_has_them_end_with_the_window(house: House) -> None:
    house.pacs.studies = [study(1), study(2, study_date="20260326"), study(3, study_date="20260325")]
    house.plan(kind="cache", keep_days=3, at_once=9)
    house.at()
    assert house.states() == {"1.2.1": "asked", "1.2.2": "asked"}
    house.come()
    house.at()
    assert sorted(house.retained) == [("1.2.1", date(2026, 3, 27), 3), ("1.2.2", date(2026, 3, 26), 3)]

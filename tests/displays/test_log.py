"""A display is checked for as long as its last checks hold, and the log keeps each of them as it was."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from radrelay.clock import FixedClock
from radrelay.displays import log, service
from radrelay.displays.errors import (
    CheckInvalid,
    CheckTaken,
    DisplayExists,
    DisplayInvalid,
    DisplayNotFound,
    TooManyDisplays,
)
from radrelay.displays.judging import QUESTIONS, Readings, Seen
from radrelay.displays.models import DisplayCheck
from radrelay.displays.service import Draft, Person, Submitted
from radrelay.settings import DisplaySettings
from tests.backends import open_database
from tests.displays.samples import gamma, readings
from tests.schema import lay

ORGANISATION = uuid.uuid4()
MONDAY = datetime(2026, 3, 2, 7, tzinfo=UTC)
DRAFT = Draft("left", "Reading room 2", "RK1", "ct", 2560, 1440, 233.0, 2560, 1440, 0, 0, "EIZO")
ANNA = Person("a", "Anna")


class Room:
    """A workstation with one display, in an open transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.clock = FixedClock(MONDAY)
        self.settings = DisplaySettings()
        self.workstation, self.secret = service.add_workstation(session, ORGANISATION, "PC 7", MONDAY)
        self.display = service.add_display(session, self.workstation, DRAFT, MONDAY)

    def submit(self, given: Submitted, person: Person = ANNA) -> DisplayCheck:
        row, _ = service.submit(self.session, self.display, given, person, self.settings, self.clock.now())
        return row

    def look(self, **no: bool) -> DisplayCheck:
        return self.submit(visual(dict.fromkeys(QUESTIONS, True) | no))

    def measure(self, found: Readings | None = None, **more: object) -> DisplayCheck:
        return self.submit(photometer(found or readings(), **more))

    @property
    def state(self) -> service.State:
        return service.state_of(self.session, self.display, self.settings, self.clock.now())


def visual(answers: dict[str, bool], check_id: uuid.UUID | None = None) -> Submitted:
    return Submitted(check_id or uuid.uuid4(), "visual", Seen(2560, 1440, 233.0), answers=answers)


def photometer(found: Readings, **more: object) -> Submitted:
    given = Submitted(uuid.uuid4(), "photometer", Seen(2560, 1440, 233.0), readings=found)
    return replace(given, **more)  # type: ignore[arg-type]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    database = open_database(tmp_path)
    lay(database)
    with database.write() as session:
        yield Room(session)
    database.close()


def test_display_is_checked_after_a_look_and_no_longer_the_next_morning(room: Room) -> None:
    assert (room.state.checked, room.state.reason) == (False, "never")
    room.look()
    assert (room.state.checked, room.state.until) == (True, MONDAY + timedelta(hours=16))
    room.clock.advance(timedelta(hours=16) - timedelta(seconds=1))
    assert room.state.checked
    room.clock.advance(timedelta(seconds=1))
    assert room.state.reason == "expired"


def test_one_no_and_the_display_is_not_checked_until_it_is_looked_at_again(room: Room) -> None:
    room.look()
    room.clock.advance(timedelta(minutes=1))
    failed = room.look(lines=False)
    assert (failed.passed, failed.valid_until, room.state.reason) == (False, None, "failed")
    room.clock.advance(timedelta(minutes=1))
    room.look()
    assert room.state.checked


def test_failed_readings_count_against_a_good_look_until_others_pass(room: Room) -> None:
    room.look()
    room.measure(readings(gamma(2.2)))
    assert room.state.reason == "failed"
    room.clock.advance(timedelta(minutes=1))
    room.measure()
    assert room.state.checked


def test_readings_of_last_year_count_against_a_good_look(room: Room) -> None:
    room.measure()
    room.clock.advance(timedelta(days=365))
    room.look()
    assert room.state.reason == "expired"


def test_site_may_ask_for_readings(room: Room) -> None:
    room.settings = DisplaySettings(photometer_required=True)
    room.look()
    assert room.state.reason == "unmeasured"
    room.measure()
    assert room.state.checked


@pytest.mark.parametrize("change", [{"use": "radiography"}, {"room_class": "RK2"}, {"pixel_um": 250.0}, {"room": "3"}])
def test_display_that_was_changed_must_be_checked_anew(room: Room, change: dict[str, object]) -> None:
    room.look()
    service.change_display(room.session, room.display, replace(DRAFT, **change))  # type: ignore[arg-type]
    assert room.state.reason == "changed"


def test_display_that_was_only_renamed_stays_checked(room: Room) -> None:
    room.look()
    service.change_display(room.session, room.display, replace(DRAFT, name="right", screen_left=2560))
    assert room.state.checked


def test_display_for_viewing_is_never_checked_for_reading(room: Room) -> None:
    service.change_display(room.session, room.display, replace(DRAFT, use="viewing", room_class="RK4"))
    room.look()
    assert room.state.reason == "viewing"


def test_phone_fails_by_its_matrix(room: Room) -> None:
    service.change_display(room.session, room.display, replace(DRAFT, columns=1080, rows=720, pixel_um=60.0))
    row = room.submit(replace(visual(dict.fromkeys(QUESTIONS, True)), seen=Seen(1080, 720, 60.0)))
    assert [one.name for one in service.criteria_of(row) if not one.passed] == ["rows", "pixel_um"]


def test_screen_that_is_another_than_was_registered_cannot_be_checked(room: Room) -> None:
    with pytest.raises(CheckInvalid, match="seen"):
        room.submit(replace(visual(dict.fromkeys(QUESTIONS, True)), seen=Seen(1920, 1080, 233.0)))


def test_correction_counts_from_its_readings_until_the_next_ones(room: Room) -> None:
    assert room.state.correction is None
    raw = room.measure(readings(gamma(2.2)), correct=True)
    assert room.state.correction is not None
    assert len(room.state.correction) == 256
    assert room.state.corrected_by == raw.id
    assert service.forecast(service.readings_of(raw)) < 15
    room.clock.advance(timedelta(minutes=1))
    again = room.measure(readings(), through=raw.id)
    assert (again.correction, again.passed) == (raw.correction, True)
    room.clock.advance(timedelta(minutes=1))
    room.measure()
    assert room.state.correction is None


def test_correction_ends_when_the_display_is_another_or_stands_elsewhere(room: Room) -> None:
    raw = room.measure(readings(gamma(2.2)), correct=True)
    service.change_display(room.session, room.display, replace(DRAFT, room="3"))
    assert (room.state.correction, room.state.corrected_by) == (None, None)
    with pytest.raises(CheckInvalid, match="through"):
        room.measure(through=raw.id)


def test_readings_taken_behind_no_table_of_this_display_are_refused(room: Room) -> None:
    plain = room.measure()
    for through in (uuid.uuid4(), plain.id):
        with pytest.raises(CheckInvalid, match="through"):
            room.measure(through=through)


def test_same_check_twice_is_logged_once_and_another_by_its_number_is_refused(room: Room) -> None:
    given = visual(dict.fromkeys(QUESTIONS, True))
    first = room.submit(given)
    room.clock.advance(timedelta(seconds=2))
    assert room.submit(given).checked_at == first.checked_at
    assert len(service.log_of(room.session, room.display)) == 1
    with pytest.raises(CheckTaken):
        room.submit(visual(dict.fromkeys(QUESTIONS, False), given.check_id))
    with pytest.raises(CheckTaken):
        room.submit(given, Person("b", "Berta"))


def test_answers_and_readings_belong_to_their_own_kind_of_check(room: Room) -> None:
    seen, answers = Seen(2560, 1440, 233.0), dict.fromkeys(QUESTIONS, True)
    for wrong in (
        Submitted(uuid.uuid4(), "visual", seen),
        Submitted(uuid.uuid4(), "photometer", seen, answers=answers),
        Submitted(uuid.uuid4(), "visual", seen, answers=answers, readings=readings()),
    ):
        with pytest.raises(CheckInvalid):
            room.submit(wrong)


def test_workstation_is_found_by_its_secret_alone(room: Room) -> None:
    find = service.find_workstation
    assert find(room.session, ORGANISATION, room.secret) is room.workstation
    assert find(room.session, uuid.uuid4(), room.secret) is None
    for wrong in ("", room.secret[:-1], "x" * 1000):
        assert find(room.session, ORGANISATION, wrong) is None


def test_display_of_another_organisation_is_not_there(room: Room) -> None:
    with pytest.raises(DisplayNotFound):
        service.get_display(room.session, uuid.uuid4(), room.display.id)


def test_displays_of_a_workstation_have_names_of_their_own_and_are_not_endless(room: Room) -> None:
    with pytest.raises(DisplayExists):
        service.add_display(room.session, room.workstation, replace(DRAFT, name=" left "), MONDAY)
    with pytest.raises(DisplayInvalid, match="room"):
        service.add_display(room.session, room.workstation, replace(DRAFT, name="x", room=" "), MONDAY)
    with pytest.raises(DisplayInvalid, match="use"):
        service.add_display(room.session, room.workstation, replace(DRAFT, name="x", use="dental"), MONDAY)
    for number in range(service.MOST_DISPLAYS - 1):
        service.add_display(room.session, room.workstation, replace(DRAFT, name=str(number)), MONDAY)
    with pytest.raises(TooManyDisplays):
        service.add_display(room.session, room.workstation, replace(DRAFT, name="one more"), MONDAY)
    service.retire_display(room.display, MONDAY)
    service.add_display(room.session, room.workstation, DRAFT, MONDAY)


def test_log_as_csv_says_who_when_and_by_which_limit(room: Room) -> None:
    room.look()
    room.clock.advance(timedelta(hours=1))
    room.submit(photometer(readings(), instrument="=Konica LS-150", remark="after the move"))
    lines = "".join(log.as_csv(room.workstation, room.display, service.log_of(room.session, room.display)))
    rows = list(csv.DictReader(io.StringIO(lines.removeprefix("\ufeff")), delimiter=";"))
    ratio = next(row for row in rows if row["criterion"] == "ratio")
    assert (ratio["checked_by"], ratio["checked_at"]) == ("Anna", "2026-03-02T08:00:00+00:00")
    assert (ratio["limit"], ratio["criterion_passed"], ratio["room_class"]) == ("250.0", "yes", "RK1")
    assert ratio["instrument"] == "'=Konica LS-150"  # no spreadsheet takes it for a formula
    assert rows[0]["kind"] == "photometer"
    assert {row["criterion"] for row in rows} >= {"columns", "pixel_um", "lines", "gsdf_deviation"}


def test_changed_log_shows_by_its_fingerprint(room: Room) -> None:
    row = room.look()
    before = service.fingerprint(row)
    row.account_name = "Berta"
    assert service.fingerprint(row) != before

"""What people type finds what devices sent, in order, page by page, and never what is not theirs or is over."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from radrelay.archive import asked, deletion
from radrelay.archive.errors import CursorInvalid
from radrelay.archive.models import Holding, Study
from radrelay.archive.query import (
    DateRange,
    IndexedStudy,
    Sort,
    StudyPage,
    StudyQuery,
    TimeRange,
    Window,
)
from radrelay.archive.search import count_studies, find_patients, find_studies
from radrelay.archive.sort_key import FIRST_DATED, first_key, last_key, redrawn, sort_key
from tests.archive.arriving import START, Door, arrival

HOUR = timedelta(hours=1)
PEOPLE = {
    "mueller": "Müller^Jörg",
    "muehlen": "Mühlenberg^Anna",
    "strauss": "Strauß^Zoë",
    "yamada": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "yamamoto": "Yamamoto^Hanako=山本^花子=やまもと^はなこ",
    "hong": "Hong^Gildong=洪^吉洞=홍^길동",
    "greek": "Παπαδόπουλος^Γεώργιος",
    "arab": "الحسن^محمد",
    "wang": "Wang^XiaoDong=王^小东",
    "oneil": "O'Neil^Li",
}


class Archive:
    """A door with a few studies behind it, named by a word each."""

    def __init__(self, door: Door, numbers: Iterator[int] | None = None) -> None:
        self.door = door
        self.numbers = numbers or itertools.count(1)

    def add(self, word: str, name: str = "Doe^John", **changes: Any) -> None:
        number = next(self.numbers)
        values: dict[str, Any] = {
            "study_uid": f"1.2.{number}",
            "series_uid": f"1.2.{number}.1",
            "sop_uid": f"1.2.{number}.1.1",
            "patient_id": f"PID-{number:03d}",
            "patient_name": name,
            "accession": f"ACC{number:05d}",
            "study_date": date(2026, 1, 1) + timedelta(days=number),
            "study_id": word,
        }
        at = changes.pop("at", START + timedelta(seconds=number))
        self.door.bring(at, **{**values, **changes})

    def page(self, query: StudyQuery, window: Window | None = None, visible: Any = None) -> StudyPage[IndexedStudy]:
        with self.door.database.read() as session:
            seen = sa.true() if visible is None else visible
            return find_studies(session, self.door.organisation_id, query, seen, START + HOUR, window)

    def pages(self, query: StudyQuery, window: Window) -> list[str]:
        words: list[str] = []
        while True:
            page = self.page(query, window)
            words += [study.study_id_value for study in page.studies]
            if page.next_cursor is None:
                return words
            window = replace(window, cursor=page.next_cursor)

    def find(self, window: Window | None = None, visible: Any = None, **conditions: Any) -> list[str]:
        page = self.page(StudyQuery(**conditions), window, visible)
        words = [study.study_id_value for study in page.studies]
        assert page.total == len(words) or page.next_cursor or (window and (window.cursor or window.offset))
        return words


@pytest.fixture
def archive(door: Door) -> Archive:
    return Archive(door)


@pytest.fixture
def people(archive: Archive) -> Archive:
    for word, name in PEOPLE.items():
        archive.add(word, name)
    return archive


def test_name_patterns_find_every_group_in_any_spelling(people: Archive) -> None:
    everybody = set(PEOPLE)
    expected: dict[str, set[str]] = {
        "MÜL*": {"mueller"},
        "mul*": {"mueller"},
        "MUELLER*": {"mueller"},
        "mu*": {"mueller", "muehlen"},
        "m*": {"mueller", "muehlen"},
        "Müller^Jörg": {"mueller"},
        "MULLER": set(),
        "*jorg": {"mueller"},
        "m?ller*": {"mueller"},
        "*": everybody,
        "": everybody,
        "STRAUSS*": {"strauss"},
        "Strauß^Zoe": {"strauss"},
        "山田*": {"yamada"},
        "山*": {"yamada", "yamamoto"},
        "*太郎": {"yamada"},
        "ヤマダ*": {"yamada"},
        "Yamada^Tarou=山田^太郎": {"yamada"},
        "Yamada^Tarou=山本*": set(),
        "홍*": {"hong"},
        "παπαδοπουλοσ*": {"greek"},
        "ΠΑΠΑΔΌΠΟΥΛΟΣ*": {"greek"},
        "الحسن*": {"arab"},
        "o'neil*": {"oneil"},
        "li*": set(),
        "100%*": set(),
        '"*': set(),
    }
    assert {pattern: set(people.find(name=pattern)) for pattern in expected} == expected
    by_filter = {pattern: set(people.find(name=pattern, visible=_all_by_filter())) for pattern in expected}
    assert by_filter == expected


def test_words_are_found_anywhere_and_short_ones_at_beginnings(people: Archive) -> None:
    expected: dict[str, set[str]] = {
        "üller": {"mueller"},
        "uller": {"mueller"},
        "jörg müller": {"mueller"},
        "amad": {"yamada"},
        "山田": {"yamada"},
        "田": {"yamada"},
        "本花": set(),
        "山 子": {"yamamoto"},
        "길동": {"hong"},
        "小东": {"wang"},
        "mü": {"mueller", "muehlen"},
        "mü an": {"muehlen"},
        "ul": set(),
        "jo m": {"mueller"},
        "γεωργιος": {"greek"},
        "محمد": {"arab"},
        'ü"ller': set(),
        "%ll": set(),
    }
    assert {words: set(people.find(name_words=words)) for words in expected} == expected
    by_filter = {words: set(people.find(name_words=words, visible=_all_by_filter())) for words in expected}
    assert by_filter == expected


def _all_by_filter() -> sa.ColumnElement[bool]:
    """Return a condition that sees everything but does not look like it."""
    return Study.id.in_(sa.select(Holding.study_id))


def test_free_text_looks_at_name_description_and_identifiers(people: Archive) -> None:
    people.add("knee", "Meier^Eva", study_description="MRT Knie rechts", patient_id="X-77/12")
    assert people.find(text="knie") == ["knee"]
    assert people.find(text="meier rechts") == ["knee"]
    assert people.find(text="77/12") == ["knee"]
    assert people.find(text="müller knie") == []
    assert people.find(text="acc00003 strauss") == ["strauss"]


def test_percent_underscore_and_backslash_stand_for_themselves(archive: Archive) -> None:
    archive.add("plain", study_description="Thorax")
    archive.add("percent", study_description="Stenosis 50%")
    archive.add("under", patient_id="A_1")
    archive.add("back", study_description=r"CT\MR")
    for sign, word in (("%", "percent"), ("_", "under"), ("\\", "back")):
        assert [study.study_id_value for study in archive.page(StudyQuery(text=sign)).studies] == [word], sign
    assert archive.page(StudyQuery(text="_%")).studies == []


def test_identifiers_match_exactly_or_by_wildcards(people: Archive) -> None:
    assert people.find(patient_id="PID-003") == ["strauss"]
    assert people.find(patient_id="pid-003") == ["strauss"]
    assert people.find(patient_id="PID-00") == []
    assert set(people.find(patient_id="PID-00*")) == set(PEOPLE) - {"oneil"}
    assert people.find(patient_id="*003") == ["strauss"]
    assert people.find(patient_id="PID?003") == ["strauss"]
    assert people.find(accession="ACC00002") == ["muehlen"]
    assert people.find(accession="*0002*") == ["muehlen"]
    assert people.find(accession="%") == []
    assert people.find(study_uids=("1.2.1", "1.2.4", "9")) == ["yamada", "mueller"]


def test_dates_times_birth_dates_and_sex(archive: Archive) -> None:
    archive.add("old", study_date=date(2020, 5, 1), study_time=time(8), birth_date=date(1950, 1, 1), sex="F")
    archive.add("new", study_date=date(2025, 5, 1), study_time=time(20), birth_date=date(1960, 1, 1))
    archive.add("undated", study_date=None, study_time=None, birth_date=None)
    assert archive.find(dates=DateRange(date(2020, 5, 1), date(2020, 5, 1))) == ["old"]
    assert archive.find(dates=DateRange(None, date(2025, 5, 1))) == ["new", "old"]
    assert archive.find(dates=DateRange(date(2020, 5, 2), None)) == ["new"]
    assert archive.find(times=TimeRange(time(7), time(9))) == ["old"]
    assert archive.find(birth_date=DateRange(date(1950, 1, 1), date(1950, 1, 1))) == ["old"]
    assert archive.find(birth_date=DateRange(date(1951, 1, 1), None)) == ["new"]
    assert archive.find(sex="F") == ["old"]
    assert archive.find() == ["new", "old", "undated"]


def test_modalities_descriptions_and_people(archive: Archive) -> None:
    archive.add("ct", study_description="CT Schädel")
    archive.add("mr", modality="MR", study_description="MRT Schädel", referring="Grün^Ute")
    archive.add("us", modality="US", study_description="Schilddrüse", institution="Praxis Süd")
    assert archive.find(modalities=("MR",)) == ["mr"]
    assert archive.find(modalities=("MR", "CT")) == ["mr", "ct"]
    assert archive.find(modalities=("MR",), description_words="schädel") == ["mr"]
    assert archive.find(modalities=("MR",), dates=DateRange(date(2027, 1, 1), None)) == []
    assert archive.find(description="ct sch*") == ["ct"]
    assert archive.find(description="*SCHADEL") == ["mr", "ct"]
    assert archive.find(description="schädel") == []
    assert archive.find(description_words="schild") == ["us"]
    assert archive.find(referring="grün*") == ["mr"]
    assert archive.find(institution="praxis*") == ["us"]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["date", "received", "name", "expires"])
def test_pages_follow_one_another_without_gap_or_repeat(archive: Archive, sort: Sort, descending: bool) -> None:
    endless = Archive(archive.door.other(retention_s=None), archive.numbers)
    for number in range(11):
        brought = endless if number in (3, 7, 8) else archive
        brought.add(f"{number:02d}", f"Neumann^{'ABCA'[number % 4]}", study_date=date(2026, 1, 1 + number // 2))
    cases: list[dict[str, Any]] = [{}, {"name_words": "mann"}, {"modalities": ("CT",)}, {"patient_id": "P*"}]
    for conditions in cases:
        whole = archive.find(Window(sort, descending, 50), **conditions)
        assert len(whole) == 11
        assert archive.pages(StudyQuery(**conditions), Window(sort, descending, 3)) == whole
        assert archive.find(Window(sort, not descending, 50), **conditions) == whole[::-1]
        assert archive.find(Window(sort, descending, 3, offset=4), **conditions) == whole[4:7]


@pytest.mark.parametrize(
    ("sort", "value", "key"), [("date", None, 1 << 63), ("received", 0, 1 << 63), ("name", 5, 1), ("received", "x", 1)]
)
def test_a_cursor_that_nobody_gave_is_refused(people: Archive, sort: Sort, value: object, key: int) -> None:
    forged = base64.urlsafe_b64encode(msgspec.msgpack.encode([sort, True, value, key])).decode()
    with pytest.raises(CursorInvalid):
        people.page(StudyQuery(), Window(sort, True, 2, cursor=forged))


@pytest.mark.parametrize("conditions", [{}, {"patient_id": "P*"}])
def test_names_go_from_a_to_z_as_a_person_reads_them(archive: Archive, conditions: dict[str, Any]) -> None:
    names = {
        "hello-a": "HELLO^A", "one": "Anonymized1", "nobody": "", "ideographs": "=山田^太郎", "umlaut": "Äbele^Eva",
        "hello": "Hello", "meier": "Meier^Zoe", "plain": "Anonymized", "double": "Meier Abt^Eva", "blank": "^^=",
    }  # fmt: skip
    for word, name in names.items():
        archive.add(word, name)
    forth = ["umlaut", "plain", "one", "hello", "hello-a", "meier", "double", "ideographs"]
    for descending in (False, True):
        window = Window("name", descending, 50)
        whole = archive.find(window, **conditions)
        assert whole[:8] == (forth[::-1] if descending else forth)
        assert sorted(whole[8:]) == ["blank", "nobody"], "who has no name comes last, whichever way"
        for limit in (1, 3, 8, 9):
            assert archive.pages(StudyQuery(**conditions), replace(window, limit=limit)) == whole
        assert archive.find(replace(window, limit=3, offset=6), **conditions) == whole[6:9]


def test_a_cursor_of_another_order_is_refused(people: Archive) -> None:
    cursor = people.page(StudyQuery(), Window(limit=2)).next_cursor or ""
    for window in (Window("name", True, 2, cursor=cursor), Window(limit=2, cursor="nonsense"), Window(cursor="ä")):
        with pytest.raises(CursorInvalid):
            people.page(StudyQuery(), window)


def test_the_total_is_counted_up_to_a_cap(people: Archive) -> None:
    with people.door.database.read() as session:
        organisation_id, now = people.door.organisation_id, START + HOUR
        page = find_studies(session, organisation_id, StudyQuery(), sa.true(), now, count_cap=4)
        assert (page.total, page.total_is_least, len(page.studies)) == (4, True, 10)
        assert count_studies(session, organisation_id, StudyQuery(name="m*"), sa.true(), now) == (2, False)


def test_what_is_over_or_elsewhere_or_not_granted_is_not_found(
    people: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = people.door.other(retention_s=1800)
    short.bring(START, study_uid="1.9", series_uid="1.9.1", sop_uid="1.9.1.1")
    stranger = Door(people.door.database)
    stranger.bring(study_uid="1.8", series_uid="1.8.1", sop_uid="1.8.1.1")
    short.bring(START, study_uid="1.9", series_uid="1.9.2", sop_uid="1.9.2.1", modality="XA")
    assert people.find(modalities=("XA",)) == []
    with people.door.database.read() as session:
        xa = StudyQuery(modalities=("XA",))
        assert count_studies(session, people.door.organisation_id, xa, sa.true(), START) == (1, False)
        assert count_studies(session, people.door.organisation_id, xa, sa.true(), START + HOUR) == (0, False)
    assert people.find(name_words="jörg") == people.find(name="*jorg*") == ["mueller"]
    assert len(people.find()) == len(PEOPLE)
    one = Study.id.in_(sa.select(Study.id).where(Study.study_uid == "1.2.3"))
    for few in (2000, 0):
        monkeypatch.setattr(asked, "FEW", few)
        assert people.find(visible=one) == ["strauss"]
        assert people.find(visible=one, name_words="strau") == ["strauss"]
        assert people.find(visible=one, name_words="müller") == []
        assert people.find(visible=one, modalities=("CT",)) == ["strauss"]
        assert people.find(visible=sa.false()) == []


def test_a_deleted_study_leaves_nothing_in_the_text_index(people: Archive) -> None:
    study = people.door.study("1.2.1")
    with people.door.database.write() as session:
        deletion.delete_study(session, study.id, START)
    assert people.find(name_words="üller") == people.find(name_words="mü jö") == []
    people.add("mueller again", "Müller^Jörg")
    assert people.find(name_words="üller") == ["mueller again"]


def test_patients_are_found_once_each(door: Door) -> None:
    door.bring_all(door.slices(3))
    door.bring_all([arrival(door.source, study_uid="1.9", series_uid="1.9.1", sop_uid="1.9.1.1", patient_id="2")])
    with door.database.read() as session:
        patients = find_patients(session, door.organisation_id, StudyQuery(name="mü*"), sa.true(), START + HOUR)
    assert sorted(patient.patient_id for patient in patients) == ["2", "4711"]


def test_sort_keys_keep_dates_in_order() -> None:
    moments: Sequence[tuple[date | None, time | None]] = [
        (None, time(5)), (date(1, 1, 1), None), (date(1969, 12, 31), time(23, 59, 59)), (date(1970, 1, 1), None),
        (date(1970, 1, 1), time(0, 0, 1)), (date(9999, 12, 31), time(23)),
    ]  # fmt: skip
    keys = [sort_key(*moment) for moment in moments]
    assert keys == sorted(keys)
    assert keys[0] < FIRST_DATED < keys[1]
    assert all(0 <= key < 2**63 for key in keys)
    day = date(1970, 1, 1)
    assert first_key(day) <= keys[3] < keys[4] <= last_key(day) < first_key(day + timedelta(days=1))
    assert redrawn(keys[3]) >> 29 == keys[3] >> 29

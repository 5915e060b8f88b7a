"""Who somebody may be in archives elsewhere: what they are asked, and what becomes of their answers."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest

from radrelay.app.importing import archives
from radrelay.app.importing.archives import Asking, Resting, archived_candidates, archived_holders
from radrelay.importer.arrived import Person
from radrelay.importer.holding import as_issued
from radrelay.importer.matching import Candidate
from radrelay.importer.models import ImportPerson
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.reconciling import Authority, LocalPatient
from radrelay.importer.written_down import chosen_text, held_elsewhere
from radrelay.network.client import QueryRefused
from radrelay.retrieve.asking import study_of
from radrelay.retrieve.errors import Broken, SearchTimedOut
from radrelay.retrieve.json_matches import matches_of
from radrelay.retrieve.ports import Answer, FoundStudy, PacsNode, Wanted
from radrelay.settings import RetrieveSettings

BORN = date(1970, 1, 2)
NODE = PacsNode(
    uuid.uuid4(), uuid.uuid4(), "Archive", "A", "127.0.0.1", 104, "", tls=False, model="study", method="move",
    source_id=uuid.uuid4(),
)  # fmt: skip


@dataclass
class Pacs:
    """An archive that tells of these studies, and what it was asked; it may tell whole only of who has a name."""

    studies: tuple[FoundStudy, ...] = ()
    more: bool = False
    down: bool = False
    by_name: bool = False
    full: bool = False
    asked: list[Wanted] = field(default_factory=list)

    def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
        self.asked.append(wanted)
        if self.down:
            raise Broken(SearchTimedOut("no answer"))
        if self.by_name and not wanted.patient_name:
            raise QueryRefused("name somebody")
        start = wanted.patient_name.rstrip("*")
        found = tuple(one for one in self.studies if one.patient_name.startswith(start))
        return Answer(found[: 0 if self.more else None], self.full or (self.more and not wanted.patient_name))


def found_of(name: str, pacs: Pacs, born: date | None = BORN) -> tuple[list[Person], tuple[str, ...]]:
    person = Person(name, birth_date=born)
    settings = RetrieveSettings()
    found = archived_candidates(pacs, [NODE], settings, ArrivedPerson(person, (person,), ()), BORN)  # type: ignore[arg-type]
    return [one.person for one in found.found], found.silent


@pytest.mark.parametrize("name", ["Schmidt-Meier^Anna", "van der Berg^Eva", "Özdemir^Can", "山田^太郎"])
def test_an_archive_is_asked_for_all_of_a_birth_date(name: str) -> None:
    pacs = Pacs()
    assert found_of(name, pacs) == ([], ())
    assert [(one.patient_name, one.birth_date) for one in pacs.asked] == [("", BORN)]


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("Schmidt-Meier^Anna", "Meier-Schmidt^Anna"), ("van der Berg^Eva", "Berg^Eva^^van der"),
        ("Dr. Meier^Eva", "Meier^Eva^^Dr."), ("Schäfer^Eva", "SCHAEFER^EVA"), ("Schmidt^Eva", "Eva^Schmidt"),
    ],
)  # fmt: skip
def test_whoever_has_the_same_name_in_other_words_is_found(name: str, here: str) -> None:
    study = FoundStudy("1.2", "4711", "KH", here, "19700102", "F")
    assert found_of(name, Pacs((study,))) == ([Person(here, "4711", "KH", BORN, "F")], ())


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("Schmidt^Anna", "SCHMIDT Schmidt"), ("Müller^Jörg", "M"), ("Keßler^Eva", "KE Ke"),
        ("Schmidt-Meier^Anna", "MEIER Meier SCHMIDT Schmidt"), ("van der Berg^Eva", "BERG Berg DER V der v"),
        ("Özdemir^Can", "O Ö"), ("O'Neill^Ann", "O Ö"),
    ],
)  # fmt: skip
def test_one_that_tells_nothing_without_a_name_or_not_all_is_asked_for_names(name: str, asked: str) -> None:
    for pacs in (Pacs(by_name=True), Pacs(more=True)):
        assert found_of(name, pacs) == ([], ())
        assert [one.patient_name for one in pacs.asked] == ["", *(f"{one}*" for one in asked.split())]
        assert {one.birth_date for one in pacs.asked} == {BORN}


def test_one_that_is_not_asked_for_all_ways_of_writing_a_name_is_named() -> None:
    assert found_of("山田^太郎", Pacs(by_name=True)) == ([], ("Archive",))
    assert found_of("Schmidt^Anna", Pacs(full=True)) == ([], ("Archive",))
    assert found_of("-".join(f"K{one}l" for one in "eiyrtnbcdf"), Pacs(more=True)) == ([], ("Archive",))


def test_whom_nothing_names_nobody_is_asked_for() -> None:
    pacs = Pacs()
    assert found_of("", pacs) == ([], ())
    assert pacs.asked == []


def test_answers_are_folded_and_compared_and_told_once() -> None:
    same = FoundStudy("1.2", "4711", "KH", "MUELLER^JOERG", "19700102", "M")
    studies = (same, FoundStudy("1.3", "4711", "KH", "MUELLER^JOERG", "19700102", "M"))
    other = FoundStudy("1.4", "9", "KH", "Maier^Eva", "19700102", "F")
    found, silent = found_of("Müller^Jörg", Pacs((*studies, other)))
    assert (found, silent) == ([Person("MUELLER^JOERG", "4711", "KH", BORN, "M")], ())


def test_whom_archives_know_by_an_id_is_told_whoever_it_is() -> None:
    other = FoundStudy("1.4", "4711", "KH", " Maier^Eva", "19610102", "u")
    pacs = Pacs((other, FoundStudy("1.5", "47110", "KH", "Schmidt^Ute")))
    found = archived_holders(pacs, [NODE], RetrieveSettings(), "4711")  # type: ignore[arg-type]
    person = Person("Maier^Eva", "4711", "KH", date(1961, 1, 2))
    assert ([one.person for one in found.found], found.silent) == ([person], ())
    assert [one.patient_id for one in pacs.asked] == ["4711"]
    assert archived_holders(Pacs(down=True), [NODE], RetrieveSettings(), "4711").silent == ("Archive",)  # type: ignore[arg-type]
    pacs.asked.clear()
    archived_holders(pacs, [NODE], RetrieveSettings(), "47*")  # type: ignore[arg-type]
    assert pacs.asked == []


def test_an_archive_that_does_not_answer_is_asked_once_and_named() -> None:
    pacs = Pacs(down=True)
    assert found_of("Schmidt^Anna", pacs) == ([], ("Archive",))
    assert len(pacs.asked) == 1


def test_one_that_hangs_holds_nobody_up_who_waits_for_whose_an_id_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "HOLDER_S", 0.3)
    other = FoundStudy("1.4", "4711", "KH", "Maier^Eva", "19610102", "F")
    pacs, woken = Pacs((other,)), threading.Event()
    hanging = replace(NODE, id=uuid.uuid4(), name="Hanging")

    class Both:
        def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
            if node.name == "Hanging":
                woken.wait(20)
            return pacs.search(node, wanted, most)

    begun = time.monotonic()
    found = archived_holders(Both(), [hanging, NODE], RetrieveSettings(), "4711")  # type: ignore[arg-type]
    took = time.monotonic() - begun
    woken.set()
    assert took < 5
    assert ([one.person.name for one in found.found], found.silent) == (["Maier^Eva"], ("Hanging",))


def test_one_that_hangs_costs_a_parcel_of_many_people_its_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pacs, resting = Pacs(down=True), Resting()
    person = Person("Schmidt^Anna", birth_date=BORN)
    arrived = ArrivedPerson(person, (person,), ())
    for _ in range(3):
        found = archived_candidates(pacs, [NODE], RetrieveSettings(), arrived, BORN, resting)  # type: ignore[arg-type]
        assert found.silent == ("Archive",)
    assert len(pacs.asked) == 1
    monkeypatch.setattr(archives, "RESTS_S", 0.0)
    resting.note(NODE.id)
    pacs.down = False
    assert archived_candidates(pacs, [NODE], RetrieveSettings(), arrived, BORN, resting).silent == ()  # type: ignore[arg-type]


def of_parcel(pacs: Pacs, people: list[Person]) -> list[tuple[list[str], tuple[str, ...]]]:
    """Return who each of a parcel's people may be in an archive, and which archives were silent, asked in one check."""
    asking, settings = Asking(), RetrieveSettings()
    told = [
        archived_candidates(pacs, [NODE], settings, ArrivedPerson(one, (one,), ()), BORN, Resting(), asking)  # type: ignore[arg-type]
        for one in people
    ]
    return [([one.person.patient_id for one in found.found], found.silent) for found in told]


def test_people_of_one_birth_date_cost_an_archive_one_question() -> None:
    study = FoundStudy("1.2", "4711", "KH", "Schmidt^Anna", "19700102", "F")
    pacs, people = Pacs((study,)), [Person(name, birth_date=BORN) for name in ("Meier^Eva", "Schmidt^Anna", "Kurz^Ute")]
    assert of_parcel(pacs, people) == [([], ()), (["4711"], ()), ([], ())]
    assert len(pacs.asked) == 1


def test_a_parcel_of_very_many_people_does_not_have_archives_asked_for_all_of_them() -> None:
    pacs = Pacs()
    people = [Person(f"Meier^Eva{number}", birth_date=BORN + timedelta(days=number)) for number in range(1000)]
    told = of_parcel(pacs, people)
    silent = [silent for _, silent in told]
    assert silent == [()] * archives.MOST_PEOPLE + [("Archive",)] * (1000 - archives.MOST_PEOPLE), "never as nobody"
    assert len(pacs.asked) == archives.MOST_PEOPLE
    many = Pacs(by_name=True)
    assert [silent for _, silent in of_parcel(many, people)][-1] == ("Archive",)
    assert len(many.asked) <= archives.MOST_QUESTIONS


def test_what_takes_too_long_in_all_is_left_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LONGEST_S", 0.0)
    pacs = Pacs()
    assert of_parcel(pacs, [Person("Meier^Eva", birth_date=BORN)]) == [([], ("Archive",))]
    assert pacs.asked == []


def test_one_that_was_silent_once_is_left_out_until_the_check_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "RESTS_S", 0.0)
    pacs = Pacs(down=True)
    people = [Person("Meier^Eva", birth_date=BORN + timedelta(days=number)) for number in range(20)]
    assert {silent for _, silent in of_parcel(pacs, people)} == {("Archive",)}
    assert len(pacs.asked) == 1


@pytest.mark.parametrize(
    ("told", "authority"),
    [
        ([("4711", "KH", "1.2.3")], "1.2.3"), ([("4711", "KH", "1.2.3"), ("4711", "KH", "")], "1.2.3"),
        ([("4711", "KH", "1.2.3"), ("4711", "KH", "1.2.4")], ""), ([("4711", "OTHER", "1.2.3")], ""),
        ([("4711", "", "1.2.3")], ""), ([("4712", "KH", "1.2.3")], ""), ([("4711", "KH", "")], ""),
    ],
)  # fmt: skip
def test_who_issues_an_id_is_believed_of_that_very_id_where_all_archives_tell_the_same(
    told: list[tuple[str, str, str]], authority: str
) -> None:
    found = [
        Candidate("pacs", Person("Maier^Eva", patient_id, issuer), Authority(uid, "ISO" if uid else ""))
        for patient_id, issuer, uid in told
    ]
    chosen = LocalPatient("Maier^Eva", "4711", "KH")
    assert as_issued(chosen, found).authority.universal_id == authority
    known = replace(chosen, authority=Authority("2.5", "ISO"))
    assert as_issued(known, found) == known
    row = ImportPerson(chosen=chosen_text(chosen, found))
    assert held_elsewhere(row)[0] == tuple(found)


def test_an_archive_by_dicomweb_tells_who_issues_its_ids() -> None:
    item = {"00400032": {"vr": "UT", "Value": ["1.2.3"]}, "00400033": {"vr": "CS", "Value": ["ISO"]}}
    match = {"0020000D": {"vr": "UI", "Value": ["1.2"]}, "00100024": {"vr": "SQ", "Value": [item]}}
    (keys,) = matches_of([json.dumps([match]).encode()])
    assert keys is not None
    study = study_of(keys)
    assert study is not None
    assert (study.issuer_id, study.issuer_id_type) == ("1.2.3", "ISO")

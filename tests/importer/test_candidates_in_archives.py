"""Who somebody may be in archives elsewhere: what they are asked, and what becomes of their answers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date

import pytest

from radrelay.app.importing.archives import archived_candidates, archived_holders
from radrelay.importer.arrived import Person
from radrelay.importer.parting import ArrivedPerson
from radrelay.network.client import QueryRefused
from radrelay.retrieve.errors import Broken, SearchTimedOut
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

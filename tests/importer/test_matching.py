"""Whose a parcel is: its people parted, each matched with who is known here, and what that comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrelay.errors import TooLarge
from radrelay.importer import alike, parting
from radrelay.importer.arrived import ArrivedObject, Person
from radrelay.importer.duplicates import Decision
from radrelay.importer.findings import Finding, Local, Parcel, of_parcel, of_person, worst
from radrelay.importer.folding import NameVerdict, compare
from radrelay.importer.matching import Candidate, Matched, Origin, match
from radrelay.importer.parting import MOST_COMPARED, ArrivedPerson, agree, as_parted, part
from radrelay.importer.promises import Promise

BORN, LATER = date(1970, 2, 3), date(1980, 1, 1)
ANNA = Person("Müller^Anna", "X1", "FERN", BORN, "F")
BERND = Person("Schmidt^Bernd", "X2", "FERN", LATER, "M")
HERE = Person("MUELLER^ANNA", "4711", "KH", BORN, "F")


def came(person: Person = ANNA, study: str = "1.1", number: int = 1, **facts: str) -> ArrivedObject:
    return ArrivedObject(f"{study}/{number}", f"{study}.{number}", "1.2.840.10008.5.1.4.1.1.2", f"{study}.0", study,
                         person, **{"digest": f"{study}/{number}/{person}", **facts})  # type: ignore[arg-type]  # fmt: skip


def one_person(*objects: ArrivedObject) -> ArrivedPerson:
    (found,) = part(objects)
    return found


def known(*people: Person) -> list[Candidate]:
    return [Candidate("pacs", one) for one in people]


def codes(findings: tuple[Finding, ...], level: str) -> set[str]:
    return {one.code for one in findings if one.level == level}


def test_each_person_of_a_parcel_stands_for_themselves() -> None:
    anna, bernd = part([came(BERND, "2.1"), came(study="1.1"), came(study="1.2"), came(replace(BERND, sex=""), "2.2")])
    assert (anna.person, [one.study_uid for one in anna.studies]) == (ANNA, ["1.1", "1.2"])
    assert (bernd.person, [one.study_uid for one in bernd.studies]) == (BERND, ["2.1", "2.2"])
    assert not anna.mixed
    assert not bernd.mixed


@pytest.mark.parametrize(
    "other",
    [
        replace(ANNA, name="MUELLER^ANNA"), replace(ANNA, name="Müller^Anna^Maria"), replace(ANNA, issuer=""),
        replace(ANNA, birth_date=None), replace(ANNA, sex="O"),
        replace(ANNA, patient_id="", issuer="", birth_date=None),
        replace(ANNA, name=""), Person(),
    ],
)  # fmt: skip
def test_headers_of_a_study_may_say_less_or_write_a_name_otherwise(other: Person) -> None:
    found = one_person(came(other, number=1), came(number=2))
    assert found.person.name in (ANNA.name, other.name)
    assert len(found.studies[0].objects) == 2
    assert not found.mixed


@pytest.mark.parametrize(
    "other",
    [
        BERND, replace(ANNA, birth_date=LATER), replace(ANNA, sex="M"), replace(ANNA, name="Müller^Berta"),
        replace(ANNA, patient_id="X9"), replace(ANNA, issuer="OTHER"),
        replace(ANNA, patient_id="", name="Müller^Anna^Maria"), replace(ANNA, birth_date=None, name="Meyer^Anna"),
    ],
)  # fmt: skip
def test_a_study_whose_headers_contradict_each_other_is_parted_and_nobody_is_proposed(other: Person) -> None:
    people = part([came(other, number=1), came(number=2), came(number=3)])
    assert sorted(len(one.studies[0].objects) for one in people) == [1, 2]
    assert all(one.mixed for one in people)
    for number, one in enumerate(people):
        matched = match(one, BORN, known(HERE))
        assert matched.proposed is None
        assert "study-mixed" in codes(of_person(number, one, BORN, Local(matched)), "stop")


def test_what_names_nobody_is_of_neither_of_two() -> None:
    people = part([came(number=1), came(BERND, number=2), came(Person(), number=3)])
    assert [len(one.studies[0].objects) for one in people] == [1, 1, 1]


def test_two_houses_ids_of_one_name_stay_two_people() -> None:
    people = part([came(), came(replace(ANNA, patient_id="Y7", issuer="NAH"), "3.1"), came(BERND, "4.1")])
    assert len(people) == 3
    found = of_parcel(Parcel(people))
    assert {"several-people", "perhaps-one-person"} == codes(found, "look")
    (pair,) = [one.facts for one in found if one.code == "perhaps-one-person"]
    told = [[pair[f"{which}_{what}"] for what in ("name", "born", "id", "issuer")] for which in ("one", "other")]
    who = [
        [one.name, BORN.isoformat(), one.patient_id, one.issuer]
        for one in (ANNA, replace(ANNA, patient_id="Y7", issuer="NAH"))
    ]
    assert sorted(told) == sorted(who)


def test_of_many_who_may_be_one_some_pairs_are_named_and_the_others_counted() -> None:
    people = part(
        [came(replace(ANNA, patient_id=f"Y{number}", issuer=f"H{number}"), f"3.{number}") for number in range(5)]
    )
    found = [one for one in of_parcel(Parcel(people)) if one.code.endswith("perhaps-one-person")]
    assert [one.code for one in found] == ["perhaps-one-person"] * 5 + ["more-perhaps-one-person"]
    assert found[-1].facts == {"pairs": 5}
    assert len({str(one.facts) for one in found}) == 6


@pytest.mark.parametrize(("one", "other"), [("Herr^Anna", "Ing^Anna"), ("Ing^Kim Lee", "Lee^Kim"), ("^Anna", "^ANNA")])
def test_two_of_one_birth_date_whose_names_are_like_titles_stay_two_people(one: str, other: str) -> None:
    first, second = (Person(name, "", "", BORN, "F") for name in (one, other))
    assert not agree(first, second)
    assert len(part([came(first), came(second, "2.1")])) == 2
    assert match(one_person(came(first)), BORN, known(replace(second, patient_id="4711"))).proposed is None


def test_a_parcel_of_thousands_of_people_is_refused_at_once() -> None:
    with pytest.raises(TooLarge):
        part([came(replace(ANNA, patient_id=str(number)), f"1.{number}") for number in range(1001)])


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return the pairs of names that are compared from now on."""
    found: list[tuple[str, str]] = []

    def counting(one: str, other: str) -> NameVerdict:
        found.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(parting, "compare", counting)
    monkeypatch.setattr(alike, "compare", counting)
    return found


def crowd(number: int, born: date | None, patient_id: str = "P{}") -> list[ArrivedObject]:
    """Return a study each of so many people, one a day from `born` on."""
    names = product("BDFGKLMNPR", "aeiou", "bdfgklmnprst", ("ski", "mann"))
    told = zip(range(number), names, strict=False)
    return [
        came(
            Person(f"{''.join(name)}^A", patient_id.format(at), "", born and born + timedelta(days=at)), f"1.{at}"
        )
        for at, name in told
    ]  # fmt: skip


def test_a_thousand_people_are_parted_without_comparing_each_with_each(compared: list[tuple[str, str]]) -> None:
    people = part([*crowd(900, BORN), *(replace(one, study_uid=f"2{one.study_uid}") for one in crowd(90, BORN))])
    assert len(people) == 900
    assert len(compared) <= 100
    assert "people-not-compared" not in codes(of_parcel(Parcel(people)), "look")
    assert len(compared) <= 100
    numbered = [(at, one) for at, person in enumerate(people) for study in person.studies for one in study.objects]
    compared.clear()
    assert tuple(as_parted(numbered).values()) == people
    assert compared == []  # a page shows them as they were parted


def test_what_takes_too_long_to_compare_is_never_made_one_and_is_told(compared: list[tuple[str, str]]) -> None:
    objects = crowd(130, None, patient_id="0")  # one ID for all
    people = part(objects)
    assert len(compared) <= MOST_COMPARED
    assert part(reversed(objects)) == people
    twice = [*objects, replace(objects[-1], study_uid="9.9")]
    assert len(part(twice)) == len(people) + 1  # they are one person's, as a person may see
    compared.clear()
    found = of_parcel(Parcel(people))
    assert len(compared) <= MOST_COMPARED
    assert "people-not-compared" in codes(found, "look")


PEOPLE = [
    Person(*said) for said in product(("Müller^Anna", "MUELLER^ANNA^M", "", "Schmidt^B"), ("X", ""), ("", "I"),
                                      (BORN, LATER, None), ("F", "M", ""))
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from("12")), min_size=1, max_size=7), st.randoms())
def test_nobody_is_mixed_with_another_in_whatever_order_files_come(
    drawn: list[tuple[Person, str]], any_way: object
) -> None:
    objects = [came(person, study, number) for number, (person, study) in enumerate(drawn)]
    found = part(objects)
    turned = list(objects)
    any_way.shuffle(turned)  # type: ignore[attr-defined]
    assert part(turned) == found
    numbered = [(at, one) for at, person in enumerate(found) for study in person.studies for one in study.objects]
    assert tuple(as_parted(numbered).values()) == found
    placed = [one for person in found for study in person.studies for one in study.objects]
    assert sorted(one.file for one in placed) == sorted(one.file for one in objects)
    for person in found:
        assert len({one.birth_date for one in person.people} - {None}) <= 1
        assert not {"F", "M"} <= {one.sex for one in person.people}
        for study in person.studies:
            assert all(agree(a, b, in_one_study=True) for a in study.people for b in study.people if a != b)


def test_who_agrees_in_all_and_is_the_only_one_is_proposed() -> None:
    told = [Candidate("worklist", HERE), Candidate("hl7", replace(HERE, sex="")), Candidate("pacs", HERE)]
    found = match(one_person(came()), BORN, [*told, *known(replace(HERE, name="Meier^Zoe", patient_id="4712"))])
    assert found.proposed is not None
    assert found.proposed.person == HERE
    assert found.proposed.origins == ("hl7", "pacs", "worklist")
    assert found.proposed.row("name").reason == "spelling"
    assert [one.fit for one in found.compared] == ["fits", "not"]
    findings = of_person(0, one_person(came()), BORN, Local(found))
    assert worst(findings) == "passed"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"archive": HERE, "hl7": ANNA}, ANNA.name), ({"archive": HERE, "worklist": ANNA}, ANNA.name),
        ({"archive": HERE, "hl7": replace(ANNA, sex="")}, ANNA.name),
        ({"worklist": HERE, "hl7": ANNA, "archive": HERE}, ANNA.name),
        ({"archive": HERE, "hl7": replace(ANNA, name="Müller^Anna^Maria")}, "Müller^Anna^Maria"),
        ({"archive": HERE, "pacs": ANNA}, HERE.name), ({"archive": HERE, "hl7": replace(ANNA, name="")}, HERE.name),
        ({"archive": HERE, "hl7": replace(ANNA, birth_date=None)}, HERE.name),
        ({"archive": HERE, "hl7": replace(ANNA, birth_date=LATER)}, HERE.name),
    ],
)  # fmt: skip
def test_a_name_is_written_as_hl7_or_the_worklist_writes_it_where_id_and_birth_date_are_one(
    told: dict[Origin, Person], name: str
) -> None:
    candidates = [
        Candidate(origin, replace(one, patient_id=HERE.patient_id, issuer=HERE.issuer)) for origin, one in told.items()
    ]
    (found,) = match(one_person(came()), BORN, candidates).compared
    assert found.person == replace(HERE, name=name)


def test_one_place_here_may_leave_out_a_second_given_name() -> None:
    found = match(one_person(came()), BORN, known(HERE, replace(HERE, name="Müller^Anna^Maria")))
    assert found.proposed is not None
    assert not found.proposed.at_odds


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PEOPLE), st.lists(st.sampled_from(PEOPLE), max_size=4), st.sampled_from([BORN, LATER, None]))
def test_nobody_is_proposed_of_whom_anything_is_open(person: Person, here: list[Person], entered: date | None) -> None:
    found = match(one_person(came(person)), entered, known(*here))
    assert {one for compared in found.compared for one in compared.told} == set(known(*here))
    if found.proposed is None:
        return
    assert person.birth_date == entered == found.proposed.person.birth_date is not None
    for one in here:
        ours = (one.issuer, one.patient_id) == (found.proposed.person.issuer, found.proposed.person.patient_id)
        names = compare(person.name, one.name)
        assert ours or {one.sex, person.sex} == {"F", "M"} or one.birth_date == LATER != entered or (
            one.birth_date == BORN != entered or names.degree == "other"
        )  # fmt: skip
        assert not ours or {one.sex, person.sex} != {"F", "M"}
    assert any(compare(person.name, one.name).degree == "same" for one in here)


@pytest.mark.parametrize(
    ("entered", "here", "level", "code"),
    [
        (None, [HERE], "look", "birth-date-unsaid"),
        (LATER, [HERE], "stop", "birth-date-differs"),
        (BORN, [], "look", "nobody-here"),
        (BORN, [HERE, replace(HERE, patient_id="4712")], "look", "several-fit"),
        (BORN, [HERE, replace(HERE, patient_id="4712", name="Müller^Anna^Maria")], "look", "several-fit"),
        (BORN, [replace(HERE, name="Müller^Anna^Maria")], "look", "name-compatible"),
        (BORN, [replace(HERE, name="Meier^Anna")], "look", "name-other"),
        (BORN, [replace(HERE, name="Meier^Zoe")], "stop", "nobody-fits"),
        (BORN, [replace(HERE, birth_date=LATER)], "stop", "nobody-fits"),
        (BORN, [replace(HERE, birth_date=None)], "look", "birth-date-unsaid"),
        (BORN, [replace(HERE, sex="M")], "stop", "nobody-fits"),
        (BORN, [HERE, replace(HERE, name="Müller^Anne")], "look", "told-differently-here"),
        (BORN, [replace(HERE, patient_id="")], "look", "no-id-here"),
        (BORN, [HERE, replace(HERE, sex="M"), replace(HERE, patient_id="4712")], "look", "several-fit"),
    ],
)
def test_all_else_is_for_a_person_to_decide_or_stops(
    entered: date | None, here: list[Person], level: str, code: str
) -> None:
    arrived = one_person(came())
    found = match(arrived, entered, known(*here))
    assert found.proposed is None
    findings = of_person(0, arrived, entered, Local(found))
    assert code in codes(findings, level)
    assert worst(findings) == level


def test_who_is_named_nowhere_is_stopped() -> None:
    arrived = one_person(came(Person()))
    assert codes(of_person(0, arrived, BORN, Local(Matched((), None))), "stop") == {"nobody-named"}


def test_what_was_promised_is_counted() -> None:
    people = part([came(number=1), came(number=2), came(study="1.2")])

    def found(*promises: Promise, **facts: object) -> set[tuple[str, str]]:
        parcel = Parcel(people, promises=promises, **facts)  # type: ignore[arg-type]
        return {(one.level, one.code) for one in of_parcel(parcel)}

    both = (Promise("list", "1.1", 2), Promise("list", "1.2", 1))
    assert found(*both) == {("passed", "complete")}
    beside = frozenset({"1.1/DICOMDIR", "1.1/README", "1.2/viewer.exe"})  # which a list may count, or not
    assert found(*both, paths=beside) == {("passed", "complete")}
    assert found(Promise("list", "1.1", 1)) == {("passed", "complete"), ("look", "study-not-promised")}
    (fewer,) = of_parcel(Parcel(people, promises=(Promise("list", "1.1", 7), Promise("list", "1.2", None))))
    assert (fewer.facts, fewer.study_uid) == ({"by": "list", "promised": 7, "arrived": 2}, "1.1")
    assert ("look", "study-missing") in found(Promise("list", "9.9", 4))
    assert ("look", "study-missing") in found(Promise("list", "9.9", None), counts_objects=True)
    uids = frozenset({"1.1.1", "1.1.2", "1.1.3"})
    assert ("look", "files-missing") in found(Promise("dicomdir", "1.1", 3, uids))
    assert ("passed", "complete") in found(Promise("dicomdir", "1.1", 2, uids - {"1.1.3"}))
    assert ("look", "files-missing") in found(Promise("xdm", paths=frozenset({"doc/a.pdf"})))
    assert ("passed", "complete") in found(Promise("xdm", paths=frozenset({"doc/a.pdf"})), papers=("IHE/DOC/A.PDF",))
    assert ("stop", "promised-of-another") in found(Promise("list", "1.1", 2, person=BERND))
    assert ("look", "unreadable") in found(unreadable=(("x", "cut off"),))


def several(study: str, number: int, first: int = 0) -> list[ArrivedObject]:
    return [came(study=study, number=first + one) for one in range(number)]


def beside(download: str, number: int) -> frozenset[str]:
    return frozenset(f"{download}/VIEWER/{one}.dll" for one in range(number))


@pytest.mark.parametrize(
    ("objects", "promises", "facts", "told"),
    [
        # what another study has too many of, or a viewer, is not what this one lacks
        ((1, 110), ((100,), (5,)), {}, {"fewer-than-promised": "1.1", "complete": "1.2"}),
        ((60, 0), ((120,), ()), {"paths": beside("1.1", 70)}, {"perhaps-incomplete": "1.1"}),
        ((60, 0), ((120,), ()), {"paths": beside("1.1", 10)}, {"fewer-than-promised": "1.1"}),
        ((60, 60), ((120,), (60,)), {"paths": beside("1.2", 200)}, {"fewer-than-promised": "1.1", "complete": "1.2"}),
        # just as many files as this very download was said to have: a DICOMDIR is counted, say
        ((60, 0), ((61,), ()), {"paths": frozenset({"1.1/DICOMDIR"})}, {"complete": "1.1"}),
        ((60, 0), ((61,), ()), {"paths": beside("1.1", 70)}, {"perhaps-incomplete": "1.1"}),
        ((59, 0), ((61,), ()), {"paths": frozenset({"1.1/DICOMDIR", "1.1/x"}), "unreadable": (("1.1/x", "cut"),)},
         {"fewer-than-promised": "1.1", "unreadable": ""}),
        # a report that is listed with the study comes by itself
        ((60, 0), ((60, 1), ()), {"paths": frozenset({"02.pdf"})}, {"complete": "1.1"}),
        ((59, 0), ((60, 1), ()), {"paths": frozenset({"02.pdf"})}, {"fewer-than-promised": "1.1"}),
        ((60, 0), ((60, None), ()), {}, {}),
        # where objects are counted, nothing but objects counts
        ((60, 0), ((61,), ()), {"paths": frozenset({"1.1/DICOMDIR"}), "counts_objects": True},
         {"fewer-than-promised": "1.1"}),
        ((61, 0), ((61,), ()), {"paths": beside("1.1", 9), "counts_objects": True}, {"complete": "1.1"}),
    ],
)  # fmt: skip
def test_no_surplus_hides_a_loss(
    objects: tuple[int, int], promises: tuple[tuple[int | None, ...], ...], facts: dict[str, object],
    told: dict[str, str],
) -> None:  # fmt: skip
    people = part(
        [one for study, number in zip(("1.1", "1.2"), objects, strict=True) for one in several(study, number)]
    )
    listed = [Promise("list", study, n) for study, counts in zip(("1.1", "1.2"), promises, strict=True) for n in counts]
    found = of_parcel(Parcel(people, promises=tuple(listed), **facts))  # type: ignore[arg-type]
    assert {one.code: one.study_uid for one in found} == told


def test_what_came_twice_counts_once_and_what_no_study_is_named_of_counts_by_itself() -> None:
    twice = [*several("1.1", 3), *(replace(one, file=f"again/{one.file}") for one in several("1.1", 3))]
    for promised, code in ((6, "perhaps-incomplete"), (3, "complete")):
        (finding,) = of_parcel(Parcel(part(twice), promises=(Promise("list", "1.1", promised),)))
        assert finding.code == code
    parted = [*several("1.1", 9), *(replace(one, file=f"more/{one.file}") for one in several("1.1", 3, 9))]
    things: tuple[tuple[tuple[int, ...], str], ...] = (
        ((9, 3), "complete"), ((6, 6), "perhaps-incomplete"), ((12,), "complete"),
    )  # fmt: skip
    for listed, code in things:
        (finding,) = of_parcel(Parcel(part(parted), promises=tuple(Promise("list", "1.1", one) for one in listed)))
        assert finding.code == code
    people = part([*several("1.1", 2), *several("1.2", 3)])

    def found(unnamed: int, paths: frozenset[str] = frozenset()) -> set[str]:
        promises = (Promise("list", "1.1", 2), Promise("list", "", unnamed))
        codes = {one.code for one in of_parcel(Parcel(people, promises=promises, paths=paths))}
        return codes - {"study-not-promised", "complete"}

    assert found(3) == set()
    assert found(4, frozenset({"1.2/DICOMDIR"})) == set()
    assert found(4) == {"fewer-than-promised"}
    assert found(4, beside("1.2", 9)) == {"perhaps-incomplete"}


def test_a_parcel_with_nothing_in_it_stops() -> None:
    assert codes(of_parcel(Parcel(())), "stop") == {"parcel-empty"}
    assert codes(of_parcel(Parcel((), papers=("a.pdf",))), "stop") == {"papers-alone"}
    assert codes(of_parcel(Parcel((), listed=True)), "stop") == {"list-empty"}


def test_accession_numbers_that_are_taken_here_are_told() -> None:
    arrived = one_person(came(accession="A1"))
    found = match(arrived, BORN, known(HERE))
    decided = (Decision(came(), "quarantine", "other-pixels"),)
    told = of_person(0, arrived, BORN, Local(found, decided, {"A1": {"7.7"}}, (("1.1/1", "no letters"),)))
    assert "accession-taken" in codes(told, "look")
    assert codes(told, "stop") == {"other-pixels", "not-writable"}
    assert "accession-foreign" in codes(of_person(0, arrived, BORN, Local(found, (), {"A1": {"1.1"}})), "passed")
    both = of_person(0, arrived, BORN, Local(found, (), {"A1": {"1.1", "7.7"}}))
    assert "accession-taken" in codes(both, "look"), "whichever of them comes last"


def test_a_finding_to_be_ticked_comes_once() -> None:
    arrived = one_person(came(replace(ANNA, birth_date=None)))
    told = of_person(0, arrived, BORN, Local(match(arrived, BORN, known(HERE))))
    assert [one.code for one in told if one.level == "look"].count("birth-date-unsaid") == 1


def test_a_path_that_was_promised_may_begin_in_any_folder_of_the_parcel_and_ends_where_it_ends() -> None:
    promised = Promise("xdm", paths=frozenset({"doc/a.pdf", "doc/b.pdf"}))

    def found(*papers: str) -> set[str]:
        return {one.code for one in of_parcel(Parcel(part([came()]), papers=papers, promises=(promised,)))}

    assert found("CD/DOC/A.PDF", "x/y/doc/b.pdf;1") == {"complete"}
    assert found("CD/DOC/A.PDF", "mydoc/b.pdf") == {"files-missing"}
    assert found("CD/DOC/A.PDF", "doc/b.pdf/c") == {"files-missing"}

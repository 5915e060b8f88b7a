"""People who are easily taken for one another: nobody is proposed for another, nor made one with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from radrelay.importer.arrived import ArrivedObject, Person
from radrelay.importer.findings import Local, of_person
from radrelay.importer.folding import compare
from radrelay.importer.holding import Holder, of_holders
from radrelay.importer.matching import Candidate, Matched, match
from radrelay.importer.parting import agree, contradict, part
from radrelay.importer.reconciling import LocalPatient

BORN = date(2001, 2, 3)
FAMILIES = [
    "Müller",
    "Schmidt-Meier",
    "O'Neill",
    "van der Berg",
    "Li",
    "Nguyễn",
    "Иванов",
    "محمود",
    "ใจดี",
    "शर्मा",
    "山田",
    "김",
]
TWINS = [
    ("Anna", "Anne"), ("Jan", "Jana"), ("Lea", "Lena"), ("Hanna", "Hannah"), ("Lina", "Linus"), ("Tim", "Tom"),
    ("Ben", "Bea"), ("Anna Maria", "Anna Marie"), ("Anna", "Anna Maria"), ("Karl", "Karla"), ("Mia", "Mila"),
    ("Ömer", "Amer"), ("Hùng", "Hưng"), ("Zoë", "Zoé"), ("Иван", "Илья"), ("Мария", "Марина"), ("عمر", "عمرو"),
    ("نور", "نورا"), ("นิด", "นัด"), ("มานี", "มานะ"), ("सुनील", "सनील"), ("रवि", "रव"), ("太郎", "次郎"), ("一郎", "二郎"),
    ("민준", "민수"), ("はな", "はなこ"), ("Baby 1", "Baby 2"), ("Zwilling A", "Zwilling B"), ("Baby", "Baby"),
    ("Baby Boy", "Baby Boy"), ("Neugeborenes", "Neugeborenes"), ("Baby of Anna", "Baby of Anna"), ("Sohn", "Sohn"),
    ("Säugling", "SAEUGLING"), ("", ""), ("J", "J."), ("Jean-Luc", "Jean"), ("Mohammed Ali", "Mohammed Amir"),
]  # fmt: skip
"""Given names of two people of one family and birth date."""
NOBODIES = [
    "UNKNOWN^UNKNOWN", "Unbekannt", "Unbekannt^Mann", "Notfall^Unbekannt 17", "N.N.", "NN^NN", "XXX^XXX", "?^?",
    "Anonymous", "ANONYMIZED^PATIENT", "No Name", "Unknown^Male", "Test^Patient", "Inconnu^", "不明", "Неизвестный",
]  # fmt: skip


@pytest.mark.parametrize("name", NOBODIES)
def test_whoever_is_nobody_here_stands_in_nobodys_way(name: str) -> None:
    """Test patients and unknown ones are no second candidate for somebody who has a name."""
    found = whose(local("Müller^Anna", "X1"), local("Müller^Anna"), local(name, "T1"))
    assert found.proposed is not None
    assert found.proposed.person.patient_id == "4711"


HALF_TOLD = ["Müller", "MUELLER^", "^Anna", "Madonna", "Иванов"]
"""Names of one word tell a family from others, and no more."""


def came(person: Person, study: str = "1.1", number: int = 1) -> ArrivedObject:
    return ArrivedObject(f"{study}/{number}", f"{study}.{number}", "1.2.840.10008.5.1.4.1.1.2", f"{study}.0", study,
                         person, digest=f"{study}/{number}")  # fmt: skip


def whose(person: Person, *here: Person, entered: date | None = BORN) -> Matched:
    (arrived,) = part([came(person)])
    return match(arrived, entered, [Candidate("pacs", one) for one in here])


def local(name: str, patient_id: str = "4711", born: date | None = BORN, sex: str = "F") -> Person:
    return Person(name, patient_id, "KH", born, sex)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("one", "other"), TWINS)
def test_a_twin_is_never_proposed_for_the_other_nor_made_one_with_them(family: str, one: str, other: str) -> None:
    for mine, theirs in ((one, other), (other, one)):
        person = Person(f"{family}^{mine}", "X1", "FERN", BORN, "F")
        twin = local(f"{family}^{theirs}")
        assert whose(person, twin).proposed is None
        assert not agree(person, replace(twin, patient_id="", issuer=""))
        assert len(part([came(person), came(replace(twin, patient_id="X2", issuer="FERN"), "2.1")])) == 2


@pytest.mark.parametrize(("one", "other"), [pair for pair in TWINS if pair[0] != pair[1] and "J" not in pair])
def test_whoever_types_the_id_of_the_other_twin_is_told_or_stopped(one: str, other: str) -> None:
    person = Person(f"Müller^{one}", "X1", "FERN", BORN, "F")
    chosen = LocalPatient(f"Müller^{one}", "4711", "KH", birth_date="20010203", sex="F")
    (arrived,) = part([came(person)])
    found = list(of_holders(chosen, arrived, BORN, [Holder(Candidate("archive", local(f"Müller^{other}")))]))
    if compare(chosen.name, f"Müller^{other}").reason in ("middle-names", "initials", "spelling"):
        return  # the same house writes one person so
    assert [(one.level, one.code) for one in found] in ([("look", "id-told-otherwise")], [("stop", "id-of-another")])


@pytest.mark.parametrize("name", NOBODIES)
@pytest.mark.parametrize("born", [BORN, date(1900, 1, 1), None])
def test_a_name_for_nobody_is_of_nobody(name: str, born: date | None) -> None:
    """Two unknown men of one night have one name and one birth date."""
    person = Person(name, "", "", born, "M")
    found = whose(person, local(name, "NF17", born, "M"), entered=born)
    assert found.proposed is None
    assert found.compared[0].row("name").verdict == "unsaid"
    assert len(part([came(person), came(person, "2.1")])) == 2
    assert len(part([came(person), came(replace(person, sex=""), number=2)])) == 1  # within a study it is one


@pytest.mark.parametrize("name", HALF_TOLD)
def test_one_word_alone_proposes_nobody(name: str) -> None:
    assert whose(Person(name, "", "", BORN, "F"), local(name)).proposed is None
    (one,) = part([came(Person(name, "X1", "FERN", BORN)), came(Person(name, "X1", "FERN", BORN, "F"), "2.1")])
    assert len(one.studies) == 2  # by an ID it does


@pytest.mark.parametrize("born", [date(1900, 1, 1), date(1, 1, 1), date(1800, 1, 1), date(1899, 12, 30)])
def test_a_birth_date_that_is_filled_in_proposes_nobody_and_joins_nobody(born: date) -> None:
    person = Person("Müller^Anna", "", "", born, "F")
    (arrived,) = part([came(person)])
    matched = whose(person, local("Müller^Anna", born=born), entered=born)
    assert matched.proposed is None
    assert {one.code for one in of_person(0, arrived, born, Local(matched)) if one.level == "look"} >= {
        "birth-date-unsaid"
    }
    assert len(part([came(person), came(person, "2.1")])) == 2


@pytest.mark.parametrize("patient_id", ["0", "000", "UNKNOWN", "none", "N/A", "?", "-", "ANON", "Test"])
def test_an_id_that_many_have_makes_nobody_one(patient_id: str) -> None:
    people = [Person(name, patient_id, "", None, "F") for name in ("Müller^Anna", "ANONYMOUS", "")]
    for number, one in enumerate(people):
        for other in people[number:]:
            assert len(part([came(one), came(other, "2.1")])) == 2
    assert whose(local("Müller^Anna", "X1"), local("Müller^Anna", patient_id)).proposed is None


@pytest.mark.parametrize(
    ("one", "other"), [("MALE", "F"), ("m", "FEMALE"), ("W", "M"), ("Weiblich", "M"), ("FRAU", "MANN")]
)
def test_sexes_in_words_contradict_each_other(one: str, other: str) -> None:
    assert contradict(Person(sex=one), Person(sex=other))
    assert (
        whose(replace(local("Müller^Anna", "X1"), sex=one), replace(local("Müller^Anna"), sex=other)).proposed is None
    )
    assert not contradict(Person(sex=one), Person(sex="O"))


FAMILY = st.sampled_from(FAMILIES)
LETTERS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzäöüéèßıłđñ"), min_size=2, max_size=9).map(str.title)
DAYS = st.dates(date(1910, 1, 1), date(2026, 1, 1))


@settings(max_examples=300, deadline=None)
@given(FAMILY, LETTERS, st.integers(0, 8), st.sampled_from("bcdgknoprtz"))
def test_names_that_differ_in_a_letter_are_never_the_same(family: str, name: str, at: int, letter: str) -> None:
    other = name[:at] + letter + name[at + 1 :]
    plain = (name.casefold().replace("ß", "ss"), other.casefold().replace("ß", "ss"))
    assume(sorted(plain[0]) != sorted(plain[1]) and compare(f"x^{plain[0]}", f"x^{plain[1]}").reason != "identical")
    assume(not {"ö", "ø", "é", "è", "ñ", "ł", "đ"} & {*name[at : at + 1].casefold()})  # o is o, with or without dots
    person, twin = Person(f"{family}^{name}", "X1", "FERN", BORN, "F"), local(f"{family}^{other}")
    assert whose(person, twin).proposed is None


@settings(max_examples=200, deadline=None)
@given(FAMILY, LETTERS, DAYS, DAYS)
def test_father_and_son_of_one_name_are_two(family: str, name: str, one: date, other: date) -> None:
    assume(one != other)
    father, son = (Person(f"{family}^{name}", "", "", born, "M") for born in (one, other))
    for entered in (one, other, None):
        assert whose(father, local(son.name, "4711", other, "M"), entered=entered).proposed is None
    assert len(part([came(father), came(son, "2.1")])) == 2
    assert len(part([came(father), came(son, number=2)])) == 2


@settings(max_examples=200, deadline=None)
@given(FAMILY, LETTERS, st.sampled_from([str.upper, str.lower, str.title, lambda text: text]))
def test_whoever_is_written_otherwise_alone_is_proposed(family: str, name: str, written: object) -> None:
    assume(compare(f"{family}^{name}", f"{family}^{name}").reason != "given-unsaid")
    assert callable(written)
    person = Person(written(f"{family}^{name}"), "X1", "FERN", BORN, "F")
    found = whose(person, local(f"{family}^{name}"))
    assert found.proposed is not None
    assert found.proposed.person.patient_id == "4711"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_two_names_compare_alike_from_both_sides(one: str, other: str) -> None:
    assert compare(one, other).degree == compare(other, one).degree
    assert compare(one, one).degree != "other"

"""Whose a patient ID is here: nobody is filed under the ID of somebody else, whoever typed it in.

In: the patient who was chosen, what the parcel says of them, and everybody who has this ID here. Out: a stop for each
who is somebody else by name, birth date or sex; what is confirmed does not undo it. Where one of two IDs names no
issuer, nor does the house say who issues its own, they may be different IDs: a person looks at it, as where the ID is
told of somebody whose name is not quite that of who was chosen: twins differ in a letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice

from radrelay.dicom.values import parse_date
from radrelay.importer.arrived import Person
from radrelay.importer.findings import Finding, Level, LocalKey
from radrelay.importer.folding import compare
from radrelay.importer.matching import NO_ODDS, Candidate, Compared
from radrelay.importer.parting import ArrivedPerson, contradict
from radrelay.importer.reconciling import LocalPatient

MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a patient ID here, as one place tells of them; the house's own issuer is filled in before.

    `into` is the ID that theirs was merged into, `now` with its issuer; what is told of them is of it then.
    """

    told: Candidate
    into: str = ""
    now: tuple[str, str] | None = None

    @property
    def about(self) -> tuple[LocalKey, ...]:
        """Return of whom it tells, by issuer and ID: of both where one was merged into the other."""
        theirs = self.told.person.issuer, self.told.person.patient_id
        return (theirs,) if self.now is None else (theirs, self.now)


def of_holders(
    patient: LocalPatient, arrived: ArrivedPerson, entered: date | None, holders: Iterable[Holder]
) -> Iterator[Finding]:
    """Yield who else has the ID of the patient who was chosen, and what it was merged into."""
    found: dict[tuple[bool, Person], list[Holder]] = {}
    alike: dict[Person, list[Holder]] = {}
    merged: dict[str, list[Holder]] = {}
    for one in holders:
        person = one.told.person
        same = _is_same(person, patient)
        if same is False:
            continue
        if one.into and same:
            merged.setdefault(one.into, []).append(one)
        if _is_another(patient, arrived, entered, person):
            whose = Person(person.name, birth_date=person.birth_date)
            found.setdefault((same is None, whose), []).append(one)
        elif _is_told_otherwise(patient, person):
            alike.setdefault(Person(person.name, birth_date=person.birth_date), []).append(one)
    for (unsure, whose), some in sorted(found.items(), key=lambda one: one[0][0])[:MOST_TOLD]:  # what stops first
        facts, about = _facts(patient, whose, some), _about(some)
        code: tuple[Level, str] = ("look", "id-perhaps-of-another") if unsure else ("stop", "id-of-another")
        yield Finding(*code, facts, about=about)
    for whose, some in islice(alike.items(), MOST_TOLD):
        yield Finding("look", "id-told-otherwise", _facts(patient, whose, some), about=_about(some))
    for into, some in islice(merged.items(), MOST_TOLD):
        yield Finding("look", "id-merged", {"chosen": patient.patient_id, "into": into}, about=_about(some))


def _about(holders: Iterable[Holder]) -> tuple[LocalKey, ...]:
    return tuple(sorted({key for one in holders for key in one.about}))


def _facts(patient: LocalPatient, whose: Person, holders: Iterable[Holder]) -> dict[str, str | int]:
    born = f"{whose.birth_date:%Y%m%d}" if whose.birth_date else ""
    told = ", ".join(sorted({one.told.origin for one in holders}))
    return {"chosen": patient.patient_id, "names": whose.name, "born": born, "places": told}


def as_issued(patient: LocalPatient, told: Iterable[Candidate]) -> LocalPatient:
    """Return a patient with who issued the ID, as archives tell it of this very ID where nobody else here does.

    Where they tell it differently, nobody says it.
    """
    if patient.authority.texts:
        return patient
    found = {one.authority for one in told if one.authority.universal_id and _is_same(one.person, patient)}
    return replace(patient, authority=found.pop()) if len(found) == 1 else patient


def is_among(patient: LocalPatient, compared: Sequence[Compared]) -> bool:
    """Say whether a patient is one of those who may be meant: by the ID, and by all that is told of whose it is."""
    key, said = (patient.issuer, patient.patient_id), person_of(patient)
    return any(
        compare(said.name, told.person.name).degree == "same" and not contradict(said, told.person)
        for one in compared
        if (one.person.issuer, one.person.patient_id) == key
        for told in one.told
    )


def person_of(patient: LocalPatient) -> Person:
    """Return whom a local patient names."""
    return Person(patient.name, patient.patient_id, patient.issuer, parse_date(patient.birth_date), patient.sex)


def _is_same(person: Person, patient: LocalPatient) -> bool | None:
    """Say whether two IDs are one; none where one names no issuer and the other does."""
    if person.patient_id != patient.patient_id:
        return False
    if person.issuer == patient.issuer:
        return True
    return False if person.issuer and patient.issuer else None


def _is_another(patient: LocalPatient, arrived: ArrivedPerson, entered: date | None, holder: Person) -> bool:
    """Say whether who has an ID is neither who was chosen nor whom the images name.

    A family name alone that differs is no other person where the birth date is the same: somebody may have married.
    """
    chosen = person_of(patient)
    people = (chosen, *arrived.people, Person(birth_date=entered))
    if any(contradict(one, holder) for one in people):
        return True
    named = compare(chosen.name, holder.name)
    if named.degree != "other":
        return False
    born = holder.birth_date is not None and any(one.birth_date == holder.birth_date for one in people)
    return named.reason == "names" or not born


def _is_told_otherwise(patient: LocalPatient, holder: Person) -> bool:
    """Say whether who has an ID may be somebody else than who was chosen: by a name that is nearly the same alone."""
    named = compare(patient.name, holder.name)
    return patient.name != holder.name and named.degree != "same" and named.reason not in NO_ODDS

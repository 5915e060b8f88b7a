"""The people of a parcel: every object belongs to exactly one of them, and nobody is made one with another silently.

In: objects as they arrived. Out: for each person their studies. Two objects are of one person if their IDs are of one
issuer and the same, or name and birth date are, and nothing contradicts; within a study the name is enough. A study
whose objects contradict each other comes out in parts, each under its own person and marked `mixed`. The outcome does
not depend on the order of the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from radrelay.errors import TooLarge
from radrelay.importer.arrived import SEXES, ArrivedObject, Person
from radrelay.importer.folding import compare

MOST_NAMINGS = 1000
"""Each is compared with each; nobody's parcel of a few patients has as many, studies counted."""

_One = TypeVar("_One")


@dataclass(frozen=True, slots=True)
class ArrivedStudy:
    """What arrived of one study for one person. `mixed`: other objects of it name somebody else."""

    study_uid: str
    people: tuple[Person, ...]
    objects: tuple[ArrivedObject, ...]
    mixed: bool

    @property
    def date(self) -> date | None:
        """Return the study's date."""
        return min((one.study_date for one in self.objects if one.study_date), default=None)

    @property
    def description(self) -> str:
        """Return the description that most of its objects give."""
        return _most(one.description for one in self.objects)

    @property
    def accession(self) -> str:
        """Return the accession number that most of its objects give."""
        return _most(one.accession for one in self.objects)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Return its modalities."""
        return tuple(sorted({one.modality for one in self.objects if one.modality}))

    @property
    def series(self) -> int:
        """Return how many series came."""
        return len({one.series_uid for one in self.objects})


@dataclass(frozen=True, slots=True)
class ArrivedPerson:
    """Somebody in a parcel: what names them at its fullest, all that does, and their studies."""

    person: Person
    people: tuple[Person, ...]
    studies: tuple[ArrivedStudy, ...]

    @property
    def mixed(self) -> bool:
        """Say whether a study of theirs is somebody else's, too."""
        return any(one.mixed for one in self.studies)


def part(objects: Iterable[ArrivedObject]) -> tuple[ArrivedPerson, ...]:
    """Return the people of a parcel, those who are named most fully first; raises `TooLarge` above `MOST_NAMINGS`."""
    of_study: dict[str, list[ArrivedObject]] = {}
    for one in objects:
        of_study.setdefault(one.study_uid, []).append(one)
    namings = {(study_uid, one.person) for study_uid, some in of_study.items() for one in some}
    if len(namings) > MOST_NAMINGS:
        raise TooLarge(f"The parcel names people in more than {MOST_NAMINGS} ways.")
    studies = [study for uid, some in sorted(of_study.items()) for study in _parts_of(uid, some)]
    studies.sort(key=lambda one: (*_fullest_first(one.people[0]), one.study_uid))
    found = _gathered(studies, _of_one_person)
    return tuple(_person(some) for some in found)


def agree(one: Person, other: Person, *, in_one_study: bool = False) -> bool:
    """Say whether two namings are of one person beyond doubt."""
    by_id = _ids(one, other)
    if by_id is False or contradict(one, other):
        return False
    names = compare(one.name, other.name)
    if names.degree == "other":
        return False
    born = one.birth_date is not None and one.birth_date == other.birth_date
    if names.degree == "same":
        return bool(by_id or born or in_one_study)
    if names.reason == "unsaid":
        return bool(by_id) or (in_one_study and not (one.said and other.said))
    return bool(by_id and born)


def contradict(one: Person, other: Person) -> bool:
    """Say whether birth date or sex tell of two people."""
    born = one.birth_date is not None and other.birth_date is not None and one.birth_date != other.birth_date
    return born or (one.sex != other.sex and {one.sex, other.sex} == set(SEXES))


def _ids(one: Person, other: Person) -> bool | None:
    """Return whether two IDs are one; none where either says nothing."""
    if not one.patient_id or not other.patient_id:
        return None
    issuers = not one.issuer or not other.issuer or one.issuer == other.issuer
    return one.patient_id == other.patient_id and issuers


def _parts_of(study_uid: str, objects: Sequence[ArrivedObject]) -> list[ArrivedStudy]:
    people = sorted({one.person for one in objects}, key=_fullest_first)
    groups = _gathered(people, lambda one, other: agree(one, other, in_one_study=True))
    return [
        ArrivedStudy(
            study_uid,
            tuple(group),
            tuple(sorted((one for one in objects if one.person in group), key=lambda one: (one.file, one.sop_uid))),
            mixed=len(groups) > 1,
        )
        for group in groups
    ]


def _of_one_person(one: ArrivedStudy, other: ArrivedStudy) -> bool:
    if one.study_uid == other.study_uid:
        return False  # they were parted
    return all(agree(mine, theirs) for mine in one.people for theirs in other.people)


def _gathered(ones: Sequence[_One], fit: Callable[[_One, _One], bool]) -> list[list[_One]]:
    """Return groups within which all fit; what fits into several is in none of them."""
    groups: list[list[_One]] = []
    for one in ones:
        fits = [group for group in groups if all(fit(one, other) for other in group)]
        if len(fits) == 1:
            fits[0].append(one)
        else:
            groups.append([one])
    return groups


def _person(studies: Sequence[ArrivedStudy]) -> ArrivedPerson:
    people = sorted({one for study in studies for one in study.people}, key=_fullest_first)
    ordered = sorted(studies, key=lambda one: (one.date or date.min, one.study_uid))
    return ArrivedPerson(people[0], tuple(people), tuple(ordered))


def _fullest_first(one: Person) -> tuple[int, str, str, str, date, str]:
    return -one.said, one.name, one.patient_id, one.issuer, one.birth_date or date.min, one.sex


def _most(values: Iterable[str]) -> str:
    told = Counter(value for value in values if value)
    return min(told, key=lambda value: (-told[value], value), default="")

"""The people of a parcel: every object belongs to exactly one of them, and nobody is made one with another silently.

In: objects as they arrived. Out: for each person their studies. Two objects are of one person if their IDs are of one
issuer and the same, or name and birth date are, and nothing contradicts; within a study the name is enough. A study
whose objects contradict each other comes out in parts, each under its own person and marked `mixed`. The outcome does
not depend on the order of the files. Only what shares an ID, or birth date and name, is compared at all, and so much of
it: beyond that nobody is made one with another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from radrelay.errors import TooLarge
from radrelay.importer.arrived import SEXES, ArrivedObject, Person, sexed
from radrelay.importer.folding import compare, same_keys
from radrelay.importer.placeholders import is_no_birth_date, is_no_id

MOST_NAMINGS = 1000
"""Nobody's parcel of a few patients names people in as many ways, studies counted."""
MOST_COMPARED = 5000
"""So many pairs of names are compared. Long ones take two milliseconds each."""


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
    def images(self) -> int:
        """Return how many SOP instances came: what came twice is one, what has no UID is known by its bytes."""
        return len({one.sop_uid or one.digest for one in self.objects})

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
    comparing = _Comparing()
    studies = [study for uid, some in sorted(of_study.items()) for study in _parts_of(uid, some, comparing)]
    studies.sort(key=lambda one: (*_fullest_first(one.people[0]), one.study_uid))
    return tuple(_person(some) for some in _by_person(studies, comparing))


def as_parted(numbered: Iterable[tuple[int, ArrivedObject]]) -> dict[int, ArrivedPerson]:
    """Return people as they were parted before, by their numbers; nothing is compared again."""
    of_person: dict[int, dict[str, list[ArrivedObject]]] = {}
    for number, one in numbered:
        of_person.setdefault(number, {}).setdefault(one.study_uid, []).append(one)
    parts = Counter(study_uid for studies in of_person.values() for study_uid in studies)
    return {
        number: _person([_study(uid, some, mixed=parts[uid] > 1) for uid, some in studies.items()])
        for number, studies in sorted(of_person.items())
    }


def agree(one: Person, other: Person, *, in_one_study: bool = False) -> bool:
    """Say whether two namings are of one person beyond doubt."""
    if _excluded(one, other):
        return False
    by_id = _ids(one, other)
    names = compare(one.name, other.name)
    if names.degree == "other":
        return False
    born = one.birth_date is not None and one.birth_date == other.birth_date and not is_no_birth_date(one.birth_date)
    literally = bool(one.name) and one.name == other.name  # if it says little, it says so of the same
    if names.degree == "same" or (literally and (by_id or in_one_study)):
        return bool(by_id or born or in_one_study)
    if names.reason == "unsaid":
        return bool(by_id) or (in_one_study and not (one.said and other.said))
    return bool(by_id and born)


def contradict(one: Person, other: Person) -> bool:
    """Say whether birth date or sex tell of two people."""
    born = one.birth_date is not None and other.birth_date is not None and one.birth_date != other.birth_date
    return born or {sexed(one.sex), sexed(other.sex)} == set(SEXES)


def _excluded(one: Person, other: Person) -> bool:
    """Say whether two namings are of two people whatever their names are."""
    return _ids(one, other) is False or contradict(one, other)


def _ids(one: Person, other: Person) -> bool | None:
    """Return whether two IDs are one; none where either says nothing, or what many have."""
    if is_no_id(one.patient_id) or is_no_id(other.patient_id):
        return None
    issuers = not one.issuer or not other.issuer or one.issuer == other.issuer
    return one.patient_id == other.patient_id and issuers


@dataclass(slots=True)
class _Comparing:
    """Compares namings, each pair once, and no more than `left`; `over` once something was not compared."""

    left: int = MOST_COMPARED
    over: bool = False
    known: dict[tuple[Person, Person, bool], bool] = field(default_factory=dict)

    def all_agree(self, some: Collection[Person], others: Collection[Person], *, in_one_study: bool = False) -> bool:
        """Say whether each of some agrees with each of others; not so far as nobody has compared them."""
        return all(self._agree(one, other, in_one_study=in_one_study) for one in some for other in others)

    def _agree(self, one: Person, other: Person, *, in_one_study: bool) -> bool:
        if _excluded(one, other):
            return False
        key = one, other, in_one_study
        if key not in self.known:
            if not self.left:
                self.over = True
                return False
            self.left -= 1
            self.known[key] = agree(one, other, in_one_study=in_one_study)
        return self.known[key]


@dataclass(slots=True)
class _Group:
    """Studies that are one person's so far, all their namings, and their UIDs."""

    studies: list[ArrivedStudy] = field(default_factory=list)
    people: dict[Person, None] = field(default_factory=dict)
    uids: set[str] = field(default_factory=set)

    def add(self, study: ArrivedStudy) -> None:
        self.studies.append(study)
        self.people.update(dict.fromkeys(study.people))
        self.uids.add(study.study_uid)


def _parts_of(study_uid: str, objects: Sequence[ArrivedObject], comparing: _Comparing) -> list[ArrivedStudy]:
    """Return a study's parts: groups of namings that all agree; what fits into several is in none of them."""
    groups: list[list[Person]] = []
    for person in sorted({one.person for one in objects}, key=_fullest_first):
        fits = [group for group in groups if comparing.all_agree((person,), group, in_one_study=True)]
        if len(fits) == 1 and not comparing.over:
            fits[0].append(person)
        else:
            groups.append([person])
    at = {person: number for number, group in enumerate(groups) for person in group}
    parts: dict[int, list[ArrivedObject]] = {number: [] for number in range(len(groups))}
    for one in objects:
        parts[at[one.person]].append(one)
    return [_study(study_uid, some, mixed=len(groups) > 1) for some in parts.values()]


def _by_person(studies: Iterable[ArrivedStudy], comparing: _Comparing) -> Iterator[list[ArrivedStudy]]:
    """Yield the studies of each person, likewise; parts of one study are never joined again."""
    groups: list[_Group] = []
    near: dict[Hashable, list[_Group]] = {}
    for study in studies:
        keys = tuple(_near(study.people[0]))
        met = {id(group): group for key in keys for group in near.get(key, ())}.values()
        fits = [one for one in met if study.study_uid not in one.uids and comparing.all_agree(study.people, one.people)]
        group = fits[0] if len(fits) == 1 and not comparing.over else _Group()
        if not group.studies:
            groups.append(group)
            for key in keys:
                near.setdefault(key, []).append(group)
        group.add(study)
    return (one.studies for one in groups)


def _near(person: Person) -> Iterator[Hashable]:
    """Yield what two namings share one of, at least, that are of one person in different studies."""
    if person.patient_id:
        yield person.patient_id
    if person.birth_date is not None:
        yield from ((person.birth_date, key) for key in same_keys(person.name))


def _study(study_uid: str, objects: Iterable[ArrivedObject], *, mixed: bool) -> ArrivedStudy:
    ordered = tuple(sorted(objects, key=lambda one: (one.file, one.sop_uid)))
    people = sorted({one.person for one in ordered}, key=_fullest_first)
    return ArrivedStudy(study_uid, tuple(people), ordered, mixed=mixed)


def _person(studies: Sequence[ArrivedStudy]) -> ArrivedPerson:
    people = sorted({one for study in studies for one in study.people}, key=_fullest_first)
    ordered = sorted(studies, key=lambda one: (one.date or date.min, one.study_uid))
    return ArrivedPerson(people[0], tuple(people), tuple(ordered))


def _fullest_first(one: Person) -> tuple[int, str, str, str, date, str]:
    return -one.said, one.name, one.patient_id, one.issuer, one.birth_date or date.min, one.sex


def _most(values: Iterable[str]) -> str:
    told = Counter(value for value in values if value)
    return min(told, key=lambda value: (-told[value], value), default="")

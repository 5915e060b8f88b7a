"""Whose the documents and pictures are that came beside a study.

In: the people of a parcel with the files of their objects, and what an XDM's metadata say. Out: for each paper where it
belongs, or why that is not known. All is looked up: a disc may have thousands of pictures beside thousands of slices.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from radrelay.importer.arrived import Person
from radrelay.importer.folding import compare
from radrelay.importer.parting import MOST_COMPARED, ArrivedPerson, contradict
from radrelay.importer.promises import plain_path, tails
from radrelay.importer.xdm import XdmDocument

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a paper belongs: the number of the person in the parcel, and the study; or why that is not known."""

    person: int | None = None
    study_uid: str = ""
    why: Literal["", "named-otherwise", "several-people", "nobody"] = ""


class PaperPlaces:
    """Tells where papers of a parcel belong; nothing is guessed between two people.

    Whom the metadata of an XDM name for one counts (`documents`: with the folder that each was read in), else the only
    person of the parcel, else the one whose objects alone lie in the nearest folder. Of their studies it is the one of
    the nearest folder, else the latest.
    """

    def __init__(self, people: Sequence[ArrivedPerson], documents: Iterable[tuple[str, XdmDocument]] = ()) -> None:
        self._people = people
        self._named: dict[str, dict[Person, None]] = {}
        for folder, one in documents:
            if one.person.name:
                self._named.setdefault(plain_path(f"{folder}/{one.path}"), {})[one.person] = None
        self._of_people = _Nearest((at, file) for at, person in enumerate(people) for _, file in _files(person))
        self._of_studies: dict[int, _Nearest[str]] = {}
        self._comparisons = MOST_COMPARED

    def of(self, path: str) -> Place:
        """Return where a paper belongs."""
        if not self._people:
            return Place(why="nobody")
        plain = plain_path(path)
        named = list(dict.fromkeys(one for tail in tails(plain) for one in self._named.get(tail, ())))
        if named:
            return self._of_named(plain, named)
        person = 0 if len(self._people) == 1 else self._of_people.to(plain)
        return Place(why="several-people") if person is None else self._placed(plain, person)

    def _of_named(self, plain: str, named: Sequence[Person]) -> Place:
        """Return where a paper belongs of which it is said whose it is; after many comparisons nobody says."""
        self._comparisons -= len(named) * len(self._people)
        if self._comparisons < 0 and len(named) * len(self._people) > 1:
            return Place(why="several-people")
        fitting = [at for at, one in enumerate(self._people) if all(_names(person, one.person) for person in named)]
        return self._placed(plain, fitting[0]) if len(fitting) == 1 else Place(why="named-otherwise")

    def _placed(self, plain: str, number: int) -> Place:
        if number not in self._of_studies:
            self._of_studies[number] = _Nearest(_files(self._people[number]))
        near = self._of_studies[number].to(plain)
        return Place(number, near or self._people[number].studies[-1].study_uid)


class _Nearest(Generic[_Key]):
    """Files of several keys, sorted: those of one folder lie together."""

    def __init__(self, files: Iterable[tuple[_Key, str]]) -> None:
        placed = sorted(((plain_path(file), key) for key, file in files), key=lambda one: one[0])
        self._paths = [path for path, _ in placed]
        self._keys = [key for _, key in placed]
        self._ends = [len(placed)] * len(placed)  # where after each file the first of another key lies
        for at in reversed(range(len(placed) - 1)):
            self._ends[at] = self._ends[at + 1] if self._keys[at] == self._keys[at + 1] else at + 1

    def to(self, plain: str) -> _Key | None:
        """Return the only key of the nearest folder above a path that has files; none where it has several."""
        folder = plain
        while folder:
            folder = folder.rpartition("/")[0]
            first, end = self._within(folder)
            if first < end:
                return self._keys[first] if self._ends[first] >= end else None
        return None

    def _within(self, folder: str) -> tuple[int, int]:
        if not folder:
            return 0, len(self._paths)
        after = chr(ord("/") + 1)
        return bisect_left(self._paths, f"{folder}/"), bisect_left(self._paths, folder + after)


def _files(person: ArrivedPerson) -> Iterator[tuple[str, str]]:
    return ((one.study_uid, one.file) for study in person.studies for one in study.objects)


def _names(told: Person, arrived: Person) -> bool:
    return not contradict(told, arrived) and compare(told.name, arrived.name).degree != "other"

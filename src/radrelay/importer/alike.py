"""Pairs of people in a parcel that may be one, found without comparing each with each.

In: whom a parcel names. Out: the pairs whose birth dates do not contradict and whose names may be one
person's, and whether all of them were compared. Names that may be the same are compared first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations, product

from radrelay.importer.arrived import Person
from radrelay.importer.folding import compare, same_keys
from radrelay.importer.parting import MOST_COMPARED


def may_be_one(one: Person, other: Person) -> bool:
    """Say whether two may be one: their birth dates do not contradict, and their names are not plainly others'."""
    born = one.birth_date is None or other.birth_date is None or one.birth_date == other.birth_date
    return born and compare(one.name, other.name).degree != "other"


def pairs_alike(people: Sequence[Person]) -> tuple[list[tuple[Person, Person]], bool]:
    """Return which pairs may be one, and whether every pair was looked at that has to be."""
    alike: list[tuple[Person, Person]] = []
    for number, (one, other) in enumerate(_pairs(people)):
        if number == MOST_COMPARED:
            return alike, False
        if may_be_one(one, other):
            alike.append((one, other))
    return alike, True


def _pairs(people: Sequence[Person]) -> Iterator[tuple[Person, Person]]:
    """Yield the pairs that are of one birth date, or of an unknown one; those whose names share their letters first."""
    by_name: dict[str, list[Person]] = {}
    for person in people:
        for key in same_keys(person.name):
            by_name.setdefault(key, []).append(person)
    for key, some in by_name.items():
        for one, other in _of_one_day(some):
            if min(_shared(one, other)) == key:
                yield one, other
    for one, other in _of_one_day(people):
        if not _shared(one, other):
            yield one, other


def _shared(one: Person, other: Person) -> frozenset[str]:
    return same_keys(one.name) & same_keys(other.name)


def _of_one_day(people: Sequence[Person]) -> Iterator[tuple[Person, Person]]:
    days: dict[date | None, list[Person]] = {}
    for person in people:
        days.setdefault(person.birth_date, []).append(person)
    unsaid = days.pop(None, [])
    for some in days.values():
        yield from combinations(some, 2)
    yield from combinations(unsaid, 2)
    yield from product(unsaid, (one for some in days.values() for one in some))

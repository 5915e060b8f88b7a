"""The order in which a series' instances are looked at: along the patient where they lie apart, else as numbered.

In: the instances' numbers, the planes of their pictures (PS3.3 C.7.6.2.1.1) and what these are. Out: places in display
order. Pictures of several kinds at the same positions (magnitude and phase, water and fat) stand one kind behind the
other, and so do echoes, b-values and phases whose numbers begin anew with each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

PARALLEL = 0.999  # cosine between two planes' normals
APART_MM = 0.01

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Plane:
    """Where one picture lies: its number, its first pixel in mm, and its row and column directions.

    `kinds` are those of `picture_kinds`; `turn` is what parts pictures of one kind at one position: temporal position,
    echo, b-value.
    """

    number: int | None
    position: Vector | None
    orientation: tuple[float, ...]
    kinds: tuple[str, ...] = ()
    turn: tuple[float | None, ...] = ()


def display_order(planes: Sequence[Plane]) -> list[int]:
    """Return the places of `planes` in display order; begins at the end that has the lower number."""
    stacks = _stacks(planes)
    if len(stacks) == 1:
        return _in_one_stack(planes)
    return [stack[place] for stack in stacks for place in _in_one_stack([planes[place] for place in stack])]


def _stacks(planes: Sequence[Plane]) -> list[list[int]]:
    """Part places where several stacks lie at the same positions; the one with the lowest number first."""
    by_number = sorted(range(len(planes)), key=lambda place: _number_key(planes[place], place))
    stacks = [by_number]
    if len({plane.kinds for plane in planes}) > 1:
        stacks = _parted(planes, by_number, lambda plane: plane.kinds)
        stacks.sort(key=lambda stack: (_number_key(planes[stack[0]], 0), planes[stack[0]].kinds))
    return [part for stack in stacks for part in _by_turns(planes, stack)]


def _by_turns(planes: Sequence[Plane], stack: list[int]) -> Iterable[list[int]]:
    """Part a stack whose numbers repeat, as those of echoes do that are numbered each from 1."""
    numbers = [planes[place].number for place in stack]
    if len(set(numbers)) == len(numbers):
        return [stack]
    parts = _parted(planes, stack, lambda plane: plane.turn)
    return sorted(parts, key=lambda part: tuple((one is None, one or 0) for one in planes[part[0]].turn))


def _parted(planes: Sequence[Plane], places: list[int], key: Callable[[Plane], Hashable]) -> list[list[int]]:
    """Part places by a key where pictures of different keys share a position, else not at all."""
    there: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
    parts: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place in places:
        plane, told = planes[place], key(planes[place])
        parts[told].append(place)
        if plane.position is not None:
            at = (*plane.position, *plane.orientation)
            there[tuple(round(one, 2) for one in at)].add(told)
    return list(parts.values()) if any(len(found) > 1 for found in there.values()) else [places]


def _in_one_stack(planes: Sequence[Plane]) -> list[int]:
    by_number = sorted(range(len(planes)), key=lambda place: _number_key(planes[place], place))
    depths = _depths(planes)
    if depths is None:
        return by_number
    order = sorted(range(len(planes)), key=depths.__getitem__)
    if any(depths[after] - depths[before] < APART_MM for before, after in pairwise(order)):
        return by_number  # several pictures at one place (phases, echoes): their numbers part them
    if _number_key(planes[order[0]], 0) > _number_key(planes[order[-1]], 0):
        order.reverse()
    return order


def _number_key(plane: Plane, place: int) -> tuple[bool, int, int]:
    return plane.number is None, plane.number or 0, place


def _depths(planes: Sequence[Plane]) -> list[float] | None:
    """Return each picture's distance along the common normal, None unless all are parallel and placed."""
    if len(planes) < 2:
        return None
    first = _normal(planes[0])
    if first is None:
        return None
    depths: list[float] = []
    for plane in planes:
        normal = _normal(plane)
        if plane.position is None or normal is None or abs(_dot(first, normal)) < PARALLEL:
            return None
        depths.append(_dot(first, plane.position))
    return depths


def _normal(plane: Plane) -> Vector | None:
    if len(plane.orientation) != 6:
        return None
    a, b, c, d, e, f = plane.orientation
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = _dot(normal, normal) ** 0.5
    if not 0.5 < length < 1.5:
        return None
    return normal[0] / length, normal[1] / length, normal[2] / length


def _dot(left: Vector, right: Vector) -> float:
    return left[0] * right[0] + left[1] * right[1] + left[2] * right[2]

"""The order in which a series' instances are looked at: along the patient where they lie apart, else as numbered.

In: the instances' numbers and the planes of their pictures (PS3.3 C.7.6.2.1.1). Out: places in display order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

PARALLEL = 0.999  # cosine between two planes' normals
APART_MM = 0.01

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Plane:
    """Where one picture lies: its number, its first pixel in mm, and its row and column directions."""

    number: int | None
    position: Vector | None
    orientation: tuple[float, ...]


def display_order(planes: Sequence[Plane]) -> list[int]:
    """Return the places of `planes` in display order; begins at the end that has the lower number."""
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

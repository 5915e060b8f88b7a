"""Which drawing of the standard stands for which kind of mark, and back (PS3.3 C.18.6.1, graphic types).

Points are (column, row) from the outer corner of the first pixel. Closed outlines repeat their first point in DICOM
and do not as marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

Point = tuple[float, float]
Point3 = tuple[float, float, float]
GraphicType = Literal["POINT", "MULTIPOINT", "POLYLINE", "ELLIPSE"]
Kind = Literal[
    "length", "bidirectional", "angle", "cobb", "ellipse", "rectangle", "freehand", "arrow", "text", "counter",
    "point", "key",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
MOST_POINTS = 10_000
POINTS: dict[str, tuple[int, int]] = {
    "length": (2, 2),
    "bidirectional": (4, 4),
    "angle": (3, 3),
    "cobb": (4, 4),
    "ellipse": (4, 4),
    "rectangle": (4, 4),
    "freehand": (3, MOST_POINTS),
    "arrow": (2, 2),
    "text": (1, 1),
    "counter": (1, MOST_POINTS),
    "point": (1, 1),
    "key": (0, 0),
}
"""The least and most points of each kind."""
IN_SPACE: dict[str, int] = {"length": 2, "angle": 3}
"""The kinds that can lie in the patient instead of on a picture, with their points."""
LINES = {"bidirectional": (2, 2), "cobb": (2, 2)}
"""How many points each of several lines takes."""
OUTLINES = frozenset({"rectangle", "freehand"})
MEASURED_BY: dict[str, tuple[str, ...]] = {
    "length": ("length",),
    "bidirectional": ("long_axis", "short_axis"),
    "angle": ("angle",),
    "cobb": ("angle",),
    "counter": ("count",),
}
"""Kinds whose drawing is what a number was inferred from (TID 300); one number for each line, or one for all."""


class Region(NamedTuple):
    """One drawing."""

    graphic: GraphicType
    points: tuple[Point, ...]


def regions(kind: str, points: Sequence[Point]) -> list[Region]:
    """Return the drawings that a mark consists of; none of a key image."""
    given = tuple((float(column), float(row)) for column, row in points)
    if not given:
        return []
    if kind in LINES:
        first = LINES[kind][0]
        return [Region("POLYLINE", given[:first]), Region("POLYLINE", given[first:])]
    if kind == "ellipse":
        return [Region("ELLIPSE", given)]
    if kind in OUTLINES:
        return [Region("POLYLINE", (*given, given[0]))]
    if len(given) == 1:
        return [Region("POINT", given)]
    return [Region("MULTIPOINT" if kind == "counter" else "POLYLINE", given)]


def points_of(kind: str, drawn: Sequence[Region]) -> list[Point]:
    """Return the points of a mark of which `drawn` are the drawings, in their order."""
    found = [point for region in drawn for point in region.points]
    return found[:-1] if kind in OUTLINES and len(found) > 1 else found

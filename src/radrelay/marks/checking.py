"""What a mark may hold: points, words and numbers, bounded, and such as its kind has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from radrelay.marks.errors import MarkInvalid
from radrelay.marks.objects.shapes import IN_SPACE, KINDS, POINTS, Point
from radrelay.marks.objects.sheet import Space, Value

LONGEST_TEXT = 2_000
MOST_VALUES = 16
FARTHEST_MM = 10_000
FARTHEST_LABEL = 100_000


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a mark holds beside its place in the study; with `space` it has no points on a picture."""

    points: list[Point]
    text: str
    values: list[Value]
    label: Point | None = None
    space: Space | None = None


def check_on_picture(kind: str, frame: int, content: Content, instance: Any) -> None:
    """Raise `MarkInvalid` naming what is wrong with a mark on its picture, a row with its frames, rows and columns."""
    if kind not in KINDS:
        raise MarkInvalid(f"there is no mark of the kind {kind[:40]!r}", field="kind")
    least, most = POINTS[kind]
    if not least <= len(content.points) <= most:
        amount = f"{least}" if least == most else f"{least} to {most}"
        raise MarkInvalid(f"a mark of the kind {kind} has {amount} points, not {len(content.points)}", field="points")
    if content.points and not (instance.rows and instance.columns):
        raise MarkInvalid("this object holds no picture that could be drawn on", field="instance_id")
    if not 1 <= frame <= max(1, instance.frames):
        raise MarkInvalid(f"the picture has {instance.frames} frames, not {frame}", field="frame")
    _check_points(content.points, instance.columns, instance.rows)
    if content.label is not None and any(abs(part) > FARTHEST_LABEL for part in content.label):
        raise MarkInvalid(f"a label stands at most {FARTHEST_LABEL} pixels from its mark", field="label")
    _check_words(content)


def check_in_space(kind: str, content: Content) -> None:
    """Raise `MarkInvalid` naming what is wrong with a mark that lies in the patient."""
    count = IN_SPACE.get(kind)
    if count is None:
        raise MarkInvalid(f"a mark of the kind {kind[:40]} lies on a picture", field="kind")
    if content.space is None or len(content.space.points) != count or content.points:
        raise MarkInvalid(f"a mark of the kind {kind} in the patient has {count} points there alone", field="space")
    if any(abs(part) > FARTHEST_MM for point in content.space.points for part in point):
        raise MarkInvalid(f"a point of the patient lies within {FARTHEST_MM} mm", field="space")
    if content.label is not None:
        raise MarkInvalid("the label of a mark in the patient has no place of its own", field="label")
    _check_words(content)


def _check_points(points: Sequence[Point], columns: int, rows: int) -> None:
    """Allow a point to lie outside its picture by as much as the picture is wide or high."""
    for number, point in enumerate(points, 1):
        for value, extent, name in zip(point, (columns, rows), ("column", "row"), strict=True):
            low, high = -float(extent), 2.0 * extent
            if not low <= value <= high:
                raise MarkInvalid(
                    f"the {name} of point {number} must lie between {low:g} and {high:g}, not at {value:g}",
                    field="points",
                )


def _check_words(content: Content) -> None:
    if len(content.text) > LONGEST_TEXT:
        raise MarkInvalid(f"a mark's text may have at most {LONGEST_TEXT} characters", field="text")
    if any((ord(sign) < 32 and sign not in "\n\t") or ord(sign) == 127 for sign in content.text):
        raise MarkInvalid("a mark's text holds a control character", field="text")
    names = [(value.name, value.unit) for value in content.values]
    if len(names) > MOST_VALUES or len(set(names)) < len(names):
        raise MarkInvalid(f"a mark has each value once in a unit, and at most {MOST_VALUES}", field="values")

"""The words beside a drawing, for presentation states: what was typed, then the numbers with their units.

No word of any language is added: lengths, areas and angles are told by their units, statistics by their signs.
"""

from __future__ import annotations

from collections.abc import Iterator

from radrelay.marks.objects.shapes import Point
from radrelay.marks.objects.sheet import DrawnMark, Value

LONGEST = 1024  # of Unformatted Text Value (VR ST)
SIGNS = {"mean": "Ø", "sd": "±", "min": "↓", "max": "↑", "perimeter": "○", "count": "n ="}
UNITS = {
    "[hnsf'U]": "HU", "{SUVbw}g/ml": "SUV", "mm2": "mm²", "cm2": "cm²", "px2": "px²", "deg": "°", "1": "",
}  # fmt: skip


def placed(mark: DrawnMark) -> Iterator[tuple[Point, str]]:
    """Yield a mark's texts and where they stand; each of several counted points has its number."""
    if mark.kind == "counter" and len(mark.points) > 1:
        for number, point in enumerate(mark.points, 1):
            yield point, str(number)
    text = label(mark)
    if text and mark.points:
        yield _anchor(mark), text


def _anchor(mark: DrawnMark) -> Point:
    """Return where a label stands: where a reader put it, else at the mark's point that is farthest to the right."""
    if mark.label is None:
        return max(mark.points)
    (column, row), (right, down) = mark.points[0], mark.label
    return column + right, row + down


def label(mark: DrawnMark) -> str:
    """Return the text of a mark: its own, and a line of its numbers."""
    parts = [part for part in (mark.text.strip(), " ".join(_shown(value) for value in mark.values)) if part]
    text = "\n".join(parts)
    text = text if len(text) < LONGEST else text[: LONGEST - 1] + "…"
    return text.replace("\n", "\r\n") if text.count("\n") + len(text) <= LONGEST else text


def _shown(value: Value) -> str:
    unit = UNITS.get(value.unit, value.unit)
    number = f"{value.value:.4g}" if abs(value.value) < 1000 else f"{value.value:.0f}"
    return " ".join(part for part in (SIGNS.get(value.name, ""), number, unit) if part)

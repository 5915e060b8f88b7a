"""Plots on a page: lines over time, with round numbers on their axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radrelay.analysis.objects.sheet import LINE, SOFT, Colour, Sheet

NEGATIVE = 0.1  # of the highest value: less below 0 is noise, and needs no room
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """Values over time; NaN where there is none."""

    name: str
    times: Sequence[float]
    values: Sequence[float]
    colour: Colour


def round_step(span: float, steps: int = 4) -> float:
    """Return the round number (1, 2, 5 by a power of ten) that parts a span into about `steps`."""
    rough = max(span, 1e-6) / steps
    power = float(10 ** math.floor(math.log10(rough)))
    return next(one * power for one in (1, 2, 5, 10) if one * power >= rough * 0.999)


def plot(sheet: Sheet, box: Box, lines: Sequence[Line], unit: str, marks: Sequence[float] = ()) -> None:
    """Draw lines into a box (left, upper, right, lower), with axes and their names; `marks` as dots below."""
    left, upper, right, lower = box
    values = np.concatenate([np.asarray(line.values, dtype=np.float64) for line in lines])
    times = np.concatenate([np.asarray(line.times, dtype=np.float64) for line in lines])
    high = max(1.0, float(np.nanmax(values)))
    low = min(0.0, float(np.nanmin(values)))
    low = low if low < -NEGATIVE * high else 0.0
    step, span = round_step(high - low), max(float(times.max()), 1.0)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step

    def at(time: float, value: float) -> tuple[float, float]:
        return left + (right - left) * time / span, lower - (lower - upper) * (value - low) / (high - low)

    for value in np.arange(low, high + step / 2, step):
        y = at(0, float(value))[1]
        sheet.way([(left, y), (right, y)], LINE, 1)
        sheet.text(left - 8, y + 6, f"{value:g}", 16, SOFT, right=True)
    for time in np.arange(0, span + 0.01, round_step(span, 6)):
        if at(float(time), low)[0] > right - 24:
            break
        sheet.text(at(float(time), low)[0] + 8, lower + 22, f"{time:g}", 16, SOFT, right=True)
    sheet.text(right, lower + 22, "s", 16, SOFT, right=True)
    sheet.text(left - 40, upper - 12, unit, 16, SOFT)
    for line in lines:
        points = [at(time, value) for time, value in zip(line.times, line.values, strict=True) if np.isfinite(value)]
        sheet.way(points, line.colour)
    for time in marks:
        sheet.dot(at(time, low)[0], lower, 6, (255, 96, 96))
    _names(sheet, right, upper - 12, lines)


def _names(sheet: Sheet, right: float, y: float, lines: Sequence[Line]) -> None:
    for line in reversed(lines):
        sheet.text(right, y, line.name, 16, line.colour, right=True)
        right = sheet.written[-1].x - 22

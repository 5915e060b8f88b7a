"""From what a person saw and read off a photometer to a verdict: each criterion with its value and its limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from radrelay.dicom import gsdf
from radrelay.displays.errors import CheckInvalid, ReadingsUnusable
from radrelay.displays.limits import AT_MOST, Asked

QUESTIONS = ("surroundings", "whole", "patches", "steps", "lines", "letters", "artefacts", "even")
"""What is asked at a visual check, in this order; each must be answered yes."""

UNEVENNESS_POINTS = 5
"""Where evenness is measured: in the middle and in the four corners (IEC 62563-1, as DIN 6868-157 does it)."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that was judged. `limit` is none where the answer itself is the verdict."""

    name: str
    passed: bool
    value: float | None = None
    limit: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the display is set to: device pixels of the whole screen, and their distance in micrometres."""

    columns: int
    rows: int
    pixel_um: float


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read off a photometer.

    `luminances[i]` in cd/m² belongs to grey `greys[i]`, measured on the display (`with_ambient` False: the room's light
    was kept off, so that `ambient` is added) or from the reader's place (True). `points` are of an even field, the
    middle first; `illuminance` in lx is that of the display's face, switched off.
    """

    greys: tuple[int, ...]
    luminances: tuple[float, ...]
    ambient: float
    with_ambient: bool
    points: tuple[float, ...] = ()
    illuminance: float | None = None

    def response(self) -> gsdf.Response:
        """Return the display's answer with the ambient luminance; raises `ReadingsUnusable`."""
        added = 0.0 if self.with_ambient else self.ambient
        try:
            return gsdf.Response(self.greys, tuple(value + added for value in self.luminances))
        except gsdf.ResponseUnusable as error:
            raise ReadingsUnusable(f"luminances: {error}", field="luminances") from error


def judge_matrix(seen: Seen, asked: Asked) -> Iterator[Criterion]:
    """Judge the number of pixels, the longer side against the longer one asked, and their size."""
    if "columns" in asked and "rows" in asked:
        longer, shorter = max(seen.columns, seen.rows), min(seen.columns, seen.rows)
        yield _measured("columns", longer, asked)
        yield _measured("rows", shorter, asked)
    if "pixel_um" in asked:
        yield _measured("pixel_um", seen.pixel_um, asked)


def judge_answers(answers: Mapping[str, bool]) -> Iterator[Criterion]:
    """Judge a visual check; raises `CheckInvalid` unless every question, and no other, was answered."""
    if set(answers) != set(QUESTIONS):
        wrong = sorted(set(answers) ^ set(QUESTIONS))
        raise CheckInvalid(f"answers: {', '.join(wrong)} missing or unknown", field="answers")
    for name in QUESTIONS:
        yield Criterion(name, answers[name])


def judge_readings(readings: Readings, asked: Asked) -> Iterator[Criterion]:
    """Judge photometer readings; what was not measured and is asked fails, but for the illuminance."""
    response = readings.response()
    darkest, brightest = response.luminances[0], response.luminances[-1]
    values: dict[str, float | None] = {
        "luminance": brightest,
        "ratio": brightest / darkest,
        "gsdf_deviation": max(abs(value) for value in gsdf.deviations(response)),
        "unevenness": unevenness(readings.points) if readings.points else None,
        "illuminance": readings.illuminance,
    }
    for name, value in values.items():
        if name in asked and (value is not None or name != "illuminance"):
            yield _measured(name, value, asked)


def unevenness(points: Sequence[float]) -> float:
    """Return 200 (highest - lowest) / (highest + lowest), in percent (AAPM TG18; IEC 62563-1)."""
    if len(points) != UNEVENNESS_POINTS or min(points) <= 0:
        raise CheckInvalid(f"points: {UNEVENNESS_POINTS} luminances above zero", field="points")
    highest, lowest = max(points), min(points)
    return 200 * (highest - lowest) / (highest + lowest)


def _measured(name: str, value: float | None, asked: Asked) -> Criterion:
    limit = asked[name]
    if value is None:
        passed = False
    elif name == "unevenness":
        passed = value < limit.value
    else:
        passed = value <= limit.value if name in AT_MOST else value >= limit.value
    return Criterion(name, passed, value, limit.value, limit.source)

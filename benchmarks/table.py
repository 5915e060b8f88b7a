"""What a run found, as one table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Rounds = dict[str, list[float]]
OURS = "Radrelay"


@dataclass(frozen=True)
class Line:
    """One row: medians of each side, and the median of the rounds' ratios, above 1 where Radrelay is better."""

    part: str
    what: str
    unit: str
    values: Mapping[str, float]
    ratios: Mapping[str, float] = field(default_factory=dict)
    aim: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Aim:
    """What is to be reached: a ratio over one side, or (side none) a value of our own."""

    limit: float
    over: str | None = None
    below: bool = False

    def judged(self, values: Mapping[str, float], ratios: Mapping[str, float]) -> bool | None:
        """Return whether it is reached; none when it was not measured."""
        found = values.get(OURS) if self.over is None else ratios.get(self.over)
        if found is None:
            return None
        return found <= self.limit if self.below else found >= self.limit

    def __str__(self) -> str:
        sign = "≤" if self.below else "≥"
        return f"{sign} {self.limit:g} × {self.over}" if self.over else f"{sign} {self.limit:g}"


def line(
    part: str,
    what: str,
    unit: str,
    rounds: Rounds,
    *aims: Aim,
    better: Literal["higher", "lower"] = "higher",
) -> Line:
    """Return the row of interleaved rounds."""
    values = {side: statistics.median(found) for side, found in rounds.items() if found}
    ratios = {}
    for side, found in rounds.items():
        if side == OURS or not found or OURS not in rounds:
            continue
        pairs = zip(rounds[OURS], found, strict=False)
        ratios[side] = statistics.median(a / b if better == "higher" else b / a for a, b in pairs if a and b)
    judged = [aim.judged(values, ratios) for aim in aims]
    met = None if not aims or None in judged else all(judged)
    return Line(part, what, unit, values, ratios, ", ".join(map(str, aims)), met)


def interleaved(rounds: int, sides: Mapping[str, Callable[[int], float]]) -> Rounds:
    """Let each side measure once per round, A B A B."""
    found: Rounds = {side: [] for side in sides}
    for number in range(rounds):
        for side, measure in sides.items():
            found[side].append(measure(number))
    return found


def percentiles(samples: Sequence[float]) -> tuple[float, float]:
    """Return p50 and p95."""
    if len(samples) < 2:
        return samples[0], samples[0]
    return statistics.median(samples), statistics.quantiles(samples, n=20)[-1]


def markdown(lines: Sequence[Line], sides: Sequence[str]) -> str:
    """Return the table; `sides` are the others, in their order."""
    head = ["what", "unit", OURS, *sides, *(f"× {side}" for side in sides), "aim", ""]
    rows = [head, ["---", "---", *["---:"] * (1 + 2 * len(sides)), "---", "---"]]
    part = ""
    for one in lines:
        if one.part != part:
            part = one.part
            rows.append([f"**{part}**", *[""] * (len(head) - 1)])
        values = [_number(one.values.get(side)) for side in (OURS, *sides)]
        ratios = [_number(one.ratios.get(side)) for side in sides]
        mark = {None: "", True: "reached", False: "**short**"}[one.met]
        rows.append([one.what, one.unit, *values, *ratios, one.aim, mark])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def plain(one: Line) -> str:
    """Return one row for the terminal."""
    values = "  ".join(f"{side} {_number(value)}" for side, value in one.values.items())
    ratios = "  ".join(f"× {side} {_number(value)}" for side, value in one.ratios.items())
    mark = {None: "", True: "  reached", False: "  SHORT"}[one.met]
    aim = f"  (aim {one.aim}{mark})" if one.aim else ""
    return f"{one.part:9} {one.what:58} {one.unit:10} {values}  {ratios}{aim}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"

"""All objects of a result, one after the other, so that no more than one is held, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from radrelay.analysis.objects import captures
from radrelay.analysis.objects.findings import findings_of
from radrelay.analysis.objects.order import PROGRAM, Order
from radrelay.analysis.perfusion import Result
from radrelay.analysis.study import Findings, PerfusionStudy

FINDINGS = "findings.json"
Take = Callable[[str, bytes], None]


def method_of(result: Result) -> str:
    """Return how a result was made, with every constant, as one line."""
    printed = result.constants.printed()
    said = "; ".join(f"{name}={_text(value)}" for name, value in printed.items())
    return f"{PROGRAM}: {said}; partial_volume={result.partial_volume:.3f}"


def _text(value: object) -> str:
    return ",".join(f"{one:g}" for one in value) if isinstance(value, tuple) else f"{value}"


def hand_over(study: PerfusionStudy, result: Result, order: Order, take: Take) -> Findings:
    """Hand every object of a result to `take`, by its name and as a DICOM file, the findings as JSON last."""
    order = replace(order, method=order.method or method_of(result))
    series = captures.series_of(study, result, order)
    for one in series:
        for name, content in captures.written(study, order, one):
            take(name, content)
    found = findings_of(study, result, order, [one.told for one in series])
    take(FINDINGS, msgspec.json.encode(found))
    return found


def write(study: PerfusionStudy, result: Result, order: Order, out: Path) -> Findings:
    """Write every object of a result, and the findings, into a folder."""
    out.mkdir(parents=True, exist_ok=True)

    def take(name: str, content: bytes) -> None:
        (out / name).write_bytes(content)

    return hand_over(study, result, order, take)

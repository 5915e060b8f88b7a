"""When the contrast comes: the frames before it are the baseline of everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
RISE_SHARE = 0.05
MARGIN_S = 1.5
HIGHEST, MUCH_SHARE, LEAST_EARLY = 20, 0.4, 12
SECOND_SHARE, BETWEEN_SHARE, SECOND_AFTER_S = 0.6, 0.5, 10.0


def arrival(frames: Floats, times: Doubles, region: NDArray[np.bool_]) -> float:
    """Return when (s) the first vessels begin to enhance: the earliest of those that change much, at 5 % of their peak.

    `frames` rise with the contrast; `times`: frames × slices. The margin before it covers tissue that is earlier.
    Veins are larger than arteries: the mean of all that changes would call the artery's bolus a baseline.
    """
    flat = frames[:, region]
    highest = flat[:3].mean(axis=0)
    for at in range(1, len(flat) - 2):
        np.maximum(highest, flat[at : at + 3].mean(axis=0), out=highest)
    change = highest - flat.mean(axis=0)
    top = np.partition(change, -min(HIGHEST, change.size))[-min(HIGHEST, change.size) :].mean()
    curves = flat[:, change >= MUCH_SHARE * top].astype(np.float64)
    soft = (curves[:-2] + curves[1:-1] + curves[2:]) / 3
    low = np.median(soft, axis=0)
    rise = ((soft - low) >= 0.5 * (soft.max(axis=0) - low)).argmax(axis=0)
    count = min(rise.size, max(LEAST_EARLY, rise.size // 10))
    curve = curves[:, np.argsort(rise, kind="stable")[:count]].mean(axis=1)
    when = np.nanmean(times, axis=1)
    peak = int(curve.argmax())
    base = float(np.median(curve[: max(2, min(4, peak))]))
    before = np.flatnonzero(curve[:peak] - base < RISE_SHARE * (curve[peak] - base))
    first = when[before[-1]] if before.size else when[0]
    return float(first - MARGIN_S)


def second_bolus(curve: Doubles, even: Doubles) -> float | None:
    """Return when (s) an artery peaks for a second time as if injected again; none for ordinary recirculation."""
    top = int(curve.argmax())
    for order in (1, -1):
        rest = np.arange(top + order * int(SECOND_AFTER_S), len(curve) if order > 0 else -1, order)
        if rest.size and rest[0] >= 0:
            other = int(rest[curve[rest].argmax()])
            low, high = sorted((top, other))
            valley = curve[low : high + 1].min()
            if curve[other] >= SECOND_SHARE * curve[top] and valley <= BETWEEN_SHARE * curve[other]:
                return float(even[other])
    return None

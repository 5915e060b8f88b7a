"""When the contrast comes, and when it comes again: the frames before are the baseline of everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
RISE_SHARE = 0.05
MARGIN_S = 1.5
HIGHEST, MUCH_SHARE, LEAST_EARLY = 20, 0.4, 12
SECOND_SHARE, BETWEEN_SHARE, SECOND_AFTER_S = 0.5, 0.6, 10.0
LOW_QUANTILE = 0.05  # of a curve: what it is without contrast


def early_curve(frames: Floats, region: NDArray[np.bool_]) -> Doubles:
    """Return the mean curve (frames) of the first vessels to enhance: the earliest of those voxels that change much.

    `frames` rise with the contrast. Veins are larger than arteries: the mean of all that changes would call the
    artery's bolus a baseline.
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
    found: Doubles = curves[:, np.argsort(rise, kind="stable")[:count]].mean(axis=1)
    return found


def arrival(frames: Floats, times: Doubles, region: NDArray[np.bool_]) -> float:
    """Return when (s) the first vessels begin to enhance, at 5 % of their peak; `times`: frames × slices.

    The margin before it covers tissue that is earlier.
    """
    curve = early_curve(frames, region)
    when = np.nanmean(times, axis=1)
    peak = int(curve.argmax())
    base = float(np.median(curve[: max(2, min(4, peak))]))
    before = np.flatnonzero(curve[:peak] - base < RISE_SHARE * (curve[peak] - base))
    first = when[before[-1]] if before.size else when[0]
    return float(first - MARGIN_S)


def second_bolus(frames: Floats, times: Doubles, region: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return when (s) contrast that was injected again begins to come, and peaks; none for ordinary recirculation."""
    when = np.nanmean(times, axis=1)
    even = np.arange(when[0], when[-1])
    curve = np.interp(even, when, early_curve(frames, region))
    curve = np.convolve(np.pad(curve, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    curve -= np.quantile(curve, LOW_QUANTILE)
    top = int(curve.argmax())
    for order in (1, -1):
        rest = np.arange(top + order * int(SECOND_AFTER_S), len(curve) if order > 0 else -1, order)
        if rest.size and rest[0] >= 0:
            other = int(rest[curve[rest].argmax()])
            low, high = sorted((top, other))
            valley = low + int(curve[low : high + 1].argmin())
            if curve[other] >= SECOND_SHARE * curve[top] and curve[valley] <= BETWEEN_SHARE * curve[other]:
                return float(even[valley]), float(even[high])
    return None

"""When the contrast comes: the frames before it are the baseline of everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
RISE_SHARE = 0.05
MARGIN_S = 1.5
HIGHEST = 200
SECOND_SHARE, BETWEEN_SHARE, SECOND_AFTER_S = 0.6, 0.5, 10.0


def arrival(frames: Floats, times: Doubles, region: NDArray[np.bool_]) -> float:
    """Return when (s) the first vessels begin to enhance: the mean of the voxels that change most, at 5 % of its peak.

    `frames` rise with the contrast; `times`: frames × slices. The margin before it covers tissue that is earlier.
    """
    flat = frames[:, region]
    change = flat.mean(axis=0) - flat[:3].mean(axis=0)
    count = min(HIGHEST, change.size)
    chosen = np.argpartition(-change, count - 1)[:count]
    curve = flat[:, chosen].mean(axis=1).astype(np.float64)
    when = np.nanmean(times, axis=1)
    top = int(curve.argmax())
    base = float(np.median(curve[: max(2, min(4, top))]))
    low = np.flatnonzero(curve[:top] - base < RISE_SHARE * (curve[top] - base))
    first = when[low[-1]] if low.size else when[0]
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

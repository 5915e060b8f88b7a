"""Curves at even times: from each slice's own acquisition times to one grid of 1 s that all share.

The oscillation index counts bends between neighbouring samples and so depends on the interval: all deconvolution is
done at 1 s. Resampling is linear in the samples: one matrix for each slice (grid × frames).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Way = Literal["linear", "cubic"]
GRID_S = 1.0


def grid(times: NDArray[np.floating], step_s: float = GRID_S) -> Doubles:
    """Return the even times that every slice covers to its end; `times`: frames × slices, NaN where not acquired."""
    end = float(np.nanmin(np.nanmax(times, axis=0)))
    return np.arange(0, end + 1e-6, step_s)


def fill(frames: NDArray[np.floating], times: NDArray[np.floating]) -> None:
    """Put what lies between its neighbours in the same slice in the place of each image that was not acquired.

    `frames`: frames × slices × rows × columns, `times`: frames × slices, NaN where not acquired. Curves leave those
    out; what looks at whole frames (motion, brain, vessels) must not take their emptiness for a signal.
    """
    for number in range(frames.shape[1]):
        there = np.flatnonzero(np.isfinite(times[:, number]))
        for one in np.setdiff1d(np.arange(len(frames)), there):
            after = int(np.searchsorted(there, one))
            left, right = there[max(after - 1, 0)], there[min(after, there.size - 1)]
            share = (one - left) / (right - left) if right > left else 0.0
            frames[one, number] = (1 - share) * frames[left, number] + share * frames[right, number]


def begun_s(times: NDArray[np.floating]) -> Doubles:
    """Return when each frame began, in s; infinity where nothing of it was acquired."""
    found: Doubles = np.where(np.isfinite(times), times, np.inf).min(axis=1)
    return found


def weights(own: NDArray[np.floating], even: NDArray[np.floating], way: Way = "linear") -> Doubles:
    """Return the matrix (grid × samples) that takes samples at times `own` to `even`; held beyond both ends."""
    inside = np.clip(even, own[0], own[-1])
    at = np.clip(np.searchsorted(own, inside, side="right") - 1, 0, own.size - 2)
    width = own[at + 1] - own[at]
    after = (inside - own[at]) / width
    before = 1 - after
    unit = np.eye(own.size)
    found = (before[:, None] * unit[at] + after[:, None] * unit[at + 1]).astype(np.float64)
    if way == "cubic":
        bends = _bends(own)
        share = (width**2 / 6)[:, None]
        found = found + share * (
            (before**3 - before)[:, None] * bends[at] + (after**3 - after)[:, None] * bends[at + 1]
        )
    return np.asarray(found, dtype=np.float64)


def less_baseline(matrix: Doubles, own: NDArray[np.floating], until_s: float) -> Doubles:
    """Return the matrix that also takes off the mean of the samples before `until_s` (the first, if none is)."""
    early = own < until_s
    early[0] = True
    found: Doubles = matrix - early[None, :] / early.sum() * matrix.sum(axis=1, keepdims=True)
    return found


def _bends(own: NDArray[np.floating]) -> Doubles:
    """Return the matrix from samples to second derivatives of their natural cubic spline."""
    count, width = own.size, np.diff(own)
    left, right = np.eye(count), np.zeros((count, count))
    for at in range(1, count - 1):
        left[at, at - 1 : at + 2] = width[at - 1], 2 * (width[at - 1] + width[at]), width[at]
        right[at, at - 1 : at + 2] = 6 / width[at - 1], -6 / width[at - 1] - 6 / width[at], 6 / width[at]
    return np.asarray(np.linalg.solve(left, right), dtype=np.float64)

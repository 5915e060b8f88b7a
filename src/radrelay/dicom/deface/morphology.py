"""Growing, shrinking and following connected parts of a three-dimensional mask, by whole rows at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Steps = tuple[int, int, int]


def steps_of(distance_mm: float, spacing: tuple[float, float, float]) -> Steps:
    """Return how many cells a distance is along each axis, at least one."""
    first, second, third = (max(1, round(distance_mm / one)) for one in spacing)
    return first, second, third


def grown(mask: Mask, steps: Steps) -> Mask:
    """Return a mask grown by a box of so many cells to each side."""
    for axis, count in enumerate(steps):
        total = np.cumsum(mask, axis=axis, dtype=np.int32)
        size = mask.shape[axis]
        high = np.take(total, np.minimum(np.arange(size) + count, size - 1), axis=axis)
        below = np.arange(size) - count - 1
        low = np.take(total, np.maximum(below, 0), axis=axis)
        shape = [1, 1, 1]
        shape[axis] = size
        low = np.where((below < 0).reshape(shape), 0, low)
        mask = high > low
    return mask


def shrunk(mask: Mask, steps: Steps) -> Mask:
    """Return a mask shrunk likewise; what lies beyond the edge counts as inside."""
    return ~grown(~mask, steps)


def deepest(mask: Mask, steps: Steps) -> tuple[int, int, int] | None:
    """Return a cell that is left longest while a mask shrinks from its edges: the middle of its thickest part."""
    left = np.pad(mask, 1)
    last = None
    while left.any():
        last = left
        left = shrunk(left, steps)
    if last is None:
        return None
    found = np.argwhere(last)
    first, second, third = (int(one) - 1 for one in found[len(found) // 2])
    return first, second, third


def connected(mask: Mask, seed: tuple[int, int, int]) -> Mask:
    """Return the part of a mask that hangs together with a cell, by faces."""
    reached = np.zeros_like(mask)
    if not mask[seed]:
        return reached
    reached[seed] = True
    count = 0
    while (now := int(reached.sum())) != count:
        count = now
        for axis in range(3):
            reached = _along(mask, reached, axis)
    return reached


def _along(mask: Mask, reached: Mask, axis: int) -> Mask:
    """Return what is reached once each row of cells along an axis is filled that is touched anywhere."""
    inside = np.moveaxis(mask, axis, -1)
    touched = np.moveaxis(reached, axis, -1)
    starts = inside.copy()
    starts[..., 1:] &= ~inside[..., :-1]
    rows = np.cumsum(starts.ravel()) * inside.ravel()
    hit = np.zeros(int(rows.max(initial=0)) + 1, bool)
    hit[rows[touched.ravel()]] = True
    hit[0] = False
    return np.moveaxis(hit[rows].reshape(inside.shape), -1, axis)

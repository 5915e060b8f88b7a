"""Smoothing in the plane that does not mix tissue with what is not: Gaussian weights, normalised within a mask.

Rows and columns are multiplied with banded matrices (float32): at 256² that is faster than sliding a window.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.deconvolution import threaded

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
REACH = 3.5  # standard deviations


def kernel(count: int, sigma: float) -> Floats:
    """Return the matrix (count × count) of a Gaussian with `sigma` in samples; the identity for 0."""
    if sigma <= 0:
        return np.eye(count, dtype=np.float32)
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    band = np.where(apart <= REACH * sigma, np.exp(-0.5 * (apart / sigma) ** 2), 0)
    return np.asarray(band / band[count // 2].sum(), dtype=np.float32)


def smoothed(picture: Floats, sigma: float) -> Floats:
    """Return (…, rows, columns) smoothed by `sigma` voxels, as if the edge went on."""
    rows, columns = (kernel(count, sigma) for count in picture.shape[-2:])
    rows = rows / rows.sum(axis=1, keepdims=True)
    columns = columns / columns.sum(axis=1, keepdims=True)
    found: Floats = np.matmul(np.matmul(rows, picture), columns.T)
    return found


def smooth_within(frames: Floats, mask: Mask, sigma: float, workers: int | None = None) -> None:
    """Smooth frames (frames, slices, rows, columns) in place by `sigma` voxels within `mask`; elsewhere they stay."""
    if sigma <= 0 or not mask.any():
        return
    box = bounding_box(mask)
    inside = mask[box].astype(np.float32)
    rows, columns = (kernel(count, sigma) for count in inside.shape[1:])
    weight = np.matmul(np.matmul(rows, inside), columns)
    weight = np.where(mask[box], 1 / np.maximum(weight, 1e-6), 0).astype(np.float32)

    def one(part: slice) -> None:
        for frame in range(part.start, part.stop):
            own = frames[frame][box]
            soft = np.matmul(np.matmul(rows, own * inside), columns)
            soft *= weight
            np.copyto(own, soft, where=mask[box])

    threaded(one, frames.shape[0], workers, chunk=1)


def bounding_box(mask: Mask) -> tuple[slice, slice, slice]:
    """Return the smallest box around a mask that is not empty."""
    spans = []
    for axis in range(3):
        held = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        spans.append(slice(int(held[0]), int(held[-1]) + 1))
    return spans[0], spans[1], spans[2]

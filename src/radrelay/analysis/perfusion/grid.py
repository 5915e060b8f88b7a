"""The grid an analysis works on: pixels finer than half a response to noise are joined two by two in the plane.

A 512² slice of a head has pixels of 0.4 mm, and its noise is smoothed over several of them in any case: joined, it is
as exact and four times as fast. Maps go back to the pixels of the images they came from.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.deconvolution import threaded

Floats = NDArray[np.float32]
Kind = TypeVar("Kind", bound=np.generic)
JOIN_BELOW_MM = 0.65


def factor(spacing: tuple[float, float, float], shape: tuple[int, ...]) -> int:
    """Return how many pixels are joined along rows and columns: 1, or 2 for fine and even ones."""
    fine = max(spacing[1:]) < JOIN_BELOW_MM and shape[-1] % 2 == 0 and shape[-2] % 2 == 0
    return 2 if fine else 1


def joined(volume: NDArray[np.generic], by: int, workers: int | None = None) -> Floats:
    """Return (frames, slices, rows, columns) as float32 of its own, pixels joined `by` × `by`."""
    frames, slices, rows, columns = volume.shape
    found = np.empty((frames, slices, rows // by, columns // by), dtype=np.float32)

    def one(part: slice) -> None:
        for frame in range(part.start, part.stop):
            own = volume[frame]
            if by == 1:
                found[frame] = own
                continue
            np.add(own[:, ::2, ::2], own[:, 1::2, 1::2], out=found[frame], dtype=np.float32, casting="unsafe")
            found[frame] += own[:, ::2, 1::2]
            found[frame] += own[:, 1::2, ::2]
            found[frame] *= np.float32(0.25)

    threaded(one, frames, workers, chunk=1)
    return found


def spread(picture: NDArray[Kind], by: int) -> NDArray[Kind]:
    """Return (slices, rows, columns) on the pixels that were joined."""
    return picture if by == 1 else picture.repeat(by, axis=1).repeat(by, axis=2)

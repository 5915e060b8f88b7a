"""Masks as runs of equal pixels, row by row: small for what is drawn, and quick to unpack in a browser.

A mask of bits is the lengths of its runs, first of pixels that are not set (which may be 0), then of those that are,
and so on; every other mask is pairs of a value and a length. Each number stands in groups of seven bits, the lowest
first, with the highest bit of a byte set where another follows (LEB128).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bit_runs(mask: NDArray[np.uint8]) -> bytes:
    """Return a mask of zeros and others as runs."""
    flat = mask.reshape(-1) != 0
    lengths = np.diff(_edges(flat))
    return _numbers(np.concatenate(([0], lengths)) if flat.size and flat[0] else lengths)


def value_runs(values: NDArray[np.integer]) -> bytes:
    """Return a mask of whole numbers from 0 on as pairs of value and length."""
    flat = values.reshape(-1)
    edges = _edges(flat)
    pairs = np.empty((len(edges) - 1, 2), np.int64)
    pairs[:, 0] = flat[edges[:-1]]
    pairs[:, 1] = np.diff(edges)
    return _numbers(pairs.reshape(-1))


def _edges(flat: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return where runs begin, and the end."""
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.concatenate(([0], changes, [flat.size])).astype(np.int64)


def _numbers(values: NDArray[np.int64]) -> bytes:
    """Return numbers from 0 to 2^35 - 1 as LEB128."""
    sizes = np.ones(len(values), np.int64)
    for bits in (7, 14, 21, 28):
        sizes += values >> bits > 0
    starts = np.cumsum(sizes) - sizes
    out = np.zeros(int(sizes.sum()), np.uint8)
    for place in range(5):
        chosen = sizes > place
        more = (sizes[chosen] > place + 1).astype(np.uint8) << 7
        out[starts[chosen] + place] = (values[chosen] >> (7 * place) & 0x7F).astype(np.uint8) | more
    return out.tobytes()

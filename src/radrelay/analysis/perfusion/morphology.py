"""Masks: grown and shrunk in the plane, parted into connected pieces, freed of small ones. (slices, rows, columns)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Labels = NDArray[np.int64]


def grown(mask: Mask, radius: int) -> Mask:
    """Return `mask` grown in the plane by `radius` voxels, nearly round: a cross and a square by turns."""
    found = mask.copy()
    for turn in range(radius):
        wide = found.copy()
        wide[:, 1:] |= found[:, :-1]
        wide[:, :-1] |= found[:, 1:]
        base = wide.copy() if turn % 2 else found
        wide[:, :, 1:] |= base[:, :, :-1]
        wide[:, :, :-1] |= base[:, :, 1:]
        found = wide
    return found


def shrunk(mask: Mask, radius: int) -> Mask:
    """Return `mask` without what lies within `radius` voxels of its outside."""
    return ~grown(~mask, radius)


def pieces(mask: Mask, first_axis: int = 0) -> Labels:
    """Return 0 outside and a number from 1 for each piece that hangs together by faces; 1: within each slice only."""
    places = np.flatnonzero(mask)
    number = np.full(mask.size, -1, dtype=np.int64)
    number[places] = np.arange(places.size)
    whole = number.reshape(mask.shape)
    pairs = []
    for axis in range(first_axis, mask.ndim):
        first = np.moveaxis(whole, axis, 0)[:-1].ravel()
        second = np.moveaxis(whole, axis, 0)[1:].ravel()
        both = (first >= 0) & (second >= 0)
        pairs.append(np.stack([first[both], second[both]]))
    roots = _united(np.concatenate(pairs, axis=1), places.size)
    _, small = np.unique(roots, return_inverse=True)
    found = np.zeros(mask.size, dtype=np.int64)
    found[places] = small + 1
    return found.reshape(mask.shape)


def largest(mask: Mask) -> Mask:
    """Return the largest piece; an empty mask stays empty."""
    if not mask.any():
        return mask.copy()
    labels = pieces(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    found: Mask = labels == sizes.argmax()
    return found


def without_small(mask: Mask, least: float) -> Mask:
    """Return `mask` without pieces of fewer than `least` voxels."""
    if not mask.any():
        return mask.copy()
    labels = pieces(mask)
    kept = np.bincount(labels.ravel()) >= least
    kept[0] = False
    found: Mask = kept[labels]
    return found


def _united(pairs: Labels, count: int) -> Labels:
    """Return the root of each of `count` members: the larger root hangs on the smaller until all pairs agree."""
    parent = np.arange(count)
    left, right = pairs
    while left.size:
        first, second = parent[left], parent[right]
        apart = first != second
        left, right, first, second = left[apart], right[apart], first[apart], second[apart]
        parent[np.maximum(first, second)] = np.minimum(first, second)
        while True:
            above = parent[parent]
            if np.array_equal(above, parent):
                break
            parent = above
    return parent

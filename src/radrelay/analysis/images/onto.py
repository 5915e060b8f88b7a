"""A volume brought onto the voxels of another that lies in the same frame of reference, by trilinear interpolation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.study import Slab

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
OUTSIDE = 0.0
EDGE = 0.5  # of a voxel: so far beyond the middle of the outermost ones it is still told


def onto(values: NDArray[np.generic], given: Slab, wanted: Slab) -> Floats | None:
    """Return `values` (slices, rows, columns of `given`) on the voxels of `wanted`, 0 outside of what was scanned.

    None where both do not say that they lie in one frame of reference (PS3.3 C.7.4.1).
    """
    if not given.frame_of_reference_uid or given.frame_of_reference_uid != wanted.frame_of_reference_uid:
        return None
    to_given = np.linalg.inv(_affine(given)) @ _affine(wanted)
    found = np.empty((wanted.slices, wanted.rows, wanted.columns), dtype=np.float32)
    rows, columns = np.meshgrid(np.arange(wanted.rows), np.arange(wanted.columns), indexing="ij")
    source = np.asarray(values, dtype=np.float32)
    for number in range(wanted.slices):
        places = [
            to_given[axis, 0] * number + to_given[axis, 1] * rows + to_given[axis, 2] * columns + to_given[axis, 3]
            for axis in range(3)
        ]
        found[number] = _sampled(source, places)
    return found


def covered(given: Slab, wanted: Slab) -> float:
    """Return how much of the middle of `wanted`, where a head lies, `given` has scanned: 0 to 1."""
    there = onto(np.ones((given.slices, given.rows, given.columns), dtype=np.float32), given, wanted)
    if there is None:
        return 0.0
    rows, columns = wanted.rows // 4, wanted.columns // 4
    return float((there[:, rows : wanted.rows - rows, columns : wanted.columns - columns] > 0).mean())


def _affine(slab: Slab) -> Doubles:
    """Return what brings (slice, row, column) to mm in the patient's coordinates (PS3.3 C.7.6.2.1.1)."""
    matrix: Doubles = np.eye(4)
    across = np.asarray(slab.positions[-1], dtype=np.float64) - np.asarray(slab.positions[0], dtype=np.float64)
    if slab.slices > 1:
        matrix[:3, 0] = across / (slab.slices - 1)
    else:
        matrix[:3, 0] = np.cross(slab.orientation[:3], slab.orientation[3:]) * (slab.thickness_mm or 1.0)
    matrix[:3, 1] = np.asarray(slab.orientation[3:]) * slab.pixel_spacing[0]
    matrix[:3, 2] = np.asarray(slab.orientation[:3]) * slab.pixel_spacing[1]
    matrix[:3, 3] = slab.positions[0]
    return matrix


def _sampled(source: Floats, places: list[Doubles]) -> Floats:
    inside = np.ones(places[0].shape, dtype=np.bool_)
    floors, shares = [], []
    for axis, place in enumerate(places):
        most = source.shape[axis] - 1
        inside &= (place >= -EDGE) & (place <= most + EDGE)
        clipped = np.clip(place, 0, most)
        floor = np.minimum(clipped.astype(np.intp), max(most - 1, 0))
        floors.append(floor)
        shares.append((clipped - floor).astype(np.float32))
    whole = np.zeros(places[0].shape, dtype=np.float32)
    for corner in range(8):
        at, weight = [], np.ones(places[0].shape, dtype=np.float32)
        for axis in range(3):
            far = corner >> axis & 1
            at.append(np.minimum(floors[axis] + far, source.shape[axis] - 1))
            weight *= shares[axis] if far else 1 - shares[axis]
        whole += weight * source[at[0], at[1], at[2]]
    return np.where(inside, whole, np.float32(OUTSIDE))

"""Rigid poses and pictures in them: three rotations (rad) and three shifts (mm) about the middle of the slab.

A pose p takes a point of the reference (x, y, z in mm from the middle) to where it lies in the frame: R(p)·point + t.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Spacing = tuple[float, float, float]


def rotation(pose: Doubles) -> Doubles:
    """Return the matrix of a pose's rotations about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(pose[:3]), np.sin(pose[:3])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    found: Doubles = about_z @ about_y @ about_x
    return found


def between(first: Doubles, second: Doubles) -> tuple[float, float]:
    """Return how far two poses are apart: mm at the middle, and degrees of the rotation between them."""
    turn = rotation(first).T @ rotation(second)
    angle = np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))
    return float(np.linalg.norm(first[3:] - second[3:])), float(np.degrees(angle))


def pose_of(turn: Doubles, shift: Doubles) -> Doubles:
    """Return the pose of a rotation matrix and a shift."""
    angles = [np.arctan2(turn[2, 1], turn[2, 2]), -np.arcsin(np.clip(turn[2, 0], -1, 1))]
    return np.array([*angles, np.arctan2(turn[1, 0], turn[0, 0]), *shift])


def undone_first(pose: Doubles, small: Doubles) -> Doubles:
    """Return the pose that first undoes `small`, then does `pose`."""
    turn = rotation(pose) @ rotation(small).T
    return pose_of(turn, pose[3:] - turn @ small[3:])


def middles(shape: tuple[int, int, int], spacing: Spacing) -> list[Doubles]:
    """Return the voxels' places (mm from the middle) along z, y and x; `spacing` in that order."""
    pairs = zip(shape, spacing, strict=True)
    return [np.asarray((np.arange(count) - (count - 1) / 2) * step, dtype=np.float64) for count, step in pairs]


def sampled(picture: Floats, at: NDArray[np.floating]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return `picture` (z, y, x) at points `at` (3 × points: z, y, x in voxels), trilinear, and which lie inside."""
    shape = np.asarray(picture.shape)
    top = (shape - 1)[:, None]
    inside: NDArray[np.bool_] = np.all((at >= -0.01) & (at <= top + 0.01), axis=0)
    low = np.clip(np.floor(at), 0, np.maximum(top - 1, 0)).astype(np.int32)
    share = np.clip(at - low, 0, 1).astype(np.float32)
    step_z, step_y, step_x = _steps(shape)
    flat = picture.ravel()
    base = (low[0] * (shape[1] * shape[2]) + low[1] * shape[2] + low[2]).astype(np.intp)
    fz, fy, fx = share
    found = np.zeros(base.size, dtype=np.float32)
    for z in (0, 1):
        plane = base + step_z if z else base
        upper = _row(flat, plane, step_x, fx)
        lower = _row(flat, plane + step_y, step_x, fx)
        upper += (lower - upper) * fy
        found += upper * (fz if z else 1 - fz)
    return found, inside


def _row(flat: Floats, at: NDArray[np.intp], step: int, share: Floats) -> Floats:
    left = flat.take(at)
    left += (flat.take(at + step) - left) * share
    return left


def _steps(shape: NDArray[np.int_]) -> tuple[int, int, int]:
    sizes = (int(shape[1] * shape[2]), int(shape[2]), 1)
    depth, rows, columns = (size if count > 1 else 0 for size, count in zip(sizes, shape, strict=True))
    return depth, rows, columns

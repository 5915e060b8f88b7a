"""Rigid motion: each frame's pose against a reference frame, how well it fits, and the frames put back in place.

Inverse-compositional Gauss-Newton (Baker and Matthews 2004) on a pyramid, over the points where the reference changes
most (the skull, for CT), with weights that let go of what the contrast changes. The reference is the frame that most
others resemble. Frames are (frames, slices, rows, columns).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.constants import Constants, Modality
from radrelay.analysis.perfusion.deconvolution import threaded
from radrelay.analysis.perfusion.rigid import Spacing, between, middles, rotation, sampled, undone_first
from radrelay.analysis.perfusion.smoothing import smoothed

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
LEVELS_MM = (5.0, 2.5)
SOFT_MM = (4.0, 3.0)  # in the plane, so that between thick slices a slanting edge is a ramp and not two steps
POINTS = (8_000, 24_000)
ROUNDS = (30, 15)
LEAST_SPREAD = 0.3  # of the reference's own spread: what apart may be and still count in full
WINDOW_HU = (-150.0, 900.0)
LOCAL_MM = 12.0
ENOUGH_INSIDE = 0.5
STILL_MM, STILL_DEG = 0.08, 0.06
CONVERGED = 2e-3
LEAST_SLICES = 4  # of fewer, only the motion in the plane can be told
ALL, IN_PLANE = [0, 1, 2, 3, 4, 5], [2, 3, 4]
LOST_DROP, LOST_SPREAD = 0.08, 8.0  # of the fit's usual value; of its usual spread


@dataclass(frozen=True, slots=True)
class Motion:
    """Per frame: pose (rad, mm), fit (concordance with the reference, 1 at best), and whether it is beyond repair."""

    reference: int
    poses: Doubles
    fit: Doubles
    lost: Flags

    def moved_mm(self) -> Doubles:
        """Return how far each frame is moved at the middle of the slab, mm."""
        found: Doubles = np.linalg.norm(self.poses[:, 3:], axis=1)
        return found

    def turned_deg(self) -> Doubles:
        """Return by how much each frame is turned, degrees."""
        still = np.zeros(6)
        return np.array([between(still, pose)[1] for pose in self.poses])


@dataclass(frozen=True, slots=True)
class _Level:
    """The reference at one resolution: its points (mm), values, and how they change with the pose."""

    points: Doubles
    values: Floats
    slopes: Doubles
    spacing: Spacing
    shape: tuple[int, int, int]
    scale: float


def estimate(
    frames: Floats, spacing: Spacing, modality: Modality, constants: Constants, workers: int | None = None
) -> Motion:
    """Estimate each frame's pose against the frame that most others resemble."""
    pyramid = [
        _reduced(frames, spacing, modality, aim, soft, workers) for aim, soft in zip(LEVELS_MM, SOFT_MM, strict=True)
    ]
    reference = _most_alike(pyramid[0][0])
    levels = [_level(picture[reference], own, count) for (picture, own), count in zip(pyramid, POINTS, strict=True)]
    count = frames.shape[0]
    poses, fit = np.zeros((count, 6)), np.ones(count)

    def one(part: slice) -> None:
        for frame in range(part.start, part.stop):
            if frame == reference:
                continue
            pose = np.zeros(6)
            for level, (picture, _), rounds in zip(levels, pyramid, ROUNDS, strict=True):
                pose, found = _fitted(picture[frame], level, pose, rounds)
            poses[frame], fit[frame] = pose, found

    threaded(one, count, workers, chunk=1)
    found = Motion(reference, poses, fit, np.zeros(count, dtype=np.bool_))
    return Motion(reference, poses, fit, _lost(found, constants))


def put_back(
    frames: Floats, spacing: Spacing, motion: Motion, workers: int | None = None, told: Callable[[], None] | None = None
) -> None:
    """Resample the frames in place to the reference's pose; what a frame does not show comes from its neighbours.

    Lost frames stay as they are: they are to be left out.
    """
    z, y, x = middles(frames.shape[1:], spacing)
    unseen: dict[int, Flags] = {}

    def one(part: slice) -> None:
        for frame in range(part.start, part.stop):
            pose = motion.poses[frame]
            distance, angle = between(np.zeros(6), pose)
            if motion.lost[frame] or (distance < STILL_MM and angle < STILL_DEG):
                continue
            unseen[frame] = _resampled(frames[frame], z, y, x, pose, spacing)
            if told is not None:
                told()

    threaded(one, frames.shape[0], workers, chunk=1)
    _fill(frames, unseen, motion.lost)


def _resampled(frame: Floats, z: Doubles, y: Doubles, x: Doubles, pose: Doubles, spacing: Spacing) -> Flags:
    """Resample one frame in place, a slice at a time, and return what lay outside of what it shows."""
    turn = rotation(pose)
    source = frame.copy()
    middle = (np.asarray(frame.shape, dtype=np.float64) - 1) / 2
    missing = np.zeros(frame.shape, dtype=np.bool_)
    for number, depth in enumerate(z):
        at = np.empty((3, y.size, x.size), dtype=np.float32)
        for row, axis in enumerate((2, 1, 0)):
            place = turn[axis, 2] * depth + pose[3 + axis]
            line = turn[axis, 0] * x[None, :] + turn[axis, 1] * y[:, None] + place
            at[row] = line / spacing[row] + middle[row]
        values, inside = sampled(source, at.reshape(3, -1))
        frame[number] = values.reshape(frame.shape[1:])
        missing[number] = ~inside.reshape(frame.shape[1:])
    return missing


def _fill(frames: Floats, unseen: dict[int, Flags], lost: Flags) -> None:
    """Fill what moved frames do not show, linear in the number of the frame, from the nearest frames that do."""
    if not unseen:
        return
    count = frames.shape[0]
    for number in range(frames.shape[1]):
        seen = np.ones((count, *frames.shape[2:]), dtype=np.bool_)
        seen[lost] = False
        for frame, missing in unseen.items():
            seen[frame] = ~missing[number]
        gaps = ~seen[~lost].all(axis=0)
        if not gaps.any():
            continue
        own, there = frames[:, number][:, gaps], seen[:, gaps]
        order = np.arange(count)[:, None]
        before = np.maximum.accumulate(np.where(there, order, -1), axis=0)
        after = np.minimum.accumulate(np.where(there, order, count)[::-1], axis=0)[::-1]
        first = np.where(before < 0, np.minimum(after, count - 1), before)
        second = np.where(after >= count, first, after)
        share = np.where(second > first, (order - first) / np.maximum(second - first, 1), 0)
        columns = np.arange(own.shape[1])[None, :]
        filled = own[first, columns] * (1 - share) + own[second, columns] * share
        frames[:, number][:, gaps] = np.where(there | lost[:, None], own, filled)


def _reduced(
    frames: Floats, spacing: Spacing, modality: Modality, aim_mm: float, soft_mm: float, workers: int | None
) -> tuple[Floats, Spacing]:
    by = max(1, int(aim_mm / spacing[1]))
    rows, columns = frames.shape[2] // by * by, frames.shape[3] // by * by
    found = np.empty((*frames.shape[:2], rows // by, columns // by), dtype=np.float32)

    def one(part: slice) -> None:
        for frame in range(part.start, part.stop):
            own = frames[frame, :, :rows, :columns]
            if modality == "CT":
                own = np.clip(own, *WINDOW_HU)
            small = own.reshape(own.shape[0], rows // by, by, columns // by, by).mean(axis=(2, 4))
            if modality == "MR":
                small = _evened(small, LOCAL_MM / (spacing[1] * by))
            found[frame] = smoothed(small, soft_mm / (spacing[1] * by))

    threaded(one, frames.shape[0], workers, chunk=1)
    return found, (spacing[0], spacing[1] * by, spacing[2] * by)


def _evened(picture: Floats, sigma: float) -> Floats:
    """Return a picture freed of what the contrast does to whole regions: less its local mean, over its local spread."""
    mean = smoothed(picture, sigma)
    apart = picture - mean
    spread = np.sqrt(np.maximum(smoothed(apart * apart, sigma), 0))
    found: Floats = (apart / (spread + 0.1 * float(spread.max()) + 1e-6)).astype(np.float32)
    return found


def _most_alike(small: Floats) -> int:
    """Return the frame with the least sum of distances to the others."""
    flat = small.reshape(small.shape[0], -1)
    flat = flat - flat.mean(axis=0)
    products = flat @ flat.T
    own = np.diag(products)
    return int(np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * products, 0)).sum(axis=1).argmin())


def _level(picture: Floats, spacing: Spacing, points: int) -> _Level:
    slopes = [
        np.gradient(picture, step, axis=axis) if picture.shape[axis] > 1 else np.zeros_like(picture)
        for axis, step in enumerate(spacing)
    ]
    strength = np.sqrt(sum(slope * slope for slope in slopes))
    flat = strength.ravel()
    count = min(points, int((flat > 0.02 * flat.max()).sum()))
    chosen = np.sort(np.argpartition(-flat, count - 1)[:count])
    z, y, x = (
        axis[at]
        for axis, at in zip(middles(picture.shape, spacing), np.unravel_index(chosen, picture.shape), strict=True)
    )
    gz, gy, gx = (slope.ravel()[chosen].astype(np.float64) for slope in slopes)
    turns = (gz * y - gy * z, gx * z - gz * x, gy * x - gx * y)
    values = picture.ravel()[chosen]
    return _Level(
        np.stack([x, y, z]), values, np.stack([*turns, gx, gy, gz]), spacing, picture.shape, float(values.std())
    )


def _fitted(frame: Floats, level: _Level, pose: Doubles, rounds: int) -> tuple[Doubles, float]:
    """Return the pose by which `frame` shows the reference, and how well it fits there."""
    middle = (np.asarray(level.shape, dtype=np.float64)[:, None] - 1) / 2
    steps = np.asarray(level.spacing)[:, None]
    fit = 0.0
    for _ in range(rounds):
        places = rotation(pose) @ level.points + pose[3:, None]
        shown, inside = sampled(frame, places[::-1] / steps + middle)
        if inside.mean() < ENOUGH_INSIDE:
            return pose, 0.0
        apart = (shown - level.values).astype(np.float64)
        spread = max(1.4826 * float(np.median(np.abs(apart[inside]))), LEAST_SPREAD * level.scale, 1e-9)
        weight = np.where(inside, 1 / (1 + (apart / (3 * spread)) ** 2), 0)
        fit = _concordance(shown[inside], level.values[inside])
        weighted = level.slopes * weight
        small = np.zeros(6)
        free = ALL if level.shape[0] >= LEAST_SLICES else IN_PLANE
        product = (weighted @ level.slopes.T)[np.ix_(free, free)]
        small[free] = np.linalg.lstsq(product, (weighted @ apart)[free], rcond=1e-10)[0]
        pose = undone_first(pose, small)
        if np.abs(small[3:]).max() + 80 * np.abs(small[:3]).max() < CONVERGED:
            break
    return pose, fit


def _concordance(first: Floats, second: Floats) -> float:
    """Return Lin's concordance: correlation, less what differs in scale and level (a frame of half the brightness)."""
    left, right = first - first.mean(), second - second.mean()
    whole = float(left @ left + right @ right) + left.size * float(first.mean() - second.mean()) ** 2
    return 2 * float(left @ right) / whole if whole > 0 else 0.0


def _lost(motion: Motion, constants: Constants) -> Flags:
    """Say which frames are beyond repair: moved out of reach, or far less like the reference than the others are."""
    usual = float(np.median(motion.fit))
    spread = 1.4826 * float(np.median(np.abs(motion.fit - usual)))
    worst = usual - max(LOST_DROP, LOST_SPREAD * spread)
    found: Flags = (
        (motion.fit < worst)
        | (motion.moved_mm() > constants.motion_translation_limit_mm)
        | (motion.turned_deg() > constants.motion_rotation_limit_deg)
    )
    return found

"""What an analysis refuses, and what it warns of, once it has seen the images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.arteries import Vessel, Vessels
from radrelay.analysis.perfusion.motion import Motion
from radrelay.analysis.perfusion.refusals import (
    BolusLost,
    FramesLost,
    NotFinite,
    PlaceOutside,
    SlicesMissing,
    Warned,
)
from radrelay.analysis.perfusion.times import LOST_SHARE, Timing, lost_between

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
IN_A_ROW = 3
EVEN = 1.5  # the largest distance of slices over the least
LEAST_SLAB_MM = 80.0
MUCH_MM, MUCH_DEG = 3.0, 2.0
PARTIAL_VOLUME_WARNED = 2.0
STILL_HIGH = 0.5  # of the vein's peak, at the end of the scan
FORWARD, SIDEWARD = 0.8, 0.75  # of the brain's depth from the front; of its half width from the middle


def check_volume(volume: NDArray[np.generic]) -> None:
    """Refuse what is no volume over time, or holds what is no number."""
    if volume.ndim != 4 or volume.shape[1] < 1:
        raise SlicesMissing(axes=volume.ndim)
    if volume.dtype.kind == "f" and not all(bool(np.isfinite(frame).all()) for frame in volume):
        raise NotFinite()


def evenly(steps_mm: NDArray[np.floating]) -> bool:
    """Say whether distances of neighbouring slices leave no room for another."""
    return bool(steps_mm.max() <= EVEN * steps_mm.min())


def check_positions(positions_mm: NDArray[np.floating]) -> None:
    """Refuse a stack of slices (mm along their normal) in which one is missing; raises SlicesMissing."""
    steps = np.diff(np.sort(positions_mm.astype(np.float64)))
    if steps.size and not evenly(steps):
        raise SlicesMissing(gap_mm=round(float(steps.max()), 1), usual_mm=round(float(steps.min()), 1))


def check_places(places: Sequence[tuple[int, int, int]], shape: tuple[int, int, int]) -> None:
    """Refuse places (slice, row, column) that a reader chose outside of the images; raises PlaceOutside."""
    for one in places:
        if not all(0 <= at < size for at, size in zip(one, shape, strict=True)):
            raise PlaceOutside(place=", ".join(str(at) for at in one))


def check_frames(kept: Mask, timing: Timing) -> None:
    """Refuse when more than a tenth of the frames lack or had to be dropped."""
    lost = 1 - float(kept.mean()) + timing.lost_share
    if lost > LOST_SHARE:
        raise FramesLost(lost_percent=round(100 * lost))


def check_bolus(kept: Mask, timing: Timing, artery: Vessel) -> None:
    """Refuse when of any slice three images in a row lack or were dropped while the contrast passes the artery."""
    begin, end = artery.half_rise_s - artery.width_s, artery.half_rise_s + 3 * artery.width_s
    for times in timing.times.T:
        own = times[kept & np.isfinite(times)]
        gaps = (lost_between(np.diff(own)) >= IN_A_ROW) & (own[:-1] < end) & (own[1:] > begin)
        if gaps.any():
            at = int(np.flatnonzero(gaps)[0])
            raise BolusLost(from_s=round(float(own[at]), 1), to_s=round(float(own[at + 1]), 1))


def warn(timing: Timing, second_s: float | None, vessels: Vessels, inside: Mask, moved: Motion | None,
         spacing: tuple[float, float, float], slices: int) -> tuple[Warned, ...]:  # fmt: skip
    """Return what a reader is to know."""
    found = list(timing.warnings)
    late = vessels.vein or vessels.artery
    if late.curve[-3:].mean() > STILL_HIGH * late.peak:
        found.append(Warned("cut-off-before-wash-out", {"end_percent": round(100 * float(late.curve[-1]) / late.peak)}))
    if vessels.vein is None:
        found.append(Warned("vein-not-found"))
    if vessels.unbounded_partial_volume > PARTIAL_VOLUME_WARNED:
        found.append(Warned("partial-volume-over-2", {"factor": round(vessels.unbounded_partial_volume, 2)}))
    if slices * spacing[0] < LEAST_SLAB_MM:
        found.append(Warned("slab-under-8-cm", {"slab_mm": round(slices * spacing[0])}))
    if moved is not None:
        found += _of_motion(moved)
    if _is_far(vessels.artery, inside):
        found.append(Warned("artery-far-from-expected"))
    if second_s is not None:
        found.append(Warned("two-boluses", {"second_s": round(second_s, 1)}))
    return tuple(found)


def _of_motion(moved: Motion) -> list[Warned]:
    found = []
    mm, degrees = moved.moved_mm()[~moved.lost], moved.turned_deg()[~moved.lost]
    if mm.max(initial=0) > MUCH_MM or degrees.max(initial=0) > MUCH_DEG:
        facts = {"most_mm": round(float(mm.max()), 1), "most_deg": round(float(degrees.max()), 1)}
        found.append(Warned("much-motion", {**facts}))
    if moved.lost.any():
        names = ", ".join(str(number + 1) for number in np.flatnonzero(moved.lost))
        found.append(Warned("frames-dropped", {"frames": names}))
    return found


def _is_far(artery: Vessel, inside: Mask) -> bool:
    """Say whether the artery lies at the back, or at the side's edge: rows run to the back of a head lying on it."""
    _, rows, columns = np.nonzero(inside)
    depth = (artery.voxels[:, 1].mean() - rows.min()) / max(1, rows.max() - rows.min())
    half = (columns.max() - columns.min()) / 2
    side = abs(artery.voxels[:, 2].mean() - (columns.max() + columns.min()) / 2) / max(1.0, half)
    return bool(depth > FORWARD or side > SIDEWARD)

"""Where the brain is: without bone, ventricles and what lies outside the skull. Masks are (slices, rows, columns).

CT goes by attenuation before the contrast (bone over 150 HU, fluid under 18), MR by signal: tissue is the largest
piece that remains when what is thin is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.constants import Modality
from radrelay.analysis.perfusion.morphology import grown, largest, shrunk
from radrelay.analysis.perfusion.refusals import NotAHead
from radrelay.analysis.perfusion.smoothing import smoothed

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
BONE_HU, SOFT_HU, FLUID_HU = 150.0, (-15.0, 110.0), 18.0
BRIDGE_MM = 3.5
SMOOTH_MM = 1.7
LEAST_AREA_CM2, MOST_AREA_CM2 = 30.0, 350.0
LEAST_RING = 0.6
ANGLES = 72
AIR_SHARE, FLUID_SHARE, DARK_SHARE = 0.25, 1.5, 0.5  # of the usual signal of the head, and of the brain
RIM_MM = 2.0


@dataclass(frozen=True, slots=True)
class Brain:
    """What lies inside the skull, the part of it that is tissue and not fluid, and bone (empty for MR)."""

    inside: Mask
    tissue: Mask
    bone: Mask


def find_brain(baseline: Floats, mean: Floats, spacing: tuple[float, float, float], modality: Modality) -> Brain:
    """Find the brain in the mean of the first frames, fluid in the `mean` of all; raises NotAHead."""
    pixel = spacing[1]
    soft = smoothed(baseline, SMOOTH_MM / pixel)
    if modality == "CT":
        bone = smoothed(baseline, 0.5 * SMOOTH_MM / pixel) > BONE_HU
        candidates = (soft > SOFT_HU[0]) & (soft < SOFT_HU[1]) & ~bone
    else:
        bone = np.zeros(baseline.shape, dtype=np.bool_)
        candidates = soft > AIR_SHARE * _usual(soft)
    bridge = max(1, round(BRIDGE_MM / pixel))
    inside = grown(largest(shrunk(candidates, bridge)), bridge) & candidates
    _check(inside, bone, spacing, modality)
    if modality == "CT":
        tissue = _filled_mean(mean, inside, SMOOTH_MM / pixel) > FLUID_HU
        tissue &= shrunk(~grown(bone, 1), 1)
    else:
        usual = float(np.median(mean[inside]))
        fluid = smoothed(mean, 0.3 * SMOOTH_MM / pixel) > FLUID_SHARE * usual
        tissue = (mean > DARK_SHARE * usual) & ~grown(fluid, 1) & shrunk(inside, max(1, round(RIM_MM / pixel)))
    tissue &= inside
    return Brain(inside, largest(tissue), bone)


def _filled_mean(picture: Floats, mask: Mask, sigma: float) -> Floats:
    weight = smoothed(mask.astype(np.float32), sigma)
    within = smoothed(np.where(mask, picture, 0).astype(np.float32), sigma)
    found: Floats = (within / np.maximum(weight, 1e-3)).astype(np.float32)
    return found


def _usual(soft: Floats) -> float:
    bright = soft[soft > 0.15 * np.quantile(soft, 0.99)]
    return float(np.median(bright)) if bright.size else 0.0


def _check(inside: Mask, bone: Mask, spacing: tuple[float, float, float], modality: Modality) -> None:
    areas = inside.sum(axis=(1, 2)) * spacing[1] * spacing[2] / 100
    if not LEAST_AREA_CM2 <= areas.max() <= MOST_AREA_CM2:
        raise NotAHead(area_cm2=round(float(areas.max())))
    if modality == "CT":
        held = [_ring(inside[number], bone[number]) for number in np.flatnonzero(areas > LEAST_AREA_CM2 / 2)]
        if np.median(held) < LEAST_RING:
            raise NotAHead(skull_percent=round(100 * float(np.median(held))))


def _ring(inside: Mask, bone: Mask) -> float:
    """Return in what share of directions, seen from the brain's middle, there is bone."""
    rows, columns = np.nonzero(inside)
    y, x = np.nonzero(bone)
    angle = np.arctan2(y - rows.mean(), x - columns.mean())
    seen = np.unique(np.floor((angle + np.pi) / (2 * np.pi) * ANGLES).astype(np.int64) % ANGLES)
    return float(seen.size / ANGLES)

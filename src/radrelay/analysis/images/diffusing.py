"""Apparent diffusion coefficients in µm²/s: taken from the scanner's own maps, or computed from two b-values.

ADC = ln(S₀ / S_b) / b for the lowest b-value and the one nearest to 1000 (Stejskal and Tanner 1965); b in s/mm²,
of several directions their geometric mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.images.frames import Frame
from radrelay.analysis.perfusion.refusals import AnalysisRefused
from radrelay.analysis.study import Images, Slab

UM2_PER_MM2 = 1e6
USUAL_UM2_PER_S = (50.0, 20_000.0)  # within which the median of a head's positive values lies
LEAST_B, LOW_B, USUAL_B = 500.0, 150.0, 1000.0  # s/mm²: thresholds of ADC are those of images at 1000
SAME_MM = 0.1
Floats = NDArray[np.float32]
Reader = Callable[[Sequence[Frame]], Images]


def diffusion_of(weighted: Sequence[Frame], maps: Sequence[Frame], read: Reader) -> tuple[Images | None, Images | None]:
    """Return the coefficients, and the diffusion-weighted image that supports them; none where there are none."""
    computed, image = _of_weighted(weighted, read)
    for own in _by_series(maps):
        try:
            taken = _mean(read(own))
        except AnalysisRefused:  # a map that is no stack is not taken; the coefficients can still be computed
            continue
        values = in_um2_per_s(np.asarray(taken.values, dtype=np.float32))
        if values is not None:
            return replace(taken, values=values), image
    return computed, image


def _of_weighted(weighted: Sequence[Frame], read: Reader) -> tuple[Images | None, Images | None]:
    """Return coefficients and weighted image of the series that yields both, else the weighted image of any."""
    alone: Images | None = None
    for own in _by_series(weighted):
        by_b: dict[float, list[Frame]] = defaultdict(list)
        for one in own:
            by_b[round(one.plane.b_value or 0.0)].append(one)
        high = min((b for b in by_b if b >= LEAST_B), key=lambda b: abs(b - USUAL_B), default=None)
        low = min((b for b in by_b if b <= LOW_B), default=None)
        try:
            image = None if high is None else _mean(read(by_b[high]))
            base = None if low is None else _mean(read(by_b[low]))
        except AnalysisRefused:  # not one stack: what lies elsewhere for each b-value tells no coefficient
            continue
        if high is None or image is None:
            continue
        alone = alone or image
        if low is None or base is None or not _lie_alike(base.slab, image.slab):
            continue
        adc = coefficients_of(np.asarray(base.values), np.asarray(image.values), low, high)
        return replace(image, values=adc), image
    return None, alone


def _by_series(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Return the frames of each series, that with the lowest number first."""
    found: dict[str, list[Frame]] = defaultdict(list)
    for one in frames:
        found[one.series.uid].append(one)
    return sorted(found.values(), key=lambda own: (own[0].series.number, own[0].series.uid))


def _lie_alike(one: Slab, other: Slab) -> bool:
    """Say whether two stacks have the same voxels."""
    return (
        (one.rows, one.columns, one.slices) == (other.rows, other.columns, other.slices)
        and one.frame_of_reference_uid == other.frame_of_reference_uid
        and np.allclose(one.positions, other.positions, atol=SAME_MM)
        and np.allclose(one.orientation, other.orientation, atol=1e-3)
        and np.allclose(one.pixel_spacing, other.pixel_spacing, rtol=1e-3)
    )


def coefficients_of(base: NDArray[np.generic], weighted: NDArray[np.generic], low: float, high: float) -> Floats:
    """Return ADC in µm²/s of two images at b-values in s/mm²; 0 where there is no signal."""
    first, second = (np.asarray(one, dtype=np.float32) for one in (base, weighted))
    there = (first > 0) & (second > 0)
    ratio = np.divide(first, second, out=np.ones_like(first), where=there)
    found: Floats = np.log(ratio, out=np.zeros_like(first), where=there)
    found *= np.float32(UM2_PER_MM2 / (high - low))
    return np.maximum(found, 0, out=found)


def in_um2_per_s(values: Floats) -> Floats | None:
    """Return a scanner's map in µm²/s: some write mm²/s, some 10⁻³ mm²/s, most 10⁻⁶ mm²/s, which is µm²/s.

    None where it holds nothing or is of no such unit: it tells no core then, which is not a core of nothing.
    """
    inside = values[values > 0]
    if not inside.size:
        return None
    usual = float(np.median(inside))
    for factor in (1.0, 1e3, 1e6):
        if USUAL_UM2_PER_S[0] <= usual * factor <= USUAL_UM2_PER_S[1]:
            return values * np.float32(factor)
    return None


def _mean(images: Images) -> Images:
    """Return what has several pictures of a slice (directions, repetitions) as one: their geometric mean."""
    values = np.asarray(images.values, dtype=np.float32)
    if values.shape[0] == 1:
        return replace(images, values=values[0], times=None, other_times=None)
    mean = np.exp(np.log(np.maximum(values, 1e-3)).mean(axis=0))
    return replace(images, values=mean.astype(np.float32), times=None, other_times=None)

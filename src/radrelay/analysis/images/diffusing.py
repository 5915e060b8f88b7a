"""Apparent diffusion coefficients in µm²/s: taken from the scanner's own maps, or computed from two b-values.

ADC = ln(S₀ / S_b) / b for the lowest and the highest b-value (Stejskal and Tanner 1965); b in s/mm², of several
directions their geometric mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.images.frames import Frame
from radrelay.analysis.study import Images

UM2_PER_MM2 = 1e6
USUAL_UM2_PER_S = (50.0, 20_000.0)  # within which the median of a head's positive values lies
LEAST_B, LOW_B = 500.0, 150.0
Floats = NDArray[np.float32]
Reader = Callable[[Sequence[Frame]], Images]


def diffusion_of(weighted: Sequence[Frame], maps: Sequence[Frame], read: Reader) -> tuple[Images | None, Images | None]:
    """Return the coefficients, and the diffusion-weighted image that supports them; none where there are none."""
    by_b: dict[float, list[Frame]] = defaultdict(list)
    for one in weighted:
        by_b[round(one.plane.b_value or 0.0)].append(one)
    high = max((b for b in by_b if b >= LEAST_B), default=None)
    image = None if high is None else _mean(read(by_b[high]))
    if maps:
        first = maps[0].series.uid
        coefficients = _mean(read([one for one in maps if one.series.uid == first]))
        return replace(coefficients, values=in_um2_per_s(np.asarray(coefficients.values, dtype=np.float32))), image
    low = min((b for b in by_b if b <= LOW_B), default=None)
    if high is None or low is None or image is None:
        return None, image
    base = _mean(read(by_b[low]))
    if base.values.shape != image.values.shape:
        return None, image
    adc = coefficients_of(np.asarray(base.values), np.asarray(image.values), low, high)
    return replace(image, values=adc), image


def coefficients_of(base: NDArray[np.generic], weighted: NDArray[np.generic], low: float, high: float) -> Floats:
    """Return ADC in µm²/s of two images at b-values in s/mm²; 0 where there is no signal."""
    first, second = (np.asarray(one, dtype=np.float32) for one in (base, weighted))
    there = (first > 0) & (second > 0)
    ratio = np.divide(first, second, out=np.ones_like(first), where=there)
    found: Floats = np.log(ratio, out=np.zeros_like(first), where=there)
    found *= np.float32(UM2_PER_MM2 / (high - low))
    return np.maximum(found, 0, out=found)


def in_um2_per_s(values: Floats) -> Floats:
    """Return a scanner's map in µm²/s: some write mm²/s, some 10⁻³ mm²/s, most 10⁻⁶ mm²/s, which is µm²/s."""
    inside = values[values > 0]
    if not inside.size:
        return values
    usual = float(np.median(inside))
    for factor in (1.0, 1e3, 1e6):
        if USUAL_UM2_PER_S[0] <= usual * factor <= USUAL_UM2_PER_S[1]:
            return values * np.float32(factor)
    return np.zeros_like(values)


def _mean(images: Images) -> Images:
    """Return what has several pictures of a slice (directions, repetitions) as one: their geometric mean."""
    values = np.asarray(images.values, dtype=np.float32)
    if values.shape[0] == 1:
        return replace(images, values=values[0], times=None, other_times=None)
    mean = np.exp(np.log(np.maximum(values, 1e-3)).mean(axis=0))
    return replace(images, values=mean.astype(np.float32), times=None, other_times=None)

"""What of a result is shown as series of pictures and written as maps: each a volume with its scale and its sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.objects.colours import SCALES, Scale
from radrelay.analysis.perfusion import Result
from radrelay.analysis.study import ImageReference, Images, PerfusionStudy, Slab

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
MAPS = ("CBF", "CBV", "MTT", "TTP", "Tmax")
HYPOPERFUSED_S = 6.0
GREY_HU = Scale("HU", 0, 80, grey=True)


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume (slices, rows, columns) to be written; black outside of `where`."""

    name: str
    values: Floats
    where: Mask | None
    scale: Scale
    slab: Slab
    references: tuple[tuple[ImageReference, ...], ...]


def maps(study: PerfusionStudy, result: Result) -> Iterator[Volume]:
    """Give the maps of a result, and the apparent diffusion coefficients where there are any."""
    source = study.perfusion
    for name in MAPS:
        yield Volume(name, result.maps[name], result.tissue, SCALES[name], source.slab, source.references)
    if study.diffusion is not None:
        adc = study.diffusion
        values = adc.values.astype(np.float32)
        yield Volume("ADC", values, None, SCALES["ADC"], adc.slab, adc.references)


def mean(study: PerfusionStudy, result: Result) -> Volume:
    """Return the mean of what was acquired and kept, with a window that shows the brain."""
    source: Images = study.perfusion
    found: NDArray[np.float32] = np.zeros(source.values.shape[1:], dtype=np.float32)
    times = source.times
    there = np.ones(source.values.shape[:2], dtype=np.bool_) if times is None else np.isfinite(times)
    there[list(result.dropped)] = False
    for number, own in enumerate(there):
        found[own] += source.values[number][own]
    found /= np.maximum(1, there.sum(axis=0, dtype=np.float32))[:, None, None]
    scale = GREY_HU
    if study.modality != "CT":
        inside = found[result.tissue] if result.tissue.any() else found
        scale = Scale("", 0.0, max(1.0, round(float(np.percentile(inside, 99.5)) * 1.2)), grey=True)
    return Volume("mean", found, None, scale, source.slab, source.references)


def late(result: Result) -> tuple[float, Mask]:
    """Return the threshold that the mismatch rests on, and what is later: 6 s, or the nearest that was set."""
    limits = result.lesions.late
    if not limits:
        return HYPOPERFUSED_S, np.zeros_like(result.lesions.core)
    limit = min(limits, key=lambda one: abs(one - HYPOPERFUSED_S))
    return limit, limits[limit]

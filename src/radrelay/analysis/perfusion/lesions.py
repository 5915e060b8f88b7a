"""What is measured in the maps: infarct core, hypoperfusion, mismatch and the hypoperfusion intensity ratio.

CT: relative CBF under 30 % of normal tissue (where Tmax is not late) within Tmax > 6 s. MR: ADC under
620·10⁻⁶ mm²/s where the diffusion image is bright, never ADC alone. Clusters under 1 mL are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.constants import Constants
from radrelay.analysis.perfusion.morphology import without_small
from radrelay.analysis.perfusion.smoothing import smoothed

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
SOFTENING_MM = 1.7
ANY_TISSUE = 0.05
HYPOPERFUSED_S = 6.0
SEVERE_S = 10.0


@dataclass(frozen=True, slots=True)
class Lesions:
    """Masks and volumes; `ratio` and `intensity_ratio` are none where what they divide by is 0.

    `core_known` is false for MR without diffusion: then there is no core, no mismatch and no ratio to tell.
    """

    core: Mask
    late: dict[float, Mask]
    core_ml: float
    late_ml: dict[float, float]
    mismatch_ml: float
    ratio: float | None
    intensity_ratio: float | None
    normal_cbf: float
    core_known: bool = True


def normal_cbf(cbf: Floats, tmax: Floats, tissue: Mask, constants: Constants) -> float:
    """Return the mean CBF of tissue that is not late; NaN where there is none."""
    normal = tissue & (tmax <= constants.normal_tmax_s) & (cbf > 0)
    return float(cbf[normal].mean()) if normal.any() else float("nan")


def delineate(
    cbf: Floats,
    tmax: Floats,
    tissue: Mask,
    spacing: tuple[float, float, float],
    constants: Constants,
    normal: float | None = None,
    core: Mask | None = None,
) -> Lesions:
    """Delineate in maps (slices, rows, columns) with `spacing` in mm.

    `normal` is the CBF of normal tissue, where it is known better than by the mean of the map; `core` where it is known
    from diffusion.
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    if normal is None:
        normal = normal_cbf(cbf, tmax, tissue, constants)
    late = {limit: _cleaned(tmax > limit, tissue, spacing, constants) for limit in constants.tmax_thresholds_s}
    within = late.get(constants.core_within_tmax_s)
    if within is None:
        within = _cleaned(tmax > constants.core_within_tmax_s, tissue, spacing, constants)
    if core is None:
        low = np.zeros_like(tissue) if np.isnan(normal) else cbf < constants.core_relative_cbf * normal
        core = _cleaned(low & within, tissue, spacing, constants)
    core_ml = float(core.sum()) * voxel_ml
    late_ml = {limit: float(mask.sum()) * voxel_ml for limit, mask in late.items()}
    whole = late_ml.get(HYPOPERFUSED_S, float(within.sum()) * voxel_ml)
    severe = late_ml.get(SEVERE_S)
    return Lesions(
        core, late, core_ml, late_ml, whole - core_ml, whole / core_ml if core_ml else None,
        severe / whole if severe is not None and whole else None, normal,
    )  # fmt: skip


def core_by_diffusion(adc_um2_per_s: Floats, diffusion: Floats, tissue: Mask, spacing: tuple[float, float, float],
                      constants: Constants) -> Mask:  # fmt: skip
    """Return where ADC (10⁻⁶ mm²/s) is low and the diffusion image brighter than most of the tissue."""
    usual = np.median(diffusion[tissue])
    spread = 1.4826 * np.median(np.abs(diffusion[tissue] - usual))
    low = (adc_um2_per_s > 0) & (adc_um2_per_s < constants.core_adc_um2_per_s) & (diffusion > usual + 2 * spread)
    return _cleaned(low, tissue, spacing, constants)


def _cleaned(mask: Mask, tissue: Mask, spacing: tuple[float, float, float], constants: Constants) -> Mask:
    """Return `mask` within tissue by the majority of its neighbourhood there, without small clusters."""
    sigma = SOFTENING_MM / spacing[1]
    weight = smoothed(tissue.astype(np.float32), sigma)
    share = smoothed((mask & tissue).astype(np.float32), sigma) / np.maximum(weight, ANY_TISSUE)
    voxel_ml = float(np.prod(spacing)) / 1000
    return without_small((share > 0.5) & tissue, constants.smallest_cluster_ml / voxel_ml)

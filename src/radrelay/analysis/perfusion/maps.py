"""The maps: CBF (mL/100 g/min), CBV (mL/100 g), MTT, TTP and Tmax (s), from curves and the arterial input.

CBF = k_H/ρ · max k; CBV = k_H/ρ · ∫C / ∫Ca. A scan ends before the contrast has left slow tissue: at its end T a
compartment still holds MTT · C(T), so that CBV = ∫C / (∫Ca − C(T)/max k), which is exact for exponential washout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.constants import Constants
from radrelay.analysis.perfusion.deconvolution import Response, with_fixed_threshold, with_oscillation_index

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
PER_MINUTE, PER_HECTOGRAM = 60.0, 100.0
END_SAMPLES = 3
DELAY_OF_PEAK_S = 1.5  # what Tmax reads above a delay, in the mean
LEAST_SHARE_PASSED = 0.4
UNITS = {"CBF": "mL/100g/min", "CBV": "mL/100g", "MTT": "s", "TTP": "s", "Tmax": "s"}


@dataclass(frozen=True, slots=True)
class Values:
    """One value per curve, in the units of UNITS; `threshold` is the share of the largest singular value used."""

    cbf: Floats
    cbv: Floats
    mtt: Floats
    ttp: Floats
    tmax: Floats
    threshold: Floats


def values_of(curves: Floats, artery: Doubles, dt_s: float, constants: Constants, arrived_s: float = 0.0) -> Values:
    """Return the values of `curves` (voxels × samples) by the method that `constants` name.

    TTP counts from `arrived_s` after the first sample.
    """
    if constants.method == "oscillation-index":
        response = with_oscillation_index(curves, artery, dt_s, constants.oscillation_index)
    else:
        response = with_fixed_threshold(curves, artery, dt_s, constants.fixed_threshold)
    scale = constants.haematocrit_factor / constants.density_g_per_ml
    height = np.maximum(response.height, 1e-9)
    cbf = (PER_HECTOGRAM * PER_MINUTE * scale * height).astype(np.float32)
    cbv = (PER_HECTOGRAM * scale * volumes(curves, artery, dt_s, response)).astype(np.float32)
    mtt = (PER_MINUTE * cbv / np.maximum(cbf, 1e-3)).astype(np.float32)
    ttp = (_times_to_peak(curves) * dt_s - arrived_s).astype(np.float32)
    return Values(cbf, cbv, mtt, ttp, response.tmax_s, response.threshold)


def volumes(curves: Floats, artery: Doubles, dt_s: float, response: Response) -> Floats:
    """Return ∫C / (∫Ca − C(T)/max k): blood volumes, as if the scan had gone on until the contrast was out."""
    inflow = (np.cumsum(artery) - artery / 2) * dt_s
    when = np.arange(artery.size) * dt_s
    passed = np.interp(when[-1] - np.maximum(response.tmax_s - DELAY_OF_PEAK_S, 0), when, inflow)
    held = (curves.sum(axis=1) - curves[:, -1] / 2) * dt_s
    end = np.maximum(curves[:, -END_SAMPLES:].mean(axis=1), 0)
    still = end / np.maximum(response.height, 1e-9)
    found: Floats = np.maximum(held, 0) / np.maximum(passed - still, LEAST_SHARE_PASSED * inflow[-1])
    return found


def _times_to_peak(curves: Floats) -> Floats:
    rows = np.arange(curves.shape[0])
    at = np.clip(curves.argmax(axis=1), 1, curves.shape[1] - 2)
    left, top, right = (curves[rows, at + step] for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * top + right, -1e-9)
    found: Floats = (at + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)).astype(np.float32)
    return found

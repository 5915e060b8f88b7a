"""Curves of known truth: arterial input, residue functions, tissue and venous curves, on a fine grid of time.

Enhancement is in the unit of the arterial peak (HU for CT); times in s; CBF in mL/100 g/min. The arterial input is a
gamma variate with a second pass (Østergaard 1996; Kudo 2010, Radiology 254:200).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.constants import Constants

Residue = Literal["exponential", "box", "linear"]
RESIDUES: tuple[Residue, ...] = ("exponential", "box", "linear")
STEP_S = 0.05
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bolus:
    """The arterial input: arrival (s), peak (HU), its gamma variate's shape and scale (s), share of the second pass."""

    arrival_s: float = 8.0
    peak: float = 300.0
    shape: float = 3.0
    scale_s: float = 1.5
    recirculation: float = 0.25
    second_arrival_s: float | None = None

    def at(self, fine: Array) -> Array:
        """Return the input on a fine grid that begins at 0 with steps of STEP_S."""
        first = _gamma(fine - self.arrival_s, self.shape, self.scale_s)
        spread = np.exp(-fine / 12.0)
        spread /= spread.sum()
        again = _shifted(np.convolve(first, spread)[: fine.size], 8.0)
        whole = first + self.recirculation * again
        if self.second_arrival_s is not None:
            whole = whole + _gamma(fine - self.second_arrival_s, self.shape, self.scale_s)
        found: Array = self.peak * whole / first.max()
        return found


@dataclass(frozen=True, slots=True)
class Tissue:
    """One kind of tissue: CBF (mL/100 g/min), MTT (s), delay against the artery (s), residue, dispersion (s)."""

    cbf: float
    mtt_s: float
    delay_s: float = 0.0
    residue: Residue = "exponential"
    dispersion_s: float = 0.0

    @property
    def cbv(self) -> float:
        """CBV in mL/100 g."""
        return self.cbf * self.mtt_s / 60

    def curve(self, bolus: Bolus, times: Array, constants: Constants) -> Array:
        """Return the enhancement at `times` (s, any shape)."""
        fine = fine_grid(times)
        inflow = bolus.at(fine)
        if self.dispersion_s > 0:
            inflow = dispersed(inflow, fine, self.dispersion_s)
        # where a sample of the residue is the mean over its step, the sum over samples is the integral
        response = 0.5 * (
            residue_at(fine, self.mtt_s, self.residue) + residue_at(fine + STEP_S, self.mtt_s, self.residue)
        )
        scale = self.cbf / 6000 * constants.density_g_per_ml / constants.haematocrit_factor
        whole = np.convolve(inflow, response)[: fine.size] * STEP_S * scale
        found: Array = np.interp(times - self.delay_s - STEP_S / 2, fine, whole, left=0.0)
        return found


def residue_at(since: Array, mtt_s: float, kind: Residue) -> Array:
    """Return the share of contrast still in the tissue, `since` s after it came."""
    if kind == "exponential":
        return np.asarray(np.exp(-since / mtt_s))
    if kind == "box":
        return np.asarray((since < mtt_s).astype(np.float64))
    return np.asarray(np.clip(1 - since / (2 * mtt_s), 0, None))


def fine_grid(times: Array) -> Array:
    """Return the grid that curves are computed on: from 0 to some seconds after the last time."""
    return np.arange(0, float(np.nanmax(times)) + 10, STEP_S)


def vessel_curve(bolus: Bolus, times: Array, delay_s: float, dispersion_s: float = 0.0) -> Array:
    """Return a vessel's enhancement at `times`: the artery, later by `delay_s` and spread by `dispersion_s`."""
    fine = fine_grid(times)
    inflow = bolus.at(fine)
    if dispersion_s > 0:
        inflow = dispersed(inflow, fine, dispersion_s)
    found: Array = np.interp(times - delay_s, fine, inflow, left=0.0)
    return found


def dispersed(inflow: Array, fine: Array, spread_s: float) -> Array:
    """Return `inflow` after a vessel of exponential transport; its area stays."""
    kernel = np.exp(-fine / spread_s)
    kernel /= kernel.sum()
    found: Array = np.convolve(inflow, kernel)[: fine.size]
    return found


def _gamma(since: Array, shape: float, scale_s: float) -> Array:
    after = np.clip(since, 0, None)
    found: Array = (after / (shape * scale_s)) ** shape * np.exp(shape - after / scale_s)
    return found


def _shifted(curve: Array, by_s: float) -> Array:
    steps = round(by_s / STEP_S)
    return np.concatenate([np.zeros(steps), curve[:-steps]])

"""A perfusion study, from images and times to maps, volumes and warnings: the steps in their order, timed.

What flows in: (frames, slices, rows, columns) in HU or MR signal, times in s, spacing (z, y, x) in mm. What comes out
lies on the pixels of the images that came in.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion import alike, bolus, grid, motion, sampling, smoothing, subspace
from radrelay.analysis.perfusion.arteries import Vessel, Vessels, calmed, check_contrast, find_vessels, vessel_at
from radrelay.analysis.perfusion.brain import Brain, find_brain
from radrelay.analysis.perfusion.checking import check_bolus, check_frames, check_places, check_volume, warn
from radrelay.analysis.perfusion.constants import Constants, Modality
from radrelay.analysis.perfusion.conversion import delta_r2_star
from radrelay.analysis.perfusion.lesions import Lesions, core_by_diffusion, delineate
from radrelay.analysis.perfusion.maps import Values, values_of
from radrelay.analysis.perfusion.morphology import grown
from radrelay.analysis.perfusion.refusals import TooFewFrames, Warned
from radrelay.analysis.perfusion.times import LEAST_FRAMES, Timing, check_times

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]
Progress = Callable[[str, float], None]
STEPS = ("times", "joining", "motion", "brain", "vessels", "resampling", "smoothing", "deconvolution", "lesions")
AVERAGED_MM, GUIDE_MM = 7.0, 2.5
DEFAULT_TE_S = 0.03
NEIGHBOURS = 2
BRIGHT_SHARE = 0.5  # of the usual signal inside the head
VESSEL_PEAK_SHARE = 0.15  # of the artery's peak: noise alone must not choose which voxels count as vessels


@dataclass(frozen=True, slots=True)
class Options:
    """How a study is to be analysed, besides its constants; places are (slice, row, column) of the images."""

    modality: Modality = "CT"
    te_s: float = DEFAULT_TE_S
    correct_motion: bool = True
    artery: tuple[tuple[int, int, int], ...] = ()
    vein: tuple[tuple[int, int, int], ...] = ()
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What an analysis found. Maps and masks: (slices, rows, columns); 0 outside of `tissue`."""

    maps: dict[str, Floats]
    tissue: Mask
    lesions: Lesions
    even_s: Doubles
    artery: Vessel
    vein: Vessel | None
    partial_volume: float
    arrival_s: float
    motion: motion.Motion | None
    dropped: tuple[int, ...]
    warnings: tuple[Warned, ...]
    constants: Constants
    seconds: dict[str, float] = field(default_factory=dict)


class _Watch:
    """Times the steps, and tells how far it is."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._began = time.perf_counter()

    def done(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = now - self._began
        self._began = now
        if self._progress is not None:
            self._progress(step, (STEPS.index(step) + 1) / len(STEPS))


def analyse(
    volume: NDArray[np.generic],
    times: NDArray[np.floating],
    spacing: Spacing,
    options: Options | None = None,
    constants: Constants | None = None,
    progress: Progress | None = None,
    *,
    diffusion: tuple[Floats, Floats] | None = None,
    other_times: NDArray[np.floating] | None = None,
) -> Result:
    """Analyse a study; raises one of `refusals` where no map can be trusted.

    `volume`: frames × slices × rows × columns; `times`: frames, or frames × slices with NaN for what was not acquired;
    `other_times` the same as another attribute tells them. `diffusion`, for MR: ADC in µm²/s and the diffusion-weighted
    image on the same voxels (slices × rows × columns).
    """
    options, constants, watch = options or Options(), constants or Constants(), _Watch(progress)
    check_volume(volume)
    timing = check_times(times, volume.shape[1], other_times)
    watch.done("times")
    by = grid.factor(spacing, volume.shape)
    frames = grid.joined(volume, by, options.workers)
    sampling.fill(frames, timing.times)
    pixels = (spacing[0], spacing[1] * by, spacing[2] * by)
    watch.done("joining")
    moved = None
    if options.correct_motion:
        moved = motion.estimate(frames, pixels, options.modality, constants, options.workers)
        motion.put_back(frames, pixels, moved, options.workers)
    kept = np.ones(frames.shape[0], dtype=np.bool_) if moved is None else ~moved.lost
    check_frames(kept, timing)
    watch.done("motion")
    frames, seen = (frames, timing.times) if kept.all() else (frames[kept], timing.times[kept])
    study = _Study(frames, seen, pixels, options, constants)
    study.locate(watch, by)
    check_bolus(kept, timing, study.vessels.artery)
    values = study.values(watch)
    maps = {name: study.spread(getattr(values, name.lower()), by) for name in ("CBF", "CBV", "MTT", "TTP", "Tmax")}
    tissue = grid.spread(study.tissue, by)
    lesions = study.lesions(values, by, diffusion)
    watch.done("lesions")
    warnings = warn(timing, study.second_s, study.vessels, study.brain.inside, moved, pixels, volume.shape[1])
    vessels = study.vessels
    return Result(
        maps, tissue, lesions, study.even, _placed(vessels.artery, by),
        None if vessels.vein is None else _placed(vessels.vein, by), vessels.partial_volume, study.arrival_s, moved,
        tuple(int(number) for number in np.flatnonzero(~kept)), warnings, constants, watch.seconds,
    )  # fmt: skip


class _Study:
    """The arrays of one analysis on its own grid, and its steps."""

    def __init__(self, frames: Floats, times: Doubles, pixels: Spacing, options: Options, constants: Constants) -> None:
        self.frames, self.times, self.pixels = frames, times, pixels
        self.options, self.constants = options, constants
        self.even = sampling.grid(times)
        self.arrival_s = 0.0
        self.second_s: float | None = None
        self.normal_cbf: float | None = None
        self.brain: Brain
        self.vessels: Vessels
        self.tissue: Mask

    def locate(self, watch: _Watch, by: int) -> None:
        """Find brain, arrival and vessels, and leave large vessels out of the tissue."""
        first = self._rising(self.frames)
        early = self.frames[: max(2, len(self.frames) // 12)].mean(axis=0)
        self.brain = find_brain(early, self.frames.mean(axis=0), self.pixels, self.options.modality)
        watch.done("brain")
        first = self._first_passage(first)
        self.arrival_s = bolus.arrival(first, self.times, self.brain.inside)
        baseline = self._baseline()
        rising = (
            delta_r2_star(self.frames, baseline, self.options.te_s) if self.options.modality == "MR" else self.frames
        )
        self.vessels = self._vessels(rising, self._bright(baseline), by)
        self.tissue = self.brain.tissue & ~self._large_vessels(rising)
        watch.done("vessels")

    def _first_passage(self, rising: Floats) -> Floats:
        """Leave out what came after a second injection; raises TooFewFrames where the first has not enough."""
        again = bolus.second_bolus(rising, self.times, self.brain.inside)
        if again is None:
            return rising
        end, self.second_s = again
        kept = sampling.begun_s(self.times) < end
        self.frames, self.times = self.frames[kept], self.times[kept]
        if (count := int(np.isfinite(self.times).sum(axis=0).min())) < LEAST_FRAMES:
            raise TooFewFrames(frames=count, least=LEAST_FRAMES, second_bolus_s=round(self.second_s, 1))
        self.even = sampling.grid(self.times)
        return rising[kept]

    def _rising(self, frames: Floats) -> Floats:
        return -frames if self.options.modality == "MR" else frames

    def _early(self) -> Mask:
        early: Mask = sampling.begun_s(self.times) < self.arrival_s
        early[0] = True
        return early

    def _baseline(self) -> Floats:
        found: Floats = self.frames[self._early()].mean(axis=0)
        return found

    def _bright(self, baseline: Floats) -> Mask:
        """Return where vessels may be: of MR not where there is little signal to lose, as in bone, but noise."""
        inside = self.brain.inside
        if self.options.modality == "CT":
            return inside
        found: Mask = inside & (baseline > BRIGHT_SHARE * np.median(baseline[inside]))
        return found

    def _vessels(self, rising: Floats, region: Mask, by: int) -> Vessels:
        options, limit = self.options, self.constants.partial_volume_limit
        check_places(
            (*options.artery, *options.vein),
            (self.frames.shape[1], self.frames.shape[2] * by, self.frames.shape[3] * by),
        )
        found = find_vessels(rising, self.times, region, self.even, self.arrival_s, options.modality, limit)
        chosen = {
            name: vessel_at(
                rising, self.times, np.unique(np.asarray(places) // (1, by, by), axis=0), self.even, self.arrival_s
            )
            for name, places in (("artery", options.artery), ("vein", options.vein))
            if places
        }
        for vessel in chosen.values():
            check_contrast(vessel, options.modality, found.noise)
        return found.with_chosen(self.even, limit, chosen.get("artery"), chosen.get("vein"))

    def _large_vessels(self, rising: Floats) -> Mask:
        """Return where the blood volume is beyond that of any tissue, by the mean enhancement over the whole scan."""
        early = self._early()
        mean = rising.mean(axis=0) - rising[early].mean(axis=0)
        vessels = self.vessels
        whole = float(vessels.artery.curve.mean()) * vessels.partial_volume
        share = (
            self.constants.vessel_cbv_ml_per_100g
            / 100
            * self.constants.density_g_per_ml
            / self.constants.haematocrit_factor
        )
        most = np.full(mean.shape, -np.inf, dtype=np.float32)
        for first, second in itertools.pairwise(rising):
            np.maximum(most, first + second, out=most)
        high = 0.5 * most - rising.mean(axis=0) > VESSEL_PEAK_SHARE * vessels.artery.peak
        over = smoothing.smoothed(mean, 0.5) > share * whole
        found: Mask = over & grown(over & high, NEIGHBOURS)
        return found | grown(over & high, 1)

    def values(self, watch: _Watch) -> Values:
        """Smooth, resample and deconvolve the tissue's curves."""
        artery = calmed(self.vessels.artery, self.even, self.arrival_s) * self.vessels.partial_volume
        space = subspace.basis(artery, sampling.GRID_S).astype(np.float32)
        pictures = np.zeros((space.shape[1], *self.tissue.shape), dtype=np.float32)
        pictures[:, self.tissue] = (self._curves() @ space).T
        watch.done("resampling")
        sigma = AVERAGED_MM / self.pixels[1]
        alike.average_alike(pictures, self.tissue, sigma, GUIDE_MM / self.pixels[1], self.options.workers)
        curves = np.ascontiguousarray(pictures[:, self.tissue].T) @ space.T
        watch.done("smoothing")
        found = values_of(curves, artery, sampling.GRID_S, self.constants, max(self.arrival_s, 0.0))
        self.normal_cbf = self._normal(curves, artery, found)
        watch.done("deconvolution")
        return found

    def _normal(self, curves: Floats, artery: Doubles, found: Values) -> float | None:
        """Return the CBF of normal tissue's mean curve.

        The noisier a voxel, the more of its flow is lost to the threshold; the mean curve of thousands has no noise,
        so that what counts as low flow does not depend on the dose.
        """
        normal = (found.tmax <= self.constants.normal_tmax_s) & (found.cbf > 0)
        if not normal.any():
            return None
        mean = curves[normal].mean(axis=0, keepdims=True)
        return float(values_of(mean, artery, sampling.GRID_S, self.constants).cbf[0])

    def _curves(self) -> Floats:
        """Return the tissue's curves (voxels × grid) less their baseline, in the order of the mask."""
        parts = []
        for number in range(self.tissue.shape[0]):
            own = np.isfinite(self.times[:, number])
            when = self.times[own, number]
            matrix = sampling.less_baseline(sampling.weights(when, self.even), when, self.arrival_s)
            raw = self.frames[own, number][:, self.tissue[number]]
            if self.options.modality == "MR":
                early = when < self.arrival_s
                early[0] = True
                raw = delta_r2_star(raw, raw[early].mean(axis=0), self.options.te_s)
            parts.append(raw.T @ matrix.T.astype(np.float32))
        return np.ascontiguousarray(np.concatenate(parts))

    def spread(self, values: Floats, by: int) -> Floats:
        """Return a map on the images' pixels."""
        whole = np.zeros(self.tissue.shape, dtype=np.float32)
        whole[self.tissue] = values
        return grid.spread(whole, by)

    def lesions(self, values: Values, by: int, diffusion: tuple[Floats, Floats] | None) -> Lesions:
        """Delineate core and hypoperfusion on the analysis's own grid."""
        cbf, tmax = (self.spread(one, 1) for one in (values.cbf, values.tmax))
        core = self._core(diffusion, by)
        found = delineate(cbf, tmax, self.tissue, self.pixels, self.constants, self.normal_cbf, core)
        if self.options.modality == "MR" and diffusion is None:
            found = replace(found, core_known=False, mismatch_ml=0.0, ratio=None)
        late = {limit: grid.spread(mask, by) for limit, mask in found.late.items()}
        return replace(found, core=grid.spread(found.core, by), late=late)

    def _core(self, diffusion: tuple[Floats, Floats] | None, by: int) -> Mask | None:
        """Return the core that diffusion tells, an empty one of MR without it; none of CT, whose perfusion tells it."""
        if self.options.modality == "CT":
            return None
        if diffusion is None:
            return np.zeros_like(self.tissue)
        adc, weighted = (grid.joined(one[None], by, self.options.workers)[0] for one in diffusion)
        return core_by_diffusion(adc, weighted, self.tissue, self.pixels, self.constants)


def _placed(vessel: Vessel, by: int) -> Vessel:
    """Return the vessel with its places on the images' pixels: the first of those that were joined."""
    return replace(vessel, voxels=vessel.voxels * (1, by, by))


__all__ = ["STEPS", "Options", "Progress", "Result", "Timing", "analyse"]

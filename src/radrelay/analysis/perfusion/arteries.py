"""The arterial input and the venous output, found in the enhancement of what lies inside the skull.

Vessels are pieces, within a slice, of voxels that enhance far more than tissue. The artery is high, early and narrow;
pieces that are as early join in, weighted by their peaks. The vein is later and has the largest area. An artery thinner
than the pixels loses area to its surroundings: the vein's area over the artery's is its partial-volume factor.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.morphology import pieces
from radrelay.analysis.perfusion.refusals import NoContrast
from radrelay.analysis.perfusion.sampling import begun_s, less_baseline, weights

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
VESSEL_SHARE = 0.25  # of the highest enhancement
OWN_SHARE = 0.6  # of a piece's highest voxel
LEAST_PEAK = {"CT": 40.0, "MR": 8.0}  # HU; 1/s
LEAST_OVER_NOISE, SOFT_S = 7.0, 5  # of a voxel's noise; the passage of a bolus lasts as long, a spike of noise does not
MOST_TRIED = 20_000
TOGETHER_S, TOGETHER_SCORE = 0.6, 0.5
MOST_PIECES = 12
LATER_S = 1.5
MOST_VOXELS = 12
TAIL_WIDTHS, TAIL_SHARE, TAIL_SAMPLES = 2.5, 0.35, 7


@dataclass(frozen=True, slots=True)
class Vessel:
    """A vessel's place (voxels as slice, row, column) and curve on the even grid, with what it is judged by."""

    voxels: NDArray[np.int64]
    curve: Doubles
    peak: float
    half_rise_s: float
    width_s: float
    area: float


@dataclass(frozen=True, slots=True)
class Vessels:
    """The artery, the vein (none, when no later vessel was seen), and the factor for the artery's partial volume."""

    artery: Vessel
    vein: Vessel | None
    partial_volume: float
    unbounded_partial_volume: float
    noise: float = 0.0

    def with_chosen(self, even: Doubles, limit: float, artery: Vessel | None, vein: Vessel | None) -> Vessels:
        """Return the vessels with those that a reader chose in the place of those found."""
        if artery is None and vein is None:
            return self
        return _vessels(artery or self.artery, vein or self.vein, even, limit, self.noise)


def _vessels(artery: Vessel, vein: Vessel | None, even: Doubles, limit: float, noise: float) -> Vessels:
    ratio = 1.0 if vein is None else partial_volume(artery, vein, even)
    return Vessels(artery, vein, float(np.clip(ratio, 1.0, limit)), ratio, noise)


def find_vessels(
    frames: Floats, times: Doubles, region: Mask, even: Doubles, baseline_until_s: float, modality: str, limit: float
) -> Vessels:
    """Find artery and vein in enhancement-like `frames` (frames, slices, rows, columns) within `region`.

    `times`: frames × slices (s); `even`: the grid of the curves. Raises NoContrast where nothing enhances as an
    artery does.
    """
    found = _pieces(frames, times, region, even, baseline_until_s)
    least, noise = LEAST_PEAK[modality], noise_of(frames, region)
    high = [one for one in found if _is_bolus(one, least, noise)]
    if not high:
        raise NoContrast(peak=round(max((one.peak for one in found), default=0.0), 1), least=least)
    artery = _artery(high)
    later = [one for one in high if one.half_rise_s >= artery.half_rise_s + LATER_S]
    vein = max(later, key=_venous) if later else None
    return _vessels(artery, vein, even, limit, noise)


def check_contrast(chosen: Vessel, modality: str, noise: float) -> None:
    """Refuse a place that a reader chose where nothing enhances as a vessel does; raises NoContrast."""
    least = LEAST_PEAK[modality]
    if not _is_bolus(chosen, least, noise):
        raise NoContrast(peak=round(chosen.peak, 1), least=least)


def partial_volume(artery: Vessel, vein: Vessel, even: Doubles) -> float:
    """Return the vein's area over the artery's, up to the time by which the same blood has passed both."""
    late = max(0.0, vein.half_rise_s - artery.half_rise_s)
    passed = float(np.interp(even[-1] - late, even, np.cumsum(artery.curve)))
    return vein.area / max(passed, 1e-9)


def calmed(vessel: Vessel, even: Doubles, arrival_s: float) -> Doubles:
    """Return a vessel's curve with less noise where it changes slowly: 0 before the contrast, evened after its passage.

    Where the tail rises again as with a second injection, it stays as it is.
    """
    curve = np.where(even < arrival_s, 0, vessel.curve)
    after = int(np.searchsorted(even, vessel.half_rise_s + TAIL_WIDTHS * vessel.width_s))
    tail = curve[after:]
    if tail.size <= TAIL_SAMPLES or tail.max() > TAIL_SHARE * vessel.peak:
        return curve
    padded = np.pad(curve, TAIL_SAMPLES // 2, mode="reflect", reflect_type="odd")
    even_tail = np.convolve(padded, np.full(TAIL_SAMPLES, 1 / TAIL_SAMPLES), mode="valid")
    begin = min(after + TAIL_SAMPLES // 2, curve.size)
    found: Doubles = np.where(np.arange(curve.size) >= begin, even_tail, curve)
    return found


def vessel_at(frames: Floats, times: Doubles, voxels: NDArray[np.int64], even: Doubles, until_s: float) -> Vessel:
    """Return the vessel of `voxels` (n × 3), its curve the mean of theirs weighted by their peaks."""
    curves = np.empty((len(voxels), even.size))
    for number in np.unique(voxels[:, 0]):
        own = np.isfinite(times[:, number])
        matrix = less_baseline(weights(times[own, number], even), times[own, number], until_s)
        here = voxels[:, 0] == number
        raw = frames[own, number][:, voxels[here, 1], voxels[here, 2]]
        curves[here] = (matrix @ raw).T
    heights = curves.max(axis=1)
    kept = heights >= OWN_SHARE * heights.max()
    order = np.argsort(-np.where(kept, heights, -1))[: min(MOST_VOXELS, int(kept.sum()))]
    share = np.maximum(heights[order], 1e-9)
    return _judged(voxels[order], share @ curves[order] / share.sum(), even)


def _pieces(frames: Floats, times: Doubles, region: Mask, even: Doubles, until_s: float) -> list[Vessel]:
    early = begun_s(times) < until_s
    early[0] = True
    baseline = frames[early].mean(axis=0)
    area = np.where(region, frames.mean(axis=0) - baseline, 0)
    height = np.zeros(region.shape, dtype=np.float32)
    for first, second in itertools.pairwise(frames):
        np.maximum(height, 0.5 * (first + second) - baseline, out=height)
    height[~region] = 0
    top = np.sort(height, axis=None)[-20:].mean()
    most = np.sort(area, axis=None)[-20:].mean()
    labels = pieces((height >= VESSEL_SHARE * top) & (area >= 0.5 * VESSEL_SHARE * most), first_axis=1)
    places = np.argwhere(labels > 0)
    owners = labels[labels > 0]
    order = np.argsort(owners, kind="stable")
    cuts = np.flatnonzero(np.diff(owners[order])) + 1
    groups = [group for group in np.split(places[order], cuts) if len(group)]
    return [vessel_at(frames, times, _highest(group, height), even, until_s) for group in groups]


def noise_of(frames: Floats, region: Mask) -> float:
    """Return the usual noise of a voxel of a region, by what three frames in a row do not foretell of the fourth."""
    places = np.flatnonzero(region)
    places = places[:: max(1, places.size // MOST_TRIED)]
    curves = frames.reshape(frames.shape[0], -1)[:, places]
    return 1.4826 * float(np.median(np.abs(np.diff(curves, n=3, axis=0))) / np.sqrt(20))


def _is_bolus(vessel: Vessel, least: float, noise: float) -> bool:
    """Say whether a curve rises by more than `least`, and for as long as a bolus takes by far more than noise does.

    A voxel that is chosen as the highest of many, at its highest moment, is high by noise alone. Neighbours share some
    of their noise: the mean of n has less of it, but not as little as 1/√n.
    """
    usual = np.median(vessel.curve)
    soft = float(np.convolve(vessel.curve, np.full(SOFT_S, 1 / SOFT_S), mode="valid").max() - usual)
    clear = LEAST_OVER_NOISE * noise / len(vessel.voxels) ** 0.25
    return bool(vessel.curve.max() - usual >= least and soft >= clear)


def _highest(group: NDArray[np.int64], height: Floats) -> NDArray[np.int64]:
    return group[np.argsort(-height[tuple(group.T)])[: 4 * MOST_VOXELS]]


def _judged(voxels: NDArray[np.int64], curve: Doubles, even: Doubles) -> Vessel:
    top = int(curve.argmax())
    peak = float(curve[top])
    below = np.flatnonzero(curve[:top] < peak / 2)
    rise = _crossing(curve, even, int(below[-1]), peak / 2) if below.size else float(even[0])
    after = np.flatnonzero(curve[top:] < peak / 2)
    fall = _crossing(curve, even, top + int(after[0]) - 1, peak / 2) if after.size else float(even[-1])
    return Vessel(voxels, curve, peak, rise, max(fall - rise, 0.5), float(curve.sum()))


def _crossing(curve: Doubles, even: Doubles, at: int, level: float) -> float:
    step = curve[at + 1] - curve[at]
    share = (level - curve[at]) / step if step else 0.0
    return float(even[at] + share * (even[at + 1] - even[at]))


def _artery(found: list[Vessel]) -> Vessel:
    first = min(one.half_rise_s for one in found)
    scores = np.array([one.peak / one.width_s * np.exp(-max(0.0, one.half_rise_s - first) / 1.5) for one in found])
    best = found[int(scores.argmax())]
    joined = [
        one
        for score, one in sorted(zip(scores, found, strict=True), key=lambda pair: -pair[0])
        if score >= TOGETHER_SCORE * scores.max() and abs(one.half_rise_s - best.half_rise_s) <= TOGETHER_S
    ][:MOST_PIECES]
    share = np.array([one.peak for one in joined])
    curve = share @ np.stack([one.curve for one in joined]) / share.sum()
    even = np.arange(curve.size, dtype=np.float64)
    return _judged(np.concatenate([one.voxels for one in joined]), curve, even)


def _venous(one: Vessel) -> float:
    return one.area * float(np.sqrt(min(len(one.voxels), MOST_VOXELS)))

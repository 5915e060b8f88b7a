"""Digital phantoms of brain perfusion with known truth: the ground on which every accuracy is measured.

`make` gives a study (frames, slices, rows, columns; HU, or MR signal) with its times, and what is true in each voxel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion.constants import Constants, Modality
from radrelay.analysis.perfusion.phantom_anatomy import ATTENUATION_HU, SIGNAL, Head, Kind
from radrelay.analysis.perfusion.phantom_curves import Bolus, Tissue, vessel_curve
from radrelay.analysis.perfusion.rigid import Spacing, middles, rotation
from radrelay.analysis.perfusion.smoothing import smoothed

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Labels = NDArray[np.int16]
Mask = NDArray[np.bool_]
R2_PER_HU = 0.3  # what enhances CT by 1 HU changes R2* by this much, 1/s

NORMAL: dict[Kind, Tissue] = {
    Kind.SCALP: Tissue(5.0, 8.0, 1.0),
    Kind.GREY: Tissue(60.0, 4.0, 0.0),
    Kind.WHITE: Tissue(26.0, 4.8, 0.5),
    Kind.PENUMBRA_GREY: Tissue(26.0, 9.0, 6.5),
    Kind.PENUMBRA_WHITE: Tissue(17.0, 10.0, 6.5),
    Kind.CORE: Tissue(5.0, 14.0, 8.0),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a phantom is made of; times in s (frames, or frames × slices), spacing (z, y, x) in mm, noise in HU."""

    shape: tuple[int, int, int] = (8, 128, 128)
    spacing: Spacing = (8.0, 1.7, 1.7)
    times: Doubles = field(default_factory=lambda: np.arange(60.0))
    head: Head = field(default_factory=Head)
    bolus: Bolus = field(default_factory=Bolus)
    tissues: dict[Kind, Tissue] = field(default_factory=lambda: dict(NORMAL))
    tiles: tuple[Tissue, ...] = ()
    noise: float = 0.0
    seed: int = 0
    artery_share: float = 1.0
    late_artery_s: float = 4.0
    sinus_delay_s: float = 6.5
    poses: Doubles | None = None
    psf_mm: float = 0.8
    subslices: int = 1
    modality: Modality = "CT"
    te_s: float = 0.03
    constants: Constants = field(default_factory=Constants)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true in each voxel (slices, rows, columns); NaN where there is no brain tissue."""

    kinds: Labels
    cbf: Floats
    cbv: Floats
    mtt_s: Floats
    delay_s: Floats

    @property
    def brain(self) -> Mask:
        """Perfused brain tissue."""
        found: Mask = np.isfinite(self.cbf)
        return found

    @property
    def core(self) -> Mask:
        """The infarct core."""
        found: Mask = self.kinds == Kind.CORE
        return found

    @property
    def hypoperfused(self) -> Mask:
        """Core and penumbra."""
        found: Mask = np.isin(self.kinds, (Kind.CORE, Kind.PENUMBRA_GREY, Kind.PENUMBRA_WHITE))
        return found

    @property
    def arteries(self) -> Mask:
        """Arteries that are not late."""
        found: Mask = self.kinds == Kind.ARTERY
        return found

    @property
    def veins(self) -> Mask:
        """The sagittal sinus."""
        found: Mask = self.kinds == Kind.SINUS
        return found


@dataclass(frozen=True, slots=True)
class Phantom:
    """A study and its truth."""

    volume: Floats
    times: Doubles
    spacing: Spacing
    truth: Truth


def make(recipe: Recipe) -> Phantom:
    """Make a phantom: (frames, slices, rows, columns) in whole HU where there is noise."""
    slices = recipe.shape[0]
    times = np.asarray(recipe.times, dtype=np.float64)
    times = np.repeat(times[:, None], slices, axis=1) if times.ndim == 1 else times
    table = _table(recipe, times)
    rng = np.random.default_rng(recipe.seed)
    still = _kinds(recipe, np.zeros(6))
    volume = np.empty((times.shape[0], *recipe.shape), dtype=np.float32)
    for frame in range(times.shape[0]):
        moved = recipe.poses is not None and bool(np.any(recipe.poses[frame]))
        kinds = _kinds(recipe, recipe.poses[frame]) if moved and recipe.poses is not None else still
        volume[frame] = _frame(recipe, kinds, table[:, frame])
        if recipe.noise:
            volume[frame] += np.float32(recipe.noise) * rng.standard_normal(recipe.shape, dtype=np.float32)
    if recipe.noise:  # without noise, whole numbers would be an error of their own
        np.rint(volume, out=volume)
    return Phantom(volume, times, recipe.spacing, _truth(recipe, still[len(still) // 2]))


def _kinds(recipe: Recipe, pose: Doubles) -> list[Labels]:
    """Return the kinds of tissue of each subslice, where the head lies as `pose` says."""
    z, y, x = middles(recipe.shape, recipe.spacing)
    turn = rotation(pose)
    found = []
    for sub in range(recipe.subslices):
        depth = z + ((sub + 0.5) / recipe.subslices - 0.5) * recipe.spacing[0]
        places = np.stack(np.broadcast_arrays(x[None, None, :], y[None, :, None], depth[:, None, None]))
        places = places - pose[3:, None, None, None]
        points = np.einsum("ji,jzyx->izyx", turn, places)
        found.append(recipe.head.kinds_at(points[0], points[1], points[2]))
    return found


def _frame(recipe: Recipe, kinds: list[Labels], values: Floats) -> Floats:
    """Return a frame from the values of each kind in each slice (kinds × slices)."""
    offset = np.arange(recipe.shape[0])[:, None, None]
    flat = values.ravel()
    whole: Floats = np.zeros(recipe.shape, dtype=np.float32)
    for one in kinds:
        whole += flat.take(one.astype(np.intp) * recipe.shape[0] + offset)
    whole /= np.float32(len(kinds))
    return smoothed(whole, recipe.psf_mm / recipe.spacing[1])


def _table(recipe: Recipe, times: Doubles) -> Floats:
    """Return the value of each kind at each frame and slice (kinds × frames × slices)."""
    rows = []
    for number in range(Kind.TILE + len(recipe.tiles)):
        kind = Kind(min(number, Kind.TILE))
        rows.append(_values(recipe, kind, _enhancement(recipe, number, times)))
    return np.stack(rows).astype(np.float32)


def _enhancement(recipe: Recipe, number: int, times: Doubles) -> Doubles:
    vessels = {
        Kind.ARTERY: (0.0, 0.0, recipe.artery_share),
        Kind.LATE_ARTERY: (recipe.late_artery_s, 1.0, 1.0),
        Kind.SINUS: (recipe.sinus_delay_s, 1.0, 1.0),
        Kind.VEIN: (recipe.sinus_delay_s - 1, 1.0, 0.7),
    }
    if number in vessels:
        delay, spread, share = vessels[Kind(number)]
        return share * vessel_curve(recipe.bolus, times, delay, spread)
    tissue = recipe.tiles[number - Kind.TILE] if number >= Kind.TILE and recipe.tiles else None
    tissue = tissue if number >= Kind.TILE else recipe.tissues.get(Kind(number))
    return np.zeros_like(times) if tissue is None else tissue.curve(recipe.bolus, times, recipe.constants)


def _values(recipe: Recipe, kind: Kind, enhancement: Doubles) -> Doubles:
    if recipe.modality == "CT":
        return ATTENUATION_HU[kind] + enhancement
    found: Doubles = SIGNAL[kind] * np.exp(-recipe.te_s * R2_PER_HU * enhancement)
    return found


def _truth(recipe: Recipe, kinds: Labels) -> Truth:
    count = Kind.TILE + max(1, len(recipe.tiles))
    table = np.full((4, count), np.nan, dtype=np.float32)
    known = {int(kind): tissue for kind, tissue in recipe.tissues.items() if kind is not Kind.SCALP}
    known |= {Kind.TILE + number: tissue for number, tissue in enumerate(recipe.tiles)}
    for number, tissue in known.items():
        table[:, number] = tissue.cbf, tissue.cbv, tissue.mtt_s, tissue.delay_s
    return Truth(kinds, *(row[kinds] for row in table))

"""A head in numbers: which kind of tissue lies at a point, in mm from the middle of the scanned slab.

x runs to the patient's left, y to the back, z to the head. Ellipses and cylinders, so that a moved head is computed at
its true places and not interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Labels = NDArray[np.int16]


class Kind(IntEnum):
    """Kinds of tissue; from TILE on, the tiles of a field of known values."""

    AIR = 0
    SCALP = 1
    SKULL = 2
    FLUID = 3
    GREY = 4
    WHITE = 5
    VENTRICLE = 6
    ARTERY = 7
    SINUS = 8
    VEIN = 9
    PENUMBRA_GREY = 10
    PENUMBRA_WHITE = 11
    CORE = 12
    LATE_ARTERY = 13
    TILE = 14


ATTENUATION_HU = {
    Kind.AIR: -1000.0, Kind.SCALP: 30.0, Kind.SKULL: 950.0, Kind.FLUID: 8.0, Kind.GREY: 37.0, Kind.WHITE: 29.0,
    Kind.VENTRICLE: 6.0, Kind.ARTERY: 42.0, Kind.SINUS: 46.0, Kind.VEIN: 44.0, Kind.PENUMBRA_GREY: 36.0,
    Kind.PENUMBRA_WHITE: 28.5, Kind.CORE: 30.0, Kind.LATE_ARTERY: 42.0, Kind.TILE: 34.0,
}  # fmt: skip
SIGNAL = {
    Kind.AIR: 5.0, Kind.SCALP: 500.0, Kind.SKULL: 60.0, Kind.FLUID: 1500.0, Kind.GREY: 800.0, Kind.WHITE: 650.0,
    Kind.VENTRICLE: 1600.0, Kind.ARTERY: 700.0, Kind.SINUS: 700.0, Kind.VEIN: 700.0, Kind.PENUMBRA_GREY: 800.0,
    Kind.PENUMBRA_WHITE: 650.0, Kind.CORE: 780.0, Kind.LATE_ARTERY: 700.0, Kind.TILE: 750.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lesion:
    """An ellipsoid of late tissue with a core inside it: centre and half axes in mm, the core's as a share."""

    centre_mm: tuple[float, float, float] = (40.0, 8.0, 0.0)
    half_axes_mm: tuple[float, float, float] = (19.0, 30.0, 36.0)
    core_share: float = 0.62
    core_offset_mm: tuple[float, float, float] = (-2.0, 3.0, 0.0)


@dataclass(frozen=True, slots=True)
class Head:
    """Half axes of the skull's outside (mm), sizes and places of what is in it."""

    half_axes_mm: tuple[float, float, float] = (72.0, 90.0, 105.0)
    skull_mm: float = 6.5
    scalp_mm: float = 6.0
    artery_radius_mm: float = 2.2
    sinus_radius_mm: float = 4.5
    middle_mm: tuple[float, float] = (27.0, -18.0)
    vein_places_mm: tuple[tuple[float, float], ...] = ((-38.0, 40.0), (22.0, 46.0))
    late_artery_mm: tuple[float, float] | None = None
    lesion: Lesion | None = None
    tiles: tuple[int, int] | None = None
    tile_mm: float = 14.0

    def kinds_at(self, x: Doubles, y: Doubles, z: Doubles) -> Labels:
        """Return the kind of tissue at each point (mm), all three of one shape."""
        across, along, up = self.half_axes_mm
        taper = np.sqrt(np.clip(1 - (z / up) ** 2, 0.05, 1))
        radius = np.hypot(x / (across * taper), y / (along * taper))
        mean = 0.5 * (across + along)
        inner = 1 - self.skull_mm / mean
        brain = inner - 2.5 / mean
        found = np.full(radius.shape, Kind.AIR, dtype=np.int16)
        found[radius < 1 + self.scalp_mm / mean] = Kind.SCALP
        found[radius < 1] = Kind.SKULL
        found[radius < inner] = Kind.FLUID
        found[radius < brain] = Kind.GREY
        deep = (np.hypot((np.abs(x) - 22) / 8, (y + 4) / 13) < 1) & (np.abs(z) < 40)
        found[(radius < brain - 14 / mean) & ~deep] = Kind.WHITE
        if self.tiles is not None:
            self._lay_tiles(found, radius < brain, x, y)
        if self.lesion is not None:
            _lay_lesion(found, self.lesion, x, y, z)
        found[np.hypot((np.abs(x) - 8 - 0.12 * np.abs(y)) / 4.5, (y - 4) / 21) < 1] = Kind.VENTRICLE
        self._lay_vessels(found, x, y, inner * along * taper)
        return found

    def _lay_tiles(self, found: Labels, inside: NDArray[np.bool_], x: Doubles, y: Doubles) -> None:
        rows, columns = self.tiles or (1, 1)
        row = np.floor(y / self.tile_mm + rows / 2).astype(np.int16)
        column = np.floor(x / self.tile_mm + columns / 2).astype(np.int16)
        laid = inside & (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        found[laid] = (Kind.TILE + row * columns + column)[laid]

    def _lay_vessels(self, found: Labels, x: Doubles, y: Doubles, back: Doubles) -> None:
        side, front = self.middle_mm
        thick = self.artery_radius_mm
        for place in ((side, front), (-side, front), (0.0, front - 26)):
            found[np.hypot(x - place[0], y - place[1]) < thick] = Kind.ARTERY
        if self.late_artery_mm is not None:
            found[np.hypot(x - self.late_artery_mm[0], y - self.late_artery_mm[1]) < thick] = Kind.LATE_ARTERY
        for place in self.vein_places_mm:
            found[np.hypot(x - place[0], y - place[1]) < 1.8] = Kind.VEIN
        sinus = self.sinus_radius_mm
        found[np.hypot(x, y - (back - sinus)) < sinus] = Kind.SINUS


def _lay_lesion(found: Labels, lesion: Lesion, x: Doubles, y: Doubles, z: Doubles) -> None:
    centre, half = np.asarray(lesion.centre_mm), np.asarray(lesion.half_axes_mm)
    whole = sum(((axis - centre[n]) / half[n]) ** 2 for n, axis in enumerate((x, y, z))) < 1
    inside = centre + np.asarray(lesion.core_offset_mm)
    small = half * lesion.core_share
    core = sum(((axis - inside[n]) / small[n]) ** 2 for n, axis in enumerate((x, y, z))) < 1
    grey, white = found == Kind.GREY, found == Kind.WHITE
    found[whole & grey] = Kind.PENUMBRA_GREY
    found[whole & white] = Kind.PENUMBRA_WHITE
    found[core & whole & (grey | white)] = Kind.CORE

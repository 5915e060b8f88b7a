"""Pictures of phantoms: heads, chests, breasts and hearts made of ellipses, profiles and noise.

Nothing here is a patient's. Every picture follows from its seed; arrays are made by whole-array operations, because
load tests need hundreds of slices per second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Signed = NDArray[np.int16]
Unsigned = NDArray[np.uint16]
Bytes = NDArray[np.uint8]
_Floats = NDArray[np.float32]

_STEPS = 1024


def _axis(length: int) -> _Floats:
    return np.linspace(-1, 1, length, dtype=np.float32)


def _smooth(values: _Floats, rounds: int) -> _Floats:
    for _ in range(rounds):
        values = (values + np.roll(values, 1, 0)) * np.float32(0.5)
        values = (values + np.roll(values, 1, 1)) * np.float32(0.5)
    return values


def _profile(*points: tuple[float, float]) -> Signed:
    """Return values by squared radius 0 to 2 in `_STEPS` steps, linear between (radius, value) points."""
    radius = np.sqrt(np.linspace(0, 2, _STEPS))
    return np.rint(np.interp(radius, [p[0] for p in points], [p[1] for p in points])).astype(np.int16)


@dataclass(slots=True)
class _Ellipse:
    """An ellipse in picture coordinates -1 to 1: centre, half axes, value added within, softness of its edge."""

    x: float
    y: float
    rx: float
    ry: float
    value: float
    soft: float = 0.15


class _Canvas:
    """Draws ellipses on int16 pictures of one size."""

    def __init__(self, rows: int, columns: int) -> None:
        self.y, self.x = _axis(rows), _axis(columns)

    def squared_radius(self, rx: float, ry: float) -> NDArray[np.uint16]:
        """Return the squared elliptic radius of each pixel as an index into a profile."""
        scale = np.float32((_STEPS - 1) / 2)
        along = np.minimum((self.y / np.float32(ry)) ** 2, 2) * scale
        across = np.minimum((self.x / np.float32(rx)) ** 2, 2) * scale
        index: NDArray[np.uint16] = np.minimum(
            along.astype(np.uint16)[:, None] + across.astype(np.uint16)[None, :], np.uint16(_STEPS - 1)
        )
        return index

    def add(self, picture: NDArray[Any], ellipse: _Ellipse) -> None:
        """Add an ellipse to `picture`, touching its bounding box alone."""
        rows = _span(ellipse.y, ellipse.ry, len(self.y))
        columns = _span(ellipse.x, ellipse.rx, len(self.x))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        sharp = 1 / (2 * ellipse.soft)
        across = ((self.x[columns] - ellipse.x) * (1 / ellipse.rx)) ** 2 * sharp
        within = (sharp - ((self.y[rows] - ellipse.y) * (1 / ellipse.ry)) ** 2 * sharp)[:, None] - across[None, :]
        np.maximum(within, 0, out=within)
        np.minimum(within, 1, out=within)
        within *= ellipse.value
        picture[rows, columns] += within.astype(picture.dtype)


def _span(centre: float, half: float, length: int) -> slice:
    """Return the pixels of -1 to 1 in `length` steps that lie within `half` of `centre`."""
    if half <= 0:
        return slice(0, 0)
    scale = (length - 1) / 2
    first, last = int((centre - half + 1) * scale) + 1, int((centre + half + 1) * scale)
    return slice(max(0, first), max(0, min(length, last + 1)))


@dataclass
class HeadCt:
    """Axial CT slices of a head in HU + 1024, 12 bits, shape (size, size)."""

    size: int
    seed: int
    _profiles: list[Signed] = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.canvas = _Canvas(self.size, self.size)
        margin = self.size + 256
        noise = _smooth(self.random.normal(0, 1, (margin, margin)).astype(np.float32), 1)
        texture = _smooth(self.random.normal(0, 1, (margin, margin)).astype(np.float32), 12)
        noise = noise * (9 / noise.std()) + texture * (3 / texture.std())
        self.noise = np.rint(noise).astype(np.int16)
        self._profile = _profile(
            (0.0, 1060), (0.80, 1062), (0.86, 1040), (0.88, 1900), (0.92, 2300), (0.955, 1800), (0.965, 1070),
            (0.99, 950), (1.0, 24), (2, 24),
        )  # fmt: skip

    def slice(self, place: float) -> Signed:
        """Return the slice at `place`, 0 at the base to 1 at the vertex."""
        shrink = float(np.sqrt(max(0.05, 1 - (0.98 * place - 0.1) ** 2)))
        rx, ry = 0.62 * shrink, 0.78 * shrink
        picture: Signed = self._profile[self.canvas.squared_radius(rx, ry)]
        width = 0.11 * max(0.0, 1 - abs(place - 0.5) * 3.2)
        for side in (-1, 1):
            self.canvas.add(picture, _Ellipse(side * 0.10, -0.08, width, width * 2.6, -32, 0.3))
            self.canvas.add(picture, _Ellipse(side * 0.27, 0.02, 0.16 * shrink, 0.42 * shrink, 9, 0.4))
            if place < 0.22:
                self.canvas.add(picture, _Ellipse(side * 0.24, -0.47, 0.12, 0.13, -60, 0.2))
                self.canvas.add(picture, _Ellipse(side * 0.40, 0.12, 0.13, 0.09, 700, 0.5))
        if place < 0.3:
            self.canvas.add(picture, _Ellipse(0, -0.52, 0.09, 0.12, -900, 0.3))
        self.canvas.add(picture, _Ellipse(0, 0.0, 0.012, 0.70 * shrink, 18, 0.6))
        return self._noisy(picture)

    def _noisy(self, picture: Signed) -> Signed:
        y, x = self.random.integers(0, 256, 2)
        picture += self.noise[y : y + self.size, x : x + self.size]
        np.clip(picture, 0, 4095, out=picture)
        return picture


@dataclass
class ChestCt(HeadCt):
    """Axial CT slices of a chest in HU + 1024, 12 bits, shape (size, size)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.noise = (self.noise * 2).astype(np.int16)
        self._profile = _profile((0.0, 1070), (0.80, 1075), (0.84, 930), (0.97, 925), (0.99, 1050), (1.0, 24), (2, 24))
        angles = self.random.uniform(0, 2 * np.pi, 60)
        reach = np.sqrt(self.random.uniform(0.02, 0.8, 60))
        self._vessels = np.stack([angles, reach, self.random.uniform(0.006, 0.022, 60)], axis=1).tolist()

    def slice(self, place: float) -> Signed:
        """Return the slice at `place`, 0 at the diaphragm to 1 at the apex."""
        picture: Signed = self._profile[self.canvas.squared_radius(0.86 - 0.1 * place, 0.60 - 0.05 * place)]
        width = 0.30 * float(np.sqrt(max(0.0, 1 - (place * 1.05 - 0.1) ** 2)))
        for side in (-1, 1):
            self.canvas.add(picture, _Ellipse(side * 0.38, -0.02, width, width * 1.35, -880, 0.06))
            for angle, reach, radius in self._vessels[::side][:15]:
                x = side * 0.38 + width * reach * math.cos(angle + place * 5)
                y = -0.02 + width * 1.3 * reach * math.sin(angle + place * 5)
                self.canvas.add(picture, _Ellipse(x, y, radius, radius, 800, 0.5))
        if place < 0.6:
            self.canvas.add(picture, _Ellipse(0.06, -0.16, 0.24 * (1 - place), 0.22 * (1 - place), 800, 0.1))
        self.canvas.add(picture, _Ellipse(0.10, 0.16, 0.055, 0.055, 110, 0.2))
        self.canvas.add(picture, _Ellipse(0.0, 0.34, 0.10, 0.09, 420, 0.3))
        self.canvas.add(picture, _Ellipse(0.0, 0.355, 0.04, 0.035, -400, 0.3))
        for rib in range(10):
            angle = rib * math.pi / 5 + place * 4
            self.canvas.add(picture, _Ellipse(0.70 * math.cos(angle), 0.46 * math.sin(angle), 0.06, 0.03, 600, 0.4))
        return self._noisy(picture)


@dataclass
class HeadMr(HeadCt):
    """Axial MR slices of a head, 12 bits, shape (size, size); `weighting` is T1 or T2."""

    weighting: str = "T1"

    def __post_init__(self) -> None:
        super().__post_init__()
        white, grey, fluid = (900, 650, 180) if self.weighting == "T1" else (420, 620, 1900)
        self._fluid = fluid - white
        self._profile = _profile(
            (0.0, white), (0.60, white), (0.68, grey), (0.80, grey), (0.83, fluid), (0.86, fluid), (0.88, 60),
            (0.93, 40), (0.945, 1400), (0.99, 1100), (1.0, 8), (2, 8),
        )  # fmt: skip
        y, x = self.canvas.y[:, None], self.canvas.x[None, :]
        self._bias = (1 + np.float32(0.12) * x - np.float32(0.08) * y).astype(np.float32)

    def slice(self, place: float) -> Signed:
        """Return the slice at `place`, 0 at the base to 1 at the vertex."""
        shrink = float(np.sqrt(max(0.05, 1 - (0.98 * place - 0.1) ** 2)))
        picture: Signed = self._profile[self.canvas.squared_radius(0.62 * shrink, 0.78 * shrink)]
        width = 0.11 * max(0.0, 1 - abs(place - 0.5) * 3.2)
        for side in (-1, 1):
            self.canvas.add(picture, _Ellipse(side * 0.10, -0.08, width, width * 2.6, self._fluid, 0.3))
            self.canvas.add(picture, _Ellipse(side * 0.17, 0.05, 0.06 * shrink, 0.10 * shrink, -120, 0.4))
        self.canvas.add(picture, _Ellipse(0, 0.0, 0.012, 0.70 * shrink, self._fluid / 2, 0.6))
        picture = (picture * self._bias).astype(np.int16)
        return np.abs(self._noisy(picture))


def chest_radiograph(rows: int, columns: int, seed: int) -> Unsigned:
    """Return a frontal chest radiograph, 12 bits, bright where dense, shape (rows, columns)."""
    random = np.random.default_rng(seed)
    canvas = _Canvas(rows, columns)
    picture = np.full((rows, columns), 300, np.float32)
    canvas.add(picture, _Ellipse(0, 0.25, 0.92, 1.35, 1900, 0.25))
    canvas.add(picture, _Ellipse(0, -0.95, 0.22, 0.35, 900, 0.3))
    for side in (-1, 1):
        canvas.add(picture, _Ellipse(side * 0.42, -0.08, 0.34, 0.66, -1350, 0.18))
        for rib in range(9):
            canvas.add(picture, _Ellipse(side * 0.42, -0.62 + rib * 0.13, 0.40, 0.035, 230, 0.5))
        canvas.add(picture, _Ellipse(side * 0.42, -0.72, 0.42, 0.04, 420, 0.5))
    canvas.add(picture, _Ellipse(0.10, 0.22, 0.30, 0.32, 900, 0.3))
    for bone in range(12):
        canvas.add(picture, _Ellipse(0, -0.9 + bone * 0.16, 0.075, 0.07, 420, 0.4))
    canvas.add(picture, _Ellipse(0, 1.05, 1.0, 0.55, 700, 0.3))
    noise = random.standard_normal((rows // 2 + 1, columns // 2 + 1), np.float32) * np.float32(22)
    picture += np.repeat(np.repeat(noise, 2, 0), 2, 1)[:rows, :columns]
    return np.clip(picture, 0, 4095).astype(np.uint16)


def mammogram(rows: int, columns: int, seed: int, *, left: bool) -> Unsigned:
    """Return a cranio-caudal mammogram, 12 bits, shape (rows, columns); the chest wall is where it belongs."""
    random = np.random.default_rng(seed)
    canvas = _Canvas(rows, columns)
    wall = -1.0 if left else 1.0
    picture = np.zeros((rows, columns), np.float32)
    canvas.add(picture, _Ellipse(wall, 0, 1.35, 0.80, 1500, 0.12))
    canvas.add(picture, _Ellipse(wall * 0.75, 0, 0.85, 0.55, 700, 0.5))
    for _ in range(60):
        x, y = random.uniform(0, 0.8), random.uniform(-0.45, 0.45)
        radius = random.uniform(0.02, 0.10)
        canvas.add(picture, _Ellipse(wall * (1 - x), y, radius * 1.6, radius * 0.5, random.uniform(60, 320), 0.7))
    for _ in range(12):
        x, y = 0.45 + random.normal(0, 0.02), 0.1 + random.normal(0, 0.02)
        canvas.add(picture, _Ellipse(wall * (1 - x), y, 0.004, 0.003, 900, 0.3))
    inside = picture > 40
    picture += random.standard_normal((rows, columns), np.float32) * np.where(inside, np.float32(18), np.float32(2))
    return np.clip(picture, 0, 4095).astype(np.uint16)


def ultrasound_loop(frames: int, rows: int, columns: int, seed: int) -> Bytes:
    """Return a beating heart in a sector, RGB, shape (frames, rows, columns, 3), with a patch of colour flow."""
    random = np.random.default_rng(seed)
    y = np.linspace(0, 1.05, rows, dtype=np.float32)[:, None]
    x = np.linspace(-0.7, 0.7, columns, dtype=np.float32)[None, :]
    depth, angle = np.hypot(x, y), np.arctan2(x, y)
    sector = (depth > 0.06) & (depth < 1) & (np.abs(angle) < 0.65)
    speckle = random.rayleigh(1, (420, 260)).astype(np.float32)
    rows_at = np.clip(depth * 400, 0, 419).astype(np.intp)
    columns_at = np.clip((angle + 0.65) * 200, 0, 259).astype(np.intp)
    grain = speckle[rows_at, columns_at] * np.exp(-depth * np.float32(0.5))
    loop = np.zeros((frames, rows, columns, 3), np.uint8)
    for number in range(frames):
        beat = 1 + 0.16 * np.sin(2 * np.pi * number / max(1, frames))
        radius = np.hypot((x - 0.02) / (0.20 * beat), (y - 0.55) / (0.30 * beat))
        tissue = np.where(radius < 1, np.float32(8), np.where(radius < 1.25, np.float32(105), np.float32(52)))
        grey = np.where(sector, np.clip(tissue * grain, 0, 255), 0).astype(np.uint8)
        loop[number] = grey[:, :, None]
        jet = sector & (np.hypot((x - 0.02) / 0.06, (y - 0.40) / 0.13) < beat - 0.02)
        loop[number, jet] = (230, 60, 20) if beat > 1 else (20, 80, 230)
    return loop

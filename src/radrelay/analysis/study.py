"""What an analysis works on and what it found, between reading images, computing, writing objects and showing.

`PerfusionStudy` is what was read from DICOM images (PS3.3 C.7.6.2: positions and orientation in the patient's
coordinates, mm); `Findings` is what a page shows of a result, as JSON, without a name or a number of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

FINDINGS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Slab:
    """Where voxels (slices, rows, columns) lie: each slice's first pixel in mm, lowest along the normal first."""

    rows: int
    columns: int
    positions: tuple[tuple[float, float, float], ...]
    orientation: tuple[float, float, float, float, float, float]
    pixel_spacing: tuple[float, float]
    thickness_mm: float
    frame_of_reference_uid: str

    @property
    def slices(self) -> int:
        """How many slices there are."""
        return len(self.positions)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of slices, rows and columns in mm; of one slice alone its thickness."""
        if len(self.positions) < 2:
            return (self.thickness_mm, *self.pixel_spacing)
        across = np.cross(self.orientation[:3], self.orientation[3:])
        along = np.asarray(self.positions, dtype=np.float64) @ across
        return (float(np.median(np.abs(np.diff(along)))), *self.pixel_spacing)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image that a result rests on; `frame` counts from 1 in objects of several."""

    sop_class_uid: str
    sop_uid: str
    series_uid: str
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Images:
    """A volume as it was read: (frames, slices, rows, columns), or (slices, rows, columns) of what has no time.

    `times`: frames × slices in s, NaN where a slice was not acquired; `other_times` the same as another attribute
    tells them, none where there is no other. `references`: per slice, the images it came from.
    """

    values: NDArray[np.generic]
    slab: Slab
    references: tuple[tuple[ImageReference, ...], ...]
    times: NDArray[np.float64] | None = None
    other_times: NDArray[np.float64] | None = None


class SeriesRole(msgspec.Struct, frozen=True):
    """A series and what it was taken for: perfusion, diffusion, adc, native; by its number (0020,0011), with images."""

    role: str
    series_uid: str
    number: int
    images: int


@dataclass(frozen=True, slots=True)
class PerfusionStudy:
    """What an analysis of perfusion is given.

    `perfusion` in HU, or as MR signal with `te_s`; `diffusion` as apparent diffusion coefficients in µm²/s with
    `diffusion_weighted` beside it, on their own slab; `header` holds the patient's and the study's attributes, and
    those of the equipment, of one of the images; `series` are all that have a part, the native scan too.
    """

    modality: str
    header: Dataset
    perfusion: Images
    te_s: float | None = None
    diffusion: Images | None = None
    diffusion_weighted: Images | None = None
    notes: tuple[str, ...] = field(default=())
    series: tuple[SeriesRole, ...] = ()


class Curve(msgspec.Struct, frozen=True):
    """A vessel's curve at even times (s; HU or 1/s) and the places (slice, row, column) that it was read at."""

    times_s: list[float]
    values: list[float]
    places: list[tuple[int, int, int]]


class Moved(msgspec.Struct, frozen=True):
    """A frame's motion: shift (x, y, z) in mm, turn about x, y, z in degrees, fit with the reference (1 at best)."""

    shift_mm: tuple[float, float, float]
    turn_deg: tuple[float, float, float]
    fit: float
    lost: bool


class WarningTold(msgspec.Struct, frozen=True):
    """Something that a reader is to know: a code, and its numbers."""

    code: str
    facts: dict[str, str | int | float | bool | None] = {}


class Outline(msgspec.Struct, frozen=True):
    """A mask: per slice the lengths of runs along the rows, those outside and inside in turn, outside first."""

    runs: list[list[int]]


class MapSeries(msgspec.Struct, frozen=True):
    """A map as it was written: the series of its pictures in colour, and per slice the picture's SOP Instance UID.

    `least` and `most` are the ends of its scale, in `unit`.
    """

    name: str
    unit: str
    least: float
    most: float
    series_uid: str
    sop_uids: list[str]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What an analysis of perfusion found, for a page: volumes in mL, none where a number has no meaning.

    `maps` holds the maps, `mean` (the mean image) and `lesions` (core and late tissue upon it); their pictures show
    each pixel as `picture_scale` × `picture_scale`, outlines are on the images' own. `sides` are the patient's (R, L)
    at the left and right edge of a slice, empty where its rows run otherwise.
    """

    version: int = FINDINGS_VERSION
    modality: str
    program: str
    slices: int
    rows: int
    columns: int
    spacing_mm: tuple[float, float, float]
    core_ml: float | None
    late_ml: dict[str, float]
    mismatch_ml: float | None
    mismatch_ratio: float | None
    intensity_ratio: float | None
    partial_volume: float
    arrival_s: float
    artery: Curve
    vein: Curve | None
    frame_times_s: list[float]
    motion: list[Moved]
    dropped: list[int]
    warnings: list[WarningTold]
    constants: dict[str, str | int | float | bool | list[float] | None]
    seconds: dict[str, float]
    core: Outline
    late: dict[str, Outline]
    maps: list[MapSeries]
    summary: MapSeries | None = None
    made_at: str = ""
    normal_cbf: float | None = None
    picture_scale: int = 1
    curve_unit: str = "HU"
    reference_frame: int | None = None
    sides: tuple[str, str] = ("", "")
    series: list[SeriesRole] = []


def run_lengths(mask: NDArray[np.bool_]) -> Outline:
    """Return a mask (slices, rows, columns) as runs."""
    runs = []
    for one in mask:
        flat = np.concatenate(([False], one.ravel(), [False]))
        edges = np.flatnonzero(flat[1:] != flat[:-1])
        runs.append([int(length) for length in np.diff(np.concatenate(([0], edges, [one.size])))])
    return Outline(runs)

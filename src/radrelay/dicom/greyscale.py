"""From stored values to grey: modality, values of interest, inversion, padding (PS3.3 C.11.1, C.11.2; PS3.4 N.2).

In: a header's attributes and the frame's number. Out: a `Presentation`, and with it 8-bit samples to look at.
Functional groups of enhanced multi-frame objects win over the top level (PS3.3 C.7.6.16.2.10).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radrelay.dicom.elements import Attributes
from radrelay.dicom.lookup import LookupTable, lookup_table
from radrelay.dicom.pixels import FrameDescriptor, Pixels

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
_SHARED, _PER_FRAME = 0x52009229, 0x52009230
_PIXEL_VALUES, _FRAME_VOI = 0x00289145, 0x00289132
_SEGMENTATION_TYPE, _MAXIMUM_FRACTION = 0x00620001, 0x0062000E
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
_DOSE_GRID_SCALING = 0x3004000E


@dataclass(frozen=True, slots=True)
class Window:
    """A range of output values of the modality step, and how it becomes grey (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: Function = "LINEAR"

    def apply(self, values: Pixels) -> Pixels:
        """Return brightness between 0 and 1 for values, float32."""
        wide = values.astype(np.float32, copy=False)
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                sigmoid: Pixels = 1 / (1 + np.exp(np.float32(-4) * (wide - self.center) / max(self.width, 1e-6)))
            return sigmoid
        if self.function == "LINEAR_EXACT":
            scaled = (wide - self.center) / max(self.width, 1e-6) + 0.5
        elif self.width <= 1:
            scaled = (wide > self.center - 0.5).astype(np.float32)
        else:
            scaled = (wide - (self.center - 0.5)) / (self.width - 1) + 0.5
        clipped: Pixels = np.clip(scaled, 0, 1)
        return clipped


@dataclass(frozen=True, slots=True)
class Presentation:
    """How the stored values of one frame are meant to be seen."""

    slope: float = 1.0
    intercept: float = 0.0
    modality_table: LookupTable | None = None
    window: Window | None = None
    voi_table: LookupTable | None = None
    inverse: bool = False
    padding: tuple[int, int] | None = None
    """First and last stored value that stand for "no pixel"."""

    def modality(self, stored: Pixels) -> Pixels:
        """Return values in the modality's units (HU, …): integers where slope and intercept are whole."""
        if self.modality_table is not None:
            return self.modality_table.apply(stored)
        if self.slope == 1 and self.intercept == 0:
            return stored
        if self.slope.is_integer() and self.intercept.is_integer() and stored.dtype.kind in "iu":
            whole: Pixels = stored.astype(np.int64) * int(self.slope) + int(self.intercept)
            return whole
        scaled: Pixels = stored * np.float64(self.slope) + np.float64(self.intercept)
        return scaled


def macro(attributes: Attributes, frame: int, sequence: int) -> Iterator[Attributes]:
    """Yield where the attributes of a functional group may stand for a frame (0-based): nearest first, then the top."""
    per_frame = attributes.items(_PER_FRAME) if _PER_FRAME in attributes else []
    if 0 <= frame < len(per_frame):
        yield from list(per_frame[frame].items(sequence))[:1]
    for shared in list(attributes.items(_SHARED))[:1] if _SHARED in attributes else []:
        yield from list(shared.items(sequence))[:1]
    yield attributes


def presentation(attributes: Attributes, descriptor: FrameDescriptor, frame: int = 0) -> Presentation:
    """Read how one frame (0-based) is meant to be seen. Bad or absent values leave a step out."""
    slope, intercept = 1.0, 0.0
    table = None
    signed = descriptor.signed
    for source in macro(attributes, frame, _PIXEL_VALUES):
        tables = source.items(0x00283000)
        if tables:
            table = lookup_table(tables[0], signed=signed)
            break
        if 0x00281053 in source or 0x00281052 in source:
            slope = (source.numbers(0x00281053) or [1.0])[0] or 1.0
            intercept = (source.numbers(0x00281052) or [0.0])[0]
            break
    else:
        slope = dose_scaling(attributes) or 1.0
    lowest = intercept + slope * (-(1 << descriptor.bits_stored - 1) if signed else 0)
    window, voi = _voi(attributes, frame, descriptor, signed=table is None and (lowest < 0 or slope < 0))
    if window is None and voi is None and table is None and (slope, intercept) == (1.0, 0.0):
        window = _whole_range(attributes, descriptor)
    padding = [_as_stored(value, descriptor) for value in attributes.integers(0x00280120)[:1]]
    limit = [_as_stored(value, descriptor) for value in attributes.integers(0x00280121)[:1]] or padding
    return Presentation(
        slope=slope,
        intercept=intercept,
        modality_table=table,
        window=window,
        voi_table=voi,
        inverse=descriptor.photometric == "MONOCHROME1",
        padding=(min(padding[0], limit[0]), max(padding[0], limit[0])) if padding else None,
    )


def dose_scaling(attributes: Attributes) -> float | None:
    """Return what a stored value of a dose grid is to be multiplied by (PS3.3 C.8.8.3); none of anything else."""
    if not is_dose(attributes):
        return None
    scaling = (attributes.numbers(_DOSE_GRID_SCALING) or [0.0])[0]
    return scaling if math.isfinite(scaling) and scaling > 0 else None


def is_dose(attributes: Attributes) -> bool:
    """Say whether the object is a dose grid."""
    return [text.strip() for text in attributes.texts(0x00080016)[:1]] == [RT_DOSE]


def _as_stored(value: int, descriptor: FrameDescriptor) -> int:
    """Return a stored value with the pixels' sign: some write a negative padding as US, or a large one as SS."""
    if descriptor.bits_allocated != 16:
        return value
    return (value + 0x8000 & 0xFFFF) - 0x8000 if descriptor.signed else value & 0xFFFF


def _voi(
    attributes: Attributes, frame: int, descriptor: FrameDescriptor, *, signed: bool
) -> tuple[Window | None, LookupTable | None]:
    for source in macro(attributes, frame, _FRAME_VOI):
        tables = source.items(0x00283010)
        if tables:
            return None, lookup_table(tables[0], signed=signed)
        centers, widths = source.numbers(0x00281050), source.numbers(0x00281051)
        if centers and widths and widths[0] > 0:
            named = (source.texts(0x00281056) or ["LINEAR"])[0].upper()
            return Window(centers[0], widths[0], _function(named, widths[0], descriptor)), None
    return None, None


def _function(named: str, width: float, descriptor: FrameDescriptor) -> Function:
    """Return how a window becomes grey.

    LINEAR counts whole values and asks for a width of 1 or more (PS3.3 C.11.2.1.2.1); on floats, and below that
    width, it would be a step, so such a window is taken as the range that it names.
    """
    if named == "SIGMOID":
        return "SIGMOID"
    return "LINEAR_EXACT" if named == "LINEAR_EXACT" or descriptor.kind != "integer" or width < 1 else "LINEAR"


def _whole_range(attributes: Attributes, descriptor: FrameDescriptor) -> Window | None:
    """Return the window over all values that can occur, where they are few enough to be told apart.

    It is the same for every frame, whatever the frame holds: 0 is black in an empty mask, too. Label maps, whose
    labels are the lowest few of many values, have none (PS3.3 C.8.20.2).
    """
    if descriptor.kind != "integer" or descriptor.signed or descriptor.bits_stored > 8:
        return None
    top = float((1 << descriptor.bits_stored) - 1)
    if descriptor.bits_allocated > 1:
        segmentation = (attributes.texts(_SEGMENTATION_TYPE) or [""])[0].upper()
        if segmentation == "LABELMAP":
            return None
        most = attributes.integers(_MAXIMUM_FRACTION)[:1] if segmentation == "FRACTIONAL" else []
        top = float(most[0]) if most and 0 < most[0] < top else top
    return Window(top / 2, top, "LINEAR_EXACT")


def to_grey(stored: Pixels, descriptor: FrameDescriptor, shown: Presentation, window: Window | None = None) -> Pixels:
    """Return 8-bit grey, shape (rows, columns), of one frame's stored values; `window` wins over the header's.

    Without any window the frame's own range is spread over the greys.
    """
    if stored.dtype.itemsize <= 2 and stored.dtype.kind in "iu" and stored.size > 1 << 16:
        limits = np.iinfo(stored.dtype)
        auto = window or shown.window or _automatic(stored, shown)
        # Every value that can occur, looked up once: indexing beats arithmetic on millions of pixels.
        every = np.arange(limits.min, limits.max + 1, dtype=np.int32)
        table = np.roll(_grey(every, descriptor, shown, auto), limits.min)
        unsigned = stored.view(f"u{stored.dtype.itemsize}")
        looked_up: Pixels = table[unsigned]
        return looked_up
    return _grey(stored, descriptor, shown, window or shown.window or _automatic(stored, shown))


def _automatic(stored: Pixels, shown: Presentation) -> Window | None:
    if shown.voi_table is not None:
        return None
    values = stored
    if shown.padding is not None:
        inside = (stored < shown.padding[0]) | (stored > shown.padding[1])
        values = stored[inside] if inside.any() else stored
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        values = finite if finite.size else np.zeros(1, np.float32)
    ends = shown.modality(np.array([values.min(), values.max()], values.dtype))
    low, high = float(min(ends)), float(max(ends))
    if low == high:  # one value alone has no contrast of its own: it is seen against zero, and zero is black
        low, high = min(low, 0.0), max(high, 0.0) or float(low == 0)
    return Window((low + high) / 2, high - low, "LINEAR_EXACT")


def _grey(stored: Pixels, descriptor: FrameDescriptor, shown: Presentation, window: Window | None) -> Pixels:
    values = shown.modality(stored)
    if window is not None:
        bright = window.apply(values)
    elif shown.voi_table is not None:
        bright = shown.voi_table.apply(values).astype(np.float32) / ((1 << shown.voi_table.bits) - 1)
    else:
        bright = values.astype(np.float32) / ((1 << descriptor.bits_stored) - 1)
    if shown.inverse:
        bright = 1 - bright
    grey: Pixels = np.rint(np.clip(np.nan_to_num(bright), 0, 1) * 255).astype(np.uint8)
    if shown.padding is not None:
        grey[(stored >= shown.padding[0]) & (stored <= shown.padding[1])] = 0
    return grey

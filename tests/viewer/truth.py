"""What a picture must look like: samples by pydicom or another program, grey by the formulas of PS3.3 in numpy.

In: a data set and a frame. Out: RGB of 8 bits, shape (rows, columns, 3), as it belongs on the screen before scaling.
Nothing of Radrelay is used here. pydicom's own windowing is asked beside the formulas and must agree.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing

Array = NDArray[Any]
PIXEL_VALUES, FRAME_VOI = "PixelValueTransformationSequence", "FrameVOILUTSequence"
OF_VALUES = ("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence")
OF_VOI = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence")
SAMPLED = 65_536
SLICES = ("CT", "MR", "PT", "NM")


@dataclass(frozen=True)
class Window:
    """A VOI window; `function` as in PS3.3 C.11.2.1.2 and C.11.2.1.3."""

    center: float
    width: float
    function: str = "LINEAR"

    def brightness(self, values: Array) -> Array:
        """Return brightness from 0 to 1 of values in the modality's units."""
        x = values.astype(np.float64)
        if self.function == "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (x - self.center) / self.width, -700, 700)))
        if self.function == "LINEAR_EXACT":
            return np.clip((x - self.center) / self.width + 0.5, 0, 1)
        if self.width == 1:
            return (x > self.center - 0.5).astype(np.float64)
        return np.clip((x - (self.center - 0.5)) / (self.width - 1) + 0.5, 0, 1)


def flat(data_set: Dataset, frame: int) -> Dataset:
    """Return what holds for one frame (from 0): the functional groups' values in the place of the top level's."""
    one = Dataset()
    one.file_meta = data_set.file_meta
    for name in (
        "BitsAllocated",
        "BitsStored",
        "PixelRepresentation",
        "PhotometricInterpretation",
        *OF_VALUES,
        *OF_VOI,
    ):
        if name in data_set:
            one[name] = data_set[name]
    shared = data_set.get("SharedFunctionalGroupsSequence") or []
    own = data_set.get("PerFrameFunctionalGroupsSequence") or []
    for group in (*shared[:1], *own[frame : frame + 1]):
        for macro in (PIXEL_VALUES, FRAME_VOI):
            for item in group.get(macro) or []:
                for element in item:
                    one[element.tag] = element
    return one


def shown(data_set: Dataset, samples: Array, frame: int = 0, window: Window | None = None) -> Array:
    """Return the picture of one frame's samples: RGB samples become 8 bits, grey ones go through their tables.

    Without any window: soft tissue for Hounsfield units, all values that 8 bits or fewer can hold, else 99 % of the
    frame's values.
    """
    one = flat(data_set, frame)
    if samples.ndim == 3:
        return (samples >> 8 * (samples.dtype.itemsize - 1)).astype(np.uint8)
    if one.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(samples, data_set)
        return (colours >> 8).astype(np.uint8) if colours.dtype.itemsize == 2 else colours.astype(np.uint8)
    bright = brightness(one, samples, data_set, window)
    if one.PhotometricInterpretation == "MONOCHROME1":
        bright = 1 - bright
    grey = np.floor(255 * bright + 0.5).astype(np.uint8)
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def brightness(one: Dataset, samples: Array, data_set: Dataset, window: Window | None = None) -> Array:
    """Return 0 to 1 for one frame's stored grey values."""
    values = apply_modality_lut(samples, one)
    if window is None and one.get("VOILUTSequence"):
        table = apply_voi(values, one)
        return table / (2.0 ** int(one.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    named = window or _own_window(one) or _soft_tissue(one, data_set)
    if named is not None and named.function == "LINEAR" and (samples.dtype.kind == "f" or named.width < 1):
        return replace(named, function="LINEAR_EXACT").brightness(values)  # LINEAR counts whole values: a choice, again
    if named is None:
        return _whole(one, samples, values, data_set).brightness(values)
    bright = named.brightness(values)
    if window is None and "WindowCenter" in one and samples.dtype.kind != "f":
        _agrees(one, values, bright)
    return bright


def of_series(data_set: Dataset, samples: Array) -> Window | None:
    """Return a window for slices and runs of frames that bring none: what the viewer takes depends on all of them."""
    one = flat(data_set, 0)
    several = data_set.get("Modality") in SLICES or int(data_set.get("NumberOfFrames") or 1) > 1
    if not several or samples.ndim == 3 or "PALETTE" in one.PhotometricInterpretation:
        return None
    if one.BitsStored <= 8 or _brings_own(one) or _soft_tissue(one, data_set) is not None:
        return None
    return _whole(one, samples, apply_modality_lut(samples, one), data_set)


def _brings_own(one: Dataset) -> bool:
    return bool(one.get("VOILUTSequence")) or _own_window(one) is not None


def _own_window(one: Dataset) -> Window | None:
    """Return the first window of the object."""
    if one.get("WindowCenter") is None or one.get("WindowWidth") is None:
        return None
    center, width = one.WindowCenter, one.WindowWidth
    first = [
        float(value[0] if isinstance(value, list) or hasattr(value, "__len__") else value) for value in (center, width)
    ]
    return Window(first[0], first[1], str(one.get("VOILUTFunction") or "LINEAR"))


def _soft_tissue(one: Dataset, data_set: Dataset) -> Window | None:
    """Return what a CT in Hounsfield units that brings no window starts with: a choice of the viewer, again."""
    if data_set.get("Modality") != "CT" or one.BitsStored <= 8 or "ModalityLUTSequence" in one:
        return None
    unit, below = one.get("RescaleType"), one.PixelRepresentation == 1 or float(one.get("RescaleIntercept") or 0) < 0
    return Window(40, 400) if unit == "HU" or (not unit and below) else None


def _agrees(one: Dataset, values: Array, bright: Array) -> None:
    """Ask pydicom's windowing, whose output has the range of the values; it must say the same."""
    ends = np.array([-1e12, 1e12])
    with np.errstate(over="ignore"):
        low, high = apply_windowing(ends, one)
        assert np.allclose((apply_windowing(values, one) - low) / (high - low), bright, atol=1e-6)


def _whole(one: Dataset, samples: Array, values: Array, data_set: Dataset) -> Window:
    """Return the window of a frame whose object names none: a choice of the viewer, not of the standard."""
    plain = not any(name in one for name in ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"))
    if samples.dtype.kind == "u" and one.BitsStored <= 8 and plain:
        top = 2.0**one.BitsStored - 1
        return Window(top / 2, top, "LINEAR_EXACT")
    step = max(1, samples.size // SAMPLED)
    stored, taken = samples.reshape(-1)[::step], values.reshape(-1)[::step]
    padding = data_set.get("PixelPaddingValue")
    inside = np.isfinite(taken) if padding is None else np.isfinite(taken) & (stored != padding)
    found = np.sort(taken[inside].astype(np.float64))
    last = len(found) - 1
    low, high = found[int(np.floor(last * 0.005))], found[int(np.ceil(last * 0.995))]
    if low == high:
        low, high = found[0], found[-1]
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or (1.0 if low == 0 else 0.0)
    return Window((low + high) / 2, high - low, "LINEAR_EXACT")


def frames_of(data_set: Dataset) -> list[Array]:
    """Return each frame's samples as pydicom decodes them: RGB where the picture has colours; empty if it cannot."""
    if not any(name in data_set for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = data_set.pixel_array
        except (AttributeError, NotImplementedError, RuntimeError, ValueError, TypeError):
            return []
    found = found.astype(found.dtype.newbyteorder("="), copy=False)
    return list(found) if int(data_set.get("NumberOfFrames") or 1) > 1 else [found]

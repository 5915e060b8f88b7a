"""The window that a small picture is seen with: the one that a viewer starts with (`frontend/viewer/starting.ts`).

In: a header and a frame's samples. Out: a `Window` of values after rescale, or none where the object brings its own.
"""

from __future__ import annotations

import numpy as np

from radrelay.dicom.elements import Attributes
from radrelay.dicom.greyscale import Presentation, Window
from radrelay.dicom.pixels import FrameDescriptor, Pixels
from radrelay.dicom.suv import uptake
from radrelay.dicom.units import unit_of
from radrelay.dicom.voi import windows

SOFT_TISSUE = Window(40.0, 400.0)  # HU
UPTAKE = 10.0  # SUV, from zero
LEAST_BITS = 9  # a CT of 8 bits is a picture of a screen, on no scale
CUT = 0.005  # of the values, at each end


def starting_window(
    header: Attributes, descriptor: FrameDescriptor, shown: Presentation, samples: Pixels, frame: int
) -> Window | None:
    """Return the window that one grey frame (0-based) starts with; none where its own window or table counts."""
    modality = (header.texts(0x00080060) or [""])[0].strip()
    factor = uptake(header, unit_of(header, frame)).factor if modality == "PT" else None
    if factor:
        return Window(UPTAKE / factor / 2, UPTAKE / factor, "LINEAR_EXACT")
    if shown.voi_table is not None or windows(header, frame):
        return None
    hounsfield = shown.modality_table is None and (descriptor.signed or shown.intercept < 0)
    if modality == "CT" and descriptor.bits_stored >= LEAST_BITS and hounsfield:
        return SOFT_TISSUE
    return None if shown.window is not None else fitting_window([samples], shown)


def fitting_window(frames: list[Pixels], shown: Presentation) -> Window | None:
    """Return a window over nearly all values of frames that belong together, padding left out; none of one value."""
    parts = [_counted(samples, shown) for samples in frames]
    values = np.sort(np.concatenate(parts)) if parts else np.zeros(0)
    if not values.size:
        return None
    last = values.size - 1
    ends = (values[int(last * CUT)], values[int(np.ceil(last * (1 - CUT)))])
    if ends[0] == ends[1]:
        ends = (values[0], values[-1])
    low, high = (float(one) for one in shown.modality(np.array(ends)))
    low, high = min(low, high), max(low, high)
    return Window((low + high) / 2, high - low, "LINEAR_EXACT") if high > low else None


def _counted(samples: Pixels, shown: Presentation) -> Pixels:
    values = samples.reshape(-1)
    values = values[:: max(1, values.size >> 16)]
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if shown.padding is not None:
        values = values[(values < shown.padding[0]) | (values > shown.padding[1])]
    return values

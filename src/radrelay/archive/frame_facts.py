"""What a viewer is told of a frame: how its samples become grey values or colours, and how it lies in the patient.

In: an object's header, a frame's descriptor, the samples as they are handed out. Out: a `FrameInfo`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from radrelay.dicom import render as pictures
from radrelay.dicom.greyscale import Presentation, Window, macro, presentation
from radrelay.dicom.header import Header
from radrelay.dicom.lossiness import Loss
from radrelay.dicom.pixels import FrameDescriptor, Pixels
from radrelay.dicom.suv import NONE, uptake
from radrelay.dicom.ultrasound import Region, regions
from radrelay.dicom.units import RealWorld, real_world, unit_of
from radrelay.dicom.voi import NamedWindow, table_names, windows

MOST_COSINE = 1.01  # a direction's parts, with what rounding adds
_PIXEL_MEASURES, _PLANE_ORIENTATION, _ANATOMICAL_TYPE = 0x00289110, 0x00209116, 0x00102210


class VoiTable(msgspec.Struct, frozen=True):
    """A VOI LUT for a viewer: entries as base64 of little endian 16-bit words, from the value `first` on."""

    first: int
    bits: int
    data: bytes


class FrameInfo(msgspec.Struct, frozen=True, rename={"is_float": "float"}):
    """How samples are to be shown. Windows are in units of the rescaled values, spacing in mm (rows, columns)."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    is_float: bool
    photometric: str
    slope: float
    intercept: float
    window_center: float | None
    window_width: float | None
    window_function: str
    invert: bool
    voi_lut: VoiTable | None
    padding_value: int | None
    padding: tuple[int, int] | None
    pixel_spacing: tuple[float, float] | None
    pixel_aspect_ratio: tuple[float, float]
    frames: int
    """How many can be read; `frames_named` is what the header says."""
    frames_named: int
    cut: bool
    """The end of this frame never came."""
    missing: float
    """Share (0 to 1) that stands as zeros for it; 0 where that is not known, as of a code stream."""
    imager_spacing: tuple[float, float] | None
    """Spacing at the detector: lengths in the patient are smaller by the unknown magnification (PS3.3 C.8.11.3)."""
    orientation: tuple[float, ...]
    """Image Orientation (Patient): directions along a row and down a column; empty if there is none."""
    patient_orientation: tuple[str, ...]
    """Patient Orientation: where a row and a column lead, in letters (PS3.3 C.7.6.1.1.1)."""
    pixel_unit: str | None = None
    """Unit of the rescaled values in UCUM, such as [hnsf'U]; none where it is not known."""
    real_world: tuple[RealWorld, ...] = ()
    """What stored values stand for, where that is something else than the rescaled values in their unit."""
    suv_factor: float | None = None
    """SUVbw in g/ml is a rescaled value times this; none where `suv_missing` says what is not known, and of no PET."""
    suv_missing: str = ""
    regions: tuple[Region, ...] = ()
    """Parts of an ultrasound picture that are calibrated, each by itself."""
    windows: tuple[NamedWindow, ...] = ()
    """All windows that the object offers, in its order, with what it calls them."""
    voi_tables: tuple[str, ...] = ()
    """What the VOI tables that the object offers are called; the tables themselves are had one by one."""
    tabled: bool = False
    """The samples are what the object's Modality LUT made of the stored values."""
    coding: Literal["raw", "htj2k"] = "raw"
    """What the bytes are: samples, or a code stream that decodes to them (its words may be shorter than theirs)."""
    resolution_ends: tuple[int, ...] = ()
    """How many bytes of a code stream make up each resolution, the coarsest first; each has twice the edge."""
    loss: Loss | None = None
    """What was lost when it was compressed; none where nothing was, or nobody can tell."""
    coarse: tuple[int, int] | None = None
    """Rows and columns of these samples, where they are a coarse picture of the frame."""


def describe_grey(header: Header, descriptor: FrameDescriptor, samples: Pixels, frame: int) -> FrameInfo:
    """Describe grey samples after a modality table was applied, where there is one."""
    shown = presentation(header, descriptor, frame)
    window = shown.window or _window_of_table(shown)
    if shown.modality_table is None:
        return describe_shown(header, descriptor, samples, shown, window, frame)
    applied = Presentation(window=window, voi_table=shown.voi_table, inverse=shown.inverse)
    info = describe_shown(header, descriptor, samples, applied, window, frame)
    return msgspec.structs.replace(info, tabled=True)


def _window_of_table(shown: Presentation) -> Window | None:
    """Return the range of values that a VOI LUT spreads, as a window to begin with."""
    if shown.voi_table is None:
        return None
    entries = len(shown.voi_table.entries)
    return Window(shown.voi_table.first + entries / 2, float(max(entries, 1)))


def _table(shown: Presentation) -> VoiTable | None:
    table = shown.voi_table
    return VoiTable(table.first, table.bits, table.entries.astype("<u2").tobytes()) if table is not None else None


def describe_shown(
    header: Header, descriptor: FrameDescriptor, samples: Pixels, shown: Presentation, window: Window | None, frame: int
) -> FrameInfo:
    """Describe samples that are shown with `shown` and, to begin with, `window`."""
    colour = samples.ndim == 3
    unit, mappings = ("", ()) if colour else _quantity(header, shown, frame)
    suv = NONE if colour else uptake(header, unit)
    return FrameInfo(
        rows=int(samples.shape[0]),
        columns=int(samples.shape[1]),
        samples=3 if colour else 1,
        bits_allocated=samples.dtype.itemsize * 8,
        bits_stored=8 if colour else min(descriptor.bits_stored, samples.dtype.itemsize * 8),
        signed=samples.dtype.kind == "i",
        is_float=samples.dtype.kind == "f",
        photometric="RGB" if colour else "MONOCHROME1" if shown.inverse else "MONOCHROME2",
        slope=shown.slope,
        intercept=shown.intercept,
        window_center=window.center if window else None,
        window_width=window.width if window else None,
        window_function=window.function if window else "LINEAR",
        invert=shown.inverse and not colour,
        voi_lut=_table(shown),
        padding_value=shown.padding[0] if shown.padding else None,
        padding=shown.padding,
        pixel_spacing=_spacing(header, frame, 0x00280030),
        pixel_aspect_ratio=(pictures.pixel_aspect(header, frame), 1.0),
        frames=descriptor.frames,
        frames_named=descriptor.frames,
        cut=False,
        missing=0.0,
        imager_spacing=_spacing(header, frame, 0x00181164),
        orientation=_orientation(header, frame),
        patient_orientation=tuple(text.strip()[:8] for text in header.texts(0x00200020)[:2]),
        pixel_unit=unit or None,
        real_world=mappings,
        suv_factor=suv.factor,
        suv_missing=suv.missing,
        regions=regions(header),
        windows=() if colour else windows(header, frame),
        voi_tables=() if colour else table_names(header, frame),
    )


def _quantity(header: Header, shown: Presentation, frame: int) -> tuple[str, tuple[RealWorld, ...]]:
    """Return the unit of rescaled values, and real world mappings that are not the rescale itself.

    Mappings are of stored values, which a viewer has only where no modality table was applied.
    """
    unit = unit_of(header, frame)
    if 0x00283000 in header:
        return unit, ()
    mappings = real_world(header, frame)
    same = [one for one in mappings if (one.slope, one.intercept) == (shown.slope, shown.intercept)]
    if not unit and same:
        unit = same[0].unit
    return unit, tuple(one for one in mappings if one not in same or one.unit != unit)


def _orientation(header: Header, frame: int) -> tuple[float, ...]:
    """Return the plane's directions of a frame; none for animals, whose axes have other names (PS3.3 C.7.6.2.1.1)."""
    if (header.texts(_ANATOMICAL_TYPE) or [""])[0].strip().upper() == "QUADRUPED":
        return ()
    found = (source.numbers(0x00200037) for source in macro(header, frame, _PLANE_ORIENTATION))
    cosines = next((tuple(one) for one in found if len(one) == 6), ())
    return cosines if all(abs(one) <= MOST_COSINE for one in cosines) else ()


def _spacing(header: Header, frame: int, tag: int) -> tuple[float, float] | None:
    for source in macro(header, frame, _PIXEL_MEASURES):
        spacing = source.numbers(tag)
        if len(spacing) >= 2 and spacing[0] > 0 and spacing[1] > 0:
            return spacing[0], spacing[1]
    return None

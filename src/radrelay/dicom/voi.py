"""All that an object offers to be looked at with: its windows and its VOI tables, with their names (PS3.3 C.11.2).

In: a header and a frame's number (0-based). Out: windows and tables in the object's order, of functional groups where
they have some. What is shown first of them is `greyscale.presentation`'s to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from radrelay.dicom.elements import Attributes
from radrelay.dicom.greyscale import macro
from radrelay.dicom.lookup import LookupTable, lookup_table
from radrelay.dicom.pixels import BrokenPixels

MOST = 16
LONGEST_NAME = 64
_FRAME_VOI, _TABLES, _TABLE_NAME = 0x00289132, 0x00283010, 0x00283003
_PIXEL_VALUES, _MODALITY_TABLES, _SLOPE, _INTERCEPT = 0x00289145, 0x00283000, 0x00281053, 0x00281052
_BITS_STORED, _SIGNED = 0x00280101, 0x00280103
_CENTERS, _WIDTHS, _NAMES = 0x00281050, 0x00281051, 0x00281055


class NamedWindow(msgspec.Struct, frozen=True):
    """A window in units of the rescaled values, and what the object calls it."""

    center: float
    width: float
    name: str


class NamedTable(msgspec.Struct, frozen=True):
    """A VOI table and what the object calls it; none where it is broken."""

    name: str
    table: LookupTable | None


def windows(attributes: Attributes, frame: int) -> tuple[NamedWindow, ...]:
    """Return the windows that a frame brings, at most `MOST`; those that no picture can be seen with are left out."""
    for source in macro(attributes, frame, _FRAME_VOI):
        pairs = list(zip(source.numbers(_CENTERS), source.numbers(_WIDTHS), strict=False))[:MOST]
        names = source.texts(_NAMES)
        if pairs:
            return tuple(
                NamedWindow(center, width, names[place].strip()[:LONGEST_NAME] if place < len(names) else "")
                for place, (center, width) in enumerate(pairs)
                if width > 0 and math.isfinite(center) and math.isfinite(width)
            )
    return ()


def table_names(attributes: Attributes, frame: int) -> tuple[str, ...]:
    """Return what the VOI tables that a frame brings are called, in their order; at most `MOST`."""
    return tuple(_name(item) for item in _tables(attributes, frame))


def tables(attributes: Attributes, frame: int) -> tuple[NamedTable, ...]:
    """Return the VOI tables that a frame brings, in the order of `table_names`."""
    signed = _may_be_negative(attributes, frame)
    return tuple(NamedTable(_name(item), _read(item, signed=signed)) for item in _tables(attributes, frame))


def _may_be_negative(attributes: Attributes, frame: int) -> bool:
    """Return whether values after the modality step may lie below 0, as the first input of a table then may."""
    for source in macro(attributes, frame, _PIXEL_VALUES):
        if source.items(_MODALITY_TABLES):
            return False
        slope, intercept = (source.numbers(tag)[:1] for tag in (_SLOPE, _INTERCEPT))
        if slope or intercept:
            break
    else:
        slope, intercept = [], []
    bits = min(max((attributes.integers(_BITS_STORED) or [16])[0], 1), 32)
    lowest = -(1 << bits - 1) if (attributes.integers(_SIGNED) or [0])[0] == 1 else 0
    factor = (slope or [1.0])[0] or 1.0
    return (intercept or [0.0])[0] + factor * lowest < 0 or factor < 0


def _tables(attributes: Attributes, frame: int) -> Iterator[Attributes]:
    for source in macro(attributes, frame, _FRAME_VOI):
        found = source.items(_TABLES)
        if found:
            yield from found[:MOST]
            return


def _name(item: Attributes) -> str:
    return (item.texts(_TABLE_NAME) or [""])[0].strip()[:LONGEST_NAME]


def _read(item: Attributes, *, signed: bool) -> LookupTable | None:
    try:
        return lookup_table(item, signed=signed)
    except BrokenPixels:
        return None

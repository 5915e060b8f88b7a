"""Calibrated regions of ultrasound pictures: where lengths, times and speeds can be measured (PS3.3 C.8.5.5).

In: a header's attributes. Out: `Region`s, in pixels of the picture, with what a step of one pixel means.
"""

from __future__ import annotations

import math

import msgspec

from radrelay.dicom.elements import Attributes

MOST_REGIONS = 16  # they travel in a header
_REGIONS = 0x00186011
_UNITS = ("", "%", "dB", "cm", "s", "Hz", "dB/s", "cm/s", "cm2", "cm2/s", "cm3", "cm3/s", "deg")


class Region(msgspec.Struct, frozen=True):
    """A rectangle from the pixel (left, top) to (right, bottom), both in it; `delta` is per pixel across and down.

    `units` are UCUM, empty for none. `format` is 1 for a picture in two dimensions, 2 for M-mode, 3 for a spectrum,
    4 for a waveform, 5 for graphics; `type` is its data (1 tissue, 2 colour flow, 3 pulsed and 4 continuous Doppler, …;
    PS3.3 C.8.5.5.1.2). `reference` is the pixel, counted from the rectangle's corner, whose values `at_reference` are.
    """

    box: tuple[int, int, int, int]
    delta: tuple[float, float]
    units: tuple[str, str]
    format: int
    type: int
    reference: tuple[int, int] | None
    at_reference: tuple[float, float] | None


def regions(header: Attributes) -> tuple[Region, ...]:
    """Return the regions that say how far a pixel's step is, at most `MOST_REGIONS`."""
    if _REGIONS not in header:
        return ()
    found = (_region(item) for item in list(header.items(_REGIONS))[:MOST_REGIONS])
    return tuple(region for region in found if region is not None)


def _region(item: Attributes) -> Region | None:
    corners = [_whole(item, tag) for tag in (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)]
    deltas = [_number(item, tag) for tag in (0x0018602C, 0x0018602E)]
    units = [_whole(item, tag) or 0 for tag in (0x00186024, 0x00186026)]
    left, top, right, bottom = corners
    across, down = deltas
    if left is None or top is None or right is None or bottom is None or right < left or bottom < top:
        return None
    if not across or not down:
        return None
    x, y = _whole(item, 0x00186020), _whole(item, 0x00186022)
    at_x, at_y = _number(item, 0x00186028), _number(item, 0x0018602A)
    return Region(
        (left, top, right, bottom),
        (across, down),
        (_unit(units[0]), _unit(units[1])),
        _whole(item, 0x00186012) or 0,
        _whole(item, 0x00186014) or 0,
        (x, y) if x is not None and y is not None else None,
        (at_x, at_y) if at_x is not None and at_y is not None else None,
    )


def _unit(code: int) -> str:
    return _UNITS[code] if 0 <= code < len(_UNITS) else ""


def _whole(item: Attributes, tag: int) -> int | None:
    found = item.integers(tag)
    return found[0] if found else None


def _number(item: Attributes, tag: int) -> float | None:
    found = item.numbers(tag)
    return found[0] if found and math.isfinite(found[0]) else None

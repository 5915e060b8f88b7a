"""What a frame's values measure: their unit, and the real world values that they stand for.

In: a header's attributes and the frame's number. Out: a unit in UCUM for values after rescale (PS3.3 C.11.1.1.2,
C.8.9.1.1.1, C.8.8.3), and real world value mappings of stored values (C.7.6.16.2.11).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from radrelay.dicom.elements import Attributes
from radrelay.dicom.greyscale import dose_scaling, is_dose, macro

HOUNSFIELD = "[hnsf'U]"
MOST_MAPPINGS = 4
MOST_ENTRIES = 256  # of a mapping's table: it travels in a header
_LONGEST = 32
_SHARED, _PER_FRAME, _MAPPINGS, _PIXEL_VALUES = 0x52009229, 0x52009230, 0x00409096, 0x00289145
_CT = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
_PET = "1.2.840.10008.5.1.4.1.1.128"
_RESCALED = {"HU": HOUNSFIELD, "MGML": "mg/ml", "PCT": "%", "ED": "10*23/ml", "OD": "{1000*OD}", "BQML": "Bq/ml"}
_PET_UNITS = {
    "BQML": "Bq/ml", "CNTS": "{counts}", "CPS": "{counts}/s", "CM2": "cm2", "PCNT": "%", "MLMING": "ml/min/g",
    "MLG": "ml/g", "1CM": "/cm", "UMOLML": "umol/ml", "MGMINML": "mg/min/ml", "MLMINML": "ml/min/ml", "CM2ML": "cm2/ml",
    "STDDEV": "{stddev}", "PROPCNTS": "{propcounts}", "PROPCPS": "{propcounts}/s",
}  # fmt: skip
_DOSES = {"GY": "Gy", "RELATIVE": "{relative}"}
_UPTAKES = {"": "{SUVbw}g/ml", "BW": "{SUVbw}g/ml", "LBM": "{SUVlbm}g/ml", "LBMJAMES128": "{SUVlbm}g/ml",
            "LBMJANMA": "{SUVlbm}g/ml", "IBW": "{SUVibw}g/ml", "BSA": "{SUVbsa}cm2/ml"}  # fmt: skip


class RealWorld(msgspec.Struct, frozen=True):
    """A mapping of stored values from `first` to `last`: value × slope + intercept, or an entry of `table`."""

    unit: str
    label: str
    first: float
    last: float
    slope: float | None
    intercept: float | None
    table: tuple[float, ...] = ()


def unit_of(header: Attributes, frame: int) -> str:
    """Return the unit of a frame's (0-based) values after rescale, an empty text where it is not known."""
    sop_class = _text(header, 0x00080016)
    if sop_class == _PET:
        units = _text(header, 0x00541001).upper()
        return _UPTAKES.get(_text(header, 0x00541006).upper(), "") if units == "GML" else _PET_UNITS.get(units, "")
    if is_dose(header):
        return _DOSES.get(_text(header, 0x30040002).upper(), "") if dose_scaling(header) else ""
    for source in macro(header, frame, _PIXEL_VALUES):
        if 0x00281053 not in source:
            continue
        named = _text(source, 0x00281054).upper()
        # why: the values of a localizer are those of a projection, whatever its header calls them
        if sop_class in _CT and named in ("", "HU") and header.texts(0x00080008)[2:3] == ["LOCALIZER"]:
            return ""
        if named:
            return _RESCALED.get(named, "")
        return HOUNSFIELD if sop_class in _CT else ""
    return ""


def real_world(header: Attributes, frame: int) -> list[RealWorld]:
    """Return what a frame's (0-based) stored values stand for; the frame's own mappings before those of all."""
    found: list[RealWorld] = []
    for item in _mappings(header, frame):
        mapping = _mapping(item)
        if mapping is not None:
            found.append(mapping)
        if len(found) == MOST_MAPPINGS:
            break
    return found


def _mappings(header: Attributes, frame: int) -> Iterator[Attributes]:
    per_frame = header.items(_PER_FRAME) if _PER_FRAME in header else []
    if 0 <= frame < len(per_frame) and _MAPPINGS in per_frame[frame]:
        yield from per_frame[frame].items(_MAPPINGS)
        return
    for shared in list(header.items(_SHARED))[:1] if _SHARED in header else []:
        if _MAPPINGS in shared:
            yield from shared.items(_MAPPINGS)
            return
    if _MAPPINGS in header:
        yield from header.items(_MAPPINGS)


def _mapping(item: Attributes) -> RealWorld | None:
    first, last = _first(item, 0x00409216, 0x00409214), _first(item, 0x00409211, 0x00409213)
    slope, intercept = _first(item, 0x00409225), _first(item, 0x00409224)
    table = item.numbers(0x00409212) if 0x00409212 in item else []
    if first is None or last is None or last < first:
        return None
    named = (_unit(item), plain(_text(item, 0x00409210)))
    if slope is not None and intercept is not None:
        return RealWorld(*named, first, last, slope, intercept)
    if 0 < len(table) <= MOST_ENTRIES and len(table) == last - first + 1 and all(map(math.isfinite, table)):
        return RealWorld(*named, first, last, None, None, tuple(table))
    return None


def _unit(item: Attributes) -> str:
    codes = item.items(0x004008EA)
    if not codes:
        return ""
    ucum = _text(codes[0], 0x00080102).upper() == "UCUM"
    return plain(_text(codes[0], 0x00080100 if ucum else 0x00080104))


def plain(text: str) -> str:
    """Return a short text of ASCII, as a header field takes it."""
    return text.encode("ascii", "ignore").decode("ascii")[:_LONGEST]


def _first(item: Attributes, *tags: int) -> float | None:
    for tag in tags:
        numbers = item.numbers(tag)
        if numbers and math.isfinite(numbers[0]):
            return numbers[0]
    return None


def _text(header: Attributes, tag: int) -> str:
    found = header.texts(tag)
    return found[0].strip() if found else ""

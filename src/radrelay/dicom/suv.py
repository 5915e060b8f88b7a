"""The factor from a PET picture's values to standardised uptake values by body weight (SUVbw, g/ml).

In: an object's header. Out: the factor, or which thing that it needs is missing. The way is the vendor-neutral
pseudo-code of QIBA (RSNA), which GE's, Siemens' and Philips' scanners follow, with PS3.3 C.8.9.1 for Units and Decay
Correction and C.8.22 for enhanced PET. Nothing is guessed: a wrong factor looks like any other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from radrelay.dicom.elements import Attributes
from radrelay.dicom.planes import moment_s

Missing = Literal[
    "", "units", "suv-type", "attenuation-correction", "decay-correction", "scan-time", "injection-time", "dose",
    "half-life", "weight", "philips-factor",
]  # fmt: skip

PET, ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130"
LEAST_DOSE_BQ = 1e4  # an injected dose below is one in another unit
LEAST_WEIGHT_KG, MOST_WEIGHT_KG = 0.5, 650.0  # beyond, it is in another unit
MOST_HALF_LIVES = 8.0  # between injection and scan: beyond, one of the times is wrong
EARLY_S = 900.0  # a dynamic scan begins before the injection
LONG_HALF_LIFE_S = 12 * 3600.0  # from here on injections lie days back, and a time without a date says too little
_DAY_S = 86400
_GE, _PHILIPS = "GEMS_PETD_01", "Philips PET Private Group"


@dataclass(frozen=True, slots=True)
class Uptake:
    """SUVbw = value after rescale × `factor`; without a factor, `missing` names what is not known."""

    factor: float | None
    missing: Missing = ""


NONE = Uptake(None)


class _Lacking(Exception):
    def __init__(self, what: Missing) -> None:
        super().__init__(what)
        self.what: Missing = what


def uptake(header: Attributes, unit: str) -> Uptake:
    """Return the factor for values after rescale, whose unit is `unit` (UCUM) as far as the object says.

    Nothing, without a reason, for what is no PET picture.
    """
    sop_class = _text(header, 0x00080016)
    try:
        if sop_class == PET:
            return Uptake(_of_pet(header))
        if sop_class == ENHANCED_PET:
            return Uptake(_of_enhanced(header, unit))
    except _Lacking as lacking:
        return Uptake(None, lacking.what)
    return NONE


def _of_pet(header: Attributes) -> float:
    units = _text(header, 0x00541001).upper()
    if units == "GML":
        if _text(header, 0x00541006).upper() not in ("", "BW"):
            raise _Lacking("suv-type")
        return 1.0
    if units == "CNTS":
        factor = _private(header, 0x7053, _PHILIPS, 0x00)
        if factor:
            return factor
        to_activity = _private(header, 0x7053, _PHILIPS, 0x09)
        if not to_activity:
            raise _Lacking("philips-factor")
        return to_activity * _by_weight(header, _decay_s(header))
    if units != "BQML":
        raise _Lacking("units")
    return _by_weight(header, _decay_s(header))


def _of_enhanced(header: Attributes, unit: str) -> float:
    if unit == "{SUVbw}g/ml":
        return 1.0
    if unit != "Bq/ml":
        raise _Lacking("units")
    if _text(header, 0x00189759).upper() == "NO":
        raise _Lacking("attenuation-correction")
    corrected_to = _text(header, 0x00189701)
    to = moment_s(corrected_to[:8], corrected_to[8:]) if corrected_to else None
    if to is None or _text(header, 0x00189758).upper() != "YES":
        raise _Lacking("decay-correction")
    return _by_weight(header, _since_injection(header, to))


def _by_weight(header: Attributes, decay_s: float) -> float:
    """Return weight in g over the dose in Bq that is left after `decay_s`."""
    drug = _drug(header)
    dose, weight = _number(drug, 0x00181074), _number(header, 0x00101030)
    if dose is None or dose < LEAST_DOSE_BQ:
        raise _Lacking("dose")
    if weight is None or not LEAST_WEIGHT_KG <= weight <= MOST_WEIGHT_KG:
        raise _Lacking("weight")
    return weight * 1000 / (dose * 2 ** (-decay_s / _half_life_s(header)))


def _half_life_s(header: Attributes) -> float:
    half_life = _number(_drug(header), 0x00181075)
    if half_life is None or half_life <= 0:
        raise _Lacking("half-life")
    return half_life


def _decay_s(header: Attributes) -> float:
    """Return how long the dose has decayed at the moment to which the values are corrected (PS3.3 C.8.9.1.1.6)."""
    corrected = {text.upper() for text in header.texts(0x00280051)}
    if "ATTN" not in corrected:
        raise _Lacking("attenuation-correction")
    to = _text(header, 0x00541102).upper()
    if "DECY" not in corrected or to not in ("START", "ADMIN"):
        raise _Lacking("decay-correction")
    return 0.0 if to == "ADMIN" else _since_injection(header, _scan_s(header))


def _scan_s(header: Attributes) -> float:
    """Return when the scan began: the series' own time where that is before its pictures, else by their reference."""
    acquired = _moment(header, 0x00080022, 0x00080032)
    series = _moment(header, 0x00080021, 0x00080031)
    if acquired is None:
        raise _Lacking("scan-time")
    if series is not None and series <= acquired:
        return series
    ge = _private_text(header, 0x0009, _GE, 0x0D)
    scanned = moment_s(ge[:8], ge[8:]) if ge else None
    if scanned is not None:
        return scanned
    reference_ms, duration_ms = _number(header, 0x00541300), _number(header, 0x00181242)
    if not reference_ms or not duration_ms or reference_ms < 0 or duration_ms < 0:
        raise _Lacking("scan-time")
    constant = math.log(2) / _half_life_s(header)
    during = constant * duration_ms / 1000
    middle_s = math.log(during / -math.expm1(-during)) / constant  # where the count rate is the frame's mean
    return acquired - reference_ms / 1000 + middle_s


def _since_injection(header: Attributes, scan_s: float) -> float:
    """Return the seconds from injection to scan; a time without a date is the last such time before the scan."""
    drug, half_life = _drug(header), _half_life_s(header)
    whole = _text(drug, 0x00181078)
    here = _zone(whole) in {"", _text(header, 0x00080201)}
    dated = moment_s(whole[:8], whole[8:]) if whole and here else None
    if dated is not None and -EARLY_S <= scan_s - dated <= MOST_HALF_LIVES * half_life:
        return scan_s - dated
    injected = moment_s("", _text(drug, 0x00181072) or (whole[8:] if here else ""))
    if injected is None or half_life > LONG_HALF_LIFE_S:
        raise _Lacking("injection-time")
    since = (scan_s - injected) % _DAY_S
    since -= _DAY_S if since > _DAY_S - EARLY_S else 0
    if since > MOST_HALF_LIVES * half_life:
        raise _Lacking("injection-time")
    return since


def _zone(moment: str) -> str:
    """Return the offset from UTC that a DT ends with, such as +0100 (PS3.5 6.2)."""
    at = max(moment.rfind("+"), moment.rfind("-"))
    return moment[at:] if at >= 8 else ""


def _drug(header: Attributes) -> Attributes:
    drugs = header.items(0x00540016)
    if not drugs:
        raise _Lacking("dose")
    return drugs[0]


def _moment(header: Attributes, day: int, clock: int) -> float | None:
    return moment_s(_text(header, day), _text(header, clock))


def _text(header: Attributes, tag: int) -> str:
    found = header.texts(tag)
    return found[0].strip() if found else ""


def _number(header: Attributes, tag: int) -> float | None:
    found = header.numbers(tag)
    return found[0] if found and math.isfinite(found[0]) else None


def _place(header: Attributes, group: int, creator: str, element: int) -> int | None:
    """Return the tag of a private element: its block is the one that `creator` reserved (PS3.5 7.8.1)."""
    for block in range(0x10, 0x100):
        tag = group << 16 | block
        if tag in header and _text(header, tag) == creator:
            return group << 16 | block << 8 | element
    return None


def _private(header: Attributes, group: int, creator: str, element: int) -> float | None:
    tag = _place(header, group, creator, element)
    found = _number(header, tag) if tag is not None else None
    return found if found and found > 0 else None


def _private_text(header: Attributes, group: int, creator: str, element: int) -> str:
    tag = _place(header, group, creator, element)
    return _text(header, tag) if tag is not None else ""

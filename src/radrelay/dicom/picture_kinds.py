"""What kind of picture an MR object or frame is: magnitude or phase, water or fat, a map of the diffusion.

In: Image Type (PS3.3 C.7.6.1.1.2, C.8.3.1.1.1) or Frame Type (C.8.13.3.1), and Complex Image Component (C.8.13.3.1.1).
Out: words of our own, so that pictures of two kinds at one place are never taken for one another. The vendors' values
are those of their conformance statements; what is not known here tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from radrelay.dicom.json_values import Values

_OF_MR = {f"1.2.840.10008.5.1.4.1.1.4{ending}" for ending in ("", ".1", ".3", ".4")}
_COMPONENTS = {"M": "magnitude", "P": "phase", "R": "real", "I": "imaginary"}
_SHORT = {"W": "water", "F": "fat", "IP": "in-phase", "OP": "out-of-phase"}
_LONG = {
    "MAGNITUDE": "magnitude", "PHASE": "phase", "PHASE MAP": "phase", "REAL": "real", "IMAGINARY": "imaginary",
    "VELOCITY": "velocity", "VELOCITY MAP": "velocity",
    "WATER": "water", "FAT": "fat", "FAT_FRACTION": "fat-fraction", "WATER_FRACTION": "water-fraction",
    "IN_PHASE": "in-phase", "INPHASE": "in-phase", "OUT_PHASE": "out-of-phase", "OUTPHASE": "out-of-phase",
    "OPP_PHASE": "out-of-phase", "OPPOSED_PHASE": "out-of-phase", "OUT_OF_PHASE": "out-of-phase",
    "ADC": "adc", "EADC": "eadc", "TRACEW": "trace", "TRACE": "trace", "ISOTROPIC": "trace", "FA": "anisotropy",
    "T1_MAP": "t1", "T1 MAP": "t1", "T2_MAP": "t2", "T2 MAP": "t2", "T2_STAR_MAP": "t2-star", "T2_STAR MAP": "t2-star",
    "R2_MAP": "r2", "R2_STAR_MAP": "r2-star", "SUBTRACTION": "subtraction",
}  # fmt: skip
_PHILIPS = re.compile(r"[MPRI]_[A-Z0-9]+")
_SHORT_VALUES = 2  # the vendors' single letters are values 3 and 4

KINDS = tuple(dict.fromkeys((*_COMPONENTS.values(), *_SHORT.values(), *_LONG.values())))
"""Every word that may come out, in the order in which they are told."""


def kinds_of(sop_class: str, image_type: Values, component: Values) -> tuple[str, ...]:
    """Return the kinds of a picture, such as `("magnitude", "water")`; none where nothing tells them."""
    if sop_class not in _OF_MR:
        return ()
    values = further_values(image_type)
    found = {kind for place, value in enumerate(values) if (kind := _kind(value, is_short=place < _SHORT_VALUES))}
    told = _LONG.get(component.text.upper(), "")
    components = set(_COMPONENTS.values())
    if told in components:
        found = (found - components) | {told}  # the attribute made for it is the later word
    return tuple(kind for kind in KINDS if kind in found)


def further_values(image_type: Values) -> Sequence[str]:
    """Return what Image Type says beyond pixel data and examination characteristics: its values from the third on."""
    return [one.strip().upper() for one in image_type.Value[2:] if isinstance(one, str)]


def _kind(value: str, *, is_short: bool) -> str:
    if value in _LONG:
        return _LONG[value]
    if not is_short:
        return ""
    if value in _COMPONENTS or _PHILIPS.fullmatch(value):
        return _COMPONENTS[value[0]]
    return _SHORT.get(value, "")

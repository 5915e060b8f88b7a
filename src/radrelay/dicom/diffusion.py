"""The b-value of a diffusion-weighted MR picture, in s/mm², as its object says it in one of several ways.

In: an object's metadata as DICOM JSON (PS3.18 Annex F), of which only what is needed is decoded. Out: the b-value, or
none. The standard's own attribute (PS3.3 C.8.13.5.9) comes first, then the vendors' private ones, each only where its
block is reserved by the creator that the vendor's conformance statement names (PS3.5 7.8.1), then the names that
Siemens gives its sequences.
"""

from __future__ import annotations

import binascii
import math
import re
import struct

import msgspec

from radrelay.dicom.json_values import NONE, Values

MOST = 100_000.0  # s/mm²: what lies above is not one
_GE_OFFSET = 100_000  # GE adds multiples of it (1000000750) where pictures of several b-values make up a series
_NAMED = re.compile(r"\*?ep_b(\d{1,5})(?!\d)")


class Private(msgspec.Struct, frozen=True, gc=False):
    """The value of a private element, which stands as bytes where its object told no VR."""

    Value: tuple[float | str | None, ...] = ()
    InlineBinary: str = ""

    def number(self, form: str = "") -> float | None:
        """Return the first number; `form` is how `struct` unpacks it from bytes, none: it is written as text."""
        found = Values(self.Value).number
        if found is not None or not self.InlineBinary:
            return found
        try:
            raw = binascii.a2b_base64(self.InlineBinary)
            return float(struct.unpack_from(form, raw)[0] if form else raw.split(b"\\")[0])
        except (ValueError, struct.error):
            return None


_NO_VALUE = Private()


class DiffusionAttributes(msgspec.Struct, frozen=True, gc=False, rename={
    "b_value": "00189087", "sequence_name": "00180024",
    "siemens": "00190010", "siemens_b": "0019100C", "ge": "00430010", "ge_b": "00431039",
    "philips": "20010010", "philips_b": "20011003", "united": "00650010", "united_b": "00651009",
}):  # fmt: skip
    """What stands at the top level of a data set and may tell its b-value; the vendors' creators and elements."""

    b_value: Values = NONE
    sequence_name: Values = NONE
    siemens: Values = NONE
    siemens_b: Private = _NO_VALUE
    ge: Values = NONE
    ge_b: Private = _NO_VALUE
    philips: Values = NONE
    philips_b: Private = _NO_VALUE
    united: Values = NONE
    united_b: Private = _NO_VALUE

    @property
    def diffusion_b_value(self) -> float | None:
        """Return the b-value in s/mm², if any."""
        found = self.b_value.number
        if found is None:
            found = self._private()
        if found is None:
            named = _NAMED.match(self.sequence_name.text)
            found = float(named[1]) if named else None
        return found if found is not None and math.isfinite(found) and 0 <= found < MOST else None

    def _private(self) -> float | None:
        if self.siemens.text == "SIEMENS MR HEADER":
            return self.siemens_b.number()
        if self.philips.text.upper() == "PHILIPS IMAGING DD 001":
            return self.philips_b.number("<f")
        if self.united.text == "Image Private Header":
            return self.united_b.number("<d")
        found = self.ge_b.number() if self.ge.text == "GEMS_PARM_01" else None
        return None if found is None else found % _GE_OFFSET

"""Values that stand for what was taken away (action D): meaningless, and valid for their VR (PS3.5 6.2)."""

from __future__ import annotations

REMOVED = b"REMOVED"
_TEXTS = {
    b"AE": REMOVED, b"AS": b"000Y", b"CS": REMOVED, b"DA": b"19000101", b"DS": b"0", b"DT": b"19000101000000",
    b"IS": b"0", b"LO": REMOVED, b"LT": REMOVED, b"PN": REMOVED, b"SH": REMOVED, b"ST": REMOVED, b"TM": b"000000",
    b"UC": REMOVED, b"UI": b"2.25.0", b"UR": b"urn:uuid:00000000-0000-0000-0000-000000000000", b"UT": REMOVED,
}  # fmt: skip
_SIZES = {b"US": 2, b"SS": 2, b"AT": 4, b"UL": 4, b"SL": 4, b"FL": 4, b"FD": 8, b"SV": 8, b"UV": 8, b"OF": 4,
          b"OD": 8, b"OL": 4, b"OV": 8}  # fmt: skip
UNKNOWN_CODE = {0x00080100: b"261665006", 0x00080102: b"SCT", 0x00080104: b"Unknown"}
"""What stands for a code that is taken away (SNOMED CT)."""


def dummy(vr: bytes) -> bytes:
    """Return a dummy value of even length."""
    value = _TEXTS.get(vr) or bytes(_SIZES.get(vr, 2))
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return value

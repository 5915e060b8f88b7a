"""Codes of measurements (PS3.16 CID 7464, 7469, 7470, 7550; UCUM): what our names and units are called in DICOM.

Plain tables both ways, for who writes structured reports and for who reads those of other systems.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept (PS3.3 8.8): value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what makes the concept: scheme and value; meanings differ among systems."""
        return self.scheme, self.value


PRIVATE_SCHEME = "99RADRELAY"

LENGTH = Code("410668003", "SCT", "Length")
LONG_AXIS = Code("103339001", "SCT", "Long axis")
SHORT_AXIS = Code("103340004", "SCT", "Short axis")
ANGLE = Code("1483009", "SCT", "Angle")
COBB_ANGLE = Code("285285000", "SCT", "Cobb angle")
AREA = Code("42798000", "SCT", "Area")
PERIMETER = Code("131191004", "SCT", "Perimeter")
QUANTITY = Code("246205007", "SCT", "Quantity")
MEAN = Code("373098007", "SCT", "Mean")
STANDARD_DEVIATION = Code("386136009", "SCT", "Standard Deviation")
MINIMUM = Code("255605001", "SCT", "Minimum")
MAXIMUM = Code("56851009", "SCT", "Maximum")
ATTENUATION = Code("112031", "DCM", "Attenuation Coefficient")
SUV_BODY_WEIGHT = Code("126401", "DCM", "SUVbw")
ACTIVITY = Code("110821", "DCM", "Nuclear Medicine Tomographic Activity")
MR_SIGNAL = Code("110852", "DCM", "MR signal intensity")
PIXEL_VALUE = Code("PIXELVALUE", PRIVATE_SCHEME, "Pixel value")

GEOMETRY: dict[str, Code] = {
    "length": LENGTH,
    "long_axis": LONG_AXIS,
    "short_axis": SHORT_AXIS,
    "angle": ANGLE,
    "area": AREA,
    "perimeter": PERIMETER,
    "count": QUANTITY,
}
"""What is measured on the drawing itself."""

STATISTICS: dict[str, Code] = {"mean": MEAN, "sd": STANDARD_DEVIATION, "min": MINIMUM, "max": MAXIMUM}
"""How a number was derived from the pixels of a region (CID 7464): modifiers of a quantity."""

HOUNSFIELD, SUV_GRAMS, BECQUEREL = "[hnsf'U]", "{SUVbw}g/ml", "Bq/ml"
QUANTITY_OF_UNIT: dict[str, Code] = {HOUNSFIELD: ATTENUATION, SUV_GRAMS: SUV_BODY_WEIGHT, BECQUEREL: ACTIVITY}

NAME_OF: dict[tuple[str, str], str] = {
    **{code.key: name for name, code in GEOMETRY.items()},
    **{code.key: name for name, code in STATISTICS.items()},
    COBB_ANGLE.key: "angle",
}
"""Our name of a concept: of a measurement, or of the derivation of a pixel quantity (which alone is `value`)."""

PIXEL_QUANTITIES = frozenset(code.key for code in (ATTENUATION, SUV_BODY_WEIGHT, ACTIVITY, MR_SIGNAL, PIXEL_VALUE))

_UNITS = (
    ("mm", Code("mm", "UCUM", "millimeter")),
    ("mm2", Code("mm2", "UCUM", "square millimeter")),
    ("cm", Code("cm", "UCUM", "centimeter")),
    ("cm2", Code("cm2", "UCUM", "square centimeter")),
    ("deg", Code("deg", "UCUM", "degree")),
    (HOUNSFIELD, Code(HOUNSFIELD, "UCUM", "Hounsfield unit")),
    (SUV_GRAMS, Code(SUV_GRAMS, "UCUM", "Standardized Uptake Value body weight")),
    (BECQUEREL, Code(BECQUEREL, "UCUM", "Becquerels/milliliter")),
    ("1", Code("1", "UCUM", "no units")),
    ("px", Code("{pixels}", "UCUM", "pixels")),
    ("px2", Code("{sq.pixels}", "UCUM", "square pixels")),
)
UNITS: dict[str, Code] = dict(_UNITS)
UNIT_OF: dict[str, str] = {code.value: unit for unit, code in _UNITS}


def unit_code(unit: str) -> Code:
    """Return the UCUM code of a unit as marks have it."""
    return UNITS.get(unit) or Code(unit, "UCUM", unit)


def unit_of(value: str) -> str:
    """Return the unit as marks have it of a UCUM code value."""
    return UNIT_OF.get(value, value)


def pixel_quantity(unit: str, modality: str) -> Code:
    """Return what samples of `modality` in `unit` are a measure of (CID 7180)."""
    return QUANTITY_OF_UNIT.get(unit) or (MR_SIGNAL if modality == "MR" else PIXEL_VALUE)

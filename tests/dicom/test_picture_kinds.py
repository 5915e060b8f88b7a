"""What kind of picture an MR object is, as the vendors write it."""

from __future__ import annotations

import pytest

from radrelay.dicom.json_values import Values
from radrelay.dicom.picture_kinds import KINDS, kinds_of

MR, ENHANCED_MR, CT = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.2"


def kinds(image_type: str, component: str = "", sop_class: str = MR) -> str:
    found = kinds_of(sop_class, Values(tuple(image_type.split("/"))), Values((component,) if component else ()))
    return " ".join(found)


@pytest.mark.parametrize(
    ("image_type", "told"),
    [
        ("ORIGINAL/PRIMARY/M/ND/NORM", "magnitude"),
        ("ORIGINAL/PRIMARY/P/ND", "phase"),
        ("ORIGINAL/PRIMARY/M_FFE/M/FFE", "magnitude"),
        ("ORIGINAL/PRIMARY/PHASE MAP/P/FFE", "phase"),
        ("ORIGINAL/PRIMARY/R_IR/R/IR", "real"),
        ("ORIGINAL/PRIMARY/I_SE/I/SE", "imaginary"),
        ("DERIVED/PRIMARY/M/ND/OPP_PHASE", "magnitude out-of-phase"),
        ("ORIGINAL/PRIMARY/W/W/DERIVED", "water"),
        ("ORIGINAL/PRIMARY/F/F/DERIVED", "fat"),
        ("DERIVED/PRIMARY/DIXON/WATER", "water"),
        ("DERIVED/PRIMARY/DIFFUSION/ADC/ND", "adc"),
        ("DERIVED/PRIMARY/DIFFUSION/TRACEW/ND", "trace"),
        ("ORIGINAL/PRIMARY/OTHER", ""),
        ("ORIGINAL/PRIMARY/OTHER/NORM/M", ""),  # a letter further behind says something else
        ("ORIGINAL", ""),
    ],
)
def test_the_vendors_image_types_are_understood(image_type: str, told: str) -> None:
    assert kinds(image_type) == told


def test_the_complex_image_component_wins_over_the_image_type() -> None:
    assert kinds("ORIGINAL/PRIMARY/M/ND", "PHASE") == "phase"
    assert kinds("DERIVED/PRIMARY/VOLUME/WATER", "MAGNITUDE", ENHANCED_MR) == "magnitude water"
    assert kinds("ORIGINAL/PRIMARY/VOLUME/NONE", "MIXED", ENHANCED_MR) == ""


def test_what_is_no_mr_has_no_such_kind() -> None:
    assert kinds("ORIGINAL/PRIMARY/M/ND", sop_class=CT) == ""
    assert len(set(KINDS)) == len(KINDS)

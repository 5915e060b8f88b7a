"""The b-value of a diffusion-weighted picture, as the standard, vendors and names of sequences tell it."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec
import pytest

from radrelay.dicom.diffusion import DiffusionAttributes

SIEMENS, GE = ("00190010", "SIEMENS MR HEADER", "0019100C"), ("00430010", "GEMS_PARM_01", "00431039")
PHILIPS, UNITED = ("20010010", "Philips Imaging DD 001", "20011003"), ("00650010", "Image Private Header", "00651009")


def told(**metadata: Any) -> float | None:
    found = msgspec.json.decode(msgspec.json.encode(metadata), type=DiffusionAttributes)
    return found.diffusion_b_value


def private(vendor: tuple[str, str, str], *values: float, raw: bytes = b"", creator: str = "") -> dict[str, Any]:
    block, name, element = vendor
    value = {"vr": "UN", "InlineBinary": base64.b64encode(raw).decode()} if raw else {"Value": list(values)}
    return {block: {"vr": "LO", "Value": [creator or name]}, element: value}


@pytest.mark.parametrize(
    ("metadata", "b_value"),
    [
        (private(SIEMENS, 800), 800),
        (private(SIEMENS, raw=b"1000"), 1000),
        (private(SIEMENS, 0), 0),
        (private(GE, 1000, 8, 0, 0), 1000),
        (private(GE, 1000000750, 8, 0, 0), 750),
        (private(GE, raw=b"1000001500\\8\\0\\0"), 1500),
        (private(PHILIPS, 600.0), 600),
        (private(PHILIPS, raw=struct.pack("<f", 50)), 50),
        (private(UNITED, raw=struct.pack("<d", 2000)), 2000),
        (private(PHILIPS, raw=b"?"), None),
        (private(SIEMENS, raw=b"none"), None),
        (private(SIEMENS, -1), None),
        (private(GE, 750, creator="SOMEBODY ELSE"), None),
        ({}, None),
    ],
)  # fmt: skip
def test_vendors_tell_it_in_elements_of_their_own(metadata: dict[str, Any], b_value: float | None) -> None:
    assert told(**metadata) == b_value


def test_the_standards_own_attribute_comes_first() -> None:
    assert told(**{"00189087": {"vr": "FD", "Value": [700]}}, **private(SIEMENS, 800)) == 700


@pytest.mark.parametrize(
    ("name", "b_value"),
    [("*ep_b1000t", 1000), ("*ep_b0", 0), ("ep_b50#2", 50), ("*fl3d1", None), ("ep_b1234567", None)],
)
def test_a_sequence_name_tells_it_where_nothing_else_does(name: str, b_value: float | None) -> None:
    assert told(**{"00180024": {"vr": "SH", "Value": [name]}}) == b_value
    assert told(**{"00180024": {"vr": "SH", "Value": [name]}}, **private(GE, 300)) == 300

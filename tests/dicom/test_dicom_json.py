"""DICOM JSON (PS3.18 F): the standard's cases, and the same answer as pydicom for real files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.dicom.writing import element, sequence

Json = dict[str, Any]


def test_values_by_vr() -> None:
    data = b"".join(
        (
            element(0x00080005, "CS", "ISO_IR 192"),
            element(0x00080008, "CS", "ORIGINAL", "", "AXIAL"),
            element(0x00080020, "DA"),
            sequence(0x00081140, [[element(0x00081155, "UI", "1.2")], []]),
            element(0x00100010, "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
            element(0x00180050, "DS", "1.50", "bad"),
            element(0x00189323, "FD", 1.5, float("nan")),
            element(0x00200013, "IS", "+12"),
            element(0x00280009, "AT", 0x00181063),
            element(0x00280010, "US", 512),
            element(0x00420011, "OB", b"\0\1"),
            element(0x7FE00010, "OW", b"\0\1"),
        )
    )
    assert parse(data, EXPLICIT_LE).to_json(lambda path: f"bulk/{path}") == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
        "00080020": {"vr": "DA"},
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}, {}]},
        "00100010": {
            "vr": "PN",
            "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}],
        },
        "00180050": {"vr": "DS", "Value": [1.5, "bad"]},
        "00189323": {"vr": "FD", "Value": [1.5, "NaN"]},
        "00200013": {"vr": "IS", "Value": [12]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00280010": {"vr": "US", "Value": [512]},
        "00420011": {"vr": "OB", "InlineBinary": "AAE="},
        "7FE00010": {"vr": "OW", "BulkDataURI": "bulk/7FE00010"},
    }


def test_pixel_data_of_a_head_is_named_too() -> None:
    data = element(0x00080020, "DA") + element(0x7FE00010, "OW", b"\0\1")
    assert parse(data[:-2], EXPLICIT_LE).to_json(str)["7FE00010"] == {"vr": "OW", "BulkDataURI": "7FE00010"}
    assert "7FE00010" not in parse(data[:-2], EXPLICIT_LE).to_json()


def meant(key: str, mine: Json, other: Json) -> bool:
    if mine["vr"] != other["vr"]:
        private = int(key[3], 16) % 2 == 1
        return (key == "7FE00010" and mine["vr"] == "OB") or (private and mine["vr"] == "UN")
    if "BulkDataURI" in mine or "BulkDataURI" in other:
        return True
    return values(mine) == values(other)


def values(attribute: Json) -> list[object]:
    return [(value.strip(" ") if isinstance(value, str) else value) or None for value in attribute.get("Value", [])]


def differences(ours: Json, theirs: Json, path: str) -> Iterator[tuple[str, object, object]]:
    """Yield what differs beyond what is meant to.

    Meant: text is UTF-8 in JSON, so the character set says so; an empty value is null (F.2.5), not an empty string;
    each of several values is without padding; groups below 0008 belong to files and directories; group lengths are
    retired; what is bulk for us by its tag or its fragments may stand inline there; private elements without a VR
    stay UN, pydicom looks them up; encapsulated pixel data is OB (PS3.5 A.4), whatever the file says.
    """
    for key in sorted(set(ours) | set(theirs)):
        if key == "00080005" or key < "00080000" or key.endswith("0000"):
            continue
        mine, other = ours.get(key), theirs.get(key)
        if mine == other or mine is None or other is None:
            if mine != other:
                yield path + key, mine, other
            continue
        if mine["vr"] == other["vr"] == "SQ":
            for index, (left, right) in enumerate(zip(mine.get("Value", []), other.get("Value", []), strict=True)):
                yield from differences(left, right, f"{path}{key}/{index}/")
            continue
        if not meant(key, mine, other):
            yield path + key, mine, other


KNOWN: dict[str, str] = {
    "emri_small_jpeg_2k_lossless_too_short.dcm": "pydicom gives up at the short pixel data and drops all else",
    "rtplan_truncated.dcm": "pydicom shows half of a sequence that is cut off",
    "bad_sequence.dcm": "pydicom suppresses identifiers longer than their VR allows",
}


@pytest.mark.shared
def test_real_files_read_as_in_pydicom(shared_data: Path) -> None:
    compared = 0
    for path in sorted(shared_data.rglob("*")):
        if not path.is_file() or path.stat().st_size > 100_000 or "broken" in path.parts or path.name in KNOWN:
            continue
        data = path.read_bytes()
        try:
            head = parse_preamble(data)
            ours = parse(data[head.dataset_offset :], head.transfer_syntax_uid).to_json(str)
            json.dumps(ours, allow_nan=False)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = dcmread(path, force=True).to_json_dict(1024, lambda _: "uri")
                theirs = json.loads(json.dumps(theirs))
        except Malformed:
            continue
        except Exception:
            continue
        found = list(differences(ours, theirs, ""))
        assert not found, (path, found[:3])
        compared += 1
    assert compared > 400

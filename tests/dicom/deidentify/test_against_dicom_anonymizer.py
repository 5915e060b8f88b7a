"""Attribute by attribute beside dicom-anonymizer, an independent implementation of the Basic Profile.

Its table of 2026c is compared with ours row by row, that of 2024b but for what was added since. Then both de-identify
the same real files, and each attribute that they treat differently has to have one of the reasons below.
"""

from __future__ import annotations

import copy
import importlib
import warnings
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, initialize_actions_2024b
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from radrelay.dicom.deidentify import Deidentified, Project
from radrelay.dicom.deidentify.attribute_types import type_of
from radrelay.dicom.deidentify.plan import BESIDES, COMMENTS
from radrelay.dicom.deidentify.profile_table import Row, profile
from radrelay.dicom.dictionary import keyword_of
from tests.dicom.deidentify.made import outcome_of, project, read

LISTS = {
    "D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U", "Z_D_TAGS": "Z/D", "X_Z_TAGS": "X/Z", "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D", "X_Z_U_STAR_TAGS": "X/Z/U*",
}  # fmt: skip
ADDED_BY_US = frozenset({0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280303})
ADDED_SINCE_2024B = 35
NAMES = ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "rtdose.dcm", "rtstruct.dcm", "test-SR.dcm", "waveform_ecg.dcm",
         "image_dfl.dcm", "liver_1frame.dcm", "ExplVR_BigEnd.dcm", "rtdose_1frame.dcm",
         "693_J2KI.dcm", "reportsi.dcm")  # fmt: skip


def table_of(edition: str) -> dict[int, str]:
    rules = importlib.import_module(f"dicomanonymizer.dicom_anonymization_databases.dicomfields_{edition}")
    return {
        tag[0] << 16 | tag[1]: code for name, code in LISTS.items() for tag in getattr(rules, name) if len(tag) == 2
    }


def test_basic_column_is_that_of_2026c() -> None:
    assert {tag: row.basic for tag, row in profile().items()} == table_of("2026c")


def test_since_2024b_rows_were_added_and_none_changed() -> None:
    earlier = table_of("2024b")
    ours = {tag: row.basic for tag, row in profile().items()}
    assert {tag: ours[tag] for tag in earlier} == earlier
    assert len(ours) - len(earlier) == ADDED_SINCE_2024B


def fate(before: Dataset, after: Dataset, tag: int) -> str:
    if tag not in after:
        return "gone"
    value = after[tag].value
    if before[tag].value == value:
        return "same"
    return "empty" if value in (None, "", b"") or (before[tag].VR == "SQ" and not value) else "other"


def reason(tag: int, theirs: str, ours: str, sop_class: str) -> str:
    """Return why an attribute comes out differently; empty when there is no reason."""
    if tag in ADDED_BY_US:
        return "the patient has an alias, so that no two are one; what was done is said"
    if tag & 0xFFFF == 0 and ours == "gone":
        return "group lengths are retired and go (PS3.5 7.2)"
    row = profile().get(tag)
    return unlisted(tag, theirs, ours) if row is None else listed(row, theirs, ours, type_of(tag, 0, sop_class))


def unlisted(tag: int, theirs: str, ours: str) -> str:
    """Return why an attribute that the table does not name comes out differently."""
    if tag >> 24 == 0x60 and ours == "gone":
        return "without its bits the rest of an overlay says nothing, and its description may say too much"
    if not keyword_of(tag) and ours == "gone":
        return "an attribute that the data dictionary does not know"
    if tag in BESIDES | COMMENTS and ours == "gone":
        return "an address, a date or a comment that the table does not name"
    if ours in ("other", "empty") and theirs == "same":
        return "theirs leaves what is in sequences, and values that stand elsewhere, as they are"
    return ""


def listed(row: Row, theirs: str, ours: str, kind: int | None) -> str:
    """Return why an attribute of the table comes out differently."""
    if "/" in row.basic:
        chosen = {"gone": "X", "empty": "Z", "other": "DU", "same": "DU"}[ours]
        if any(letter in row.basic for letter in chosen):
            return "of the alternatives, the one that the IOD's type asks for; theirs does not know the IOD"
    if row.basic in ("X", "U") and theirs == "other":
        return "theirs writes a dummy for dates that are to go, and a UID where there was none"
    if row.basic == "Z" and ours != "other":
        return "empty, as Z says; theirs writes dates and times of the year 1, and leaves sequences"
    if row.basic == "Z" and kind == 1 and ours == "other":
        return "type 1: a dummy value, which Z allows, instead of an empty one, which the IOD forbids"
    if row.basic == "D" and row.vr == "SQ" and {ours, theirs} == {"same", "other"}:
        return "a sequence whose items hold nothing but what stays"
    return ""


def compared(path: Path, ours: Project) -> Counter[str] | None:
    """Return how often each reason was met in a file; none when either cannot read it."""
    made = outcome_of(path, ours)
    if not isinstance(made, Deidentified):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = pydicom.dcmread(path, force=True)
        theirs = copy.deepcopy(before)
        try:
            anonymize_dataset(theirs, base_rules_gen=initialize_actions_2024b)
        except Exception:  # it raises all kinds of them on values that are not valid
            return None
        after = read(made)
        reasons: Counter[str] = Counter()
        for element in before:
            tag = int(element.tag)
            if element.tag.is_private:
                assert tag not in after
                continue
            one, other = fate(before, theirs, tag), fate(before, after, tag)
            if one == other:
                continue
            why = reason(tag, one, other, str(before.get("SOPClassUID", "")))
            assert why, f"{path.name}: {element.tag} {element.keyword} is {one} there and {other} here"
            reasons[why] += 1
        return reasons


@pytest.mark.parametrize("name", NAMES)
def test_each_deviation_has_a_reason(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    trusting = project(trust_unmarked=frozenset(("", "OT", "US", "CT", "MR")))
    assert compared(Path(path), trusting) is not None


@pytest.mark.shared
def test_each_deviation_has_a_reason_in_real_files(shared_data: Path) -> None:
    trusting = project(trust_unmarked=frozenset(("", "OT", "US", "CT", "MR", "XC", "SM")))
    folders = ("deid", "rt/rt-utils", "rt/dicompyler-core", "misc/orthanc-tests", "seg-sr-wsi", "codecs/pydicom-data")
    seen = [compared(path, trusting) for folder in folders for path in sorted((shared_data / folder).rglob("*.dcm"))]
    assert sum(found is not None for found in seen) > 60

"""The dictionary's tables as Radrelay reads them say what pydicom says."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.datadict import dictionary_VR

from radrelay.dicom.dictionary import vr_of


def test_every_tag_has_the_vr_that_pydicom_gives_it() -> None:
    assert all(vr_of(tag) == dictionary_VR(tag) for tag in DicomDictionary if tag & 0xFFFF)


def test_repeating_tags_have_the_vr_that_pydicom_gives_them() -> None:
    for name in RepeatersDictionary:
        tag = int(name.replace("x", "2"), 16)
        assert vr_of(tag) == dictionary_VR(tag), name


def test_a_tag_that_nobody_knows_is_un() -> None:
    assert vr_of(0x00080004) == "UN"


@pytest.mark.parametrize("role", ["listen", "web", "work"])
def test_no_role_starts_by_importing_what_it_may_never_need(role: str) -> None:
    heavy = "{'pydicom', 'highdicom', 'pynetdicom', 'moto', 'alembic', 'scipy', 'SimpleITK'}"
    code = f"import sys, radrelay.app.{role}; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"

"""The data dictionary: as pydicom has it, without the cost of importing pydicom."""

from __future__ import annotations

import subprocess
import sys

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from radrelay.dicom.dictionary import keyword_of, tag_of, vr_of


def test_every_tag_has_its_vr_and_keyword() -> None:
    for tag, entry in DicomDictionary.items():
        if tag & 0xFFFF:
            assert (vr_of(tag), keyword_of(tag)) == (entry[0], entry[4])
    for mask, entry in RepeatersDictionary.items():
        assert vr_of(int(mask.replace("x", "6"), 16)) == entry[0]


def test_tags_outside_of_the_dictionary() -> None:
    assert vr_of(0x00090010) == "LO"
    assert vr_of(0x00091001) == vr_of(0x00081234) == "UN"
    assert vr_of(0x00100000) == "UL"
    assert keyword_of(0x00091001) == ""
    assert tag_of("PatientID") == 0x00100020
    assert tag_of("NoSuchKeyword") is None


def test_receiving_needs_no_pydicom() -> None:
    code = (
        "import sys; import radrelay.dicom.walk, radrelay.dicom.part10, radrelay.dicom.index; "
        "import radrelay.dicom.dictionary as d; d.vr_of(0x00100010); "
        "sys.exit('pydicom' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""What the index keeps of an object."""

from __future__ import annotations

import json
from datetime import date

from radrelay.dicom import phantoms
from radrelay.dicom.header import parse
from radrelay.dicom.index import bounded, index_attributes
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.dicom.writing import element


def test_phantom_is_indexed() -> None:
    file = next(iter(phantoms.study("ct-chest", slices=1, size=64, patient=PATIENTS[3])))
    head = parse_preamble(file)
    found = index_attributes(parse(file[head.dataset_offset :], head.transfer_syntax_uid), head.transfer_syntax_uid)
    assert found.patient_name == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert (found.patient_id, found.issuer, found.sex) == ("PH-0004", "RADRELAY-PHANTOMS", "M")
    assert found.birth_date == date(1971, 1, 9)
    assert (found.modality, found.rows, found.columns, found.frames, found.instance_number) == ("CT", 64, 64, 1, 1)
    assert found.sop_uid == head.sop_uid
    study = json.loads(found.study_json)
    assert study["00100010"]["Value"][0]["Ideographic"] == "山田^太郎"
    assert study["00080005"]["Value"] == ["ISO_IR 192"]
    assert json.loads(found.series_json)["00080060"] == {"vr": "CS", "Value": ["CT"]}


def test_hostile_values_fit_the_tables() -> None:
    data = b"".join(
        (
            element(0x00080050, "SH", "A" * 5000),
            element(0x00080060, "CS", "MODALITY" * 9),
            element(0x00100010, "PN", "N" * 60000),
            element(0x00100020, "LO", "P" * 60000),
            element(0x00200011, "IS", "99999999999999999999"),
            element(0x00200013, "IS", "-2"),
            element(0x00280008, "IS", "-5"),
        )
    )
    found = index_attributes(parse(data, EXPLICIT_LE), EXPLICIT_LE, sop_class_uid="1.2", sop_uid="1.2.3")
    assert max(len(found.patient_id), len(found.accession)) == 64
    assert len(found.patient_name) <= 400
    assert len(found.modality) <= 16
    assert (found.series_number, found.instance_number, found.frames) == (None, -2, 1)
    assert (found.sop_class, found.sop_uid) == ("1.2", "1.2.3")


def test_two_long_identifiers_stay_two() -> None:
    assert bounded("P" * 100 + "1", 64) != bounded("P" * 100 + "2", 64)
    assert bounded("short", 64) == "short"

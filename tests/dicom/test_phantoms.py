"""Phantoms are what they say: valid objects, always the same, readable names."""

from __future__ import annotations

import io
import subprocess
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS, PhantomPatient

SMALL = {"ct-head": 64, "ct-chest": 64, "mr-head": 64, "cr-chest": 250, "mg": 200, "us-heart": 120}


@pytest.mark.parametrize("kind", phantoms.KINDS)
def test_same_arguments_make_the_same_files(kind: phantoms.Kind) -> None:
    first = list(phantoms.study(kind, seed=3, slices=3, size=SMALL[kind]))
    assert first == list(phantoms.study(kind, seed=3, slices=3, size=SMALL[kind]))
    assert first != list(phantoms.study(kind, seed=4, slices=3, size=SMALL[kind]))


@pytest.mark.parametrize("kind", phantoms.KINDS)
def test_dciodvfy_finds_no_error(kind: phantoms.Kind, tmp_path: Path) -> None:
    for number, patient in enumerate(PATIENTS):
        for file in phantoms.study(kind, seed=number, patient=patient, slices=2, size=SMALL[kind]):
            path = tmp_path / "object.dcm"
            path.write_bytes(file)
            done = subprocess.run(["dciodvfy", path], capture_output=True, check=False)
            said = done.stderr.decode("utf-8", "replace")
            assert "Error" not in said, (patient.name, said)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: str(patient.patient_id))
def test_pydicom_reads_the_name_in_its_character_set(patient: PhantomPatient) -> None:
    read = dcmread(io.BytesIO(next(iter(phantoms.study("mr-head", patient=patient, slices=1, size=32)))))
    assert str(read.PatientName) == patient.name
    assert read.pixel_array.shape == (32, 32)


@pytest.mark.parametrize("kind", phantoms.KINDS)
def test_pictures_have_contrast(kind: phantoms.Kind) -> None:
    for file in phantoms.study(kind, slices=2, size=SMALL[kind]):
        pixels = dcmread(io.BytesIO(file)).pixel_array
        assert pixels.std() > 10
        assert pixels.max() <= 4095


def test_samples_show_every_kind_and_patient() -> None:
    found = [dcmread(io.BytesIO(file), stop_before_pixels=True) for file in phantoms.samples(slices=2)]
    assert {str(one.PatientID) for one in found} == {patient.patient_id for patient in PATIENTS}
    assert {one.Modality for one in found} == {"CT", "MR", "CR", "MG", "US"}
    assert len({one.SOPInstanceUID for one in found}) == len(found)


def test_load_tests_get_slices_fast_enough() -> None:
    slices = phantoms.study("ct-head", slices=60)
    next(slices)
    start = time.perf_counter()
    count = sum(1 for _ in slices)
    assert count / (time.perf_counter() - start) > 60  # 600 on an idle core

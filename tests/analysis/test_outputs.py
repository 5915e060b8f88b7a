"""What a program has written counts as a whole or not at all, whatever it names its files and UIDs."""

from __future__ import annotations

import uuid
from functools import partial
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

from radrelay.analysis import outputs
from radrelay.analysis.errors import OutputInvalid, OutputOfAnother
from radrelay.analysis.outputs import Output, Whose, read_output
from radrelay.dicom.transcode import inflate

STUDY_UID = "1.2.826.0.1.3680043.10.511.77"
RUN = uuid.UUID("0d3fb6f2-4a2c-4b68-8a38-5a2a1d8e4b11")
WHOSE = Whose(STUDY_UID, "P1", "", "")


def result(series: int, instance: int) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
    made.StudyInstanceUID, made.PatientID = STUDY_UID, "P1"
    made.SeriesNumber, made.InstanceNumber = series, instance
    made.SeriesDescription = f"{series} of {instance}"
    made.Rows = made.Columns = made.BitsAllocated = made.BitsStored = 8
    made.SamplesPerPixel, made.HighBit, made.PixelRepresentation = 1, 7, 0
    made.PhotometricInterpretation, made.PixelData = "MONOCHROME2", bytes(64)
    return made


def written(folder: Path, results: list[Dataset]) -> Output:
    folder.mkdir()
    for one in results:
        one.save_as(folder / f"{uuid.uuid4()}.dcm", enforce_file_format=True)
    return read_output(folder, RUN, WHOSE)


def attempt(folder: Path) -> list[tuple[str, str, int, int]]:
    """Write the same results under names and UIDs of this attempt alone; return what stands under which UID."""
    series = {number: generate_uid() for number in (1, 2)}
    results = [result(number, instance) for number in series for instance in range(1, 13)]
    for one in results:
        one.SeriesInstanceUID = series[one.SeriesNumber]
    found = []
    for _, content in written(folder, results).objects(lambda _: True):
        one = pydicom.dcmread(BytesIO(content))
        found.append((one.SOPInstanceUID, one.SeriesInstanceUID, int(one.SeriesNumber), int(one.InstanceNumber)))
    return found


def test_an_object_has_the_same_uid_in_each_attempt_though_the_program_names_it_anew(tmp_path: Path) -> None:
    assert attempt(tmp_path / "first") == attempt(tmp_path / "second")


@pytest.mark.parametrize("uid", [STUDY_UID, CTImageStorage, "1.2.840.10008.1.2.1"])
@pytest.mark.parametrize("name", ["SOPInstanceUID", "SeriesInstanceUID"])
def test_a_uid_of_something_else_does_not_carry_a_result_into_another_study(
    tmp_path: Path, name: str, uid: str
) -> None:
    one = result(1, 1)
    one.SeriesInstanceUID = generate_uid()
    setattr(one, name, uid)
    with pytest.raises(OutputInvalid):
        written(tmp_path / "out", [one])


def test_what_changes_after_it_was_checked_is_not_taken(tmp_path: Path) -> None:
    one = result(1, 1)
    one.SeriesInstanceUID = generate_uid()
    output = written(tmp_path / "out", [one])
    one.PatientID = "P2"
    one.save_as(output.files[0], enforce_file_format=True)
    with pytest.raises(OutputOfAnother):
        list(output.objects(lambda _: True))


def test_a_result_that_inflates_beyond_all_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = result(1, 1)
    one.SeriesInstanceUID = generate_uid()
    one.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert written(tmp_path / "small", [one]).results
    monkeypatch.setattr(outputs, "inflate", partial(inflate, limit=64))
    with pytest.raises(OutputInvalid):
        written(tmp_path / "out", [one])


@pytest.mark.parametrize("depth", [100, 900, 5000])
def test_findings_nested_too_deep_are_refused(tmp_path: Path, depth: int) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "findings.json").write_text("[" * depth + "]" * depth)
    with pytest.raises(OutputInvalid):
        read_output(folder, RUN, WHOSE)

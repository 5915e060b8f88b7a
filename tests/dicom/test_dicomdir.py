"""The directory of media: pydicom, dcmtk and dciodvfy read it."""

from __future__ import annotations

import gc
import io
import subprocess
import warnings
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.fileset import FileSet as TheirFileSet

from radrelay.dicom import phantoms
from radrelay.dicom.directory_records import record_type
from radrelay.dicom.fileset import FileSet
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import file_meta, parse_preamble
from radrelay.dicom.phantom_patients import PATIENTS

OTHERS = ("rtplan.dcm", "rtdose.dcm", "rtstruct.dcm", "reportsi.dcm", "test-SR.dcm", "MR_small.dcm", "waveform_ecg.dcm")


def opened(file: bytes) -> tuple[Header, str]:
    head = parse_preamble(file)
    return parse(file[head.dataset_offset :], head.transfer_syntax_uid), head.transfer_syntax_uid


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    files = [file for patient in PATIENTS for file in phantoms.study("mr-head", slices=2, size=32, patient=patient)]
    files += phantoms.study("us-heart", slices=1, size=64)
    for name in OTHERS:
        path = get_testdata_file(name, download=False)
        if isinstance(path, str):
            files.append(Path(path).read_bytes())
    file_set = FileSet("TEST")
    for file in files:
        header, syntax = opened(file)
        target = tmp_path.joinpath(*file_set.add(header, syntax))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file_meta(header.text(0x00080016), header.text(0x00080018), syntax) + header.data)
    (tmp_path / "DICOMDIR").write_bytes(file_set.dicomdir())
    return tmp_path


@pytest.mark.filterwarnings("ignore")
def test_pydicom_loads_every_object_under_its_patient(medium: Path) -> None:
    loaded = TheirFileSet(medium / "DICOMDIR")
    assert len(loaded) >= len(PATIENTS) * 4 + 1
    names = {str(name) for name in loaded.find_values("PatientName")}
    assert {patient.name for patient in PATIENTS} <= names
    for instance in loaded:
        assert Path(instance.path).is_file()
        assert instance.load().SOPInstanceUID == instance.ReferencedSOPInstanceUIDInFile
    del instance, loaded
    gc.collect()  # its temporary folder warns when it is cleaned up


def test_dciodvfy_finds_no_error(medium: Path) -> None:
    done = subprocess.run(["dciodvfy", medium / "DICOMDIR"], capture_output=True, check=False)
    errors = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.startswith("Error")]
    # objects of pydicom bring identifiers of their own that break rules; none of ours may
    assert [line for line in errors if "UID" not in line and "invalid data values" not in line] == []


def test_dcmtk_follows_the_offsets(medium: Path) -> None:
    done = subprocess.run(["dcmdump", medium / "DICOMDIR"], capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stderr == b""


def test_file_ids_fit_iso_9660(medium: Path) -> None:
    for path in medium.rglob("*"):
        assert len(path.name) <= 8
        assert path.name == path.name.upper()
        assert "." not in path.name


def test_object_that_is_there_keeps_its_file() -> None:
    file_set = FileSet()
    header, syntax = opened(next(iter(phantoms.study("mr-head", slices=1, size=32))))
    assert file_set.add(header, syntax) == file_set.add(header, syntax)
    assert len(file_set) == 1


def test_empty_file_set_is_a_directory_without_records() -> None:
    assert len(dcmread(io.BytesIO(FileSet().dicomdir())).DirectoryRecordSequence) == 0


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("2", "IMAGE"),
        ("88.33", "SR DOCUMENT"),
        ("88.59", "KEY OBJECT DOC"),
        ("11.1", "PRESENTATION"),
        ("9.1.1", "WAVEFORM"),
        ("104.1", "ENCAP DOC"),
        ("481.1", "IMAGE"),
        ("481.3", "RT STRUCTURE SET"),
        ("66.4", "IMAGE"),
        ("66", "RAW DATA"),
    ],
)
def test_record_type_follows_the_sop_class(number: str, kind: str) -> None:
    assert record_type(f"1.2.840.10008.5.1.4.1.1.{number}", has_pixels=True) == kind


def test_private_class_without_pixels_is_private() -> None:
    assert record_type("1.3.12.2.1107.5.9.1", has_pixels=False) == "PRIVATE"


@pytest.mark.shared
def test_real_objects_make_a_directory_that_pydicom_loads(shared_data: Path) -> None:
    file_set = FileSet()
    for path in sorted((shared_data / "misc").rglob("*.dcm")) + sorted((shared_data / "seg-sr-wsi").rglob("*.dcm")):
        try:
            header, syntax = opened(path.read_bytes())
        except ValueError:
            continue
        except Exception:
            continue
        if header.text(0x00080018) and header.text(0x0020000D) and "91.1" not in header.text(0x00080016):
            file_set.add(header, syntax)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory = dcmread(io.BytesIO(file_set.dicomdir()))
    assert len(directory.DirectoryRecordSequence) > len(file_set)

"""What stands before a file's data set."""

from __future__ import annotations

import io
import zlib

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import file_meta, looks_like_dicom, parse_preamble
from radrelay.dicom.syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_BASELINE
from radrelay.dicom.writing import element

DATASET = element(0x00080005, "CS", "ISO_IR 100") + element(0x00080016, "UI", "1.2.3")


def test_own_meta_information_is_read_by_pydicom() -> None:
    head = file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", EXPLICIT_LE, "SENDER")
    read = dcmread(io.BytesIO(head + DATASET))
    assert read.file_meta.TransferSyntaxUID == EXPLICIT_LE
    assert read.file_meta.SourceApplicationEntityTitle == "SENDER"
    assert read.file_meta.FileMetaInformationGroupLength == len(head) - 144
    assert head[:128] == bytes(128)


def test_own_meta_information_is_read_back() -> None:
    file = file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", JPEG_BASELINE) + DATASET
    head = parse_preamble(file)
    assert (head.transfer_syntax_uid, head.sop_uid) == (JPEG_BASELINE, "1.2.3")
    assert file[head.dataset_offset :] == DATASET
    assert not head.guessed


@pytest.mark.parametrize("before", [b"", bytes(128), b"MZ" + bytes(126), bytes(128) + b"DICM", b"DICM"])
def test_missing_meta_information_is_guessed(before: bytes) -> None:
    head = parse_preamble(before + DATASET)
    assert (head.transfer_syntax_uid, head.dataset_offset, head.guessed) == (EXPLICIT_LE, len(before), True)


def test_encodings_are_told_apart_by_the_first_element() -> None:
    original = dcmread(io.BytesIO(bytes(128) + b"DICM" + DATASET), force=True)
    for implicit, little, uid in ((True, True, IMPLICIT_LE), (False, False, EXPLICIT_BE)):
        target = DicomBytesIO()
        target.is_implicit_VR, target.is_little_endian = implicit, little
        write_dataset(target, original)
        assert parse_preamble(target.getvalue()).transfer_syntax_uid == uid
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = engine.compress(DATASET * 5) + engine.flush()
    assert parse_preamble(bytes(128) + b"DICM" + deflated).transfer_syntax_uid == DEFLATED_LE


def test_wrong_group_length_is_no_matter() -> None:
    file = bytearray(file_meta("1.2", "1.2.3", EXPLICIT_LE) + DATASET)
    file[140:144] = b"\xff\xff\0\0"
    assert parse_preamble(bytes(file)).dataset_offset == len(file) - len(DATASET)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "empty"),
        (b"<html><body>", "no DICOM file"),
        (b"%PDF-1.7" + bytes(300), "no DICOM file"),
        (bytes(128) + b"DICM", "ends before its data set"),
        (file_meta("1.2", "1.2.3", EXPLICIT_LE)[:-3], "longer than the file"),
    ],
)
def test_what_is_no_file_is_refused(file: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        parse_preamble(file)


@pytest.mark.parametrize("name", ["CT_small.dcm", "no_meta_group_length.dcm", "ExplVR_BigEnd.dcm", "image_dfl.dcm"])
def test_files_of_pydicom_begin_where_pydicom_says(name: str) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    with open(path, "rb") as file:
        data = file.read()
    head = parse_preamble(data)
    assert looks_like_dicom(data[:144])
    assert head.transfer_syntax_uid == dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID

"""Attributes of a header, read by tag."""

from __future__ import annotations

import io
import struct
from datetime import date, time

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.syntaxes import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from radrelay.dicom.writing import element, sequence

SYNTAXES = [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE]


def dataset() -> Dataset:
    found = Dataset()
    found.SpecificCharacterSet = "ISO_IR 100"
    found.ImageType = ["ORIGINAL", "PRIMARY"]
    found.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    found.StudyDate = "20240229"
    found.StudyTime = "235960.1234"
    found.PatientName = "Müller^Jörg^^^"
    found.PatientID = " 0042 "
    found.PatientBirthDate = "1957.03.14"
    found.AdditionalPatientHistory = " two\r\nlines "
    found.SliceThickness = "1.25"
    found.SeriesNumber = "+7"
    found.PixelRepresentation = 1
    found.add_new(0x00280106, "SS", -5)  # ambiguous: US or SS
    found.add_new(0x00181063, "DS", "33.3")
    found.add_new(0x00280009, "AT", 0x00181063)
    found.add_new(0x00189087, "FD", 1.5)
    found.add_new(0x00281201, "OW", b"\1\2\3\4")
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    nested = Dataset()
    nested.CodeMeaning = "Schädel"
    item.PurposeOfReferenceCodeSequence = Sequence([nested])
    found.ReferencedImageSequence = Sequence([item, Dataset()])
    return found


def header(uid: str, *, undefined: bool = False) -> Header:
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = uid == IMPLICIT_LE, uid != EXPLICIT_BE
    made = dataset()
    if uid == EXPLICIT_BE:
        made[0x00281201].value = b"\2\1\4\3"
    if undefined:
        made["ReferencedImageSequence"].is_undefined_length = True
        made.ReferencedImageSequence[0].is_undefined_length_sequence_item = True
    write_dataset(target, made)
    return parse(target.getvalue(), uid)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.filterwarnings("ignore")
def test_values_are_the_same_in_every_encoding(uid: str, undefined: bool) -> None:
    found = header(uid, undefined=undefined)
    assert found.person_name(0x00100010) == "Müller^Jörg"
    assert found.text(0x00100020) == "0042"
    assert found.texts(0x00080008) == ["ORIGINAL", "PRIMARY"]
    assert found.date(0x00080020) == date(2024, 2, 29)
    assert found.time(0x00080030) == time(23, 59, 59, 123400)
    assert found.date(0x00100030) == date(1957, 3, 14)
    assert found.text(0x001021B0) == " two\r\nlines"
    assert found.number(0x00180050) == 1.25
    assert found.integer(0x00200011) == 7
    assert found.integers(0x00280106) == [-5]
    assert found.texts(0x00280009) == ["00181063"]
    assert found.numbers(0x00189087) == [1.5]
    assert found.raw(0x00281201) == b"\1\2\3\4"
    assert [item.text(0x00081155) for item in found.items(0x00081140)] == ["1.2.3", ""]
    assert found.items(0x00081140)[0].items(0x0040A170)[0].text(0x00080104) == "Schädel"
    assert found.problems == []


def test_absent_attributes_read_as_nothing() -> None:
    empty = parse(b"", EXPLICIT_LE)
    assert empty.text(0x00100010) == empty.person_name(0x00100010) == empty.vr(0x00100010) == ""
    assert [empty.texts(1), empty.numbers(1), empty.integers(1)] == [[], [], []]
    assert [empty.date(1), empty.time(1), empty.integer(1), empty.number(1)] == [None] * 4
    assert empty.raw(0x00100010) == b""
    assert empty.items(0x00081140) == []
    assert 0x00100010 not in empty


@pytest.mark.parametrize("value", ["2024-02-30", "today", "20241301", "\\\\", "99999999"])
def test_bad_values_read_as_absent_and_are_named(value: str) -> None:
    found = parse(
        element(0x00080020, "DA", value) + element(0x00080030, "TM", "noon") + element(0x00200013, "IS", "one"),
        EXPLICIT_LE,
    )
    assert found.date(0x00080020) is None
    assert found.time(0x00080030) is None
    assert found.integer(0x00200013) is None
    assert [problem.split()[0] for problem in found.problems] == ["StudyDate", "StudyTime", "InstanceNumber"]


def test_wrong_vr_is_read_as_it_stands() -> None:
    found = parse(
        element(0x00100010, "OB", "Müller^J".encode("latin-1"))
        + element(0x00280010, "UL", 512)
        + element(0x00280011, "IS", 256),
        EXPLICIT_LE,
    )
    assert found.person_name(0x00100010) == "Müller^J"
    assert (found.integer(0x00280010), found.integer(0x00280011)) == (512, 256)


def test_unknown_vr_of_a_known_tag_is_the_dictionarys() -> None:
    found = parse(element(0x00100020, "UN", b"0815") + element(0x00091001, "UN", b"0815"), EXPLICIT_LE)
    assert (found.vr(0x00100020), found.text(0x00100020)) == ("LO", "0815")
    assert found.vr(0x00091001) == "UN"


def test_sequence_as_unknown_of_known_length_is_read_implicit() -> None:
    item = b"\x08\x00\x55\x11\x06\0\0\x001.2.3\0"
    content = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item
    found = parse(element(0x00081140, "UN", content), EXPLICIT_LE)
    assert found.items(0x00081140)[0].text(0x00081155) == "1.2.3"


def test_private_sequences_and_odd_lengths_are_read() -> None:
    private = element(0x00290010, "LO", "ACME") + sequence(0x00291001, [[element(0x00291002, "LO", "x")]])
    odd = b"\x10\x00\x20\x00LO\x03\0abc" + element(0x00200013, "IS", 3)
    found = parse(odd[:11] + private + odd[11:], EXPLICIT_LE)
    assert found.text(0x00100020) == "abc"
    assert found.integer(0x00200013) == 3
    assert found.items(0x00291001)[0].text(0x00291002) == "x"


def test_first_of_two_equal_tags_counts() -> None:
    found = parse(element(0x00100020, "LO", "first") + element(0x00100020, "LO", "second"), EXPLICIT_LE)
    assert found.text(0x00100020) == "first"
    assert "twice" in found.problems[0]


def test_cut_off_end_is_left_out_or_refused() -> None:
    data = element(0x00100020, "LO", "first") + element(0x00200010, "SH", "abcdefgh")[:-2]
    found = parse(data, EXPLICIT_LE)
    assert found.truncated
    assert list(found) == [0x00100020]
    with pytest.raises(Malformed, match="runs 2 bytes beyond"):
        parse(data, EXPLICIT_LE, truncated_ok=False)


def test_trailing_garbage_is_named() -> None:
    found = parse(element(0x00100020, "LO", "first") + b"garbage", EXPLICIT_LE)
    assert found.text(0x00100020) == "first"
    assert "are no element" in found.problems[0]


def test_depth_is_bounded() -> None:
    inner = element(0x00080100, "SH", "x")
    for _ in range(100):
        inner = sequence(0x0040A730, [[inner]])
    found = parse(inner, EXPLICIT_LE)
    depth = 0
    while items := found.items(0x0040A730):
        found, depth = items[0], depth + 1
    assert depth == 64
    assert "nested deeper" in found.problems[0]


def test_bulk_is_found_by_its_path() -> None:
    inner = sequence(0x54000100, [[element(0x54001010, "OW", bytes(2000))]])
    found = parse(inner + element(0x7FE00010, "OW", b"\1\2"), EXPLICIT_LE)
    paths: list[str] = []

    def address(path: str) -> str:
        paths.append(path)
        return path

    found.to_json(address)
    assert paths == ["54000100/0/54001010", "7FE00010"]
    assert [len(found.value_at(path) or b"") for path in paths] == [2000, 2]
    for wrong in ("", "x", "54000100/0", "54000100/7/54001010", "00100010"):
        assert found.value_at(wrong) is None


def test_nul_bytes_never_reach_a_text() -> None:
    found = parse(element(0x00100020, "LO", b"a\0b\0"), EXPLICIT_LE)
    assert found.text(0x00100020) == "ab"
    assert io.StringIO(found.text(0x00100020)).read().isprintable()

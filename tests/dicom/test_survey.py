"""The walk before the acknowledgement: what it finds, what it refuses, what it costs."""

from __future__ import annotations

import io
import time
import zlib

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from radrelay.dicom import phantoms
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_BASELINE
from radrelay.dicom.walk import HEAD_BYTES, HEAD_LIMIT, survey
from radrelay.dicom.writing import element, sequence

CLASS = element(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2")
SOP = element(0x00080018, "UI", "1.2.3.4")
STUDY = element(0x0020000D, "UI", "1.2.3")
SERIES = element(0x0020000E, "UI", "1.2.3.1")
UIDS = CLASS + SOP + STUDY + SERIES
PIXELS = element(0x7FE00010, "OW", b"\1\2\3\4")
UNDEFINED = b"\xff\xff\xff\xff"
ITEM = b"\xfe\xff\x00\xe0"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
OPEN = b"\x08\x00\x15\x11SQ\0\0" + UNDEFINED


@pytest.fixture(scope="module")
def ct() -> Dataset:
    return dcmread(io.BytesIO(next(iter(phantoms.study("ct-head", slices=1, size=64)))))


def encode(dataset: Dataset, uid: str) -> bytes:
    target = DicomBytesIO()
    target.is_little_endian = uid != EXPLICIT_BE
    target.is_implicit_VR = uid == IMPLICIT_LE
    write_dataset(target, dataset)
    if uid == DEFLATED_LE:
        engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return engine.compress(target.getvalue()) + engine.flush()
    return target.getvalue()


@pytest.mark.parametrize("uid", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE])
def test_finds_the_uids_in_every_encoding(ct: Dataset, uid: str) -> None:
    data = encode(ct, uid)
    for _ in range(2):  # the second time from what was learned
        found = survey(bytearray(data + b"rest of a reused buffer"), len(data), uid)
        assert found.sop_class_uid == ct.SOPClassUID
        assert found.sop_uid == ct.SOPInstanceUID
        assert found.study_uid == ct.StudyInstanceUID
        assert found.series_uid == ct.SeriesInstanceUID
    head = parse(data[: found.head_length], uid)
    assert head.integer(0x00280010) == 64
    assert not head.truncated
    assert head.bulk is not None
    assert head.bulk[0] == 0x7FE00010


@pytest.mark.parametrize(("declared", "real"), [(EXPLICIT_LE, IMPLICIT_LE), (IMPLICIT_LE, EXPLICIT_LE)])
def test_reads_a_data_set_that_is_encoded_otherwise_than_declared(ct: Dataset, declared: str, real: str) -> None:
    data = encode(ct, real)
    assert survey(data, len(data), declared).study_uid == ct.StudyInstanceUID
    assert "not encoded as the transfer syntax" in parse(data, declared).problems[0]


def test_head_ends_with_the_header_of_the_pixel_data() -> None:
    data = UIDS + PIXELS
    assert survey(data, len(data), EXPLICIT_LE).head_length == len(UIDS) + 12


def test_uids_of_nested_items_are_not_the_objects_own() -> None:
    other = [element(0x00080018, "UI", "9.9"), element(0x0020000E, "UI", "9.9.9")]
    undefined = OPEN + ITEM + UNDEFINED + b"".join(other) + ITEM_END + SEQUENCE_END
    for inner in (sequence(0x00081115, [other]), undefined):
        data = CLASS + SOP + inner + STUDY + SERIES + PIXELS
        found = survey(data, len(data), EXPLICIT_LE)
        assert (found.sop_uid, found.series_uid) == ("1.2.3.4", "1.2.3.1")


def test_unknown_element_of_undefined_length_holds_implicit_items() -> None:
    inside = b"\x09\x00\x02\x10\x04\0\0\0abcd"
    unknown = b"\x09\x00\x01\x10UN\0\0" + UNDEFINED + ITEM + UNDEFINED + inside + ITEM_END + SEQUENCE_END
    data = CLASS + SOP + unknown + STUDY + SERIES + PIXELS
    assert survey(data, len(data), EXPLICIT_LE).study_uid == "1.2.3"
    assert len(parse(data, EXPLICIT_LE).items(0x00091001)) == 1


def test_association_names_the_class_that_the_data_set_lacks() -> None:
    data = STUDY + SERIES
    found = survey(data, len(data), EXPLICIT_LE, sop_class_uid="1.2.5", sop_uid="1.2.6")
    assert (found.sop_class_uid, found.sop_uid) == ("1.2.5", "1.2.6")
    assert found.head_length == len(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "SOPClassUID (0008,0016) is missing"),
        (CLASS + SOP + SERIES, "StudyInstanceUID (0020,000D) is missing"),
        (CLASS + SOP + STUDY, "SeriesInstanceUID (0020,000E) is missing"),
        (UIDS[:-3], "(0020,000E) at byte"),
        (UIDS + PIXELS[:-1], "(7FE0,0010) at byte"),
        (
            CLASS + element(0x00080018, "UI", "../../etc/passwd") + STUDY + SERIES,
            "SOPInstanceUID (0008,0018) is not a UID",
        ),
        (CLASS + element(0x00080018, "UI", "1." * 40) + STUDY + SERIES, "SOPInstanceUID (0008,0018) is not a UID"),
        (UIDS + b"\x20\x00\x10\x00SH\xff\x7fabc", "(0020,0010) at byte"),
        (CLASS + ITEM_END + SOP, "(FFFE,E00D) at byte 34 stands outside"),
        (CLASS + SOP + STUDY + OPEN + ITEM + UNDEFINED, "ends at byte"),
        (OPEN + (ITEM + UNDEFINED + OPEN) * 500, "nested deeper than 64"),
    ],
)
def test_refuses_with_a_text_that_names_the_trouble(data: bytes, words: str) -> None:
    for _ in range(2):
        with pytest.raises(Malformed) as caught:
            survey(data, len(data), EXPLICIT_LE)
        assert words in caught.value.message


def test_truncated_value_is_found_although_its_header_is_known() -> None:
    long = element(0x00200010, "SH", "abcdefgh")
    survey(UIDS + long, len(UIDS + long), EXPLICIT_LE)
    with pytest.raises(Malformed, match=r"\(0020,0010\) at byte"):
        survey(UIDS + long[:-2], len(UIDS + long) - 2, EXPLICIT_LE)


def test_prefix_of_a_large_object_is_enough() -> None:
    head = UIDS + element(0x00280010, "US", 4) + b"\xe0\x7f\x10\x00OW\0\0\x00\x00\x00\x40"
    found = survey(head, len(head), EXPLICIT_LE, total=len(head) + 0x40000000)
    assert found.head_length == len(head)
    with pytest.raises(Malformed, match="7FE0,0010"):
        survey(head, len(head), EXPLICIT_LE, total=len(head) + 100)


def test_encapsulated_pixel_data_is_left_to_later_checks() -> None:
    data = UIDS + b"\xe0\x7f\x10\x00OB\0\0" + UNDEFINED + ITEM + b"\0\0\0\0"
    assert survey(data, len(data), JPEG_BASELINE).head_length == len(UIDS) + 12


def test_large_private_element_before_the_index_attributes_lengthens_the_head() -> None:
    large = element(0x00190010, "LO", "X") + element(0x00191001, "OB", bytes(HEAD_BYTES * 2))
    data = CLASS + SOP + large + STUDY + SERIES + element(0x00280010, "US", 7) + PIXELS
    found = survey(data, len(data), EXPLICIT_LE)
    assert parse(data[: found.head_length], EXPLICIT_LE).integer(0x00280010) == 7


def test_large_element_after_the_index_attributes_is_left_out_of_the_head() -> None:
    large = element(0x52009230, "OB", bytes(HEAD_BYTES * 2))
    data = UIDS + element(0x00280010, "US", 7) + large + PIXELS
    found = survey(data, len(data), EXPLICIT_LE)
    assert found.head_length == HEAD_BYTES
    assert parse(data[: found.head_length], EXPLICIT_LE).integer(0x00280010) == 7


def test_uids_beyond_every_bound_are_not_looked_for() -> None:
    data = CLASS + element(0x00091001, "OB", bytes(HEAD_LIMIT)) + SOP + STUDY + SERIES
    with pytest.raises(Malformed):
        survey(data, len(data), EXPLICIT_LE)


def test_deflate_bomb_is_inflated_to_a_bound_only() -> None:
    engine = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = engine.compress(UIDS + b"\xe0\x7f\x10\x00OW\0\0\x00\x00\x00\x10") + b"".join(
        engine.compress(bytes(1 << 20)) for _ in range(64)
    )
    bomb += engine.flush()
    start = time.perf_counter()
    assert survey(bomb, len(bomb), DEFLATED_LE).study_uid == "1.2.3"
    assert len(parse(bomb, DEFLATED_LE).data) <= HEAD_BYTES
    assert time.perf_counter() - start < 1


def test_what_is_not_deflated_is_refused() -> None:
    with pytest.raises(Malformed, match="not deflated"):
        survey(b"\xff" * 100, 100, DEFLATED_LE)


def test_many_tiny_elements_take_linear_time() -> None:
    def timed(count: int) -> float:
        data = b"".join(element(0x00091000 + i % 0xEFFF, "LO") for i in range(count)) + UIDS
        start = time.perf_counter()
        survey(data, len(data), EXPLICIT_LE)
        return time.perf_counter() - start

    timed(1000)
    assert timed(80_000) < 60 * max(timed(8_000), 1e-3)

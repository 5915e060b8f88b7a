"""Whether what follows in a data set is all there."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from radrelay.dicom import phantoms
from radrelay.dicom.dialects import Dialect, dialect
from radrelay.dicom.ending import Ending

SLICE = next(iter(phantoms.study("ct-head", slices=1, size=32)))


def behind(one: Dataset) -> Dataset:
    """Put behind the pixel data what vendors do: private elements, nested sequences, padding."""
    inner = Dataset()
    inner.PatientComments = "x" * 40
    block = one.private_block(0x7FE1, "VENDOR MOVIES", create=True)
    block.add_new(0x01, "SQ", Sequence([inner, Dataset()]))
    block.add_new(0x60, "OB", b"q" * 3000)
    one.add_new(0xFFFCFFFC, "OB", bytes(64))
    one[block.get_tag(0x01)].is_undefined_length = True
    return one


def from_pixels(one: Dataset, *, explicit: bool, compressed: bool = False) -> tuple[bytes, Dialect]:
    written = DicomBytesIO()
    written.is_implicit_VR, written.is_little_endian = not explicit, True
    one["PixelData"].VR = "OB" if compressed else "OW"
    write_dataset(written, one)
    data = written.getvalue()
    return data[data.index(b"\xe0\x7f\x10\x00") :], dialect(explicit=explicit, little=True)


def is_whole(data: bytes, written: Dialect, pieces: int) -> bool:
    ending = Ending(written)
    for at in range(0, len(data), pieces):
        ending.feed(data[at : at + pieces])
    return ending.is_whole


def forms() -> list[tuple[bytes, Dialect]]:
    plain, packed = dcmread(io.BytesIO(SLICE)), dcmread(io.BytesIO(SLICE))
    packed.compress(RLELossless)
    return [
        from_pixels(behind(plain), explicit=True), from_pixels(plain, explicit=False),
        from_pixels(behind(packed), explicit=True, compressed=True),
    ]  # fmt: skip


@pytest.mark.parametrize(("data", "written"), forms(), ids=["explicit", "implicit", "fragments"])
@pytest.mark.parametrize("pieces", [1, 7, 1000, 1 << 20])
def test_what_is_there_is_whole_and_no_beginning_of_it_is(data: bytes, written: Dialect, pieces: int) -> None:
    assert is_whole(data, written, pieces)
    assert is_whole(data + bytes(300), written, pieces), "some pad what they write"
    assert is_whole(data + b"\0", written, pieces)
    for cut in (9, 20, 60, 200, 1000, 3100, len(data) - 100):
        assert not is_whole(data[:-cut], written, pieces), cut


@pytest.mark.parametrize(
    "remains",
    [b"\xcd" * 300, b"\xfd" * 300, b"\xff" * 300, b"\xfa\xff" * 150, b"\xfc\xff\1\0" * 75, struct.pack("<h", -3) * 150,
     struct.pack("<h", -1025) * 150],
    ids=["fresh", "guard", "ones", "sixes", "fours", "-3", "-1025"],
)  # fmt: skip
@pytest.mark.parametrize(("data", "written"), forms()[:2], ids=["explicit", "implicit"])
def test_memory_and_pixels_behind_the_declared_ones_cut_nothing_off(
    data: bytes, written: Dialect, remains: bytes
) -> None:
    assert is_whole(data + remains, written, 1000)


def test_without_vrs_what_a_vendor_puts_behind_is_followed_from_its_creator_on() -> None:
    data, written = from_pixels(behind(dcmread(io.BytesIO(SLICE))), explicit=False)
    assert is_whole(data, written, 1000)
    assert not is_whole(data[:-1000], written, 1000)


@given(st.binary(max_size=400), st.booleans(), st.integers(1, 50))
def test_any_bytes_get_an_answer(data: bytes, explicit: bool, pieces: int) -> None:
    whole = is_whole(data, dialect(explicit=explicit, little=True), len(data) or 1)
    assert is_whole(data, dialect(explicit=explicit, little=True), pieces) == whole

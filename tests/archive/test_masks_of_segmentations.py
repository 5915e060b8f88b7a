"""Masks of segmentations as the viewer gets them, of objects just landed and packed: those that other programs find."""

from __future__ import annotations

import csv
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import highdicom as hd
import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from radrelay.archive import drawings as archive_drawings
from radrelay.archive.drawings import ALL, DrawingReader
from radrelay.archive.instances import InstanceRef
from radrelay.dicom.drawings.drawn import DrawingBroken, Masks
from radrelay.dicom.htj2k import encode_frame
from radrelay.dicom.syntaxes import (
    DEFLATED_FRAMES,
    DEFLATED_LE,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    J2K_LOSSLESS,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
)
from radrelay.errors import RadrelayError
from tests.archive.house import House, house
from tests.dicom.drawn_objects import bytes_of, segmentation, slices
from tests.dicom.objects import reference
from tests.dicom.runs import parts, unpacked_bits, unpacked_values

__all__ = ["house"]
pytestmark = pytest.mark.filterwarnings("ignore")

CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
AT_ONCE = 200
UNREAD_BY_PYDICOM = {
    "liver_deflate.dcm": "pydicom 3.0 knows no Deflated Image Frame Compression",
    "liver_nonbyte_aligned_deflate.dcm": "pydicom 3.0 knows no Deflated Image Frame Compression",
    "liver_rle.dcm": "pydicom 3.0 unpacks no RLE of single bits",
    "liver_nonbyte_aligned_rle.dcm": "pydicom 3.0 unpacks no RLE of single bits",
}
UNREAD_BY_HIGHDICOM = {
    **UNREAD_BY_PYDICOM,
    "liver_expb.dcm": "highdicom reads no big endian",
    "liver_expb_1frame.dcm": "highdicom reads no big endian",
}

Array = NDArray[Any]


def original_of(path: Path) -> Path:
    """Return the uncompressed, little endian file that one was made from, which holds the same masks."""
    name = path.name
    for added in ("_deflate", "_rle", "_expb"):
        name = name.replace(added, "")
    return path.with_name(name)


def segmentations(root: Path) -> list[Path]:
    with (root / "MANIFEST.csv").open(newline="") as listed:
        return [root / row["path"] for row in csv.DictReader(listed) if row["SOPClassUID"] in CLASSES]


def numbered(path: Path, number: int) -> tuple[str, bytes]:
    """Return a file under a SOP Instance UID of its own, as long as the one it has: some share one."""
    uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
    own = f"{uid[:-4]}1{number:03}"
    return own, path.read_bytes().replace(uid.encode(), own.encode())


def runs_of(reader: DrawingReader, ref: InstanceRef, group: int, masks: Masks) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    numbers = [frame.number for frame in masks.frames]
    for start in range(0, len(numbers), AT_ONCE):
        found |= parts(reader.masks(ref, group, numbers[start : start + AT_ONCE]))
    return found


def masks_of(reader: DrawingReader, ref: InstanceRef) -> Masks:
    masks = reader.read(ref).masks
    assert masks is not None
    return masks


def frames_of(reader: DrawingReader, ref: InstanceRef) -> Array:
    """Return every frame of a segmentation, from the runs that a browser would get."""
    masks = masks_of(reader, ref)
    shape = (masks.rows, masks.columns)
    unpacked = unpacked_bits if masks.form == "bits" else unpacked_values
    found = runs_of(reader, ref, ALL, masks)
    assert list(found) == [frame.number for frame in masks.frames]
    return np.stack([unpacked(runs, shape) for runs in found.values()])


def one_by_one(reader: DrawingReader, ref: InstanceRef) -> Iterator[tuple[int, int, Array]]:
    """Yield place of the frame, segment and mask of every segment as it is asked for by its number."""
    drawing, masks = reader.read(ref), masks_of(reader, ref)
    shape = (masks.rows, masks.columns)
    for group in drawing.groups:
        for number, runs in runs_of(reader, ref, group.number, masks).items():
            shares = masks.form == "shares"
            yield number - 1, group.number, unpacked_values(runs, shape) if shares else unpacked_bits(runs, shape)


def theirs_by_segment(path: Path) -> tuple[list[str], list[int], Array] | None:
    """Return images (none: one slide), segments and masks, (images, rows, columns, segments), as highdicom has them."""
    try:
        read = hd.seg.segread(path)
        numbers = list(read.segment_numbers)
        if read.is_tiled:
            return [], numbers, read.get_total_pixel_matrix(segment_numbers=numbers, rescale_fractional=False)[None]
        images = [str(sop) for _, _, sop in read.get_source_image_uids()]
        found = read.get_pixels_by_source_instance(
            images, segment_numbers=numbers, rescale_fractional=False, ignore_spatial_locations=True,
            assert_missing_frames_are_empty=True,
        )  # fmt: skip
    except (ValueError, RuntimeError, NotImplementedError):
        return None
    return images, numbers, found


def assert_lie_there(reader: DrawingReader, ref: InstanceRef, theirs: tuple[list[str], list[int], Array]) -> None:
    images, numbers, expected = theirs
    masks, ours = masks_of(reader, ref), np.zeros_like(expected)
    for place, segment, mask in one_by_one(reader, ref):
        frame, at = masks.frames[place], numbers.index(segment)
        if not images:
            assert frame.tile is not None
            (left, top), (rows, columns) = frame.tile, mask.shape
            ours[0, top : top + rows, left : left + columns, at] = mask[: ours.shape[1] - top, : ours.shape[2] - left]
        for image in frame.images if images else ():
            ours[images.index(image.sop_uid), ..., at] = mask
    assert np.array_equal(ours, expected)


def assert_same(reader: DrawingReader, ref: InstanceRef, path: Path) -> None:
    """Compare every mask of a file with those that pydicom and highdicom find, or find in what it was made from."""
    stored, by_segment = reference(path), theirs_by_segment(path)
    assert (stored is None) == (path.name in UNREAD_BY_PYDICOM)
    assert (by_segment is None) == (path.name in UNREAD_BY_HIGHDICOM)
    stored = reference(original_of(path)) if stored is None else stored
    by_segment = by_segment or theirs_by_segment(original_of(path))
    assert stored is not None
    assert by_segment is not None
    ours = frames_of(reader, ref)
    assert ours.any()
    assert np.array_equal(ours, stored.reshape(ours.shape))
    assert_lie_there(reader, ref, by_segment)


@pytest.mark.shared
def test_masks_of_every_segmentation_are_those_that_other_programs_find(house: House, shared_data: Path) -> None:
    paths: dict[str, Path] = {}
    for number, path in enumerate(segmentations(shared_data)):
        uid, file = numbered(path, number)
        paths[uid] = path
        house.bring([file])
    assert len(paths) >= 24
    for packed in (False, True):
        if packed:
            assert house.compact() == len(paths)
        refs = {ref.sop_uid: ref for ref in house.refs()}
        assert refs.keys() == paths.keys()
        reader = DrawingReader(house.reader)
        for uid, path in paths.items():
            try:
                assert_same(reader, refs[uid], path)
            except (AssertionError, RadrelayError) as failed:
                raise AssertionError(f"{path.name}, {'packed' if packed else 'landed'}") from failed


def labels() -> Array:
    made = np.zeros((3, 128, 128), np.uint8)
    made[0, 10:20, 30:51] = 1
    made[1, 5:90, 5:9] = 2
    made[2, 100:128, 0:128:3] = 1
    return made


def shares() -> Array:
    rng = np.random.default_rng(5)
    return np.repeat(np.repeat(rng.integers(0, 256, (3, 16, 16)), 8, 1), 8, 2)[..., None] / 255


def coded(kind: str, transfer_syntax: str) -> bytes:
    """Return a segmentation in a transfer syntax as a file."""
    masks = shares() if kind == "FRACTIONAL" else labels()
    if transfer_syntax == JPEG_LS_LOSSLESS or (transfer_syntax == RLE_LOSSLESS and kind != "BINARY"):
        return bytes_of(segmentation(slices(3), masks, kind, transfer_syntax))
    made = segmentation(slices(3), masks, kind)
    plain = made.pixel_array
    made.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    if transfer_syntax != DEFLATED_LE:
        enclose(made, [encoded(frame, kind, transfer_syntax) for frame in plain])
    if transfer_syntax != DEFLATED_FRAMES:
        return bytes_of(made)
    made.file_meta.TransferSyntaxUID = UID(J2K_LOSSLESS)  # pydicom does not know the other one
    return bytes_of(made).replace(J2K_LOSSLESS.encode(), DEFLATED_FRAMES.encode() + b"\0", 1)


def encoded(frame: Array, kind: str, transfer_syntax: str) -> bytes:
    plain = np.ascontiguousarray(frame)
    if transfer_syntax == J2K_LOSSLESS:
        depth = 1 if kind == "BINARY" else 8
        return bytes(imagecodecs.jpeg2k_encode(plain, reversible=True, codecformat="j2k", bitspersample=depth))
    if transfer_syntax == DEFLATED_FRAMES:
        packed = np.packbits(plain, bitorder="little") if kind == "BINARY" else plain
        return zlib.compress(packed.tobytes(), 9, -15)
    return encode_frame(plain)


def enclose(made: Dataset, frames: list[bytes]) -> None:
    made.PixelData = encapsulate(frames)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True


@pytest.mark.parametrize(
    ("kind", "transfer_syntax"),
    [
        *[(kind, ts) for kind in ("FRACTIONAL", "LABELMAP")
          for ts in (JPEG_LS_LOSSLESS, J2K_LOSSLESS, RLE_LOSSLESS, HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL,
                     DEFLATED_FRAMES, DEFLATED_LE)],
        *[("BINARY", ts) for ts in (J2K_LOSSLESS, HTJ2K_LOSSLESS, DEFLATED_FRAMES, DEFLATED_LE)],
    ],
)  # fmt: skip
def test_masks_come_back_from_every_way_to_compress_them(house: House, kind: str, transfer_syntax: str) -> None:
    plain = segmentation(slices(3), shares() if kind == "FRACTIONAL" else labels(), kind).pixel_array
    house.bring([coded(kind, transfer_syntax)])
    for packed in (False, True):
        if packed:
            assert house.compact() == 1
        found = frames_of(DrawingReader(house.reader), house.refs()[0])
        assert np.array_equal(found, plain), "packed" if packed else "landed"


@pytest.mark.parametrize("transfer_syntax", ["", J2K_LOSSLESS])
def test_a_mask_that_lacks_its_end_is_not_drawn_as_if_it_were_whole(house: House, transfer_syntax: str) -> None:
    cut = segmentation(slices(3), shares(), "FRACTIONAL")
    if transfer_syntax:
        whole = [encoded(frame, "FRACTIONAL", transfer_syntax) for frame in cut.pixel_array]
        cut.file_meta.TransferSyntaxUID = UID(transfer_syntax)
        enclose(cut, [*whole[:2], whole[2][: len(whole[2]) * 3 // 4]])
    else:
        cut.PixelData = cut.PixelData[:-200]
    house.bring([bytes_of(cut)])
    reader = DrawingReader(house.reader)
    ref = house.refs()[0]
    assert len(parts(reader.masks(ref, ALL, [1, 2]))) == 2
    with pytest.raises(DrawingBroken, match="cut off"):
        reader.masks(ref, ALL, [3])


def test_masks_that_take_long_to_decode_come_one_after_the_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.bring([coded("FRACTIONAL", J2K_LOSSLESS)])
    reader, ref = DrawingReader(house.reader), house.refs()[0]
    whole = parts(reader.masks(ref, ALL, [1, 2, 3]))
    monkeypatch.setattr(archive_drawings, "SECONDS_AT_ONCE", 0.0)
    slow = DrawingReader(house.reader)
    begun = time.monotonic()
    found: dict[int, bytes] = {}
    while missing := [number for number in (1, 2, 3) if number not in found]:
        came = parts(slow.masks(ref, ALL, missing))
        assert len(came) == 1
        found |= came
    assert found == whole
    assert time.monotonic() - begun < 30

"""Frames as code streams: what the viewer decodes is what it would have been given as samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from radrelay.archive.frame_facts import FrameInfo
from radrelay.archive.renditions import FramePixels, Renditions
from radrelay.dicom.codestreams import resolution_ends
from radrelay.dicom.htj2k import encode_frame
from radrelay.dicom.pixels import BrokenPixels, NotViewable
from tests.archive.house import House, house, made

__all__ = ["house"]
pytestmark = pytest.mark.filterwarnings("ignore")

FILES = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_small_odd.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle_2frame.dcm", "SC_ybr_full_422_uncompressed.dcm",
    "examples_palette.dcm", "examples_overlay.dcm", "examples_ybr_color.dcm", "JPEG2000.dcm", "image_dfl.dcm",
    "rtdose.dcm", "liver_1frame.dcm",
)  # fmt: skip


def values(frame: FramePixels) -> NDArray[np.int64]:
    """Return what a viewer makes of a frame: numbers of Bits Stored, sign extended (PS3.5 8.1.1)."""
    info = frame.info
    kind = f"<{'i' if info.signed else 'u'}{info.bits_allocated // 8}"
    words: NDArray[np.generic]
    if info.coding == "htj2k":
        words = imagecodecs.htj2k_decode(frame.data, planar=False)
    else:
        words = np.frombuffer(frame.data, kind)
    numbers = words.astype(np.int64).reshape(-1)
    if info.samples > 1 or info.bits_allocated > 16:
        return numbers
    cut = numbers & (2**info.bits_stored - 1)
    return np.asarray(np.where(info.signed & (cut >= 2 ** (info.bits_stored - 1)), cut - 2**info.bits_stored, cut))


def same_but_coding(one: FrameInfo, other: FrameInfo) -> bool:
    names = [name for name in FrameInfo.__struct_fields__ if name not in ("coding", "resolution_ends")]
    return all(getattr(one, name) == getattr(other, name) for name in names)


def test_a_frame_is_the_same_as_samples_and_as_a_code_stream_landed_and_kept(house: House) -> None:
    renditions = Renditions(house.reader)
    uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    house.bring([made(name, **dict.fromkeys(uids, f"1.2.9.{place}")) for place, name in enumerate(FILES)])
    for kept in (False, True):
        if kept:
            house.compact()
        refs = house.refs()
        assert len(refs) == len(FILES)
        codings = set()
        for ref in refs:
            for number in {1, max(1, ref.frames)}:
                plain = renditions.pixels(ref, number)
                for coded in (True, False):
                    stream = renditions.stream(ref, number, coded=coded)
                    codings.add((coded, stream.info.coding))
                    assert same_but_coding(stream.info, plain.info)
                    assert np.array_equal(values(stream), values(plain)), (ref.transfer_syntax_uid, kept, coded)
        assert ((False, "htj2k") in codings) is kept  # what is kept so is handed out as it is
        assert {(True, "htj2k"), (True, "raw"), (False, "raw")} <= codings


def test_a_part_of_a_stream_is_a_whole_coarse_picture(house: House) -> None:
    rows, columns = np.mgrid[0:300, 0:200]
    samples = (rows * 3 + columns * 5).astype(np.uint16)
    stream = encode_frame(samples)
    ends = resolution_ends(stream)
    assert len(ends) == 6
    assert list(ends) == sorted(ends)
    assert abs(ends[-1] - len(stream)) <= 2  # but for the end marker
    for level, end in enumerate(reversed(ends)):
        whole = imagecodecs.htj2k_decode(stream, skipres=level)
        part = imagecodecs.htj2k_decode(stream[:end], skipres=level, resilient=True)
        assert np.array_equal(part, whole)


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\x4f", b"\xff\x4f\xff\x55\x00\x04\x00", b"\xff\x4f\xff\x52\x00\x00\x00\x00", b"no"]
)
def test_what_is_no_such_stream_has_no_resolutions(damage: bytes) -> None:
    assert resolution_ends(damage) == ()


def test_every_real_file_is_the_same_both_ways(house: House, shared_data: Path) -> None:
    renditions = Renditions(house.reader)
    house.bring(list(_restamped(sorted((shared_data / "codecs").rglob("*.dcm")))))
    house.compact()
    compared = 0
    for ref in house.refs():
        try:
            plain = renditions.pixels(ref, 1)
        except (NotViewable, BrokenPixels) as why:
            with pytest.raises(type(why)):
                renditions.stream(ref, 1, coded=True)
            continue
        assert np.array_equal(values(renditions.stream(ref, 1, coded=True)), values(plain)), ref.file_name
        compared += 1
    assert compared > 50


def _restamped(paths: Iterable[Path]) -> Iterator[bytes]:
    """Yield files under UIDs of their own, for many are one picture in many codings; not what cannot be saved anew."""
    for place, path in enumerate(paths):
        if path.stat().st_size < 4 << 20:
            uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
            with suppress(Exception):
                yield made(str(path), **dict.fromkeys(uids, f"1.2.9.{place}"))

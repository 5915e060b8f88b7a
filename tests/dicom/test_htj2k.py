"""Native pixel data kept as HTJ2K comes back byte for byte, or is kept as received."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from openjpeg.utils import decode as openjpeg_decode

from radrelay.dicom.codestreams import read_j2k
from radrelay.dicom.decode import decode_frame
from radrelay.dicom.enclose import TARGETS, enclose
from radrelay.dicom.htj2k import NotProven, Split, restore, restore_frames, split
from radrelay.dicom.pixels import Pixels
from radrelay.dicom.syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, IMPLICIT_LE
from radrelay.dicom.transcode import deflate, transcode
from radrelay.errors import RadrelayError
from tests.dicom.objects import frames_of, made, opened, wheel_file

pytestmark = pytest.mark.filterwarnings("ignore")


def smooth(shape: tuple[int, ...], kind: str) -> Pixels:
    """Return a picture that compresses, with noise in its lowest bits and the ends of its range."""
    rng = np.random.default_rng(3)
    limits = np.iinfo(np.dtype(kind))
    grid = np.add.outer(np.arange(shape[-2 if len(shape) < 4 else -3]), np.arange(shape[-1 if len(shape) < 4 else -2]))
    base = grid if len(shape) < 4 else grid[..., np.newaxis]
    drawn = np.broadcast_to(base, shape) * (limits.max // 8 // base.max()) + rng.integers(0, 4, shape)
    values: Pixels = drawn.astype(kind)
    values.reshape(-1)[:2] = limits.min, limits.max
    return values


@pytest.mark.parametrize("ts", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("frames", [0, 3])
def test_grey_comes_back_byte_for_byte(ts: str, kind: str, frames: int) -> None:
    shape = (3, 64, 80) if frames else (64, 80)
    samples = smooth(shape, kind)
    data_set, _ = made(samples, ts, frames=frames)
    parted = split(data_set, ts)
    assert parted is not None
    assert restore(parted) == data_set
    assert parted.stored_bytes < len(data_set)
    assert parted.descriptor.ts == HTJ2K_LOSSLESS_RPCL
    shown = [decode_frame(parted.descriptor, frame) for frame in parted.frames]
    np.testing.assert_array_equal(np.stack(shown) if frames else shown[0], samples)


@pytest.mark.parametrize("ts", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE])
@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_comes_back_byte_for_byte(ts: str, kind: str, planar: int, photometric: str) -> None:
    samples = smooth((2, 48, 64, 3), kind)
    data_set, _ = made(samples, ts, frames=2, planar=planar, PhotometricInterpretation=photometric)
    parted = split(data_set, ts)
    assert parted is not None
    assert restore(parted) == data_set
    assert parted.descriptor.photometric == ("YBR_RCT" if photometric == "RGB" else "YBR_FULL")
    seen = [decode_frame(parted.descriptor, frame) for frame in parted.frames]
    for ours, expected in zip(seen, frames_of(data_set, ts), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_what_stands_behind_the_pixels_comes_back_too() -> None:
    samples = smooth((64, 64), "u2")
    data_set, ts = made(samples, pixels=samples.tobytes() + b"more than a frame")
    trailing = data_set + b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\1\2\3\4"
    parted = split(trailing, ts)
    assert parted is not None
    assert parted.suffix.startswith(b"more than a frame")
    assert restore(parted) == trailing


def test_streams_are_in_rpcl_order_with_tile_part_lengths_and_a_part_for_each_resolution() -> None:
    parted = split(*made(smooth((512, 512), "i2")))
    assert parted is not None
    stream = parted.frames[0]
    assert b"\xff\x55" in stream[:200]  # TLM
    assert stream[stream.index(b"\xff\x52") + 5] == 2  # RPCL
    assert read_j2k(stream).decompositions == 5
    assert stream.count(b"\xff\x90\x00\x0a") == 6
    assert imagecodecs.htj2k_decode(stream, skipres=2).shape == (128, 128)


def test_large_pictures_have_one_resolution_more() -> None:
    parted = split(*made(smooth((64, 2600), "u1")))
    assert parted is not None
    assert read_j2k(parted.frames[0]).decompositions == 6


def test_threads_of_an_executor_give_the_same_parts() -> None:
    data_set, ts = made(smooth((70, 40, 40), "u2"), frames=70)
    with ThreadPoolExecutor(4) as pool:
        parted = split(data_set, ts, executor=pool)
    assert parted == split(data_set, ts)


def test_frames_can_be_restored_one_by_one() -> None:
    data_set, ts = made(smooth((3, 40, 40), "u2"), frames=3)
    parted = split(data_set, ts)
    assert parted is not None
    pieces = list(restore_frames(parted.frames, parted.recipe))
    assert parted.prefix + b"".join(pieces) + parted.suffix == data_set


UNFIT: dict[str, Callable[[], tuple[bytes, str]]] = {
    "one bit": lambda: made(np.zeros((512, 8), np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0, Columns=64),
    "4:2:2": lambda: made(smooth((2, 32, 64, 3), "u1"), frames=2, PhotometricInterpretation="YBR_FULL_422"),
    "short": lambda: made(smooth((64, 64), "u2"), pixels=b"\0" * 8000),
    "growing": lambda: made(np.random.default_rng(0).integers(0, 65536, (64, 64), dtype=np.uint16)),
    "tiny": lambda: made(smooth((8, 8), "u2")),
    "frames that are not there": lambda: made(smooth((64, 64), "u2"), NumberOfFrames=2),
    "a deflated data set": lambda: (deflate(made(smooth((64, 64), "u2"))[0]), DEFLATED_LE),
    "compressed": lambda: wheel_file("MR_small_RLE.dcm"),
    "no pixels": lambda: wheel_file("rtplan.dcm"),
    "nothing": lambda: (b"", EXPLICIT_LE),
    "no data set": lambda: (b"\xff" * 400, EXPLICIT_LE),
}


@pytest.mark.parametrize("what", sorted(UNFIT))
def test_other_data_stays_as_received(what: str) -> None:
    assert split(*UNFIT[what]()) is None


def test_float_data_stays_as_received(shared_data: Path) -> None:
    assert split(*opened(shared_data / "codecs" / "pydicom-data" / "parametric_map_float.dcm")) is None


def test_what_the_codec_does_not_take_stays_as_received(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        raise imagecodecs.Htj2kError("too wide")

    monkeypatch.setattr(imagecodecs, "htj2k_encode", refuse)
    assert split(*made(smooth((64, 64), "u2"))) is None


def test_a_digest_that_differs_keeps_the_data_as_received() -> None:
    data_set, ts = made(smooth((64, 64), "u2"))
    assert split(data_set, ts, sha256=hashlib.sha256(data_set).digest()) is not None
    assert split(data_set, ts, sha256=hashlib.sha256(b"another").digest()) is None


def test_damaged_parts_are_not_handed_out_as_the_original() -> None:
    parted = split(*made(smooth((64, 64), "u2")))
    assert isinstance(parted, Split)
    with pytest.raises(NotProven):
        restore(replace(parted, suffix=b"?"))


@pytest.mark.shared
@pytest.mark.parametrize("collection", ["codecs", "misc", "series", "rt", "broken"])
def test_every_real_file_comes_back(shared_data: Path, collection: str) -> None:
    received = stored = 0
    for path in sorted((shared_data / collection).rglob("*")):
        try:
            data_set, ts = opened(path) if path.is_file() else (b"", EXPLICIT_LE)
        except RadrelayError:
            continue
        parted = split(data_set, ts)
        if parted is not None:
            assert restore(parted) == data_set
            received, stored = received + len(data_set), stored + parted.stored_bytes
    assert received > 1.5 * stored


def enclosed(data_set: bytes, ts: str) -> bytes | None:
    parted = split(data_set, ts)
    assert parted is not None
    return enclose(parted.prefix, parted.frames, parted.suffix, parted.descriptor, parted.recipe, ts)


@pytest.mark.parametrize("ts", [EXPLICIT_LE, IMPLICIT_LE])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("frames", [0, 3])
def test_what_is_kept_goes_out_as_it_would_be_transcoded(ts: str, kind: str, frames: int) -> None:
    data_set, _ = made(smooth((3, 65, 81) if frames else (65, 81), kind), ts, frames=frames)
    for target in TARGETS:
        assert enclosed(data_set, ts) == transcode(data_set, ts, target)


def test_what_stands_behind_the_pixels_goes_out_with_what_is_kept() -> None:
    samples = smooth((64, 64), "u2")
    data_set, ts = made(samples)
    trailing = data_set + b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\1\2\3\4"
    assert enclosed(trailing, ts) == transcode(trailing, ts, HTJ2K_LOSSLESS_RPCL)


@pytest.mark.parametrize("ts", [EXPLICIT_LE, IMPLICIT_LE])
@pytest.mark.parametrize(("kind", "stored"), [("u2", 12), ("i2", 12), ("u2", 8), ("u1", 1), ("u4", 20), ("i4", 9)])
@pytest.mark.parametrize("frames", [0, 3])
def test_fewer_bits_than_the_words_have_are_named_and_go_out_as_they_are_kept(
    ts: str, kind: str, stored: int, frames: int
) -> None:
    samples = within(stored, (3, 65, 81) if frames else (65, 81), kind)
    data_set, _ = made(samples, ts, frames=frames, BitsStored=stored, HighBit=stored - 1)
    parted = split(data_set, ts)
    assert parted is not None
    assert restore(parted) == data_set
    for number, frame in enumerate(parted.frames):
        stream = read_j2k(frame)
        assert (stream.precision, stream.signed) == (stored, kind[0] == "i")
        expected = samples[number] if frames else samples
        np.testing.assert_array_equal(decode_frame(parted.descriptor, frame, own=True), expected)
        if kind != "u4":  # OpenJPEG, which knows nothing of us
            np.testing.assert_array_equal(openjpeg_decode(frame), expected)
    for target in TARGETS:
        assert enclosed(data_set, ts) == transcode(data_set, ts, target)


def within(stored: int, shape: tuple[int, ...], kind: str) -> Pixels:
    """Return a smooth picture with the ends of the range of `stored` bits."""
    bottom = -(1 << stored - 1) if kind[0] == "i" else 0
    grid = np.add.outer(np.arange(shape[-2]), np.arange(shape[-1])) * ((1 << stored) - 1) // (shape[-2] + shape[-1] - 2)
    return np.ascontiguousarray(np.broadcast_to(grid + bottom, shape).astype(kind))


UNCONFORMING: dict[str, Callable[[], tuple[bytes, str]]] = {
    "an overlay in the high bits": lambda: made(
        within(12, (64, 64), "u2") | np.uint16(0x8000), BitsStored=12, HighBit=11
    ),
    "values beyond Bits Stored": lambda: made(within(13, (64, 64), "u2"), BitsStored=12, HighBit=11),
    "a negative padding beyond Bits Stored": lambda: made(
        np.pad(within(12, (60, 60), "i2"), 2, constant_values=-32768), BitsStored=12, HighBit=11
    ),
    "signs that are not extended": lambda: made(
        (within(12, (64, 64), "i2") & 4095).astype("i2"), BitsStored=12, HighBit=11
    ),
    "values in the upper bits": lambda: made(within(12, (64, 64), "u2") << 4, BitsStored=12, HighBit=15),
    "low values where the upper bits are meant": lambda: made(within(4, (64, 64), "u2"), BitsStored=12, HighBit=15),
    "one frame of three with more": lambda: made(
        within(12, (3, 64, 64), "u2") + np.array([0, 9, 0], "u2")[:, None, None], frames=3, BitsStored=12, HighBit=11
    ),
}


@pytest.mark.parametrize("what", sorted(UNCONFORMING))
def test_words_with_other_bits_in_use_come_back_and_are_transcoded_and_shown_as_received(what: str) -> None:
    data_set, ts = UNCONFORMING[what]()
    parted = split(data_set, ts)
    assert parted is not None
    assert restore(parted) == data_set
    assert enclosed(data_set, ts) is None
    shown = [decode_frame(parted.descriptor, frame, own=True) for frame in parted.frames]
    for ours, expected in zip(shown, frames_of(data_set, ts), strict=True):
        np.testing.assert_array_equal(ours, expected)
    for ours, expected in zip(frames_of(transcode(data_set, ts, TARGETS[0]), TARGETS[0]), shown, strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("planar", [0, 1])
def test_colour_goes_out_as_it_is_kept(photometric: str, planar: int) -> None:
    data_set, ts = made(smooth((2, 48, 64, 3), "u1"), frames=2, planar=planar, PhotometricInterpretation=photometric)
    for target in TARGETS:
        assert enclosed(data_set, ts) == transcode(data_set, ts, target)


def test_offset_tables_of_another_encoding_do_not_go_out_with_what_is_kept() -> None:
    data_set, ts = made(smooth((2, 64, 64), "u2"), frames=2)
    start = data_set.index(b"\xe0\x7f\x10\x00OW")
    table = b"\xe0\x7f\x01\x00OV\0\0\x10\0\0\0" + bytes(16)
    assert enclosed(data_set[:start] + table + data_set[start:], ts) == transcode(data_set, ts, TARGETS[0])


def test_big_endian_objects_are_transcoded() -> None:
    assert enclosed(*made(smooth((64, 64), "u2"), EXPLICIT_BE)) is None

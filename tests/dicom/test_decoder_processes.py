"""Damaged code streams: a clear error in time, whatever they do to their decoder; the process goes on."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from radrelay.dicom import decode, decoder_pool
from radrelay.dicom.codecs import decode_here
from radrelay.dicom.decoder_pool import DecoderLimits, DecoderPool
from radrelay.dicom.encapsulated import reader_of
from radrelay.dicom.htj2k import split
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.pictures import UnreadablePicture
from radrelay.dicom.pixels import BrokenPixels, DecoderCrashed, DecodersBusy, DecodingTimedOut, FrameDescriptor
from radrelay.dicom.syntaxes import DEFLATED_FRAMES, EXPLICIT_LE, HTJ2K_LOSSLESS, JPEG_LOSSLESS_SV1
from radrelay.dicom.transcode import deflate, transcode
from radrelay.errors import RadrelayError
from tests.dicom import hostile_codecs
from tests.dicom.harmful import DEADLINE_S, harmful_file, hostile_pool
from tests.dicom.objects import described, frames_of, opened, wheel_file

BY_SYNTAX = {
    "JPEG baseline": "SC_rgb_small_odd_jpeg.dcm",
    "JPEG extended": "JPEG-lossy.dcm",
    "JPEG-LS": "MR_small_jpeg_ls_lossless.dcm",
    "JPEG-LS near-lossless": "JPEGLSNearLossless_16.dcm",
    "JPEG 2000 lossless": "MR_small_jp2klossless.dcm",
    "JPEG 2000": "693_J2KI.dcm",
    "RLE": "MR_small_RLE.dcm",
}
MADE = {"JPEG lossless": JPEG_LOSSLESS_SV1, "HTJ2K": HTJ2K_LOSSLESS, "deflated frames": DEFLATED_FRAMES}
"""Syntaxes of which pydicom has no file: its CT slice, encoded."""


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecoderPool]:
    with hostile_pool(monkeypatch) as pool:
        yield pool


def frame(name: str) -> tuple[FrameDescriptor, bytes]:
    """Return the first frame of one of pydicom's files."""
    descriptor, ranges, plain = described(*wheel_file(name))
    return descriptor, bytes(ranges[0].read(reader_of(plain)))


JLS, SOUND = frame("MR_small_jpeg_ls_lossless.dcm")


@pytest.mark.parametrize("harm", [hostile_codecs.HANGS, hostile_codecs.SPINS])
def test_decoder_that_hangs_is_ended_at_its_deadline_and_replaced(hostile: DecoderPool, harm: bytes) -> None:
    decode.decode_frame(JLS, SOUND)
    (first,) = hostile.processes()
    began = time.monotonic()
    with pytest.raises(DecodingTimedOut, match=r"JPEG-LS Lossless frame \(64×64\) was not decoded within 1.5 s"):
        decode.decode_frame(JLS, harm)
    assert time.monotonic() - began < DEADLINE_S + 5
    assert not _runs(first)
    np.testing.assert_array_equal(decode.decode_frame(JLS, SOUND), decode_here(JLS, SOUND).samples)
    assert hostile.processes() != [first]


@pytest.mark.parametrize("harm", [hostile_codecs.CRASHES, hostile_codecs.ENDS, hostile_codecs.LIES])
def test_decoder_that_crashes_or_lies_costs_one_frame(hostile: DecoderPool, harm: bytes) -> None:
    with pytest.raises(DecoderCrashed, match="made its decoder crash"):
        decode.decode_frame(JLS, harm)
    np.testing.assert_array_equal(decode.decode_frame(JLS, SOUND), decode_here(JLS, SOUND).samples)


def test_decoder_that_swallows_memory_is_refused_it(hostile: DecoderPool) -> None:
    with pytest.raises(BrokenPixels, match=r"cannot be decoded.*allocate"):
        decode.decode_frame(JLS, hostile_codecs.SWALLOWS)
    decode.decode_frame(JLS, SOUND)


def test_bytes_that_killed_a_decoder_are_refused_at_once_the_next_time(hostile: DecoderPool) -> None:
    with pytest.raises(DecodingTimedOut):
        decode.decode_frame(JLS, hostile_codecs.HANGS)
    began = time.monotonic()
    with pytest.raises(DecodingTimedOut):
        decode.decode_frame(JLS, hostile_codecs.HANGS)
    assert time.monotonic() - began < 0.5


def test_bytes_that_killed_a_decoder_are_tried_again_after_a_while(
    hostile: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_pool, "REFUSED_S", 0.0)
    decode.decode_frame(JLS, SOUND)
    for _ in range(2):
        before = hostile.processes()
        with pytest.raises(DecoderCrashed):
            decode.decode_frame(JLS, hostile_codecs.ENDS)
        assert hostile.processes() != before  # this one was asked, too


def test_a_decoder_that_the_system_ended_while_it_was_idle_costs_no_frame(hostile: DecoderPool) -> None:
    decode.decode_frame(JLS, SOUND)
    (idle,) = hostile.processes()
    os.kill(idle, signal.SIGKILL)
    os.waitid(os.P_PID, idle, os.WEXITED | os.WNOWAIT)
    for _ in range(2):
        np.testing.assert_array_equal(decode.decode_frame(JLS, SOUND), decode_here(JLS, SOUND).samples)


def test_sound_frames_are_decoded_while_others_hang(hostile: DecoderPool) -> None:
    def hang(number: int) -> None:
        with pytest.raises((DecodingTimedOut, DecodersBusy, BrokenPixels)):
            decode.decode_frame(JLS, hostile_codecs.HANGS if number == 0 else SOUND[: 20 + number])

    threads = [threading.Thread(target=hang, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        decode.decode_frame(JLS, SOUND)
    for thread in threads:
        thread.join(60)
    assert len(hostile.processes()) <= 2


def test_with_all_decoders_hanging_one_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    large = FrameDescriptor(16384, 16384, 1, 8, 8, 7, False, "MONOCHROME2", 0, 1, JLS.ts)  # 4 times the deadline

    with hostile_pool(monkeypatch, DecoderLimits(deadline_s=0.2, processes=1)) as pool:

        def hang() -> None:
            with pytest.raises(DecodingTimedOut):
                pool.decode(large, hostile_codecs.HANGS)

        hanging = threading.Thread(target=hang)
        pool.decode(JLS, SOUND)
        hanging.start()
        time.sleep(0.05)
        with pytest.raises(DecodersBusy) as busy:
            pool.decode(JLS, SOUND)
        assert busy.value.http_status == 503
        hanging.join()


def test_transcoding_says_which_frame_it_was(hostile: DecoderPool) -> None:
    whole = harmful_file(hostile_codecs.CRASHES)
    head = parse_preamble(whole)
    with pytest.raises(BrokenPixels, match=r"^Frame 1: ") as broken:
        transcode(whole[head.dataset_offset :], head.transfer_syntax_uid, EXPLICIT_LE)
    assert broken.value.facts["frame"] == 1


def test_native_and_own_frames_start_no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = DecoderPool()
    monkeypatch.setattr(decoder_pool, "_pool", pool)
    data_set, ts = wheel_file("CT_small.dcm")
    frames_of(data_set, ts)
    parted = split(data_set, ts)
    assert parted is not None
    decode.decode_frame(parted.descriptor, parted.frames[0], own=True)
    assert decode.decode_small(parted.descriptor, parted.frames[0], 32, own=True) is not None
    for name in ("MR_small_RLE.dcm", "rtdose_rle.dcm"):
        frames_of(*wheel_file(name))
    assert pool.processes() == []


def test_decoder_knows_no_secret_of_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADRELAY_STORAGE__S3_SECRET_KEY", "secret")
    pool = DecoderPool()
    pool.decode(JLS, SOUND)
    (pid,) = pool.processes()
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    pool.close()
    assert not _runs(pid)


def test_pictures_that_people_upload_are_read_in_a_decoder_too() -> None:
    file = BytesIO()
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(file, "PNG")
    pool = decoder_pool.pool()
    (page,) = pool.pictures(file.getvalue())
    assert (page.rows, page.columns, page.samples_le) == (3, 4, bytes(range(12)))
    with pytest.raises(UnreadablePicture, match="no JPEG, PNG, TIFF, BMP or HEIC"):
        pool.pictures(b"no picture")


def made(ts: str) -> tuple[FrameDescriptor, bytes]:
    """Return pydicom's CT slice as a frame in another syntax."""
    descriptor, ranges, plain = described(*wheel_file("CT_small.dcm"))
    samples = decode.decode_frame(descriptor, ranges[0].read(reader_of(plain)))
    written = {
        JPEG_LOSSLESS_SV1: imagecodecs.jpeg8_encode(samples.view(np.uint16), lossless=True),
        HTJ2K_LOSSLESS: imagecodecs.htj2k_encode(samples, reversible=True),
        DEFLATED_FRAMES: deflate(samples.tobytes()),
    }
    return replace(descriptor, ts=ts), bytes(written[ts])


@pytest.mark.parametrize("syntax", [*BY_SYNTAX, *MADE])
def test_mutated_code_streams_of_each_syntax_end_in_time(syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor, sound = frame(BY_SYNTAX[syntax]) if syntax in BY_SYNTAX else made(MADE[syntax])
    pool = DecoderPool(DecoderLimits(deadline_s=DEADLINE_S, processes=2))
    monkeypatch.setattr(decoder_pool, "_pool", pool)
    chance = random.Random(7)

    def attempt(data: bytes) -> float:
        began = time.monotonic()
        with suppress(BrokenPixels):
            samples = decode.decode_frame(descriptor, data)
            assert samples.shape[:2] == (descriptor.rows, descriptor.columns)
        return time.monotonic() - began

    with ThreadPoolExecutor(2) as threads:
        seconds = list(threads.map(attempt, [_mutated(sound, chance) for _ in range(60)]))
    assert max(seconds) < 2 * DEADLINE_S + 10
    np.testing.assert_array_equal(pool.decode(descriptor, sound).samples, decode_here(descriptor, sound).samples)
    pool.close()


def _mutated(sound: bytes, chance: random.Random) -> bytes:
    data = bytearray(sound)
    kind = chance.randrange(4)
    if kind == 0:
        return bytes(data[: chance.randrange(len(data))])
    reach = min(200, len(data)) if kind == 1 else len(data)
    for _ in range(chance.choice((1, 3, 20))):
        data[chance.randrange(reach)] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    if kind == 3:
        at, other = chance.randrange(len(data)), chance.randrange(len(data))
        data[at : at + 100] = data[other : other + 100]
    return bytes(data)


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
def test_broken_files_of_the_collection_decode_or_say_why(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = DecoderPool(DecoderLimits(deadline_s=DEADLINE_S, processes=2))
    monkeypatch.setattr(decoder_pool, "_pool", pool)
    for path in sorted(path for path in (shared_data / "broken").rglob("*") if path.is_file()):
        began = time.monotonic()
        with suppress(RadrelayError):
            frames_of(*opened(path))
        assert time.monotonic() - began < 2 * DEADLINE_S + 10, path
    pool.close()


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()

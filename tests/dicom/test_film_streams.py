"""Films in wrappings that no browser plays become MP4 with the same pictures at the same times."""

from __future__ import annotations

import struct
from contextlib import suppress

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_fragments

from radrelay.dicom.errors import UnplayableFilm
from radrelay.dicom.film_codings import H265
from radrelay.dicom.film_streams import _pictures, as_mp4, container_of
from radrelay.dicom.mp4 import read_film
from tests.collection import COLLECTION
from tests.dicom import films

pytestmark = pytest.mark.shared


def stream_of(name: str) -> bytes:
    """Return the stream that the fragments of a video object make up."""
    dataset = pydicom.dcmread(COLLECTION / "codecs" / "video-made" / name)
    return b"".join(list(generate_fragments(dataset.PixelData))[1:])


@pytest.fixture(scope="module")
def mp4() -> bytes:
    return stream_of("h264-testsrc.dcm")


@pytest.fixture(scope="module")
def wrapped(mp4: bytes) -> bytes:
    return films.transport(films.samples_of(mp4), *films.times_of(mp4))


def test_what_a_film_is_is_told_by_its_beginning(mp4: bytes, wrapped: bytes) -> None:
    bare = b"".join(films.samples_of(mp4))
    told = [container_of(one[:1024]) for one in (mp4, wrapped, bare, stream_of("mpeg2-testsrc.dcm"), b"", b"what?")]
    assert told == ["mp4", "transport", "h264", "program", "unknown", "unknown"]


def test_a_transport_stream_keeps_its_pictures_and_their_times(mp4: bytes, wrapped: bytes) -> None:
    made = as_mp4(wrapped, 640, 480, 25)
    film = read_film(made)
    assert (film.columns, film.rows, film.frames) == (640, 480, 75)
    assert film.frame_ms == pytest.approx(40, abs=0.1)
    assert films.times_of(made) == films.times_of(mp4)


def test_a_bare_stream_takes_its_rate_from_the_header(mp4: bytes) -> None:
    film = read_film(as_mp4(b"".join(films.samples_of(mp4)), 640, 480, 50))
    assert film.frames == 75
    assert film.frame_ms == pytest.approx(20, abs=0.1)


def test_a_film_that_is_cut_off_plays_as_far_as_it_came(wrapped: bytes) -> None:
    assert 20 < read_film(as_mp4(wrapped[: len(wrapped) // 2], 640, 480, 25)).frames < 60


def test_a_bare_h265_stream_is_shown_in_the_order_that_it_counts() -> None:
    film = films.GREY_H265
    assert container_of(film) == container_of(b"\0\0\0\1\x46\x01\x50" + film) == "hevc"
    made = as_mp4(film, 64, 64, 25)
    decoded, shown = films.times_of(made)
    assert decoded == [place * 3600 for place in range(10)]
    assert [(time - min(shown)) // 3600 for time in shown] == films.GREY_SHOWN
    assert all(late >= early for early, late in zip(decoded, shown, strict=True)), "none is shown before it is there"
    table = films.box(made, b"moov", b"trak", b"mdia", b"minf", b"stbl")
    assert list(struct.unpack(">II2I", films.box(table, b"stss"))[2:]) == [1, 6], "its keys"
    settings = films.box(table, b"stsd", b"hvc1", b"hvcC")
    assert (settings[1], settings[12], settings[16] & 3, settings[22]) == (1, 30, 1, 3)  # Main, level 1, 4:2:0
    assert made.count(films.GREY_H265[4:28]) == 1, "its settings stand in its description alone"


def test_h265_in_a_transport_stream_keeps_its_times() -> None:
    pictures = [b"".join(b"\0\0\0\1" + nal for nal in nals) for _, nals in _pictures(films.GREY_H265, H265())]
    decoded = [place * 1800 for place in range(10)]
    shown = [(place + 3) * 1800 for place in films.GREY_SHOWN]
    made = as_mp4(films.transport(pictures, decoded, shown, films.HEVC), 64, 64, 25)
    assert films.times_of(made) == (decoded, shown)


def test_h265_whose_settings_change_keeps_them_in_its_pictures() -> None:
    changed = films.GREY_H265.replace(b"\x44\x01\xc1", b"\x44\x01\xc3", 1)  # another picture parameter set
    made = as_mp4(changed, 64, 64, 25)
    table = films.box(made, b"moov", b"trak", b"mdia", b"minf", b"stbl")
    settings = films.box(table, b"stsd", b"hev1", b"hvcC")
    assert struct.unpack_from(">BH", settings, settings.index(b"\x22\x00")) == (0x22, 2), "both, and more to come"
    assert made.count(b"\x44\x01\xc1") == made.count(b"\x44\x01\xc3") == 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_h265_is_played_or_refused(data: st.DataObject) -> None:
    broken = bytearray(films.GREY_H265)
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnplayableFilm):
        as_mp4(bytes(broken), 64, 64, 25)


def test_what_cannot_be_played_is_said(mp4: bytes) -> None:
    for film in (b"", mp4, stream_of("mpeg2-testsrc.dcm"), b"\x47" + bytes(187) * 10, b"\0\0\0\1\x67\x64"):
        with pytest.raises(UnplayableFilm):
            as_mp4(film, 640, 480, 25)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_film_is_played_or_refused(wrapped: bytes, data: st.DataObject) -> None:
    broken = bytearray(wrapped[:40_000])
    for _ in range(data.draw(st.integers(1, 12))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnplayableFilm):
        read_film(as_mp4(bytes(broken), 640, 480, 25))

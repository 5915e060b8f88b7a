"""Films in wrappings that no browser plays become MP4 with the same pictures at the same times."""

from __future__ import annotations

from contextlib import suppress

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_fragments

from radrelay.dicom.film_streams import UnplayableFilm, as_mp4, container_of
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

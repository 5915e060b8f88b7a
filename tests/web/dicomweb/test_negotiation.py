"""What an Accept header means, and multipart bodies in both directions."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.dicom.multipart import BadMultipart, Part, PartEnded, PartStarted, read_parts, write_parts
from radrelay.errors import RadrelayError
from radrelay.web.dicomweb.negotiation import DICOM, DICOM_JSON, NotAcceptable, best_media, parse_accept, wants_xml


def medias(header: str) -> list[str]:
    return [range_.media for range_ in parse_accept(header)]


def test_ranges_are_ordered_by_quality_then_exactness_then_place() -> None:
    assert medias("image/*, image/png;q=0.9, image/gif, */*;q=0.95, image/jpeg") == [
        "image/gif", "image/jpeg", "image/*", "*/*", "image/png",
    ]  # fmt: skip
    assert medias("") == ["*/*"]
    assert medias('multipart/related; type="image/jpeg, q"; q=0.5') == ["image/jpeg, q"]


def test_parameters_are_read_in_any_case_and_order() -> None:
    (found,) = parse_accept('Multipart/Related; Transfer-Syntax="1.2.3"; Q=0.25; TYPE="Application/DICOM"')
    assert (found.media, found.multipart, found.syntax, found.quality) == (DICOM, True, "1.2.3", 0.25)


def test_what_is_refused_is_never_given() -> None:
    ranges = parse_accept("image/jpeg;q=0, image/*")
    assert best_media(ranges, ("image/png",)) == "image/png"
    assert medias("image/jpeg;q=0") == []
    for unreadable in ("nothing", ";;;", "image"):
        with pytest.raises(NotAcceptable):
            parse_accept(unreadable)


def test_json_is_given_unless_xml_is_liked_better() -> None:
    assert not wants_xml(parse_accept(""))
    assert not wants_xml(parse_accept(DICOM_JSON))
    assert wants_xml(parse_accept('multipart/related; type="application/dicom+xml"'))
    assert wants_xml(parse_accept('application/dicom+json;q=0.1, multipart/related; type="application/dicom+xml"'))
    with pytest.raises(NotAcceptable):
        wants_xml(parse_accept("image/png"))


@given(st.text(max_size=200))
def test_any_header_is_read_or_refused(header: str) -> None:
    try:
        ranges = parse_accept(header)
    except NotAcceptable:
        return
    assert all(0 < range_.quality <= 1 for range_ in ranges)


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=20),
)
def test_what_is_written_is_read_again_however_it_is_cut(contents: list[bytes], cuts: list[int]) -> None:
    parts = [Part((("Content-Type", DICOM),), (content,)) for content in contents]
    body = b"".join(bytes(piece) for piece in write_parts(parts, "limit"))

    def pieces() -> list[bytes]:
        found, at, turn = [], 0, 0
        while at < len(body):
            step = cuts[turn % len(cuts)]
            found.append(body[at : at + step])
            at, turn = at + step, turn + 1
        return found

    if any(b"--limit" in content for content in contents):
        return
    got: list[bytes] = []
    for event in read_parts(iter(pieces()), "limit"):
        if isinstance(event, PartStarted):
            assert event.headers == {"content-type": DICOM}
            got.append(b"")
        elif not isinstance(event, PartEnded):
            got[-1] += event
    assert got == contents


@given(st.binary(max_size=400))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(RadrelayError):
        list(read_parts(iter([body[:50], body[50:]]), "b"))


def test_a_body_that_is_cut_off_is_refused() -> None:
    for body in (b"--b\r\n\r\nabc", b"--b\r\nContent-Type: x", b"", b"--b", b"--b\r\n\r\nabc\r\n--"):
        with pytest.raises(BadMultipart):
            list(read_parts(iter([body]), "b"))

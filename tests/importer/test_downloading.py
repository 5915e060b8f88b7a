"""Downloads from portals that break off, stall, change, lie about what they send, or send too much."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import threading
import time
import zipfile
from collections.abc import Callable, Iterator

import pytest

from radrelay.importer.contents import content_of
from radrelay.importer.downloading import Download, Downloaded, Resuming
from radrelay.importer.errors import (
    PageForParcel,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalBusy,
    PortalRefused,
    PortalStalled,
    PortalTrouble,
    WrongContent,
)
from radrelay.importer.line import Limits
from tests.importer.portal import HASTY, PATIENT, Asked, Kept, Portal, outgoing, portal

WHOLE = b"PK\x03\x04" + bytes(range(256)) * 4000
NAME = "127.0.0.1"


@pytest.fixture(scope="module")
def running() -> Iterator[Portal]:
    with portal() as made:
        yield made


@pytest.fixture
def here(running: Portal) -> Portal:
    running.answers.clear()
    running.asked.clear()
    return running


def fetch(here: Portal, sink: Kept, limits: Limits = PATIENT) -> Downloaded:
    session = outgoing(limits=limits).session()
    return Download(session, here.url("/zip", NAME), sink, pause=lambda s: None).carry_on({"Authorization": "Bearer x"})


def ranged(
    *breaks: int, etag: Callable[[], str] = lambda: '"one"', knows_ranges: bool = True
) -> Callable[[Asked], None]:
    """Answer in ranges, and break off after so many bytes, once for each of `breaks`."""
    left = list(breaks)

    def answer(asked: Asked) -> None:
        start, tag = 0, etag()
        asks, condition = asked.headers.get("Range", ""), asked.headers.get("If-Range")
        headers = {"ETag": tag} if tag else {}
        if knows_ranges and asks and condition == tag:
            start = int(asks.removeprefix("bytes=").rstrip("-"))
            headers["Content_Range"] = f"bytes {start}-{len(WHOLE) - 1}/{len(WHOLE)}"
        asked.head(206 if start else 200, "application/pdf", len(WHOLE) - start, **headers)
        asked.wfile.write(WHOLE[start : left.pop(0) if left else None])

    return answer


def test_what_broke_off_at_99_percent_goes_on_there(here: Portal) -> None:
    here.answers["/zip"] = ranged(len(WHOLE) * 99 // 100)
    sink = Kept()
    came = fetch(here, sink)
    assert sink.bytes == WHOLE
    assert (came.size, came.sha256) == (len(WHOLE), hashlib.sha256(WHOLE).hexdigest())
    assert (came.content, came.resumed, came.length_known, sink.begun) == ("zip", 1, True, 1)
    again = here.asked[1][2]
    assert (again["Range"], again["If-Range"]) == (f"bytes={len(WHOLE) * 99 // 100}-", '"one"')


def test_what_stalls_in_the_middle_goes_on_there(here: Portal) -> None:
    plain, first = ranged(), itertools.count()

    def stalls_once(asked: Asked) -> None:
        if next(first):
            plain(asked)
            return
        asked.head(200, "application/zip", len(WHOLE), ETag='"one"')
        asked.wfile.write(WHOLE[:500_000])
        asked.connection.settimeout(5)
        assert asked.connection.recv(1) == b""  # until the other side hangs up

    here.answers["/zip"] = stalls_once
    sink = Kept()
    assert fetch(here, sink, HASTY).resumed == 1
    assert (sink.bytes == WHOLE, sink.begun) == (True, 1)


@pytest.mark.parametrize(
    "answer",
    [
        ranged(500_000, knows_ranges=False),
        ranged(500_000, etag=lambda: ""),
        ranged(500_000, etag=lambda: 'W/"one"'),
        ranged(500_000, etag=map('"{}"'.format, itertools.count()).__next__),
    ],
    ids=["no ranges", "no tag", "weak tag", "changed"],
)
def test_where_it_cannot_go_on_it_begins_anew(here: Portal, answer: Callable[[Asked], None]) -> None:
    here.answers["/zip"] = answer
    sink = Kept()
    fetch(here, sink)
    assert sink.bytes == WHOLE


def test_a_part_that_was_not_asked_for_is_not_put_in_its_place(here: Portal) -> None:
    def wrong(asked: Asked) -> None:
        if "Range" in asked.headers:
            asked.give(206, WHOLE[7:], ETag='"one"', Content_Range=f"bytes 7-{len(WHOLE) - 1}/{len(WHOLE)}")
        else:
            broken(asked)

    broken = ranged(500_000)
    here.answers["/zip"] = wrong
    sink = Kept()
    fetch(here, sink)
    assert sink.bytes == WHOLE


def test_one_that_always_breaks_off_is_given_up(here: Portal) -> None:
    here.answers["/zip"] = lambda asked: asked.head(200, "application/zip", 5000, ETag='"one"')
    with pytest.raises(PortalBrokeOff):
        fetch(here, Kept())
    assert len(here.asked) == 3


def test_one_that_drips_is_given_up() -> None:
    def drips(asked: Asked) -> None:
        asked.head(200, "application/zip", len(WHOLE))
        while not asked.server.portal.over.wait(0.02):
            asked.wfile.write(b"x")

    limits = Limits(window_s=0.2, least_in_window=4096)
    with portal() as made:
        made.answers["/zip"] = drips
        with pytest.raises(PortalStalled):
            fetch(made, Kept(), limits)
        assert len(made.asked) == 1  # a window without enough is all the silence that there may be


def zipped(*files: bytes, comment: bytes = b"") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number, file in enumerate(files):
            archive.writestr(f"{number}.bin", file)
        archive.comment = comment
    return made.getvalue()


def without_length(body: bytes) -> Callable[[Asked], None]:
    def answer(asked: Asked) -> None:
        asked.head(200, "application/pdf", None)
        asked.wfile.write(body)

    return answer


def each_time(bodies: Iterator[bytes]) -> Callable[[Asked], None]:
    """Answer with another body each time, without a length."""

    def answer(asked: Asked) -> None:
        without_length(next(bodies))(asked)

    return answer


PDF = b"%PDF-1.4\n" + b"x" * 5000 + b"\ntrailer\n%%EOF\n"
INNER = zipped(bytes(9000), zipped(b"x"))


@pytest.mark.parametrize(
    ("body", "cut"),
    [(PDF, 9), (zipped(b"x" * 9000), 1), (zipped(b"x" * 9000, comment=b"of a portal"), 3),
     (INNER, len(INNER) - INNER.index(b"PK\x05\x06") - 22), (b"\x89PNG\r\n\x1a\n" + bytes(5000) + b"IEND\xaeB`\x82", 9),
     (b"\xff\xd8\xff\xe0" + bytes(5000) + b"\xff\xd9", 1)],
    ids=["pdf", "zip", "comment", "zip within", "png", "jpeg"],
)  # fmt: skip
def test_what_comes_without_a_length_is_whole_if_it_ends_as_its_form_does(here: Portal, body: bytes, cut: int) -> None:
    sink = Kept()
    here.answers["/zip"] = without_length(body)
    came = fetch(here, sink)
    assert (sink.bytes, came.length_known) == (body, False)
    here.answers["/zip"] = each_time(body[:-one] for one in itertools.count(cut))
    with pytest.raises(PortalBrokeOff):
        fetch(here, Kept())
    answers = iter([without_length(body[:-cut]), without_length(body)])

    def first_broken(asked: Asked) -> None:
        next(answers)(asked)

    here.answers["/zip"] = first_broken
    assert fetch(here, sink).resumed == 1
    assert sink.bytes == body


@pytest.mark.parametrize("body", [PDF[:-7], PDF + b"<!-- portal -->" * 100], ids=["no mark", "words behind it"])
def test_a_document_that_never_ends_as_its_form_does_is_taken_where_it_comes_twice_alike(
    here: Portal, body: bytes
) -> None:
    sink = Kept()
    here.answers["/zip"] = without_length(body)
    assert fetch(here, sink).resumed == 1
    assert sink.bytes == body
    here.answers["/zip"] = each_time(iter([body[:-9], body, body[:-9], body[:-5], body[:-5]]))
    fetch(here, sink)
    assert sink.bytes == body[:-5]
    here.answers["/zip"] = without_length(zipped(b"x" * 9000)[:-1])  # tells nothing when it is opened
    with pytest.raises(PortalBrokeOff):
        fetch(here, sink)


def test_of_what_is_all_there_nothing_more_is_to_be_had(here: Portal) -> None:
    def answer(asked: Asked) -> None:
        if "Range" in asked.headers:
            asked.give(416, b"", Content_Range=f"bytes */{len(PDF) - 7}")
        else:
            asked.head(200, "application/pdf", None, ETag='"one"')
            asked.wfile.write(PDF[:-7])

    here.answers["/zip"], sink = answer, Kept()
    assert fetch(here, sink).resumed == 1
    assert (sink.bytes, sink.begun) == (PDF[:-7], 1)


def test_chunks_that_break_off_are_noticed(here: Portal) -> None:
    def chunks(asked: Asked) -> None:
        asked.head(200, "application/zip", None, Transfer_Encoding="chunked")
        asked.wfile.write(b"1000\r\n" + WHOLE[:4096] + b"\r\n" + next(ends))

    ends = iter([b"", b"10", b"0\r\n\r\n"])
    here.answers["/zip"] = chunks
    sink = Kept()
    assert fetch(here, sink).length_known
    assert (sink.bytes == WHOLE[:4096], len(here.asked)) == (True, 3)


def test_what_comes_packed_is_unpacked_within_the_limit(here: Portal) -> None:
    here.answers["/zip"] = lambda asked: asked.give(200, gzip.compress(WHOLE), Content_Encoding="gzip", ETag='"one"')
    sink = Kept()
    assert fetch(here, sink).sha256 == hashlib.sha256(WHOLE).hexdigest()
    with pytest.raises(ParcelTooLarge):
        fetch(here, Kept(), Limits(most_bytes=len(WHOLE) - 1))


@pytest.mark.parametrize("length", [True, False])
def test_too_much_is_refused(here: Portal, *, length: bool) -> None:
    def much(asked: Asked) -> None:
        asked.head(200, "application/zip", len(WHOLE) if length else None)
        asked.wfile.write(WHOLE)

    here.answers["/zip"] = much
    sink = Kept()
    with pytest.raises(ParcelTooLarge):
        fetch(here, sink, Limits(most_bytes=100_000))
    assert len(sink.bytes) <= 100_000


PAGE = b"\xef\xbb\xbf\r\n<!-- portal -->\n<!DOCTYPE html><html><title>Please log in</title></html>"


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (PAGE, "application/zip", PageForParcel),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "application/zip", PageForParcel),
        (b"", "application/zip", PageForParcel),
        (b"MZ\x90\x00" + bytes(100), "application/zip", WrongContent),
        (b"\x7fELF" + bytes(100), "application/dicom", WrongContent),
        (b'{"error": "no"}', "application/zip", WrongContent),
        (b"Rar!\x1a\x07\x00" + bytes(20), "application/zip", WrongContent),
    ],
)
def test_the_bytes_say_what_it_is(here: Portal, body: bytes, kind: str, error: type[PortalTrouble]) -> None:
    here.answers["/zip"] = lambda asked: asked.give(200, body, kind)
    sink = Kept()
    with pytest.raises(error):
        fetch(here, sink)
    assert (sink.bytes, sink.begun) == (b"", 0)


def test_kinds_are_told_by_bytes_alone() -> None:
    told = {
        b"%PDF-1.7\n": "pdf", b"\xff\xd8\xff\xe0": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"PK\x05\x06": "zip",
        bytes(128) + b"DICM\x02\0\0\0UL": "dicom", "Befund: unauffällig".encode(): "text",
        "Befund: unauffällig".encode("cp1252"): "text", b"<?xml version='1.0'?><ClinicalDocument/>": "xml",
        b"": "unknown", bytes(50): "unknown",
    }  # fmt: skip
    assert {body: content_of(body) for body in told} == told


def test_a_busy_portal_says_when_to_come_again(here: Portal) -> None:
    answers = iter([
        (b'{"timeOutInSeconds": 7}', {}), (b"null", {}), (b"", {"Retry_After": "9"}), (b"{", {}),
        (b"", {"Retry_After": "\u00b2"}), (b"", {"Retry_After": "9" * 5000}),
    ])  # fmt: skip

    def busy(asked: Asked) -> None:
        body, headers = next(answers)
        asked.give(503, body, "application/json", **headers)

    here.answers["/zip"] = busy
    told = []
    for _ in range(6):
        with pytest.raises(PortalBusy) as raised:
            fetch(here, Kept())
        told.append(raised.value.facts["seconds"])
    assert told == [7, 30, 9, 30, 30, 30]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 500])
def test_a_refusal_is_told_by_its_status_and_not_tried_again(here: Portal, status: int) -> None:
    here.answers["/zip"] = lambda asked: asked.give(status, b"PK\x03\x04")
    with pytest.raises(PortalRefused) as raised:
        fetch(here, Kept())
    assert (raised.value.facts["status"], len(here.asked)) == (status, 1)


def test_the_name_that_a_portal_gives_is_no_path(here: Portal) -> None:
    given = 'attachment; filename="..\\..\\etc/cron.d/Müller, Max.zip"'
    here.answers["/zip"] = lambda asked: asked.give(200, WHOLE, Content_Disposition=given)
    assert fetch(here, Kept()).name == "Müller, Max.zip"


def test_who_has_sent_all_and_stays_is_left_at_once(here: Portal) -> None:
    stays = threading.Event()

    def answer(asked: Asked) -> None:
        asked.head(200, "application/zip", len(WHOLE))
        asked.wfile.write(WHOLE)
        stays.wait(5)

    here.answers["/zip"] = answer
    sink, began = Kept(), time.monotonic()
    fetch(here, sink)
    stays.set()
    assert (sink.bytes == WHOLE, time.monotonic() - began < 4) == (True, True)


def test_who_falls_silent_again_and_again_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = [0.0], list[float]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def silences(well_s: float) -> int:
        resuming = Resuming(Limits(), waited.append)
        for count in range(20):
            now[0] += well_s + 30
            if not resuming.again(further=True, trouble=PortalStalled()):
                return count
        return 20

    assert (silences(5), silences(200)) == (3, 20)  # after two minutes of silence in all; who goes well is resumed

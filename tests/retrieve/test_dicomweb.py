"""Archives that speak DICOMweb, well and badly: searched, fetched from, and told of in plain words."""

from __future__ import annotations

import json
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from radrelay.retrieve.dicomweb import DicomWebConnector
from radrelay.retrieve.errors import Broken, PacsInvalid
from radrelay.retrieve.json_matches import NoMatches, matches_of
from radrelay.retrieve.nodes import PacsDraft
from radrelay.retrieve.ports import Came, Held, Inventory, Order, PacsNode, Wanted
from radrelay.settings import RetrieveSettings
from tests.network.memory import decoded, load
from tests.retrieve.test_dicom import Here

STUDY, SERIES = "1.2.3", "1.2.3.4"
JSON = "application/dicom+json"
Answering = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def service(answering: Answering) -> Iterator[PacsNode]:
    """Serve DICOMweb as `answering` does; gives the archive that it is."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answering(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden method
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield PacsNode(
            uuid.uuid4(), uuid.uuid4(), "PACS", "", "", 0, "", tls=False, model="study", method="move",
            source_id=uuid.uuid4(), kind="dicomweb", address=f"http://127.0.0.1:{server.server_port}/dicom-web",
        )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()


def connector(here: Here | None = None, **settings: Any) -> DicomWebConnector:
    return DicomWebConnector(
        RetrieveSettings(**settings), here or Here(), lambda node: "secret", ssl.create_default_context
    )


def reply(to: BaseHTTPRequestHandler, body: bytes, media: str = JSON, status: int = 200, **headers: str) -> None:
    to.send_response(status)
    told = {"Content-Type": media, "Content-Length": str(len(body))} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    for name, value in told.items():
        to.send_header(name, value)
    to.end_headers()
    to.wfile.write(body)


def study(number: int) -> dict[str, Any]:
    return {
        "0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]},
        "00080061": {"vr": "CS", "Value": ["CT", "MR"]},
        "00201208": {"vr": "IS", "Value": [7]},
    }


def test_a_search_asks_by_the_same_keys_and_signs_in() -> None:
    asked: list[tuple[str, str | None]] = []

    def answering(to: BaseHTTPRequestHandler) -> None:
        asked.append((to.path, to.headers["Authorization"]))
        reply(to, json.dumps([study(1)]).encode())

    with service(answering) as node:
        wanted = Wanted(patient_name="yamada", modalities=("CT", "MR"))
        found = connector().search(node, wanted, 500)
    (one,) = found.studies
    assert (one.study_uid, one.patient_name, one.modalities, one.instances) == (
        "1.2.1", "Yamada^Tarou=山田^太郎", ("CT", "MR"), 7,
    )  # fmt: skip
    assert (found.more, found.unreadable) == (False, 0)
    firsts = [path for path, _ in asked if "offset" not in path]
    assert ["00080061=CT" in firsts[0], "00080061=MR" in firsts[1], len(firsts)] == [True, True, 2]
    assert all("00100010=yamada*" in path and sign == "Bearer secret" for path, sign in asked)


def test_a_hundred_thousand_matches_are_left_off_after_as_many_as_were_wanted() -> None:
    sent = [0]

    def answering(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Type", JSON)
        to.end_headers()
        to.wfile.write(b"[")
        for number in range(100_000):
            try:
                to.wfile.write((b"," if number else b"") + json.dumps(study(number)).encode())
            except OSError:
                return
            sent[0] = number
        to.wfile.write(b"]")

    with service(answering) as node:
        found = connector().search(node, Wanted(patient_id="4711"), 500)
    assert (len(found.studies), found.more) == (500, True)
    assert sent[0] < 99_000


@pytest.mark.parametrize(
    ("body", "status", "headers", "code"),
    [
        (b"<html>Welcome</html>", 200, {}, "web-trouble"),
        (b'{"0020000D": {}}', 200, {}, "web-trouble"),
        (b'[{"0020000D": {"vr": "UI"', 200, {}, "web-trouble"),
        (b"[" * 100_000, 200, {}, "web-trouble"),
        (b'[{"a": "' + b"x" * (2 << 20) + b'"}]', 200, {}, "web-trouble"),
        (b"[]", 200, {"Content_Encoding": "gzip"}, "web-trouble"),
        (b"", 401, {}, "web-refused"),
        (b"", 302, {"Location": "http://127.0.0.1:1/elsewhere"}, "web-trouble"),
        (b"", 404, {}, "web-trouble"),
        (b"", 503, {}, "web-trouble"),
    ],
)
def test_rubbish_is_told_of(body: bytes, status: int, headers: dict[str, str], code: str) -> None:
    with service(lambda to: reply(to, body, status=status, **headers)) as node, pytest.raises(Broken) as broken:
        connector().search(node, Wanted(patient_id="4711"), 500)
    assert broken.value.trouble.code == code


def test_a_match_that_cannot_be_read_costs_none_of_the_others() -> None:
    body = b'[{"0020000D": [1, {}]}, {"x": nonsense}, ' + json.dumps(study(3)).encode() + b"]"
    with service(lambda to: reply(to, body)) as node:
        found = connector().search(node, Wanted(patient_id="4711"), 500)
    assert ([one.study_uid for one in found.studies], found.unreadable) == (["1.2.3"], 2)


def test_an_answer_that_drips_is_not_waited_for() -> None:
    left = threading.Event()

    def answering(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Type", JSON)
        to.end_headers()
        to.wfile.write(b"[")
        while not left.wait(0.05):
            to.wfile.write(b" ")

    with service(answering) as node:
        with pytest.raises(Broken) as broken:
            connector(search_timeout_s=0.3).search(node, Wanted(patient_id="4711"), 500)
        left.set()
    assert broken.value.trouble.code == "search-timed-out"


ELEMENT = st.fixed_dictionaries({"vr": st.just("LO"), "Value": st.lists(st.text(max_size=6), max_size=2)})
MATCH = st.dictionaries(st.sampled_from(["00100010", "00080061"]), ELEMENT)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MATCH, max_size=4), st.integers(1, 9), st.sampled_from([None, 1]))
def test_matches_are_the_same_however_they_come(told: list[Any], size: int, indent: int | None) -> None:
    body = json.dumps(told, ensure_ascii=False, indent=indent).encode("utf-8", "surrogatepass")
    read = list(matches_of(body[at : at + size] for at in range(0, len(body), size)))
    expected = [{int(tag, 16): "\\".join(element["Value"]) for tag, element in one.items()} for one in told]
    assert [{key.tag: key.text for key in match or ()} for match in read] == expected


@given(st.binary(max_size=60))
def test_whatever_comes_is_matches_or_none(body: bytes) -> None:
    with suppress(NoMatches):
        list(matches_of([body]))


def files() -> tuple[bytes, bytes]:
    ct, mr = (Path(str(get_testdata_file(name, download=False))).read_bytes() for name in
              ("CT_small.dcm", "MR_small.dcm"))  # fmt: skip
    return ct, mr


def parts(*objects: bytes, end: bytes = b"\r\n--b--\r\n") -> bytes:
    return b"".join(b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n" + one for one in objects) + end


def fetched(here: Here, answering: Answering, missing: list[Held] | None = None, stop: bool = False) -> Came:
    known = load(Here(), str(get_testdata_file("CT_small.dcm", download=False)))
    order = Order(str(decoded(known.data, known.transfer_syntax).StudyInstanceUID))
    with service(answering) as node:
        return connector(here).fetch(node, order, Inventory(), missing, lambda so_far: None, lambda: stop)


RELATED = 'multipart/related; type="application/dicom"; boundary=b'


def test_objects_land_as_they_come_and_those_of_another_study_are_refused() -> None:
    here, (ct, mr) = Here(), files()
    came = fetched(here, lambda to: reply(to, parts(mr, ct, b"no DICOM at all"), RELATED))
    assert (came.completed, came.foreign, came.failed) == (1, 1, 1)
    assert came.status not in (None, 0)
    assert len(here.objects) == 1


def test_what_came_before_an_answer_breaks_off_is_kept() -> None:
    here, (ct, _) = Here(), files()
    with pytest.raises(Broken) as broken:
        fetched(here, lambda to: reply(to, parts(ct, ct[:5000], end=b""), RELATED))
    assert broken.value.trouble.code == "web-trouble"
    assert len(here.objects) == 1


def test_missing_objects_are_asked_for_by_name_and_nothing_after_it_is_cancelled() -> None:
    here, (ct, _) = Here(), files()
    asked: list[str] = []

    def answering(to: BaseHTTPRequestHandler) -> None:
        asked.append(to.path.partition("/series/")[2])
        if asked[-1].endswith("2"):
            reply(to, b"", status=404)
        else:
            reply(to, parts(ct), RELATED)

    missing = [Held("9.1", SERIES), Held("9.2", SERIES)]
    came = fetched(here, answering, missing)
    assert asked == [f"{SERIES}/instances/9.1", f"{SERIES}/instances/9.2"]
    assert (came.completed, came.failed) == (1, 1)
    stopped = fetched(here, answering, missing, stop=True)
    assert (stopped.cancelled, len(asked)) == (True, 2)


def test_what_is_cancelled_in_the_midst_of_an_object_is_not_read_to_its_end() -> None:
    here, (ct, _) = Here(), files()
    asked = iter((False, False, False))
    sent = [0]

    def answering(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Type", RELATED)
        to.send_header("Connection", "close")
        to.end_headers()
        to.wfile.write(parts(ct, end=b""))
        for sent[0] in range(2_000):
            try:
                to.wfile.write(bytes(1 << 16))
            except OSError:
                return

    with service(answering) as node:
        came = connector(here).fetch(
            node, Order("1.2"), Inventory(), None, lambda so_far: None, lambda: next(asked, True)
        )
    assert (came.cancelled, came.completed, list(here.objects)) == (True, 0, [])
    assert sent[0] < 1_000, "of 2,000 pieces"


def test_an_archive_cannot_lead_elsewhere_by_what_it_calls_its_objects() -> None:
    with pytest.raises(Broken):
        fetched(Here(), lambda to: reply(to, b"", status=500), [Held("../../x", SERIES)])


def test_objects_are_listed_page_by_page_until_nothing_new_comes() -> None:
    def answering(to: BaseHTTPRequestHandler) -> None:
        if "/instances" not in to.path:
            told = [{"0020000E": {"vr": "UI", "Value": [SERIES]}, "00201209": {"vr": "IS", "Value": [250]}}]
            reply(to, json.dumps(told).encode())
            return
        offset = int(to.path.rpartition("offset=")[2].partition("&")[0])
        told = [{"00080018": {"vr": "UI", "Value": [f"9.{n}"]}} for n in range(offset, min(offset + 100, 250))]
        reply(to, json.dumps(told).encode(), status=200 if told else 204)

    with service(answering) as node:
        found = connector().inventory(node, Order(STUDY))
        assert found.expected == 250
    with service(lambda to: reply(to, b"[]", status=404)) as node:
        assert connector().inventory(node, Order(STUDY)) == Inventory((), ())


@pytest.mark.parametrize(
    "address", ["", "http://pacs/dicom-web", "ftp://pacs", "https://u:p@pacs/", "https://pacs/?a=b", "https://pa cs/"]
)
def test_only_an_address_that_is_encrypted_and_nothing_else_is_entered(address: str) -> None:
    draft = PacsDraft("P", "", "", 0, uuid.uuid4(), kind="dicomweb", address=address)
    with pytest.raises(PacsInvalid):
        draft.check()
    PacsDraft("P", "", "", 0, uuid.uuid4(), kind="dicomweb", address="https://pacs/dicom-web").check()

"""SMART Health Links followed at a server that does as the specification says, and at one that fails in each way."""

from __future__ import annotations

import base64
import io
import json
import os
import traceback
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.health_link_errand import HealthLinkConnector, HealthLinkErrand
from radrelay.importer.errors import (
    AddressRefused,
    AnswerUnusable,
    AnswerWrong,
    AttemptsSpent,
    HostNotAllowed,
    LinkExpiredThere,
    NothingListed,
    NotThere,
    PageForParcel,
    ParcelTooLarge,
    PortalBusy,
    PortalStalled,
    PortalTrouble,
    PortalUnclear,
    PortalUnreachable,
    WrongContent,
)
from radrelay.importer.line import Limits
from tests.importer.portal import HASTY, PATIENT, Answer, Asked, Kept, Portal, outgoing, portal
from tests.importer.test_addresses import shlink
from tests.importer.test_dicomweb import BEARER, FILES, PAGE, STUDY, TOKEN, Service, waits_for_nothing
from tests.importer.test_documents import PDF, endpoint, study
from tests.importer.test_jwe import HEADER, sealed

KEY = os.urandom(32)
PASSCODE = "4711-geheim"
ZIPPED = io.BytesIO()
with zipfile.ZipFile(ZIPPED, "w") as _archive:
    for _number, _file in enumerate(FILES):
        _archive.writestr(f"{_number}.dcm", _file)
ZIP = ZIPPED.getvalue()


class Sharing:
    """A sharing application: manifest with passcode, files embedded and elsewhere, addresses that grow old."""

    def __init__(self, made: Portal) -> None:
        self.made, self.passcode, self.left = made, "", 10
        self.files: list[dict[str, Any]] = []
        made.answers["/shl/m"] = self.manifest

    def link(self, **told: object) -> str:
        payload = {"url": self.made.url("/shl/m", "127.0.0.1"), "key": self.key} | told
        return f"https://viewer.example/#{shlink(**payload)}"

    @property
    def key(self) -> str:
        return base64.urlsafe_b64encode(KEY).decode().rstrip("=")

    def manifest(self, asked: Asked) -> None:
        told = json.loads(asked.body)
        assert asked.command == "POST"
        assert told["recipient"]
        if self.passcode and told.get("passcode") != self.passcode:
            self.left = max(0, self.left - 1)
            asked.give(401, json.dumps({"remainingAttempts": self.left}).encode(), "application/json")
            return
        asked.give(200, json.dumps({"status": "finalized", "files": self.files}).encode(), "application/json")

    def embeds(self, content: bytes | dict[str, Any], kind: str = "application/fhir+json", **header: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.files.append({"contentType": kind, "embedded": sealed(body, HEADER | header, KEY)})

    def puts(self, path: str, content: bytes, kind: str, key: bytes = KEY) -> bytes:
        body = sealed(content, key=key).encode()
        self.made.answers[path] = lambda asked: asked.give(200, body, "application/jose", ETag='"1"')
        self.files.append({"contentType": kind, "location": self.made.url(path, "127.0.0.1")})
        return body


@pytest.fixture(scope="module")
def running() -> Iterator[Portal]:
    with portal() as made:
        yield made


@pytest.fixture
def sharing(running: Portal) -> Sharing:
    running.answers.clear()
    running.asked.clear()
    return Sharing(running)


def errand(link: str, limits: Limits = PATIENT, attempts: AttemptsInMemory | None = None) -> HealthLinkErrand:
    way = outgoing(limits=limits, allows=lambda host: host.startswith("127.0.0.1"))
    now = datetime(2026, 6, 1, tzinfo=UTC)
    connector = HealthLinkConnector(
        way, attempts or AttemptsInMemory(), pause=waits_for_nothing, now=lambda: now
    )  # fmt: skip
    lead = connector.recognise(link)
    assert lead is not None
    return connector.open(lead)


def all_of(made: HealthLinkErrand) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in made.items():
        if not item.reachable:
            continue
        kept = Kept()
        came = made.download(item, kept)
        assert came.size == len(kept.bytes)
        found.append((came.content, kept.bytes))
    return found


def fetched(link: str, limits: Limits = PATIENT) -> list[tuple[str, bytes]]:
    made = errand(link, limits)
    assert made.ask() == ()
    made.answer({})
    return all_of(made)


def objects(content: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [archive.read(one) for one in archive.namelist()]


def test_files_of_all_kinds_embedded_and_elsewhere(sharing: Sharing) -> None:
    Service(sharing.made)
    sharing.embeds(study(contained=[endpoint(sharing.made)]), zip="DEF")
    sharing.puts("/shl/1", ZIP, "application/zip")
    sharing.puts("/shl/2", PDF, "application/pdf")
    sharing.puts("/shl/3", FILES[0], "application/octet-stream")
    sharing.embeds({"verifiableCredential": ["a.b.c"]}, "application/smart-health-card")
    sharing.files.append({"contentType": "application/pdf"})  # of which it does not say where it is
    made = errand(sharing.link())
    made.answer({})
    imaging, disc, report, image = all_of(made)
    assert [one.description for one in made.items() if not one.reachable] == [
        "application/smart-health-card", "application/pdf",
    ]  # fmt: skip
    assert objects(imaging[1]) == FILES
    assert disc == ("zip", ZIP)
    assert report == ("pdf", PDF)
    assert image == ("dicom", FILES[0])


def test_a_passcode_is_asked_for_sent_once_and_its_guesses_are_counted(sharing: Sharing) -> None:
    sharing.passcode = PASSCODE
    sharing.embeds(PDF, "application/pdf")
    attempts, link = AttemptsInMemory(), sharing.link(flag="LP")
    made = errand(link, attempts=attempts)
    (question,) = made.ask()
    assert (question.kind, question.form, sharing.made.asked) == ("password", "text", [])
    with pytest.raises(AnswerUnusable):
        made.answer({})
    made.answer({question.id: f" {PASSCODE}"})
    assert all_of(made) == [("pdf", PDF)]
    sharing.left, before, guess = 3, len(sharing.made.asked), "falsch"
    for left in (2, 1, 0, 0, 0):
        with pytest.raises(AnswerWrong) as caught:
            errand(link, attempts=attempts).answer({question.id: guess})
        assert caught.value.facts["left"] == left
        assert guess not in "".join(traceback.format_exception(caught.value))
    assert len(sharing.made.asked) == before + 5
    with pytest.raises(AttemptsSpent):
        errand(link, attempts=attempts).answer({question.id: PASSCODE})
    assert len(sharing.made.asked) == before + 5


@pytest.mark.parametrize("status", [200, 403, 404, 429])
def test_a_passcode_counts_whatever_the_server_says_of_it(sharing: Sharing, status: int) -> None:
    attempts, link = AttemptsInMemory(1), sharing.link(flag="P")
    sharing.made.answers["/shl/m"] = lambda asked: asked.give(status, PAGE, "text/html")
    with pytest.raises(PortalTrouble):
        errand(link, attempts=attempts).answer({"passcode": "falsch"})
    with pytest.raises(AttemptsSpent):
        errand(link, attempts=attempts).answer({"passcode": PASSCODE})


def test_a_server_that_wants_a_passcode_which_the_link_does_not_tell_of(sharing: Sharing) -> None:
    sharing.passcode = PASSCODE
    sharing.embeds(PDF, "application/pdf")
    made = errand(sharing.link())
    (question,) = made.ask()
    made.answer({question.id: PASSCODE})
    assert all_of(made) == [("pdf", PDF)]


@pytest.mark.parametrize("content", [ZIP, PDF])
def test_a_direct_file(sharing: Sharing, content: bytes) -> None:
    sharing.puts("/shl/m", content, "")
    sharing.files = []
    assert [one for _, one in fetched(sharing.link(flag="LU"))] == [content]
    assert {(method, path) for method, path, _, _ in sharing.made.asked} == {("GET", "/shl/m?recipient=Radrelay")}


def test_a_sealed_file_that_breaks_off_goes_on_where_it_was(sharing: Sharing) -> None:
    body = sharing.puts("/shl/1", ZIP, "application/zip")

    def breaks_off(asked: Asked) -> None:
        start = asked.headers.get("Range", "")
        if start:
            at = int(start.removeprefix("bytes=").rstrip("-"))
            whole = f"bytes {at}-{len(body) - 1}/{len(body)}"
            asked.give(206, body[at:], "application/jose", ETag='"1"', Content_Range=whole)
            return
        asked.head(200, "application/jose", len(body), ETag='"1"')
        asked.wfile.write(body[: len(body) * 99 // 100])

    sharing.made.answers["/shl/1"] = breaks_off
    assert fetched(sharing.link()) == [("zip", ZIP)]


def test_an_address_that_grew_old_is_asked_for_anew(sharing: Sharing) -> None:
    sharing.passcode = PASSCODE
    sharing.puts("/shl/1", ZIP, "application/zip")
    made = errand(sharing.link(flag="P"))
    made.answer({"passcode": PASSCODE})
    made.items()
    sharing.made.answers["/shl/1"] = lambda asked: asked.give(403, b"")
    sharing.files = []
    sharing.puts("/shl/2", ZIP, "application/zip")
    assert all_of(made) == [("zip", ZIP)]


def test_smart_api_access_leads_to_the_studies_of_a_fhir_server(sharing: Sharing) -> None:
    made = sharing.made
    service = Service(made)
    there = endpoint(made)
    del there["header"]  # the same login opens it, being of the same origin
    bundle = {"resourceType": "Bundle", "entry": [{"resource": study(contained=[there])}]}
    made.answers["/fhir/ImagingStudy"] = lambda asked: (
        asked.give(200, json.dumps(bundle).encode()) if service.guarded(asked) else None
    )
    access = {"access_token": TOKEN, "patient": "p", "aud": made.url("/fhir", "127.0.0.1"), "token_type": "Bearer"}
    sharing.embeds(access, "application/smart-api-access")
    ((kind, content),) = fetched(sharing.link())
    assert kind == "zip"
    assert objects(content) == FILES


def test_reports_of_two_documents_both_come_and_lists_are_read_to_their_end(sharing: Sharing) -> None:
    """Each document counts its files anew; a FHIR server hands out its studies page by page."""
    made = sharing.made
    for number in (1, 2):
        content = base64.b64encode(PDF + bytes([number])).decode()
        sharing.embeds({"resourceType": "Binary", "contentType": "application/pdf", "data": content})
    there = endpoint(made)
    pages = {
        "": {"link": [{"relation": "next", "url": "ImagingStudy?page=2"}]},
        "page=2": {"link": [{"relation": "next", "url": made.url("/fhir/ImagingStudy?page=3", "127.0.0.1")}]},
        "page=3": {"link": [{"relation": "next", "url": "ImagingStudy?page=2"}]},  # which turns round
    }

    def page(asked: Asked) -> None:
        assert asked.headers["Authorization"] == BEARER
        query = asked.path.partition("?")[2].removeprefix("patient=p")
        uid = {"system": "urn:dicom:uid", "value": f"urn:oid:1.2.{list(pages).index(query)}"}
        found = {"resourceType": "Bundle", "entry": [{"resource": study(contained=[there], identifier=[uid])}]}
        asked.give(200, json.dumps(found | pages[query]).encode())

    made.answers["/fhir/ImagingStudy"] = page
    access = {"access_token": TOKEN, "patient": "p", "aud": made.url("/fhir", "127.0.0.1"), "token_type": "Bearer"}
    sharing.embeds(access, "application/smart-api-access")
    link = errand(sharing.link())
    link.answer({})
    items = link.items()
    assert [one.study_uid for one in items if one.study_uid] == ["1.2.0", "1.2.1", "1.2.2"]
    papers = [link.download(one, Kept()).sha256 for one in items if not one.study_uid]
    assert len(set(papers)) == 2
    assert sum(path.startswith("/fhir/ImagingStudy") for _, path, _, _ in made.asked) == 3
    pages["page=2"] = {"link": [{"relation": "next", "url": "https://elsewhere.example/page/3"}]}
    with pytest.raises(HostNotAllowed):
        link.items()


def jose(content: bytes, key: bytes = KEY) -> Answer:
    return lambda asked: asked.give(200, sealed(content, key=key).encode())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda asked: asked.give(200, PAGE, "text/html"), PageForParcel),
        (lambda asked: asked.give(200, ZIP, "application/zip"), WrongContent),
        (lambda asked: asked.give(200, b"no.jwe.at.all.x"), WrongContent),
        (jose(ZIP, bytes(32)), WrongContent),
        (jose(PAGE), PageForParcel),
        (jose(b"MZ" + bytes(5000)), WrongContent),
        (lambda asked: asked.give(404, b""), NotThere),
        (lambda asked: asked.give(410, b""), NotThere),
        (lambda asked: asked.give(503, b"", Retry_After="100000"), PortalBusy),
        (lambda asked: asked.give(302, b"", Location="https://10.0.0.1/x"), AddressRefused),
    ],
)  # fmt: skip
def test_each_way_of_failing_has_a_name_keeps_nothing_and_tells_no_secret(
    sharing: Sharing, answer: Answer, error: type[PortalTrouble]
) -> None:
    sharing.puts("/shl/secret-path", ZIP, "application/zip")
    sharing.made.answers["/shl/secret-path"] = answer
    made, kept = errand(sharing.link()), Kept()
    made.answer({})
    with pytest.raises(error) as caught:
        made.download(made.items()[0], kept)
    assert kept.bytes == b""
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.facts) + repr(made)
    for secret in (sharing.key, "secret-path"):
        assert secret not in told


@pytest.mark.parametrize("location", ["https://127.1.1.1/x", "https://portal.test/x", "http://portal.test/x"])
def test_a_manifest_does_not_lead_where_nobody_may_go(sharing: Sharing, location: str) -> None:
    sharing.files = [{"contentType": "application/pdf", "location": location}]
    made = errand(sharing.link())
    made.answer({})
    with pytest.raises(PortalTrouble):
        made.download(made.items()[0], Kept())
    assert len(sharing.made.asked) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda asked: asked.give(404, b""), NotThere),
        (lambda asked: asked.give(200, PAGE, "text/html"), PortalUnclear),
        (lambda asked: asked.give(200, b'{"files": 1}'), PortalUnclear),
        (lambda asked: asked.give(200, b'{"status": "no-longer-valid", "files": []}'), LinkExpiredThere),
        (lambda asked: asked.give(307, b"", Location="https://elsewhere.example/m"), HostNotAllowed),
        (lambda asked: asked.give(429, b"", Retry_After="5"), PortalBusy),
    ],
)
def test_a_manifest_that_is_none(sharing: Sharing, answer: Answer, error: type[PortalTrouble]) -> None:
    sharing.made.answers["/shl/m"] = answer
    with pytest.raises(error):
        errand(sharing.link()).ask()
    with pytest.raises(error):
        errand(sharing.link(flag="P")).answer({"passcode": PASSCODE})


def test_nothing_to_fetch_and_links_that_are_over(sharing: Sharing) -> None:
    made = errand(sharing.link())
    made.ask()
    with pytest.raises(NothingListed):
        made.items()
    sharing.files = [{"contentType": "application/pdf"}, {}]
    made = errand(sharing.link())
    made.ask()
    with pytest.raises(NothingListed):
        made.items()
    before = len(sharing.made.asked)
    over = errand(sharing.link(exp=1_700_000_000, flag="P"))
    with pytest.raises(LinkExpiredThere):
        over.ask()
    with pytest.raises(LinkExpiredThere):
        over.answer({"passcode": PASSCODE})
    assert len(sharing.made.asked) == before


def test_a_file_that_stalls_or_is_too_large_ends(sharing: Sharing) -> None:
    body = sharing.puts("/shl/1", ZIP, "application/zip")

    def stalls(asked: Asked) -> None:
        asked.head(200, "application/jose", len(body))
        asked.wfile.write(body[:20])
        asked.wfile.flush()
        asked.hang()

    with pytest.raises(ParcelTooLarge):
        fetched(sharing.link(), Limits(most_bytes=len(ZIP)))
    sharing.made.answers["/shl/1"] = stalls
    with pytest.raises((PortalStalled, PortalUnreachable)):
        fetched(sharing.link(), HASTY)


def test_what_leads_into_the_house_is_not_followed(sharing: Sharing) -> None:
    way = outgoing(loopback=False)
    connector = HealthLinkConnector(way, AttemptsInMemory())
    link = f"shlink:/{sharing.link(url=f'https://127.0.0.1:{sharing.made.port}/shl/m').partition('shlink:/')[2]}"
    lead = connector.recognise(link)
    assert lead is not None
    with pytest.raises(PortalTrouble):
        connector.open(lead).ask()
    assert not sharing.made.asked
    assert STUDY not in repr(lead)
    assert sharing.key not in repr(lead)

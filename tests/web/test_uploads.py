"""Uploads as people and machines make them: broken off, too large, of anything at all, and never held in memory."""

from __future__ import annotations

import json
import threading
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import anyio
import anyio.to_thread
import pytest
from starlette.types import Message

from radrelay.archive.models import Study
from radrelay.storage.models import Erasure
from radrelay.web import uploads
from radrelay.web.guards import STREAMED
from radrelay.web.uploads import BodyPieces
from tests.apart import run_apart
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_studies import CT, file_bytes, revoke_all, upload


def begin(login: Login) -> str:
    return str(login.http.post("/api/parcels", json={"name": "x"}, headers=login.headers).json()["id"])


def put(login: Login, parcel: str, name: str, content: Any) -> tuple[int, dict[str, Any]]:
    answer = login.http.put(
        f"/api/parcels/{parcel}/files", params={"name": name}, content=content, headers=login.headers
    )
    return answer.status_code, answer.json()


def test_each_file_says_what_became_of_it(site: WebSite) -> None:
    anna = site.login("anna")
    parcel = begin(anna)
    assert put(anna, parcel, "a.dcm", file_bytes(CT))[1]["outcome"] == "object"
    assert put(anna, parcel, "letter.pdf", b"%PDF-1.4 something")[1]["outcome"] == "attachment"
    skipped = put(anna, parcel, "autorun.exe", b"MZ" + bytes(100))[1]
    assert (skipped["outcome"], skipped["code"]) == ("skipped", "program")
    assert put(anna, parcel, "nothing", b"")[1]["code"] == "empty"
    anna.http.post(f"/api/parcels/{parcel}/done", headers=anna.headers)
    site.index()
    shown = anna.http.get(f"/api/parcels/{parcel}").json()
    assert (shown["state"], shown["objects"], shown["attachments"]) == ("done", 1, 1)
    assert {finding["code"] for finding in shown["findings"]} == {"program", "empty"}


def test_a_closed_parcel_takes_no_more(site: WebSite) -> None:
    anna = site.login("anna")
    parcel = upload(site, anna, CT)
    assert put(anna, parcel, "late.dcm", file_bytes(CT))[0] == 404


def test_another_users_parcel_is_not_mine(site: WebSite) -> None:
    site.account("bert")
    anna, bert = site.login("anna"), site.login("bert")
    parcel = begin(anna)
    revoke_all(site)
    assert put(bert, parcel, "a.dcm", file_bytes(CT))[0] == 404
    assert put(anna, parcel, "a.dcm", file_bytes(CT))[0] == 200
    assert bert.http.get("/api/parcels").json()["parcels"] == []
    assert [row["id"] for row in anna.http.get("/api/parcels").json()["parcels"]] == [parcel]


def test_an_upload_above_the_limit_is_refused_before_and_while_it_comes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    site = open_site(tmp_path_factory.mktemp("limit"), {"upload_limit_bytes": 100_000})
    try:
        site.account("anna")
        anna = site.login("anna")
        parcel = begin(anna)
        status, problem = put(anna, parcel, "a.bin", bytes(100_001))
        assert (status, problem["code"]) == (413, "upload-too-large")
        status, problem = put(anna, parcel, "a.bin", (bytes(10_000) for _ in range(20)))
        assert (status, problem["code"]) == (413, "upload-too-large")
    finally:
        close_site(site)


def test_whatever_takes_files_takes_large_ones(site: WebSite) -> None:
    paths = site.app.openapi()["paths"]
    takes = {
        path for path, methods in paths.items() for told in methods.values()
        if "application/octet-stream" in told.get("requestBody", {}).get("content", {})
    }  # fmt: skip
    assert {"/api/parcels/{parcel_id}/files", "/api/imports/{case_id}/files"} <= takes
    assert [path for path in takes if not STREAMED.fullmatch(path)] == []


def test_other_bodies_are_small(site: WebSite) -> None:
    anna = site.login("anna")
    for content in (b"x" * (1 << 21), (b"x" * 65536 for _ in range(32))):
        answer = anna.http.post("/api/parcels", content=content, headers=anna.headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def cookie_headers(login: Login) -> list[tuple[bytes, bytes]]:
    cookie = f"radrelay_session={login.http.cookies['radrelay_session']}"
    return [(b"host", b"127.0.0.1:8080"), (b"cookie", cookie.encode()), (b"x-csrf-token", login.csrf.encode())]


async def put_pieces(site: WebSite, login: Login, parcel: str, pieces: AsyncIterator[Message]) -> tuple[int, bytes]:
    """Speak ASGI as the server does, so that the pieces arrive one by one."""
    answer: list[Message] = []

    async def receive() -> Message:
        return await anext(pieces)

    async def send(message: Message) -> None:
        answer.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PUT", "scheme": "http",
        "path": f"/api/parcels/{parcel}/files", "raw_path": b"", "query_string": b"name=big.dcm", "root_path": "",
        "headers": cookie_headers(login), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "state": {},
    }  # fmt: skip
    await site.app(scope, receive, send)
    if not answer:
        return 0, b""
    return answer[0]["status"], b"".join(message.get("body", b"") for message in answer[1:])


def test_an_upload_that_breaks_off_leaves_nothing(site: WebSite) -> None:
    anna = site.login("anna")
    parcel = begin(anna)

    async def broken() -> AsyncIterator[Message]:
        yield {"type": "http.request", "body": file_bytes(CT)[:20_000], "more_body": True}
        yield {"type": "http.disconnect"}

    status, _ = run_apart(put_pieces(site, anna, parcel, broken()))
    assert status in (0, 400)
    anna.http.post(f"/api/parcels/{parcel}/done", headers=anna.headers)
    site.index()
    assert anna.http.get("/api/studies").json()["studies"] == []


def test_a_sender_that_stalls_gives_its_place_up(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "STALLED_S", 0.2)
    anna = site.login("anna")
    parcel = begin(anna)

    async def stalling() -> AsyncIterator[Message]:
        yield {"type": "http.request", "body": file_bytes(CT)[:1000], "more_body": True}
        await anyio.sleep(30)

    status, body = run_apart(put_pieces(site, anna, parcel, stalling()))
    assert (status, json.loads(body)["code"]) == (400, "upload-broken-off")
    assert anna.http.get(f"/api/parcels/{parcel}").json()["objects"] == 0


def test_a_large_upload_stays_out_of_memory(site: WebSite) -> None:
    anna = site.login("anna")
    parcel = begin(anna)
    piece, count = bytes(1 << 18), 400  # 100 MiB

    async def large() -> AsyncIterator[Message]:
        yield {"type": "http.request", "body": b"%PDF-1.4\n" + piece, "more_body": True}
        for number in range(count):
            yield {"type": "http.request", "body": piece, "more_body": number < count - 1}

    tracemalloc.start()
    try:
        status, body = run_apart(put_pieces(site, anna, parcel, large()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert status == 200, body
    assert peak < 48 << 20, f"{peak >> 20} MiB for an upload of 100"


def test_pieces_are_asked_for_one_at_a_time() -> None:
    """The sender is held back while the disk is busy."""
    given: list[int] = []

    class Body:
        async def stream(self) -> AsyncIterator[bytes]:
            for number in range(3):
                given.append(number)
                yield b"x"
            yield b""

    async def main() -> None:
        def take() -> None:
            pieces = iter(BodyPieces(Body(), 100))  # type: ignore[arg-type]  # a request that has a body alone
            next(pieces)
            assert given == [0]
            next(pieces)
            assert given == [0, 1]
            assert list(pieces) == [b"x"]

        await anyio.to_thread.run_sync(take)

    run_apart(main())


def test_several_uploads_at_once(site: WebSite) -> None:
    anna = site.login("anna")
    parcel = begin(anna)
    results: list[int] = []

    def one(number: int) -> None:
        results.append(put(anna, parcel, f"{number}.pdf", b"%PDF-" + uuid.uuid4().bytes * 1000)[0])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 8


def with_a_letter(site: WebSite, anna: Login) -> tuple[str, dict[str, Any]]:
    """Upload a study with a letter; return the study's id and the attachment."""
    parcel = begin(anna)
    put(anna, parcel, "a.dcm", file_bytes(CT))
    put(anna, parcel, "letter.pdf", b"%PDF-1.4 a letter")
    anna.http.post(f"/api/parcels/{parcel}/done", headers=anna.headers)
    site.index()
    study = anna.http.get("/api/studies").json()["studies"][0]["id"]
    return study, anna.http.get(f"/api/studies/{study}").json()["attachments"][0]


def test_a_letter_becomes_an_object_of_its_study_once(site: WebSite) -> None:
    anna = site.login("anna")
    study, letter = with_a_letter(site, anna)
    assert letter["file_name"] == "letter.pdf"
    assert anna.http.get(f"/api/attachments/{letter['id']}/file").content == b"%PDF-1.4 a letter"
    for _ in range(2):
        made = anna.http.post(f"/api/attachments/{letter['id']}/dicom", headers=anna.headers)
        assert made.status_code == 202, made.text
        site.index()
    detail = anna.http.get(f"/api/studies/{study}").json()
    assert sorted(row["modality"] for row in detail["series"]) == ["CT", "DOC"]
    assert detail["instance_count"] == 2
    document = next(row for row in detail["series"] if row["modality"] == "DOC")
    instance = anna.http.get(f"/api/series/{document['id']}").json()["instances"][0]
    assert (instance["viewable"], "PDF" in instance["why_not"]) == (False, True)
    shown = anna.http.get(f"/api/instances/{instance['id']}/document")
    assert shown.headers["content-type"] == "application/pdf"
    assert shown.content.rstrip(b"\0") == b"%PDF-1.4 a letter"
    assert anna.http.get(f"/api/instances/{instance['id']}/frames/1/pixels").json()["code"] == "not-viewable"


def test_a_letter_that_is_converted_while_its_study_is_deleted_brings_nothing_back(site: WebSite) -> None:
    anna = site.login("anna")
    study, letter = with_a_letter(site, anna)
    made = anna.http.post(f"/api/attachments/{letter['id']}/dicom", headers=anna.headers)
    assert made.status_code == 202, made.text
    root = site.login("root")
    assert root.http.delete(f"/api/studies/{study}", headers=root.headers).status_code == 204
    site.index()
    assert root.http.get("/api/studies").json()["studies"] == []
    with site.database.read() as session:
        assert session.query(Study).count() == 0
        assert session.query(Erasure).count() >= 3  # picture, letter, and what was made of it


def test_a_letter_that_becomes_an_object_prolongs_nothing(site: WebSite) -> None:
    anna = site.login("anna")
    study, letter = with_a_letter(site, anna)

    def ends() -> list[str]:
        return [holding["expires_at"] for holding in anna.http.get(f"/api/studies/{study}").json()["holdings"]]

    before = ends()
    site.clock.advance(timedelta(hours=1))
    assert anna.http.post(f"/api/attachments/{letter['id']}/dicom", headers=anna.headers).status_code == 202
    site.index()
    assert anna.http.get(f"/api/studies/{study}").json()["instance_count"] == 2
    assert ends() == before

"""The built pages, the health addresses, the metrics, the reference, and the live events."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from radrelay.access import Principal
from radrelay.errors import Unavailable
from radrelay.identity import organisations
from radrelay.storage.database import DatabaseUnavailable
from radrelay.web import live
from radrelay.web.guards import TlsBeyondLoopback
from radrelay.web.live import LiveFeed
from tests.apart import run_apart
from tests.web.conftest import WebSite, close_site, open_site
from tests.web.test_studies import CT, upload
from tests.web.test_uploads import cookie_headers


def build(site: WebSite) -> None:
    static = site.services.static_dir
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>Radrelay</title>")
    (static / "assets" / "app-3f2a.js").write_text("let x = 1;\n" * 500)
    (static / "favicon.ico").write_bytes(b"icon")
    (static.parent / "secret.txt").write_text("not yours")


def test_hashed_assets_are_kept_for_ever_and_the_page_never(site: WebSite) -> None:
    build(site)
    client = site.client()
    asset = client.get("/assets/app-3f2a.js")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asset.headers["content-type"].startswith("text/javascript")
    assert asset.headers["content-encoding"] == "gzip"
    assert asset.text == "let x = 1;\n" * 500
    plain = client.get("/assets/app-3f2a.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for path in ("/", "/studies/some-id", "/login", "/index.html"):
        page = client.get(path)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store"), path
        assert "Radrelay" in page.text
    assert client.get("/assets/gone.js").status_code == 404
    assert client.get("/missing.png").status_code == 404
    assert client.head("/").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/%00",
        "/..%5csecret.txt",
        "//etc/passwd",
    ],
)
def test_nothing_outside_the_pages_is_served(site: WebSite, path: str) -> None:
    build(site)
    answer = site.client().get(path)
    assert "not yours" not in answer.text
    assert "root:" not in answer.text


def test_without_the_built_pages_a_line_says_so(site: WebSite) -> None:
    answer = site.client().get("/")
    assert answer.status_code == 503
    assert "not built" in answer.text


def test_the_page_says_whose_site_it_is_as_its_operator_has_named_it(tmp_path: Path) -> None:
    site = open_site(tmp_path, {"organisation_name": 'Klinikum "Süd" <Haus 1>'})
    try:
        build(site)
        (site.services.static_dir / "index.html").write_text('<!doctype html><html lang="en"><title>Radrelay</title>')
        with site.database.write() as session:
            organisations.add(session, "Praxis Beta", "AT", site.clock.now())
        for path in ("/", "/login", "/s", "/view"):
            page = site.client().get(path).text
            assert '<html data-house="Klinikum &quot;Süd&quot; &lt;Haus 1&gt;" lang="en">' in page, path
            assert "Beta" not in page, "organisations are named to nobody"
    finally:
        close_site(site)


def test_alive_and_ready_are_two_things(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    client = site.client()
    ready = client.get("/readyz")
    assert (ready.status_code, {part["name"] for part in ready.json()["parts"]}) == (
        200,
        {"database", "storage", "keys"},
    )

    def away() -> Any:
        raise DatabaseUnavailable("gone: patient Meier's table")

    monkeypatch.setattr(site.database, "read", away)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "Meier" not in answer.text
    assert client.get("/healthz").status_code == 200
    problem = client.get("/api/session", headers={"Authorization": "Bearer rr_x"})
    assert (problem.status_code, problem.json()["code"]) == (503, "database-unavailable")


def test_metrics_are_for_this_machine_or_a_token(site: WebSite) -> None:
    here, elsewhere = site.client(), site.client("192.0.2.1")
    assert here.get("/metrics").status_code == 200
    assert elsewhere.get("/metrics").status_code == 401
    for header in ({"Host": "evil.example"}, {"X-Forwarded-For": "127.0.0.1"}):
        assert here.get("/metrics", headers=header).status_code == 401
    answer = elsewhere.get("/metrics", headers={"Authorization": f"Bearer {site.token()}"})
    assert 'radrelay_http_requests_total{method="GET",route="/metrics",status="4xx"}' in answer.text


def test_behind_a_proxy_everybody_comes_from_this_machine_and_needs_a_token(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    site = open_site(tmp_path_factory.mktemp("proxied"), {"behind_proxy": True})
    try:
        assert site.client().get("/metrics").status_code == 401
    finally:
        close_site(site)


def test_the_reference_needs_nothing_from_elsewhere_and_no_script(site: WebSite) -> None:
    page = site.login("anna").http.get("/api/docs")
    assert "/api/studies/{study_id}" in page.text
    for foreign in ("<script", "http://", "https://", "style="):
        assert foreign not in page.text


def test_an_unforeseen_error_says_nothing_and_logs_no_message(
    site: WebSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("MEIER^ANNA")

    anna = site.login("anna")
    monkeypatch.setattr(site.services.sources, "resolve", fail)
    answer = anna.http.post("/api/parcels", json={"name": "x"}, headers=anna.headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "error")
    assert answer.headers["x-content-type-options"] == "nosniff"
    written = "".join(capsys.readouterr())
    assert "KeyError" in written
    assert answer.json()["correlation_id"] in written
    assert "MEIER" not in written + answer.text


def test_a_correlation_id_is_taken_over_only_if_it_is_one(site: WebSite) -> None:
    client = site.client()
    assert (
        client.get("/healthz", headers={"X-Correlation-Id": "from-the-proxy-1"}).headers["x-correlation-id"]
        == "from-the-proxy-1"
    )
    for bad in ("short", "a b c d e f g h", "x" * 65, "-" * 20):
        assert client.get("/healthz", headers={"X-Correlation-Id": bad}).headers["x-correlation-id"] != bad


def test_the_list_hears_that_a_study_arrived(site: WebSite) -> None:
    anna = site.login("anna")
    headers = cookie_headers(anna)
    heard: list[str] = []

    async def listen() -> None:
        feed: LiveFeed = site.app.state.feed
        ready, changed = asyncio.Event(), asyncio.Event()

        async def receive() -> Message:
            await changed.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            text = message.get("body", b"").decode()
            heard.append(text)
            if "event: ready" in text:
                ready.set()
            if '"studies"' in text:
                changed.set()

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": "/api/events", "raw_path": b"", "query_string": b"", "root_path": "", "headers": headers,
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "state": {},
        }  # fmt: skip
        async with feed.running():
            task = asyncio.create_task(site.app(scope, receive, send))
            await asyncio.wait_for(ready.wait(), 20)
            await asyncio.sleep(1.5)
            await asyncio.to_thread(upload, site, anna, CT)
            await asyncio.wait_for(changed.wait(), 20)
            await asyncio.wait_for(task, 20)

    run_apart(listen())
    changes = [json.loads(line[6:]) for text in heard for line in text.splitlines() if line.startswith('data: {"lists')]
    assert any("studies" in change["lists"] for change in changes)
    assert "CompressedSamples" not in "".join(heard)


def reader(site: WebSite, name: str = "anna") -> Principal:
    return Principal("account", name, name, site.organisation_id)


def test_the_list_goes_on_being_told_after_a_look_that_failed(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look(session: object, organisation_id: object, now: object) -> dict[str, str]:
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("Compressed^Samples")
        return {"studies": str(len(looks))}

    monkeypatch.setattr(live, "signatures", look)

    async def listen() -> set[str]:
        feed: LiveFeed = site.app.state.feed
        async with feed.running(), feed.listen(reader(site)) as listener:
            while not listener.changed:  # it is woken to ask whether it may go on, too
                await asyncio.wait_for(listener.woken.wait(), 20)
                listener.woken.clear()
            return listener.changed

    assert run_apart(listen()) == {"studies"}


def test_only_so_many_listen(site: WebSite) -> None:
    async def crowd() -> None:
        feed: LiveFeed = site.app.state.feed
        contexts = [feed.listen(reader(site, f"person {number}")) for number in range(500)]
        for context in contexts:
            await context.__aenter__()
        with pytest.raises(Unavailable):
            await feed.listen(reader(site)).__aenter__()
        anna = await asyncio.to_thread(site.login, "anna")
        refused = await asyncio.to_thread(anna.http.get, "/api/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        for context in contexts:
            await context.__aexit__(None, None, None)

    run_apart(crowd())
    assert threading.active_count() < 200


def test_a_destination_is_entered_asked_and_removed(site: WebSite) -> None:
    root, anna = site.login("root"), site.login("anna")
    body = {"name": "PACS", "ae_title": "PACS", "host": "pacs.local", "port": 104}
    made = root.http.post("/api/destinations", json=body, headers=root.headers).json()
    assert anna.http.get("/api/destinations").json()["destinations"][0]["name"] == "PACS"
    echo = root.http.post(f"/api/destinations/{made['id']}/echo", headers=root.headers).json()
    assert echo == {"ok": True, "error": None, "ms": 1.5}
    changed = root.http.patch(f"/api/destinations/{made['id']}", json={"port": 11112}, headers=root.headers)
    assert (changed.json()["port"], changed.json()["ae_title"]) == (11112, "PACS")
    upload(site, anna, CT)
    study = anna.http.get("/api/studies").json()["studies"][0]["id"]
    wanted = {"study_id": study, "destination_id": made["id"]}
    delivery = anna.http.post("/api/deliveries", json=wanted, headers=anna.headers)
    assert (delivery.status_code, delivery.json()["destination"], delivery.json()["state"]) == (201, "PACS", "waiting")
    one = f"/api/deliveries/{delivery.json()['id']}"
    assert root.http.delete(f"/api/destinations/{made['id']}", headers=root.headers).status_code == 409
    assert anna.http.get(one).json()["receipts"] == []
    assert anna.http.post(f"{one}/cancel", headers=anna.headers).json()["state"] == "cancelled"
    assert anna.http.post(f"{one}/retry", headers=anna.headers).json()["state"] == "waiting"
    assert len(anna.http.get("/api/deliveries", params={"study_id": study}).json()["deliveries"]) == 1
    both = wanted | {"series_id": study}
    assert anna.http.post("/api/deliveries", json=both, headers=anna.headers).status_code == 422


def test_a_source_is_set_up_and_changed(site: WebSite) -> None:
    root, anna = site.login("root"), site.login("anna")
    body = {"name": "CT 2", "kind": "dicom", "ae_title": "CT2", "retention_s": 3600, "max_age_s": 7200}
    made = root.http.post("/api/sources", json=body, headers=root.headers).json()
    change = {"retention_s": None, "max_age_s": None, "callers": "CT2@10.0.0.5"}
    changed = root.http.patch(f"/api/sources/{made['id']}", json=change, headers=root.headers).json()
    assert (changed["retention_s"], changed["max_age_s"], changed["ae_title"]) == (None, None, "CT2")
    seen = next(row for row in anna.http.get("/api/sources").json()["sources"] if row["id"] == made["id"])
    assert (seen["callers"], seen["folder"]) == (None, None)
    bad = root.http.patch(f"/api/sources/{made['id']}", json={"kind": "stow"}, headers=root.headers)
    assert bad.status_code == 422
    assert root.http.delete(f"/api/sources/{made['id']}", headers=root.headers).status_code == 204


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("reached_at", "scheme", "behind_proxy", "status"),
    [
        ("10.20.30.40", "http", False, 403),
        ("::ffff:10.20.30.40", "http", False, 403),
        ("fe80::1", "http", False, 403),
        ("127.0.0.1", "http", False, 200),
        ("::1", "http", False, 200),
        ("::ffff:127.0.0.1", "http", False, 200),
        ("10.20.30.40", "https", False, 200),
        ("10.20.30.40", "http", True, 200),
    ],
)
def test_plain_http_is_answered_on_loopback_alone_unless_a_proxy_ends_tls(
    reached_at: str, scheme: str, behind_proxy: bool, status: int
) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("in")(scope, receive, send)

    async def asked(path: str, accept: str) -> dict[str, Any]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(dict(message))

        async def receive() -> Message:
            return {"type": "http.request"}

        scope = {
            "type": "http", "method": "GET", "path": path, "scheme": scheme, "server": (reached_at, 8080),
            "client": ("127.0.0.1", 50000), "headers": [(b"accept", accept.encode()), (b"host", b"localhost")],
        }  # fmt: skip
        await TlsBeyondLoopback(inner, behind_proxy)(scope, receive, send)
        return {"status": sent[0]["status"], "type": dict(sent[0]["headers"])[b"content-type"].decode()}

    for accept in ("*/*", "text/html,*/*"):
        answer = run_apart(asked("/dicom-web/studies", accept))
        assert answer["status"] == status
        assert (answer["type"] == PROBLEM) == (status == 403 and accept == "*/*")
    assert run_apart(asked("/healthz", "*/*"))["status"] == 200


def test_a_site_says_whom_to_tell_of_a_weakness(tmp_path: Path) -> None:
    site = open_site(tmp_path, web={"security_contact": "mailto:security@example.org"})
    try:
        answer = site.client().get("/.well-known/security.txt")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text.splitlines()[0] == "Contact: mailto:security@example.org"
        assert answer.text.splitlines()[1].startswith("Expires: ")
    finally:
        close_site(site)

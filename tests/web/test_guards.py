"""What every answer carries, what a browser keeps, and what a name that nobody has costs."""

from __future__ import annotations

import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import uvicorn
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from radrelay.app.request_heads import MOST_BYTES, BoundedHeads
from radrelay.identity import srp
from radrelay.identity.accounts import by_name
from radrelay.identity.passwords import Passwords
from radrelay.web.cookies import plain, prefixed
from radrelay.web.downloads import disposition
from tests.proving import log_in
from tests.web.conftest import PASSWORD, WebSite, close_site, open_site

NEEDED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
}
DIRECTIVES = ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")


def over_tls(site: WebSite, address: str = "203.0.113.7") -> TestClient:
    client = TestClient(site.app, base_url="https://pictures.example", client=(address, 50000))
    site.clients.append(client)
    return client


def test_every_kind_of_answer_carries_the_headers(site: WebSite) -> None:
    client = over_tls(site)
    log_in(client, "anna", PASSWORD)
    asked = [
        client.get("/"), client.get("/api/session"), client.get("/api/studies/none"), client.get("/assets/none.js"),
        client.get("/dicom-web/studies"), client.post("/api/session", content=b"{"), client.get("/api/docs"),
        client.request("TRACE", "/"), client.post("/api/session", content=b"x" * (2 << 20)), client.get("/healthz"),
    ]  # fmt: skip
    assert {answer.status_code for answer in asked} >= {200, 400, 404, 405, 413}
    for answer in asked:
        assert {name: answer.headers.get(name) for name in NEEDED} == NEEDED, answer.url
        policy = answer.headers["content-security-policy"]
        assert all(one in policy for one in DIRECTIVES)
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
        kind = answer.headers.get("content-type", "")
        assert not answer.content or kind.startswith("application/") or "charset=utf-8" in kind, kind


def test_nothing_is_echoed_to_trace_and_no_other_method_is_known(site: WebSite) -> None:
    client = site.client()
    for method in ("TRACE", "CONNECT", "PROPFIND", "TRACK"):
        for path in ("/", "/api/studies", "/dicom-web/studies"):
            answer = client.request(method, path, headers={"X-Secret": "told-once"})
            assert answer.status_code in (404, 405), (method, path)
            assert "told-once" not in answer.text


def test_over_tls_a_cookie_belongs_to_this_host_alone(site: WebSite) -> None:
    client = over_tls(site)
    answer = log_in(client, "anna", PASSWORD)
    set_cookies = answer.headers.get_list("set-cookie")
    assert len(set_cookies) == 2
    for one in set_cookies:
        assert one.startswith("__Host-radrelay_")
        attributes = {part.strip().lower() for part in one.split(";")[1:]}
        assert {"secure", "httponly", "path=/"} <= attributes
        assert not any(part.startswith("domain") for part in attributes)
        assert any(part.startswith("samesite=") for part in attributes)
        assert len(one) < 4096
    assert client.get("/api/session").status_code == 200
    csrf = {"X-CSRF-Token": answer.json()["csrf_token"]}
    assert client.delete("/api/session", headers=csrf).status_code == 204
    assert not [name for name in client.cookies if "session" in name], "the browser has let go of it"


def test_over_tls_a_cookie_that_a_neighbouring_host_could_have_planted_is_not_read(site: WebSite) -> None:
    thief = over_tls(site)
    log_in(thief, "anna", PASSWORD)
    secret = thief.cookies["__Host-radrelay_session"]
    victim = over_tls(site)
    assert victim.get("/api/session", headers={"Cookie": f"radrelay_session={secret}"}).status_code == 401
    assert victim.get("/api/session", headers={"Cookie": f"__Host-radrelay_session={secret}"}).status_code == 200


def test_cookies_of_others_stay_as_they_are() -> None:
    assert prefixed(b"theirs=1; Path=/x") == b"theirs=1; Path=/x"
    assert prefixed(b"radrelay_x=1; Path=/x; Domain=a.b; HttpOnly") == (
        b"__Host-radrelay_x=1; HttpOnly; Path=/; Secure"
    )
    assert plain(b"a=radrelay_b; c=d") == b"a=radrelay_b; c=d"
    assert plain(b"a=1; radrelay_x=planted; __host-radrelay_x=ours;__Host-other=2") == (
        b"a=1; radrelay_x=ours; __Host-other=2"
    )


def test_the_log_says_who_was_refused_and_of_others_nothing(site: WebSite) -> None:
    anna = site.login("anna", "192.0.2.10")
    account = anna.http.get("/api/session").json()["account"]["id"]
    key = {"Authorization": f"Bearer {site.token()}"}
    with capture_logs() as lines:
        anna.http.get("/api/accounts")
        anna.http.post("/api/tokens", json={"name": "x"})
        anna.http.get(f"/api/studies/{uuid.uuid4()}")
        site.client("192.0.2.11").get("/api/studies")
        site.client("192.0.2.12").get("/api/accounts", headers=key)
        anna.http.get("/api/studies")
    told = [(line["status"], line.get("who", ""), line.get("peer", "")) for line in lines if line["event"] == "request"]
    assert told[:3] == [(status, f"account {account}", "192.0.2.10") for status in (403, 403, 404)]
    assert told[3] == (401, "", "192.0.2.11")
    assert told[4][0] == 403
    assert told[4][1].startswith("token ")
    assert told[5] == (200, "", "")


@given(st.text())
@example('a"; filename="b.html\r\nSet-Cookie: x=1')
@example("../../etc/passwd")
@example("Müller\u202egnp.exe")
def test_no_name_of_a_download_breaks_out_of_its_header(name: str) -> None:
    header = disposition(name)
    assert re.fullmatch(r"attachment; filename=\"[A-Za-z0-9._-]{1,150}\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+", header)
    assert not header.partition('"')[2].startswith(".")


@contextmanager
def listening(site: WebSite) -> Iterator[int]:
    config = uvicorn.Config(site.app, port=0, lifespan="off", log_config=None, http=BoundedHeads, server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def test_a_request_whose_end_can_be_read_in_two_ways_is_refused(site: WebSite) -> None:
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    heads = [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"Content-Length: +4\r\n\r\nabcd",
        b"Bad Header: 1\r\nContent-Length: 0\r\n\r\n",
    ]
    with listening(site) as port:
        for head in heads:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
                peer.sendall(b"POST /api/session HTTP/1.1\r\nHost: x\r\n" + head + hidden)
                got = b""
                while piece := peer.recv(65536):
                    got += piece
            assert got.startswith(b"HTTP/1.1 400"), head
            assert got.count(b"HTTP/1.1 ") == 1, head


def answer_to(port: int, request: bytes, more: bytes = b"") -> bytes:
    """Return the answer to a request, which goes on with `more` until it is answered."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        with suppress(ConnectionError):
            peer.sendall(request)
            for _ in range(64 if more else 0):
                peer.sendall(more)
        with suppress(ConnectionError):
            while piece := peer.recv(65536):
                got += piece
    return got


def test_a_head_without_end_is_cut_off_and_refused_as_everything_is(site: WebSite) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    chunked = b"POST /api/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    piece = b"a" * (MOST_BYTES // 16)
    with listening(site) as port:
        assert answer_to(port, asked + b"X: " + b"a" * (MOST_BYTES // 2) + b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        for request, more in (
            (asked + b"X: " + b"a" * (MOST_BYTES + 1) + b"\r\n\r\n", b""),
            (asked + b"".join(b"X%d: 1\r\n" % n for n in range(MOST_BYTES // 8)) + b"\r\n", b""),
            (asked + b"X: ", piece), (b"GET /", piece), (chunked + b"X: ", piece),
        ):  # fmt: skip
            got = answer_to(port, request, more)
            assert got.startswith(b"HTTP/1.1 431") or (got == b"" and more), request[:80]
        refused = answer_to(port, b"no request at all\r\n\r\n").lower()
    assert refused.startswith(b"http/1.1 400")
    assert not [name for name in NEEDED if f"{name}: ".encode() not in refused]


def test_a_head_that_does_not_come_holds_no_connection(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHeads, "longest_s", 0.05)
    with listening(site) as port:
        assert answer_to(port, b"") == b""
        assert answer_to(port, b"GET / HTTP/1.1\r\nHost: x\r\n").startswith(b"HTTP/1.1 408")


# What somebody costs and what nobody costs: counted, for a clock would tell little on a busy machine


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[WebSite]:
    made = open_site(tmp_path)
    made.account("anna")
    log_in(over_tls(made), "nobody at all", PASSWORD)  # the first event of all begins a chain
    disabled = made.account("berta")
    with made.database.write() as session:
        row = by_name(session, "berta")
        assert row is not None
        assert row.id == disabled
        row.disabled_at = made.clock.now()
    yield made
    close_site(made)


def work_of(site: WebSite, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> dict[str, object]:
    """Return what a request made the server do: statements, exponentiations, password hashes, and how it answered."""
    statements: list[str] = []
    powers: list[tuple[int, int]] = []
    checks: list[str] = []

    def counted(base: int, exponent: int, modulus: int) -> int:
        powers.append((exponent.bit_length() // 64, modulus.bit_length()))
        return pow(base, exponent, modulus)

    def noted(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    matches = Passwords.matches

    def checked(self: Passwords, encoded: str | None, password: str) -> bool:
        checks.append("argon2id")
        return matches(self, encoded, password)

    sa.event.listen(site.database.engine, "before_cursor_execute", noted)
    with monkeypatch.context() as patched:
        patched.setattr(srp, "pow", counted, raising=False)
        patched.setattr(Passwords, "matches", checked)
        answer = act()
    sa.event.remove(site.database.engine, "before_cursor_execute", noted)
    return {
        "status": answer.status_code, "fields": sorted(answer.json()), "statements": statements,
        "powers": len(powers), "checks": checks,
    }  # fmt: skip


def test_a_name_that_nobody_has_costs_what_somebody_costs(clinic: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, refused = [], []
    for number, name in enumerate(("anna", "berta", "nobody")):
        client = over_tls(clinic, f"198.51.100.{number + 1}")

        def ask(client: TestClient = client, name: str = name) -> Any:
            return client.post("/api/session/challenge", json={"username": name})

        def prove(client: TestClient = client, name: str = name) -> Any:
            return log_in(client, name, "a wrong password")

        asked.append(work_of(clinic, monkeypatch, ask))
        refused.append(work_of(clinic, monkeypatch, prove))
    assert asked[0]["status"] == 200
    assert refused[0]["status"] == 401
    assert asked[0]["powers"] == 1
    assert asked[0] == asked[1] == asked[2]
    assert refused[0] == refused[1] == refused[2]


def test_the_same_among_accounts_from_before_srp(clinic: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = clinic.identity._logins._passwords
    with clinic.database.write() as session:
        for name in ("anna", "berta"):
            row = by_name(session, name)
            assert row is not None
            row.password_hash = hasher.hash(PASSWORD)
    refused = []
    for number, name in enumerate(("anna", "berta", "nobody")):
        client = over_tls(clinic, f"198.51.100.{number + 1}")

        def try_password(client: TestClient = client, name: str = name) -> Any:
            return client.post("/api/session", json={"username": name, "password": "a wrong password"})

        refused.append(work_of(clinic, monkeypatch, try_password))
    assert refused[0]["status"] == 401
    assert refused[0]["checks"] == ["argon2id"]
    assert refused[0] == refused[1] == refused[2]

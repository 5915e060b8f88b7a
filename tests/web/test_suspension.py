"""Suspension takes effect at once, in streams that are open too; an open stream alone keeps nobody logged in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from starlette.types import Message

from radrelay.errors import Unavailable
from radrelay.identity import Identity, OpenSession
from radrelay.storage.database import DatabaseUnavailable
from radrelay.web import live
from radrelay.web.live import LiveFeed
from tests.apart import run_apart
from tests.web.conftest import Login, WebSite
from tests.web.test_links import make, opened, study_of
from tests.web.test_studies import CT, upload
from tests.web.test_uploads import cookie_headers

Headers = list[tuple[bytes, bytes]]


async def hear_until_end(site: WebSite, headers: Headers, then: Callable[[], Awaitable[object]]) -> tuple[str, float]:
    """Listen for changes, do `then` once the stream is open; return what came and how long after that it ended."""
    heard: list[str] = []
    ready, never = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        await never.wait()
        raise AssertionError("nobody goes away")

    async def send(message: Message) -> None:
        heard.append(message.get("body", b"").decode())
        if "event: ready" in heard[-1]:
            ready.set()

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/api/events", "raw_path": b"", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "state": {},
    }  # fmt: skip
    feed: LiveFeed = site.app.state.feed
    async with feed.running():
        task = asyncio.create_task(site.app(scope, receive, send))
        await asyncio.wait_for(ready.wait(), 20)
        await asyncio.sleep(1.2)
        begun = time.monotonic()
        await then()
        await asyncio.wait_for(task, 20)
    return "".join(heard), time.monotonic() - begun


def disable(site: WebSite, root: Login, username: str) -> None:
    accounts = root.http.get("/api/accounts").json()["accounts"]
    account = next(one["id"] for one in accounts if one["username"] == username)
    assert root.http.patch(f"/api/accounts/{account}", json={"disabled": True}, headers=root.headers).status_code == 200


def test_a_suspended_persons_open_page_ends_within_seconds(site: WebSite) -> None:
    root, anna = site.login("root"), site.login("anna")

    async def suspend() -> None:
        await asyncio.to_thread(disable, site, root, "anna")

    heard, seconds = run_apart(hear_until_end(site, cookie_headers(anna), suspend))
    assert heard.endswith(live.ENDED)
    assert seconds < live.HEARTBEAT_S / 2


def test_a_database_that_is_away_ends_nobodys_login(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.account("ben")
    root, anna = site.login("root"), site.login("anna")
    asked: list[int] = []

    def away(secret: str) -> OpenSession:
        asked.append(len(secret))
        raise DatabaseUnavailable

    async def outage() -> None:
        with monkeypatch.context() as patched:
            await asyncio.to_thread(disable, site, root, "ben")  # every stream asks whether it may go on
            patched.setattr(Identity, "session_of", lambda self, secret: away(secret))
            while not asked:
                await asyncio.sleep(0.1)
            answer = await asyncio.to_thread(lambda: anna.http.get("/api/session"))
            assert answer.status_code == 503
            assert "set-cookie" not in answer.headers, "the browser keeps its login"
        assert (await asyncio.to_thread(lambda: anna.http.get("/api/session"))).status_code == 200
        await asyncio.to_thread(disable, site, root, "anna")

    heard, _ = run_apart(hear_until_end(site, cookie_headers(anna), outage))
    assert heard.count(live.ENDED) == 1
    assert asked


def test_what_a_revoked_link_opened_is_closed_within_seconds_in_every_browser(site: WebSite) -> None:
    root = site.login("root")
    upload(site, root, CT)
    made = make(site, root, studies=[study_of(root)["id"]])
    visitor = opened(site, made)
    cookie = f"radrelay_link={visitor.http.cookies['radrelay_link']}".encode()

    async def revoke() -> None:
        await asyncio.to_thread(upload, site, root, "MR_small.dcm")  # of what comes they hear nothing
        await asyncio.sleep(1.5)
        path = f"/api/links/{made['link']['id']}"
        answer = await asyncio.to_thread(lambda: root.http.delete(path, headers=root.headers))
        assert answer.status_code == 204, answer.text

    heard, seconds = run_apart(hear_until_end(site, [(b"host", b"127.0.0.1:8080"), (b"cookie", cookie)], revoke))
    assert heard.endswith(live.ENDED)
    assert "changed" not in heard
    assert seconds < live.HEARTBEAT_S / 2


def test_visitors_leave_room_for_the_house(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_VISITORS", 1)
    feed: LiveFeed = site.app.state.feed

    async def crowd() -> None:
        async with feed.listen(site.organisation_id, visitor=True):
            with pytest.raises(Unavailable):
                feed.require_room(visitor=True)
            feed.require_room()

    run_apart(crowd())


def test_a_revoked_machines_open_stream_ends_within_seconds(site: WebSite) -> None:
    root = site.login("root")
    made = root.http.post("/api/tokens", json={"name": "a board"}, headers=root.headers).json()

    async def revoke() -> None:
        path = f"/api/tokens/{made['token']['id']}"
        await asyncio.to_thread(lambda: root.http.delete(path, headers=root.headers))

    machine = [(b"host", b"127.0.0.1:8080"), (b"authorization", f"Bearer {made['secret']}".encode())]
    heard, seconds = run_apart(hear_until_end(site, machine, revoke))
    assert heard.endswith(live.ENDED)
    assert seconds < live.HEARTBEAT_S / 2


def test_an_open_stream_keeps_nobody_logged_in(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.2)
    anna = site.login("anna")

    async def wait() -> None:
        for _ in range(5):
            await asyncio.sleep(0.3)
            site.clock.advance(timedelta(hours=2))

    heard, _ = run_apart(hear_until_end(site, cookie_headers(anna), wait))
    assert live.HERE in heard
    assert heard.endswith(live.ENDED)

"""Suspension takes effect at once, in streams that are open too; an open stream alone keeps nobody logged in."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.types import Message

from radrelay import access
from radrelay.access import Principal, WantedBar
from radrelay.errors import Unavailable
from radrelay.identity import Identity, OpenSession
from radrelay.storage.database import DatabaseUnavailable
from radrelay.web import live, standing, streaming
from radrelay.web.authentication import COOKIE
from radrelay.web.correlation import ResponseBroken
from radrelay.web.live import LiveFeed
from radrelay.web.visitors import LINK_COOKIE
from tests.apart import run_apart
from tests.web.conftest import Login, WebSite
from tests.web.test_links import make, opened, study_of
from tests.web.test_studies import CT, upload
from tests.web.test_uploads import cookie_headers

Headers = list[tuple[bytes, bytes]]


async def hear_until_end(site: WebSite, headers: Headers, then: Callable[[], Awaitable[object]]) -> tuple[str, float]:
    """Listen for changes, do `then` once the stream is open; return what came and how long after that it ended."""
    feed: LiveFeed = site.app.state.feed
    async with feed.running():
        ready = asyncio.Event()
        task = asyncio.create_task(listening(site, headers, ready))
        await asyncio.wait_for(ready.wait(), 20)
        await asyncio.sleep(1.2)
        begun = time.monotonic()
        await then()
        heard = await asyncio.wait_for(task, 20)
    return heard, time.monotonic() - begun


async def downloaded(site: WebSite, headers: Headers, path: str, meanwhile: Callable[[], object]) -> bool:
    """Download something, do `meanwhile` once its first piece is there, and say whether it came to its end."""
    pieces: list[Message] = []
    never = asyncio.Event()

    async def receive() -> Message:
        await never.wait()
        raise AssertionError("nobody goes away")

    async def send(message: Message) -> None:
        pieces.append(message)
        if len(pieces) == 2:
            await asyncio.to_thread(meanwhile)

    try:
        await site.app(asked_for(path, headers), receive, send)
    except ResponseBroken:
        return False
    return not pieces[-1]["more_body"]


async def hear_all_until_end(
    site: WebSite, cookies: dict[str, bytes], then: Callable[[], Awaitable[object]]
) -> dict[str, str]:
    """Listen in several browsers at once; return what came to each until its stream ended."""
    feed: LiveFeed = site.app.state.feed
    async with feed.running():
        ready = {name: asyncio.Event() for name in cookies}
        tasks = {
            name: asyncio.create_task(listening(site, [(b"host", b"127.0.0.1:8080"), (b"cookie", one)], ready[name]))
            for name, one in cookies.items()
        }
        for one in ready.values():
            await asyncio.wait_for(one.wait(), 20)
        await asyncio.sleep(1.2)
        await then()
        return {name: await asyncio.wait_for(task, 20) for name, task in tasks.items()}


async def listening(site: WebSite, headers: Headers, ready: asyncio.Event) -> str:
    """Return what a stream of changes brings until it ends; `ready` is set once it is open."""
    heard: list[str] = []
    never = asyncio.Event()

    async def receive() -> Message:
        await never.wait()
        raise AssertionError("nobody goes away")

    async def send(message: Message) -> None:
        heard.append(message.get("body", b"").decode())
        if "event: ready" in heard[-1]:
            ready.set()

    await site.app(asked_for("/api/events", headers), receive, send)
    return "".join(heard)


def asked_for(path: str, headers: Headers) -> dict[str, Any]:
    """Return the scope of a request."""
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": b"", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "state": {},
    }  # fmt: skip


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


def test_a_download_breaks_off_once_its_person_is_suspended_or_its_link_revoked(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(streaming, "BATCH_BYTES", 1 << 10)
    site.account("ben")
    root, anna, ben = (site.login(name) for name in ("root", "anna", "ben"))
    upload(site, root, CT)
    study = study_of(root)
    path = f"/api/studies/{study['id']}/archive.zip"
    link = make(site, root, studies=[study["id"]], may_download=True)
    visitor = opened(site, link)
    cookie = f"{LINK_COOKIE}={visitor.http.cookies[LINK_COOKIE]}".encode()
    own = [(b"host", b"127.0.0.1:8080"), (b"cookie", cookie)]

    def revoke() -> None:
        gone = root.http.delete(f"/api/links/{link['link']['id']}", headers=root.headers)
        assert gone.status_code == 204

    assert not run_apart(downloaded(site, cookie_headers(anna), path, lambda: disable(site, root, "anna")))
    assert not run_apart(downloaded(site, own, path, revoke))
    assert run_apart(downloaded(site, cookie_headers(ben), path, lambda: site.clock.advance(timedelta(hours=9)))), (
        "what was begun goes on when nobody uses the pages"
    )


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


def bar_processing(site: WebSite, study: dict[str, Any]) -> None:
    patient = study["patient"]
    wanted = WantedBar(patient["issuer"], patient["id"], "accuracy", "the birth date is doubted", None, uuid.uuid4())
    with site.database.write() as session:
        assert access.bar(session, site.organisation_id, wanted, "dora", site.clock.now())


def test_open_pages_hear_within_seconds_that_processing_was_restricted_of_what_they_show(site: WebSite) -> None:
    root = site.login("root")
    upload(site, root, CT)
    upload(site, root, "MR_small.dcm")
    shown, other = study_of(root, "CT"), study_of(root, "MR")
    made = make(site, root, studies=[shown["id"], other["id"]])
    beside = make(site, root, studies=[other["id"]])
    cookies = {
        name: f"radrelay_link={opened(site, link).http.cookies['radrelay_link']}".encode()
        for name, link in {"made": made, "beside": beside}.items()
    }
    cookies["root"] = f"{COOKIE}={root.http.cookies[COOKIE]}".encode()

    def end(link: dict[str, Any]) -> None:
        answer = root.http.delete(f"/api/links/{link['link']['id']}", headers=root.headers)
        assert answer.status_code == 204, answer.text

    async def restrict_and_end() -> None:
        await asyncio.to_thread(bar_processing, site, shown)
        await asyncio.sleep(3 * live.LOOK_EVERY_S)
        for link in (made, beside):
            await asyncio.to_thread(end, link)
        await asyncio.to_thread(lambda: root.http.delete("/api/session", headers=root.headers))

    heard = run_apart(hear_all_until_end(site, cookies, restrict_and_end))
    assert 'changed\ndata: {"lists": ["studies"]}' in heard["made"]
    assert '"studies"' in heard["root"]
    assert "changed" not in heard["beside"], "what a link does not show is nothing to who came with it"


def test_visitors_leave_room_for_the_house(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_VISITORS", 1)
    feed: LiveFeed = site.app.state.feed

    visitor, member = (Principal(kind, "1", "", site.organisation_id) for kind in ("link", "account"))

    async def crowd() -> None:
        async with feed.listen(visitor):
            with pytest.raises(Unavailable):
                feed.require_room(visitor)
            feed.require_room(member)

    run_apart(crowd())


def test_one_persons_pages_leave_room_for_all_others(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_OF_ONE", 2)
    feed: LiveFeed = site.app.state.feed
    anna, other = (Principal("account", name, name, site.organisation_id) for name in ("anna", "ben"))

    async def crowd() -> None:
        async with feed.listen(anna), feed.listen(anna):
            with pytest.raises(Unavailable):
                feed.require_room(anna)
            feed.require_room(replace(anna, kind="token"))
            feed.require_room(other)

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

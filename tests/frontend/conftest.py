"""A browser on a fake server, and a watch over what the browser complains about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Playwright, expect

from radrelay.identity import verifiers
from tests import pages
from tests.browsers import CHROMIUM, FLAT
from tests.frontend.fake_api import STATIC, World, serving
from tests.web.conftest import PASSWORD, WebSite, close_site, open_site

WAIT_S = 15.0
ITERATIONS = 100_000  # the fewest that the page takes
AT_REST = """() => document.getAnimations().every((one) =>
  one.playState !== 'running' || one.effect.getComputedTiming().endTime === Infinity)"""
expect.set_options(timeout=WAIT_S * 1000)


@dataclass
class Site:
    """A server with its address."""

    address: str
    world: World


def until(check: Callable[[], object], what: str, wait_s: float = WAIT_S) -> None:
    """Wait until `check` holds."""
    pages.until(check, what, wait_s)


def has_picture(page: Page, place: int | None = None, wait_s: float = WAIT_S) -> None:
    """Wait until a picture is there in full, or that at `place`; looks at every frame, which `expect` does not."""
    there = ".pane[data-ready=true]" if place is None else f".pane[data-ready=true][data-place='{place}']"
    page.locator(there).first.wait_for(timeout=wait_s * 1000)


def settled(page: Page, site: Site, quiet_s: float = 0.3) -> None:
    """Wait until all that a page asked for is there and nothing moves any more: axe judges what it sees just now."""
    until(lambda: not site.world.answering and time.monotonic() - site.world.asked_at > quiet_s, "all answers")
    until(lambda: page.evaluate(AT_REST), "the end of all movements")


def where(page: Page) -> str:
    """Return the page's address as the page itself has it; Playwright's copy moves only while it is asked."""
    address: str = page.evaluate("() => location.href")
    return address


@pytest.fixture(scope="package")
def browser(chromium_driver: Playwright) -> Iterator[Browser]:
    started = chromium_driver.chromium.launch(executable_path=CHROMIUM, args=FLAT)
    yield started
    started.close()


@pytest.fixture
def site() -> Iterator[Site]:
    assert (STATIC / "index.html").exists(), "the front end is not built: scripts/build-frontend"
    world = World()
    with serving(world) as address:
        yield Site(address, world)


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[OpenPage]:
    """Open pages by size and language; what a page complains about fails the test.

    Whoever opens them wants no motion: what breathes while something arrives takes a third of a processor for as long
    as a test waits for anything.
    """
    complaints: list[str] = []
    contexts = []

    def open_one(
        path: str = "/", *, width: int = 1440, height: int = 900, language: str = "en", touch: bool = False
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale=language, has_touch=touch, is_mobile=touch,
            timezone_id="Europe/Berlin", reduced_motion="reduce",
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        pages.watch(page, complaints)
        page.goto(site.address + path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[WebSite, str]]:
    """A web role at http://localhost, where browsers allow passkeys, with an administrator `root`."""
    (tmp_path / "static").symlink_to(STATIC)
    site = open_site(tmp_path)
    encoded = verifiers.make("root", PASSWORD, ITERATIONS).encoded()
    with site.database.write() as session:
        site.identity.create_account(
            session, site.organisation_id, username="root", full_name="Dr. Katharina Weber", role="admin",
            encoded=encoded, must_change_password=False,
        )  # fmt: skip
    server = uvicorn.Server(uvicorn.Config(site.app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    pages.until(lambda: server.started, "the server", WAIT_S)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield site, f"http://localhost:{port}"
    site.app.state.feed.close_soon()
    server.should_exit = True
    thread.join(10)
    close_site(site)

"""A real installation and a real browser: studies are sent in, and pages opened by somebody who is logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from radrelay.web.services import STATIC
from tests import pages as watching
from tests.browsers import CHROMIUM, WEBGL
from tests.system.installation import Installation, running
from tests.viewer.contents_room import Room, build_harness, served
from tests.viewer.hospital import PASSWORD, USER, Hospital
from tests.web.conftest import (
    WebSite,
    site,  # noqa: F401 - a fixture
)

HERE = Path(__file__).parent
WAIT_S = 20.0
expect.set_options(timeout=WAIT_S * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these scenarios more time than a unit's test: processes and a browser start, the machine may be busy."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="package")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """Give `radrelay serve` on free loopback ports with an account; studies that tests send stay for all of them.

    It ends with the last of these tests: its roles would look for work beside all others.
    """
    assert (STATIC / "index.html").exists(), "the front end is not built: scripts/build-frontend"
    folder = tmp_path_factory.mktemp("hospital")
    with running(folder) as made:
        yield Hospital.opened(made)


@pytest.fixture(scope="package")
def radrelay(hospital: Hospital) -> Installation:
    """Give the installation itself: ports, token, settings, processes."""
    return hospital.installation


@pytest.fixture(scope="package")
def browser(chromium_driver: Playwright) -> Iterator[Browser]:
    """Give Chromium with WebGL drawn in software."""
    started = chromium_driver.chromium.launch(executable_path=CHROMIUM, args=WEBGL)
    yield started
    started.close()


@dataclass
class Pages:
    """Opens pages, each as a browser of its own, and notes what they complain about."""

    browser: Browser
    hospital: Hospital
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Beginnings of complaints that the scenario provokes."""

    def __call__(
        self,
        path: str = "/",
        *,
        width: int = 1440,
        height: int = 900,
        language: str = "en",
        touch: bool = False,
        login: bool = True,
        username: str = USER,
        script: str = "",
    ) -> Page:
        """Open a page of the installation, logged in; `script` runs in it before its own code."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, locale=language, has_touch=touch, is_mobile=touch,
            timezone_id="Europe/Berlin", reduced_motion="reduce",
            storage_state=self.hospital.login(username) if login else None,
        )  # fmt: skip
        self.contexts.append(context)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        watching.watch(page, self.complaints)
        page.goto(self.hospital.base + path)
        return page

    def log_in(self, page: Page) -> None:
        """Fill in the form that stands on the page."""
        page.locator("input[name=username]").fill(USER)
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("input[name=password]").press("Enter")


@pytest.fixture
def open_page(browser: Browser, hospital: Hospital) -> Iterator[Pages]:
    """Open pages of the installation; what a page complains about fails the test."""
    pages = Pages(browser, hospital)
    yield pages
    for context in pages.contexts:
        context.close()
    assert [one for one in pages.complaints if not one.startswith(pages.expected or ("\0",))] == []


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the parts of the reading room as a page of their own."""
    return build_harness(tmp_path_factory.mktemp("parts"))


@pytest.fixture
def room(site: WebSite, static: Path, browser: Browser) -> Iterator[Room]:  # noqa: F811 - a fixture
    """Give parts of the reading room over a web role of its own; what a page complains about fails the test."""
    complaints: list[str] = []
    with served(site, static) as address:
        opened = Room(site, site.login("anna"), address, browser, complaints, [])
        yield opened
        for context in opened.contexts:
            context.close()
    assert complaints == []


def ready(page: Page, place: int | None = None) -> None:
    """Wait until the picture at a place of the stack (from 0), or any, is there in full."""
    there = ".pane[data-ready=true]" if place is None else f".pane[data-ready=true][data-place='{place}']"
    page.locator(there).first.wait_for(timeout=WAIT_S * 1000)  # looks at every frame; `expect` up to a second later


def until(check: Callable[[], object], what: str, wait_s: float = WAIT_S) -> None:
    """Wait until `check` holds."""
    watching.until(check, what, wait_s)

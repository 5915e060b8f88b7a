"""A workstation with two screens: the second window stands on the other one, where the browser may tell of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from radrelay.dicom import phantoms
from tests.browsers import WEBGL, WINDOWED
from tests.viewer.conftest import ready, until
from tests.viewer.hospital import Hospital, Sent

SCREENS = "--screen-info={1600x900}{1600,0 1200x1600}"
PLACE = "() => [screenX, screenY, outerWidth, outerHeight]"


@pytest.fixture(scope="module")
def workstation(chromium_driver: Playwright) -> Iterator[Browser]:
    """Give Chromium with a screen of 1600 × 900 and an upright one to its right."""
    started = chromium_driver.chromium.launch(executable_path=WINDOWED, args=[*WEBGL, SCREENS])
    yield started
    started.close()


@pytest.fixture(scope="module")
def sent(hospital: Hospital) -> Sent:
    [found] = hospital.send(list(phantoms.study("ct-head", seed=611, slices=6, size=64)))
    return found


@pytest.fixture
def context(workstation: Browser, hospital: Hospital) -> Iterator[BrowserContext]:
    made = workstation.new_context(no_viewport=True, locale="en", storage_state=hospital.login())
    yield made
    made.close()


def ask(page: Page, base: str, answer: str) -> None:
    """Answer the question whether the site may know of the screens."""
    about = page.context.new_cdp_session(page).send("Target.getTargetInfo")["targetInfo"]
    browser = page.context.browser
    assert browser
    browser.new_browser_cdp_session().send(
        "Browser.setPermission",
        {"permission": {"name": "window-management"}, "setting": answer, "origin": base,
         "browserContextId": about["browserContextId"]},
    )  # fmt: skip


def beside(page: Page) -> Page:
    page.get_by_role("button", name="More").click()
    with page.context.expect_page() as coming:
        page.get_by_role("button", name="Open in another window").click()
    ready(coming.value, 0)
    return coming.value


def test_the_second_window_fills_the_other_screen(context: BrowserContext, hospital: Hospital, sent: Sent) -> None:
    page = context.new_page()
    page.goto(hospital.base + sent.view())
    ask(page, hospital.base, "granted")
    ready(page, 0)
    second = beside(page)
    until(lambda: second.evaluate(PLACE) == [1600, 0, 1200, 1600], "the window on the other screen")
    page.bring_to_front()
    page.keyboard.press("End")
    ready(page, 5)
    until(lambda: second.locator(".pane").get_attribute("data-place") == "5", "it follows")


def test_without_permission_a_plain_window_opens(context: BrowserContext, hospital: Hospital, sent: Sent) -> None:
    page = context.new_page()
    page.goto(hospital.base + sent.view())
    ask(page, hospital.base, "denied")
    ready(page, 0)
    second = beside(page)
    assert second.evaluate("() => screenX") < 1600
    expect(second.locator(".overlay")).to_contain_text("Image 1 of 6")

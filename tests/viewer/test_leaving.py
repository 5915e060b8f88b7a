"""After logging out nothing of a patient is left in the browser: in no cache, no storage, no file, no page before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Playwright, Response, expect

from radrelay.dicom import phantoms
from tests.browsers import CHROMIUM, WEBGL
from tests.viewer.conftest import ready
from tests.viewer.hospital import PASSWORD, USER, Hospital, Sent

CODE_STREAM = bytes.fromhex("ff4fff5100294000")  # how HTJ2K of one component begins (ISO/IEC 15444-1 A.4.1, A.5.1)
STORED = """async () => ({
  caches: (await caches.keys()).length,
  databases: (await indexedDB.databases()).length,
  local: JSON.stringify(Object.entries(localStorage)),
  session: JSON.stringify(Object.entries(sessionStorage)),
  workers: (await navigator.serviceWorker.getRegistrations()).length,
})"""


def begun(playwright: Playwright, profile: Path) -> BrowserContext:
    """Start a browser with a profile on disk, as a person has one."""
    return playwright.chromium.launch_persistent_context(
        str(profile), executable_path=CHROMIUM, args=WEBGL, locale="en-GB"
    )


def log_in(page: Page) -> None:
    page.locator("input[name=username]").fill(USER)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")


def looked_and_left(page: Page, hospital: Hospital, sent: Sent) -> list[Response]:
    """Log in, look through a study, log out; return all answers that came meanwhile."""
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  Playwright marks what it is given
    page.goto(hospital.base)
    log_in(page)
    expect(page.get_by_role("button", name="Log out").first).to_be_visible()
    page.goto(hospital.base + sent.view())
    ready(page, 0)
    page.keyboard.press("End")
    ready(page, 5)
    page.get_by_role("button", name="Back to the list").click()
    page.get_by_role("button", name="Log out").first.click()
    expect(page.locator("input[name=password]")).to_be_visible()
    return answers


def test_no_image_and_no_header_stays_after_logging_out(
    chromium_driver: Playwright, hospital: Hospital, tmp_path: Path
) -> None:
    [sent] = hospital.send(phantoms.study("ct-head", seed=921, slices=6, size=128))
    detail = hospital.installation.get(f"/api/studies/{sent.id}")
    name, number = detail["patient"]["name"], detail["patient"]["id"]
    context = begun(chromium_driver, tmp_path / "profile")
    page = context.pages[0]
    answers = looked_and_left(page, hospital, sent)
    kept = {
        one.url: one.headers.get("cache-control", "")
        for one in answers
        if "/assets/" not in one.url and "no-store" not in one.headers.get("cache-control", "")
    }
    assert {url for url, rule in kept.items() if not url.endswith((".svg", ".webmanifest"))} == set()
    stored = page.evaluate(STORED)
    assert (stored["caches"], stored["databases"], stored["workers"]) == (0, 0, 0)
    for text in (stored["local"], stored["session"]):
        assert sent.id not in text
        assert name.split("^")[0] not in text
        assert number not in text
    ways: list[Callable[[], object]] = [
        page.go_back,
        page.go_forward,
        lambda: page.goto(hospital.base + sent.view()),
    ]
    for way in ways:
        way()
        expect(page.locator("input[name=password]")).to_be_visible()
        assert page.locator(".pane, table, canvas").count() == 0
        assert name.split("^")[0] not in page.content()
    context.close()
    assert left_behind(tmp_path / "profile", [name.split("^")[0], number]) == []


def left_behind(profile: Path, words: list[str]) -> list[str]:
    """Return which files of a browser's profile hold a patient's words or a picture's code stream."""
    marks = [mark for word in words for mark in (word.encode(), word.encode("utf-16-le"))]
    found = []
    for path in profile.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path.relative_to(profile)}: {mark!r}" for mark in (*marks, CODE_STREAM) if mark in content]
    return found

"""Series are put into panes by fingers: tapped on a phone, held and dragged on a tablet."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from radrelay.dicom import phantoms
from tests.viewer.conftest import Pages, ready
from tests.viewer.hospital import Hospital, Sent

HELD_MS = 900


def study(hospital: Hospital, seed: int) -> Sent:
    [sent] = hospital.send(list(phantoms.study("mr-head", seed=seed, slices=4, size=64)))
    assert len(sent.series) > 1
    return sent


def middle(one: Locator) -> tuple[float, float]:
    box = one.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


class Finger:
    """A finger on the glass."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)

    def _send(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y} for x, y in points]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def drag(self, start: tuple[float, float], end: tuple[float, float], held_ms: int) -> None:
        """Put down, hold, go and lift."""
        self._send("touchStart", start)
        self.page.wait_for_timeout(held_ms)
        for step in range(1, 11):
            share = step / 10
            self._send("touchMove", (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share))
            self.page.wait_for_timeout(16)
        self._send("touchEnd")


def test_on_a_tablet_a_series_is_held_and_dragged_into_a_pane(open_page: Pages, hospital: Hospital) -> None:
    sent = study(hospital, 641)
    page = open_page(sent.view(0), width=1024, height=768, touch=True)
    ready(page, 0)
    page.get_by_role("button", name="Layout").tap()
    page.get_by_role("button", name="1 × 2").tap()
    expect(page.locator(".pane")).to_have_count(2)
    series, pane = page.locator("nav button[data-series]").nth(1), page.locator(".pane").nth(1)
    Finger(page).drag(middle(series), middle(pane), HELD_MS)
    expect(pane).to_have_attribute("data-ready", "true")
    expect(page.locator(".pane").nth(0)).to_have_attribute("data-ready", "true")
    expect(page.locator("body > div[style*=fixed]")).to_have_count(0)  # what was carried is gone


def test_a_finger_that_only_slips_off_the_strip_changes_nothing(open_page: Pages, hospital: Hospital) -> None:
    sent = study(hospital, 643)
    page = open_page(sent.view(0), width=1024, height=768, touch=True)
    ready(page, 0)
    address = page.url
    Finger(page).drag(middle(page.locator("nav button[data-series]").nth(1)), middle(page.locator(".pane")), 0)
    page.wait_for_timeout(800)
    assert page.url == address
    ready(page, 0)


def test_on_a_phone_a_tapped_series_goes_into_the_pane_in_hand(open_page: Pages, hospital: Hospital) -> None:
    sent = study(hospital, 642)
    page = open_page(sent.view(0), width=360, height=640, touch=True)
    ready(page, 0)
    page.get_by_role("button", name="More").tap()
    page.get_by_role("button", name="2 × 1").tap()
    expect(page.locator(".pane")).to_have_count(2)
    first, second = page.locator(".pane").nth(0), page.locator(".pane").nth(1)
    page.touchscreen.tap(*middle(second))
    page.locator("nav button[data-series]").nth(1).tap()
    expect(second).to_have_attribute("data-ready", "true")
    names = [one.inner_text().split("\n")[-1] for one in page.locator("nav button[data-series] .text .clip").all()]
    expect(first).to_have_attribute("data-ready", "true")
    assert len(names) == len(sent.series)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360

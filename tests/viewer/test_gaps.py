"""Slices that are missing are shown where they are missing."""

from __future__ import annotations

from playwright.sync_api import expect

from radrelay.dicom import phantoms
from tests.viewer.conftest import Pages, ready
from tests.viewer.hospital import Hospital


def test_a_gap_is_marked_at_the_scroll_bar_and_said_beside_it(open_page: Pages, hospital: Hospital) -> None:
    files = list(phantoms.study("ct-head", seed=931, slices=12, size=64))
    [sent] = hospital.send(files[:5] + files[7:])
    page = open_page(sent.view())
    ready(page, 0)
    expect(page.get_by_label("Images are missing at one place of this series")).to_be_visible()
    expect(page.get_by_text("images are missing")).to_have_count(0)
    page.keyboard.press("PageDown")
    page.keyboard.press("Home")
    for place in range(1, 5):
        page.keyboard.press("ArrowDown")
        ready(page, place)
    expect(page.get_by_text("2 images are missing after this one (15\u00a0mm to the next)")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text("2 images are missing before this one (15\u00a0mm from the one before)")).to_be_visible()
    german = open_page(sent.view(), width=360, height=640, language="de")
    ready(german, 0)
    expect(german.get_by_label("An einer Stelle dieser Serie fehlen Bilder")).to_be_visible()

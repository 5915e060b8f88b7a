"""From a new display to a study without the mark, and back, with the real server and its log."""

from __future__ import annotations

import csv
import io
import uuid

from playwright.sync_api import Page, expect
from pydicom.uid import generate_uid

from tests.displays.samples import STEPS, gamma
from tests.viewer.conftest import Pages, ready
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.volumes import AXIAL, series

QUESTIONS = 8


def _study(hospital: Hospital) -> Sent:
    shared = {"study": generate_uid(), "frame": generate_uid(), "patient": uuid.uuid4().hex[:12]}
    [sent] = hospital.send(series(number=1, orientation=AXIAL, first=(-32, -32, 0), step=(0, 0, 5), count=3, **shared))
    return sent


def _set_up(page: Page) -> None:
    page.get_by_role("button", name="Set up this display").click()
    form = page.get_by_role("dialog")
    for name, value in {"workstation": "PC 7", "name": "left", "room": "Reading room 2"}.items():
        form.locator(f"input[name={name}]").fill(value)
    form.get_by_label("Enter the diagonal").check()
    form.get_by_label("Diagonal in inches").fill("24")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="This display: left")).to_be_visible()


def _look(page: Page) -> None:
    page.get_by_role("button", name="Check by eye").click()
    for place in range(QUESTIONS):
        expect(page.get_by_text(f"Question {place + 1} of {QUESTIONS}")).to_be_visible()
        page.keyboard.press("y")


def test_display_is_checked_and_its_studies_lose_the_mark_until_readings_fail(
    open_page: Pages, hospital: Hospital
) -> None:
    sent = _study(hospital)
    page = open_page(sent.view(), width=1920, height=1200)
    ready(page)
    mark = page.get_by_role("link", name="Not checked for diagnosis")
    mark.click()
    _set_up(page)
    _look(page)
    verdict = page.get_by_role("dialog", name="Passed")
    expect(verdict.locator("[data-criterion]")).to_have_count(3 + QUESTIONS)
    verdict.get_by_role("button", name="Close").last.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Log as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig")), delimiter=";"))
    assert {(row["checked_by"], row["passed"], row["columns"]) for row in rows} == {("Leserin", "yes", "1920")}
    page.goto(hospital.base + sent.view())
    ready(page)
    page.wait_for_timeout(1500)
    expect(mark).to_have_count(0)

    page.goto(hospital.base + "/display-check")
    page.get_by_role("button", name="Enter photometer readings").click()
    form = page.get_by_role("dialog", name="Photometer readings")
    form.locator("input[name=instrument]").fill("LS-150")
    form.locator("input[name=ambient]").fill("0.1")
    for grey, value in zip(STEPS, gamma(2.2), strict=True):
        form.locator(f"[data-grey='{grey}']").fill(f"{value:.3f}")
    for place in range(5):
        form.locator(f"[data-point='{place}']").fill("200")
    form.get_by_label("Make a correction table").check()
    form.get_by_role("button", name="Judge and log").click()
    expect(page.get_by_role("dialog", name="Not passed")).to_contain_text("is to be expected")
    page.goto(hospital.base + sent.view())
    ready(page)
    expect(mark).to_be_visible()

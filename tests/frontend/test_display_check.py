"""A display is set up, looked over and measured; what the patterns show is exact to the pixel."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Playwright, expect

from tests.browsers import CHROMIUM, FLAT
from tests.displays.samples import STEPS, gamma
from tests.frontend.conftest import OpenPage, Site, settled, until
from tests.frontend.fake_roomcheck import RoomCheck, display
from tests.pages import violations

LEFT: dict[str, Any] = {
    "name": "left", "room": "Reading room 2", "room_class": "RK1", "use": "ct", "columns": 1920, "rows": 1200,
    "pixel_um": 270.0, "css_width": 1920, "css_height": 1200, "screen_left": 0, "screen_top": 0, "label": "",
}  # fmt: skip
QUESTIONS = 8


@pytest.fixture
def room(site: Site) -> RoomCheck:
    return site.world.roomcheck


def registered(room: RoomCheck, **fields: Any) -> dict[str, Any]:
    row = display(len(room.mine), LEFT | fields)
    room.workstation = "PC 7"
    room.mine.append(row)
    return row


def look(page: Page, keys: str) -> None:
    page.get_by_role("button", name="Check by eye").click()
    expect(page.locator("dialog canvas[data-columns]")).to_be_visible()
    for place, key in enumerate(keys):
        expect(page.get_by_text(f"Question {place + 1} of {QUESTIONS}")).to_be_visible()
        page.keyboard.press(key)


def pixels(page: Page) -> np.ndarray[Any, Any]:
    """Return what the screen shows, as greys; a colour anywhere fails."""
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    return shot[:, :, 0]


def test_display_is_set_up_once_then_looked_over_by_keys(open_page: OpenPage, room: RoomCheck) -> None:
    page = open_page("/display-check", width=1920, height=1200)
    page.get_by_role("button", name="Set up this display").click()
    form = page.get_by_role("dialog")
    for name, value in {"workstation": "PC 7", "name": "left", "room": "Reading room 2"}.items():
        form.locator(f"input[name={name}]").fill(value)
    expect(form).to_contain_text("1920 × 1200 pixels")
    expect(form.get_by_role("button", name="Save")).to_be_disabled()
    form.get_by_label("Enter the diagonal").check()
    form.get_by_label("Diagonal in inches").fill("24.1")
    expect(form).to_contain_text("270.4 µm")
    expect(form).to_contain_text("Pixel size: 270.4 µm, at least 140 µm")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="This display: left")).to_be_visible()
    assert room.mine[0]["pixel_um"] == 270.4
    look(page, "yyyyyyyy")
    verdict = page.get_by_role("dialog", name="Passed")
    expect(verdict).to_contain_text("The check is in the log.")
    expect(verdict.locator("[data-criterion=rows]")).to_contain_text("1,200")
    verdict.get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("row", name="Dr. Katharina Weber")).to_contain_text("by eye")
    expect(page.get_by_text("Good until")).to_be_visible()
    ((_, sent),) = room.sent
    assert sent["answers"] == dict.fromkeys(sent["answers"], True)
    assert (sent["columns"], sent["rows"], len(sent["answers"])) == (1920, 1200, QUESTIONS)


def test_one_no_and_the_verdict_says_which(open_page: OpenPage, room: RoomCheck) -> None:
    registered(room)
    page = open_page("/display-check", width=1920, height=1200)
    look(page, "yynyyyyy")
    verdict = page.get_by_role("dialog", name="Not passed")
    expect(verdict).to_contain_text("carry the mark “Display not checked for diagnosis”")
    expect(verdict.locator("[data-criterion]", has_text="Not passed")).to_have_count(1)
    expect(verdict.locator("[data-criterion=patches]")).to_contain_text("Not passed")
    assert room.mine[0]["state"]["reason"] == "failed"


def test_person_goes_back_corrects_an_answer_and_may_end_without_a_check(open_page: OpenPage, room: RoomCheck) -> None:
    registered(room)
    page = open_page("/display-check", width=1920, height=1200)
    look(page, "yn")
    expect(page.get_by_text("Question 3 of 8")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("Question 2 of 8")).to_be_visible()
    page.keyboard.press("h")
    expect(page.locator("dialog .bar")).to_have_css("opacity", "0")
    page.keyboard.press("y")
    expect(page.locator("dialog .bar")).to_have_css("opacity", "1")
    page.get_by_role("button", name="End").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert room.sent == []


def test_check_that_could_not_be_sent_is_sent_again_under_its_number(open_page: OpenPage, room: RoomCheck) -> None:
    registered(room)
    room.refuse = 1
    page = open_page("/display-check", width=1920, height=1200)
    look(page, "yyyyyyyy")
    asked = page.get_by_role("dialog", name="The check could not be sent")
    expect(asked).to_be_visible()
    asked.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("dialog", name="Passed")).to_be_visible()
    assert len(room.sent) == 1


def test_readings_make_a_correction_table_and_say_that_they_do_not_prove_it(
    open_page: OpenPage, room: RoomCheck
) -> None:
    registered(room)
    page = open_page("/display-check", width=1920, height=1200)
    page.get_by_role("button", name="Enter photometer readings").click()
    form = page.get_by_role("dialog", name="Photometer readings")
    form.get_by_label("Photometer").fill("LS-150, 1234")
    form.locator("input[name=ambient]").fill("0.1")
    for grey, value in zip(STEPS, gamma(2.2), strict=True):
        form.locator(f"[data-grey='{grey}']").fill(f"{value:.3f}")
    for place, value in enumerate((200, 195, 190, 198, 185)):
        form.locator(f"[data-point='{place}']").fill(str(value))
    form.get_by_label("Make a correction table").check()
    form.get_by_role("button", name="Judge and log").click()
    verdict = page.get_by_role("dialog", name="Not passed")
    expect(verdict.locator("[data-criterion=gsdf_deviation]")).to_contain_text("at most 15")
    expect(verdict.locator("[data-criterion=unevenness]")).to_contain_text("below 25")
    expect(verdict).to_contain_text("only readings prove it")
    expect(verdict).to_contain_text("Where the limits come from")
    verdict.get_by_role("button", name="Close").last.click()
    expect(page.get_by_text("A correction table is in use")).to_be_visible()
    ((_, sent),) = room.sent
    assert (sent["correct"], sent["through"], sent["readings"]["with_ambient"]) == (True, None, False)
    assert sent["readings"]["greys"] == list(STEPS)
    page.get_by_role("button", name="Enter photometer readings").click()
    page.get_by_label("Measured behind the correction table in use").check()
    page.get_by_role("button", name="Show the fields").click()
    expect(page.locator("dialog canvas[data-columns]")).to_be_visible()
    page.locator("dialog").last.get_by_role("button", name="Next").click()
    until(lambda: pixels(page)[600, 960] == room.mine[0]["correction"][15], "the field behind the table")


def test_mistyped_reading_is_said_and_nothing_typed_is_lost(open_page: OpenPage, room: RoomCheck) -> None:
    registered(room)
    page = open_page("/display-check", width=1920, height=1200, language="de")
    page.get_by_role("button", name="Photometerwerte eintragen").click()
    form = page.get_by_role("dialog", name="Photometerwerte")
    form.locator("input[name=instrument]").fill("LS-150")
    form.locator("input[name=ambient]").fill("0.1")
    for grey, value in zip(STEPS, reversed(gamma(2.2)), strict=True):
        form.locator(f"[data-grey='{grey}']").fill(f"{value:.3f}")
    for place in range(5):
        form.locator(f"[data-point='{place}']").fill("200")
    form.get_by_role("button", name="Beurteilen und protokollieren").click()
    expect(form.get_by_role("alert")).to_contain_text("Die Leuchtdichten steigen nicht mit den Grauwerten.")
    expect(form.locator("[data-grey='0']")).to_have_value("300.000")


def test_photometer_is_led_through_every_field_in_full_screen(open_page: OpenPage, room: RoomCheck) -> None:
    registered(room)
    page = open_page("/display-check", width=1920, height=1200)
    page.get_by_role("button", name="Enter photometer readings").click()
    page.get_by_role("button", name="Show the fields").click()
    over = page.locator("dialog").last
    expect(over.locator("canvas[data-columns]")).to_be_visible()
    until(lambda: page.evaluate("() => document.fullscreenElement !== null"), "full screen")
    for place in range(23):
        expect(over.get_by_text(f"{place + 1} / 23")).to_be_visible()
        if place < 18:
            expect(over.get_by_text(f"Grey {15 * place}", exact=True)).to_be_visible()
            until(lambda grey=15 * place: pixels(page)[600, 960] == grey, "the field")  # type: ignore[misc]
        over.get_by_label("Reading in cd/m²").fill(str(place + 1))
        page.keyboard.press("Enter")
    expect(over.locator("canvas")).to_have_count(0)
    form = page.get_by_role("dialog", name="Photometer readings")
    for number, grey in enumerate(STEPS, 1):
        expect(form.locator(f"[data-grey='{grey}']")).to_have_value(str(number))
    expect(form.locator("[data-point='4']")).to_have_value("23")


def test_equal_twin_of_a_checked_display_is_not_taken_for_it(open_page: OpenPage, room: RoomCheck) -> None:
    row = registered(room, screen_left=1920)
    row["state"] = {"checked": True, "reason": "checked", "until": "2999-01-01T00:00:00Z"}
    page = open_page("/display-check", width=1920, height=1200)
    expect(page.get_by_text("This display is not registered yet.")).to_be_visible()
    page.get_by_role("button", name="Set up this display").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Which display is this?").select_option("left")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="This display: left")).to_be_visible()
    assert (len(room.mine), room.mine[0]["screen_left"]) == (1, 0)


def test_administrator_reads_another_workstations_log_and_retires_a_display(
    open_page: OpenPage, room: RoomCheck
) -> None:
    room.elsewhere.append(display(7, LEFT | {"name": "OP 3"}, workstation="Theatre"))
    page = open_page("/display-check", width=1920, height=1200)
    row = page.get_by_role("row", name="Theatre")
    row.get_by_role("button", name="Details").click()
    expect(page.get_by_role("dialog", name="Theatre, OP 3")).to_contain_text("No check yet.")
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Retire: OP 3").click()
    page.get_by_role("dialog").get_by_role("button", name="Retire").click()
    expect(row).to_contain_text("Retired")


@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_pattern_has_a_value_for_each_pixel_of_the_device_and_nothing_smooths_it(
    chromium_driver: Playwright, site: Site, ratio: float
) -> None:
    scaled = [*FLAT, f"--force-device-scale-factor={ratio}", "--window-size=960,640"]
    browser = chromium_driver.chromium.launch(executable_path=CHROMIUM, args=scaled)
    page = browser.new_context(no_viewport=True, locale="en").new_page()
    page.goto(site.address + "/display-check")
    page.get_by_role("button", name="Quality").click()
    canvas = page.locator("dialog canvas[data-columns]")
    expect(canvas).to_be_visible()
    page.get_by_role("button", name="Hide the question").click()
    expect(page.locator("dialog .bar")).to_have_css("opacity", "0")
    settled(page, site)
    shot = page.screenshot(scale="device")
    shown = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))
    assert page.evaluate("() => devicePixelRatio") == ratio
    columns, rows = (int(canvas.get_attribute(f"data-{side}") or 0) for side in ("columns", "rows"))
    assert columns == round(page.evaluate("() => innerWidth") * ratio)
    assert shown.shape == (rows, columns, 3)
    assert np.array_equal(shown[:, :, 0], shown[:, :, 1])
    drawn = json.loads(
        page.evaluate(
            """() => {
              const canvas = document.querySelector('dialog canvas');
              const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
              return JSON.stringify(Array.from({ length: data.length / 4 }, (_, at) => data[4 * at]));
            }"""
        )
    )
    assert np.array_equal(shown[:, :, 0], np.array(drawn, np.uint8).reshape(rows, columns))
    gap = round(rows * 0.025)
    assert list(shown[gap + 5, gap : gap + 6, 0]) == [255, 0, 255, 0, 255, 0]
    assert list(shown[0, ::97, 0]) == [255] * len(shown[0, ::97, 0])
    browser.close()


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("width", [1440, 360])
def test_axe_finds_nothing_in_the_steps_of_a_check(
    open_page: OpenPage, site: Site, room: RoomCheck, width: int, language: str
) -> None:
    size = {"columns": width, "rows": 800, "css_width": width, "css_height": 800}
    registered(room, **size)
    page = open_page("/display-check", width=width, height=800, language=language, touch=width < 400)
    expect(page.locator("main button.primary")).to_be_visible()
    if width < 400:
        expect(page.locator("main .tone-warn").first).to_contain_text("DIN 6868-157")
    buttons = page.locator("main section").first.get_by_role("button")
    for place in (2, 1, 0):
        buttons.nth(place).click()
        expect(page.locator("dialog")).to_be_visible()
        settled(page, site)
        assert violations(page) == [], place
        if place == 0:
            break
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        page.keyboard.press("Escape")
    for _ in range(QUESTIONS):
        page.keyboard.press("j")
    expect(page.locator("[data-criterion]").first).to_be_visible()
    settled(page, site)
    assert violations(page) == [], "verdict"

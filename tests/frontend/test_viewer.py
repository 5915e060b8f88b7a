"""The viewer: pictures of every kind, windowing, scrolling, zoom, cine, by mouse, keys and fingers; faults."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, until, where

STUDY = "/view?study=" + str(uuid.UUID(int=2))
CT, DX, US, MAP, PDF, SR = (f"{STUDY}&series={uuid.UUID(int=2000 + place)}" for place in range(6))
MIDDLE = (680, 480)


def _ready(page: Page, place: int | None = None) -> None:
    expect(page.locator(".pane[data-ready=true]")).to_be_visible()
    if place is not None:
        expect(page.locator(f".pane[data-ready=true][data-place='{place}']")).to_be_visible()


def _pixel(page: Page, x: float = 0.5, y: float = 0.5) -> list[int]:
    """Return red, green, blue at a place of the canvas, given in parts of it."""
    found: list[int] = page.locator(".pane canvas").evaluate(
        """(canvas, [x, y]) => {
          const at = canvas.getContext('2d').getImageData(canvas.width * x, canvas.height * y, 1, 1).data;
          return [...at.slice(0, 3)];
        }""",
        [x, y],
    )
    return found


def _overlay(page: Page) -> str:
    return " ".join(page.locator(".overlay").inner_text().split())


def test_ct_opens_with_its_own_window_and_says_what_it_shows(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page, 0)
    said = _overlay(page)
    for part in ("Groß, Dr. Jürgen", "P10001", "Image 1 of 60", "W 400 L 40", "256 × 256"):
        assert part in said
    until(lambda: 100 < _pixel(page)[0] < 160, "soft tissue in the middle")
    assert _pixel(page, 0.02, 0.02) == [0, 0, 0]


def test_wheel_keys_and_slider_scroll_and_neighbours_are_there(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page, 0)
    page.mouse.move(*MIDDLE)
    page.mouse.wheel(0, 100)
    _ready(page, 1)
    page.keyboard.press("PageDown")
    _ready(page, 11)
    page.keyboard.press("End")
    _ready(page, 59)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    _ready(page, 1)
    page.get_by_role("slider", name="Place in the series").fill("30")
    _ready(page, 30)
    until(lambda: len(set(site.world.frames_asked)) == 60, "the rest of the series")
    page.keyboard.press("ArrowUp")
    _ready(page, 29)
    assert len(site.world.frames_asked) < 100  # broken-off flights are asked for again, nothing else


def test_window_by_mouse_preset_numbers_and_keys(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page, 0)
    page.mouse.move(*MIDDLE)
    page.mouse.down()
    page.mouse.move(MIDDLE[0] + 100, MIDDLE[1], steps=4)
    page.mouse.up()
    until(lambda: re.search(r"W 5\d\d L 40", _overlay(page)), "a wider window")
    page.keyboard.press("3")
    until(lambda: "W 1,800 L 400" in _overlay(page), "the bone window")
    page.get_by_role("button", name="Window presets and numbers").click()
    page.get_by_label("Width").fill("2000")
    page.get_by_label("Width").press("Enter")
    page.get_by_label("Level").fill("-500")
    page.get_by_label("Level").press("Enter")
    page.keyboard.press("Escape")
    until(lambda: "W 2,000 L -500" in _overlay(page), "numbers")
    page.keyboard.press("Shift+ArrowUp")
    until(lambda: "L -560" in _overlay(page), "a lower level")
    page.keyboard.press("0")
    until(lambda: "W 400 L 40" in _overlay(page), "as sent")
    before = _pixel(page)[0]
    page.keyboard.press("i")
    until(lambda: abs(_pixel(page)[0] - (255 - before)) < 3, "inverted")


def test_zoom_pan_fit_and_one_to_one(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page, 0)
    fitted = re.search(r"([\d,]+) %", _overlay(page))
    assert fitted
    page.keyboard.press("o")
    until(lambda: " 100 %" in _overlay(page), "one to one")
    page.mouse.move(*MIDDLE)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    until(lambda: "182 %" in _overlay(page), "zoomed")
    page.get_by_role("button", name="Move").click()
    page.mouse.move(*MIDDLE)
    page.mouse.down()
    page.mouse.move(MIDDLE[0] + 600, MIDDLE[1], steps=3)
    page.mouse.up()
    until(lambda: _pixel(page) == [0, 0, 0], "moved away")
    page.mouse.dblclick(*MIDDLE)
    until(lambda: f"{fitted.group(1)} %" in _overlay(page), "fitted again")


def test_colour_cine_plays_and_pixel_aspect_is_kept(open_page: OpenPage, site: Site) -> None:
    page = open_page(US)
    _ready(page, 0)
    assert "W " not in _overlay(page)
    page.get_by_role("button", name="Play").click()
    place = page.locator(".pane")
    until(lambda: int(place.get_attribute("data-place") or 0) > 3, "frames go by")
    page.keyboard.press("Space")
    _ready(page)
    still = place.get_attribute("data-place")
    page.wait_for_timeout(400)
    assert place.get_attribute("data-place") == still
    page.get_by_role("button", name="Window presets and numbers").click()
    expect(page.get_by_text("A colour picture has no window.")).to_be_visible()
    # 320 columns of 240 rows 1.5 times as high as wide: wider than high no more
    orange = page.locator(".pane canvas").evaluate(
        """canvas => {
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          let left = 1e9, right = 0, top = 1e9, bottom = 0;
          for (let i = 0; i < data.length; i += 4) if (data[i] > 220 && data[i + 2] < 40) {
            const x = (i / 4) % canvas.width, y = Math.floor(i / 4 / canvas.width);
            left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
          }
          return [right - left + 1, bottom - top + 1];
        }"""
    )
    columns = 8 * ((int(still or 0) + 1) % 30 + 1)
    assert abs(orange[1] / orange[0] - 20 * 1.5 / columns) < 0.12 * (20 * 1.5 / columns)


def test_monochrome1_and_float_pictures_find_a_window_of_their_own(open_page: OpenPage, site: Site) -> None:
    page = open_page(DX)
    _ready(page, 0)
    middle, edge = _pixel(page)[0], _pixel(page, 0.36, 0.5)[0]
    assert middle > edge + 60  # low values are bright in MONOCHROME1
    page.keyboard.press("ArrowLeft")
    _ready(page, 0)
    page.goto(site.address + MAP)
    _ready(page, 0)
    assert _pixel(page)[0] < 30
    assert _pixel(page, 0.32, 0.05)[0] > 200
    assert re.search(r"W 1[.,]\d+", _overlay(page))


def test_objects_without_a_picture_say_why(open_page: OpenPage, site: Site) -> None:
    page = open_page(PDF)
    expect(page.get_by_text("This object holds a PDF.")).to_be_visible()
    link = page.get_by_role("link", name="Open the PDF")
    assert (link.get_attribute("href") or "").endswith("/document")
    assert link.get_attribute("target") == "_blank"
    page.goto(site.address + SR)
    expect(page.get_by_text("structured report, made of text")).to_be_visible()


def test_damaged_frame_is_marked_and_the_rest_goes_on(open_page: OpenPage, site: Site) -> None:
    site.world.broken_frames.add(f"{uuid.UUID(int=2000)}-1")
    page = open_page(CT)
    _ready(page, 0)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text("This image cannot be shown")).to_be_visible()
    page.keyboard.press("ArrowDown")
    _ready(page, 2)
    page.keyboard.press("ArrowUp")
    site.world.broken_frames.clear()
    page.get_by_role("button", name="Try again").click()
    _ready(page, 1)


def test_frame_that_is_not_there_yet_has_a_sign_of_progress(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page, 0)
    site.world.frame_delay_s = 1.5
    page.keyboard.press("End")
    expect(page.get_by_text("Image on its way")).to_be_visible()
    _ready(page, 59)


def test_broken_line_is_waited_out(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page, 0)
    page.context.set_offline(True)
    page.keyboard.press("End")
    page.wait_for_timeout(700)
    page.context.set_offline(False)
    _ready(page, 59)


def test_series_strip_changes_the_series_and_the_address(open_page: OpenPage, site: Site) -> None:
    page = open_page(STUDY)
    _ready(page, 0)
    page.locator("nav button[data-series]").nth(2).click()
    until(lambda: str(uuid.UUID(int=2002)) in where(page), "the address")
    until(lambda: "Image 1 of 30" in _overlay(page), "the cine")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keys and gestures")


def test_fingers_scroll_pinch_and_tap(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT, width=360, height=640, touch=True)
    _ready(page, 0)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": place} for place, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    send("touchStart", (180, 200))
    for y in range(205, 300, 5):
        send("touchMove", (180, y))
    send("touchEnd")
    until(lambda: int(page.locator(".pane").get_attribute("data-place") or 0) > 5, "a swipe scrolls")
    _ready(page)
    before = _overlay(page)
    send("touchStart", (150, 250), (210, 250))
    for step in range(1, 9):
        send("touchMove", (150 - 6 * step, 250), (210 + 6 * step, 250))
    send("touchEnd")
    until(lambda: _overlay(page) != before and "%" in _overlay(page), "a pinch zooms")
    page.get_by_role("button", name="Window", exact=True).tap()
    expect(page.get_by_role("button", name="Window", exact=True)).to_have_attribute("aria-pressed", "true")
    for _ in range(2):
        page.touchscreen.tap(180, 250)
    until(lambda: "141 %" in _overlay(page), "a double tap fits")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360

"""The viewer: pictures of every kind, windowing, scrolling, zoom, cine, by mouse, keys and fingers."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, has_picture, until, where
from tests.frontend.looking import (
    CT,
    DX,
    MAP,
    MIDDLE,
    PDF,
    SR,
    STUDY,
    US,
    overlay,
    pixel,
    scale,
)


def test_ct_opens_with_its_own_window_and_says_what_it_shows(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    for part in ("Groß, Dr. Jürgen", "P10001", "Image 1 of 60", "W 400 L 40", "256 × 256"):
        until(lambda said=part: said in overlay(page), part)  # type: ignore[misc]
    until(lambda: 100 < pixel(page)[0] < 160, "soft tissue in the middle")
    assert pixel(page, 0.02, 0.02) == [0, 0, 0]


def test_a_phone_says_which_series_and_which_date_it_shows_and_names_thumbnails(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page(CT, width=360, height=640, touch=True)
    has_picture(page, 0)
    first = site.world.studies[0].series[0]
    for part in (f"{first.modality} {first.number} · {first.description}", "Image 1 of 60"):
        expect(page.locator(".overlay .bl").get_by_text(part)).to_be_in_viewport(ratio=1)
    expect(page.locator(".overlay .date")).to_be_in_viewport(ratio=1)
    assert re.search(r"\d{4}", page.locator(".overlay .date").inner_text())
    name = page.locator("nav button[data-series] .text").first
    expect(name).to_be_in_viewport(ratio=1)
    assert name.inner_text().startswith(f"{first.number} · ")
    shadows = page.locator(".overlay").evaluate("(one) => getComputedStyle(one).textShadow.split('rgb').length - 1")
    assert shadows >= 8  # all around, so that light letters are read on white


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_header_says_the_whole_date_of_the_study_and_where_the_name_begins(
    open_page: OpenPage, site: Site, width: int, language: str
) -> None:
    page = open_page(CT, width=width, height=700, language=language, touch=width < 600)
    has_picture(page, 0)
    expect(page.locator("header .tools button").first).to_be_visible()
    long = "CT Thorax, Abdomen und Becken mit Kontrastmittel, Verlaufskontrolle"
    page.locator("header h1 .of").evaluate("(one, text) => { one.textContent = text; }", long)
    date = page.locator("header h1 .date")
    assert re.search(r"\d{4}", date.inner_text())
    for part in (date, page.locator("header h1 > .clip")):
        expect(part).to_be_in_viewport(ratio=1)
        is_free = """(one) => {
          const box = one.getBoundingClientRect();
          const ends = [[box.left + 2, box.top + box.height / 2], [box.right - 2, box.top + box.height / 2]];
          return ends.every(([x, y]) => one.contains(document.elementFromPoint(x, y)));
        }"""
        assert part.evaluate(is_free)
    assert date.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    assert page.locator("header h1 > .clip").evaluate("(one) => one.clientWidth") >= 120
    head = page.locator("header h1").bounding_box()
    picture = page.locator(".pane").bounding_box()
    assert head
    assert picture
    assert head["y"] >= 0
    assert head["y"] + head["height"] <= picture["y"]


def test_wheel_keys_and_slider_scroll_and_neighbours_are_there(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    page.mouse.move(*MIDDLE)
    page.mouse.wheel(0, 100)
    has_picture(page, 1)
    page.keyboard.press("PageDown")
    has_picture(page, 11)
    page.keyboard.press("End")
    has_picture(page, 59)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    has_picture(page, 1)
    page.get_by_role("slider", name="Place in the series").fill("30")
    has_picture(page, 30)
    until(lambda: len(set(site.world.frames_asked)) == 60, "the rest of the series")
    page.keyboard.press("ArrowUp")
    has_picture(page, 29)
    assert len(site.world.frames_asked) < 100  # broken-off flights are asked for again, nothing else


def test_window_by_mouse_preset_numbers_and_keys(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    page.mouse.move(*MIDDLE)
    page.mouse.down()
    page.mouse.move(MIDDLE[0] + 100, MIDDLE[1], steps=4)
    page.mouse.up()
    until(lambda: re.search(r"W 5\d\d L 40", overlay(page)), "a wider window")
    page.keyboard.press("3")
    until(lambda: "W 1,800 L 400" in overlay(page), "the bone window")
    page.get_by_role("button", name="Window presets and numbers").click()
    page.get_by_label("Width").fill("2000")
    page.get_by_label("Width").press("Enter")
    page.get_by_label("Level").fill("-500")
    page.get_by_label("Level").press("Enter")
    page.keyboard.press("Escape")
    until(lambda: "W 2,000 L −500" in overlay(page), "numbers")
    page.keyboard.press("Shift+ArrowUp")
    until(lambda: "L −560" in overlay(page), "a lower level")
    page.keyboard.press("0")
    until(lambda: "W 400 L 40" in overlay(page), "as sent")
    before = pixel(page)[0]
    page.keyboard.press("i")
    until(lambda: abs(pixel(page)[0] - (255 - before)) < 3, "inverted")


def test_a_pointer_that_moves_beside_the_open_presets_costs_no_sorting(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    page.evaluate(
        """() => {
          const sort = Float64Array.prototype.sort;
          window.sorted = 0;
          Float64Array.prototype.sort = function (...how) { window.sorted += 1; return sort.apply(this, how); };
        }"""
    )
    page.get_by_role("button", name="Window presets and numbers").click()
    expect(page.get_by_role("button", name="Lung")).to_be_visible()
    before = page.evaluate("window.sorted")
    assert before > 0  # the window over all values is made of them
    panel = page.get_by_role("group", name="Window presets and numbers").bounding_box()
    assert panel
    x, y = panel["x"] + panel["width"] + 40, MIDDLE[1]
    said = overlay(page)
    page.mouse.move(x, y)
    until(lambda: overlay(page) != said, "the value under the pointer")
    for step in range(20):
        page.mouse.move(x + step, y)
    assert page.evaluate("window.sorted") == before
    page.keyboard.press("Escape")


def test_zoom_pan_fit_and_one_to_one(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    fitted = scale(page)
    page.keyboard.press("o")
    until(lambda: " 100 %" in overlay(page), "one to one")
    page.mouse.move(*MIDDLE)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    until(lambda: "182 %" in overlay(page), "zoomed")
    page.get_by_role("button", name="Move").click()
    page.mouse.move(*MIDDLE)
    page.mouse.down()
    page.mouse.move(MIDDLE[0] + 600, MIDDLE[1], steps=3)
    page.mouse.up()
    until(lambda: pixel(page) == [0, 0, 0], "moved away")
    page.mouse.dblclick(*MIDDLE)
    until(lambda: scale(page) == fitted, "fitted again")


def test_colour_cine_plays_and_pixel_aspect_is_kept(open_page: OpenPage, site: Site) -> None:
    page = open_page(US)
    has_picture(page, 0)
    until(lambda: "Image 1 of 30" in overlay(page), "what it is")
    assert "W " not in overlay(page)
    page.get_by_role("button", name="Play").click()
    place = page.locator(".pane")
    until(lambda: int(place.get_attribute("data-place") or 0) > 3, "frames go by")
    page.keyboard.press("Space")
    has_picture(page)
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
    has_picture(page, 0)
    until(lambda: pixel(page)[0] > pixel(page, 0.36, 0.5)[0] + 60, "low values are bright in MONOCHROME1")
    page.keyboard.press("ArrowLeft")
    has_picture(page, 0)
    page.goto(site.address + MAP)
    has_picture(page, 0)
    until(lambda: re.search(r"W 3[.,]9", overlay(page)), "one window for the series")
    until(lambda: pixel(page)[0] < 30, "what is dark")
    page.keyboard.press("End")
    has_picture(page, 2)
    until(lambda: pixel(page, 0.32, 0.05)[0] > 190, "what is bright")


def test_what_is_no_picture_is_shown_as_what_it_is_and_can_be_had(open_page: OpenPage, site: Site) -> None:
    page = open_page(PDF)
    document = page.get_by_role("region", name="Document").first
    link = document.get_by_role("link", name="Open the PDF")
    expect(link).to_be_visible()
    assert (link.get_attribute("href") or "").endswith("/document")
    assert link.get_attribute("target") == "_blank"
    page.goto(site.address + SR)
    report = page.get_by_role("region", name="Structured report").first
    expect(report.get_by_role("link", name="Download the object")).to_be_visible()


def test_series_strip_changes_the_series_and_the_address(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    page.locator("nav button[data-series]").nth(2).click()
    until(lambda: str(uuid.UUID(int=2002)) in where(page), "the address")
    until(lambda: "Image 1 of 30" in overlay(page), "the cine")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keys and gestures")


def test_fingers_scroll_pinch_and_tap(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT, width=360, height=640, touch=True)
    has_picture(page, 0)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": place} for place, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    send("touchStart", (180, 200))
    for y in range(205, 300, 5):
        send("touchMove", (180, y))
    send("touchEnd")
    until(lambda: int(page.locator(".pane").get_attribute("data-place") or 0) > 5, "a swipe scrolls")
    has_picture(page)
    before = overlay(page)
    send("touchStart", (150, 250), (210, 250))
    for step in range(1, 9):
        send("touchMove", (150 - 6 * step, 250), (210 + 6 * step, 250))
    send("touchEnd")
    until(lambda: overlay(page) != before and "%" in overlay(page), "a pinch zooms")
    page.get_by_role("button", name="Window", exact=True).tap()
    expect(page.get_by_role("button", name="Window", exact=True)).to_have_attribute("aria-pressed", "true")
    for _ in range(2):
        page.touchscreen.tap(180, 250)
    until(lambda: "141 %" in overlay(page), "a double tap fits")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def _edges(page: Page) -> list[str]:
    return [page.locator(f".edge.{side}").inner_text() for side in ("left", "right", "top", "bottom")]


def test_sides_of_the_patient_and_a_scale_stand_at_the_picture(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    until(lambda: _edges(page) == ["R", "L", "A", "P"], "the sides")
    bar = page.locator(".scale .bar")
    expect(page.locator(".scale")).to_have_text("2 cm")
    box = bar.bounding_box()
    assert box
    assert abs(box["height"] - 20 / 0.8 * scale(page) / 100) < 1.5
    page.keyboard.press("+")
    until(lambda: (bar.bounding_box() or box)["height"] > box["height"] * 1.2, "the scale grows with the picture")
    page.goto(site.address + DX)
    has_picture(page, 0)
    until(lambda: _edges(page) == ["R", "L", "H", "F"], "the sides")
    expect(page.locator(".scale")).to_contain_text("at the detector")
    page.goto(site.address + US)
    has_picture(page, 0)
    expect(page.locator(".scale")).to_have_text("Not calibrated: no lengths")
    expect(page.locator(".edge")).to_have_count(0)


def test_a_study_opens_on_its_pictures(open_page: OpenPage, site: Site) -> None:
    series = site.world.studies[1].series
    series.reverse()
    asked: list[str] = []
    page = open_page("/", width=840)  # one pane: nothing is hung beside
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.address + STUDY)
    has_picture(page, 0)
    first = next(one.id for one in series if one.kind not in ("pdf", "sr"))
    shown = page.locator("nav button[aria-current=true]")
    until(lambda: shown.get_attribute("data-series") == first, "the first series with pictures")
    places = page.locator("nav button[data-series]").evaluate_all("all => all.map(one => one.dataset.series)")
    assert places[-2:] == [one.id for one in series if one.kind in ("pdf", "sr")]
    page.locator("nav button[data-series]").last.scroll_into_view_if_needed()
    expect(page.locator("nav .none")).to_have_text(["Report", "Document"])
    assert not [url for url in asked if any(f"{one}/thumbnail" in url for one in places[-2:])]


def test_going_back_and_forth_between_patients_never_mixes_them(open_page: OpenPage, site: Site) -> None:
    other = "/view?study=" + str(uuid.UUID(int=1))
    page = open_page(other)
    has_picture(page, 0)
    page.evaluate(
        f"() => {{ const a = document.createElement('a'); a.href = '{CT}'; document.body.append(a); a.click(); }}"
    )
    has_picture(page, 0)
    until(lambda: "P10001" in overlay(page), "whose it is")
    for held in (f"{uuid.UUID(int=place)}" for place in (1000, 1001, 1002)):
        site.world.held_series.add(held)
    page.go_back()
    until(lambda: overlay(page) and "P10001" not in overlay(page), "the other patient's name")
    assert pixel(page) == [0, 0, 0]  # at once: no picture stands under another one's name


@pytest.mark.parametrize(
    ("language", "names"),
    [("de", ("Bild ↑ Bild ↓", "Pos 1 Ende", "Leertaste")), ("en", ("Page Up", "Home End", "Space"))],
)
def test_keys_are_named_as_they_are_on_the_readers_keyboard(
    open_page: OpenPage, site: Site, language: str, names: tuple[str, ...]
) -> None:
    page = open_page(CT, language=language)
    has_picture(page, 0)
    page.keyboard.press("?")
    for name in names:
        expect(page.get_by_role("dialog")).to_contain_text(name)

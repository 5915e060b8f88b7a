"""Measuring and noting in the reading room: by mouse, finger and keys; saved by itself; two people at once."""

from __future__ import annotations

import math
import re
import time
import uuid
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, has_picture, until
from tests.frontend.fake_api import PASSWORD
from tests.frontend.fake_marks import OTHER

STUDY = str(uuid.UUID(int=2))
CT, DX, US = (f"/view?study={STUDY}&series={uuid.UUID(int=2000 + place)}" for place in range(3))
FIRST_SLICE, SECOND_SLICE = (f"{uuid.UUID(int=2000)}-{place}" for place in range(2))
FROM, TO = (640, 400), (800, 400)
SPACING_MM = 0.8


def _ready(page: Page) -> None:
    has_picture(page)
    expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()


def _scale(page: Page) -> float:
    """Return CSS pixels per image column, as the picture's corner says it."""
    found = re.search(r"([\d,.]+)\s%", page.locator(".overlay").inner_text())
    assert found
    return float(found[1].replace(",", "")) / 100 / float(page.evaluate("() => devicePixelRatio"))


def _pull(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()


def _touch(page: Page, *path: tuple[float, float]) -> None:
    session = page.context.new_cdp_session(page)
    kinds = ["touchStart", *["touchMove"] * (len(path) - 1)]
    for kind, (x, y) in zip(kinds, path, strict=True):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def _list(page: Page) -> Any:
    """Open the list of marks, and return its entries."""
    found = page.get_by_role("region", name="Measurements and notes")
    for _ in range(10):  # a click may meet a toolbar that is being laid out
        if not found.is_visible():
            page.get_by_role("button", name="List of measurements and notes").click()
        with suppress(AssertionError):
            expect(found).to_be_visible(timeout=2_000)
            break
    return found.get_by_role("listitem")


def _value(mark: dict[str, Any], name: str) -> float:
    return next(float(one["value"]) for one in mark["values"] if one["name"] == name)


def _yellow(page: Page, x: float, y: float) -> bool:
    """Tell whether one's own mark is drawn at a place of the page."""
    found: bool = page.locator(".pane canvas").first.evaluate(
        """(canvas, [x, y]) => {
          const box = canvas.getBoundingClientRect();
          const at = (value, from) => Math.round((value - from) * devicePixelRatio);
          const data = canvas.getContext('2d').getImageData(at(x, box.left) - 3, at(y, box.top) - 3, 7, 7).data;
          for (let i = 0; i < data.length; i += 4) {
            if (data[i] > 140 && data[i + 1] > 110 && data[i] - data[i + 2] > 70) return true;
          }
          return false;
        }""",
        [x, y],
    )
    return found


def _line(site: Site, mark_id: str, by: dict[str, str] = OTHER, **changes: Any) -> None:
    content = {"kind": "length", "instance_id": FIRST_SLICE, "frame": 1, "points": [[60, 60], [160, 60]], "text": ""}
    values = [{"name": "length", "value": 80.0, "unit": "mm"}]
    kept = site.world.marks.kept.get(mark_id, {})
    site.world.marks.made(STUDY, mark_id, {**content, "values": values, **kept, **changes}, by)
    site.world.changed.add("marks")


def test_a_length_by_mouse_is_in_millimetres_saved_and_there_again(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page)
    page.get_by_role("button", name="Length").click()
    _pull(page, FROM, TO)
    until(lambda: site.world.marks.kept, "saved by itself")
    mark = site.world.marks.only()
    assert mark["kind"] == "length"
    assert (mark["instance_id"], mark["frame"], mark["revision"]) == (FIRST_SLICE, 1, 1)
    expected = (TO[0] - FROM[0]) / _scale(page) * SPACING_MM
    assert _value(mark, "length") == pytest.approx(expected, rel=0.01)
    expect(_list(page)).to_have_count(1)
    expect(_list(page).first).to_contain_text(f"{_value(mark, 'length'):.1f}\u00a0mm")
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    page.reload()
    _ready(page)
    until(lambda: _yellow(page, 720, 400), "drawn again")
    page.mouse.move(900, 700)
    page.mouse.wheel(0, 100)
    until(lambda: not _yellow(page, 720, 400), "on its own picture alone")


def test_two_clicks_escape_and_undo(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page)
    page.keyboard.press("m")
    page.mouse.click(*FROM)
    page.keyboard.press("Escape")
    page.mouse.click(*FROM)
    page.mouse.move(700, 380)
    page.mouse.click(*TO)
    until(lambda: len(site.world.marks.kept) == 1, "one line of two clicks")
    page.keyboard.press("Control+z")
    until(lambda: site.world.marks.kept == {}, "taken back")
    page.keyboard.press("Control+Shift+z")
    until(lambda: len(site.world.marks.kept) == 1, "brought back")
    page.keyboard.press("Delete")
    until(lambda: site.world.marks.kept == {}, "deleted")


def test_an_end_is_moved_by_mouse_and_by_keys_and_arrows_still_scroll(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page)
    page.keyboard.press("m")
    _pull(page, FROM, TO)
    page.keyboard.press("m")
    until(lambda: site.world.marks.kept, "saved")
    before = _value(site.world.marks.only(), "length")
    _pull(page, TO, (TO[0] + 80, TO[1]))
    until(lambda: _value(site.world.marks.only(), "length") == pytest.approx(before * 1.5, rel=0.02), "saved again")
    column = site.world.marks.only()["points"][1][0]
    page.mouse.click(TO[0] + 80, TO[1])  # points the handle out
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    until(
        lambda: site.world.marks.only()["points"][1][0] == pytest.approx(column + 5.5), "moved by half a pixel and five"
    )
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".pane[data-ready=true][data-place='1']")).to_be_visible()


def test_regions_angles_counts_notes_and_key_images(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page)
    page.keyboard.press("g")
    _pull(page, (760, 320), (840, 400))
    page.keyboard.press("a")
    _pull(page, (640, 560), (700, 600))
    page.mouse.click(640, 640)
    page.keyboard.press("j")
    for at in ((600, 450), (620, 470), (640, 450)):
        page.mouse.click(*at)
    page.keyboard.press("y")
    _pull(page, (900, 500), (960, 460))
    expect(page.get_by_role("textbox", name="Text")).to_be_focused()
    page.keyboard.type("Rundherd, Verlauf?")
    page.keyboard.press("Enter")
    page.keyboard.press("*")
    until(lambda: len(site.world.marks.kept) == 5, "five marks")
    until(lambda: [one["text"] for one in site.world.marks.kept.values() if one["text"]], "what was typed")
    by_kind = {mark["kind"]: mark for mark in site.world.marks.kept.values()}
    assert set(by_kind) == {"ellipse", "angle", "counter", "arrow", "key"}
    assert {one["name"]: one["unit"] for one in by_kind["ellipse"]["values"]} == {
        "mean": "[hnsf'U]", "sd": "[hnsf'U]", "min": "[hnsf'U]", "max": "[hnsf'U]", "area": "mm2", "perimeter": "mm",
    }  # fmt: skip
    assert _value(by_kind["ellipse"], "mean") == pytest.approx(60, abs=5)
    until(lambda: _value(site.world.marks.kept[by_kind["counter"]["id"]], "count") == 3, "counted")
    assert by_kind["arrow"]["text"] == "Rundherd, Verlauf?"
    assert by_kind["key"]["points"] == []


def test_escape_keeps_an_arrow_and_asks_for_what_was_written(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page)
    page.keyboard.press("y")
    _pull(page, (900, 500), (960, 460))
    expect(page.get_by_text("Shift + Enter makes a new line")).to_be_visible()
    page.keyboard.press("Escape")
    until(lambda: [one["text"] for one in site.world.marks.kept.values()] == [""], "the arrow alone")
    page.keyboard.press("y")
    _pull(page, (900, 300), (960, 260))
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_contain_text("not saved yet")
    page.keyboard.press("Enter")
    until(lambda: "one\ntwo" in [one["text"] for one in site.world.marks.kept.values()], "both lines")
    page.keyboard.press("a")
    _pull(page, (640, 560), (700, 600))
    expect(page.get_by_text("Third point")).to_be_visible()
    page.mouse.click(640, 640)
    expect(page.get_by_text("Third point")).to_be_hidden()


def test_a_finger_places_and_adjusts_and_the_picture_scrolls_again(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT, width=360, height=640, touch=True)
    _ready(page)
    page.get_by_role("button", name="Measure and note").tap()
    page.get_by_role("button", name="Length").tap()
    expect(page.get_by_role("status").filter(has_text="Draw from end to end")).to_be_visible()
    _touch(page, (120, 200), (150, 205), (200, 210))
    until(lambda: site.world.marks.kept, "placed")
    first = site.world.marks.only()["points"]
    _touch(page, (214, 222), (224, 226), (244, 232))  # beside the end, within 22 pixels of it
    by = pytest.approx(30 / _scale(page), rel=0.02)  # as much as the finger, no jump
    until(lambda: site.world.marks.only()["points"][1][0] - first[1][0] == by, "adjusted")
    assert site.world.marks.only()["points"][0] == first[0]
    _touch(page, (300, 150), (300, 200), (300, 260), (300, 320))
    until(lambda: page.locator(".pane").get_attribute("data-place") != "0", "scrolled by the same finger")


def test_what_was_measured_at_the_detector_or_without_a_scale_is_said_to_be(open_page: OpenPage, site: Site) -> None:
    page = open_page(DX)
    _ready(page)
    page.keyboard.press("m")
    _pull(page, FROM, TO)
    until(lambda: site.world.marks.kept, "saved")
    assert site.world.marks.only()["values"][0]["unit"] == "mm"
    page = open_page(US)
    _ready(page)
    page.keyboard.press("m")
    _pull(page, FROM, TO)
    until(lambda: len(site.world.marks.kept) == 2, "saved")
    assert [mark["values"][0]["unit"] for mark in site.world.marks.kept.values()] == ["mm", "px"]


def test_what_others_do_appears_by_itself_and_their_marks_look_otherwise(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page)
    mark_id = str(uuid.uuid4())
    _line(site, mark_id)
    expect(_list(page)).to_have_count(1)
    expect(_list(page).first).to_contain_text("Dr. Jürgen Groß")
    expect(_list(page).first).to_contain_text("Series 1, image 1")
    other = open_page(CT)
    _ready(other)
    other.keyboard.press("m")
    _pull(other, (640, 600), (800, 600))

    expect(_list(page)).to_have_count(2)


def _changed_by_two(open_page: OpenPage, site: Site) -> Page:
    """Open a study in which a mark's text "mine" waits for the line, while "theirs" is kept already."""
    mark_id = str(uuid.uuid4())
    _line(site, mark_id)
    page = open_page(CT)
    _ready(page)
    expect(_list(page)).to_have_count(1)
    site.world.marks.broken = True
    page.get_by_role("button", name=re.compile("Edit the text of Length")).click()
    page.get_by_role("textbox", name="Text").fill("mine")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".sign").filter(has_text="Not saved")).to_be_visible()
    _line(site, mark_id, text="theirs")
    return page


def test_two_changes_of_one_mark_are_put_to_the_reader(open_page: OpenPage, site: Site) -> None:
    page = _changed_by_two(open_page, site)
    site.world.marks.broken = False
    dialog = page.get_by_role("dialog", name="Two people changed the same mark")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("theirs")
    assert site.world.marks.only()["text"] == "theirs"
    dialog.get_by_role("button", name="Mine").click()
    until(lambda: site.world.marks.only()["text"] == "mine", "mine")
    assert site.world.marks.only()["author"] == OTHER
    expect(_list(page).first).to_contain_text("changed by Dr. Katharina Weber")


def test_a_broken_line_loses_nothing_and_the_page_warns(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page)
    site.world.marks.broken = True
    page.keyboard.press("m")
    _pull(page, FROM, TO)
    _list(page)
    expect(page.locator(".sign").filter(has_text="Not saved")).to_be_visible()
    with page.expect_event("dialog") as asked:
        page.evaluate("() => { setTimeout(() => location.reload(), 0) }")
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    site.world.marks.broken = False
    until(lambda: site.world.marks.kept, "saved once the line is back")
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()


def test_marks_outlast_a_login_that_ended(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    _ready(page)
    site.world.marks.broken = True
    page.keyboard.press("m")
    _pull(page, FROM, TO)
    until(lambda: site.world.marks.asked, "asked in vain")
    site.world.logged_in, site.world.marks.broken = False, False
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    until(lambda: site.world.marks.kept, "saved after the login")
    until(lambda: _yellow(page, 720, 400), "and still drawn")


def test_a_change_that_meets_another_on_leaving_is_told_with_the_reader_s_words(
    open_page: OpenPage, site: Site
) -> None:
    mark_id = str(uuid.uuid4())
    _line(site, mark_id)
    page = open_page(CT)
    _ready(page)
    expect(_list(page)).to_have_count(1)
    site.world.marks.broken = True
    page.get_by_role("button", name=re.compile("Edit the text of Length")).click()
    page.get_by_role("textbox", name="Text").fill("grown since March")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".sign").filter(has_text="Not saved")).to_be_visible()
    _line(site, mark_id, text="theirs")
    page.get_by_role("button", name="Back to the list").click()
    expect(page.locator(".reading-room")).to_have_count(0)
    site.world.marks.broken = False
    told = page.locator(".toast", has_text="grown since March")
    expect(told).to_contain_text("you have left the study")
    expect(told).to_contain_text(OTHER["name"])
    time.sleep(13)  # longer than other notices are there
    expect(told).to_be_visible()
    assert site.world.marks.only()["text"] == "theirs"
    page.reload()  # nothing holds it
    expect(told).to_have_count(0)


def test_a_question_outlasts_a_login_that_ended(open_page: OpenPage, site: Site) -> None:
    page = _changed_by_two(open_page, site)
    site.world.marks.broken = False
    dialog = page.get_by_role("dialog", name="Two people changed the same mark")
    expect(dialog).to_be_visible()
    site.world.logged_in = False
    site.world.changed.add("marks")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("input[name=password]")).to_have_count(0)
    dialog.get_by_role("button", name="Mine").click()
    until(lambda: site.world.marks.only()["text"] == "mine", "mine")


def test_measurements_that_cannot_be_loaded_are_said_to_be_missing(open_page: OpenPage, site: Site) -> None:
    _line(site, str(uuid.uuid4()))
    page = open_page("/")
    page.route(re.compile(r"/assets/(marking|MarkTools)"), lambda route: route.abort())
    page.goto(site.address + CT)
    has_picture(page)
    expect(page.locator(".toast", has_text="measurements could not be loaded")).to_be_visible(timeout=15_000)


def test_putting_the_list_away_gives_the_focus_back(open_page: OpenPage, site: Site) -> None:
    _line(site, str(uuid.uuid4()))
    page = open_page(CT)
    _ready(page)
    opener = page.get_by_role("button", name="List of measurements and notes")
    for put_away in ("Escape", "Enter"):
        opener.press("Enter")
        region = page.get_by_role("region", name="Measurements and notes")
        region.get_by_role("button", name="Close").focus()
        page.keyboard.press(put_away)
        expect(region).to_have_count(0)
        expect(opener).to_be_focused()


def test_who_may_only_look_sees_marks_and_no_tools(open_page: OpenPage, site: Site) -> None:
    site.world.marks.may_mark = False
    _line(site, str(uuid.uuid4()))
    page = open_page(CT)
    expect(page.locator(".pane[data-ready=true]")).to_be_visible()
    expect(_list(page)).to_have_count(1)
    expect(page.get_by_role("button", name="Length", exact=True)).to_be_hidden()
    expect(page.get_by_role("button", name=re.compile("^Delete"))).to_be_hidden()
    page.keyboard.press("m")
    _pull(page, FROM, TO)
    time.sleep(0.6)
    assert len(site.world.marks.kept) == 1


def test_the_list_goes_to_the_picture_by_click_and_by_keys(open_page: OpenPage, site: Site) -> None:
    _line(site, str(uuid.uuid4()))
    _line(site, str(uuid.uuid4()), instance_id=f"{uuid.UUID(int=2000)}-40", text="unten")
    page = open_page(CT)
    _ready(page)
    entries = _list(page)
    expect(entries).to_have_count(2)
    entries.nth(1).get_by_role("button", name=re.compile("^Length 80")).click()
    expect(page.locator(".pane[data-ready=true][data-place='40']")).to_be_visible()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator(".pane[data-ready=true][data-place='0']")).to_be_visible()
    page.keyboard.press("Delete")
    expect(entries).to_have_count(1)
    until(lambda: len(site.world.marks.kept) == 1, "deleted by key")
    assert site.world.marks.only()["text"] == "unten"


def test_an_open_list_makes_room_beside_the_panes_and_lies_over_them_only_where_there_is_little(
    open_page: OpenPage, site: Site
) -> None:
    _line(site, str(uuid.uuid4()))
    page = open_page(CT)
    _ready(page)
    _list(page)
    canvas, listed = page.locator("main canvas").first, page.locator(".marks-list")
    for width, beside in ((1440, True), (1000, False)):
        page.set_viewport_size({"width": width, "height": 800})
        picture, panel = canvas.bounding_box(), listed.bounding_box()
        assert picture
        assert panel
        assert panel["x"] + panel["width"] == width
        assert (picture["x"] + picture["width"] <= panel["x"]) is beside
        assert panel["width"] == 340


def test_numbers_are_written_as_the_reader_does(open_page: OpenPage, site: Site) -> None:
    _line(site, str(uuid.uuid4()), values=[{"name": "length", "value": 80.25, "unit": "mm"}])
    page = open_page(CT, language="de")
    expect(page.locator(".pane[data-ready=true]")).to_be_visible()
    page.get_by_role("button", name="Liste der Messungen").click()
    expect(page.get_by_role("listitem").filter(has_text="80,3\u00a0mm")).to_be_visible()


def test_a_free_outline_is_pulled_by_its_line_and_only_there(open_page: OpenPage, site: Site) -> None:
    ring = [[128 + 40 * math.cos(one * math.pi / 16), 128 + 30 * math.sin(one * math.pi / 16)] for one in range(32)]
    mark_id = str(uuid.uuid4())
    _line(site, mark_id, kind="freehand", points=ring, values=[{"name": "area", "value": 9000.0, "unit": "mm2"}])
    page = open_page(CT)
    _ready(page)
    _list(page).first.locator(".go").click()
    page.get_by_role("region", name="Measurements and notes").get_by_role("button", name="Close").click()
    box = page.locator(".pane canvas").first.bounding_box()
    assert box
    scale = _scale(page)
    column, row = (ring[24][0] + ring[25][0]) / 2, (ring[24][1] + ring[25][1]) / 2  # on its upper line
    top = box["x"] + box["width"] / 2 + (column - 128) * scale, box["y"] + box["height"] / 2 + (row - 128) * scale
    _pull(page, top, (top[0], top[1] - 40))
    until(lambda: site.world.marks.only()["revision"] == 2, "pulled")
    pulled = site.world.marks.only()
    rows = [row for _, row in pulled["points"]]
    assert min(rows) == pytest.approx(row - 40 / scale, abs=1)
    assert [one for one in ring if one[1] > 135] == [one for one in pulled["points"] if one[1] > 135], "the rest stays"
    assert _value(pulled, "area") > 0
    page.keyboard.press("Control+z")
    until(lambda: len(site.world.marks.only()["points"]) == 32, "taken back")


def test_on_a_phone_the_list_is_a_sheet_that_leaves_the_picture_and_is_put_away_by_a_thumb(
    open_page: OpenPage, site: Site
) -> None:
    _line(site, str(uuid.uuid4()))
    page = open_page(CT, width=360, height=640, touch=True)
    expect(page.locator(".pane[data-ready=true]")).to_be_visible()
    panel = page.get_by_role("region", name="Measurements and notes")

    def opened() -> None:
        page.get_by_role("button", name="Measure and note").click()
        page.get_by_role("button", name="List of measurements and notes").click()
        expect(panel.get_by_role("listitem")).to_have_count(1)

    def height() -> float:
        time.sleep(0.3)
        box = panel.bounding_box()
        assert box
        assert box["y"] + box["height"] == pytest.approx(640, abs=1)
        return box["height"]

    def draw(by: float) -> None:
        box = panel.bounding_box()
        assert box
        _touch(page, *[(180, box["y"] + 16 + by * part / 4) for part in range(5)])

    opened()
    assert height() < 0.4 * 640
    draw(-80)
    assert 0.6 * 640 < height() < 0.75 * 640
    panel.locator(".go").click()
    assert height() < 0.4 * 640, "the picture is looked at"
    draw(120)
    expect(panel).to_be_hidden()
    opened()
    panel.get_by_role("button", name="Make the list larger").focus()
    page.keyboard.press("Enter")
    assert height() > 0.6 * 640
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()

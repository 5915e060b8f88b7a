"""Panes beside each other: what is chosen or dragged into them, scrolled together, crossed by lines."""

from __future__ import annotations

import uuid

from playwright.sync_api import Page, expect
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.volumes import AXIAL, SAGITTAL, series

AMBER = (232, 181, 77)


def _three_series(hospital: Hospital) -> Sent:
    """Send thin axial, thick axial and sagittal slices of one body."""
    study, frame = generate_uid(), generate_uid()
    shared = {"study": study, "frame": frame, "patient": uuid.uuid4().hex[:12]}
    [sent] = hospital.send(
        [
            *series(number=1, orientation=AXIAL, first=(-32, -32, 0), step=(0, 0, 2), count=30, **shared),
            *series(number=2, orientation=AXIAL, first=(-32, -32, 0), step=(0, 0, 10), count=6, **shared),
            *series(number=3, orientation=SAGITTAL, first=(-30, -32, 60), step=(6, 0, 0), count=10, **shared),
        ]
    )
    return sent


def _arrange(page: Page, rows: int, columns: int) -> None:
    page.get_by_role("button", name="Layout").click()
    page.get_by_role("button", name=f"{rows} × {columns}").click()
    expect(page.locator(".pane")).to_have_count(rows * columns)


def _choose(page: Page, pane: int, number: int) -> None:
    page.locator(".pane").nth(pane).click(position={"x": 40, "y": 120})
    page.locator("nav button[data-series]").filter(has_text=f"Series {number}").click()
    expect(page.locator(".pane").nth(pane)).to_have_attribute("data-ready", "true")


def _place(page: Page, pane: int) -> int:
    return int(page.locator(".pane").nth(pane).get_attribute("data-place") or -1)


def _rows_with_line(page: Page, pane: int) -> list[float]:
    """Return where a level amber line lies, as parts of the height of the pane's canvas."""
    found: list[float] = (
        page.locator(".pane canvas")
        .nth(pane)
        .evaluate(
            """(canvas, [red, green, blue]) => {
          const x = canvas.width >> 1, data = canvas.getContext('2d').getImageData(x, 0, 1, canvas.height).data;
          const rows = [];
          for (let y = 0; y < canvas.height; y += 1) {
            const near = Math.abs(data[4*y] - red) + Math.abs(data[4*y+1] - green) + Math.abs(data[4*y+2] - blue);
            if (near < 90) rows.push((y + 0.5) / canvas.height);
          }
          return rows;
        }""",
            list(AMBER),
        )
    )
    return found


def _middle(rows: list[float]) -> float:
    return sum(rows) / len(rows) if rows else -1.0


def test_parallel_panes_scroll_together_and_a_line_shows_the_plane_in_the_others(
    open_page: Pages, hospital: Hospital
) -> None:
    sent = _three_series(hospital)
    page = open_page(sent.view(0))
    ready(page, 0)
    _arrange(page, 1, 3)
    _choose(page, 1, 2)
    _choose(page, 2, 3)
    page.locator(".pane").first.click(position={"x": 40, "y": 120})
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    until(lambda: _place(page, 0) == 20, "the twentieth slice, at 40 mm")
    until(lambda: _place(page, 1) == 4, "the thick slice at 40 mm")
    assert _place(page, 2) == 0
    until(lambda: _rows_with_line(page, 2), "a line over the sagittal picture")
    box = page.locator(".pane canvas").nth(2).bounding_box()
    assert box
    edge = min(box["width"], box["height"])
    rows_down = 20.5  # 60 mm is the first row's middle, 40 mm lies 20 rows below
    from_top = (rows_down / 64 - 0.5) * edge / box["height"] + 0.5
    near = 2 / box["height"]
    until(lambda: abs(_middle(_rows_with_line(page, 2)) - from_top) < near, "the line at 40 mm")
    page.keyboard.press("k")
    page.keyboard.press("Home")
    until(lambda: _place(page, 0) == 0, "the first slice")
    assert _place(page, 1) == 4


def test_a_series_is_dragged_into_a_pane_and_stays_when_the_layout_changes(
    open_page: Pages, hospital: Hospital
) -> None:
    sent = _three_series(hospital)
    page = open_page(sent.view(0))
    ready(page, 0)
    _arrange(page, 2, 2)
    page.locator("nav button[data-series]").filter(has_text="Series 3").drag_to(page.locator(".pane").nth(3))
    pane = page.locator(".pane").nth(3)
    expect(pane).to_have_attribute("data-ready", "true")
    expect(pane).to_contain_text("Series 3")
    expect(page.locator(".pane").nth(1)).to_contain_text("Drag a series here")
    page.keyboard.press("e")
    expect(page.locator(".pane:visible")).to_have_count(1)
    expect(page.locator(".pane:visible")).to_contain_text("Series 3")
    page.keyboard.press("e")
    expect(page.locator(".pane:visible")).to_have_count(4)
    page.keyboard.press("n")
    page.keyboard.press("PageDown")
    until(lambda: _place(page, 0) == 10, "keys reach the next pane")
    _arrange(page, 1, 1)
    expect(page.locator(".pane")).to_contain_text("Series 1")


def test_turned_and_mirrored_pictures_say_where_the_sides_are(open_page: Pages, hospital: Hospital) -> None:
    sent = _three_series(hospital)
    page = open_page(sent.view(0))
    ready(page, 0)

    def sides() -> list[str]:
        return [page.locator(f".edge.{side}").inner_text() for side in ("left", "right", "top", "bottom")]

    until(lambda: sides() == ["R", "L", "A", "P"], "as it was taken")
    page.keyboard.press(".")
    until(lambda: sides() == ["P", "A", "R", "L"], "turned to the right")
    page.keyboard.press("h")
    until(lambda: sides() == ["A", "P", "R", "L"], "left and right changed")
    page.keyboard.press("r")
    until(lambda: sides() == ["R", "L", "A", "P"], "reset")


def test_missing_slices_are_marked_at_the_scroll_bar_and_beside_the_gap(open_page: Pages, hospital: Hospital) -> None:
    study, frame = generate_uid(), generate_uid()
    slices = list(
        series(study=study, frame=frame, number=1, orientation=AXIAL, first=(0, 0, 0), step=(0, 0, 2), count=12)
    )
    [sent] = hospital.send(slices[:5] + slices[7:])
    page = open_page(sent.view(0))
    ready(page, 0)
    expect(page.locator(".scrollbar svg line")).to_have_count(1)
    expect(page.locator(".warnings")).to_have_count(0)
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    ready(page, 4)
    expect(page.locator(".warnings")).to_contain_text("2")


def test_a_second_window_follows_the_first(open_page: Pages, hospital: Hospital) -> None:
    sent = _three_series(hospital)
    page = open_page(sent.view(0))
    ready(page, 0)
    beside = page.context.new_page()
    beside.goto(hospital.base + sent.view(1))
    ready(beside, 0)
    page.bring_to_front()
    page.keyboard.press("End")
    ready(page, 29)
    until(lambda: _place(beside, 0) == 5, "the other window shows the same place")
    beside.keyboard.press("x")
    expect(beside.locator(".overlay .tl")).to_be_hidden()


def test_an_earlier_study_of_the_patient_is_opened_beside_and_says_its_date(
    open_page: Pages, hospital: Hospital
) -> None:
    patient = uuid.uuid4().hex[:12]
    made: list[Dataset] = []
    current = generate_uid()
    for date, first, study in (("20260110", 0.0, current), ("20240305", 3.0, generate_uid())):
        made += series(
            study=study, frame=generate_uid(), number=1, orientation=AXIAL, first=(0, 0, first),
            step=(0, 0, 2), count=12, patient=patient, date=date,
        )  # fmt: skip
    sent = next(one for one in hospital.send(made) if one.study_uid == current)
    page = open_page(sent.view(0))
    ready(page, 0)
    _arrange(page, 1, 2)
    page.locator(".pane").nth(1).click(position={"x": 40, "y": 120})
    page.get_by_role("button", name="5 Mar 2024").click()
    page.locator("nav button[data-series]").nth(1).click()
    expect(page.locator(".pane").nth(1)).to_have_attribute("data-ready", "true")
    expect(page.locator(".pane").nth(1)).to_contain_text("Other study, 5 Mar 2024")
    expect(page.locator(".pane").first).not_to_contain_text("Other study")
    page.locator(".pane").first.click(position={"x": 40, "y": 120})
    page.keyboard.press("ArrowDown")
    until(lambda: _place(page, 0) == 1, "the first pane moves")
    assert _place(page, 1) == 0  # another frame of reference: nothing tells that the places are the same
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("PageDown")
    until(lambda: _place(page, 0) == 11, "to the end")
    until(lambda: _place(page, 1) == 10, "linked by hand, it goes as far")

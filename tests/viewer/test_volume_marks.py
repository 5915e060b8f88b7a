"""Lengths and angles taken in a volume: kept with the study, seen by others at their place, in the report."""

from __future__ import annotations

import io
import math
import time
import uuid
from pathlib import Path
from typing import Any

import pydicom
import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom.uid import generate_uid

from radrelay.marks.objects.report_reading import read_report
from tests.marks.marking import complaints
from tests.viewer.conftest import Pages, until
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.test_mpr import ROOM
from tests.viewer.volumes import AXIAL, series

FRAME = generate_uid()


@pytest.fixture
def sent(hospital: Hospital) -> Sent:
    made = series(
        study=generate_uid(), frame=FRAME, number=1, orientation=AXIAL, first=(0, 0, 0), step=(0, 0, 2), count=24,
        patient=uuid.uuid4().hex[:12],
    )  # fmt: skip
    [one] = hospital.send(list(made))
    return one


def _marks(hospital: Hospital, sent: Sent) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hospital.installation.get(f"/api/studies/{sent.id}/marks")["marks"]
    return found


def _volume(page: Page) -> None:
    expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()
    page.get_by_role("button", name="Volume (MPR/3D)").click()
    expect(page.locator(".volumes main[data-whole=true]")).to_be_visible(timeout=60_000)


def _pull(page: Page, pane: str, *path: tuple[float, float]) -> None:
    box = page.locator(f"[data-pane={pane}]").bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    points = [(middle[0] + x, middle[1] + y) for x, y in path]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()


def _shown(page: Page) -> list[dict[str, Any]]:
    """Return what the room has of measures, and in which planes each is seen."""
    found: list[dict[str, Any]] = page.evaluate(
        f"""() => {{
          const room = {ROOM};
          const near = (points, name) => {{
            const {{ views, cursor }} = room.look;
            const n = views[name].normal;
            return points.every((p) => Math.abs(p.reduce((sum, v, at) => sum + (v - cursor[at]) * n[at], 0)) < 0.75);
          }};
          return room.measuring.all.map(({{ id, kind, points, own }}) => ({{ id, kind, points, own,
            selected: room.measuring.selected === id,
            planes: ['axial', 'coronal', 'sagittal'].filter((name) => near(points, name)) }}));
        }}"""
    )
    return found


def _listed(page: Page) -> Locator:
    page.get_by_role("button", name="List of measurements and notes").click()
    return page.get_by_role("region", name="Measurements and notes").get_by_role("listitem")


def test_what_is_measured_in_a_volume_is_kept_and_found_again_at_its_place(
    open_page: Pages, hospital: Hospital, sent: Sent, tmp_path: Path
) -> None:
    page = open_page(sent.view())
    _volume(page)
    page.evaluate(f"() => {ROOM}.setCursor([20, 30, 12])")
    page.keyboard.press("l")
    _pull(page, "coronal", (-60, -20), (70, 30))
    until(lambda: len(_marks(hospital, sent)) == 1, "the length is kept")
    (length,) = _marks(hospital, sent)
    assert (length["kind"], length["instance_id"], length["series_id"]) == ("length", None, sent.series_id(0))
    assert length["space"]["frame_of_reference"] == FRAME
    first, second = length["space"]["points"]
    assert (first[1], second[1]) == (pytest.approx(30), pytest.approx(30)), "in the coronal plane"
    assert length["values"] == [{"name": "length", "value": pytest.approx(math.dist(first, second)), "unit": "mm"}]
    page.keyboard.press("a")
    _pull(page, "axial", (-50, 40), (0, -30))
    _pull(page, "axial", (0, -30), (60, 20))
    until(lambda: len(_marks(hospital, sent)) == 2, "the angle is kept")
    expect(page.locator(".volumes").get_by_role("status").filter(has_text="Saved")).to_be_visible()

    other = open_page(sent.view(), language="de")
    expect(other.get_by_role("button", name="Messen und anmerken").first).to_be_visible()
    other.get_by_role("button", name="Liste der Messungen und Anmerkungen").click()
    rows = other.get_by_role("region", name="Messungen und Anmerkungen").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="mm").first).to_contain_text("im Volumen der Serie 1")
    rows.filter(has_text="mm").locator(".go").click()
    expect(other.locator(".volumes main[data-whole=true]")).to_be_visible(timeout=60_000)
    until(lambda: any(one["selected"] for one in _shown(other)), "gone to")
    seen = {one["kind"]: one for one in _shown(other)}
    assert seen["length"]["planes"] == ["coronal"]
    assert seen["length"]["selected"]
    assert other.evaluate(f"() => {ROOM}.look.cursor") == [
        pytest.approx((a + b) / 2) for a, b in zip(first, second, strict=True)
    ]

    with hospital.installation.http() as http:
        report = http.get(f"/api/studies/{sent.id}/marks/report.dcm").content
    assert complaints(report, tmp_path) == []
    read = {one.kind: one for one in read_report(pydicom.dcmread(io.BytesIO(report)))}
    assert read["length"].space is not None
    assert read["length"].values[0].value == length["values"][0]["value"]
    assert [list(map(pytest.approx, point)) for point in read["length"].space.points] == [first, second]


def test_a_measure_is_moved_by_its_end_deleted_and_brought_back(
    open_page: Pages, hospital: Hospital, sent: Sent
) -> None:
    page = open_page(sent.view())
    _volume(page)
    page.keyboard.press("l")
    _pull(page, "sagittal", (-60, -20), (40, -20))
    until(lambda: len(_marks(hospital, sent)) == 1, "kept")
    (before,) = _marks(hospital, sent)
    _pull(page, "sagittal", (40, -20), (40, 60))
    until(lambda: _marks(hospital, sent)[0]["revision"] == 2, "moved")
    (after,) = _marks(hospital, sent)
    assert after["id"] == before["id"]
    assert after["space"]["points"][0] == before["space"]["points"][0]
    assert after["space"]["points"][1] != before["space"]["points"][1]
    assert after["values"][0]["value"] == pytest.approx(math.dist(*after["space"]["points"]))
    page.keyboard.press("Delete")
    until(lambda: _marks(hospital, sent) == [], "deleted")
    page.keyboard.press("Control+z")
    until(lambda: len(_marks(hospital, sent)) == 1, "back")
    page.get_by_role("button", name="Back to the images").click()
    expect(_listed(page)).to_have_count(1)
    expect(_listed_text(page)).to_contain_text("in the volume of series 1")


def _listed_text(page: Page) -> Locator:
    return page.get_by_role("region", name="Measurements and notes").get_by_role("listitem").first


def _finger(page: Page, pane: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    box = page.locator(f"[data-pane={pane}]").bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)
    began = time.time()
    for number, (kind, at) in enumerate((("touchStart", start), ("touchMove", end), ("touchEnd", None))):
        points = (
            [{"x": middle[0] + at[0], "y": middle[1] + at[1]}] if at and (kind == "touchStart" or at != start) else []
        )
        if points or kind == "touchEnd":
            when = began + 0.02 * number  # a touch that lasts is none; a busy machine would make it last
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points, "timestamp": when})
    session.detach()


def test_a_finger_scrolls_over_a_measure_and_moves_it_only_once_it_was_selected(
    open_page: Pages, hospital: Hospital, sent: Sent
) -> None:
    page = open_page(sent.view(), touch=True)
    _volume(page)
    page.keyboard.press("l")
    _pull(page, "sagittal", (-60, -20), (40, -20))
    until(lambda: len(_marks(hospital, sent)) == 1, "kept")
    page.keyboard.press("w")
    page.evaluate(f"() => {ROOM}.measuring.select(null)")
    before = _shown(page)[0]["points"]
    for _ in range(2):
        _finger(page, "sagittal", (40, -20), (40, 30))
    assert _shown(page)[0]["points"] == before, "the window's alone"
    _finger(page, "sagittal", (40, -20), (40, -20))
    until(lambda: _shown(page)[0]["selected"], "selected by a touch")
    _finger(page, "sagittal", (40, -20), (40, 30))
    until(lambda: _marks(hospital, sent)[0]["revision"] == 2, "moved")

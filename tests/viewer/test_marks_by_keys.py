"""Measuring without a mouse: a cross over the picture, what is set by keys, what a screen reader hears of it."""

from __future__ import annotations

import math
import re
import uuid

import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom.uid import generate_uid

from radrelay.dicom import phantoms
from tests.pages import violations
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.test_mpr import ROOM
from tests.viewer.volumes import AXIAL, series


def measurable(page: Page) -> None:
    ready(page, 0)
    expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()


def opened(open_page: Pages, hospital: Hospital, seed: int) -> tuple[Page, Sent]:
    [sent] = hospital.send(list(phantoms.study("ct-head", seed=seed, slices=12, size=64)))
    page = open_page(sent.view())
    measurable(page)
    return page, sent


def press(page: Page, *keys: str) -> None:
    for key in keys:
        name, _, count = key.partition(" × ")
        for _ in range(int(count or 1)):
            page.keyboard.press(name)


def kept(hospital: Hospital, sent: Sent) -> list[dict[str, object]]:
    found: list[dict[str, object]] = hospital.installation.get(f"/api/studies/{sent.id}/marks")["marks"]
    return found


def cross(page: Page) -> Locator:
    """Return what has the focus while a cross stands over the picture."""
    return page.get_by_role("application")


def heard(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.locator("p[role=status].unseen")).to_have_text(text)


def at_place(page: Page, place: int) -> None:
    expect(page.locator(".pane").first).to_have_attribute("data-place", str(place))


def test_a_length_is_drawn_by_keys_alone_and_arrows_scroll_again_when_the_tool_is_put_away(
    open_page: Pages, hospital: Hospital
) -> None:
    page, sent = opened(open_page, hospital, 641)
    press(page, "m")
    expect(cross(page)).to_be_focused()
    expect(cross(page)).to_have_accessible_name(re.compile("^Length: arrow keys move the cross"))
    hint = page.get_by_text("Arrow keys move the cross, Enter sets a point")
    expect(hint).to_be_visible()
    letter, said = (one.bounding_box() for one in (page.locator(".edge.top"), hint))
    assert letter
    assert said
    assert letter["y"] + letter["height"] <= said["y"], "the hint leaves the patient's side free"
    press(page, "ArrowDown × 3", "ArrowUp", "Shift+ArrowLeft", "Control+ArrowRight")
    at_place(page, 0)
    heard(page, re.compile(r"^\d+, \d+: -?[\d,]+ HU$"))  # the value under the cross
    press(page, "PageDown", "PageUp")
    at_place(page, 0)
    ready(page, 0)
    press(page, "Enter")
    heard(page, "1 point is set")
    expect(page.get_by_text("Now the other end.")).to_be_visible()
    press(page, "Shift+ArrowRight × 2", "ArrowDown × 2", "Space")
    heard(page, re.compile(r"^Length \d+\.\d\smm"))
    until(lambda: len(kept(hospital, sent)) == 1, "the length is kept")
    assert kept(hospital, sent)[0]["kind"] == "length"
    assert violations(page) == []
    press(page, "Escape")
    expect(cross(page)).to_have_count(0)
    press(page, "Enter")
    page.keyboard.type("by keys")
    press(page, "Enter")
    until(lambda: kept(hospital, sent)[0]["text"] == "by keys", "its note is kept")
    press(page, "ArrowDown")
    at_place(page, 1)


def test_a_tool_that_a_key_takes_from_the_bar_brings_the_cross_and_a_mouse_takes_the_lead_again(
    open_page: Pages, hospital: Hospital
) -> None:
    page, sent = opened(open_page, hospital, 642)
    page.get_by_role("button", name="Measure and note").focus()
    press(page, "Enter")
    page.get_by_role("button", name=re.compile("^Freehand region")).focus()
    press(page, "Enter")
    expect(cross(page)).to_be_focused()
    press(page, "Enter", "Shift+ArrowRight × 2", "Enter", "Shift+ArrowDown", "Enter", "Backspace")
    heard(page, "2 points are set")
    press(page, "Shift+ArrowDown", "Enter", "Shift+ArrowLeft × 2", "Shift+ArrowUp × 2", "Enter")
    heard(page, re.compile("^Freehand region"))
    until(lambda: len(kept(hospital, sent)) == 1, "the outline is kept")
    points = kept(hospital, sent)[0]["points"]
    assert isinstance(points, list)
    assert len(points) == 3
    box = page.locator(".pane canvas").bounding_box()
    assert box
    for x in (100, 140):
        page.mouse.move(box["x"] + x, box["y"] + 200)
    expect(cross(page)).to_have_count(0)
    press(page, "ArrowDown")
    at_place(page, 1)


def test_marks_are_gone_through_and_moved_as_a_whole_with_their_labels_by_keys(
    open_page: Pages, hospital: Hospital
) -> None:
    page, sent = opened(open_page, hospital, 643)
    press(page, "g", "Enter", "Shift+ArrowRight × 2", "Shift+ArrowDown", "Enter")
    press(page, "m", "Shift+ArrowUp × 4", "Enter", "Shift+ArrowLeft × 2", "Enter", "Escape", "Escape")
    until(lambda: len(kept(hospital, sent)) == 2, "both are kept")
    press(page, ">")
    heard(page, re.compile("^Ellipse .*, 1 of 2 on this image$"))
    press(page, "# × 4")
    heard(page, "Point 4 of 4")
    press(page, "#")
    heard(page, "All of it")
    before = ellipse(hospital, sent)["points"]
    press(page, "Shift+ArrowRight", "ArrowLeft")
    heard(page, re.compile("^Ellipse"))
    until(lambda: ellipse(hospital, sent)["points"] != before, "it is moved")
    after = ellipse(hospital, sent)["points"]
    assert isinstance(before, list)
    assert isinstance(after, list)
    for old, new in zip(before, after, strict=True):
        assert new == pytest.approx([old[0] + 4.5, old[1]], abs=1e-3)
    press(page, "#")
    heard(page, "Its label")
    press(page, "Shift+ArrowDown")
    until(lambda: ellipse(hospital, sent)["label"], "its label is elsewhere")
    assert ellipse(hospital, sent)["points"] == after
    press(page, "Escape", ">")
    heard(page, re.compile("^Length .*, 2 of 2 on this image$"))
    press(page, "Delete")
    until(lambda: len(kept(hospital, sent)) == 1, "the length is deleted")
    press(page, "PageDown")
    ready(page, 10)
    press(page, "<")
    heard(page, "Nothing is measured or noted on this image")


def ellipse(hospital: Hospital, sent: Sent) -> dict[str, object]:
    [found] = [one for one in kept(hospital, sent) if one["kind"] == "ellipse"]
    return found


def test_the_cross_stands_in_the_pane_in_hand_and_carries_the_lens(open_page: Pages, hospital: Hospital) -> None:
    page, _ = opened(open_page, hospital, 644)
    press(page, "l")
    expect(cross(page)).to_have_accessible_name(re.compile("^Lens"))
    plain = page.locator(".pane canvas").first.screenshot()
    press(page, "Shift+ArrowRight")
    until(lambda: page.locator(".pane canvas").first.screenshot() != plain, "the lens goes on")
    press(page, "d")
    expect(cross(page)).to_have_count(0)
    press(page, "Shift+ArrowRight × 2")
    expect(page.locator(".edge.top")).to_have_text(re.compile("^A[RL]$"))
    press(page, "Home", "w")
    expect(page.locator(".edge.top")).to_have_text("A")
    page.get_by_role("button", name="Layout").focus()
    press(page, "Enter")
    page.get_by_role("button", name="1 × 2").focus()
    press(page, "Enter")
    expect(page.locator(".pane")).to_have_count(2)
    press(page, "m")
    expect(cross(page)).to_be_focused()
    press(page, "n")
    expect(cross(page)).to_have_count(1)
    expect(cross(page)).to_be_focused()
    press(page, "n", "Enter", "Shift+ArrowLeft")
    page.evaluate("() => document.activeElement.blur()")  # whatever has the focus, the keys go on
    press(page, "Enter")
    heard(page, re.compile("^Length"))


def test_lengths_and_angles_in_a_volume_are_drawn_pulled_and_gone_through_by_keys(
    open_page: Pages, hospital: Hospital
) -> None:
    made = series(
        study=generate_uid(), frame=generate_uid(), number=1, orientation=AXIAL, first=(0, 0, 0), step=(0, 0, 2),
        count=24, patient=uuid.uuid4().hex[:12],
    )  # fmt: skip
    [sent] = hospital.send(list(made))
    page = open_page(sent.view())
    measurable(page)
    page.get_by_role("button", name="Volume (MPR/3D)").focus()
    press(page, "Enter")
    expect(page.locator(".volumes main[data-whole=true]")).to_be_visible(timeout=60_000)
    press(page, "l")
    expect(cross(page)).to_be_focused()
    press(page, "Control+ArrowLeft", "Enter")
    said = page.locator(".volumes p[role=status].unseen")
    expect(said).to_have_text("1 point is set")
    press(page, "Shift+ArrowRight", "Space")
    expect(said).to_have_text(re.compile(r"^Length \d+\.?\d* mm$"))
    until(lambda: len(kept(hospital, sent)) == 1, "the length is kept")
    press(page, "a", "Enter", "Shift+ArrowUp", "Enter")
    expect(said).to_have_text("2 points are set")
    press(page, "Backspace", "Shift+ArrowUp", "Enter", "Shift+ArrowRight", "Enter")
    until(lambda: len(kept(hospital, sent)) == 2, "the angle is kept")
    [angle] = [one for one in kept(hospital, sent) if one["kind"] == "angle"]
    values = angle["values"]
    assert isinstance(values, list)
    assert math.isclose(values[0]["value"], 90, abs_tol=0.5)
    assert violations(page) == []
    press(page, "Escape")
    expect(cross(page)).to_have_count(0)
    expect(page.locator(".volumes")).to_be_visible()
    expect(said).to_have_text(re.compile("^Angle "))
    press(page, "#")
    expect(cross(page)).to_be_focused()
    expect(cross(page)).to_have_accessible_name(re.compile(r"^Arrow keys move: Point 1 of 3\."))
    before = spot(hospital, sent)
    press(page, "Shift+ArrowDown", "ArrowDown × 2")
    expect(said).to_have_text(re.compile(r"^Angle [\d.]+°, Point 1 of 3$"))
    until(lambda: spot(hospital, sent) != before, "its end is pulled")
    pulled = spot(hospital, sent)
    voxel = page.evaluate(f"() => {ROOM}.bodies.body('main').grid.finest")
    assert pulled[0] == pytest.approx([before[0][0], before[0][1] + 6 * voxel, before[0][2]])
    assert pulled[1:] == before[1:]
    press(page, "Control+z")
    until(lambda: spot(hospital, sent) == before, "it is one step back")
    assert violations(page) == []
    press(page, "Escape")
    expect(cross(page)).to_have_count(0)
    turned_by_keys(page, said)
    for _ in range(2):
        press(page, ">")
        expect(said).to_have_text(re.compile("^(Length|Angle) "))
        press(page, "Delete")
    until(lambda: kept(hospital, sent) == [], "both are deleted")


def spot(hospital: Hospital, sent: Sent) -> list[list[float]]:
    """Return where the angle lies in the patient."""
    [angle] = [one for one in kept(hospital, sent) if one["kind"] == "angle"]
    space = angle["space"]
    assert isinstance(space, dict)
    points: list[list[float]] = space["points"]
    return points


def turned_by_keys(page: Page, said: Locator) -> None:
    """Turn the planes, then the third dimension, and stand both straight again."""
    press(page, "d")
    expect(cross(page)).to_be_focused()
    expect(said).to_have_text("The planes stand straight")
    press(page, "Shift+ArrowRight", "ArrowRight × 2", "ArrowLeft")
    expect(said).to_have_text("Turned by 11°")
    coronal = page.evaluate(f"() => {ROOM}.look.views.coronal.right")
    assert coronal == pytest.approx([math.cos(math.radians(11)), math.sin(math.radians(11)), 0])
    assert violations(page) == []
    press(page, "Home")
    expect(said).to_have_text("The planes stand straight")
    press(page, "n × 3", "Home")
    expect(page.locator("[data-pane=space]")).to_have_class(re.compile("framed"))
    expect(said).to_have_text("Left R, right L, top H, bottom F")
    press(page, "Shift+ArrowRight × 2")
    expect(said).to_have_text(re.compile("^Left [AP], right [AP], top H, bottom F$"))
    press(page, "Escape", "n")
    expect(cross(page)).to_have_count(0)
    press(page, "?")
    keys = page.get_by_role("dialog", name="Keys and gestures")
    for words in ("turn it by 5°", "Straight again", "half a voxel", "next pane in hand"):
        expect(keys.get_by_text(words).first).to_be_visible()
    press(page, "Escape")
    expect(keys).to_have_count(0)

"""Measurements on a real server: kept, there again, seen by others at once, and two changes of one are told apart."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import Locator, Page, expect
from pydicom import Dataset
from pydicom.uid import generate_uid

from radrelay.dicom import phantoms
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital
from tests.viewer.volumes import AXIAL, series


def _measurable(page: Page) -> None:
    ready(page, 0)
    expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()


def _listed(page: Page) -> Locator:
    panel = page.get_by_role("region", name="Measurements and notes")
    if not panel.is_visible():
        page.get_by_role("button", name="List of measurements and notes").click()
    return panel.get_by_role("listitem")


def _note(page: Page, text: str) -> None:
    page.get_by_role("button", name=re.compile("^Edit the text of Length")).click()
    page.get_by_role("textbox", name="Text").fill(text)
    page.get_by_role("button", name="Save").click()


def test_a_length_is_kept_and_seen_by_others_and_two_changes_are_put_to_the_second(
    open_page: Pages, hospital: Hospital
) -> None:
    [sent] = hospital.send(list(phantoms.study("ct-head", seed=471, slices=3, size=128)))
    page, other = open_page(sent.view()), open_page(sent.view())
    _measurable(page)
    _measurable(other)
    page.keyboard.press("m")
    page.mouse.move(640, 400)
    page.mouse.down()
    page.mouse.move(800, 440, steps=4)
    page.mouse.up()
    expect(_listed(page)).to_have_count(1)
    expect(_listed(page).first).to_contain_text(re.compile(r"\d\.\d\smm"))
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    expect(_listed(other)).to_have_count(1)
    expect(_listed(other).first).to_contain_text(re.compile(r"image 1\b"))

    other.context.set_offline(True)
    _note(other, "theirs, later")
    expect(other.locator(".sign").filter(has_text="Not saved")).to_be_visible()
    _note(page, "first")
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    other.context.set_offline(False)
    dialog = other.get_by_role("dialog", name="Two people changed the same mark")
    expect(dialog).to_contain_text("first")
    dialog.get_by_role("button", name="Mine").click()
    expect(_listed(page).first).to_contain_text("theirs, later")

    page.reload()
    _measurable(page)
    expect(_listed(page).first).to_contain_text("theirs, later")
    page.get_by_role("button", name=re.compile("^Delete Length")).click()
    expect(_listed(other)).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(_listed(other)).to_have_count(1)


def test_a_mark_on_a_prior_beside_is_kept_with_the_prior(open_page: Pages, hospital: Hospital) -> None:
    patient = uuid.uuid4().hex[:12]
    current, prior = generate_uid(), generate_uid()
    made: list[Dataset] = []
    for date, study in (("20260110", current), ("20240305", prior)):
        made += series(
            study=study, frame=generate_uid(), number=1, orientation=AXIAL, first=(0, 0, 0),
            step=(0, 0, 2), count=4, patient=patient, date=date,
        )  # fmt: skip
    sent = {one.study_uid: one for one in hospital.send(made)}

    def kept(study_uid: str) -> int:
        return len(hospital.installation.get(f"/api/studies/{sent[study_uid].id}/marks")["marks"])

    page = open_page(f"/view?study={sent[current].id}")
    expect(page.locator(".pane[data-ready=true]")).to_have_count(2)
    expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()
    page.keyboard.press("m")
    for pane in (0, 1):
        box = page.locator(".pane").nth(pane).bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 60, y)
        page.mouse.down()
        page.mouse.move(x + 60, y + 20, steps=4)
        page.mouse.up()
    until(lambda: (kept(current), kept(prior)) == (1, 1), "one mark in each study")
    expect(_listed(page)).to_have_count(1)
    page.reload()
    expect(page.locator(".pane[data-ready=true]")).to_have_count(2)
    expect(_listed(page)).to_have_count(1)

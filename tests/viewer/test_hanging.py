"""A study hangs as protocols say: beside its prior, mammograms with their chest walls to the middle."""

from __future__ import annotations

import uuid

from playwright.sync_api import expect
from pydicom import Dataset
from pydicom.uid import generate_uid

from radrelay.dicom import phantoms
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital
from tests.viewer.volumes import AXIAL, series


def test_a_ct_stands_beside_its_prior_unless_the_reader_was_quicker(open_page: Pages, hospital: Hospital) -> None:
    patient = uuid.uuid4().hex[:12]
    made: list[Dataset] = []
    current = generate_uid()
    for date, study in (("20260110", current), ("20240305", generate_uid())):
        made += series(
            study=study, frame=generate_uid(), number=1, orientation=AXIAL, first=(0, 0, 0),
            step=(0, 0, 2), count=6, patient=patient, date=date,
        )  # fmt: skip
    sent = next(one for one in hospital.send(made) if one.study_uid == current)
    page = open_page(f"/view?study={sent.id}")
    expect(page.locator(".pane")).to_have_count(2)
    expect(page.locator(".pane[data-ready=true]")).to_have_count(2)
    expect(page.locator(".pane").nth(1)).to_contain_text("Other study, 5 Mar 2024")
    page.goto(hospital.base + sent.view(0))  # a series by name: nothing else is wanted
    ready(page, 0)
    page.wait_for_timeout(1500)
    expect(page.locator(".pane")).to_have_count(1)


def test_a_phone_shows_one_pane(open_page: Pages, hospital: Hospital) -> None:
    [sent] = hospital.send(phantoms.study("mg", seed=977))
    page = open_page(f"/view?study={sent.id}", width=360, height=640, touch=True)
    ready(page, 0)
    page.wait_for_timeout(1500)
    expect(page.locator(".pane")).to_have_count(1)


def test_protocols_are_made_of_what_is_arranged(open_page: Pages, hospital: Hospital) -> None:
    study, frame = generate_uid(), generate_uid()
    shared = {"study": study, "frame": frame, "patient": uuid.uuid4().hex[:12]}
    [sent] = hospital.send(
        [
            *series(number=1, orientation=AXIAL, first=(0, 0, 0), step=(0, 0, 2), count=4, **shared),
            *series(number=2, orientation=AXIAL, first=(0, 0, 0), step=(0, 0, 2), count=4, **shared),
        ]
    )
    hospital.add("ordnerin")
    page = open_page(sent.view(0), username="ordnerin")
    ready(page, 0)
    page.get_by_role("button", name="Layout").click()
    page.get_by_role("button", name="1 × 2").click()
    page.locator("nav button[data-series]").nth(1).drag_to(page.locator(".pane").nth(1))
    expect(page.locator(".pane[data-ready=true]")).to_have_count(2)
    page.get_by_role("button", name="Layout").click()
    page.get_by_role("button", name="Hanging protocols").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add the present arrangement").click()
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_have_count(0)
    page.goto(f"{hospital.base}/view?study={sent.id}")
    expect(page.locator(".pane")).to_have_count(2)
    until(lambda: "Series 2" in page.locator(".pane").nth(1).inner_text(), "the series as it was arranged")


def test_mammograms_lie_with_their_chest_walls_to_the_middle_at_one_scale(open_page: Pages, hospital: Hospital) -> None:
    [sent] = hospital.send(phantoms.study("mg", seed=978))
    page = open_page(f"/view?study={sent.id}")
    expect(page.locator(".pane[data-ready=true]")).to_have_count(2)  # the two views that there are, no empty row
    right, left = page.locator(".pane").nth(0), page.locator(".pane").nth(1)
    expect(right).to_contain_text("R CC")
    expect(left).to_contain_text("L CC")
    expect(right.locator(".edge.right")).to_have_text("P")
    expect(left.locator(".edge.left")).to_have_text("P")
    until(
        lambda: right.locator(".bar").bounding_box()["height"] == left.locator(".bar").bounding_box()["height"],  # type: ignore[index]
        "both scales are those of the panes as they are now",
    )

"""One ID of several people: nobody's pictures are hung, offered or headed as another's, on a desk and on a phone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import combinations

from playwright.sync_api import FloatRect, Locator, Page, expect
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.viewer.conftest import Pages, ready
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.volumes import AXIAL, series

ACCESSION = uuid.uuid4().hex[:12]


def _study(patient: str, name: str, born: str, sex: str, date: str, accession: str = "") -> Iterator[Dataset]:
    slices = series(
        study=generate_uid(), frame=generate_uid(), number=1, orientation=AXIAL, first=(0, 0, 0), step=(0, 0, 2),
        count=2, patient=patient, date=date,
    )  # fmt: skip
    for one in slices:
        one.PatientName, one.PatientBirthDate, one.PatientSex, one.AccessionNumber = name, born, sex, accession
        yield one


def _people(hospital: Hospital) -> tuple[str, str, dict[str, Sent]]:
    """Send Meier and Schulz of one ID, with Vogt who may be Meier, and Kurz and Lang of another and one accession."""
    first, second = uuid.uuid4().hex[:12], uuid.uuid4().hex[:12]
    made = [
        *_study(first, "Meier^Anna", "19600101", "F", "20260901"),
        *_study(first, "Schulz^Bernd", "19790505", "M", "20250901"),
        *_study(first, "Vogt^Anna", "19600101", "F", "20240901"),
        *_study(second, "Kurz^Carla", "19600101", "F", "20260901", ACCESSION),
        *_study(second, "Lang^Dora", "", "F", "20250901", ACCESSION),
    ]
    sent = {one.study_uid: one for one in hospital.send(made)}
    return first, second, {str(one.PatientName).split("^")[0]: sent[one.StudyInstanceUID] for one in made}


def _box(one: Locator) -> FloatRect:
    found = one.bounding_box()
    assert found is not None
    return found


def _apart(*each: Locator) -> None:
    """Check that none of what stands over the picture covers another."""
    for one, other in combinations([_box(one) for one in each], 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        above = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert beside or above, (one, other)


def _choice(page: Page, *names: str) -> None:
    for name in names:
        expect(page.get_by_role("region", name=name)).to_be_visible()
    assert page.locator("section header h2").all_inner_texts() == list(names)


def test_one_id_of_several_people_on_a_desk_and_on_a_phone(open_page: Pages, hospital: Hospital) -> None:
    first, _, sent = _people(hospital)
    page = open_page(f"/view?study={sent['Meier'].id}")
    ready(page, 0)
    strip = page.locator(".strip")
    expect(strip).to_contain_text("Same ID, other name or birth date: may be another person")
    expect(strip).to_contain_text("Vogt, Anna")
    expect(strip).to_contain_text("1 Jan 1960")
    expect(page.locator(".pane")).to_have_count(1)  # what is in doubt is not hung
    expect(page.locator("body")).not_to_contain_text("Schulz")
    page.get_by_role("button", name="Share", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="Vogt, Anna")).to_be_visible()
    expect(dialog).not_to_contain_text("2025")
    page.keyboard.press("Escape")

    strip.get_by_role("button", name="Vogt, Anna").click()
    strip.locator("li.doubtful button[data-series]").click()
    mark, head = page.locator(".stranger"), page.locator("header h1")
    expect(mark).to_contain_text("May be another person: Vogt, Anna")
    expect(head).to_contain_text("Vogt, Anna")
    ready(page, 0)
    page.locator("body").press("m")
    page.keyboard.press("ArrowUp")
    hint = page.locator(".hint")
    expect(hint).to_be_visible()
    _apart(mark, page.locator(".edge.top"), page.locator(".overlay .prior"), hint, page.locator(".overlay .tl"))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(dialog).to_contain_text("Vogt, Anna")  # what is done is done with what the head names
    page.keyboard.press("Escape")

    page.goto(f"{hospital.base}/view?patient={first}")
    _choice(page, "Meier, Anna", "Schulz, Bernd", "Vogt, Anna")

    phone = open_page(f"/view?study={sent['Meier'].id}", width=360, height=640, touch=True)
    ready(phone, 0)
    unchecked = phone.get_by_role("link", name="Display not checked")
    expect(unchecked).to_be_visible()
    phone.get_by_role("button", name="Vogt, Anna").tap()
    phone.locator("li.doubtful button[data-series]").tap()
    mark, head = phone.locator(".stranger"), phone.locator("header h1")
    expect(mark).to_contain_text("May be another person: Vogt, Anna")
    expect(head).to_contain_text("Vogt, Anna")
    expect(head).not_to_contain_text("Meier")
    ready(phone, 0)
    _apart(
        unchecked,
        mark,
        phone.locator(".overlay .prior"),
        phone.locator(".edge.top"),
        head,
        phone.locator(".overlay .date"),
    )
    phone.goto(f"{hospital.base}/view?accession={ACCESSION}")
    _choice(phone, "Kurz, Carla", "Lang, Dora")

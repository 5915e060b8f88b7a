"""What other systems drew lies over the pictures that it belongs to, on a real server in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.dicom.drawn_objects import (
    bytes_of,
    cites,
    content,
    document,
    item,
    measured,
    presentation_state,
    region,
    segmentation,
    slices,
    structure_set,
)
from tests.pages import AXE
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital, Sent

BRIGHT = 60


def drawn_study() -> list[Dataset]:
    """Return a dark CT of five slices with one drawing of each kind."""
    images = slices(5)
    for image in images:
        image.PatientName, image.PatientID = "Zeichner^Zoe", "DRAWN-1"
        image.PixelData = np.full((128, 128), -1000, "<i2").tobytes()
        image.WindowCenter, image.WindowWidth = 40, 400
        if "PixelPaddingValue" in image:
            del image.PixelPaddingValue
        image.SeriesDescription = "Head"
    bits = np.zeros((128, 128), np.uint8)
    bits[4:8, 4:60] = 1
    for tag, vr, value in ((0x10, "US", 128), (0x11, "US", 128), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
                           (0x100, "US", 1), (0x102, "US", 0), (0x1500, "LO", "Side"),
                           (0x3000, "OW", np.packbits(bits, bitorder="little").tobytes())):  # fmt: skip
        images[4].add_new(0x60000000 | tag, vr, value)
    masks = np.zeros((5, 128, 128), np.uint8)
    masks[1:4, 60:100, 60:100] = 1
    masks[2, 20:30, 20:30] = 2
    ring: list[list[float]] = [
        [20.0, 30, 34],
        [40, 30, 34],
        [40, 50, 34],
        [20, 50, 34],
    ]  # columns and rows 20 to 60 of the third slice
    window = item(WindowCenter="50", WindowWidth="350")
    state = presentation_state(
        images, SoftcopyVOILUTSequence=Sequence([window]), ImageRotation=90, ImageHorizontalFlip="N",
        ShutterShape="CIRCULAR", CenterOfCircularShutter=[64, 64], RadiusOfCircularShutter=40,
        ShutterPresentationValue=0xFFFF,
    )  # fmt: skip
    outline = [70.0, 10, 90, 10, 90, 30, 70, 30, 70, 10]
    report = document(
        "88.33", ("126000", "DCM", "Imaging Measurement Report"),
        [measured(("410668003", "SCT", "Length"), 12.5, "mm", [region("POLYLINE", outline, images[1])])],
    )  # fmt: skip
    keys = document(
        "88.59", ("113000", "DCM", "Of Interest"),
        [content("IMAGE", ("121112", "DCM", "Source"), ReferencedSOPSequence=[cites(images[3])])],
    )  # fmt: skip
    drawings = [structure_set(images, [(1, "CLOSED_PLANAR", ring)]), segmentation(images, masks), state, report, keys]
    drawings[0].ROIContourSequence[0].ContourSequence[0].ContourImageSequence = Sequence([cites(images[2])])
    drawings[0].StructureSetROISequence[0].ROIName = "Tumour"
    for one in drawings:
        one.PatientName, one.PatientID = "Zeichner^Zoe", "DRAWN-1"
        one.SeriesDescription = "Results"
    return images + drawings


@pytest.fixture(scope="module")
def sent(hospital: Hospital) -> Sent:
    [found] = hospital.send([bytes_of(one) for one in drawn_study()])
    return found


def view(sent: Sent) -> str:
    ct = next(place for place, one in enumerate(sent.series) if one["modality"] == "CT")
    return sent.view(ct)


def panel(page: Page) -> Locator:
    page.locator("button[aria-expanded]", has=page.locator("svg")).and_(
        page.get_by_role("button", name="Drawings of other systems")
    ).click()
    return page.get_by_role("complementary", name="Drawings")


def colour(page: Page, column: float, row: float) -> list[int]:
    """Return the brightest red, green and blue around an image point of a fitted picture of 128 × 128."""
    found: list[int] = page.locator(".pane canvas").evaluate(
        """(canvas, [x, y]) => {
          const edge = Math.min(canvas.width, canvas.height);
          const at = [(canvas.width - edge) / 2 + x / 128 * edge, (canvas.height - edge) / 2 + y / 128 * edge];
          const data = canvas.getContext('2d').getImageData(at[0] - 3, at[1] - 3, 7, 7).data;
          let best = [0, 0, 0];
          for (let i = 0; i < data.length; i += 4) {
            const one = [...data.slice(i, i + 3)];
            if (one[0] + one[1] + one[2] > best[0] + best[1] + best[2]) best = one;
          }
          return best;
        }""",
        [column, row],
    )
    return found


def is_drawn(page: Page, column: float, row: float) -> bool:
    return max(colour(page, column, row)) > BRIGHT


def go(page: Page, place: int) -> None:
    page.get_by_role("slider", name="Place in the series").fill(str(place))
    ready(page, place)


def test_a_structure_lies_where_the_patient_has_it_and_on_its_slice_alone(open_page: Pages, sent: Sent) -> None:
    page = open_page(view(sent))
    ready(page, 0)
    shown = panel(page)
    shown.get_by_role("checkbox", name="Show Plan A").check()
    go(page, 2)
    until(lambda: is_drawn(page, 40.5, 20.5), "the upper edge of the region")
    red = colour(page, 20.5, 40.5)
    assert red[0] > 200, red
    assert red[1] < 100, red
    assert not is_drawn(page, 40.5, 40.5)
    go(page, 1)
    until(lambda: not is_drawn(page, 40.5, 20.5), "the slice beside to be without it")
    shown.get_by_role("button", name="Go to the first image of Tumour").click()
    ready(page, 2)
    shown.get_by_role("checkbox", name="Show Tumour").uncheck()
    until(lambda: not is_drawn(page, 40.5, 20.5), "the region to be gone")


def test_segments_are_filled_on_their_slices_and_switched_one_by_one(open_page: Pages, sent: Sent) -> None:
    page = open_page(view(sent))
    ready(page, 0)
    shown = panel(page)
    shown.get_by_role("checkbox", name="Show Results").check()
    until(lambda: shown.get_by_role("checkbox", name="Show Part 1").count() == 1, "its segments in the list")
    go(page, 2)
    until(lambda: is_drawn(page, 80, 80) and is_drawn(page, 25, 25), "both segments")
    first, second = colour(page, 80, 80), colour(page, 25, 25)
    assert first[0] > 2 * first[2], first
    assert second[2] > second[0], second
    assert not is_drawn(page, 110, 110)
    shown.get_by_role("checkbox", name="Show Part 1").uncheck()
    until(lambda: not is_drawn(page, 80, 80), "the first segment to be gone")
    assert is_drawn(page, 25, 25)
    shown.get_by_role("slider", name="Opacity of filled areas").fill("0")
    until(lambda: not is_drawn(page, 25, 25), "only the outline to be left")
    assert is_drawn(page, 20, 25)
    go(page, 0)
    until(lambda: not is_drawn(page, 20, 25), "the first slice to be without segments")


def test_measurements_overlays_and_key_images_are_there(open_page: Pages, sent: Sent) -> None:
    page = open_page(view(sent))
    ready(page, 0)
    go(page, 4)
    until(lambda: is_drawn(page, 30, 6), "the overlay, which is part of the image")
    shown = panel(page)
    shown.get_by_role("checkbox", name="Overlays stored with the images").uncheck()
    until(lambda: not is_drawn(page, 30, 6), "the overlay to be gone")
    shown.get_by_role("checkbox", name="Show Imaging Measurement Report").check()
    expect(shown.get_by_text("Length: 12.5 mm")).to_be_visible()
    go(page, 1)
    until(lambda: is_drawn(page, 80, 10) and is_drawn(page, 70, 20), "the outline of the report")
    shown.get_by_role("checkbox", name="Show Of Interest").check()
    shown.get_by_role("button", name="Flagged image 1").click()
    ready(page, 3)


def test_images_are_shown_as_a_presentation_state_says_and_as_before(open_page: Pages, sent: Sent) -> None:
    page = open_page(view(sent))
    ready(page, 0)
    shown = panel(page)
    shown.get_by_role("checkbox", name="Show FINDING").check()
    until(lambda: is_drawn(page, 20, 15), "the circle of the state")
    shown.get_by_role("checkbox", name="Show the images as saved").check()
    until(lambda: colour(page, 5, 64) == [255, 255, 255], "the shutter")
    overlay = page.locator(".overlay")
    until(lambda: "W 350 L 50" in " ".join(overlay.inner_text().split()), "the state's window")
    until(lambda: is_drawn(page, 128 - 15, 20) or colour(page, 113, 20) == [255, 255, 255], "a turn to the right")
    shown.get_by_role("checkbox", name="Show the images as saved").uncheck()
    until(lambda: "W 400 L 40" in " ".join(overlay.inner_text().split()), "the image's own window")
    until(lambda: not is_drawn(page, 5, 64), "the shutter to be gone")


@pytest.mark.parametrize(("width", "height", "language"), [(1440, 900, "en"), (360, 640, "de")])
def test_the_panel_is_for_all_on_a_desk_and_on_a_phone(
    open_page: Pages, sent: Sent, tmp_path: Path, width: int, height: int, language: str
) -> None:
    page = open_page(view(sent), width=width, height=height, language=language, touch=width < 500)
    ready(page, 0)
    page.get_by_role("button", name="Zeichnungen anderer" if language == "de" else "Drawings of other").click()
    shown = page.get_by_role("complementary")
    shown.get_by_role("button", name="Alle zeigen" if language == "de" else "Show all").first.click()
    expect(shown.get_by_text("Part 1")).to_be_visible()
    page.keyboard.press("Tab")
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("() => axe.run(document.querySelector('aside'))")
    assert found["violations"] == [], json.dumps(found["violations"], indent=1)[:3000]
    box = shown.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= height
    assert shown.evaluate("one => one.scrollWidth <= one.clientWidth")
    page.screenshot(path=str(tmp_path / f"drawings-{width}-{language}.png"))
    page.keyboard.press("Escape")
    expect(shown).to_be_hidden()


def test_nothing_of_the_drawings_comes_before_the_first_picture_or_where_there_are_none(
    open_page: Pages, hospital: Hospital
) -> None:
    images = slices(1)
    images[0].StudyInstanceUID, images[0].SeriesInstanceUID, images[0].SOPInstanceUID = "1.2.7", "1.2.7.1", "1.2.7.1.1"
    [plain] = hospital.send([bytes_of(images[0])])
    page = open_page(plain.view())
    ready(page, 0)
    page.wait_for_timeout(500)
    expect(page.get_by_role("button", name="Drawings of other systems")).to_have_count(0)

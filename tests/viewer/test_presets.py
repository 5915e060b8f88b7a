"""Windows by modality and key, tables of the object and of presentation states: what is chosen is what is painted."""

from __future__ import annotations

from typing import Any

import numpy as np
from playwright.sync_api import Page, expect
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ComputedRadiographyImageStorage

from tests.dicom.test_quantities import pet
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.made import CT_IMAGE, image, ramp, sequence, table
from tests.viewer.screen import PIXELS, WATCH

MAMMOGRAM = UID("1.2.840.10008.5.1.4.1.1.1.2")
PET_IMAGE = UID("1.2.840.10008.5.1.4.1.1.128")
MR_IMAGE = UID("1.2.840.10008.5.1.4.1.1.4")


def opened(open_page: Pages, sent: Sent, **how: Any) -> Page:
    page = open_page(sent.view(), script=WATCH, **how)
    ready(page, 0)
    return page


def painted(page: Page) -> list[list[int]]:
    """Return red, green, blue of the first, the middle and the last pixel as they were painted last."""
    found: list[list[int]] = page.evaluate(
        f"""() => {{
          const data = Uint8Array.from(atob(({PIXELS})()), (one) => one.charCodeAt(0));
          const count = data.length / 4;
          return [0, count >> 1, count - 1].map((at) => [...data.slice(4 * at, 4 * at + 3)]);
        }}"""
    )
    return found


def greys(page: Page) -> list[int]:
    return [red for red, _, _ in painted(page)]


def near(page: Page, *wanted: int) -> bool:
    return all(abs(one - other) <= 2 for one, other in zip(greys(page), wanted, strict=True))


def said(page: Page) -> str:
    return " ".join(page.locator(".overlay").inner_text().split())


def entries(page: Page, name: str = "Window presets and numbers") -> list[str]:
    page.get_by_role("button", name=name).click()
    listed = page.get_by_role("group", name=name).get_by_role("button")
    found = [" ".join(one.split()) for one in listed.all_inner_texts()]
    page.keyboard.press("Escape")
    return found


def test_a_pet_is_windowed_by_uptake_and_inverted_by_key(open_page: Pages, hospital: Hospital) -> None:
    said_of = {element.keyword: element.value for element in pet() if element.keyword}
    more = {**said_of, "Modality": "PT", "RescaleSlope": 1, "RescaleIntercept": 0}
    [sent] = hospital.send([image(ramp(0, 50_000, "u2"), study="pet-presets", sop_class=PET_IMAGE, more=more)])
    page = opened(open_page, sent)
    factor = 70_000 / (350e6 * 0.5 ** (3600 / 6586.2))
    middle = 25_000 * factor
    page.keyboard.press("3")  # SUV 0 to 10
    until(lambda: near(page, 0, round(min(middle / 10, 1) * 255), 255 if 50_000 * factor > 10 else 0), "SUV 0 to 10")
    page.keyboard.press("4")
    until(lambda: near(page, 0, round(middle / 20 * 255), round(min(50_000 * factor / 20, 1) * 255)), "SUV 0 to 20")
    page.keyboard.press("5")
    middle_grey, last_grey = round(middle / 20 * 255), round(min(50_000 * factor / 20, 1) * 255)
    until(lambda: near(page, 255, 255 - middle_grey, 255 - last_grey), "inverted grey")
    listed = [" ".join(one.split(" ")[:2]) for one in entries(page)]
    assert listed[1:5] == ["SUV 0–5", "SUV 0–7", "SUV 0–10", "SUV 0–20"]


def test_a_mammogram_is_seen_through_its_own_tables_and_windows_by_name(open_page: Pages, hospital: Hospital) -> None:
    straight, falling = np.arange(4096), np.arange(4095, -1, -1)
    tables = [*table(0, straight, 12, LUTExplanation="NORMAL"), *table(0, falling, 12, LUTExplanation="HARDER")]
    more = {"Modality": "MG", "VOILUTSequence": tables, "WindowCenter": [1000, 2000], "WindowWidth": [2000, 100],
            "WindowCenterWidthExplanation": ["DICHT", "IMPLANT"]}  # fmt: skip
    pixels = ramp(0, 4095, "u2")
    [sent] = hospital.send([image(pixels, study="mg-presets", stored=12, sop_class=MAMMOGRAM, more=more)])
    page = opened(open_page, sent, language="de")
    until(lambda: near(page, 0, 127, 255), "its first table")
    listed = entries(page, "Fensterung: Vorgaben und Zahlen")
    assert listed[0].startswith("Wie gesendet NORMAL")
    assert [one.split(" ")[0] for one in listed[1:6]] == ["HARDER", "DICHT", "IMPLANT", "Ganzer", "An"]
    page.keyboard.press("1")
    until(lambda: near(page, 255, 127, 0), "the second table")
    until(lambda: "HARDER" in said(page), "its name")
    page.keyboard.press("2")
    until(lambda: near(page, 0, 255, 255), "the first window")
    page.keyboard.press("0")
    until(lambda: near(page, 0, 127, 255), "as sent")


def test_an_mr_has_ranges_and_steps_and_a_ct_keeps_its_keys(open_page: Pages, hospital: Hospital) -> None:
    brain = {"Modality": "MR", "WindowCenter": [500, 300], "WindowWidth": [1000, 200],
             "WindowCenterWidthExplanation": ["ALGO1", "ALGO2"]}  # fmt: skip
    [sent] = hospital.send([image(ramp(0, 1000, "u2"), study="mr-presets", sop_class=MR_IMAGE, more=brain)])
    page = opened(open_page, sent)
    page.keyboard.press("1")
    until(lambda: "W 200 L 300" in said(page), "the object's second window")
    page.keyboard.press("2")
    until(lambda: "W 1,000 L 500" in said(page), "the whole range")
    page.keyboard.press("4")
    until(lambda: "W 800 L 500" in said(page), "narrower")
    page.get_by_role("button", name="Window presets and numbers").click()
    page.get_by_role("button", name="Wider").click()
    page.get_by_role("button", name="Wider").click()  # the list stays for steps
    until(lambda: "W 1,250 L 500" in said(page), "wider twice")
    chest = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU",
             "WindowCenter": [40, 300], "WindowWidth": [400, 1500]}  # fmt: skip
    [ct] = hospital.send([image(ramp(0, 4000, "u2"), study="ct-presets", sop_class=CT_IMAGE, more=chest)])
    page = opened(open_page, ct)
    for key, window in (("2", "W 1,500 L −600"), ("4", "W 80 L 40"), ("9", "W 215 L 75"), ("0", "W 400 L 40")):
        page.keyboard.press(key)
        until(lambda window=window: window in said(page), window)  # type: ignore[misc]


def state_of(target: Dataset, sop_class: str, **more: Any) -> Dataset:
    """Return a presentation state over an image, without any pixels of its own."""
    state = image(ramp(0, 1, "u2"), study="unused", sop_class=UID(sop_class))
    for name in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
                 "SamplesPerPixel", "PhotometricInterpretation"):  # fmt: skip
        delattr(state, name)
    cited = sequence(ReferencedSOPClassUID=target.SOPClassUID, ReferencedSOPInstanceUID=target.SOPInstanceUID)
    series = sequence(SeriesInstanceUID=target.SeriesInstanceUID, ReferencedImageSequence=Sequence(cited))
    state.StudyInstanceUID, state.Modality = target.StudyInstanceUID, "PR"
    state.ContentLabel, state.ContentDescription, state.ContentCreatorName = "TABLES", "", "Anna"
    state.PresentationCreationDate, state.PresentationCreationTime = "20260203", "101112"
    state.ReferencedSeriesSequence = Sequence(series)
    for name, value in more.items():
        setattr(state, name, value)
    return state


def test_the_tables_and_colours_of_a_state_are_applied_and_given_back(open_page: Pages, hospital: Hospital) -> None:
    shown = image(ramp(0, 255, "u1"), study="states", sop_class=ComputedRadiographyImageStorage,
                  more={"Modality": "CR", "PhotometricInterpretation": "MONOCHROME1"})  # fmt: skip
    grey = state_of(
        shown, "1.2.840.10008.5.1.4.1.1.11.1", RescaleSlope=1, RescaleIntercept=0, RescaleType="US",
        SoftcopyVOILUTSequence=Sequence(sequence(VOILUTSequence=Sequence(table(0, np.arange(256), 8)))),
        PresentationLUTSequence=Sequence(table(0, np.array([0, 255, 0]), 8)),
    )  # fmt: skip
    palette = {
        f"{name}PaletteColorLookupTable{part}": value
        for name, ends in (("Red", [0, 65535]), ("Green", [0, 0]), ("Blue", [65535, 0]))
        for part, value in (("Descriptor", [2, 0, 16]), ("Data", np.array(ends, "<u2").tobytes()))
    }
    colours = state_of(shown, "1.2.840.10008.5.1.4.1.1.11.3", **palette)
    colours.ContentLabel = "COLOURS"
    [sent] = hospital.send([shown, grey, colours])
    place = next(place for place, one in enumerate(sent.series) if one["modality"] == "CR")
    page = open_page(sent.view(place), script=WATCH)
    ready(page, 0)
    until(lambda: near(page, 255, 127, 0), "low values are bright")
    page.get_by_role("button", name="Drawings of other systems").click()
    panel = page.get_by_role("complementary", name="Drawings")
    panel.get_by_role("checkbox", name="Show TABLES").check()
    panel.get_by_role("checkbox", name="Show the images as saved").check()
    until(lambda: near(page, 0, 255, 0), "dark at both ends, whatever the image's own polarity is")
    expect(panel.get_by_text("is not applied")).to_have_count(0)
    panel.get_by_role("checkbox", name="Show the images as saved").uncheck()
    until(lambda: near(page, 255, 127, 0), "as before")
    panel.get_by_role("checkbox", name="Show TABLES").uncheck()
    panel.get_by_role("checkbox", name="Show COLOURS").check()
    panel.get_by_role("checkbox", name="Show the images as saved").check()
    until(lambda: painted(page)[0] == [0, 0, 255] and painted(page)[2] == [255, 0, 0], "from blue to red")

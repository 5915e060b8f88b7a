"""A perfusion from the scanner to its page: sent to PERFUSION, analysed, looked at, its artery moved and run again."""

from __future__ import annotations

import copy
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from radrelay.analysis.images.phantom_files import Naming, datasets, lesion
from tests.pages import violations
from tests.system.installation import tool
from tests.system.installation import until as come
from tests.viewer.conftest import Pages, until
from tests.viewer.hospital import Hospital

MAPS = ["Mean", "CBF", "CBV", "MTT", "TTP", "Tmax"]
ALLOWED_S = 90.0
SLICES = 5
RECIPE = lesion(modality="CT", noise=3.0, seed=7, pixels=96, slices=SLICES, frames=40)
SERIES = {
    *(f"Perfusion {name}" for name in (*MAPS[1:], "mean image", "core and Tmax > 6 s", "summary", "summary (PDF)")),
    *(f"Perfusion {name} (values, for research use)" for name in MAPS[1:]),
    "Perfusion segmentation (for research use)", "Perfusion report (for research use)",
}  # fmt: skip
OPAQUE = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}"""


@dataclass
class Arrived:
    """The study, how long it took from its last image to its results, and the run."""

    study_id: str
    seconds: float
    run: dict[str, Any]


def ended(hospital: Hospital, run_id: str) -> dict[str, Any]:
    """Wait until a run is over."""
    address = f"/api/analysis-runs/{run_id}"

    def over() -> dict[str, Any] | None:
        run: dict[str, Any] = hospital.installation.get(address)
        return run if run["state"] not in ("waiting", "running") else None

    found = come(over, "the run to end", ALLOWED_S)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def arrived(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    folder: Path = tmp_path_factory.mktemp("perfusion")
    study_uid = ""
    for number, one in enumerate(datasets(RECIPE, Naming(patient_name="Beispiel^Paula", key="page"))):
        one.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)
        study_uid = str(one.StudyInstanceUID)
    house = hospital.installation
    house.send("PUT", "/api/analyses/perfusion", {"enabled": True})
    tool("storescu", "-aec", "PERFUSION", "+sd", "localhost", house.dicom_port, folder)
    sent = time.monotonic()
    study = house.wait_study(study_uid, SLICES * 40)
    runs = come(lambda: house.get(f"/api/studies/{study['id']}/analyses"), "the run to begin", ALLOWED_S)
    run = ended(hospital, runs[0]["id"])
    return Arrived(study["id"], time.monotonic() - sent, run)


def test_what_is_sent_to_perfusion_carries_its_results_within_a_minute_and_a_half(
    hospital: Hospital, arrived: Arrived
) -> None:
    assert arrived.run["state"] == "done", arrived.run
    assert arrived.seconds < ALLOWED_S
    assert (arrived.run["asked_kind"], arrived.run["asked_by"]) == ("ae-title", "PERFUSION")
    series = hospital.installation.get(f"/api/studies/{arrived.study_id}")["series"]
    assert {one["description"] for one in series} == {"Perfusion 4D", *SERIES}
    found = hospital.installation.get(f"/api/analysis-runs/{arrived.run['id']}/findings")
    assert found["core_ml"] > 5
    assert found["late_ml"]["6"] > found["core_ml"]


def opened(open_page: Pages, run_id: str, **how: Any) -> Page:
    page = open_page(f"/analysis?run={run_id}", **how)
    expect(page.locator(".maps figure")).to_have_count(len(MAPS))
    pictures = page.locator(".maps img")
    expect(pictures).to_have_count(len(MAPS))
    wide = "(all) => all.every((one) => one.complete && one.naturalWidth > 0)"
    until(lambda: pictures.evaluate_all(wide), "the pictures of all maps")
    return page


def slices_shown(page: Page) -> list[str]:
    return [re.sub(r"\D+", " ", one.get_attribute("alt") or "").strip() for one in page.locator(".maps img").all()]


def outlined(page: Page) -> int:
    found: int = page.locator(".maps canvas").first.evaluate(OPAQUE)
    return found


def test_maps_stand_side_by_side_and_scroll_together(open_page: Pages, arrived: Arrived) -> None:
    page = opened(open_page, arrived.run["id"])
    assert [one.split(" ")[0] for one in page.locator(".maps figcaption").all_inner_texts()] == MAPS
    legends = " ".join(page.locator(".maps figcaption").all_inner_texts())
    for unit in ("HU", "mL/100 g/min", "mL/100 g", "s"):
        assert unit in legends
    tops = {round(box["y"]) for one in page.locator(".maps figure").all() if (box := one.bounding_box())}
    assert len(tops) < len(MAPS)
    page.get_by_role("slider").fill("1")
    until(lambda: set(slices_shown(page)) == {"2 5"}, "slice 2 in all panes")
    pane = page.locator(".maps .pane").nth(3)
    pane.hover()
    page.mouse.wheel(0, 100)
    until(lambda: set(slices_shown(page)) == {"3 5"}, "slice 3 in all panes")
    page.locator("h1").click()  # away from the slider, whose keys are the browser's
    page.keyboard.press("ArrowUp")
    until(lambda: set(slices_shown(page)) == {"2 5"}, "slice 2 again")


def test_core_and_late_tissue_are_laid_upon_the_maps_and_taken_off(open_page: Pages, arrived: Arrived) -> None:
    page = opened(open_page, arrived.run["id"])
    both = outlined(page)
    page.get_by_label("Infarct core").uncheck()
    page.get_by_label("Delayed").select_option("10")
    until(lambda: 0 < outlined(page) < both, "less laid upon the maps")
    page.get_by_label("Delayed").select_option("")
    until(lambda: outlined(page) == 0, "nothing laid upon the maps")


def said(part: Locator) -> str:
    return part.inner_text()


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("de", 1440), ("en", 360), ("de", 360)])
def test_the_page_tells_volumes_curves_motion_warnings_and_what_it_is_for(
    open_page: Pages, arrived: Arrived, language: str, width: int
) -> None:
    page = opened(open_page, arrived.run["id"], width=width, language=language)
    text = said(page.locator("main"))
    wanted = {
        "en": ["For research use, not a certified medical device", "Infarct core", "Mismatch volume", "Mismatch ratio",
               "Tmax > 10 s", "The scanned slab is only 40 mm high", "Artery (AIF)", "Vein (VOF)", "Motion"],
        "de": ["Nur für Forschungszwecke, kein zertifiziertes Medizinprodukt", "Infarktkern", "Mismatch-Volumen",
               "Mismatch-Verhältnis", "Tmax > 10 s", "Der aufgenommene Block ist nur 40 mm hoch", "Arterie (AIF)",
               "Vene (VOF)", "Bewegung"],
    }[language]  # fmt: skip
    assert [one for one in wanted if one not in text] == []
    expect(page.locator("svg polyline")).to_have_count(4)  # artery and vein; shift and turn
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert violations(page, "main") == []


def test_an_artery_that_is_moved_is_run_again_and_both_results_stand(
    open_page: Pages, hospital: Hospital, arrived: Arrived
) -> None:
    page = opened(open_page, arrived.run["id"])
    before = hospital.installation.get(f"/api/analysis-runs/{arrived.run['id']}/findings")
    at, row, column = before["vein"]["places"][0]  # surely a vessel, and surely not the artery that was found
    page.get_by_role("button", name="Move the artery").click()
    page.get_by_role("slider").fill(str(at))
    pane = page.locator(".maps .pane").first
    box = pane.bounding_box()
    assert box
    pane.click(position={
        "x": (column + 0.5) / before["columns"] * box["width"], "y": (row + 0.5) / before["rows"] * box["height"]
    })  # fmt: skip
    expect(page.get_by_text(f"Chosen in slice {at + 1}.")).to_be_visible()
    page.get_by_role("button", name="Run again").click()
    until(lambda: arrived.run["id"] not in page.evaluate("() => location.href"), "the new run's page")
    run_id = page.evaluate("() => new URLSearchParams(location.search).get('run')")
    run = ended(hospital, run_id)
    assert (run["state"], run["rerun_of"]) == ("done", arrived.run["id"]), run
    found = hospital.installation.get(f"/api/analysis-runs/{run_id}/findings")
    assert {tuple(one) for one in found["artery"]["places"]} <= {
        (at, row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)
    }
    expect(page.locator(".maps figure")).to_have_count(len(MAPS), timeout=30_000)
    expect(page.get_by_label("Runs").locator("option")).to_have_count(2)


def test_a_refusal_stands_on_the_page_and_fits_a_phone(open_page: Pages, hospital: Hospital, arrived: Arrived) -> None:
    house = hospital.installation
    twice, study_uid = [], ""
    for one in datasets(replace(RECIPE, shape=(2, 96, 96)), Naming(key="twice")):
        study_uid = str(one.StudyInstanceUID)
        twice.append(copy.deepcopy(one))
        one.SeriesInstanceUID, one.SOPInstanceUID = f"{study_uid[:40]}.1", f"{one.SOPInstanceUID[:58]}.1"
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        twice.append(one)
    [sent] = hospital.send(twice)
    run = house.send("POST", f"/api/studies/{sent.id}/analyses", {"kind": "perfusion"})
    assert ended(hospital, run["id"])["reason"]["code"] == "perfusion-series-ambiguous"
    page = open_page(f"/analysis?run={run['id']}", width=360, language="de")
    expect(page.get_by_role("alert")).to_contain_text("Mehrere Serien könnten die Perfusion sein")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")

"""What a study holds beyond plain pictures, as somebody sees it in the reading room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.frontend.conftest import browser  # noqa: F401 - a fixture
from tests.viewer.contents_room import DATA, Room, build_harness, served, violations
from tests.web.conftest import (
    WebSite,
    site,  # noqa: F401 - a fixture
)

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the collection of real files is not here")


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_harness(tmp_path_factory.mktemp("parts"))


@pytest.fixture
def room(site: WebSite, static: Path, browser: Browser) -> Iterator[Room]:  # noqa: F811 - fixtures
    complaints: list[str] = []
    with served(site, static) as address:
        opened = Room(site, site.login("anna"), address, browser, complaints, [])
        yield opened
        for context in opened.contexts:
            context.close()
    assert complaints == []


def test_a_report_reads_as_a_text(room: Room) -> None:
    (report,) = room.take(DATA / "misc" / "pydicom-wheel" / "test-SR.dcm")
    page = room.open(report)
    expect(page.get_by_role("heading", name="Diagnosis")).to_be_visible()
    expect(page.get_by_text("Verified", exact=True)).to_be_visible()
    expect(page.get_by_text("Riesmeier, Jörg · OFFIS e.V. · 13 Feb 2001 18:47")).to_be_visible()
    expect(page.get_by_text("Inferred Sample Text")).to_be_visible()
    expect(page.get_by_text("DateTime 6 Dec 2000 12:00")).to_be_visible()
    assert violations(page) == []


def test_a_report_flows_where_its_author_wrote_running_text(room: Room) -> None:
    (report,) = room.take(DATA / "codecs" / "cornerstone-dicomParser" / "deflate" / "report_dfl")
    page = room.open(report, language="de", width=360, height=640)
    expect(page.get_by_text("Nicht bestätigt")).to_be_visible()
    text = page.locator("article p.text").first.inner_text()
    assert "referred by Fukuda, Dr. was also seen by Mason, Dr. at the Redlands Clinic. He has been" in text
    expect(page.get_by_role("heading", name="Consultation Report")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def test_measurements_of_a_report_stand_in_a_table_and_lead_to_their_image(room: Room) -> None:
    found = room.take(
        DATA / "seg-sr-wsi" / "highdicom" / "sr_document.dcm", DATA / "misc" / "pydicom-wheel" / "CT_small.dcm"
    )
    kinds = {one["instance"]: room.anna.http.get(f"/api/instances/{one['instance']}/report") for one in found}
    (report,) = [one for one in found if kinds[one["instance"]].status_code == 200]
    (image,) = [one for one in found if kinds[one["instance"]].status_code == 404]
    page = room.open(report)
    row = page.get_by_role("row", name="Area of defined region")
    expect(row).to_contain_text("1.7\u00a0cm²")
    link = page.get_by_role("link", name="Image 1").first
    address = link.get_attribute("href") or ""
    assert f"series={image['series']}" in address
    assert f"instance={image['instance']}" in address

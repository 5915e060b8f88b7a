"""Importing from the browser: files, folders, drops; progress, findings, broken lines, cancelling."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, until, where

CARD = "article[data-state]"


def _folder(root: Path, count: int, size: int = 4_000) -> Path:
    folder = root / "CD Radiologie Süd"
    (folder / "DICOM" / "S1").mkdir(parents=True)
    for number in range(count):
        (folder / "DICOM" / "S1" / f"IM{number:04}").write_bytes(bytes(size))
    (folder / "LIESMICH.txt").write_text("viewer on this disc")
    (folder / ".DS_Store").write_bytes(b"junk")
    return folder


def _pick_folder(page: Page, folder: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(folder)


def test_folder_is_sent_with_its_paths_and_findings_are_shown(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    page = open_page("/import")
    _pick_folder(page, _folder(tmp_path, 150))
    card = page.locator(CARD)
    expect(card).to_have_attribute("data-state", "done")
    expect(card).to_contain_text("CD Radiologie Süd")
    expect(card).to_contain_text("151 of 151 files")
    names = site.world.office.parcels[0]["names"]
    assert "CD Radiologie Süd/DICOM/S1/IM0000" in names
    assert len(names) == 151
    card.locator("summary").click()
    expect(card).to_contain_text("Named like a DICOM file, but it is none.")


def test_drop_anywhere_leads_to_the_import_page(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    expect(page.locator("[data-study]").first).to_be_visible()
    transfer = page.evaluate_handle(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(5000)], 'Vorbilder.zip', { type: 'application/zip' }));
          return transfer;
        }"""
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop to import")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(page.locator(CARD)).to_contain_text("Vorbilder.zip")
    expect(page.locator(CARD)).to_have_attribute("data-state", "done")
    until(lambda: where(page).endswith("/import"), "the address")


def test_refused_file_is_named_and_its_neighbours_are_kept(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    for name in ("a.dcm", "b.exe", "c.dcm"):
        (tmp_path / name).write_bytes(bytes(100))
    page = open_page("/import")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files([tmp_path / name for name in ("a.dcm", "b.exe", "c.dcm")])
    card = page.locator(CARD)
    expect(card).to_have_attribute("data-state", "done")
    card.locator("summary").click()
    expect(card).to_contain_text("b.exe is not taken.")
    assert sorted(site.world.office.parcels[0]["names"]) == ["a.dcm", "c.dcm"]


def test_broken_line_is_waited_out_and_nothing_is_lost(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    site.world.refuse_uploads = 6
    page = open_page("/import")
    _pick_folder(page, _folder(tmp_path, 12))
    expect(page.locator(CARD)).to_have_attribute("data-state", "done")
    assert len(site.world.office.parcels[0]["names"]) == 13


def test_cancelled_upload_stops_and_says_what_stays(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    site.world.put_delay_s = 0.3
    page = open_page("/import")
    _pick_folder(page, _folder(tmp_path, 60))
    card = page.locator(CARD)
    until(lambda: len(site.world.office.parcels[0].get("names", [])) > 4, "some files")
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_have_attribute("data-state", "cancelled")
    expect(card).to_contain_text("stay")
    sent = len(site.world.office.parcels[0]["names"])
    until(lambda: site.world.office.parcels[0]["state"] == "done", "the parcel is closed")
    page.wait_for_timeout(600)  # twice as long as a file takes
    assert len(site.world.office.parcels[0]["names"]) <= min(sent + 8, 59)  # what was under way at the most


def test_what_arrives_elsewhere_shows_its_progress_in_the_list(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    expect(page.get_by_text("CD Praxis Dr. Öztürk")).to_be_visible()
    site.world.office.parcels[0]["state"] = "done"
    site.world.changed.add("parcels")
    expect(page.get_by_text("CD Praxis Dr. Öztürk")).to_be_hidden()

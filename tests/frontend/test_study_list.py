"""The study list: searching, sorting, scrolling on, watching studies arrive, acting on them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, until, where
from tests.frontend.fake_data import make_studies, make_study

ROWS = "[data-study]"


def _rows(page: Page) -> int:
    return page.locator(ROWS).count()


def test_search_by_parts_finds_names_in_any_script(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    for text, shown in (("müll", "Müller, Anna-Luise"), ("山田", "Yamada, Tarou"), ("Ελένη", "Παπαδοπούλου")):
        page.locator("#study-search").fill(text)
        expect(page.locator(ROWS).first).to_contain_text(shown)
        expect(page.get_by_text("2 studies")).to_be_visible()
    page.locator("#study-search").fill("gibt es nicht")
    expect(page.get_by_text("No study matches")).to_be_visible()


def test_filters_come_back_after_a_reload_and_no_address_names_a_patient(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    expect(page.locator(ROWS).first).to_be_visible()
    page.get_by_role("button", name="MG").click()
    page.get_by_role("button", name="7 days").click()
    page.locator("input[name=patient_id]").fill("P1000")
    until(lambda: "modality=MG" in where(page), "the address")
    expect(page.locator(ROWS)).to_have_count(1)
    assert "P1000" not in where(page)
    page.reload()
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator("input[name=patient_id]")).to_have_value("P1000")
    expect(page.get_by_role("button", name="MG")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Clear search").click()
    expect(page.get_by_text("20 studies")).to_be_visible()


def test_sorting_by_column_turns_round(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    head = page.get_by_role("columnheader", name="Patient")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    until(lambda: site.world.queries[-1]["sort"] == "-name", "the server is asked")


def test_the_order_is_kept_in_the_address_and_a_phone_offers_every_order(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    for column, order in (("Patient", "name"), ("Study", "-study_date"), ("Received", ""), ("Received", "received"),
                          ("Expires", "expires")):  # fmt: skip
        button = page.get_by_role("columnheader", name=column, exact=False).first.get_by_role("button")
        button.click()
        expect(page.get_by_label("Order")).to_have_value(order or "-received")
        until(lambda wanted=order: where(page).partition("?sort=")[2] == wanted, "the address")  # type: ignore[misc]
    page.reload()
    expect(page.get_by_role("columnheader", name="Expires")).to_have_attribute("aria-sort", "ascending")
    until(lambda: site.world.queries[-1]["sort"] == "expires", "the server is asked for it")
    phone = open_page("/?sort=-expires", width=360, height=740, language="de", touch=True)
    phone.get_by_role("button", name="Filter").click()
    expect(phone.get_by_label("Reihenfolge")).to_have_value("-expires")


def test_scrolling_on_brings_all_studies_once(open_page: OpenPage, site: Site) -> None:
    site.world.studies = make_studies(140)
    page = open_page("/")
    expect(page.locator(ROWS)).to_have_count(60)

    def all_of_them() -> bool:
        page.mouse.wheel(0, 4000)
        return _rows(page) == 140

    until(all_of_them, "all rows")
    ids = page.locator(ROWS).evaluate_all("rows => rows.map(row => row.dataset.study)")
    assert len(set(ids)) == 140


def test_arriving_study_shows_by_itself_and_counts_up(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    expect(page.locator(ROWS).first).to_contain_text("Arriving")
    until(lambda: page.evaluate("() => document.getAnimations().length") == 0, "no motion for whom it disturbs")
    first = site.world.studies[0]
    fresh = make_study(900, datetime.now(UTC))
    fresh.row |= {"last_received_at": "2999-01-01T00:00:00Z", "state": "arriving", "instance_count": 1234}
    first.row["state"] = "complete"
    site.world.studies.append(fresh)
    site.world.changed.add("studies")
    expect(page.locator(ROWS).first).to_contain_text("1,234")
    expect(page.get_by_text("21 studies")).to_be_visible()


def test_expiry_is_shown_with_its_nearness(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    imminent = page.locator(ROWS).nth(4).locator(".expiry")
    expect(imminent).to_have_class(re.compile("imminent"))
    expect(page.locator(ROWS).nth(5).locator(".expiry")).to_have_class(re.compile("near"))
    expect(page.locator(ROWS).nth(3)).to_contain_text("Held")
    expect(page.locator(ROWS).nth(7)).to_contain_text("Until deleted")


def _choose(page: Page, row: int, entry: str) -> None:
    page.locator(ROWS).nth(row).get_by_role("button", name="Actions for").click()
    page.get_by_role("menuitem", name=entry).click()


def test_deleting_asks_first_and_takes_the_row_away(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    doomed = site.world.studies[1].row["id"]
    _choose(page, 1, "Delete")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Groß, Dr. Jürgen")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert site.world.study(doomed)
    _choose(page, 1, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The study is deleted.")).to_be_visible()
    expect(page.locator(f"[data-study='{doomed}']")).to_have_count(0)
    assert site.world.study(doomed) is None


def test_holding_sends_until_and_reason(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    _choose(page, 2, "Hold")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("30 days from now").check()
    dialog.get_by_label("Reason").fill("Tumorboard")
    dialog.get_by_role("button", name="Hold").click()
    expect(dialog).to_be_hidden()
    held = site.world.holds[site.world.studies[2].row["id"]]
    assert held["reason"] == "Tumorboard"
    assert held["until"].endswith("Z")
    expect(page.locator(ROWS).nth(2)).to_contain_text("Held")


def test_sending_to_a_destination(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    _choose(page, 1, "Send")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("PACS Nord").click()
    dialog.get_by_role("button", name="Send").click()
    expect(page.get_by_text("On its way")).to_be_visible()
    wanted = {"study_id": site.world.studies[1].row["id"], "destination_id": "dest-1"}
    until(lambda: ("POST /api/deliveries", wanted) in site.world.office.calls, "the delivery")


def test_download_and_details(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    with page.expect_download() as download:
        _choose(page, 1, "Download")
    assert download.value.suggested_filename == "study.zip"
    _choose(page, 1, "Details")
    sheet = page.get_by_role("dialog")
    expect(sheet).to_contain_text("Überweisung.pdf")
    expect(sheet).to_contain_text("Abdomen cine")
    sheet.get_by_role("button", name="To DICOM").click()
    expect(page.get_by_text("now part of the study")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_keyboard_alone_finds_and_opens(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    expect(page.locator(ROWS).first).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#study-search")).to_be_focused()
    page.locator(f"{ROWS} a.open").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"{ROWS} a.open").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    until(lambda: "/view?study=" in where(page), "the viewer")
    page.get_by_role("button", name="Back to the list").click()
    until(lambda: where(page).endswith("/"), "back again")


def test_phone_shows_cards_and_a_filter_that_unfolds(open_page: OpenPage, site: Site) -> None:
    page = open_page("/", width=360, height=640, touch=True)
    expect(page.locator(f"li{ROWS}").first).to_contain_text("Müller, Anna-Luise")
    expect(page.locator("input[name=patient_id]")).to_be_hidden()
    page.get_by_role("button", name="Filter").tap()
    page.locator("input[name=patient_id]").fill("P10003")
    expect(page.locator(ROWS)).to_have_count(1)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("action", ["Send", "Hold", "Delete"])
def test_a_dialog_that_acts_on_a_study_says_whose_it_is_beyond_the_name(
    open_page: OpenPage, site: Site, action: str
) -> None:
    page = open_page("/")
    row = page.locator(ROWS).first
    patient = site.world.study(row.get_attribute("data-study") or "")
    assert patient is not None
    row.get_by_role("button").click()
    page.get_by_role("menuitem", name=action).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(patient.row["patient"]["id"])
    expect(dialog).to_contain_text(patient.row["patient"]["birth_date"][:4])

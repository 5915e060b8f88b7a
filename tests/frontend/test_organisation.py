"""The page of one's own organisation: where its data are kept, and agreements that are entered and ended."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled
from tests.pages import violations


def test_a_region_is_said_and_agreements_are_entered_and_ended_on_a_phone(open_page: OpenPage, site: Site) -> None:
    world = site.world.organisation
    page = open_page("/organisation", width=360, height=740)
    main, dialog = page.locator("main"), page.get_by_role("dialog")
    expect(main).to_contain_text("Praxis am See")
    expect(main).to_contain_text("Ended: Die Konferenz findet nicht mehr statt.")
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.get_by_label("Data are kept in").select_option("AT")
    expect(page.get_by_text("The region is kept.")).to_be_visible()
    assert world.calls[0] == ("PUT", {"region": "AT"})
    page.get_by_role("button", name="Enter an agreement").click()
    dialog.locator("select[name=kind]").select_option("baa")
    for name, value in (("party", "Clinic North"), ("purpose", "keeps images"), ("signed_on", "2026-01-15")):
        dialog.locator(f"input[name={name}]").fill(value)
    settled(page, site)
    assert violations(page) == []
    dialog.get_by_role("button", name="Enter an agreement").click()
    expect(page.locator("[data-agreement]")).to_have_count(3)
    wanted = {"kind": "baa", "party": "Clinic North", "purpose": "keeps images", "signed_on": "2026-01-15",
              "ends_on": None, "document": ""}  # fmt: skip
    assert world.calls[1] == ("POST", wanted)
    page.get_by_role("button", name="End the agreement with Clinic North").click()
    dialog.locator("input[name=ended_on]").fill("2026-06-30")
    dialog.locator("input[name=why]").fill("they have left")
    dialog.get_by_role("button", name="End", exact=True).click()
    expect(page.locator("[data-agreement=ag-3]")).to_contain_text("Ended: they have left")
    expect(page.get_by_role("button", name="End the agreement with Clinic North")).to_have_count(0)

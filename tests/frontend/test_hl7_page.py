"""The page HL7: how it goes with connections, messages found and worked on again, a mapping tried, on a phone."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled
from tests.pages import violations


def test_messages_are_found_shown_and_worked_on_again_and_a_mapping_is_tried(open_page: OpenPage, site: Site) -> None:
    page = open_page("/hl7", width=360, height=740, language="de")
    world = site.world.hl7
    expect(page.locator("[data-connection=KIS]")).to_contain_text("1 gescheitert")
    expect(page.locator("[data-connection=RIS]")).to_contain_text("2 warten")
    expect(page.locator("[data-message]")).to_have_count(2)
    page.locator("select[name=state]").select_option("failed")
    page.locator("input[name=text]").fill("4711")
    page.get_by_role("button", name="Suchen").click()
    expect(page.locator("[data-message]")).to_have_count(1)
    assert world.asked[-1] == {"text": "4711", "state": "failed"}
    page.get_by_role("button", name="Anzeigen").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("PID|1||4711^^^KLINIK^PI||Müller^Anna")
    settled(page, site)
    assert violations(page) == []
    dialog.get_by_role("button", name="Noch einmal bearbeiten").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert world.replayed == ["m-2"]
    page.get_by_role("button", name="Zuordnung ausprobieren").click()
    dialog.locator("textarea[name=text]").fill("MSH|^~\\&|KIS")
    dialog.locator("form").get_by_role("button", name="Ausprobieren").click()
    expect(dialog).to_contain_text("MSA|AA|9")
    assert world.tried == [{"text": "MSH|^~\\&|KIS", "port": "KIS", "mapping": ""}]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360

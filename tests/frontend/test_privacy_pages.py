"""The pages of privacy: a text is accepted before anything else, promises stand as they are, texts show no markup."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled, until
from tests.frontend.fake_privacy import TEXT
from tests.pages import violations


def test_the_notice_is_accepted_before_anything_else_and_promises_stand_as_they_are(
    open_page: OpenPage, site: Site
) -> None:
    site.world.must_accept = True
    page = open_page("/promises", width=360, height=740, language="de", touch=True)
    expect(page.get_by_role("heading", name="Bevor es weitergeht")).to_be_visible()
    expect(page.get_by_text("<b>kein Markup</b>")).to_be_visible()
    expect(page.get_by_role("link", name="hier")).to_have_attribute("href", "https://k.example")
    go = page.get_by_role("button", name="Annehmen und weiter")
    expect(go).to_be_disabled()
    settled(page, site)
    assert violations(page) == []
    page.get_by_label("Ich habe die Datenschutzhinweise gelesen.").check()
    go.click()
    expect(page.get_by_text("Eine Zusage ist gebrochen.")).to_be_visible()
    sent = {"texts": [{"id": TEXT["id"], "sha256": TEXT["sha256"]}], "language": "de"}
    until(lambda: ("POST /api/privacy/acceptances", sent) in site.world.office.calls, "the acceptance")
    expect(page.locator("[data-subject=backup]")).to_contain_text("gebrochen")
    expect(page.locator("[data-subject=mirror]")).to_contain_text("ansehen")
    expect(page.get_by_role("row", name="Upload")).to_contain_text("noch da")
    settled(page, site)
    assert violations(page) == []
    page.goto(site.address + "/privacy")
    expect(page.locator("[data-text=notice]")).to_contain_text("von 17 Personen angenommen")
    expect(page.locator("[data-text=notice]")).to_contain_text("haben sich seit der Veröffentlichung geändert")
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360

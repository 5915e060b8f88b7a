"""A link that asks for a code by e-mail, on a phone: while the mail server is away, mistyped, and opened."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, has_picture, where
from tests.pages import violations


def test_a_code_is_asked_for_waits_for_its_mail_is_mistyped_and_opens_the_images(
    open_page: OpenPage, site: Site
) -> None:
    links = site.world.links
    page = open_page("/s?token=" + "x" * 54, language="de", width=360, height=740, touch=True)  # the programs' code
    expect(page.locator("main")).to_contain_text("clinic.example")
    assert page.url == f"{site.address}/s", "what opens it does not stay in the address"
    assert links.sent == [], "to open the page writes to nobody"
    expect(page.locator(".brand")).to_contain_text(links.organisation)
    expect(page.get_by_role("button", name="Datenschutzhinweise")).to_be_visible()
    links.standing = "delayed"
    page.get_by_role("button", name="Code senden").click()
    expect(page.get_by_role("status").filter(has_text="Mailserver")).to_contain_text("antwortet gerade nicht")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.reload()  # what was asked for outlives it
    links.standing = "sent"
    field = page.get_by_label("Code aus der E-Mail")
    expect(page.get_by_role("status").filter(has_text="E-Mail ist gesendet")).to_be_visible()
    field.fill("111112")
    page.get_by_role("button", name="Bilder zeigen").click()
    expect(page.get_by_role("alert")).to_contain_text("Noch 4 Versuche")
    expect(field).to_be_focused()
    expect(page.get_by_role("button", name="Neuer Code in")).to_be_disabled()
    field.fill("730 518".replace(" ", ""))
    page.get_by_role("button", name="Bilder zeigen").click()
    has_picture(page)
    assert where(page).startswith(f"{site.address}/view?study=")
    assert [one["language"] for one in links.sent] == ["de"]

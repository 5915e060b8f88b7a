"""Sharing, on the pages: what is asked for is what is sent, and each link says how it stands."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, until
from tests.pages import violations

WORDS = {
    "de": ("Offen", "Geschlossen bis", "Aufgebraucht", "Abgelaufen", "Widerrufen", "Mit dem Konto", "Nichts mehr da"),
    "en": ("Open", "Closed until", "Used up", "Over", "Revoked", "Ended with its maker", "Nothing left"),
}


@pytest.mark.parametrize(("language", "width"), [("de", 360), ("en", 1440)])
def test_links_say_how_they_stand_who_opened_them_and_are_revoked(
    open_page: OpenPage, site: Site, language: str, width: int
) -> None:
    page = open_page("/links", language=language, width=width, height=640, touch=width < 400)
    de = language == "de"
    words = WORDS[language]
    for card, word in enumerate(words):
        expect(page.locator("article").nth(card).locator(".badge")).to_contain_text(word)
    expect(page.get_by_role("alert")).to_contain_text("203.0.113.77")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("article").nth(1).get_by_role("button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("Safari, iPhone")
    page.wait_for_timeout(400)  # what fades in has no contrast yet
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Gelesen" if de else "Read", exact=True).click()
    page.locator("article").first.get_by_role("button").last.click()
    page.get_by_role("dialog").get_by_role("button", name="Widerrufen" if de else "Revoke").click()
    until(
        lambda: (
            [name for name, _ in site.world.office.calls] == ["PUT /api/links/notices/read", "DELETE /api/links/link-0"]
        ),
        "both are told",
    )


def test_what_is_asked_for_is_what_the_link_is_made_of(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    row = page.locator("[data-study]").nth(1)
    study = row.get_attribute("data-study")
    row.get_by_role("button", name="Actions for").click()
    page.get_by_role("menuitem", name="Share").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Open for").select_option(label="until a date")
    dialog.get_by_label("Last day").fill("2099-01-01")
    dialog.get_by_role("button", name="Make link").click()
    assert site.world.office.calls == [], "beyond a year no link lasts"
    dialog.get_by_role("combobox", name="Open for").select_option(label="30 days")
    dialog.get_by_role("combobox", name="Opens").select_option(label="3 times")
    dialog.get_by_role("radio", name="PIN").check()
    dialog.get_by_role("checkbox", name="May save").check()
    dialog.get_by_label("Note for yourself").fill("for the GP")
    dialog.get_by_role("button", name="Make link").click()
    expect(dialog).to_contain_text("730518")
    dialog.get_by_text("For the programs of practices").click()
    expect(dialog.get_by_label("DICOM Link Exchange", exact=True)).to_have_value(re.compile(r"/s\?token=x{54}$"))
    expect(dialog.get_by_label("SMART Health Link", exact=True)).to_have_value(re.compile("^shlink:/y+$"))
    expect(dialog.get_by_role("img", name="QR code: ")).to_have_count(2)
    assert violations(page) == []
    for _ in range(2):  # browsers close at the second without asking
        page.keyboard.press("Escape")
    page.mouse.click(4, 4)
    expect(dialog).to_contain_text("730518")
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_be_hidden()
    [(_, wanted)] = site.world.office.calls
    assert wanted.pop("ends_at")
    assert wanted == {
        "studies": [study], "series": [], "max_uses": 3, "protection": "pin", "email": "", "may_download": True,
        "label": "for the GP",
    }  # fmt: skip

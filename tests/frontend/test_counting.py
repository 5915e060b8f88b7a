"""Usage statistics in a browser: a true choice, nothing before a yes, and clearing it takes it back."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from radrelay.privacy.in_browser import kept_here
from radrelay.privacy.usage import KINDS
from tests.frontend.conftest import OpenPage, Site, settled, until
from tests.pages import violations

BRIEFLY = {"radrelay-leaving", "radrelay-closed"}  # while somebody logs out, or has just closed their account
STORED = "() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)].sort()"
LOOKS = """(button) => {
  const { backgroundColor, color, borderColor, fontWeight, fontSize } = getComputedStyle(button);
  const { width, height } = button.getBoundingClientRect();
  return [backgroundColor, color, borderColor, fontWeight, fontSize, Math.round(width), Math.round(height)].join();
}"""


def stored(page: Page, name: str) -> str | None:
    value: str | None = page.evaluate("(name) => localStorage.getItem(name)", name)
    return value


def test_usage_is_counted_of_who_agrees_alone_and_clearing_the_choice_takes_it_back(
    open_page: OpenPage, site: Site
) -> None:
    consents = site.world.consents
    page = open_page("/", width=360, height=740, language="de", touch=True)
    expect(page.get_by_text("Müller, Anna-Luise").first).to_be_visible()
    page.get_by_role("button", name="Mehr").last.click()
    page.get_by_role("button", name="Helle Darstellung").click()
    page.get_by_role("dialog").get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("button", name="Nutzungsstatistik")).to_have_count(0)
    names = page.evaluate(STORED)
    assert names == ["radrelay-language", "radrelay-reader", "radrelay-theme"]
    kept = {one.name for one in kept_here(counting=False) if one.where != "cookie"}
    assert kept - BRIEFLY == set(names)

    consents.counting = True
    page.reload()
    banner = page.get_by_role("region", name="Dürfen wir zählen")
    yes, no = banner.get_by_role("button", name="Ja, zählen"), banner.get_by_role("button", name="Nein, nicht zählen")
    expect(no).to_be_visible()
    settled(page, site)
    assert violations(page) == []
    assert yes.evaluate(LOOKS) == no.evaluate(LOOKS), "neither is more prominent"
    assert page.evaluate("() => document.activeElement === document.body"), "nothing is chosen ahead"
    page.keyboard.press("Tab")
    expect(banner.locator("summary")).to_be_focused()
    page.keyboard.press("Tab")
    expect(yes).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(banner).to_have_count(0)
    assert (stored(page, "tracking-consent"), stored(page, "tracking-id")) == ("no:1", None)
    assert (consents.sent, consents.withdrawn) == ([], []), "nothing leaves before a yes"

    page.get_by_role("button", name="Mehr").last.click()
    page.get_by_role("button", name="Nutzungsstatistik").click()
    dialog = page.get_by_role("dialog").last
    dialog.get_by_role("button", name="Ja, zählen").click()
    expect(dialog.get_by_text("Jetzt: Die Nutzung wird gezählt.")).to_be_visible()
    browser = stored(page, "tracking-id") or ""
    assert (stored(page, "tracking-consent"), bool(re.fullmatch("[0-9a-f]{32}", browser))) == ("yes:1", True)
    page.evaluate("() => dispatchEvent(new Event('pagehide'))")
    until(lambda: consents.sent, "what is counted")
    (sent,) = consents.sent
    assert sent | {"events": []} == {"consent": "yes", "version": 1, "id": browser, "events": []}
    assert all(one["value"] in KINDS[one["kind"]] for one in sent["events"])
    assert {"kind": "device", "value": "phone"} in sent["events"]
    assert consents.cookies_seen == [""], "who is logged in is nothing to the counting"
    kept = {one.name for one in kept_here(counting=True) if one.where != "cookie"}
    assert kept - BRIEFLY == set(page.evaluate(STORED))

    dialog.get_by_role("button", name="Nein, nicht zählen").click()
    expect(dialog.get_by_text("Jetzt: Die Nutzung wird nicht gezählt.")).to_be_visible()
    until(lambda: consents.withdrawn == [browser], "the withdrawal by the button")
    assert (stored(page, "tracking-consent"), stored(page, "tracking-id")) == ("no:1", None)
    dialog.get_by_role("button", name="Ja, zählen").click()
    expect(dialog.get_by_text("Jetzt: Die Nutzung wird gezählt.")).to_be_visible()
    taken_back, browser = browser, stored(page, "tracking-id") or ""
    assert len(browser) == 32
    assert browser != taken_back, "who agrees again is counted as somebody else"
    consents.withdrawn.clear()

    page.reload()
    expect(page.get_by_text("Müller, Anna-Luise").first).to_be_visible()
    page.evaluate("() => localStorage.removeItem('tracking-consent')")
    until(lambda: consents.withdrawn == [browser], "the withdrawal")
    expect(banner).to_be_visible()
    until(lambda: stored(page, "tracking-id") is None, "the number to be forgotten")

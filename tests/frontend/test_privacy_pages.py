"""The pages of privacy: a text is accepted before anything else, promises stand as they are, texts show no markup."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled, until
from tests.frontend.fake_privacy import TEXT
from tests.pages import violations

CUT = """(all) => all.filter((one) => one.scrollHeight > one.clientHeight + 1
  && ['auto', 'scroll', 'hidden'].includes(getComputedStyle(one).overflowY)).length"""


def test_the_notice_is_accepted_before_anything_else_and_promises_stand_as_they_are(
    open_page: OpenPage, site: Site
) -> None:
    site.world.must_accept = True
    page = open_page("/promises", width=360, height=740, language="de", touch=True)
    expect(page.get_by_role("heading", name="Bevor es weitergeht")).to_be_visible()
    expect(page.get_by_text("<b>kein Markup</b>")).to_be_visible()
    expect(page.get_by_role("link", name="hier")).to_have_attribute("href", "https://k.example")
    go = page.get_by_role("button", name="Annehmen und weiter")
    expect(go).to_be_in_viewport()
    page.set_viewport_size({"width": 360, "height": 240})  # a text longer than the screen: the page scrolls, no box
    assert page.locator("main .card *").evaluate_all(CUT) == 0
    expect(go).to_be_in_viewport()
    page.set_viewport_size({"width": 360, "height": 740})
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
    page.locator("[data-text=notice]").get_by_role("button", name="Veröffentlichen").click()
    told = page.get_by_role("dialog").get_by_text("der unter Kontakte nicht benannt ist")
    expect(told).to_have_text(
        re.compile(r": Datenschutz\w+\.$")
    )  # and not the authority, of whom the draft says nothing
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_the_draft_that_every_house_begins_with_is_published_once_it_was_read(open_page: OpenPage, site: Site) -> None:
    page = open_page("/privacy", width=360, height=740, language="de", touch=True)
    page.locator("[data-text=consent]").get_by_role("button", name="Veröffentlichen").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("details")).to_have_attribute("open", "")
    expect(dialog).to_contain_text("{controller}")
    settled(page, site)
    assert violations(page) == []
    dialog.get_by_role("button", name="Veröffentlichen").click()
    expect(dialog).to_have_count(0)
    calls = site.world.office.calls[-2:]
    assert [name for name, _ in calls] == ["draft consent", "publish consent"]
    assert (calls[0][1]["revision"], "{controller}" in calls[0][1]["german"], calls[1][1]) == (0, True, {"revision": 1})


def test_the_officer_sees_what_is_restricted_and_corrects_only_after_seeing_what_that_changes(
    open_page: OpenPage, site: Site
) -> None:
    site.world.role = "dpo"
    page = open_page("/requests", width=360, height=740, language="de", touch=True)
    expect(page.locator("[data-bar=bar-1]")).to_contain_text("Das Geburtsdatum wird bestritten")
    expect(page.get_by_text("Niemand wird per E-Mail erinnert")).to_be_visible()
    expect(page.locator("[data-request=request-3]")).to_contain_text("Weitergegeben an Klinik am See")
    beside = page.locator("[data-others]")
    expect(beside).to_have_text([
        f"Eine weitere Anfrage zu dieser Person ist offen: {kind}." for kind in ("Auskunft und Kopie", "Berichtigung")
    ])  # fmt: skip
    settled(page, site)
    assert violations(page) == []
    page.locator("[data-request=request-1]").get_by_role("button", name="Was vorliegt").click()
    expect(page.get_by_text("dort wird darüber entschieden")).to_be_visible()
    page.get_by_role("button", name="Berichtigen", exact=True).click()
    page.get_by_label("Name (Familie^Vorname)", exact=True).fill("Müller^Cora")
    page.get_by_label("Geschlecht").select_option("männlich")
    page.get_by_label("Begründung").fill("Umlaut")
    page.get_by_role("button", name="Zeigen, was sich ändert").click()
    expect(page.get_by_text("Sie werden ein Patient")).to_be_visible()
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="Jetzt berichtigen").click()
    until(lambda: [c["carry_out"] for name, c in site.world.office.calls if name == "POST correction"] == [False, True],
          "first a look, then the change")  # fmt: skip
    sent = next(call for name, call in site.world.office.calls if name == "POST correction")
    assert sent["values"]["sex"] == "M"
    page.get_by_role("button", name="Neue Anfrage").click()
    page.get_by_label("Patienten-ID", exact=True).fill("4711")
    page.get_by_label("Wer fragt").fill("Erika")
    page.get_by_label("Eingegangen am").fill("2026-10-25T03:30")
    page.get_by_role("button", name="Speichern").click()
    until(lambda: [call["received_at"] for name, call in site.world.office.calls if name == "POST request"]
          == ["2026-10-25T02:30:00.000Z"], "the clock runs from when it came")  # fmt: skip
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.goto(site.address + "/privacy")
    terms = page.locator("[data-text=terms]")
    expect(terms).to_contain_text("Den Entwurf schreibt und veröffentlicht die Administration.")
    page.get_by_role("button", name="Neuer Auftragsverarbeiter").click()
    for name, value in (("name", "Rechenzentrum"), ("purpose", "betreibt"), ("country", "ZZ")):
        page.get_by_role("dialog").locator(f"input[name={name}]").fill(value)
    page.get_by_role("dialog").get_by_role("button", name="Speichern").click()
    expect(page.get_by_role("alert")).to_contain_text("das Land (zwei Buchstaben)")
    page.get_by_role("dialog").get_by_role("button", name="Abbrechen").click()
    expect(page.get_by_role("alert")).to_have_count(0)  # nothing is wrong with the contacts


@pytest.mark.parametrize(("width", "language"), [(360, "de"), (1440, "en")])
def test_consents_of_the_patients_page_stand_below_the_register(
    open_page: OpenPage, site: Site, width: int, language: str
) -> None:
    site.world.role = "dpo"
    page = open_page("/consents", width=width, height=800, language=language, touch=width < 400)
    given = page.locator("[data-given]")
    expect(given).to_have_count(2)
    withdrawn = page.locator("[data-given=withdrawn]")
    expect(withdrawn).to_contain_text("80 MB")
    expect(withdrawn).to_contain_text("it was reported on")
    expect(page.locator("[data-given=stands]")).to_contain_text("besteht" if language == "de" else "stands")
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width

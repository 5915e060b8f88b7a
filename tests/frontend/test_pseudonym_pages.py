"""Pseudonyms in a browser: a project, who an alias is, what was kept back, a study handed out de-identified."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled
from tests.pages import violations


@pytest.mark.parametrize(("width", "height", "language"), [(360, 640, "de"), (1440, 900, "en")])
def test_what_was_kept_back_is_looked_at_covered_and_let_pass(
    open_page: OpenPage, site: Site, width: int, height: int, language: str
) -> None:
    page = open_page("/pseudonyms", width=width, height=height, language=language)
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    look = {"de": "Ansehen", "en": "Look"}[language]
    page.get_by_role("button", name=look, exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("rect")).to_have_count(2)
    settled(page, site)
    assert violations(page) == []
    assert dialog.evaluate("one => one.scrollWidth <= one.clientWidth")
    dialog.locator("ul button").last.click()
    dialog.locator("ul input").nth(3).fill("50")
    dialog.locator("input[name=note]").fill("Name in the corner")
    dialog.locator("button[type=submit]").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name=look, exact=True)).to_be_hidden()
    asked = dict(site.world.pseudonyms.calls)["POST /api/pseudonyms/held/he-1/release"]
    assert asked == {"cover": [[0, 0, 200, 50]], "note": "Name in the corner", "alike": True}


def test_who_an_alias_is_is_told_for_a_reason(open_page: OpenPage, site: Site) -> None:
    page = open_page("/pseudonyms")
    page.get_by_role("button", name="Who is it? LUNGE-2026-00001").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("button[type=submit]").click()
    expect(dialog).not_to_contain_text("4711")  # not without a reason
    dialog.locator("input[name=reason]").fill("the trial asks")
    dialog.locator("button[type=submit]").click()
    expect(dialog).to_contain_text("Müller-Lüdenscheidt, Anna-Katharina")
    expect(dialog).to_contain_text("4711 (KLINIKUM)")
    asked = dict(site.world.pseudonyms.calls)["POST /api/pseudonyms/aliases/al-1/identity"]
    assert asked == {"reason": "the trial asks"}


def test_a_project_is_set_up_and_a_study_handed_out_by_it(open_page: OpenPage, site: Site) -> None:
    page = open_page("/pseudonyms")
    page.get_by_role("button", name="New project").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[name=name]").fill("HEART")
    dialog.get_by_label("Keep dates").check()
    expect(dialog.get_by_label("Shift dates")).not_to_be_checked()
    dialog.get_by_role("button", name="Save").evaluate("save => { save.click(); save.click(); }")  # a double click
    expect(page.get_by_text("HEART")).to_be_visible()
    expect(dialog).to_be_hidden()
    (made,) = [given for call, given in site.world.pseudonyms.calls if call == "POST /api/pseudonyms/projects"]
    assert (made["name"], made["options"]) == ("HEART", ["clean-pixels", "full-dates"])
    page.goto(site.address + "/")
    page.locator("[data-study]").nth(1).get_by_role("button", name="Actions for").click()
    page.get_by_role("menuitem", name="De-identified").click()
    dialog.get_by_label("Project").select_option("HEART")
    download = dialog.get_by_role("link", name="Download")
    expect(download).to_have_attribute("href", re.compile(r"archive\.zip\?project=pr-2"))
    dialog.locator("summary").click()
    expect(dialog).to_contain_text("A face may be recognisable")
    settled(page, site)
    assert violations(page) == []

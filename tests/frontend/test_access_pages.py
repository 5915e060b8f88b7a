"""The page of grants, and releasing a study by hand: each said in a sentence, nothing lost when two do it at once."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled, until
from tests.pages import violations

STUDY = f"/view?study={uuid.UUID(int=2)}"


def test_every_grant_is_said_in_a_sentence_and_found_by_who_and_what(open_page: OpenPage, site: Site) -> None:
    page = open_page("/access")
    for said in (
        "Everybody with the role User may see, download, share, send on, annotate, delete, and re-identify all",
        "The group Station 3 may see and download all studies from DICOM, until 31 Mar 2099",
        "The group 放射線科 (山田) could see all studies, without the patients’ names. That ended 31 Jan 2020",
        "Dr. Katharina Weber may see the study CT Thorax mit KM, 24 Aug 2024 of Yamada, Tarou.",
    ):
        expect(page.locator("main")).to_contain_text(said)
    page.locator("select[name=by_who]").select_option("ae")
    expect(page.locator("[data-grant]")).to_have_count(1)
    page.locator("select[name=by_who]").select_option("")
    page.locator("select[name=by_what]").select_option("study")
    expect(page.locator("[data-grant]")).to_contain_text(["Yamada"])
    page.goto(site.address + "/access?who=group:g-ward")
    expect(page.locator("[data-grant]")).to_have_count(1)


def test_a_grant_is_given_with_its_meaning_said_before(open_page: OpenPage, site: Site) -> None:
    site.world.restricted.rule = {"reach": "all", "years": None, "marked_only": True}
    page = open_page("/access")
    page.get_by_role("button", name="New grant").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox", name="Group").fill("station")
    dialog.get_by_role("radio", name="Station 3").check()
    dialog.locator("input[name=ends]").fill("2020-01-01")
    expect(dialog.get_by_role("alert")).to_have_text("The end must lie in the future.")
    expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    dialog.locator("input[name=ends]").fill("2099-01-01")
    dialog.get_by_role("checkbox", name="Leads to the patient’s earlier studies").check()
    expect(dialog.locator("[data-meant]")).to_contain_text("The group Station 3 may see all studies, until 1 Jan 2099")
    settled(page, site)
    assert violations(page) == []
    site.world.access.gone.add("g-ward")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("it was deleted meanwhile")
    site.world.access.gone.clear()
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("[data-grant]")).to_have_count(6)
    _, given = site.world.access.calls[-1]
    assert (given["grantee_id"], given["rights"], given["ends_at"]) == ("g-ward", ["see"], "2099-01-01T22:59:59.000Z")
    assert given["priors"] is True


def test_two_administrators_change_one_grant_and_the_later_is_told(open_page: OpenPage, site: Site) -> None:
    page = open_page("/access")
    page.get_by_role("button", name="Change: The group Station 3").click()
    ward = next(one for one in site.world.access.grants if one["id"] == "gr-ward")
    ward |= {"rights": ["see", "share"], "revision": 2}
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox", name="Delete").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody else has changed this grant meanwhile")
    expect(page.locator("[data-grant=gr-ward]")).to_contain_text("see and share")
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Change: The group Station 3").click()
    expect(dialog.get_by_role("checkbox", name="Share")).to_be_checked()
    dialog.get_by_role("checkbox", name="Delete").check()
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("[data-grant=gr-ward]")).to_contain_text("see, share, and delete")
    assert ward["ends_at"] == "2099-03-31T21:59:59Z", "an end that was not touched keeps its hour"


def test_the_last_grant_that_lets_people_see_ends_only_after_a_plain_warning(open_page: OpenPage, site: Site) -> None:
    site.world.access.last_sight = True
    page = open_page("/access")
    page.get_by_role("button", name="End: Everybody with the role User").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="End", exact=True).press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("After this nobody can see any study.")
    settled(page, site)
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("[data-grant=gr-role]")).to_be_visible()


def test_the_row_of_an_account_says_by_what_it_sees(open_page: OpenPage) -> None:
    page = open_page("/accounts")
    expect(page.get_by_role("row", name="weber Dr")).to_contain_text("group Station 3 (some) and role User")
    expect(page.get_by_role("row", name="station3")).to_contain_text("sees no study")


def test_of_two_thousand_people_a_hundred_are_listed_and_all_are_found(open_page: OpenPage, site: Site) -> None:
    accounts = site.world.office.accounts
    like = accounts[1] | {"disabled_at": None}
    accounts += [like | {"id": f"p{n}", "username": f"p{n:04}", "full_name": f"Person {n}"} for n in range(2000)]
    page = open_page("/accounts")
    rows = page.get_by_role("table").first.locator("tbody tr")
    expect(rows).to_have_count(100)
    expect(page.locator("main")).to_contain_text("Shown: 100 of 2,002")
    page.get_by_role("button", name="Show 100 more").click()
    expect(rows).to_have_count(200)
    search = page.get_by_role("searchbox", name="Search people")
    search.fill("1999 person user")
    expect(rows).to_have_count(1)
    links = page.get_by_role("row", name="p1999").get_by_role("link")
    expect(links).to_have_text(["group Station 3 (some)", "role User"])
    assert [one.get_attribute("href") for one in links.all()] == [
        "/access?who=group%3Ag-ward", "/access?who=role%3Auser",
    ]  # fmt: skip
    search.fill("1999 nobody")
    expect(page.get_by_role("status").filter(has_text="Nothing here has these words.")).to_be_visible()


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_study_is_released_and_taken_back_on_a_phone(open_page: OpenPage, site: Site, language: str) -> None:
    words = {
        "en": ("Release to …", "Release", "Group or person", "Take back from 放射線科 (山田)", "has the study"),
        "de": (
            "Freigeben für …",
            "Freigeben",
            "Gruppe oder Person",
            "Von 放射線科 (山田) zurücknehmen",
            "hat die Studie",
        ),
    }[language]
    page = open_page("/", width=360, height=740, language=language)
    page.locator("button[aria-haspopup=menu]").first.click()
    page.get_by_role("menuitem", name=words[0]).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox", name=words[2]).fill("山田")
    dialog.get_by_role("radio", name="放射線科 (山田)").check()
    settled(page, site)
    assert violations(page) == []
    dialog.get_by_role("button", name=words[1], exact=True).click()
    expect(page.get_by_text(words[4])).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    dialog.get_by_role("button", name=words[3]).click()
    until(lambda: not site.world.access.releases, "the end of the release")


def test_who_has_a_study_for_a_time_releases_it_for_no_longer(open_page: OpenPage, site: Site) -> None:
    site.world.access.latest_end, site.world.access.may_download = "2099-05-01T10:00:00Z", False
    page = open_page(STUDY)
    page.get_by_role("button", name="Release to …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Your own access ends 1 May 2099")
    expect(dialog.get_by_role("checkbox")).to_have_count(0)
    dialog.get_by_role("radio").first.check()
    dialog.get_by_role("button", name="Release", exact=True).click()
    until(lambda: site.world.access.releases, "the release")
    assert site.world.access.releases[0]["ends_at"] == "2099-05-01T10:00:00Z"

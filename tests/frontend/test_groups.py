"""The page of groups: made, found, filled, emptied and deleted, with what ends then said before it does."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled
from tests.pages import violations


def test_a_group_is_made_and_one_of_its_name_is_refused_in_words(open_page: OpenPage, site: Site) -> None:
    page = open_page("/groups")
    page.get_by_role("button", name="New group").click()
    page.fill("input[name=group_name]", "station 3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_have_text("A group station 3 exists already.")
    page.fill("input[name=group_name]", "Station 4")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="Station 4")).to_contain_text("sees nothing yet")
    page.get_by_role("searchbox", name="Search groups").fill("山田")
    expect(page.get_by_role("row")).to_have_count(2)
    assert site.world.access.groups[-1]["name"] == "Station 4"


def test_people_are_added_and_taken_out_by_name_but_not_those_of_the_directory(open_page: OpenPage, site: Site) -> None:
    page = open_page("/groups")
    page.get_by_role("button", name="Members Station 3").click()
    sheet = page.get_by_role("dialog")
    expect(sheet.locator("li", has_text="山田 太郎")).to_contain_text("from the directory")
    expect(sheet.get_by_role("button", name="Take 山田 太郎 out")).to_have_count(0)
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("searchbox", name="Person or token").fill("forschungs")
    sheet.get_by_role("radio").check()
    sheet.get_by_role("button", name="Add to the group").click()
    expect(sheet.get_by_role("button", name="Take Forschungs-PACS out")).to_be_visible()
    sheet.get_by_role("button", name="Take Dr. Katharina Weber out").click()
    expect(sheet.get_by_role("button", name="Take Dr. Katharina Weber out")).to_have_count(0)
    assert [one["id"] for one in site.world.access.members["g-ward"]] == ["acc-9", "t1"]


def test_of_many_members_the_first_are_listed_and_each_is_found(open_page: OpenPage, site: Site) -> None:
    many = [{"kind": "account", "id": f"m{n}", "name": f"Member {n}", "origin": "hand"} for n in range(30)]
    site.world.access.members["g-ward"] += many
    page = open_page("/groups")
    page.get_by_role("button", name="Members Station 3").click()
    rows = page.get_by_role("dialog").locator("ul.list li")
    expect(rows).to_have_count(20)
    page.get_by_role("button", name="Show 12 more").click()
    expect(rows).to_have_count(32)
    page.get_by_role("searchbox", name="Search members").fill("member 29")
    expect(rows).to_have_count(1)


def test_what_ends_with_a_group_is_said_and_once_more_if_nobody_sees_afterwards(
    open_page: OpenPage, site: Site
) -> None:
    site.world.access.last_sight = True
    page = open_page("/groups", language="de", width=360, height=740)
    page.get_by_role("button", name="Station 3 löschen").click()
    dialog = page.get_by_role("dialog")
    for said in ("2 Mitgliedern", "1 Freigabe an diese Gruppe"):
        expect(dialog).to_contain_text(said)
    dialog.get_by_role("button", name="Löschen").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Danach kann niemand mehr eine Studie sehen.")
    assert len(site.world.access.groups) == 2
    dialog.get_by_role("button", name="Trotzdem beenden").click()
    expect(page.get_by_text("Station 3")).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360

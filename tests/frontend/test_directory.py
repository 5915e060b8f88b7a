"""The page of where people come from: nothing is done before it was said, and single sign-on at the login."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site
from tests.frontend.fake_directory import stopped


def test_the_first_run_is_seen_before_it_is_confirmed_and_one_that_stopped_says_why(
    open_page: OpenPage, site: Site
) -> None:
    found = site.world.directory
    found.followed, found.runs = False, []
    page = open_page("/directory")
    main = page.locator("main")
    expect(main).to_contain_text("Nobody comes in from the directory until")
    expect(main.get_by_role("alert")).to_contain_text("certificate does not hold")
    page.get_by_role("button", name="Preview").click()
    expect(main).to_contain_text("It is the first run: 410 accounts would be made.")
    page.get_by_role("checkbox", name="It is the same person").check()
    expect(page.get_by_role("button", name="Do it like this")).to_be_disabled()
    page.get_by_role("button", name="Preview with the chosen ones").click()
    page.get_by_role("button", name="Do it like this").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("410 accounts are added")
    dialog.get_by_role("button", name="Do it like this").click()
    expect(page.locator("[data-last]")).to_contain_text("Run · done")
    assert found.asked == [
        {"kind": "preview", "confirm": "", "adopt": []},
        {"kind": "preview", "confirm": "", "adopt": ["weber"]},
        {"kind": "sync", "confirm": "d1", "adopt": ["weber"]},
    ]
    found.runs.insert(0, stopped())
    page.reload()
    expect(main).to_contain_text("290 of 410 people would be disabled, more than the 10 % that may go at once.")
    expect(main).to_contain_text("The group “Radiologie” would lose all of its 31 members")
    expect(main).to_contain_text("von der Leyen-Großmann no longer in the directory")

    waiting = page.locator("[data-waiting=s-1]")
    expect(waiting).to_contain_text("weber@klinik.example")
    expect(waiting.get_by_role("button", name="Link")).to_be_disabled()
    waiting.locator("select").select_option(index=1)
    waiting.get_by_role("button", name="Link").click()
    expect(page.get_by_text("2 people linked")).to_be_visible()
    found.elsewhere, found.set = True, False
    page.reload()
    expect(main).to_contain_text("Your organisation has no directory and no single sign-on here.")
    expect(main).not_to_contain_text("RADRELAY_")


def test_the_login_page_offers_single_sign_on_and_says_why_it_refused(open_page: OpenPage, site: Site) -> None:
    site.world.logged_in = False
    offer = site.world.directory.offer
    offer |= {"set": True, "name": "Klinik-ID", "hide_password": False}
    page = open_page("/view?study=1&series=2")
    button = page.get_by_role("link", name="Sign in with Klinik-ID")
    expect(button).to_have_attribute("href", "/api/oidc/start?next=%2Fview%3Fstudy%3D1%26series%3D2")
    expect(page.locator("input[name=username]")).to_be_visible()
    offer["hide_password"] = True
    page.goto(site.address + "/login?sso=oidc-not-allowed&next=%2Fimport")
    expect(page.get_by_role("alert")).to_contain_text("none of the groups")
    expect(button).to_have_attribute("href", "/api/oidc/start?next=%2Fimport")
    expect(page.locator("input[name=username]")).to_have_count(0)
    page.goto(site.address + "/login?local")
    expect(page.locator("input[name=username]")).to_be_visible()
    site.world.logged_in = True
    page.goto(site.address + "/login?next=//elsewhere.example")
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    expect(page.locator("tr[data-study]").first).to_be_visible()
    page.locator("#study-search").fill("Müller")
    site.world.logged_in = False
    site.world.changed.add("studies")
    over = page.get_by_role("dialog", name="Your login has ended")
    expect(over.get_by_role("link")).to_have_attribute("href", "/api/oidc/start?next=%2Fsigned-on")
    expect(over.get_by_role("link")).to_have_attribute("target", "_blank")  # the page is not left
    site.world.logged_in = True
    other = page.context.new_page()
    other.goto(site.address + "/signed-on")
    expect(other.get_by_role("heading", name="You are logged in again")).to_be_visible()
    expect(over).to_be_hidden()
    expect(page.locator("#study-search")).to_have_value("Müller")

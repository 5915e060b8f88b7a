"""One's own account in the browser, and a login that ends because nobody is there."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, until, where
from tests.frontend.fake_account import TOKEN
from tests.frontend.fake_api import PASSWORD


def test_an_abandoned_page_warns_logs_out_and_is_the_same_again_for_the_same_person(
    open_page: OpenPage, site: Site
) -> None:
    own = site.world.own
    own.idle_s = 4.0
    page = open_page("/?modality=CT")
    expect(page.locator("tr[data-study]").first).to_be_visible()
    other = page.context.new_page()
    other.goto(site.address + "/import")
    warned = page.get_by_role("dialog", name="Are you still there?")
    expect(warned).to_be_visible()
    before = len(own.uses)
    page.mouse.move(300, 300)
    page.get_by_role("button", name="Stay logged in").click()
    expect(warned).to_be_hidden()
    assert len(own.uses) > before
    until(lambda: not other.get_by_role("dialog").is_visible(), "the other tab to follow")
    expect(warned).to_be_visible()
    assert own.idle_until is not None
    until(lambda: own.idle_until is not None and datetime.now(UTC) > own.idle_until, "the end")
    site.world.logged_in = False
    over = page.get_by_role("dialog", name="Your login has ended")
    expect(over).to_be_visible()
    expect(page.locator("tr[data-study]").first).to_be_hidden()
    expect(other.get_by_role("dialog", name="Your login has ended")).to_be_visible()
    page.reload()  # even then
    own.idle_s = own.idle_until = None
    page.locator("input[name=username]").fill("weber")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-study]").first).to_be_visible()
    assert where(page).endswith("/?modality=CT")
    expect(other.get_by_role("dialog")).to_be_hidden()
    site.world.logged_in = False
    page.reload()
    page.locator("input[name=username]").fill("somebody")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(site.address + "/")  # and not what another looked at


def test_a_person_looks_after_their_own_account(open_page: OpenPage, site: Site) -> None:
    page = open_page("/account")
    expect(page.get_by_text("Chrome, Windows")).to_be_visible()
    page.get_by_role("row", name="iPhone").get_by_role("button", name="End").click()
    expect(page.get_by_text("iPhone")).to_be_hidden()
    page.locator("input[name=current_password]").fill(PASSWORD)
    page.locator("input[name=new_password]").fill("breached password")
    page.locator("input[name=new_password_again]").fill("breached password")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("alert")).to_contain_text("breach")
    page.locator("input[name=new_password]").fill("ein langes neues Wort")
    page.locator("input[name=new_password_again]").fill("ein langes neues Wort")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()


def test_a_link_for_a_password_leaves_the_address_and_lets_choose_one(open_page: OpenPage, site: Site) -> None:
    site.world.logged_in = False
    page = open_page(f"/password#{TOKEN}")
    expect(page.get_by_role("heading", name="Welcome, Dr. Berta Neu")).to_be_visible()
    assert where(page) == f"{site.address}/password"
    page.locator("input[name=new_password]").fill("ein langes neues Wort")
    page.locator("input[name=new_password_again]").fill("ein langes neues Wort")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your password is set")).to_be_visible()
    assert set(site.world.own.chosen[0]) == {"token", "new"}
    page.get_by_role("link", name="To the login").click()
    page.get_by_role("button", name="Forgot your password?").click()
    page.locator("input[name=forgotten]").fill("b.neu")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("link is on its way")
    page.goto(f"{site.address}/password#gone")
    expect(page.get_by_role("heading", name="This link opens nothing any more")).to_be_visible()

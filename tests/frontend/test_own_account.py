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
    expect(page.get_by_role("button", name="Stay logged in")).to_be_focused()
    before = len(own.uses)
    page.mouse.move(300, 300)
    expect(page.get_by_role("button", name="Stay logged in")).to_be_focused()  # and not the way out
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
    expect(over.locator("input[name=password]")).to_be_focused()
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


def test_a_login_that_nothing_prolongs_says_so_and_the_work_goes_on_to_its_end(open_page: OpenPage, site: Site) -> None:
    site.world.own.idle_s, site.world.own.left_s = 3600.0, 40.0
    page = open_page("/")
    notice = page.get_by_role("dialog", name="Your login ends soon")
    expect(notice).to_contain_text("what is open stays")
    expect(notice.get_by_role("button", name="Log out")).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(notice).to_be_hidden()
    page.locator("#study-search").fill("Müller")
    expect(notice).to_be_hidden()


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
    page.evaluate("token => void (location.hash = token)", TOKEN)  # a newer one is pasted over it
    expect(page.get_by_role("heading", name="Welcome, Dr. Berta Neu")).to_be_visible()


def test_a_person_signs_up_looks_after_the_profile_and_closes_the_account(open_page: OpenPage, site: Site) -> None:
    own, site.world.logged_in = site.world.own, False
    own.may_join = own.mail_waits = True
    page = open_page("/")
    page.get_by_role("link", name="Create an account").click()
    page.locator("input[name=name]").fill("Dr. Ruth Beispiel")
    page.locator("input[name=email]").fill("ruth@praxis.example")
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", name="Look into your mailbox")).to_be_visible()
    expect(page.get_by_text("The mail server does not answer just now.")).to_be_visible()

    page.goto(f"{site.address}/join#{TOKEN}")
    expect(page.get_by_role("heading", name="Welcome, Dr. Ruth Beispiel")).to_be_visible()
    assert where(page) == f"{site.address}/join"
    page.locator("input[name=new_password]").fill("ein langes neues Wort")
    page.locator("input[name=new_password_again]").fill("ein langes neues Wort")
    page.get_by_text("Terms of use", exact=True).click()
    expect(page.get_by_text("Be kind.")).to_be_visible()
    page.get_by_label("I accept the terms of use.").check()
    page.get_by_label("I am at least 18 years old.").check()
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_text("An administrator has been written to")).to_be_visible()
    assert set(own.signed_up[-1]) == {"token", "new", "texts", "language", "of_age"}, "no password leaves the browser"

    page.goto(f"{site.address}/address#{TOKEN}")
    page.get_by_role("button", name="Confirm the address").click()
    expect(page.get_by_text("Letters for weber go to new@clinic.example")).to_be_visible()

    site.world.logged_in = True
    page.goto(f"{site.address}/account")
    page.locator("input[name=affiliation]").fill("Praxis am Markt")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Your profile is saved.")).to_be_visible()
    assert own.profile["affiliation"] == "Praxis am Markt"
    page.get_by_role("button", name="See what goes and what stays").click()
    dialog = page.get_by_role("dialog", name="Close the account")
    expect(dialog.get_by_text("One study that nobody else owns")).to_be_visible()
    expect(dialog.get_by_text("12 measurements and annotations")).to_be_visible()
    expect(dialog.get_by_role("button", name="Close for good")).to_be_disabled()
    dialog.locator("input[name=closing_proof]").fill(PASSWORD)
    dialog.get_by_label("I know that nothing brings it back.").check()
    dialog.get_by_role("button", name="Close for good").click()
    until(lambda: own.closed, "the account to be closed")
    expect(page.get_by_role("heading", name="Your account is closed")).to_be_visible()
    expect(page.get_by_text("One study that nobody else owns")).to_be_visible()
    expect(page.get_by_text("12 measurements and annotations")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Your account is closed")).to_be_hidden()

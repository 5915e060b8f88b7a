"""Logging in, the first password, the end of a login in mid-work."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, where
from tests.frontend.fake_api import PASSWORD


def test_login_leads_to_the_studies_and_logging_out_forgets_them(open_page: OpenPage, site: Site) -> None:
    site.world.logged_in = False
    page = open_page("/")
    page.locator("input[name=username]").fill("weber")
    page.locator("input[name=password]").fill("falsch")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    expect(page.locator("tr[data-study]").first).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("input[name=username]")).to_be_visible()
    assert page.evaluate("() => Object.keys(sessionStorage).length") == 0
    stored = page.evaluate("() => Object.keys(localStorage)")
    assert not set(stored) - {"radrelay-language", "radrelay-theme"}


def test_first_login_asks_for_a_new_password(open_page: OpenPage, site: Site) -> None:
    site.world.logged_in, site.world.must_change_password = False, True
    page = open_page("/")
    page.locator("input[name=username]").fill("weber")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("input[name=new_password]").fill("zu kurz")
    page.locator("input[name=new_password_again]").fill("zu kurz")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("12")
    page.locator("input[name=new_password]").fill("ein langes neues Wort")
    page.locator("input[name=new_password_again]").fill("ein langes neues Wort")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()


def test_first_password_after_a_reload_asks_for_the_present_one(open_page: OpenPage, site: Site) -> None:
    site.world.must_change_password = True
    page = open_page("/")
    page.locator("input[name=current_password]").fill(PASSWORD)
    page.locator("input[name=new_password]").fill("ein langes neues Wort")
    page.locator("input[name=new_password_again]").fill("ein langes neues Wort")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()


def test_login_that_ends_in_mid_work_loses_nothing(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    expect(page.locator("tr[data-study]").first).to_be_visible()
    site.world.logged_in = False
    page.locator("#study-search").fill("Müller")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("login has ended")
    expect(dialog.locator("input[name=username]")).to_have_value("weber")
    dialog.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#study-search")).to_have_value("Müller")
    assert page.evaluate("() => history.state.kept.text") == "Müller"
    assert "text=" not in where(page)


def test_language_and_theme_are_chosen_and_kept(open_page: OpenPage, site: Site) -> None:
    page = open_page("/", language="de-AT")
    expect(page.get_by_role("heading", name="Studien")).to_be_visible()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    page.get_by_role("button", name="Light theme").click()
    page.reload()
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert page.locator("html").get_attribute("lang") == "en"

"""Logging in, the first password, the end of a login in mid-work."""

from __future__ import annotations

from urllib.parse import quote

from playwright.sync_api import Route, expect

from tests.frontend.conftest import OpenPage, Site, until, where
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

    def ended(route: Route) -> None:
        site.world.logged_in = False
        route.continue_()

    page.route(lambda url: quote("Müller") in url, ended)
    page.locator("#study-search").fill("Müller")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("login has ended")
    expect(dialog.locator("input[name=username]")).to_have_value("weber")
    dialog.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#study-search")).to_have_value("Müller")
    until(lambda: page.evaluate("() => history.state.kept?.text") == "Müller", "the search is kept")
    assert "text=" not in where(page)


def test_an_abandoned_screen_shows_no_patient_once_its_login_is_over(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    row = page.locator("tr[data-study]").first
    expect(row).to_be_visible()
    page.locator("tr[data-study] button").first.click()
    page.get_by_role("menuitem", name="Details").first.click()
    expect(page.get_by_role("heading", name="Series")).to_be_visible()
    site.world.logged_in = False
    page.evaluate("() => fetch('/api/session', {method: 'DELETE'})")
    site.world.changed.add("studies")
    expect(page.get_by_role("dialog", name="Your login has ended")).to_be_visible()
    expect(row).to_be_hidden()
    expect(page.get_by_role("heading", name="Series")).to_be_hidden()
    expect(page.locator("input[name=password]")).to_be_focused()  # not the way out: the next key may be any
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Series")).to_be_visible()


def test_who_is_suspended_is_not_told_to_log_in_again(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    expect(page.locator("tr[data-study]").first).to_be_visible()
    shut = {"code": "session-ended", "detail": "This login has ended.", "why": "shut"}
    page.route("**/api/session", lambda route: route.fulfill(status=401, json=shut))
    site.world.logged_in = False
    site.world.changed.add("studies")
    over = page.get_by_role("dialog", name="Your login has ended")
    expect(over).to_contain_text("Your account is suspended")
    expect(over).not_to_contain_text("Log in again")


def test_who_logs_in_next_does_not_find_what_the_last_reader_searched_for(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    page.locator("#study-search").fill("Müller")
    until(lambda: page.evaluate("() => history.state.kept?.text") == "Müller", "the search is kept")
    page.get_by_role("link", name="Import").first.click()
    expect(page.get_by_role("heading", name="Import")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    page.locator("input[name=username]").fill("neumann")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.go_back()
    expect(page.locator("#study-search")).to_have_value("")
    expect(page.get_by_text("20 studies")).to_be_visible()


def test_a_page_that_the_browser_kept_whole_is_loaded_anew(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    expect(page.locator("tr[data-study]").first).to_be_visible()
    site.world.logged_in = False
    with page.expect_navigation():
        page.evaluate("() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(page.locator("input[name=username]")).to_be_visible()
    expect(page.locator("tr[data-study]")).to_have_count(0)


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

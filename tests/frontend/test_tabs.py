"""Several tabs of one browser, on the real server: they go on with the login that the browser has."""

from __future__ import annotations

import base64

from playwright.sync_api import Browser, Page, expect

from radrelay.identity.factors import totp
from tests import pages
from tests.web.conftest import PASSWORD, WebSite

NEW = "ein langes neues Wort"


def log_in(page: Page, password: str) -> None:
    page.locator("input[name=username]").fill("root")
    page.locator("input[name=password]").fill(password)
    page.keyboard.press("Enter")


def test_tabs_go_on_with_the_login_that_the_browser_has(browser: Browser, house: tuple[WebSite, str]) -> None:
    site, address = house
    complaints: list[str] = []
    context = browser.new_context(locale="en", viewport={"width": 1440, "height": 900})
    page, other = context.new_page(), context.new_page()
    for one in (page, other):
        pages.watch(one, complaints)
        one.goto(f"{address}/account")
    log_in(page, PASSWORD)
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
    expect(other.get_by_role("heading", name="My account")).to_be_visible()
    other.locator("input[name=affiliation]").fill("Radiologie Nord")

    page.locator("input[type=email]").fill("root@clinic.example")
    page.locator("input[name=email_proof]").fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The password is wrong.")
    page.locator("input[name=current_password]").fill(PASSWORD)
    for name in ("new_password", "new_password_again"):
        page.locator(f"input[name={name}]").fill(NEW)
    with other.expect_request(lambda asked: asked.url.endswith("/api/events")):  # the line was of the login before
        page.get_by_role("button", name="Set password").click()
        expect(page.get_by_text("Your password is changed.")).to_be_visible()
        other.locator("form", has=other.locator("input[name=affiliation]")).get_by_role("button", name="Save").click()
        expect(other.get_by_text("Your profile is saved.")).to_be_visible()
    expect(other.get_by_role("dialog")).to_have_count(0)

    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Authenticator app").click()
    page.get_by_text("Cannot scan?").click()
    spelled = page.locator(".secret").inner_text().replace(" ", "")
    secret = base64.b32decode(spelled + "=" * (-len(spelled) % 8))
    page.get_by_label("Six-digit code").fill(totp.code_at(secret, totp.step_at(site.clock.now())))
    page.get_by_role("button", name="Confirm").click()
    codes = page.get_by_role("list", name="Recovery codes")
    expect(codes).to_be_visible()
    page.keyboard.press("Escape")
    expect(codes, "which are seen this once").to_be_visible()
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()
    assert complaints == []
    context.close()

"""Second factors in a browser with an authenticator of its own, on the real server: set up, asked, enough alone."""

from __future__ import annotations

import base64
import os
from datetime import timedelta

from playwright.sync_api import Browser, Page, expect

from radrelay.identity.factors import totp
from tests import pages
from tests.frontend.conftest import AT_REST, WAIT_S
from tests.pages import violations
from tests.web.conftest import PASSWORD, WebSite

LOOK = os.environ.get("RADRELAY_SCREENS")


def look(page: Page, name: str) -> None:
    """Check with axe that it fits a phone, too, and keep pictures of both widths where they are wanted."""
    pages.until(lambda: page.evaluate(AT_REST), "the end of all movements", WAIT_S)
    assert violations(page) == [], name
    width = page.viewport_size
    for wide in (360, 1440) if LOOK else (360,):
        page.set_viewport_size({"width": wide, "height": 800})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= wide, name
        if LOOK:
            page.screenshot(path=f"{LOOK}/{name}-{wide}.png")
    page.set_viewport_size(width or {"width": 1440, "height": 900})


def log_in(page: Page) -> None:
    page.locator("input[name=username]").fill("root")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")


def test_a_second_step_is_set_up_asked_for_and_a_passkey_is_enough(
    browser: Browser, house: tuple[WebSite, str]
) -> None:
    site, address = house
    complaints: list[str] = []
    context = browser.new_context(locale="en", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    pages.watch(page, complaints)
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    own_id = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def touched(by_itself: bool) -> None:
        """Say whether somebody touches it whenever it asks: beside the user name that alone would log in."""
        devtools.send(
            "WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": own_id, "enabled": by_itself}
        )  # fmt: skip

    page.goto(f"{address}/accounts")
    log_in(page)
    page.get_by_role("button", name="Require", exact=True).click()
    page.get_by_label("PIN by e-mail").check()
    look(page, "rule")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="Administrator Role Passkey")).to_contain_text(
        "Passkey, Authenticator app, PIN by"
    )
    if LOOK:
        look(page, "rules")
    page.get_by_role("button", name="Log out").click()

    log_in(page)
    expect(page.get_by_role("heading")).to_have_text("Set up a second step")
    look(page, "set-up")
    page.get_by_role("button", name="Authenticator app").click()
    page.get_by_text("Cannot scan?").click()
    spelled = page.locator(".secret").inner_text().replace(" ", "")
    secret = base64.b32decode(spelled + "=" * (-len(spelled) % 8))
    if LOOK:
        look(page, "app")
    field = page.get_by_label("Six-digit code")
    field.fill("000000")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_contain_text("not right")
    field.fill(totp.code_at(secret, totp.step_at(site.clock.now())))
    page.get_by_role("button", name="Confirm").click()
    codes = page.get_by_role("list", name="Recovery codes")
    expect(codes.get_by_role("listitem")).to_have_count(10)
    look(page, "codes")
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Studies", exact=True)).to_be_visible()

    site.clock.advance(timedelta(minutes=6))
    page.get_by_role("link", name="Dr. Katharina Weber").click()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Passkey").click()
    page.get_by_label("Name", exact=True).fill("Laptop")
    if LOOK:
        look(page, "passkey")
    page.get_by_role("button", name="Make passkey").click()
    expect(page.get_by_role("dialog", name="Is it you?")).to_be_visible()
    if LOOK:
        look(page, "prove")
    page.get_by_label("Six-digit code").fill(totp.code_at(secret, totp.step_at(site.clock.now())))  # sends itself
    expect(page.locator(".card li")).to_have_count(2)
    expect(page.locator(".card li").nth(1)).to_contain_text("Laptop")
    look(page, "card")
    touched(False)
    page.get_by_role("button", name="Log out").click()

    log_in(page)
    expect(page.get_by_role("heading")).to_have_text("Second step")
    page.get_by_role("button", name="Deutsch").click()
    look(page, "second-step-german")
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Use a code of your app instead").click()
    look(page, "second-step")
    touched(True)
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_role("heading", name="Studies", exact=True)).to_be_visible()
    with page.expect_response(lambda answer: answer.url.endswith("/api/session/passkey")):
        page.get_by_role("button", name="Log out").click()  # offered beside the user name, and touched
    expect(page.get_by_role("heading", name="Studies", exact=True)).to_be_visible()
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Studies", exact=True)).to_be_visible()
    page.get_by_role("link", name="Dr. Katharina Weber").click()
    expect(page.locator(".card li").nth(1)).to_contain_text("used")
    assert complaints == []
    context.close()

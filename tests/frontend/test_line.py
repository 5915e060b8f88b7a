"""The server is lost in the middle of measuring and comes back; a log-out counts in all tabs; keys after a click."""

from __future__ import annotations

from contextlib import ExitStack

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, has_picture, until
from tests.frontend.fake_api import World, serving
from tests.frontend.test_marks import CT, FROM, TO, _pull

AWAY = "The server does not answer"


def test_a_lost_server_and_what_it_lacks_are_said_and_the_words_go_when_it_is_back(
    open_page: OpenPage, site: Site
) -> None:
    world = World()
    with ExitStack() as running:
        address = running.enter_context(serving(world))
        page = open_page()
        page.goto(address + CT)
        listed = page.context.new_page()
        listed.goto(address)
        expect(listed.get_by_text("Live", exact=True)).to_be_visible()
        has_picture(page)

        # After a click the keys are the picture's, after a key they are the button's.
        invert = page.get_by_role("button", name="Invert")
        invert.click()
        expect(invert).to_have_attribute("aria-pressed", "true")
        expect(invert).not_to_be_focused()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        expect(invert).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Space")
        invert.focus()
        page.keyboard.press("Space")
        expect(invert).to_have_attribute("aria-pressed", "false")
        expect(invert).to_be_focused()
        page.get_by_role("button", name="Window presets and numbers").click()
        page.get_by_role("group", name="Window presets and numbers").get_by_role("button", name="Lung").click()
        until(lambda: page.evaluate("() => document.activeElement === document.body"), "the keys are the picture's")
        expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()

        running.close()
        for key, way in (("m", 0), ("m", 60)):
            page.keyboard.press(key)
            _pull(page, (FROM[0], FROM[1] + way), (TO[0], TO[1] + way))
        sign = page.get_by_text(f"{AWAY} · 2 marks not saved yet")
        expect(sign).to_be_visible()
        expect(listed.get_by_text(AWAY, exact=True)).to_be_visible()
        listed.locator("#study-search").fill("a")
        expect(listed.get_by_role("alert")).to_contain_text(AWAY)

        with serving(world, int(address.rpartition(":")[2])):
            expect(sign).to_have_count(0)
            until(lambda: len(world.marks.kept) == 2, "both marks saved")
            expect(page.get_by_text("not saved yet")).to_have_count(0)
            expect(listed.get_by_text("Live", exact=True)).to_be_visible()
            expect(listed.get_by_role("alert")).to_have_count(0)
            expect(listed.get_by_text(AWAY)).to_have_count(0)

            # Logged out in one tab, the other shows nothing of a patient at once.
            listed.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("textbox", name="User name")).to_be_visible(timeout=3_000)
            expect(page.locator(".pane").first).to_be_hidden()
            for one in (page, listed):
                one.close()

"""How a picture is looked at: through a lens, in colours, turned freely, without names."""

from __future__ import annotations

import uuid

from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, has_picture, until

STUDY = "/view?study=" + str(uuid.UUID(int=2))
CT, US = (f"{STUDY}&series={uuid.UUID(int=2000 + place)}" for place in (0, 2))


def _pixel(page: Page, x: int, y: int) -> list[int]:
    """Return red, green, blue at a place of the window, as the canvas has it."""
    found: list[int] = page.locator(".pane canvas").evaluate(
        """(canvas, [x, y]) => {
          const box = canvas.getBoundingClientRect();
          return [...canvas.getContext('2d').getImageData(x - box.left, y - box.top, 1, 1).data.slice(0, 3)];
        }""",
        [x, y],
    )
    return found


def _middle(page: Page) -> tuple[int, int]:
    box = page.locator(".pane canvas").bounding_box()
    assert box
    return round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)


def test_a_lens_shows_more_while_it_is_held_and_leaves_the_picture_as_it_was(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page)
    page.get_by_role("button", name="Magnifier").click()
    middle = _middle(page)
    rim = (middle[0] + 90, middle[1])
    before = _pixel(page, *rim)
    page.mouse.move(*middle)
    page.mouse.down()
    until(lambda: abs(_pixel(page, *rim)[0] - 0x9F) < 12 and _pixel(page, *rim)[2] > 0xB0, "the lens' rim")
    page.mouse.up()
    until(lambda: _pixel(page, *rim) == before, "the picture as it was")


def test_grey_pictures_take_colours_and_give_them_back(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page)
    middle = _middle(page)
    until(lambda: 100 < _pixel(page, *middle)[0] < 160, "soft tissue")
    grey = _pixel(page, *middle)
    page.get_by_role("button", name="Window presets and numbers").click()
    page.get_by_label("Colours").select_option("hot_iron")
    until(lambda: _pixel(page, *middle)[0] > 200 and _pixel(page, *middle)[2] == 0, "hot iron")
    page.get_by_label("Colours").select_option("Grey")
    until(lambda: _pixel(page, *middle) == grey, "grey again")
    page.goto(site.address + US)
    has_picture(page)
    page.get_by_role("button", name="Window presets and numbers").click()
    expect(page.get_by_label("Colours")).to_have_count(0)


def test_a_picture_turns_freely_and_flips_over(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page)
    side = page.locator(".edge.right")
    expect(side).to_have_text("L")
    page.keyboard.press("v")
    expect(page.locator(".edge.top")).to_have_text("P")
    page.keyboard.press("v")
    expect(page.locator(".edge.top")).to_have_text("A")
    page.keyboard.press("d")
    x, y = _middle(page)
    page.mouse.move(x + 200, y)
    page.mouse.down()
    page.mouse.move(x + 140, y + 140, steps=4)
    page.mouse.up()
    until(lambda: side.inner_text() in ("LA", "AL"), "an eighth of a turn")


def test_names_and_dates_are_put_away_and_come_back(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page)
    expect(page.locator(".overlay .tl")).to_be_visible()
    page.keyboard.press("x")
    expect(page.locator(".overlay .tl")).to_be_hidden()
    expect(page.locator(".edge.left")).to_be_visible()
    page.keyboard.press("x")
    expect(page.locator(".overlay .tl")).to_be_visible()

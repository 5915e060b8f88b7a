"""What goes wrong in the viewer: damaged, late and missing pictures, broken lines, headers that promise too much."""

from __future__ import annotations

import uuid

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, has_picture, until
from tests.frontend.looking import (
    CT,
    DX,
    FIRST_OF_CT,
    LAST_OF_CT,
    MIDDLE,
    US,
    overlay,
    pixel,
)


def test_damaged_frame_is_marked_and_the_rest_goes_on(open_page: OpenPage, site: Site) -> None:
    site.world.broken_frames.add(f"{uuid.UUID(int=2000)}-1")
    page = open_page(CT)
    has_picture(page, 0)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text("This image cannot be shown")).to_be_visible()
    until(lambda: pixel(page, 0.5, 0.1) == pixel(page) == [0, 0, 0], "no other image under this one's number")
    page.get_by_text("This image cannot be shown").hover(force=True)
    page.mouse.wheel(0, 100)
    has_picture(page, 2)
    page.keyboard.press("ArrowUp")
    site.world.broken_frames.clear()
    page.get_by_role("button", name="Try again").click()
    has_picture(page, 1)


def test_a_study_that_may_not_be_seen_any_more_leaves_the_open_page(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    held = next(one for one in site.world.studies if one.row["id"] in CT)
    site.world.studies.remove(held)  # by restricting its processing, by a grant's end, by deleting: all answer alike
    site.world.changed.add("studies")
    expect(page.get_by_role("heading", name="This study is no longer shown")).to_be_visible(timeout=8_000)
    expect(page.get_by_text("Its images have been taken off this page.")).to_be_visible()
    expect(page.locator("canvas")).to_have_count(0)
    assert "Groß" not in page.content()
    site.world.studies.append(held)  # it was lifted again
    site.world.changed.add("studies")
    has_picture(page, 0)


def test_frame_that_is_not_there_yet_has_a_sign_of_progress(open_page: OpenPage, site: Site) -> None:
    site.world.held_frames = {LAST_OF_CT}
    page = open_page(CT)
    has_picture(page, 0)
    page.keyboard.press("End")
    expect(page.get_by_text("Image on its way")).to_be_visible()
    site.world.held_frames = set()
    has_picture(page, 59)


def test_a_study_opens_on_a_coarse_picture_and_measures_nothing_on_it(open_page: OpenPage, site: Site) -> None:
    site.world.held_frames = {FIRST_OF_CT}
    page = open_page(CT)
    until(lambda: 100 < pixel(page)[0] < 160, "soft tissue in the middle, coarse")
    assert page.locator(".pane").get_attribute("data-ready") == "false"
    until(lambda: "Groß, Dr. Jürgen" in overlay(page), "whose it is")
    page.mouse.move(*MIDDLE)
    assert "HU" not in overlay(page)
    site.world.held_frames = set()
    has_picture(page, 0)
    page.mouse.move(MIDDLE[0] + 1, MIDDLE[1])
    until(lambda: "HU" in overlay(page), "what a pixel measures")


def test_without_a_coarse_picture_the_study_opens_all_the_same(open_page: OpenPage, site: Site) -> None:
    site.world.glimpses = False
    page = open_page(CT)
    has_picture(page, 0)
    until(lambda: 100 < pixel(page)[0] < 160, "soft tissue in the middle")


def test_broken_line_is_waited_out(open_page: OpenPage, site: Site) -> None:
    site.world.held_frames = {LAST_OF_CT}
    page = open_page(CT)
    has_picture(page, 0)
    page.context.set_offline(True)
    site.world.held_frames = set()
    page.keyboard.press("End")
    page.wait_for_timeout(700)
    page.context.set_offline(False)
    has_picture(page, 59)


def test_an_image_whose_end_never_came_says_so_on_the_picture(open_page: OpenPage, site: Site) -> None:
    site.world.facts = {"cut": True, "missing": 0.4}
    page = open_page(CT)
    has_picture(page, 0)
    expect(page.get_by_text("The end of this image is missing (40\u00a0% of it never came)")).to_be_visible()

    def hatch() -> set[tuple[int, ...]]:
        return {tuple(pixel(page, 0.5, 0.9 + step / 400)) for step in range(20)}

    until(lambda: hatch() > {(0, 0, 0)}, "the hatched part")
    assert all(red == 0 or red > 1.5 * blue for red, _, blue in hatch())
    german = open_page(CT, width=360, height=640, language="de")
    expect(german.get_by_text("Das Ende dieses Bildes fehlt (40\u00a0% kamen nicht an)")).to_be_visible()
    site.world.facts = {"cut": True}
    page.reload()
    expect(page.get_by_text("The end of this image is missing", exact=True)).to_be_visible()


def test_a_header_that_names_thousands_of_millions_of_frames_takes_no_memory(open_page: OpenPage, site: Site) -> None:
    (cine,) = (one for one in site.world.studies[1].series if one.kind == "us")
    cine.frames = 2_147_483_647
    page = open_page(US)
    has_picture(page, 0)
    until(lambda: "Image 1 of 2,147,483,647" in overlay(page), "so many")
    page.keyboard.press("End")
    has_picture(page, 2_147_483_646)
    page.keyboard.press("ArrowUp")
    has_picture(page, 2_147_483_645)
    heap = page.evaluate("() => performance.memory.usedJSHeapSize")
    assert heap < 64 << 20


def test_frames_that_only_the_header_has_are_counted_and_not_shown_as_arriving(open_page: OpenPage, site: Site) -> None:
    (cine,) = (one for one in site.world.studies[1].series if one.kind == "us")
    cine.frames_named = 75
    page = open_page(US)
    has_picture(page, 0)
    until(lambda: "Image 1 of 30" in overlay(page), "those that can be read")
    expect(page.get_by_text("The object names 75 images; 30 can be read")).to_be_visible()
    expect(page.get_by_text("arrived")).to_have_count(0)


def test_a_fault_of_the_server_is_said_at_once_and_a_busy_one_is_asked_again(open_page: OpenPage, site: Site) -> None:
    first = f"{uuid.UUID(int=2000)}-0"
    site.world.refused_frames = {first: (500, "internal")}
    page = open_page(CT)
    expect(page.get_by_text("The server could not read it.")).to_be_visible(timeout=2_000)
    site.world.refused_frames = {first: (503, "decoders-busy")}
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("The server was busy; asking again")).to_be_visible()
    site.world.refused_frames = {}
    has_picture(page, 0)


def test_an_image_without_pixels_can_be_downloaded(open_page: OpenPage, site: Site) -> None:
    site.world.refused_frames = {f"{uuid.UUID(int=2001)}-0": (422, "not-viewable")}
    page = open_page(DX, language="de")
    expect(page.get_by_text("Dieses Objekt enthält keine Bildpunkte.")).to_be_visible()
    link = page.get_by_role("link", name="Objekt herunterladen")
    assert (link.get_attribute("href") or "").endswith("/file")
    expect(page.get_by_role("button", name="Noch einmal")).to_have_count(0)


def test_a_series_whose_list_is_late_never_shows_the_last_ones_picture_under_its_name(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    until(lambda: pixel(page) != [0, 0, 0], "a picture")
    dx = str(uuid.UUID(int=2001))
    site.world.held_series.add(dx)
    page.locator(f"[data-series='{dx}']").click()
    until(lambda: "DX" in overlay(page), "the other series' name")
    until(lambda: pixel(page) == [0, 0, 0], "the last series' picture is gone")
    assert "Image" not in overlay(page)
    assert "W 400" not in overlay(page)
    site.world.held_series.clear()
    has_picture(page, 0)
    until(lambda: pixel(page) != [0, 0, 0], "its own picture")


def test_a_series_that_cannot_be_read_shows_no_other_ones_picture(open_page: OpenPage, site: Site) -> None:
    page = open_page(CT)
    has_picture(page, 0)
    dx = str(uuid.UUID(int=2001))
    page.route(f"**/api/series/{dx}", lambda route: route.fulfill(status=500, body="{}"))
    page.locator(f"[data-series='{dx}']").click()
    expect(page.get_by_role("alert")).to_be_visible()
    until(lambda: pixel(page) == [0, 0, 0], "no picture")

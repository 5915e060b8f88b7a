"""Everybody can use the reading room and the volume: axe finds nothing in any panel or dialog, and all is in sight.

On a desk and on a phone, over a study that has drawings of other systems, on a real server.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from radrelay.analysis.images.phantom_files import datasets, lesion
from tests.dicom.drawn_objects import bytes_of
from tests.pages import violations
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.test_drawings import drawn_study, view

SIZES = [pytest.param(1440, 900, id="desk"), pytest.param(360, 640, id="phone")]
POPOVER = "[popover]:popover-open"
OPEN = "[popover]:popover-open, dialog[open], aside, section[aria-label='Measurements and notes']"


@pytest.fixture(scope="module")
def sent(hospital: Hospital) -> Sent:
    [found] = hospital.send([bytes_of(one) for one in drawn_study()])
    return found


def checked(page: Page, what: str) -> None:
    """See that what is open is clean and lies within the window."""
    page.wait_for_timeout(350)  # what fades in has no contrast yet
    isolated = page.locator(POPOVER).count() > 0  # what it covers by half was seen before, and is out of use
    assert violations(page, POPOVER if isolated else "html") == [], what
    for box in page.locator(OPEN).evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())"):
        size = page.viewport_size
        assert size
        assert box["left"] >= -1, (what, box)
        assert box["top"] >= -1, (what, box)
        assert box["right"] <= size["width"] + 1, (what, box)
        assert box["bottom"] <= size["height"] + 1, (what, box)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), what


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name).and_(page.locator(":visible:not([inert] *)")).first


def popover(page: Page, name: str) -> None:
    button(page, name).click()
    expect(page.locator("[popover]:popover-open")).to_be_visible()
    checked(page, name)


def dialog(page: Page, what: str, open_it: Callable[[], None]) -> None:
    open_it()
    expect(page.get_by_role("dialog").last).to_be_visible()
    page.wait_for_timeout(400)
    checked(page, what)
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_panel_and_dialog_of_the_reading_room_is_for_all(
    open_page: Pages, sent: Sent, width: int, height: int
) -> None:
    phone = width < 500
    page = open_page(view(sent), width=width, height=height, touch=phone)
    ready(page, 0)
    expect(button(page, "Drawings of other systems")).to_be_visible()
    checked(page, "the room")
    for name in ("Window presets and numbers", "More", *(() if phone else ("Layout",))):
        popover(page, name)
        page.keyboard.press("Escape")
        until(lambda: page.locator("[popover]:popover-open").count() == 0, "the panel to close")
    page.keyboard.press("*")  # a key image: the list has an entry
    button(page, "Measure and note").click()
    checked(page, "the tools to measure")
    if not phone:
        page.keyboard.press("Escape")
    button(page, "List of measurements and notes").click()
    expect(page.get_by_role("region", name="Measurements and notes")).to_be_visible()
    checked(page, "the list of marks")
    page.get_by_role("region", name="Measurements and notes").get_by_role("button", name="Close").click()
    button(page, "Drawings of other systems").click()
    button(page, "Show all").click()
    expect(page.get_by_text("Part 1")).to_be_visible()
    checked(page, "the drawings")
    page.keyboard.press("Escape")

    def of_menu(menu: str, entry: str) -> Callable[[], None]:
        def chosen() -> None:
            button(page, menu).click()
            button(page, entry).click()

        return chosen

    dialog(page, "hanging", of_menu("More" if phone else "Layout", "Hanging protocols"))
    for entry in ("Save pictures", "Print", "All attributes", "Keys and gestures"):
        dialog(page, entry, of_menu("More", entry))


def test_the_editor_of_a_protocol_is_for_all(open_page: Pages, sent: Sent) -> None:
    page = open_page(view(sent))
    ready(page, 0)
    button(page, "Layout").click()
    button(page, "Hanging protocols").click()
    page.get_by_role("button", name="Add the present arrangement").click()
    expect(page.get_by_label("Name", exact=True)).to_be_visible()
    checked(page, "the form of a protocol")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_volume_with_all_its_panels_is_for_all(open_page: Pages, sent: Sent, width: int, height: int) -> None:
    phone = width < 500
    page = open_page(view(sent), width=width, height=height, touch=phone)
    ready(page, 0)
    button(page, "Volume (MPR/3D)").click()
    expect(page.locator(".volumes main[data-whole=true]")).to_be_visible(timeout=60_000)
    checked(page, "the volume")
    names = ["Window presets and numbers", "Slab", "3D view", "Fusion", "More" if phone else "Panes"]
    for name in names:
        popover(page, name)
        page.keyboard.press("Escape")
        until(lambda: page.locator("[popover]:popover-open").count() == 0, "the panel to close")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    checked(page, "the keys of the volume")


def test_a_perfusion_is_analysed_looked_at_and_run_again(open_page: Pages, hospital: Hospital) -> None:
    server = hospital.installation
    server.command("analysis", "switch", "perfusion", "on")
    recipe = lesion(modality="CT", noise=2.0, seed=1, pixels=96, slices=4, frames=40)
    [study] = hospital.send(datasets(recipe))
    run = server.send(
        "POST", f"/api/studies/{study.id}/analyses", {"kind": "perfusion", "parameters": {"correct_motion": False}}
    )
    address = f"/api/analysis-runs/{run['id']}"
    until(lambda: server.get(address)["state"] not in ("waiting", "running"), "the run's end", 60)
    assert server.get(address)["state"] == "done", server.get(address)["reason"]
    page = open_page(f"/analysis?run={run['id']}", width=360, height=800, touch=True)
    pictures = page.locator(".pane img")
    expect(pictures).to_have_count(6)
    until(lambda: pictures.evaluate_all("all => all.every(one => one.naturalWidth > 0)"), "the pictures")
    expect(page.get_by_text("For research use, not a certified medical device.")).to_be_visible()
    checked(page, "a result")
    page.get_by_role("slider", name="Slice").fill("1")
    expect(pictures.last).to_have_attribute("alt", "Tmax, slice 2 of 4")
    button(page, "Move the artery").click()
    page.locator(".pane").first.click()
    expect(page.get_by_text("Chosen in slice 2.")).to_be_visible()
    button(page, "Run again").click()
    expect(page).not_to_have_url(page.url)
    [again, _] = server.get(f"/api/studies/{study.id}/analyses")
    assert again["rerun_of"] == run["id"]
    assert again["parameters"]["artery"][0] == pytest.approx([1, 48, 48], abs=1)  # the middle lies between pixels
    until(lambda: server.get(f"/api/analysis-runs/{again['id']}")["finished_at"], "its end", 60)

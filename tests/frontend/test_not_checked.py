"""A study on a display without a valid check says so; on one with a correction table its greys go through that."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, has_picture, until
from tests.frontend.fake_roomcheck import RoomCheck, display

VIEW = f"/view?study={uuid.UUID(int=2)}&series={uuid.UUID(int=2000)}"  # one pane: a series is named
MARK = "Display not checked for diagnosis"


def stands_on(room: RoomCheck, width: int = 1440, height: int = 900, **more: Any) -> dict[str, Any]:
    fields = {
        "name": "left", "room": "2", "room_class": "RK1", "use": "ct", "columns": width, "rows": height,
        "pixel_um": 270.0, "css_width": width, "css_height": height, "screen_left": 0, "screen_top": 0, "label": "",
    }  # fmt: skip
    row = display(0, fields, **more)
    room.workstation = "PC 7"
    room.mine.append(row)
    return row


def checked(**span: float) -> dict[str, Any]:
    return {"checked": True, "reason": "checked", "until": (datetime.now(UTC) + timedelta(**span)).isoformat()}


def greys(page: Page) -> list[int]:
    found: list[int] = page.locator(".pane canvas").first.evaluate(
        """canvas => {
          const context = canvas.getContext('2d');
          const row = Math.floor(canvas.height * 0.5);
          const { data } = context.getImageData(0, row, canvas.width, 40);
          return Array.from({ length: canvas.width * 40 }, (_, at) => data[4 * at]);
        }"""
    )
    return found


@pytest.fixture
def room(site: Site) -> RoomCheck:
    return site.world.roomcheck


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (360, 740)])
def test_study_on_an_unknown_display_carries_the_mark_that_leads_to_the_check(
    open_page: OpenPage, site: Site, width: int, height: int
) -> None:
    page = open_page(VIEW, width=width, height=height, touch=width < 400)
    has_picture(page)
    mark = page.get_by_role("link", name=MARK)
    expect(mark).to_be_visible()
    box = mark.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    mark.click()
    expect(page.get_by_role("heading", name="Display check")).to_be_visible()
    until(lambda: site.world.roomcheck.asked > 0, "the question where this is")


def test_study_on_a_checked_display_carries_none(open_page: OpenPage, room: RoomCheck) -> None:
    stands_on(room, state=checked(hours=5))
    page = open_page(VIEW)
    has_picture(page)
    until(lambda: room.asked > 0, "the question where this is")
    page.wait_for_timeout(500)
    expect(page.get_by_role("link", name=MARK)).to_have_count(0)


def test_nothing_is_asked_before_the_first_picture(open_page: OpenPage, site: Site, room: RoomCheck) -> None:
    site.world.glimpses = False
    first = next(one for one in site.world.studies if one.row["id"] == str(uuid.UUID(int=2))).series[0]
    site.world.held_frames = {f"{first.id}-{place}" for place in range(first.instances)}
    page = open_page(VIEW)
    until(lambda: site.world.frames_asked, "the first frame asked for")
    page.wait_for_timeout(500)
    assert room.asked == 0
    site.world.held_frames = set()
    has_picture(page)
    until(lambda: room.asked > 0, "the question where this is")


def test_mark_appears_when_the_check_ends_under_an_open_study(open_page: OpenPage, room: RoomCheck) -> None:
    stands_on(room, state=checked(hours=5))
    room.ends_after_s = 5  # after it is asked, however long the page takes to open
    page = open_page(VIEW)
    has_picture(page)
    until(lambda: room.asked > 0, "the question where this is")
    expect(page.get_by_role("link", name=MARK)).to_have_count(0, timeout=4_000)
    expect(page.get_by_role("link", name=MARK)).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("reason", ["expired", "failed", "changed", "viewing"])
def test_display_whose_check_does_not_count_carries_the_mark(open_page: OpenPage, room: RoomCheck, reason: str) -> None:
    stands_on(room, state={"checked": False, "reason": reason, "until": None})
    page = open_page(VIEW)
    has_picture(page)
    expect(page.get_by_role("link", name=MARK)).to_be_visible()


def test_server_that_does_not_say_leaves_the_mark(open_page: OpenPage, room: RoomCheck) -> None:
    stands_on(room, state=checked(hours=5))
    room.away = True
    page = open_page(VIEW, language="de")
    has_picture(page)
    expect(page.get_by_role("link", name="Bildschirm nicht für die Befundung geprüft")).to_be_visible()


def test_greys_go_through_the_displays_correction_table(open_page: OpenPage, site: Site, room: RoomCheck) -> None:
    page = open_page(VIEW)
    has_picture(page)
    expect(page.get_by_role("link", name=MARK)).to_be_visible()
    plain = greys(page)
    assert len(set(plain)) > 20
    table = [round(255 * (grey / 255) ** 1.5) for grey in range(256)]
    stands_on(room, state=checked(hours=5), correction=table, corrected_by="raw")
    page.goto(site.address + VIEW)
    has_picture(page)
    until(lambda: max(greys(page)) > 0 and greys(page) != plain, "the corrected picture")
    through = greys(page)
    even = [at for at in range(1, len(plain) - 1) if plain[at] > 0 and len({*plain[at - 1 : at + 2]}) == 1]
    assert len(even) > 20  # elsewhere the pane's scaling mixes neighbours, before or after the correction
    off = [abs(through[at] - table[plain[at]]) for at in even]
    assert max(off) <= 4
    assert sum(off) / len(off) < 0.7

"""The editor of hanging protocols: what is arranged becomes one, is kept on the server, and is the reader's again."""

from __future__ import annotations

import uuid
from typing import Any

from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, until

STUDY = f"/view?study={uuid.UUID(int=2)}"


def _editor(page: Page) -> None:
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()
    page.get_by_role("button", name="Layout", exact=True).first.click()
    page.get_by_role("button", name="Hanging protocols").click()
    expect(page.get_by_role("dialog", name="Hanging protocols")).to_be_visible()


def _kept(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.world.settings.get("hanging", {}).get("value") or {}
    return found


def test_an_arrangement_becomes_a_protocol_and_is_there_the_next_time(open_page: OpenPage, site: Site) -> None:
    page = open_page(STUDY)
    _editor(page)
    page.get_by_role("button", name="Add the present arrangement").click()
    page.get_by_label("Name", exact=True).fill("My chest")
    page.get_by_label("Study description says").fill("thorax, chest")
    page.get_by_role("group", name="For studies with").get_by_role("combobox").first.select_option("without")
    page.get_by_role("button", name="Save", exact=True).click()
    until(lambda: _kept(site).get("protocols"), "the kept protocol")
    (protocol,) = _kept(site)["protocols"]
    assert protocol["name"] == "My chest"
    assert protocol["match"]["description"] == "thorax, chest"
    assert protocol["match"]["with_prior"] is False
    again = open_page(STUDY)
    _editor(again)
    expect(again.get_by_text("My chest")).to_be_visible()


def test_protocols_are_ordered_switched_off_and_reset(open_page: OpenPage, site: Site) -> None:
    page = open_page(STUDY)
    _editor(page)
    for _ in range(2):
        page.get_by_role("button", name="Add the present arrangement").click()
    page.get_by_role("button", name="Move Arrangement 1 up").click()
    page.get_by_role("checkbox", name="Use CT alone").uncheck()
    page.get_by_role("button", name="Save", exact=True).click()
    until(lambda: _kept(site).get("off") == ["builtin-ct"], "what is switched off")
    by_priority = sorted(_kept(site)["protocols"], key=lambda one: -int(one["priority"]))
    assert [one["name"] for one in by_priority] == ["Arrangement 1", "Arrangement 2"]
    _editor(page)
    page.get_by_role("button", name="Back to the defaults").click()
    until(lambda: site.world.settings["hanging"]["value"] is None, "no protocols of one's own")


def test_another_window_s_change_is_not_written_over(open_page: OpenPage, site: Site) -> None:
    page = open_page(STUDY)
    _editor(page)
    newer = {"name": "hanging", "value": {"protocols": [], "off": ["builtin-us"]}, "revision": 4, "changed_at": None}
    site.world.settings["hanging"] = newer
    page.get_by_role("button", name="Add the present arrangement").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("changed in another window")).to_be_visible()
    assert _kept(site)["off"] == ["builtin-us"]

"""The page of release rules: said in sentences, tried before they are saved, asked about their releases at the end."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled
from tests.pages import violations


def test_a_rule_is_tried_made_changed_and_deleted_on_a_phone(open_page: OpenPage, site: Site) -> None:
    world = site.world.rules
    page = open_page("/release-rules", width=360, height=740)
    main, dialog = page.locator("main"), page.get_by_role("dialog")
    expect(main).to_contain_text(
        "Studies with modality MR, body part KNEE, and referring physician Müller-Lüdenscheidt: the group Station 3 "
        "may look at them, for 30 days."
    )
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="New rule").click()
    dialog.locator("input[name=rule_name]").fill("Heads")
    expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    dialog.locator("input[name=rule_body_part]").fill("HEAD, BRAIN")
    expect(dialog.locator("[data-matches]")).to_contain_text("3 studies of the last 500 that arrived. 1 of them is")
    expect(dialog.locator("[data-matches]")).to_contain_text("Müller-Lüdenscheidt")
    dialog.get_by_role("searchbox", name="Group").fill("station")
    dialog.get_by_role("radio", name="Station 3").check()
    dialog.locator("input[name=rule_days]").fill("7")
    dialog.locator("input[name=rule_apply]").check()
    expect(dialog.locator("[data-meant]")).to_contain_text(
        "body part HEAD or BRAIN: the group Station 3 may look at them"
    )
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("[data-rule]")).to_have_count(3)
    made = next(given for path, given in world.calls if path == "POST /api/release-rules")
    assert (made["group_id"], made["days"], made["apply"], made["may_download"]) == ("g-ward", 7, True, False)
    assert (made["conditions"]["body_part"], made["conditions"]["source_id"]) == ("HEAD, BRAIN", None)
    page.get_by_role("button", name="Change the rule Orthopädie").click()
    expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    dialog.get_by_role("radio", name="End it at once").check()
    world.refuse = "rule-changed"
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody else has changed this rule meanwhile")
    world.refuse = ""
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Delete the rule Orthopädie").click()
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_role("radio", name="Leave it as it is").check()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator("[data-rule]")).to_have_count(2)
    assert ("DELETE /api/release-rules/ru-1", {"releases": "keep"}) in world.calls

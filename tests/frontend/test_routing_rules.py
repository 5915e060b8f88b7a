"""The page of rules: put together on a phone, tried, ordered, switched; and what met a study among its details."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled
from tests.pages import violations


def test_a_rule_is_put_together_tried_and_saved_on_a_phone(open_page: OpenPage, site: Site) -> None:
    world = site.world.routing
    page = open_page("/rules", width=360, height=740)
    main, dialog = page.locator("main"), page.get_by_role("dialog")
    expect(main).to_contain_text("Modality is MR or CT and Calling AE title is MR_NORD")
    expect(main).to_contain_text("send it to")
    expect(main).to_contain_text("failed with 2 studies")
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="New rule").click()
    dialog.locator("input[name=rule_name]").fill("Children")
    expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    dialog.locator("select[name=field]").select_option("PatientAge")
    dialog.locator("select[name=test]").select_option("at-most")
    dialog.locator("input[name=value]").fill("17")
    dialog.get_by_role("button", name="Condition", exact=True).click()
    second = dialog.locator("[data-condition='2']")
    second.locator("select[name=field]").select_option(label="Another attribute …")
    second.locator("input[name=attribute]").fill("ProtocolName")
    second.locator("select[name=test]").select_option("like")
    second.locator("input[name=value]").fill("ped*; child?")
    dialog.locator("select[name=kind]").select_option("hold")
    dialog.locator("input[name=days]").fill("7")
    dialog.locator("select[name=kind]").select_option("coerce")
    dialog.get_by_role("checkbox", name="Study description").check()
    dialog.get_by_role("textbox", name="Study description").fill("{description} (ped)")
    dialog.locator("select[name=kind]").select_option("report")
    dialog.locator("select[name=receiver]").select_option("KIS")
    expect(dialog.locator("[data-meant]")).to_contain_text("ProtocolName is like ped* or child?: hold it for 7 days;")
    dialog.get_by_role("button", name="Try on past studies").click()
    expect(dialog.locator("[data-trial]")).to_contain_text("It would meet 3 studies of the last 200.")
    dialog.locator("[data-trial] summary").click()
    expect(dialog.locator("[data-trial]")).to_contain_text("not done: the study came from there")
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("[data-rule]")).to_have_count(3)
    made = next(given for path, given in world.calls if path == "POST /api/routing-rules")
    assert made["when"] == [
        {"field": "PatientAge", "test": "at-most", "values": ["17"]},
        {"field": "ProtocolName", "test": "like", "values": ["ped*", "child?"]},
    ]
    assert made["actions"] == [
        {"kind": "hold", "days": 7, "reason": ""}, {"kind": "coerce", "values": {"description": "{description} (ped)"}},
        {"kind": "report", "receiver": "KIS", "link": False},
    ]  # fmt: skip


def test_rules_are_ordered_switched_looked_back_at_and_told_of_with_a_study(open_page: OpenPage, site: Site) -> None:
    world = site.world.routing
    page = open_page("/rules")
    page.get_by_role("switch", name="The rule Nachts is on").check()
    page.get_by_role("button", name="What can be done with the rule Nachts").click()
    page.get_by_role("menuitem", name="Move up").click()
    expect(page.locator("[data-rule]").first).to_contain_text("Nachts")
    page.get_by_role("button", name="What can be done with the rule Nachts").click()
    page.get_by_role("menuitem", name="Earlier revisions").click()
    expect(page.locator("[data-revision]")).to_have_count(2)
    page.get_by_role("button", name="Close").click()
    assert ("PUT /api/routing-rules/rr-2/enabled", {"enabled": True}) in world.calls
    assert ("PUT /api/routing-rules/order", {"ids": ["rr-2", "rr-1"]}) in world.calls
    page.goto(site.address)
    page.locator("tbody tr").first.get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name="Details").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_text("Rules that met it").click()
    expect(sheet.locator("[data-met]")).to_contain_text("Accession number: A-100 → EXT-A-100")
    settled(page, site)
    assert violations(page) == []

"""The page of restricted studies, opening one for a reason, and being told of it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled, until, where
from tests.pages import violations


def test_an_administrator_restricts_and_lifts_sets_the_rule_and_binds_a_device(open_page: OpenPage, site: Site) -> None:
    world = site.world.restricted
    page = open_page("/restricted", width=360, height=740)
    main, dialog = page.locator("main"), page.get_by_role("dialog")
    expect(main).to_contain_text("All studies of a patient 4711 (KLINIK) · Mitarbeiterin")
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="Restrict studies").click()
    dialog.locator("input[name=restriction_value]").fill("0815")
    dialog.locator("input[name=restriction_issuer]").fill("PRAXIS")
    settled(page, site)
    assert violations(page) == []
    dialog.get_by_role("button", name="Restrict", exact=True).click()
    expect(main).to_contain_text("0815 (PRAXIS)")
    assert world.calls[-2][1] == {"kind": "patient", "value": "0815", "issuer": "PRAXIS", "reason": ""}
    page.get_by_role("button", name="Lift the restriction of 0815").click()
    dialog.get_by_role("button", name="Lift").click()
    expect(main).not_to_contain_text("0815")
    page.locator("select[name=prior_reach]").select_option("body-part")
    page.locator("input[name=prior_years]").fill("5")
    page.get_by_role("checkbox", name="Only by grants that are marked for it").check()
    page.get_by_role("button", name="Save").click()
    until(lambda: world.rule == {"reach": "body-part", "years": 5, "marked_only": True}, "the rule")
    page.get_by_role("button", name="Bind a device").click()
    dialog.locator("input[name=device_title]").fill("VIEWER")
    dialog.locator("input[name=device_addresses]").fill("192.0.2.9, 192.0.2.16/28")
    dialog.get_by_role("button", name="Save").click()
    expect(main).to_contain_text("VIEWER")
    assert world.devices[-1]["addresses"] == ["192.0.2.9", "192.0.2.16/28"]


def test_who_may_opens_a_restricted_study_for_a_reason_and_the_officer_looks_into_it(
    open_page: OpenPage, site: Site
) -> None:
    world = site.world.restricted
    page = open_page("/")
    expect(page.get_by_role("button", name="Open a restricted study")).to_have_count(0)
    world.may_break_glass, world.told, world.refuse = True, ["n1"], "several-studies"
    page.reload()
    expect(page.locator("[data-told]")).to_contain_text("Dr. Katharina Weber has opened a restricted study (Emergency)")
    page.get_by_role("button", name="I have read this").click()
    expect(page.locator("[data-told]")).to_have_count(0)
    page.get_by_role("button", name="Open a restricted study").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Open the study")).to_be_disabled()
    dialog.locator("input[name=glass_patient]").fill("4711")
    dialog.locator("select[name=glass_kind]").select_option("emergency")
    dialog.locator("textarea[name=glass_reason]").fill("unconscious, before surgery")
    settled(page, site)
    assert violations(page) == []
    dialog.get_by_role("button", name="Open the study").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Several restricted studies are meant")
    world.refuse = ""
    dialog.get_by_role("button", name="Open the study").click()
    until(lambda: "/view?study=" in where(page), "the study")
    site.world.role = "dpo"
    page.goto(site.address + "/restricted")
    opened = page.get_by_role("listitem").filter(has_text="bewusstlos im Schockraum")
    for said in ("Groß, Jürgen", "4711 · KLINIK", "24 Dec 2025 · CT · Schädel nativ · A-1"):
        expect(opened).to_contain_text(said)
    page.get_by_role("button", name="I have looked into it").click()
    expect(page.locator("main")).to_contain_text("Looked into by root")
    settled(page, site)
    assert violations(page) == []
    opened.get_by_role("link", name="What was done with it").click()
    expect(page.get_by_placeholder("Study (UID)")).to_have_value(world.broken[0]["study_id"])
    page.goto(site.address + "/")
    world.told = ["n2"]
    page.reload()
    expect(page.locator("[data-told]")).to_contain_text("24 Dec 2025 · CT · Schädel nativ")

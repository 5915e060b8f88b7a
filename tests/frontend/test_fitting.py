"""Pages fit the screens that people have: what is wider or longer says so, and what is current is in view."""

from __future__ import annotations

import uuid
from typing import Any

from playwright.sync_api import Page, expect

from tests.frontend.conftest import OpenPage, Site, settled, until
from tests.frontend.fake_office import ago
from tests.pages import violations

STUDY = f"study {uuid.UUID(int=9)}"
PHONE, LAPTOP = {"width": 360, "height": 740}, {"width": 1440, "height": 900}


def _event(number: int, action: str, **detail: object) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(int=number)), "at": ago(minutes=number), "action": action, "outcome": "success",
        "actor_kind": "account", "actor_id": "a", "actor_name": "Prof. Dr. Katharina Müller-Lüdenscheidt",
        "peer": "2001:db8:85a3:8d3:1319:8a2e:370:7348", "subject_kind": "study", "subject_id": str(uuid.UUID(int=7)),
        "correlation_id": "c", "detail": detail, "patient": None, "study": None,
    }  # fmt: skip


def _is_wide(page: Page, width: int) -> bool:
    return bool(page.evaluate("() => document.documentElement.scrollWidth") > width)


def test_tabs_menus_and_tables_are_whole_on_a_phone_and_on_a_laptop(open_page: OpenPage, site: Site) -> None:
    world = site.world
    world.office.events[:] = [
        _event(1, "grant.give", grantee="role dpo", target="organisation", rights=["see", "break-glass"], until=""),
        _event(2, "link.make", protection="birth-date", targets=[STUDY], email="a" * 50 + "@b.de"),
        _event(3, "device.impostor", sha256="ab" * 32, certificate="CN=" + "ct-nord.klinik." * 6 + "example"),
    ]
    page = open_page("/unusual-volume", **PHONE, language="de", touch=True)
    tabs = page.get_by_role("navigation", name="Datenschutz")
    expect(tabs.get_by_role("link", name="Ungewöhnliche Mengen")).to_be_in_viewport(ratio=0.99)
    expect(tabs).to_have_attribute("data-before", "")
    tabs.get_by_role("link", name="Nutzung").or_(tabs.get_by_role("link", name="Einwilligungen")).first.click()
    expect(tabs.locator("[aria-current]")).to_be_in_viewport(ratio=0.99)
    page.goto(site.address + "/promises")
    expect(tabs).to_have_attribute("data-after", "")
    assert not _is_wide(page, 360)
    page = open_page("/audit", **LAPTOP, language="de")
    for said in ("für: Rolle Datenschutz", "auf: alle Studien", "fragt nach: Geburtsdatum", "Zertifikat: CN=ct-nord"):
        expect(page.get_by_role("table")).to_contain_text(said)
    assert not _is_wide(page, 1440)
    places = page.get_by_role("navigation").get_by_role("link")
    expect(places.filter(has_text="System")).to_be_in_viewport(ratio=0.99)
    page.set_viewport_size({"width": 1440, "height": 560})
    expect(page.locator(".side ul")).to_have_attribute("data-before", "")
    expect(places.filter(has_text="Protokoll")).to_be_in_viewport(ratio=0.99)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(site.address + "/accounts")
    page.get_by_role("button", name="Aktionen für weber").click()
    expect(page.get_by_role("menuitem", name="Sperren")).to_contain_text("Niemand sperrt das eigene Konto.")
    settled(page, site)
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Aktionen für station3").click()
    page.get_by_role("menuitem", name="Aktivieren").click()
    until(lambda: ("PATCH /api/accounts/acc-2", {"disabled": False}) in world.office.calls, "the account is enabled")
    assert not _is_wide(page, 1440)

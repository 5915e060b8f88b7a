"""Who fetched far more than usual is looked into on a phone; logging out counts though the server is away."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled, until
from tests.pages import violations


def test_an_alarm_is_looked_into_and_who_logs_out_is_out_without_the_server(open_page: OpenPage, site: Site) -> None:
    page = open_page("/unusual-volume", width=360, height=740, language="de", touch=True)
    suspended, busy = page.locator("[data-alarm=a1]"), page.locator("[data-alarm=a2]")
    expect(suspended).to_contain_text("gesperrt")
    expect(busy).to_contain_text("noch nicht geprüft")
    expect(page.locator("[data-alarm=a3]")).to_contain_text("einzige Administration")
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    suspended.get_by_role("button", name="Prüfen: Archivabgleich Süd").click()
    page.get_by_label("Was Sie herausgefunden haben (freiwillig)").fill("Umzug, angekündigt")
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="Es war richtig: wieder zulassen").click()
    expect(suspended).to_contain_text("Geprüft von root")
    assert site.world.alarms[0]["suspended_at"] is None

    page.set_viewport_size({"width": 1280, "height": 800})
    site.world.away = True
    page.get_by_role("button", name="Abmelden").first.click()
    expect(page.get_by_role("heading", name="Abmeldung läuft")).to_be_visible()
    expect(page.get_by_text("Archivabgleich")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Archivabgleich")).to_have_count(0)
    assert site.world.logged_in, "the server has not heard of it yet"
    site.world.away = False
    until(lambda: not site.world.logged_in, "the logout, once the server is back")
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    assert page.evaluate("() => localStorage.getItem('radrelay-leaving')") is None

"""Everybody can use the pages: axe finds nothing, all fits a phone, no text stands outside the catalogues."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, settled
from tests.frontend.looking import go_on
from tests.pages import violations

ROOT = Path(__file__).parents[2]
IMPORTED = [f"/imports/{uuid.UUID(int=7000 + number)}" for number in (2, 3, 4, 5)]
VIEW = f"/view?study={uuid.UUID(int=2)}"
PATHS = (
    "/",
    "/import",
    "/imports",
    *IMPORTED,
    "/deliveries",
    "/links",
    "/quarantine",
    "/pseudonyms",
    "/destinations",
    "/sources",
    "/hl7",
    "/account",
    "/accounts",
    "/groups",
    "/access",
    "/directory",
    "/gateway",
    "/audit",
    "/system",
    "/display-check",
    VIEW,
)
LOADED = ("/", *IMPORTED, "/gateway", VIEW)
"""Are loaded anew, as other tests do with the rest: to those a page goes on, as people do."""


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (360, "dark"),
        (1440, "light"),
        pytest.param(1440, "dark", marks=pytest.mark.soak),  # colours and layout were seen each in the two before
        pytest.param(360, "light", marks=pytest.mark.soak),
    ],
)
def test_axe_finds_nothing(open_page: OpenPage, site: Site, theme: str, width: int) -> None:
    page = open_page("/", width=width, height=800 if width > 400 else 640, language="de", touch=width < 400)
    page.evaluate("theme => localStorage.setItem('radrelay-theme', theme)", theme)
    for path in PATHS:
        if path in LOADED:
            page.goto(site.address + path)
            expect(page.locator("h1").first).to_be_visible()
        else:
            go_on(page, path)
        if path == VIEW:  # what stands around the pictures comes behind the first
            expect(page.get_by_role("toolbar")).to_be_visible()
        settled(page, site)
        assert violations(page) == [], path
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, path


def test_dialogs_and_menus_are_clean_too(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    for entry in ("Details", "Send", "Share", "Hold", "Delete"):
        page.locator("[data-study]").nth(1).get_by_role("button", name="Actions for").click()
        expect(page.get_by_role("menuitem").first).to_be_focused()
        settled(page, site, 0)
        assert entry != "Details" or violations(page) == [], "menu"  # one and the same menu each time
        page.get_by_role("menuitem", name=entry).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        settled(page, site)
        assert violations(page) == [], entry
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()


def test_login_is_clean(open_page: OpenPage, site: Site) -> None:
    site.world.logged_in = False
    page = open_page("/", width=360, height=640)
    expect(page.locator("input[name=username]")).to_be_visible()
    settled(page, site)
    assert violations(page) == []


def test_no_text_stands_outside_the_catalogues() -> None:
    """Every text node of a component is an expression, a name or a sign."""
    allowed = re.compile(
        r"^(Radrelay|DICOMweb|DICOM|DICOM TLS|TLS|StudyInstanceUID|SOPInstanceUID|[^A-Za-zÀ-ÖØ-öø-ž]*)$"
    )
    wrong = []
    for path in (ROOT / "frontend" / "app").rglob("*.svelte"):
        markup = re.sub(r"<(script|style).*?</\1>|<!--.*?-->", "", path.read_text(), flags=re.S)
        depth, text, inside = 0, "", False
        for sign in markup:
            if sign == "{":
                depth += 1
            elif sign == "}":
                depth -= 1
            elif depth == 0 and sign == "<":
                if not allowed.match(text.strip()):
                    wrong.append(f"{path.name}: {text.strip()}")
                text, inside = "", True
            elif depth == 0 and sign == ">" and inside:
                inside, text = False, ""
            elif depth == 0 and not inside:
                text += sign
        attributes = re.findall(r"\b(?:title|placeholder|aria-label|alt)=\"([^\"{}]+)\"", markup)
        wrong += [f"{path.name}: {attribute}" for attribute in attributes]
    assert wrong == []


def test_catalogues_have_the_same_places_to_fill() -> None:
    def places(language: str) -> dict[str, set[str]]:
        source = "".join(
            part.read_text() for part in sorted((ROOT / "frontend" / "app" / "i18n").glob(f"*{language}.ts"))
        )
        entries = re.findall(r"^  (?:'([^']+)'|(\w+)):(.*?)(?=^  (?:'[^']+'|\w+):|^\})", source, flags=re.S | re.M)
        return {quoted or plain: set(re.findall(r"\{(\w+)[|}]", text)) for quoted, plain, text in entries}

    english, german = places("en"), places("de")
    assert len(english) > 250
    assert german == english

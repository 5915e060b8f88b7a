"""The first picture comes with its own words: none is missing, and the others are there before anything says them."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Route, expect

from tests.frontend.conftest import OpenPage, Site
from tests.frontend.test_access_for_all import VIEW

FRONTEND = Path(__file__).parents[2] / "frontend"
APP, WORDS = FRONTEND / "app", FRONTEND / "app" / "i18n"
IMPORT = re.compile(r"^\s*(?:import|export)\s+(?!type\b)(?:[^;'\"]*?\sfrom\s+)?['\"]([^'\"]+)['\"]", re.MULTILINE)
BEHIND = {
    "Login.svelte", "LoginForm.svelte", "LoginWays.svelte", "Shell.svelte", "Preferences.svelte", "DropZone.svelte",
    "NoticeLink.svelte",
}  # fmt: skip
"""Read with the first picture, but shown only where all words are there."""


def _keys(path: Path) -> set[str]:
    return {one or other for one, other in re.findall(r"^  (?:'([^']+)'|(\w+)):", path.read_text(), re.MULTILINE)}


def _read_with(start: Path) -> set[Path]:
    """Return the sources that are read before a part runs, itself among them."""
    seen: set[Path] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in IMPORT.findall(path.read_text()):
            base = FRONTEND / "viewer" / name[8:] if name.startswith("$viewer/") else (path.parent / name).resolve()
            places = (base, *(Path(f"{base}{end}") for end in (".ts", ".svelte.ts", "/index.ts")))
            todo += [one for one in places if one.is_file() and one.suffix in (".ts", ".svelte")][:1]
    return seen


def test_the_first_picture_has_all_words_that_it_says() -> None:
    first = _keys(WORDS / "first.en.ts")
    rest = set[str]().union(*(_keys(one) for one in WORDS.glob("*en.ts") if one.name != "first.en.ts"))
    read = _read_with(APP / "main.ts") | _read_with(APP / "pages" / "View.svelte")
    assert APP / "viewing" / "Pane.svelte" in read
    assert APP / "viewing" / "Toolbar.svelte" not in read
    lacking = {}
    for path in read:
        if path.name in BEHIND or WORDS in path.parents:
            continue
        said = set(re.findall(r"\bt\(\s*'([\w.-]+)'", path.read_text()))
        said |= {
            key for one in re.findall(r"\bt\(`([\w.-]+)\$", path.read_text()) for key in rest if key.startswith(one)
        }
        missing = {
            key for key in said - first if not key.startswith("login.")
        }  # a login ends long after the first picture
        if missing:
            lacking[path.name] = missing
    assert lacking == {}
    assert not first & rest


def test_no_key_stands_for_a_word_that_is_on_its_way(open_page: OpenPage) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page = open_page("/login-first", language="de")  # a page of its own, so that the next begins without words
    page.route(re.compile(r"/assets/de-[^/]+\.js"), hold)
    page.goto(page.url.replace("/login-first", VIEW))
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()
    expect(page.get_by_role("slider", name="Stelle in der Serie")).to_be_visible()
    expect(page.get_by_role("toolbar")).to_be_hidden()
    assert not re.search(r"\b(view|tool|study|login|problem)\.\w+", page.locator("body").inner_text())
    for route in held:
        route.continue_()
    expect(page.get_by_role("toolbar", name="Werkzeuge")).to_be_visible()


def test_without_javascript_or_modules_the_page_says_what_it_needs(browser: Browser, site: Site) -> None:
    def as_an_old_browser_reads_it(route: Route) -> None:
        answer = route.fetch()
        html = re.sub(r'<(script type="module"|link)[^>]*>', "<x>", answer.text()).replace("nomodule", "")
        route.fulfill(response=answer, body=html)

    for old in (False, True):
        context = browser.new_context(java_script_enabled=old)
        page = context.new_page()
        if old:
            page.route(site.address + "/", as_an_old_browser_reads_it)
        page.goto(site.address + "/")
        for language, word in (("en", "needs JavaScript"), ("de", "braucht JavaScript")):
            expect(page.locator(f"p[lang={language}]")).to_contain_text(word)
            expect(page.locator(f"p[lang={language}]")).to_be_visible()
        context.close()

"""The viewer without a mouse: the list of keys is true, all is reached, and the focus comes back where it was."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from radrelay.dicom import phantoms
from tests.collection import COLLECTION
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.test_contents import pyramid

PAINTED = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
NOTE = """() => {
  window.handled = false;
  addEventListener('keydown', (event) => setTimeout(() => { window.handled = event.defaultPrevented; }), true);
}"""
KEPT = """() => {
  let passed = false;
  addEventListener('keydown', () => { passed = true; });
  addEventListener('keydown', (event) => {
    [window.kept, passed] = [false, false];
    setTimeout(() => { window.kept = event.defaultPrevented && !passed; });
  }, true);
}"""
SIGNS = {
    "↑": "ArrowUp", "↓": "ArrowDown", "←": "ArrowLeft", "→": "ArrowRight", "−": "-", "⌫": "Backspace",
    "Del": "Delete", "Esc": "Escape", "Ctrl": "Control",
}  # fmt: skip
NAMED = ["Enter", "Delete", "Backspace", "Space", "PageUp", "PageDown", "Home", "End"]
ARROWS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]
TRIED = [
    *string.ascii_lowercase,
    *string.digits,
    *string.punctuation,
    *NAMED,
    *ARROWS,
    *(f"F{n}" for n in range(2, 10)),
]
SHIFTED = [f"Shift+{key}" for key in [*string.ascii_uppercase, *ARROWS]]
CONTROLLED_ARROWS = [f"{held}+{key}" for held in ("Control", "Alt") for key in ("ArrowUp", "ArrowDown")]
CONTROLLED = [f"Control+{key}" for key in ("z", "y", "Shift+z", "a", "s", "x")]
FOCUSED = "() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.tagName"


def named_keys(within: Locator) -> set[str]:
    """Return the keys that the list, or a part of it, names, as Playwright calls them."""
    found: set[str] = set()
    for text in within.locator("kbd").all_inner_texts():
        said = text.replace("Page ", "Page")
        if said == "1 … 9":
            found.update("123456789")
        elif said.startswith("Ctrl"):
            found.update(re.sub(r" ?\+ ?", "+", one.strip()).replace("Ctrl", "Control") for one in said.split("/"))
        elif said.startswith("Shift +"):
            found.update(f"Shift+{SIGNS.get(one, one)}" for one in said.removeprefix("Shift + ").split())
        elif said.startswith("⇧ "):
            found.add(f"Shift+{said[2:]}")
        else:
            found.update(SIGNS.get(one, one) for one in said.split())
    return {one.lower() if len(one) == 1 else re.sub(r"Z$|Y$", lambda key: key[0].lower(), one) for one in found}


def press(page: Page, key: str) -> bool:
    """Press a key; tell whether it was taken."""
    page.keyboard.press(key)
    page.evaluate("() => new Promise((done) => setTimeout(done, 5))")
    return bool(page.evaluate("() => window.handled"))


def taken(page: Page, keys: list[str], again: Callable[[], None]) -> set[str]:
    """Return which keys do something; `again` brings the page to where it was."""
    found = set()
    for key in keys:
        if press(page, key):
            found.add(key)
            page.evaluate(PAINTED)
        if page.locator("dialog[open], [role=dialog]:not(.volumes)").count():
            page.keyboard.press("Escape")
        again()
    return found


def without_aliases(found: set[str], named: set[str]) -> set[str]:
    """Leave out what does the same with Shift: letters do so for the sake of Caps Lock."""
    plain = {one: one.removeprefix("Shift+") for one in found if one.startswith("Shift+") and one not in named}
    return found - {one for one, key in plain.items() if key in named or key.lower() in named}


def opened(open_page: Pages, hospital: Hospital, seed: int) -> tuple[Page, Sent]:
    [sent] = hospital.send(list(phantoms.study("ct-head", seed=seed, slices=12, size=64)))
    page = open_page(sent.view())
    ready(page, 0)
    expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()
    page.evaluate(NOTE)
    return page, sent


def drawn_length(page: Page) -> None:
    """Draw a length, which is selected then."""
    page.keyboard.press("m")
    box = page.locator(".pane canvas").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=4)
    page.mouse.up()


def test_the_list_of_keys_names_every_key_that_does_something_and_no_other(
    open_page: Pages, hospital: Hospital
) -> None:
    page, _ = opened(open_page, hospital, 631)
    drawn_length(page)
    page.keyboard.press("?")
    expect(page.locator("dialog kbd").filter(has_text="Ctrl").first).to_be_visible()
    expect(page.get_by_text("while it has the focus")).to_have_count(0)  # those of films and slides are for these
    named = named_keys(page.locator("dialog"))
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)

    def again() -> None:
        expect(page.locator("dialog")).to_have_count(0)
        if page.get_by_role("button", name="List of measurements and notes, 0 entries").count():
            page.keyboard.press("Control+z")

    page.keyboard.press("t")  # its code is here from now on, so that it opens with its key
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    marked = {"#", "'", "Enter", "Delete", "Backspace"}  # of a selected mark, each anew
    found = taken(page, [one for one in [*TRIED, *SHIFTED, *CONTROLLED] if one not in marked], again)
    for key in marked:
        page.reload()
        ready(page, 0)
        expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()
        page.evaluate(NOTE)
        drawn_length(page)
        if press(page, key):
            found.add(key)
        if page.locator("dialog[open]").count():
            page.keyboard.press("Escape")
    assert without_aliases(found, named) == named - {"Escape"}


def test_the_list_of_keys_of_a_volume_is_true_too(open_page: Pages, hospital: Hospital) -> None:
    page, _ = opened(open_page, hospital, 632)
    page.get_by_role("button", name="Volume (MPR/3D)").press("Enter")
    expect(page.locator(".volumes main[data-whole=true]")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("dialog kbd").first).to_be_visible()
    named = named_keys(page.locator("dialog"))
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    crossed = ["Enter", "ArrowLeft", "ArrowRight", *SHIFTED[-len(ARROWS) :]]  # of a cross, once it is there
    found = taken(page, [one for one in [*TRIED, *SHIFTED, *CONTROLLED] if one not in crossed], lambda: None)
    page.keyboard.press("l")
    found |= taken(page, crossed, lambda: None)
    for _ in range(2):  # what is begun, then the tool
        assert press(page, "Escape")
        expect(page.locator(".volumes")).to_be_visible()
    assert without_aliases(found, named) | {"9"} == named - {"Escape"}  # a CT has eight windows
    assert press(page, "Escape")
    expect(page.locator(".volumes")).to_have_count(0)
    assert page.evaluate(FOCUSED) == "Volume (MPR/3D)"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("content", "sight", "title", "first"),
    [
        ("film", ".film", "Film, while it has the focus (Tab)", "Space"),
        ("ecg", ".sheet", "Curves, while they have the focus (Tab)", "Enter"),
        ("slide", ".sight", "Slide, while it has the focus (Tab)", "f"),
    ],
)
def test_the_list_names_the_keys_of_films_recordings_and_slides_where_they_are_looked_at(
    open_page: Pages, hospital: Hospital, content: str, sight: str, title: str, first: str
) -> None:
    objects: dict[str, Callable[[], list[bytes | Path]]] = {
        "film": lambda: [COLLECTION / "codecs" / "video-made" / "h264-testsrc.dcm"],
        "ecg": lambda: [COLLECTION / "misc" / "pydicom-wheel" / "waveform_ecg.dcm"],
        "slide": lambda: [*pyramid()],
    }
    [sent] = hospital.send(objects[content]())
    page = open_page(sent.view())
    shown = page.locator(sight)
    expect(shown).to_be_visible()
    expect(page.get_by_role("button", name="Layout")).to_be_visible()
    page.evaluate(KEPT)
    shown.focus()
    page.keyboard.press("?")
    part = page.get_by_role("dialog").get_by_role("region", name=title)
    expect(part.locator("kbd").first).to_be_visible()
    named = named_keys(part)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)

    def kept(key: str) -> bool:
        """Press a key after the content's first one; tell whether the content took it and let nobody else have it."""
        shown.focus()
        page.keyboard.press(first)
        page.keyboard.press(key)
        found = bool(page.evaluate("() => new Promise((done) => setTimeout(() => done(window.kept), 5))"))
        if page.locator("dialog[open]").count():
            page.keyboard.press("Escape")
        return found

    tried = [key for key in [*TRIED, "Escape", *SHIFTED, *CONTROLLED, *CONTROLLED_ARROWS] if key not in ("t", "?")]
    found = {key for key in tried if kept(key)}
    assert without_aliases(found, named) == named


def test_every_control_is_reached_by_tab_and_dialogs_give_the_focus_back(open_page: Pages, hospital: Hospital) -> None:
    [sent] = hospital.send(list(phantoms.study("ct-head", seed=633, slices=12, size=64)))
    page = open_page("/")
    link = page.locator(f"tr[data-study='{sent.id}'] a.open")
    expect(link).to_be_visible()
    for _ in range(120):
        page.keyboard.press("Tab")
        if link.evaluate("(one) => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    ready(page, 0)
    expect(page.get_by_role("button", name="Measure and note").first).to_be_visible()
    wanted = page.locator("header button:visible, header a:visible, nav button:visible, .scroll input:visible")
    names = set(
        wanted.evaluate_all("(all) => all.filter((one) => !one.disabled).map((one, at) => one.dataset.at = String(at))")
    )
    reached: set[str] = set()
    for _ in range(len(names) + 10):
        page.keyboard.press("Tab")
        at = page.evaluate("() => document.activeElement.dataset.at ?? null")
        ring = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        if at is not None:
            reached.add(at)
            assert ring != "none", page.evaluate(FOCUSED)
    assert reached == names
    for name in ("Window presets and numbers", "Layout", "More", "Measure and note"):
        page.get_by_role("button", name=name).last.focus()
        page.keyboard.press("Enter")
        expect(page.locator(":popover-open button, :popover-open input").first).to_be_visible()
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.closest(':popover-open') !== null"), name
        page.keyboard.press("Escape")
        expect(page.locator(":popover-open")).to_have_count(0)
        assert str(page.evaluate(FOCUSED)).startswith(name)
    for entry in ("Save pictures", "Print", "All attributes of the object", "Keys and gestures"):
        page.get_by_role("button", name="More").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name=entry).focus()
        page.keyboard.press("Enter")
        expect(page.locator("dialog[open]")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        assert page.evaluate(FOCUSED) == "More", entry
    for name in ("Details", "Send …"):
        page.get_by_role("button", name=name, exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.locator("dialog[open]")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        assert page.evaluate(FOCUSED) == name


def test_a_mark_is_chosen_moved_noted_and_deleted_by_keys(open_page: Pages, hospital: Hospital) -> None:
    page, sent = opened(open_page, hospital, 634)
    drawn_length(page)

    def kept() -> list[dict[str, object]]:
        found: list[dict[str, object]] = hospital.installation.get(f"/api/studies/{sent.id}/marks")["marks"]
        return found

    until(lambda: len(kept()) == 1, "the mark is kept")
    before = kept()[0]["points"]
    page.reload()
    ready(page, 0)
    page.get_by_role("button", name=re.compile("^List of measurements")).focus()
    page.keyboard.press("Enter")
    page.get_by_role("region", name="Measurements and notes").get_by_role("button", name=re.compile("^Length")).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("#")
    page.keyboard.press("Shift+ArrowRight")
    until(lambda: kept()[0]["points"] != before, "it is moved")
    page.locator("main").press("Enter")
    page.keyboard.type("by hand")
    page.keyboard.press("Control+Enter")
    until(lambda: kept()[0]["text"] == "by hand", "it is noted")
    page.keyboard.press("Delete")
    until(lambda: kept() == [], "it is deleted")


def test_a_series_is_put_into_a_pane_by_keys(open_page: Pages, hospital: Hospital) -> None:
    [sent] = hospital.send(list(phantoms.study("mr-head", seed=635, slices=4, size=64)))
    assert len(sent.series) > 1
    page = open_page(sent.view(0))
    ready(page, 0)
    page.get_by_role("button", name="Layout").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="1 × 2").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pane")).to_have_count(2)
    page.keyboard.press("n")
    page.locator("nav button[data-series]").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pane").nth(1)).to_have_attribute("data-ready", "true")
    expect(page.locator(".pane").nth(0)).to_have_attribute("data-ready", "true")

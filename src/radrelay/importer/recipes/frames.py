"""Pages within pages (`iframe`, `frame`): which one a recipe means, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from radrelay.importer.outgoing import Reply
from radrelay.importer.recipes.page import Page, fits

FRAMES = ("iframe", "frame")


def framed(page: Page, where: Mapping[str, str]) -> Page | str | None:
    """Return the first page in a frame that is as said: itself where the page holds it, else its address.

    None where there is none: a frame without an address, or with one that is no web page's, shows none.
    """
    for one in page.elements:
        if one.name not in FRAMES or not fits(one, one.name, where):
            continue
        held = one.attributes.get("srcdoc", "")
        if held:
            kind = {"content-type": "text/html; charset=utf-8"}
            return Page(Reply(page.reply.target, 200, kind, held.encode()))
        url = _led(page.reply.target.url, one.attributes.get("src", ""))
        if url:
            return url
    return None


def _led(here: str, src: str) -> str:
    try:
        url = urljoin(here, src.strip()).partition("#")[0] if src.strip() else ""
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""

"""What the page of a study needs next, named in its head, so that a browser asks for all of it at once.

Without, each answer would tell of the next question: code, who is logged in, the study, its series, the picture; on a
slow link every one of them costs a way to the server and back. What the page names itself comes first. In: the built
page, the front end's manifest, the page's address. Out: the page with links (WHATWG HTML, `rel=preload` and
`rel=modulepreload`).
"""

from __future__ import annotations

import html
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

MANIFEST = "manifest.json"
VIEWER = "app/pages/View.svelte"
ARRIVING, LAUNCHING = "share/arrive.ts", "share/launch.ts"
WORDS = {"de": "app/i18n/first.de.ts", "en": "app/i18n/first.en.ts"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the viewer's page will show, by ids. `asks` is its query where the front end has to ask what it means."""

    study: str = ""
    series: str = ""
    asks: str = ""


def named(query: Mapping[str, str]) -> Wanted:
    """Return what an address names by ids alone, which needs no look at the archive."""
    return Wanted(_uuid(query.get("study", "")), _uuid(query.get("series", "")))


def with_links(page: str, root: Path, wanted: Wanted, language: str, *, answers: bool) -> str:
    """Return the viewer's page with links to what it will ask for; as it is where its address names no study.

    `answers` False leaves out what only somebody who is logged in gets: a browser keeps what it fetched ahead for the
    page's first question, so that a 401 from before the login would be the answer after it.
    """
    if not wanted.study and not wanted.asks:
        return page
    asked = f"?{urlencode({'series': wanted.series})}" if wanted.series else ""
    asked_for = ["/api/session"]
    if wanted.asks:
        asked_for.append(f"/api/view?{wanted.asks}")
    if wanted.study:
        asked_for += [f"/api/studies/{wanted.study}/opening{asked}", f"/api/studies/{wanted.study}/glimpse{asked}"]
    asks = [f'<link rel="preload" as="fetch" href="{html.escape(one)}" crossorigin>' for one in asked_for if answers]
    return _with(page, [*asks, *_code_links(page, root, language)])


def with_code(page: str, root: Path, language: str, arriving: str = ARRIVING) -> str:
    """Return the page that opens a link or a launch, with links to code alone: what it will show is not known yet."""
    return _with(page, _code_links(page, root, language, arriving))


def _with(page: str, links: list[str]) -> str:
    return page.replace("</head>", "".join(links) + "</head>", 1)


def _code_links(page: str, root: Path, language: str, arriving: str = "") -> list[str]:
    changed = (root / MANIFEST).stat().st_mtime_ns if (root / MANIFEST).exists() else 0
    code = _code(root, changed, WORDS["de" if language == "de" else "en"], arriving)
    return [link for address, link in code if f'"{address}"' not in page]


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text)) if "-" in text else ""
    except ValueError:
        return ""


@lru_cache(maxsize=8)
def _code(root: Path, changed: int, words: str, arriving: str) -> tuple[tuple[str, str], ...]:
    """Return the viewer's code and words as addresses and links, what is most first: HTTP/1.1 gives six at a time.

    None before the pages were built (`changed` is 0).
    """
    if not changed:
        return ()
    manifest: dict[str, Any] = json.loads((root / MANIFEST).read_bytes())
    links: dict[str, str] = {}
    for chunk in _chunks(manifest, [VIEWER, words, *([arriving] if arriving else ())]):
        addresses = [f"/{name}" for name in chunk.get("css", ())]
        links |= {one: f'<link rel="stylesheet" crossorigin href="{one}">' for one in addresses}
        links[f"/{chunk['file']}"] = f'<link rel="modulepreload" crossorigin href="/{chunk["file"]}">'
    return tuple(sorted(links.items(), key=lambda link: -_size(root, link[0])))


def _size(root: Path, address: str) -> int:
    path = root / address.lstrip("/")
    return path.stat().st_size if path.exists() else 0


def _chunks(manifest: Mapping[str, Any], names: list[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the chunks of these names, and those that they import."""
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name in manifest and name not in seen:
            seen.add(name)
            yield manifest[name]
            names += manifest[name].get("imports", ())

"""Where a value came from: the earlier answer of a walk that held it, and how a recipe takes it from there.

A take that is proposed was tried: it gives just that value, as the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urljoin

from radrelay.importer.recipes.language import Take
from radrelay.importer.recipes.page import Element, Page
from radrelay.importer.recipes.patterns import PatternRefused
from radrelay.importer.recipes.walks import Visit

Taking = dict[str, Any]
MOST_DEPTH, MOST_LEAVES = 12, 20_000
FIELDS = ("input", "textarea", "select", "button")
_HARMLESS_NAME = re.compile(r"(?!.*\d{3})[A-Za-z_][A-Za-z0-9_.:-]{0,59}")
_SCRIPTED = re.compile(r"(?!.*\d{3})[A-Za-z_$][\w.$-]{0,39}[\"']?\s{0,3}[:=]\s{0,3}([\"'])$")


def sources_of(visit: Visit, value: str) -> Iterator[Taking]:
    """Yield the ways in which a recipe may take a value from an answer, the steadiest first."""
    page = visit.page
    for one in _ways(visit, value):
        try:
            found = page.taken(Take.model_validate({"as": "x", **one}))
        except (ValueError, PatternRefused):
            continue
        if found == [value]:
            yield one


def address_sources(visit: Visit, url: str) -> Iterator[tuple[Taking, str]]:
    """Yield the ways in which a recipe may take a whole address from an answer, and the text that stands there."""
    page = visit.page
    here = page.reply.target.url
    for element in page.elements:
        for name in ("href", "src", "action", "data-url", "data-href"):
            written = element.attributes.get(name, "")
            if written and _led(here, written) == url:
                yield from ((one, written) for one in sources_of(visit, written))
    for path, leaf in leaves_of(page.json):
        if isinstance(leaf, str) and ("/" in leaf) and _led(here, leaf) == url:
            yield from ((one, leaf) for one in ({"json": path},) if _takes(page, one, leaf))


def leaves_of(told: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield the values of JSON with their paths, those left out whose path a recipe cannot name."""
    if isinstance(told, dict) and depth < MOST_DEPTH:
        for key, one in list(told.items())[:MOST_LEAVES]:
            if _HARMLESS_NAME.fullmatch(str(key)) and "." not in str(key):
                yield from leaves_of(one, f"{path}.{key}".strip("."), depth + 1)
    elif isinstance(told, list) and depth < MOST_DEPTH:
        for at, one in enumerate(told[:100]):
            yield from leaves_of(one, f"{path}[{at}]", depth + 1)
    elif path:
        yield path, told


def _ways(visit: Visit, value: str) -> Iterator[Taking]:
    page = visit.page
    for element in page.elements:
        name = element.attributes.get("name", "")
        if element.name in FIELDS and element.attributes.get("value", element.text) == value and _harmless(name):
            yield {"field": name}
    yield from ({"json": path} for path, leaf in leaves_of(page.json) if _same(leaf, value))
    for name, sent in visit.sets.items():
        if value in (sent, unquote(sent)) and _harmless(name):
            yield {"cookie": name}
    for name, sent in page.reply.headers.items():
        if sent == value and name.startswith("x-"):
            yield {"header": name}
    for element in page.elements:
        for name, sent in element.attributes.items():
            if sent.strip() == value and _harmless(name):
                yield from ({"element": element.name, **where, "attribute": name} for where in where_of(element, name))
    yield from _scripted(page, value)


def where_of(element: Element, but: str = "") -> Iterator[Mapping[str, Any]]:
    """Yield by what an element may be told from others: a name, a class; never a text, which may be about a person."""
    for name in ("id", "name", "rel", "property", "type"):
        value = element.attributes.get(name, "")
        if name != but and _harmless(value):
            yield {"where": {name: value}}
    yield from ({"where": {"class": one}} for one in element.attributes.get("class", "").split() if _harmless(one))
    yield from ({"where": {name: value}} for name, value in element.attributes.items() if not value and name != but)
    yield {}


def _scripted(page: Page, value: str) -> Iterator[Taking]:
    """Yield a pattern for a value that a script has under a name: `token = "…"`."""
    at = page.raw.find(value)
    while at >= 0:
        found = _SCRIPTED.search(page.raw[max(0, at - 50) : at])
        if found is not None and page.raw[at + len(value) : at + len(value) + 1] == found[1]:
            yield {"pattern": f"{_literal(found[0])}([^{found[1]}]{{1,500}}){found[1]}"}
        at = page.raw.find(value, at + 1)


def _literal(text: str) -> str:
    return re.sub(r"([^A-Za-z0-9_ \"'=:])", r"\\\1", text)


def _takes(page: Page, one: Taking, value: str) -> bool:
    return page.taken(Take.model_validate({"as": "x", **one})) == [value]


def _same(leaf: object, value: str) -> bool:
    return isinstance(leaf, str | int) and not isinstance(leaf, bool) and str(leaf) == value


def _harmless(name: str) -> bool:
    return _HARMLESS_NAME.fullmatch(name) is not None


def _led(here: str, written: str) -> str:
    try:
        return urljoin(here, written.strip()).partition("#")[0]
    except ValueError:
        return ""

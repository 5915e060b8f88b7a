"""What a recipe must say beyond its keys: names known before they are used, hosts its own, steps in order.

Each problem is a place in the file and what is wrong there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from radrelay.importer.going_out import is_listed
from radrelay.importer.recipes.browser_rules import KEYS, OF_BROWSERS, in_browser
from radrelay.importer.recipes.language import Look, Step, Take, Told
from radrelay.importer.recipes.links import holes_apart, names_in
from radrelay.importer.recipes.page import path_of
from radrelay.importer.recipes.patterns import PatternRefused, pattern_of
from radrelay.importer.recipes.templates import NUMBER, Template, is_number, template_of
from radrelay.importer.recipes.words import Unreadable, Words, say

Place = tuple[str | int, ...]
Problem = tuple[Place, Words]
_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.[a-z0-9-]+(:\d{1,5})?")
_HEADER = re.compile(r"Accept|Accept-Language|Authorization|Origin|Referer|X-[A-Za-z0-9-]{1,60}")
MOST_PATTERNS = 20
_KINDS = ("get", "post", "wait", "download")
_ADDRESSES = (*_KINDS, "goto")
_WAYS = ("field", "element", "at", "pattern", "cookie", "header")


def problems_of(told: Told) -> Iterator[Problem]:
    """Yield what is wrong with a recipe whose keys are right."""
    yield from _hosts(told)
    yield from _links(told)
    names: dict[str, str] = {}
    for at, ask in enumerate(told.ask):
        if ask.name in names:
            yield ("ask", at, "name"), say("asked-twice", name=ask.name)
        names[ask.name] = "day" if ask.dated else "text"
    for name in _of_links(told):
        names.setdefault(name, "text")
    for at, one in enumerate(told.fails):
        yield from _look(("fails", at), one)
    yield from _steps(told, names)
    patterns = [one.pattern for one in told.fails]
    for step in told.step:
        patterns += [one.pattern for one in (*step.fails, step.expect, step.until, step.when) if one is not None]
        patterns += [one.pattern for one in step.take]
    if sum(one is not None for one in patterns) > MOST_PATTERNS:
        yield (), say("most-patterns", limit=MOST_PATTERNS)


def templates_of(step: Step) -> Iterator[tuple[Place, str]]:
    """Yield all texts of a step that may hold names, and where they stand."""
    kind = next((one for one in _ADDRESSES if getattr(step, one) is not None), "")
    if kind:
        yield (kind,), getattr(step, kind)
    yield from ((("fill", at, "with"), one.value) for at, one in enumerate(step.fill or ()))
    yield from ((("form", name), text) for name, text in (step.form or {}).items())
    yield from ((("headers", name), text) for name, text in step.headers.items())
    yield from _leaves(("json",), step.body or {})


def _leaves(place: Place, told: Any) -> Iterator[tuple[Place, str]]:
    if isinstance(told, str):
        yield place, told
    elif isinstance(told, Mapping):
        for name, one in told.items():
            yield from _leaves((*place, str(name)), one)
    elif isinstance(told, list | tuple):
        for at, one in enumerate(told):
            yield from _leaves((*place, at), one)


def _hosts(told: Told) -> Iterator[Problem]:
    for at, host in enumerate(told.hosts):
        if not _HOST.fullmatch(host) or (host.startswith("*.") and host.count(".") < 2):
            yield ("hosts", at), say("no-host", host=host)


def _of_links(told: Told) -> list[str]:
    """Return the names that every link holds."""
    held: list[set[str]] = []
    for one in told.link:
        try:
            held.append(set(names_in(one.address)))
        except ValueError:
            held.append(set())
    return sorted(set.intersection(*held))


def _links(told: Told) -> Iterator[Problem]:
    asked = {one.name for one in told.ask}
    everywhere = set(_of_links(told))
    for at, one in enumerate(told.link):
        place: Place = ("link", at, "address")
        try:
            template = template_of(one.address)
        except Unreadable as error:
            yield place, error.words
            continue
        yield from ((place, words) for words in _address(told, one.address, template))
        names = [hole.name for hole in template.holes]
        if any(hole.form for hole in template.holes) or len(set(names)) < len(names):
            yield place, say("link-values")
        if not holes_apart(template):
            yield place, say("link-beside")
        for name in set(names) - everywhere - asked:
            yield place, say("link-lacks", hole=f"{{{name}}}")
    if all(host.startswith("*.") for host in told.hosts) and not all(one.address.startswith("/") for one in told.link):
        yield ("link",), say("link-hosts")


def _address(told: Told, text: str, template: Template) -> Iterator[Words]:
    """Yield what is wrong with an address that is written in the file: its scheme, or a host that is not listed."""
    here = text.startswith(("/", "?")) and not text.startswith("//")
    if here or template.leading:
        return
    try:
        parts = urlsplit(text)
    except ValueError:
        yield say("no-address")
        return
    if parts.scheme != "https" or not parts.netloc:
        yield say("address-begins")
    elif "{" in parts.netloc or "@" in parts.netloc:
        yield say("host-written")
    elif not is_listed(parts.netloc.lower(), told.hosts):
        yield say("host-not-own", host=parts.netloc)


def _steps(told: Told, names: dict[str, str]) -> Iterator[Problem]:
    seen: set[str] = set()
    given = frozenset(names)
    for at, step in enumerate(told.step):
        place: Place = ("step", at)
        if step.name in seen:
            yield (*place, "name"), say("step-twice", name=step.name)
        seen.add(step.name)
        yield from (((*place, *where), words) for where, words in _does(told, step, names))
        yield from (((*place, *where), words) for where, words in _texts(told, step, names, given))
        for number, one in enumerate(step.fails):
            yield from _look((*place, "fails", number), one)
        for key, look in (("expect", step.expect), ("until", step.until), ("when", step.when)):
            yield from _look((*place, key), look) if look is not None else ()
        for number, take in enumerate(step.take):
            yield from (((*place, "take", number, *where), words) for where, words in _take(take))
            if take.name in names and names[take.name] != "many" and take.name in given:
                yield (*place, "take", number, "as"), say("take-given", name=take.name)
            names[take.name] = "many" if take.all else "text"
    downloads = [step.brings for step in told.step]
    if not downloads[-1] or downloads != sorted(downloads):
        yield ("step", len(told.step) - 1), say("downloads-last")


def _does(told: Told, step: Step, names: dict[str, str]) -> Iterator[Problem]:
    if not told.browser:
        of_browsers = any(getattr(step, one) is not None for one in OF_BROWSERS)
        yield from [((), say("of-browsers", keys=", ".join(KEYS)))] if of_browsers else _kind(step)
        return
    yield from in_browser(step)
    if step.frame and step.goto is None and not step.within:
        yield ("frame",), say("frames-browser")
    if step.wish is not None:
        if step.wish.name in names:
            yield ("ask", "as"), say("known-already", name=step.wish.name)
        names[step.wish.name] = step.wish.kind


def _kind(step: Step) -> Iterator[Problem]:
    said = [one for one in _KINDS if getattr(step, one) is not None]
    if len(said) != 1:
        yield (), say("step-one", kinds=", ".join(_KINDS))
        return
    if step.post is None and (step.form is not None or step.body is not None):
        yield (), say("post-only")
    if step.multipart and step.form is None:
        yield ("multipart",), say("multipart")
    if step.form is not None and step.body is not None:
        yield (), say("form-or-json")
    if (step.wait is None) != (step.until is None):
        yield (), say("wait-until")
    if step.frame and step.get is None and step.post is None:
        yield ("frame",), say("frames-get")
    if step.download is not None:
        yield from _download(step)
    for name in step.headers:
        if not _HEADER.fullmatch(name):
            yield ("headers", name), say("no-header")


def _download(step: Step) -> Iterator[Problem]:
    if step.take or step.expect:
        yield (), say("download-judged")
    if any(one.text or one.pattern or one.at or one.element for one in step.fails):
        yield ("fails",), say("download-status")
    if any(one.guess for one in step.fails):
        yield ("fails",), say("download-guess")


def _texts(told: Told, step: Step, names: Mapping[str, str], given: frozenset[str]) -> Iterator[Problem]:
    for place, text in templates_of(step):
        try:
            template = template_of(text)
        except Unreadable as error:
            yield place, error.words
            continue
        address = place[0] in _ADDRESSES
        if address:
            yield from ((place, words) for words in _address(told, text, template))
        for hole in template.holes:
            kind = names.get(hole.name)
            if kind in (None, "clicks"):
                yield place, say("not-known", hole=f"{{{hole.name}}}")
            elif kind == "many" and not (step.download is not None and template.leading == hole.name):
                yield place, say("many", hole=f"{{{hole.name}}}")
            elif hole.form == NUMBER and (place[0] != "json" or not is_number(text)):
                yield place, say("number-alone", hole=f"{{{hole.name}:number}}")
            elif (kind == "day") != hole.dated:
                form, code = (":DD.MM.YYYY", "written-day") if kind == "day" else ("", "written-text")
                yield place, say(code, hole=f"{{{hole.name}}}", form=f"{{{hole.name}{form}}}")
        if address and template.leading in given:
            yield place, say("address-leads", hole=f"{{{template.leading}}}")


def _look(place: Place, look: Look) -> Iterator[Problem]:
    said = (look.status, look.text, look.pattern, look.at, look.element, look.address)
    if not any(said):
        yield place, say("look-nothing")
    if look.value is not None and look.at is None:
        yield (*place, "is"), say("needs-json")
    if look.where and look.element is None:
        yield (*place, "where"), say("needs-element")
    yield from (((*place, *where), words) for where, words in _pieces(look.pattern, look.at))


def _take(take: Take) -> Iterator[Problem]:
    said = [one for one in _WAYS if getattr(take, one) is not None]
    if len(said) != 1:
        yield (), say("take-one")
    if (take.element is None) != (take.attribute is None):
        yield (), say("take-element")
    if (take.where or take.holds) and take.element is None:
        yield (), say("take-where")
    if take.all and (take.cookie is not None or take.header is not None):
        yield ("all",), say("take-once")
    yield from _pieces(take.pattern, take.at)


def _pieces(pattern: str | None, path: str | None) -> Iterator[Problem]:
    try:
        pattern_of(pattern or "x")
    except PatternRefused as error:
        yield ("pattern",), error.words
    try:
        path_of(path or "x")
    except Unreadable as error:
        yield ("json",), error.words

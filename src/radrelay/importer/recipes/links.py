"""Links of a recipe: an address with names where the paper has something of its own, as in `/fetch/{code}`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from radrelay.importer.errors import PortalTrouble
from radrelay.importer.going_out import is_listed
from radrelay.importer.places import target_of
from radrelay.importer.recipes.templates import Hole, Template, template_of
from radrelay.importer.secret import Secret


def read_link(pattern: str, hosts: Sequence[str], link: str, *, clear_loopback: bool) -> dict[str, Secret] | None:
    """Return what a link holds under the names of a pattern, none if it is no such link."""
    try:
        target = target_of(link.partition("#")[0], clear_loopback=clear_loopback)
        given = urlsplit(link)
        asked = dict(parse_qsl(given.query, keep_blank_values=True))
    except (PortalTrouble, ValueError):
        return None
    if not is_listed(target.name, hosts):
        return None
    wanted = urlsplit(pattern)
    if wanted.netloc and wanted.netloc.lower() != target.name:
        return None
    found = [_read(wanted.path or "/", given.path or "/"), _read(wanted.fragment, given.fragment)]
    for name, value in parse_qsl(wanted.query, keep_blank_values=True):
        found.append(_read(value, asked.get(name, ""), encoded=False))
    return _as_one(found)


def names_in(pattern: str) -> list[str]:
    """Return the names of a pattern; raises `ValueError` for what is no template."""
    return [hole.name for hole in template_of(pattern).holes]


def _read(pattern: str, given: str, *, encoded: bool = True) -> dict[str, Secret] | None:
    template = template_of(pattern)
    found = _matching(template, encoded=encoded).fullmatch(given)
    if found is None and encoded and given.endswith("/"):
        found = _matching(template, encoded=encoded).fullmatch(given.rstrip("/"))
    if found is None:
        return None
    names = dict.fromkeys(hole.name for hole in template.holes)
    return {name: Secret(unquote(found[name]) if encoded else found[name]) for name in names}


def _matching(template: Template, *, encoded: bool) -> re.Pattern[str]:
    """Return the pattern as one that fits: a value has no separator, and no character of what follows it."""
    parts: list[str] = []
    for at, one in enumerate(template.parts):
        if isinstance(one, str):
            parts.append(re.escape(one))
            continue
        after = template.parts[at + 1] if at + 1 < len(template.parts) else ""
        ends = re.escape(after[:1]) if isinstance(after, str) else ""
        parts.append(f"(?P<{one.name}>[^{'/?#&' if encoded else ''}{ends}\\n]{{1,500}}+)")
    return re.compile("".join(parts))


def _as_one(found: Sequence[Mapping[str, Secret] | None]) -> dict[str, Secret] | None:
    values: dict[str, Secret] = {}
    for one in found:
        if one is None:
            return None
        values |= one
    return values


def holes_apart(template: Template) -> bool:
    """Tell whether no value stands right beside another, so that it is clear where each ends."""
    pairs = zip(template.parts, template.parts[1:], strict=False)
    return not any(isinstance(one, Hole) and isinstance(other, Hole) for one, other in pairs)

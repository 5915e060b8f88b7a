"""The test that a draft comes with: its own steps, answered with made-up pages that hold what is taken from them.

It shows that the draft hangs together. That the portal answers so was seen once, and nothing of that is kept.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import quote, urljoin

from radrelay.importer.recipes.known import Known
from radrelay.importer.recipes.page import path_of
from radrelay.importer.recipes.templates import Day, Template, Value, is_number, template_of
from radrelay.importer.secret import Secret

CODES, DAYS = ("Sample-4711", "Example-9922"), (date(1970, 1, 31), date(1968, 11, 25))
_SCRIPTED = re.compile(r"(.*)\(\[\^(.)\]\{1,500\}\)\2")


def rehearsal_of(told: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """Return a test that plays a draft, with other values than those that are known."""
    code = next(one for one in CODES if not known.shows_in(one))
    born = next(one for one in DAYS if not known.shows_in(f"{one:%Y-%m-%d}"))
    asked = [one["name"] for one in told.get("ask", ())]
    values: dict[str, Value] = {
        one: Day(born)
        if one == "birth_date"
        else Secret(code if one == "code" else _sample(told, one, at, address=False))
        for at, one in enumerate(asked)
    }
    link = template_of(told["link"][0]["address"])
    for at, hole in enumerate(link.holes):
        values.setdefault(hole.name, Secret(code if hole.name == "code" else f"link-{at}"))
    here = f"https://{told['hosts'][0]}{link.filled(values, _quoted)}"
    test = {"name": "as it was walked", "link": here, "answers": {one: _written(values[one]) for one in asked}}
    leading = {template_of(_address(step)).leading for step in told["step"]}
    exchanges: list[dict[str, Any]] = []
    here = here.partition("#")[0]
    for step in told["step"]:
        url = urljoin(here, _filled(template_of(_address(step)), values))
        here = here if "wait" in step else url
        request = {"post" if "post" in step else "get": url, **_sent(step, values)}
        for one in step.get("take", ()):
            at = sum(name not in asked for name in values)
            values[one["as"]] = Secret(_sample(told, one["as"], at, address=one["as"] in leading))
        if "wait" in step and "json" in step["until"]:
            exchanges.append({**request, "answer": {}})
        exchanges.append({**request, **_answer(step, values)})
    return {**test, "result": "fetched", "exchange": exchanges}


def _sample(told: Mapping[str, Any], name: str, at: int, *, address: bool) -> str:
    """Return a made-up value for what is taken under a name."""
    if f"{{{name}:number}}" in repr(told):
        return str(1000 + at)
    return f"/sample/{at}" if address else f"sample-{at}"


def _address(step: Mapping[str, Any]) -> str:
    return str(next(step[kind] for kind in ("get", "post", "wait", "download") if kind in step))


def _sent(step: Mapping[str, Any], values: Mapping[str, Value]) -> dict[str, Any]:
    return {key: _all_filled(step[key], values) for key in ("form", "json", "headers") if key in step}


def _all_filled(told: Any, values: Mapping[str, Value]) -> Any:
    if isinstance(told, str):
        written = template_of(told).filled(values)
        return int(written) if is_number(told) else written
    if isinstance(told, Mapping):
        return {key: _all_filled(one, values) for key, one in told.items()}
    return [_all_filled(one, values) for one in told] if isinstance(told, list) else told


def _filled(template: Template, values: Mapping[str, Value]) -> str:
    if not template.leading:
        return template.filled(values, _quoted)
    return _written(values[template.leading]) + Template(template.parts[1:]).filled(values, _quoted)


def _answer(step: Mapping[str, Any], values: Mapping[str, Value]) -> dict[str, Any]:
    """Return what a step is answered: what is taken from it, and what it waits for."""
    if "download" in step:
        return {"zip": True}
    takes: Sequence[Mapping[str, Any]] = step.get("take", ())
    until = step.get("until", {})
    made: dict[str, Any] = {}
    sends: dict[str, str] = {}
    pieces = []
    answer: Any = _put(None, until["json"], until.get("is", "ready")) if "json" in until else None
    for one in takes:
        value = _written(values[one["as"]])
        if "json" in one:
            answer = _put(answer, one["json"], value)
        elif "cookie" in one:
            sends["Set-Cookie"] = f"{one['cookie']}={quote(value)}"
        elif "header" in one:
            sends[one["header"]] = value
        else:
            pieces.append(_piece(one, value))
    if sends:
        made["sends"] = sends
    return {**made, "answer": answer} if answer is not None else {**made, "page": "\n".join(pieces)}


def _piece(take: Mapping[str, Any], value: str) -> str:
    """Return a piece of a page from which a value is taken."""
    if "field" in take:
        return f'<input name="{html.escape(take["field"])}" value="{html.escape(value)}">'
    if "pattern" in take:
        found = _SCRIPTED.fullmatch(take["pattern"])
        before = re.sub(r"\\(.)", r"\1", found[1]) if found else ""
        return f"<script>{before}{value}{found[2]}</script>" if found else ""
    attributes = {**take.get("where", {}), take["attribute"]: value}
    written = " ".join(f'{name}="{html.escape(one)}"' for name, one in attributes.items())
    return f"<{take['element']} {written}></{take['element']}>"


def _put(told: Any, path: str, value: object) -> Any:
    """Return JSON with a value at a path."""
    made = json.loads(json.dumps(told))
    root: list[Any] = [made]
    holder: Any = root
    key: Any = 0
    for part in path_of(path):
        if holder[key] is None:
            holder[key] = [] if isinstance(part, int) else {}
        holder = holder[key]
        if isinstance(part, int):
            holder += [None] * (part + 1 - len(holder))
        else:
            holder.setdefault(part, None)
        key = part
    holder[key] = value
    return _without_none(root[0])


def _without_none(told: Any) -> Any:
    """Return JSON with something instead of nothing, which TOML cannot write."""
    if isinstance(told, dict):
        return {key: _without_none(one) for key, one in told.items()}
    if isinstance(told, list):
        return [{} if one is None else _without_none(one) for one in told]
    return told


def _written(value: Value) -> str:
    return f"{value.value:%Y-%m-%d}" if isinstance(value, Day) else value.value


def _quoted(text: str) -> str:
    return quote(text, safe="")

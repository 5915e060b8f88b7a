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


def rehearsals_of(told: Mapping[str, Any], known: Known) -> list[dict[str, Any]]:
    """Return tests that play a draft, with other values than those that are known: all right, and something wrong."""
    return [one for one in (_rehearsal(told, known), _rehearsal(told, known, wrong=True)) if one]


def _rehearsal(told: Mapping[str, Any], known: Known, *, wrong: bool = False) -> dict[str, Any]:
    """Return a test; `wrong`: up to the last step that knows how a wrong answer looks, nothing if there is none."""
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
    test: dict[str, Any] = {"name": "something wrong" if wrong else "as it was walked", "link": here}
    test |= {"answers": {one: _written(values[one]) for one in asked}, "result": "wrong" if wrong else "fetched"}
    steps = _until_wrong(told["step"]) if wrong else told["step"]
    return {**test, "exchange": _exchanges(told, steps, here, values, asked, wrong=wrong)} if steps else {}


def _until_wrong(steps: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the steps to the last one that knows how a wrong answer looks."""
    knows = [at for at, one in enumerate(steps) if any(two["as"] == "wrong" for two in one.get("fails", ()))]
    return steps[: knows[-1] + 1] if knows else ()


def _exchanges(
    told: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], link: str, values: dict[str, Value],
    asked: Sequence[str], *, wrong: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return what is asked at each step, and made-up answers; `values` gets what is taken from them."""
    leading = {template_of(_address(step)).leading for step in told["step"]}
    exchanges: list[dict[str, Any]] = []
    here = link.partition("#")[0]
    for step in steps:
        url = urljoin(here, _filled(template_of(_address(step)), values))
        here = here if "wait" in step else url
        request = {"post" if "post" in step else "get": url, **_sent(step, values)}
        if wrong and step is steps[-1]:
            return [*exchanges, *_refused(request, url, step)]
        for one in step.get("take", ()):
            at = sum(name not in asked for name in values)
            values[one["as"]] = Secret(_sample(told, one["as"], at, address=one["as"] in leading))
        if "wait" in step and "json" in step["until"]:
            exchanges.append({**request, "answer": {}})
        led = step.get("expect", {}).get("address", "")
        if led:
            here = urljoin(url, led)
            exchanges.append({**request, "status": 302, "sends": {"Location": led}})
            request = {"get": here}
        exchanges.append({**request, **_answer(step, values)})
    return exchanges


def _refused(request: Mapping[str, Any], url: str, step: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a step is answered that was told something wrong, by the first line that knows it."""
    look = next(one for one in step["fails"] if one["as"] == "wrong")
    if "address" in look:
        led = urljoin(url, look["address"])
        return [{**request, "status": 302, "sends": {"Location": look["address"]}}, {"get": led, "page": ""}]
    status = look.get("status")
    made: dict[str, Any] = {"status": status[0] if isinstance(status, list) else status} if status else {}
    if "json" in look:
        return [{**request, **made, "answer": _put(None, look["json"], look["is"])}]
    page = _element(look) if "element" in look else f"<p>{html.escape(look['text'][0])}</p>" if "text" in look else ""
    return [{**request, **made, "page": page}]


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
    expect, until = step.get("expect", {}), step.get("until", {})
    made: dict[str, Any] = {}
    sends: dict[str, str] = {}
    pieces = [_element(expect)] if "element" in expect else []
    answer: Any = None
    for look in (one for one in (expect, until) if "json" in one):
        answer = _put(answer, look["json"], look.get("is", "ready"))
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


def _element(look: Mapping[str, Any]) -> str:
    """Return an element as something is said to have it."""
    written = "".join(f' {name}="{html.escape(one)}"' for name, one in look.get("where", {}).items())
    return f"<{look['element']}{written}></{look['element']}>"


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

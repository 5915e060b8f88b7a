"""A walk through a portal, as a browser exports it (HAR 1.2), read down to what a recipe may be made of.

In: the file's bytes. Out: visits in their order, without pictures, styles and scripts; a chain of redirects is one
visit. Everything here may be secret: nothing of it is shown.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urljoin

from radrelay.importer.contents import HEAD, content_of
from radrelay.importer.cookies import Cookies
from radrelay.importer.errors import PortalTrouble
from radrelay.importer.json_read import read_json
from radrelay.importer.outgoing import REDIRECTS, Reply
from radrelay.importer.places import Target, target_of
from radrelay.importer.recipes.errors import WalkTooLarge, WalkUnreadable
from radrelay.importer.recipes.forms import MULTIPART, fields_of
from radrelay.importer.recipes.page import Page

MOST_BYTES, MOST_ENTRIES, MOST_TEXT = 256 << 20, 20_000, 2 << 20
_LEFT_OUT = ("image/", "font/", "text/css", "javascript", "audio/", "video/", "wasm")
_PARCELS = ("application/zip", "application/x-zip", "application/dicom", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request and what came of it in the end. `hosts`: those on the way; `polls`: earlier answers to the same."""

    method: str
    target: Target
    form: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    page: Page
    sets: Mapping[str, str] = field(repr=False)
    parcel: bool = False
    hosts: tuple[str, ...] = ()
    polls: tuple[Page, ...] = ()
    multipart: bool = False

    @property
    def asked(self) -> tuple[str, str]:
        """Return by what it is known as the same request."""
        return self.method, plain_address(self.target)


def walk_of(raw: bytes) -> tuple[Visit, ...]:
    """Return the visits of a walk; raises `Invalid`."""
    if len(raw) > MOST_BYTES:
        raise WalkTooLarge(f"This walk is larger than {MOST_BYTES >> 20} MB.", limit_mb=MOST_BYTES >> 20)
    try:
        entries = read_json(raw)["log"]["entries"]
    except (ValueError, KeyError, TypeError):
        raise WalkUnreadable from None
    told = [one for one in entries if isinstance(one, dict)][:MOST_ENTRIES] if isinstance(entries, list) else []
    visits = [one for one in map(_visit, told) if one is not None]
    return tuple(_polled(_led(visits)))


def plain_address(target: Target) -> str:
    """Return an address without what only keeps caches away: numbers that are the time in milliseconds."""
    path, _, query = target.path.partition("?")
    kept = [one for one in query.split("&") if one and not is_clock(one.partition("=")[2])]
    return f"{target.url.removesuffix(target.path)}{path}{'?' if kept else ''}{'&'.join(kept)}"


def is_clock(text: str) -> bool:
    """Tell whether a text is a time in milliseconds."""
    return len(text) == 13 and text.isdigit() and text.startswith("1")


def _visit(told: Mapping[str, Any]) -> Visit | None:
    """Return an entry as a visit, none for what no recipe needs."""
    try:
        request, answer = told["request"], told["response"]
        target = target_of(str(request["url"]).partition("#")[0], clear_loopback=True)
        method, status = str(request["method"]).upper(), int(answer["status"])
        headers, given = _headers(request), _headers(answer)
        content = answer.get("content") or {}
        kind = str(given.get("content-type") or content.get("mimeType") or "").lower()
        body = _content(content)
        posted = request.get("postData") or {}
        form, sent = _sent(posted)
        multipart = str(posted.get("mimeType") or "").startswith(MULTIPART)
        sets = _set_cookies(answer)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, PortalTrouble):
        return None
    parcel = status == 200 and _is_parcel(body, kind, given)
    if method not in ("GET", "POST") or status < 200 or (not parcel and any(one in kind for one in _LEFT_OUT)):
        return None
    cookies = Cookies()
    cookies.take(target, [f"{name}={value}" for name, value in sets.items()])
    page = Page(Reply(target, status, {**given, "content-type": kind}, body[:MOST_TEXT]), cookies)
    return Visit(method, target, form, sent, headers, page, sets, parcel, (target.name,), multipart=multipart)


def _headers(told: Mapping[str, Any]) -> dict[str, str]:
    listed = told.get("headers") or []
    return {str(one["name"]).lower(): str(one["value"]) for one in listed if not str(one["name"]).startswith(":")}


def _set_cookies(answer: Mapping[str, Any]) -> dict[str, str]:
    found = {str(one["name"]): str(one["value"]) for one in answer.get("cookies") or []}
    for one in answer.get("headers") or []:
        if str(one["name"]).lower() == "set-cookie":
            for line in str(one["value"]).splitlines():
                name, _, value = line.partition(";")[0].partition("=")
                found.setdefault(name.strip(), value.strip())
    return found


def _content(content: Mapping[str, Any]) -> bytes:
    text = str(content.get("text") or "")
    if content.get("encoding") == "base64":
        return base64.b64decode(text[: MOST_TEXT * 4 // 3 // 4 * 4] + "==")
    return text[:MOST_TEXT].encode("utf-8", "replace")


def _sent(posted: Mapping[str, Any]) -> tuple[dict[str, str], Any]:
    """Return what a request sent: the fields of a form, or JSON."""
    kind, text = str(posted.get("mimeType") or ""), str(posted.get("text") or "")
    if "json" in kind:
        return {}, read_json(text.encode("utf-8", "replace"))
    if text and ("urlencoded" in kind or kind.startswith(MULTIPART)):
        return fields_of(text.encode(), kind), None
    listed = posted.get("params") or []
    return {str(one["name"]): str(one.get("value") or "") for one in listed}, None


def _is_parcel(body: bytes, kind: str, headers: Mapping[str, str]) -> bool:
    found = content_of(body[:HEAD]) if body else None
    if found in ("zip", "dicom"):
        return True
    attached = "attachment" in headers.get("content-disposition", "").lower()
    return not body and (attached or kind.startswith(_PARCELS))


def _led(visits: Sequence[Visit]) -> Iterator[Visit]:
    """Yield visits with each chain of redirects as one: asked as its first, answered as its last."""
    held: Visit | None = None
    for one in visits:
        joined = one
        if held is not None:
            led = _location(held.page.reply)
            if one.target.url == led or plain_address(one.target) == led:
                joined = replace(
                    held,
                    page=one.page,
                    sets={**held.sets, **one.sets},
                    parcel=one.parcel,
                    hosts=(*held.hosts, *one.hosts),
                )
            else:
                yield held
        held = joined if one.page.reply.status in REDIRECTS and one.page.reply.headers.get("location") else None
        if held is None:
            yield joined
    if held is not None:
        yield held


def _location(reply: Reply) -> str:
    """Return where a redirect leads, nothing if it is no address."""
    try:
        return urljoin(reply.target.url, reply.headers["location"]).partition("#")[0]
    except ValueError:
        return ""


def _polled(visits: Iterable[Visit]) -> Iterator[Visit]:
    """Yield visits with those that asked for the same JSON again and again as their last, at its place."""
    kept = list(visits)
    asked: dict[tuple[str, str], list[int]] = {}
    for at, one in enumerate(kept):
        if one.method == "GET" and not one.parcel and one.page.json is not None:
            asked.setdefault(one.asked, []).append(at)
    for same in asked.values():
        last = kept[same[-1]]
        differing = tuple(kept[at].page for at in same[:-1] if kept[at].page.json != last.page.json)
        kept[same[-1]] = replace(last, polls=differing)
    earlier = {at for same in asked.values() for at in same[:-1]}
    return (one for at, one in enumerate(kept) if at not in earlier)

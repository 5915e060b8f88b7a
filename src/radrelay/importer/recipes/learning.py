"""What a walk tells of how a portal answers what is right and what is wrong, as a draft writes it down.

A try with other answers that the person made in the walk shows how a failure looks. Without one it is guessed, by rules
that hold for most portals and in words of our own: none of a page is written down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from radrelay.importer.recipes.known import BIRTH_DATE, CODE, Known
from radrelay.importer.recipes.language import Look, Take
from radrelay.importer.recipes.page import FIELDS, Page
from radrelay.importer.recipes.sources import leaves_of, where_of
from radrelay.importer.recipes.walks import Visit

Fails = dict[str, Any]
WRONG = (
    "falsch", "ungültig", "nicht korrekt", "inkorrekt", "stimmt nicht", "stimmen nicht", "nicht überein",
    "nicht richtig", "überprüfen sie", "incorrect", "invalid", "not valid", "not correct", "does not match",
    "do not match", "not right",
)  # fmt: skip
LOCKED = (
    "ist gesperrt", "wurde gesperrt", "zugang gesperrt", "zu viele versuche", "zu viele fehlversuche",
    "zu viele falsche", "is locked", "been locked", "is blocked", "been blocked", "locked out", "too many attempts",
    "too many failed", "too many wrong", "account locked", "access locked",
)  # fmt: skip
EXPIRED = (
    "link ist abgelaufen", "code ist abgelaufen", "zugang ist abgelaufen", "freigabe ist abgelaufen",
    "link abgelaufen", "code abgelaufen", "nicht mehr gültig", "nicht mehr verfügbar", "link has expired",
    "code has expired", "access has expired", "link expired", "code expired", "share expired", "no longer valid",
    "no longer available",
)  # fmt: skip
REFUSED, GONE, ABSENT, BAD = (401, 403, 422), 410, 404, 400
_ERRORISH = ("error", "code", "status", "state", "reason", "result", "success", "ok", "valid", "authenticated")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{1,20}([_-][A-Za-z0-9]{1,20}){0,4}")
_PLAIN_PATH = re.compile(r"(/[A-Za-z_~-]{1,40}\d{0,2}(\.[A-Za-z]{2,5})?){1,6}/?")


@dataclass(frozen=True, slots=True)
class Answering:
    """A visit that tells what the person knows. `typed`: the fields of a form that it went into, the day's last.

    `before`: the page on which that was entered, `wrong`: the answers to tries with something else.
    """

    right: Visit
    typed: tuple[str, ...] = ()
    before: Page | None = None
    wrong: tuple[Page, ...] = ()

    @property
    def others(self) -> tuple[Page, ...]:
        """Return the pages that are no success."""
        return (*self.wrong, *((self.before,) if self.before is not None else ()))

    @property
    def gone(self) -> bool:
        """Tell whether success no longer shows what was entered into."""
        return bool(self.typed) and not has_fields(self.right.page, self.typed)


@dataclass(slots=True)
class Learned:
    """How success and failures look at a step. `seen`: a wrong try showed it; `blind`: nothing tells them apart."""

    expect: dict[str, Any] = field(default_factory=dict)
    fails: list[Fails] = field(default_factory=list)
    seen: bool = False
    blind: bool = False
    form: bool = False


def told_in(visit: Visit) -> dict[str, str]:
    """Return what a visit sends, by where that stands."""
    query = visit.target.path.partition("?")[2]
    asked = (one.partition("=") for one in query.split("&") if one)
    return {
        **{f"form {name}": value for name, value in visit.form.items()},
        **{f"json {path}": str(leaf) for path, leaf in leaves_of(visit.body)},
        **{f"query {name}": value for name, _, value in asked},
    }


def known_in(visit: Visit, known: Known, names: Sequence[str] = (CODE, BIRTH_DATE)) -> set[str]:
    """Return where a visit sends what the person knows."""
    found = {place for place, value in told_in(visit).items() if _holds(known.templated(value), names)}
    parted = {f"form {name}" for name in known.parted(visit.form)} if BIRTH_DATE in names else set()
    return found | parted


def wrong_tries(visits: Sequence[Visit], known: Known) -> dict[int, int]:
    """Return the visits that sent something else where a later one sends what is known, each with that one."""
    found: dict[int, int] = {}
    for right, visit in enumerate(visits):
        places = known_in(visit, known)
        for at in range(right) if places and not visit.parcel else ():
            if at not in found and _is_try(visits[at], visit, places, known):
                found[at] = right
    return found


def has_fields(page: Page, names: Sequence[str]) -> bool:
    """Tell whether a page has all these fields to be filled in."""
    here = {one.attributes.get("name", "") for one in page.elements if one.name in FIELDS}
    return here.issuperset(names)


def learned_of(told: Answering, takes: Sequence[Mapping[str, Any]]) -> Learned:
    """Return how success and failures look at a step that tells what the person knows."""
    made = Learned()
    expect = _success(told, takes)
    made.expect = expect or {}
    seen = next((one for page in told.wrong for one in _seen(page, told)), None)
    if seen is not None:
        made.fails, made.seen = [{"as": "wrong", **seen}], True
    elif expect is None and told.gone:
        made.fails, made.form = [{"as": "wrong", "element": "input", "where": {"name": told.typed[-1]}}], True
    else:
        made.blind = expect is None
    made.fails += [{"as": "wrong", "guess": True, "status": list(REFUSED)}, *_guesses("wrong", WRONG, told)]
    if told.gone and not made.form and seen is None:
        form = {"element": "input", "where": {"name": told.typed[-1]}}
        made.fails.append({"as": "wrong", "guess": True, **form})
    return made


def link_fails() -> list[Fails]:
    """Return what is guessed of an answer to the link alone."""
    return [
        {"as": "not-there", "guess": True, "status": ABSENT},
        {"as": "expired", "guess": True, "status": GONE},
    ]


def common_fails(pages: Sequence[Page]) -> list[Fails]:
    """Return what is guessed of any answer; words that pages of success say are left out."""
    told = [("locked", LOCKED), ("expired", EXPIRED)]
    return [
        {"as": kind, "guess": True, "text": kept}
        for kind, words in told
        if (kept := [one for one in words if not any(one in page.said for page in pages)])
    ]


def _holds(template: str, names: Sequence[str]) -> bool:
    return any(f"{{{name}}}" in template or f"{{{name}:" in template for name in names)


def _is_try(tried: Visit, right: Visit, places: set[str], known: Known) -> bool:
    said, wanted = told_in(tried), told_in(right)
    path, other = tried.target.url.partition("?")[0], right.target.url.partition("?")[0]
    if (tried.method, path) != (right.method, other) or set(said) != set(wanted) or tried.parcel:
        return False
    differing = {place for place in places if said[place] != wanted[place]}
    return bool(differing) and not known_in(tried, known) & differing and all(
        _alike(said[place], wanted[place], known) for place in differing
    )  # fmt: skip


def _alike(tried: str, right: str, known: Known) -> bool:
    """Tell whether somebody may have entered one for the other: a day is one in the same form, or nothing."""
    if _holds(known.templated(right), (BIRTH_DATE,)):
        return not tried or re.sub(r"\d", "0", tried) == re.sub(r"\d", "0", right)
    return len(tried) < 200


def _success(told: Answering, takes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return how success looks: nothing more where what is taken tells it, none where nothing does."""
    page, sent_to = told.right.page, told.right.target.path
    tried = [Take.model_validate({"as": "x", **one}) for one in takes]
    if any(not any(other.taken(one) for other in told.others) for one in tried):
        return {}
    looks = (one for one in _looks(page) if "address" not in one or one["address"] not in sent_to)
    return next((one for one in looks if not any(_fits(one, other) for other in told.others)), None)


def _looks(page: Page) -> Iterator[dict[str, Any]]:
    """Yield how a page looks in ways that hold nothing of anybody."""
    for path, leaf in leaves_of(page.json):
        if path.rpartition(".")[2].lower() in _ERRORISH and (isinstance(leaf, bool) or _is_code(leaf)):
            yield {"json": path, "is": leaf}
    yield from ({"json": path} for path, leaf in leaves_of(page.json) if leaf not in (None, "", False))
    path = page.reply.target.path.partition("?")[0]
    if _PLAIN_PATH.fullmatch(path):
        yield {"address": path}
    for element in page.elements:
        if element.name not in ("html", "head", "body", "script", "meta", "link", *FIELDS):
            yield from ({"element": element.name, **one} for one in where_of(element) if one.get("where"))


def _fits(look: Mapping[str, Any], page: Page) -> bool:
    return page.looks(Look.model_validate(look))


def _seen(wrong: Page, told: Answering) -> Iterator[dict[str, Any]]:
    """Yield how a wrong try looks and success does not, what tells most first."""
    right = told.right.page
    status = {"status": wrong.reply.status} if right.reply.status < BAD <= wrong.reply.status else {}
    for path, leaf in leaves_of(wrong.json):
        named = path.rpartition(".")[2].lower() in _ERRORISH
        if named and (isinstance(leaf, bool) or _is_code(leaf)) and not _fits({"json": path, "is": leaf}, right):
            yield {**status, "json": path, "is": leaf}
    if status:
        yield status
    if told.gone and has_fields(wrong, told.typed):
        yield {"element": "input", "where": {"name": told.typed[-1]}}
    said = [_as_said(one, wrong) for one in _new(WRONG, wrong, told)]
    if any(said):
        yield {"text": [one for one in said if one]}
    path = wrong.reply.target.path.partition("?")[0]
    if _PLAIN_PATH.fullmatch(path) and path not in right.reply.target.path:
        yield {"address": path}


def _new(words: Sequence[str], page: Page, told: Answering) -> list[str]:
    """Return the words that a page says, and neither success nor the page before."""
    before = told.before.said if told.before is not None else ""
    return [one for one in words if one in page.said and one not in before and one not in told.right.page.words.lower()]


def _as_said(words: str, page: Page) -> str:
    """Return words of ours as a page writes them, in its case; nothing if they stand in no one piece of it."""
    at = page.words.lower().find(words)
    found = page.words[at : at + len(words)] if at >= 0 else ""
    return found if found.lower() == words else ""


def _guesses(kind: str, words: Sequence[str], told: Answering) -> Iterator[Fails]:
    kept = [one for one in words if one not in told.right.page.said]
    if kept:
        yield {"as": kind, "guess": True, "text": kept}


def _is_code(leaf: object) -> bool:
    return isinstance(leaf, str) and _CODE.fullmatch(leaf) is not None

"""A draft of a recipe, from one walk through a portal in a browser.

From the first answer that is a parcel backwards: what was sent that the person knew becomes a question, what an earlier
answer held is taken from it there, and only the requests that this needs are steps. Nothing of the walk that may be
about a person is written down: no code, no birth date, no page; what nobody gave and no page held is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import unquote, urlsplit

from radrelay.importer.recipes.errors import WalkEmpty
from radrelay.importer.recipes.known import BIRTH_DATE, CODE, Known, asks_for, escaped
from radrelay.importer.recipes.language import Take
from radrelay.importer.recipes.learning import (
    Answering,
    Learned,
    common_fails,
    has_fields,
    known_in,
    learned_of,
    link_fails,
    wrong_tries,
)
from radrelay.importer.recipes.sources import Taking, address_sources, leaves_of, sources_of
from radrelay.importer.recipes.walks import Visit, is_clock
from radrelay.importer.recipes.words import Words, say

_HARMLESS = re.compile(
    r"|true|false|on|off|yes|no|ja|nein|submit|ok|XMLHttpRequest|\d{1,2}|[A-Za-z]{1,3}", re.IGNORECASE
)
_PLAIN_SEGMENT = re.compile(r"|[A-Za-z_~-]{1,40}\d{0,2}(\.[A-Za-z]{2,5})?|[a-z]?\d{1,2}(\.\d{1,2})?")
_TURNS = re.compile(r"[a-z](?=[A-Z])")
_STATES = ("state", "status", "ready", "progress", "done", "complete", "finished", "phase")


@dataclass(slots=True)
class Draft:
    """A recipe that is being written: `told` is the file, `notes` what a person has to look at."""

    told: dict[str, Any]
    notes: list[Words] = field(default_factory=list)


@dataclass(slots=True)
class _Step:
    """A step that is being written. `takes` by name."""

    told: dict[str, Any]
    takes: dict[str, Taking] = field(default_factory=dict)


def draft_of(visits: Sequence[Visit], code: str, born: date | None, link: str = "", name: str = "") -> Draft:
    """Return the draft; `link` is the one on the paper, without it the first address; raises `Invalid`."""
    end = next((at for at, one in enumerate(visits) if one.parcel), None)
    if end is None:
        raise WalkEmpty
    return _Drafting(visits[: end + 1], code, born, link).draft(name, sum(one.parcel for one in visits))


class _Drafting:
    """One walk, made into a recipe."""

    def __init__(self, visits: Sequence[Visit], code: str, born: date | None, link: str) -> None:
        self._visits, self._code, self._born = visits, code, born
        self._link = link or visits[0].target.url
        self._known = Known(code, born)
        self._address = self._linked()
        self._steps: dict[int, _Step] = {}
        self._unwritten: set[int] = set()
        self._learned: list[tuple[str, Learned]] = []
        self._asks: dict[str, str] = {}
        self._notes: list[Words] = []
        self._tries = wrong_tries(visits, self._known)

    def draft(self, name: str, parcels: int) -> Draft:
        """Write it."""
        for at in self._to_begin_with():
            self._need(at)
        while self._unwritten:
            at = max(self._unwritten)
            self._unwritten.remove(at)
            self._write(at)
        hosts = list(dict.fromkeys(host for at in sorted(self._steps) for host in self._visits[at].hosts))
        root = self._visits[0].target.url.removesuffix(self._visits[0].target.path) if len(hosts) == 1 else ""
        steps = [self._finished(at, number, root) for number, at in enumerate(sorted(self._steps), 1)]
        told: dict[str, Any] = {"recipe": 1, "name": name or hosts[0], "hosts": hosts}
        told["link"] = [{"address": self._address}]
        told["ask"] = self._questions(steps)
        if not told["ask"]:
            del told["ask"]
        told["fails"] = common_fails([self._visits[at].page for at in self._steps])
        told["step"] = steps
        return Draft(told, self._all_notes(parcels))

    def _linked(self) -> str:
        """Return the link as recipes know it; parts of its own that are neither code nor birth date get names."""
        parts = urlsplit(self._link)
        held: dict[str, str] = {}

        def piece(text: str) -> str:
            plain = unquote(text)
            if self._known.templated(plain) != escaped(plain):
                return self._known.templated(plain)
            if is_plain(plain):
                return escaped(text)
            key = next((key for key, value in held.items() if value == plain), f"link_{len(held) + 1}")
            held[key] = plain
            return f"{{{key}}}"

        path = "/".join(piece(one) for one in parts.path.split("/")) or "/"
        asked = [one.partition("=") for one in parts.query.split("&") if one]
        query = "&".join(f"{escaped(name)}={piece(value)}" for name, _, value in asked if not is_clock(value))
        below = "/".join(piece(one) for one in parts.fragment.split("/"))
        self._known = Known(self._code, self._born, held)
        return path + (f"?{query}" if query else "") + (f"#{below}" if below else "")

    def _to_begin_with(self) -> set[int]:
        """Return what is needed at any rate: what sent something known, what was posted on those hosts, the parcel."""
        last = len(self._visits) - 1
        hosts = {self._visits[0].target.name, self._visits[last].target.name}
        sent = {at for at, one in enumerate(self._visits) if self._sends(one)}
        hosts |= {self._visits[at].target.name for at in sent}
        posted = {at for at, one in enumerate(self._visits) if one.method == "POST" and one.target.name in hosts}
        polled = {at for at, one in enumerate(self._visits) if one.polls and one.target.name in hosts}
        return ({0, last} | sent | posted | polled) - self._tries.keys()

    def _sends(self, visit: Visit) -> bool:
        leaves = [str(leaf) for _, leaf in leaves_of(visit.body)]
        texts = [unquote(visit.target.path), *visit.form.values(), *leaves]
        return any(self._known.templated(one) != escaped(one) for one in texts) or bool(self._known.parted(visit.form))

    def _need(self, at: int) -> _Step:
        """Return a step, which is written later if it is new."""
        if at not in self._steps:
            self._steps[at] = _Step({})
            self._unwritten.add(at)
        return self._steps[at]

    def _write(self, at: int) -> None:
        """Write the request of a step; what it needs of earlier ones is added to them."""
        visit, told = self._visits[at], self._steps[at].told
        kind = "download" if visit.parcel else "wait" if visit.polls else visit.method.lower()
        if visit.parcel and visit.method == "POST":
            self._notes.append(say("posted-parcel"))
        told[kind] = self._addressed(at)
        if visit.method == "POST" and not visit.parcel:
            parted = self._known.parted(visit.form)
            if visit.body is not None:
                told["json"] = self._filled(at, visit.body, "value")
            else:
                told["form"] = {
                    name: parted.get(name) or self._valued(at, value, name) for name, value in visit.form.items()
                }
                told |= {"multipart": True} if visit.multipart else {}
        headers = self._headers(at)
        if headers:
            told["headers"] = headers
        if visit.polls:
            told["until"] = self._until(visit)
        for one in visit.headers.get("cookie", "").split(";"):
            name, _, value = one.strip().partition("=")
            sets = (two for two in range(at) if two not in self._tries)
            setters = [two for two in sets if name and self._visits[two].sets.get(name) == value]
            if setters:
                self._need(setters[-1])

    def _addressed(self, at: int) -> str:
        """Return a request's address as a template."""
        target = self._visits[at].target
        path, _, query = target.path.partition("?")
        segments = [(unquote(one), one) for one in path.split("/")]
        asked = [(name, unquote(value)) for name, _, value in (one.partition("=") for one in query.split("&") if one)]
        own = [value for value, _ in segments if self._is_own(value)] + [v for _, v in asked if self._is_own(v)]
        if own and at:
            found = self._taken_address(at, target.url)
            if found:
                return found
        written = "/".join(self._valued(at, value, "id") if self._is_own(value) else self._plain(raw)
                           for value, raw in segments)  # fmt: skip
        parts = [f"{escaped(name)}={self._valued(at, value, name)}" for name, value in asked if not is_clock(value)]
        return target.url.removesuffix(target.path) + written + (f"?{'&'.join(parts)}" if parts else "")

    def _is_own(self, text: str) -> bool:
        """Tell whether a part of an address is neither a word nor what is known."""
        return not is_plain(text) and self._known.templated(text) == escaped(text) and not is_clock(text)

    def _plain(self, raw: str) -> str:
        plain = unquote(raw)
        written = self._known.templated(plain)
        return written if written != escaped(plain) else escaped(raw)

    def _taken_address(self, at: int, url: str) -> str:
        for before in range(at - 1, -1, -1):
            for taking, _ in address_sources(self._visits[before], url) if before not in self._tries else ():
                return f"{{{self._take(before, taking, 'address')}}}"
        return ""

    def _valued(self, at: int, value: str, hint: str) -> str:
        """Return a value as a template: known, harmless, taken from an earlier answer, or asked for."""
        written = self._known.templated(value)
        if written != escaped(value) and len(value) < 200:
            return written
        if _HARMLESS.fullmatch(value):
            return escaped(value)
        found = self._taken(at, value, hint)
        if found:
            return f"{{{found}}}"
        name = self._named(hint, set(self._asks) - {key for key, one in self._asks.items() if one == value})
        self._asks[name] = value
        return f"{{{name}}}"

    def _taken(self, at: int, value: str, hint: str) -> str:
        for before in range(at - 1, -1, -1):
            here = self._shown_before(self._tries[before]) if before in self._tries else before
            for taking in sources_of(self._visits[before], value):
                if here == before or self._visits[here].page.taken(Take.model_validate({"as": "x", **taking})):
                    return self._take(here, taking, hint)
        return ""

    def _shown_before(self, at: int) -> int:
        """Return where the page was shown on which somebody entered what a visit sends, before any wrong try."""
        earlier = [before for before in range(at) if before not in self._tries]
        typed = self._typed(at)
        shown = [one for one in earlier if typed and has_fields(self._visits[one].page, typed)]
        return shown[-1] if shown else max(earlier, default=0)

    def _typed(self, at: int) -> tuple[str, ...]:
        """Return the fields of a visit into which the person entered what they know, the day's last."""
        places = [known_in(self._visits[at], self._known, (name,)) for name in (CODE, BIRTH_DATE)]
        return tuple(one.removeprefix("form ") for some in places for one in sorted(some) if one.startswith("form "))

    def _take(self, at: int, taking: Taking, hint: str) -> str:
        step = self._need(at)
        for name, one in step.takes.items():
            if one == taking:
                return name
        name = self._named(hint, {name for one in self._steps.values() for name in one.takes} | set(self._asks))
        step.takes[name] = taking
        return name

    def _named(self, hint: str, taken: set[str]) -> str:
        plain = re.sub(r"[^a-z0-9]+", "_", hint.lower()).strip("_")[:30]
        plain = plain if re.match(r"[a-z]", plain) else f"v_{plain}".strip("_")
        taken = taken | {CODE, BIRTH_DATE, *self._known.values}
        return next(one for one in (plain, *(f"{plain}_{number}" for number in range(2, 1000))) if one not in taken)

    def _filled(self, at: int, told: Any, hint: str) -> Any:
        """Return JSON that was sent as what a recipe sends."""
        if isinstance(told, str):
            return self._valued(at, told, hint)
        if isinstance(told, Mapping):
            if any(one is None for one in told.values()):
                self._notes.append(say("null"))
            return {str(key): self._filled(at, one, str(key)) for key, one in told.items() if one is not None}
        if isinstance(told, list):
            return [self._filled(at, one, hint) for one in told]
        if isinstance(told, bool) or (isinstance(told, int) and abs(told) < 100):
            return told
        written = self._valued(at, str(told), hint)
        return f"{written[:-1]}:number}}" if re.fullmatch(r"\{[a-z0-9_]+\}", written) else written

    def _headers(self, at: int) -> dict[str, str]:
        made: dict[str, str] = {}
        for name, value in self._visits[at].headers.items():
            if name == "authorization":
                scheme, _, token = value.rpartition(" ")
                found = self._taken(at, token, "bearer")
                if found:
                    made["Authorization"] = f"{scheme} {{{found}}}".strip()
                else:
                    self._notes.append(say("authorization"))
            elif name.startswith("x-") and not name.startswith(("x-client", "x-dev", "x-forwarded")):
                found = "" if _HARMLESS.fullmatch(value) else self._taken(at, value, name.removeprefix("x-"))
                if found or _HARMLESS.fullmatch(value):
                    made["-".join(one.capitalize() for one in name.split("-"))] = f"{{{found}}}" if found else value
                else:
                    self._notes.append(say("header-left", name=name))
        return made

    def _until(self, visit: Visit) -> dict[str, Any]:
        """Return in what the last answer differs from all before: a state, if there is one."""
        before = [dict(leaves_of(page.json)) for page in visit.polls]
        new = [
            (path, leaf) for path, leaf in leaves_of(visit.page.json)
            if leaf is not None and all(one.get(path) != leaf for one in before)
        ]  # fmt: skip
        new.sort(key=lambda one: not any(word in one[0].lower() for word in _STATES))
        for path, leaf in new:
            if (
                isinstance(leaf, bool)
                or (isinstance(leaf, str) and re.fullmatch(r"[A-Za-z_-]{1,24}", leaf))
                or leaf == 100
            ):
                return {"json": path, "is": leaf}
        if new:
            return {"json": new[0][0]}
        self._notes.append(say("until"))
        return {"status": 200}

    def _finished(self, at: int, number: int, root: str) -> dict[str, Any]:
        step = self._steps[at]
        kind = (
            "download"
            if self._visits[at].parcel
            else "open"
            if not at
            else "wait"
            if self._visits[at].polls
            else "step"
        )
        told: dict[str, Any] = {"name": f"{kind} {number}" if kind in ("step", "wait") else kind, **step.told}
        for key in ("get", "post", "wait", "download"):
            if key in told and root:
                told[key] = told[key].removeprefix(root)
        if kind in ("open", "step"):
            told |= self._outcomes(at, str(told["name"]))
        if step.takes and not self._visits[at].parcel:
            told["take"] = [{"as": name, **one} for name, one in step.takes.items()]
        return told

    def _outcomes(self, at: int, name: str) -> dict[str, Any]:
        """Return how success and failures look at a step, as far as it tells the portal something."""
        visit, known = self._visits[at], self._known
        asked = [BIRTH_DATE] + ([] if asks_for(CODE, self._address) else [CODE])
        if not known_in(visit, known, asked):
            linked = not at or self._sends(visit)
            return {"fails": link_fails()} if linked else {}
        before = self._visits[self._shown_before(at)].page if at else None
        wrong = tuple(self._visits[one].page for one, right in self._tries.items() if right == at)
        learned = learned_of(Answering(visit, self._typed(at), before, wrong), [*self._steps[at].takes.values()])
        self._learned.append((name, learned))
        return {**({"expect": learned.expect} if learned.expect else {}), "fails": learned.fails}

    def _questions(self, steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        text = repr(steps)
        made: list[dict[str, Any]] = []
        if asks_for(CODE, text) and not asks_for(CODE, self._address):
            made.append({"name": CODE, "kind": "password"})
        if asks_for(BIRTH_DATE, text):
            made.append({"name": BIRTH_DATE, "kind": "birth-date"})
        return made + [{"name": name, "kind": "custom"} for name in self._asks]

    def _all_notes(self, parcels: int) -> list[Words]:
        learned = [one for _, one in self._learned]
        notes = [say("draft")]
        if any(one.seen for one in learned):
            notes += [say("fails-learned"), say("fails-other")]
        else:
            notes.append(say("fails-guessed"))
        if any(one.form for one in learned):
            notes.append(say("fails-form"))
        notes += [say("fails-blind", step=name) for name, one in self._learned if one.blind]
        if self._asks:
            notes.append(say("asked-for", names=", ".join(self._asks)))
        if parcels > 1:
            notes.append(say("parcels", found=parcels))
        return [*notes, *dict.fromkeys(self._notes)]


def is_plain(text: str) -> bool:
    """Tell whether a part of an address is a word of the portal's; a token often turns to capitals."""
    return _PLAIN_SEGMENT.fullmatch(text) is not None and len(_TURNS.findall(text)) < 4

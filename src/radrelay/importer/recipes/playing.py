"""The self-test of a recipe: it is walked against what was recorded, and nothing leaves the machine.

A `PlayedSession` stands where the connection would be made; redirects, cookies, hosts and limits are those of the real
way out. What is asked must be what the test awaits, in its order.
"""

from __future__ import annotations

import io
import json
import ssl
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.errors import (
    AnswerWrong,
    InMaintenance,
    LinkExpiredThere,
    LockedThere,
    NothingListed,
    NotThere,
    PersonNeeded,
    PortalTrouble,
)
from radrelay.importer.judging import Judge
from radrelay.importer.outgoing import Answering, Outgoing, Session
from radrelay.importer.places import Target
from radrelay.importer.recipes.errand import RecipeConnector, RecipeErrand
from radrelay.importer.recipes.forms import fields_of
from radrelay.importer.recipes.language import Exchange, Test
from radrelay.importer.recipes.reading import Recipe
from radrelay.importer.recipes.trials import page_beside
from radrelay.importer.recipes.words import Words, say


class PlayedOtherwise(Exception):
    """The recipe asked for something else than was recorded."""

    def __init__(self, words: Words) -> None:
        super().__init__(str(words))
        self.words = words


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one test. `step`: where it failed; `words`: why, none if it passed."""

    test: str
    step: str = ""
    words: Words | None = None

    @property
    def why(self) -> str:
        """Return why it failed, in plain English; nothing if it passed."""
        return "" if self.words is None else str(self.words)

    @property
    def passed(self) -> bool:
        """Tell whether it came to what it should."""
        return self.words is None


@dataclass(frozen=True, slots=True)
class PlayedOutgoing(Outgoing):
    """A way out that ends at a recording."""

    recorded: Iterator[Exchange] = field(default_factory=lambda: iter(()))
    recipe: Recipe | None = None

    def session(self) -> Session:
        """Begin an errand at the recording."""
        return PlayedSession(self)


class PlayedSession(Session):
    """Answers as was recorded."""

    def __init__(self, outgoing: PlayedOutgoing) -> None:
        super().__init__(outgoing)
        self._played = outgoing

    @contextmanager
    def _exchange(
        self, target: Target, method: str, headers: Mapping[str, str], body: bytes | None, *, answer: bool
    ) -> Iterator[Answering]:
        del answer
        one = next(self._played.recorded, None)
        asked = f"{method} {target.url}"
        if one is None:
            raise PlayedOtherwise(say("test-beyond", asked=asked))
        require_same(one, asked, headers, body)
        made = {name.lower(): value for name, value in one.sends.items()}
        self.cookies.take(target, [value for name, value in made.items() if name == "set-cookie"])
        sent, kind = sent_by(one, self._played.recipe)
        made.setdefault("content-type", kind)
        yield Answering(target, one.status, made, iter((sent,)), len(sent))


def play(recipe: Recipe) -> list[Played]:
    """Return what comes of each test of a recipe; those of one that needs a browser are not played here."""
    if recipe.told.browser:
        return [Played(one.name, words=say("test-browser")) for one in recipe.told.test]
    return [_played(recipe, one) for one in recipe.told.test]


def _played(recipe: Recipe, test: Test) -> Played:
    recorded = iter(test.exchange)
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    judge = Judge(lambda host, port: [])
    way = PlayedOutgoing(lambda host: True, judge, ssl.create_default_context, recorded=recorded, recipe=recipe)
    connector = RecipeConnector(recipe, way, AttemptsInMemory(), pause=pause, clock=lambda: now[0])
    lead = connector.recognise(test.link)
    if lead is None:
        return Played(test.name, "", say("test-link"))
    errand = connector.open(lead)
    trouble: PortalTrouble | None = None
    try:
        came = _walked(errand, test)
    except PlayedOtherwise as error:
        return Played(test.name, errand.step, error.words)
    except PortalTrouble as error:
        trouble, came = error, named(error)
    return judged(test, errand.step, came, trouble, sum(1 for _ in recorded))


def _walked(errand: RecipeErrand, test: Test) -> str:
    errand.answer(test.answers)
    for item in errand.items():
        errand.download(item, Nowhere())
    return "fetched"


def judged(test: Test, step: str, came: str, trouble: PortalTrouble | None, left: int) -> Played:
    """Return what a walk comes to, beside what the test awaits. `left`: so many exchanges nobody asked for."""
    if came != test.result and trouble is not None:
        said = trouble.facts.get("words")
        why = said if isinstance(said, Words) else trouble.message
        return Played(test.name, step, say("test-outdated", came=came, why=why, wanted=test.result))
    if came != test.result:
        return Played(test.name, step, say("test-comes", came=came, wanted=test.result))
    return Played(test.name, step, say("test-left", n=left)) if left else Played(test.name)


class Nowhere:
    """A sink that keeps nothing."""

    def begin(self) -> None:
        """Forget nothing, for nothing is kept."""

    def write(self, piece: bytes) -> None:
        """Let it go."""


def named(trouble: PortalTrouble) -> str:
    """Return a trouble as recipes call it, or by its code."""
    if isinstance(trouble, PersonNeeded):
        return str(trouble.facts.get("kind", "captcha"))
    return _NAMES.get(type(trouble), trouble.code)


_NAMES: Mapping[type[PortalTrouble], str] = {
    AnswerWrong: "wrong",
    LinkExpiredThere: "expired",
    LockedThere: "locked",
    InMaintenance: "maintenance",
    NotThere: "not-there",
    NothingListed: "nothing",
}


def require_same(one: Exchange, asked: str, headers: Mapping[str, str], body: bytes | None) -> None:
    """Raise `PlayedOtherwise` if a request is not the one that was recorded."""
    awaited = f"GET {one.get}" if one.get is not None else f"POST {one.post}"
    if asked != awaited:
        raise PlayedOtherwise(say("test-otherwise", asked=asked, recorded=awaited))
    sent = {name.lower(): value for name, value in headers.items()}
    for name, value in one.headers.items():
        if sent.get(name.lower()) != value:
            words = say("test-header", name=name, sent=repr(sent.get(name.lower())), recorded=repr(value))
            raise PlayedOtherwise(words)
    if one.form is not None:
        _require_fields(fields_of(body or b"", sent.get("content-type", "")), dict(one.form))
    if one.body is not None:
        _require_fields(_object(body), dict(one.body))


def _object(body: bytes | None) -> Mapping[str, Any]:
    """Return the object of JSON that was sent, an empty one for anything else."""
    try:
        told = json.loads(body or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _require_fields(sent: Mapping[str, Any], recorded: Mapping[str, Any]) -> None:
    for name in dict.fromkeys([*recorded, *sent]):
        if sent.get(name) != recorded.get(name):
            told = repr(sent.get(name))
            if name not in recorded:
                raise PlayedOtherwise(say("test-field-new", name=name, sent=told))
            raise PlayedOtherwise(say("test-field", name=name, sent=told, recorded=repr(recorded[name])))


def sent_by(one: Exchange, recipe: Recipe | None) -> tuple[bytes, str]:
    """Return the recorded answer's body, and of which kind it is."""
    if one.zip:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as made:
            made.writestr("README", "recorded")
        return packed.getvalue(), "application/zip"
    if one.answer is not None:
        return json.dumps(one.answer).encode(), "application/json"
    if one.file is not None and recipe is not None:
        return page_beside(recipe.beside, one.file), "text/html"
    return (one.page or "").encode(), "text/html; charset=utf-8"

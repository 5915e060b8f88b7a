"""The self-test of a recipe in a browser: a real one is shown what was recorded, and nothing leaves the machine.

A page asks in an order of its own: an exchange answers whenever its address is asked for, those of one address in
their order. What the page asks for and nothing was recorded of fails, pictures and the like aside.
"""

from __future__ import annotations

import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.browser.errand import BrowserConnector, BrowserErrand
from radrelay.importer.browser.held import Chromium, Held
from radrelay.importer.browser.pipe import Told
from radrelay.importer.browser.tab import Tab
from radrelay.importer.connectors.ports import Pending
from radrelay.importer.errors import PortalTrouble
from radrelay.importer.judging import Judge
from radrelay.importer.outgoing import Outgoing
from radrelay.importer.recipes.language import Exchange, Test
from radrelay.importer.recipes.playing import Nowhere, Played, PlayedOtherwise, judged, named, require_same, sent_by
from radrelay.importer.recipes.reading import Recipe
from radrelay.importer.recipes.words import Words, say

_ASIDE = ("Image", "Font", "Stylesheet", "Media", "Other")
_NO_CONTENT = 404
_HELD_FIRST = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}


def play_in_browser(recipe: Recipe, chromium: Chromium) -> list[Played]:
    """Return what comes of each test of a recipe; raises `BrowserMissing`, `BrowserNotHeld`."""
    way = Outgoing(lambda host: False, Judge(lambda host, port: []), ssl.create_default_context)
    with closing(chromium.start(way)) as held:
        return [_played(recipe, one, chromium, held, way) for one in recipe.told.test]


def _played(recipe: Recipe, test: Test, chromium: Chromium, held: Held, way: Outgoing) -> Played:
    lead = BrowserConnector(recipe, way, AttemptsInMemory(), chromium).recognise(test.link)
    if lead is None:
        return Played(test.name, "", say("test-link"))
    recording = _Recording(recipe, list(test.exchange))
    errand = PlayedConnector(recipe, way, AttemptsInMemory(), chromium).played(lead.address.value, held, recording)
    came, trouble = "nothing", None
    try:
        came = _walked(errand, test)
    except PlayedOtherwise as error:
        recording.problems.append(error.words)
    except PortalTrouble as error:
        trouble, came = error, named(error)
    if recording.problems:
        return Played(test.name, errand.step, recording.problems[0])
    return judged(test, errand.step, came, trouble, len(recording.unused))


def _walked(errand: BrowserErrand, test: Test) -> str:
    asks = {one.name for one in errand.asks}
    errand.answer({name: told for name, told in test.answers.items() if name in asks})
    answers: dict[str, str] = {}
    while (pending := errand.carry_on(answers, lambda: None)) is not None:
        answers[pending.question.id] = _answered(pending, test.answers)
    for item in errand.items():
        errand.download(item, Nowhere())
    return "fetched"


def _answered(pending: Pending, answers: Mapping[str, str]) -> str:
    name = pending.question.id.partition(".")[0]
    if name not in answers:
        raise PlayedOtherwise(say("test-unanswered", name=name))
    return answers[name]


@dataclass
class _Recording:
    """What was recorded, and what of it was asked for. `problems`: what was asked otherwise."""

    recipe: Recipe
    exchanges: Sequence[Exchange]
    used: set[int] = field(default_factory=set)
    problems: list[Words] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def unused(self) -> list[int]:
        """Return which exchanges nobody asked for."""
        return [at for at in range(len(self.exchanges)) if at not in self.used]

    def answer(self, said: Told) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body for a request; one that was not recorded is a problem."""
        request = said["request"]
        asked = f"{request['method']} {str(request['url']).partition('#')[0]}"
        with self.lock:
            same = [at for at, one in enumerate(self.exchanges) if _asks(one) == asked]
            at = next((one for one in same if one not in self.used), same[-1] if same else None)
            if at is None:
                if said.get("resourceType") not in _ASIDE:
                    self.problems.append(say("test-unrecorded", asked=asked))
                return _NO_CONTENT, {}, b""
            self.used.add(at)
            one = self.exchanges[at]
            try:
                require_same(one, asked, request.get("headers", {}), str(request.get("postData", "")).encode())
            except PlayedOtherwise as error:
                self.problems.append(error.words)
        body, kind = sent_by(one, self.recipe)
        attached = {"Content-Disposition": 'attachment; filename="recorded.zip"'} if one.zip else {}
        return one.status, {"Content-Type": kind, **attached, **one.sends}, body


class PlayedConnector(BrowserConnector):
    """Walks a recipe in a browser that is shown a recording."""

    def played(self, link: str, held: Held, recording: _Recording) -> PlayedErrand:
        """Begin an errand at the recording."""
        lead = self.recognise(link)
        told = self._held(link)
        assert lead is not None  # noqa: S101 -- it was recognised just now
        made = PlayedErrand(self.recipe, self._outgoing, lead, told or {}, self._attempts, self._pause, self._clock)
        made.shown = lambda: _Shown(held, recording)
        return made


class PlayedErrand(BrowserErrand):
    """One walk at a recording."""

    shown: Callable[[], Tab]

    def _tabbed(self) -> Tab:
        return self.shown()


class _Shown(Tab):
    """A page whose requests a recording answers, with those of the pages in its frames."""

    def __init__(self, held: Held, recording: _Recording) -> None:
        super().__init__(held, apart=True)
        self._recording = recording
        self._pipe.listen("Fetch.requestPaused", self._fulfil)
        self._pipe.listen("Target.attachedToTarget", self._hold)
        self._ask("Fetch.enable")
        self._ask("Target.setAutoAttach", **_HELD_FIRST)

    def _hold(self, told: Told) -> None:
        """Have a frame of another site ask the recording, too, before it asks for anything."""
        if not told["params"].get("waitingForDebugger"):
            return
        session = str(told["params"]["sessionId"])
        self._pipe.say("Fetch.enable", session)
        self._pipe.say("Target.setAutoAttach", session, **_HELD_FIRST)
        self._pipe.say("Runtime.runIfWaitingForDebugger", session)

    def _fulfil(self, told: Told) -> None:
        said = told["params"]
        status, headers, body = self._recording.answer(said)
        self._pipe.say(
            "Fetch.fulfillRequest", str(told["sessionId"]), requestId=said["requestId"], responseCode=status,
            responseHeaders=[{"name": name, "value": value} for name, value in headers.items()],
            body=b64encode(body).decode("ascii"),
        )  # fmt: skip


def _asks(one: Exchange) -> str:
    return f"GET {one.get}" if one.get is not None else f"POST {one.post}"

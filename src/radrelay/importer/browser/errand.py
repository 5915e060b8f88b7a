"""A recipe walked in a browser: its pages seen as somebody sees them, its person asked with a picture of the page.

The browser lives as long as the errand: while a person is asked it stands at that page. Errors say the step and what
the recipe awaited of it, and nothing that was given, taken or shown.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from radrelay.importer.attempts import Attempts, give_back_all, spend_all
from radrelay.importer.browser.held import Chromium, Held
from radrelay.importer.browser.tab import HEIGHT, LOOK_S, WIDTH, Coming, Frames, Tab
from radrelay.importer.connectors.dlx import nobody_watches
from radrelay.importer.connectors.kept_whole import Judged
from radrelay.importer.connectors.ports import Item, Lead, Pending, Question
from radrelay.importer.contents import PARCELS
from radrelay.importer.downloading import Downloaded, Sink, Tell
from radrelay.importer.errors import (
    AnswerUnusable,
    AnswerWrong,
    BrowserOff,
    HostNotAllowed,
    LockedThere,
    LoginEnded,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalStalled,
    PortalTrouble,
    RecipeOutdated,
)
from radrelay.importer.going_out import is_listed
from radrelay.importer.outgoing import Outgoing, Reply
from radrelay.importer.recipes.errand import UNCOUNTED, RecipeConnector, RecipeErrand
from radrelay.importer.recipes.frames import framed
from radrelay.importer.recipes.given import MOST_ANSWER, answer_of, names_of
from radrelay.importer.recipes.language import Step, Where, Wish
from radrelay.importer.recipes.page import Page
from radrelay.importer.recipes.reading import Recipe
from radrelay.importer.recipes.templates import template_of
from radrelay.importer.recipes.words import say
from radrelay.importer.secret import Secret

MOST_CLICKS, PIECE, PATIENCE_S = 20, 256 << 10, 1.0
_CLICKS = re.compile(r"(\d{1,4}),(\d{1,4})")


class BrowserConnector(RecipeConnector):
    """A recipe that needs a browser; without one its links are known all the same, and it says so."""

    def __init__(
        self, recipe: Recipe, outgoing: Outgoing, attempts: Attempts, chromium: Chromium | None,
        walk_s: float = 600.0, wait_s: float = 600.0,
    ) -> None:  # fmt: skip
        super().__init__(recipe, outgoing, attempts)
        self._chromium, self._walk_s, self._wait_s = chromium, walk_s, wait_s

    def open(self, lead: Lead) -> BrowserErrand:
        """Begin an errand; raises `BrowserOff`, `RecipeOutdated`."""
        held = self._held(lead.address.value)
        if held is None:
            raise RecipeOutdated(host=lead.host, recipe=self.recipe.id, step="", reason=str(say("link")))
        if self._chromium is None:
            raise BrowserOff(host=lead.host)
        made = BrowserErrand(self.recipe, self._outgoing, lead, held, self._attempts, self._pause, self._clock)
        made.chromium, made.walk_s, made.wait_s = self._chromium, self._walk_s, self._wait_s
        return made


class BrowserErrand(RecipeErrand):
    """One link, followed in a browser."""

    chromium: Chromium
    walk_s = wait_s = 600.0
    _browser: Held | None = None
    _tab: Tab | None = None
    _open_question, _again, _told_text = "", False, False
    _left: int | None = None
    _spent: Sequence[Secret] = ()

    def answer(self, answers: Mapping[str, str]) -> None:
        """Take the answers, which go to the portal when the walk comes to them; raises `AnswerUnusable`."""
        self._begin({one.name: answer_of(one, answers.get(one.name)) for one in self._asks})

    def carry_on(self, answers: Mapping[str, str], look: Callable[[], None]) -> Pending | None:
        """Walk to where the downloads begin, or to where a person is asked; raises `PortalTrouble`."""
        try:
            if self._tab is None:
                self._open(answers)
            else:
                self._since = self._clock()
            pending = self._walk_on(answers, look)
        except PortalTrouble as trouble:
            self._settle(spent=self._is_spent(trouble))
            raise self._named(trouble) from trouble
        if pending is None:
            self._settle(spent=False)
        return pending

    def items(self) -> tuple[Item, ...]:
        """Return what the recipe brings."""
        steps = self._recipe.told.step
        return tuple(
            Item(str(at), description=one.description or one.name) for at, one in enumerate(steps) if one.brings
        )

    def download(self, item: Item, sink: Sink, tell: Tell = nobody_watches) -> Downloaded:
        """Have the browser download one parcel, and hand it on."""
        tab, step = self._at_hand(), self._recipe.told.step[int(item.id)]
        self.step = step.name
        before = {one.id for one in tab.downloads()}
        if step.save is not None:
            self._clicked(step, step.save, lambda: tell(0, None))
        else:
            tab.go(self._joined(step))
        try:
            coming = self._begun(step, before, tell)
            self._come(coming, tell)
            return self._handed_on(tab.file(coming), coming.name, sink, tell)
        except PortalTrouble as trouble:
            raise self._named(trouble) from trouble

    def close(self) -> None:
        """End the browser with all that is in it.

        An attempt is given back where the portal itself asked for a person, and nobody came; else what it was told
        counts, however the walk ended.
        """
        browser, self._browser, self._tab = self._browser, None, None
        try:
            self._settle(spent=self._told_text if self._open_question else self._sent)
        finally:  # whether or not the attempt could be given back
            if browser is not None:
                browser.close()

    def _open(self, answers: Mapping[str, str]) -> None:
        wishes = {one.wish.name for one in self._recipe.told.step if one.wish is not None}
        self._again = any(name.partition(".")[0] in wishes for name in answers)
        counted = self._counted()
        self._left, self._spent = spend_all(self._attempts, counted), counted
        self._tab = self._tabbed()

    def _tabbed(self) -> Tab:
        self._browser = self.chromium.start(self._outgoing)
        return Tab(self._browser, self._outgoing.limits.answer_s)

    def _settle(self, *, spent: bool) -> None:
        """Say what becomes of the attempt that this walk took: spent, or given back."""
        taken, self._spent = self._spent, ()
        if not spent:
            give_back_all(self._attempts, taken)

    def _is_spent(self, trouble: PortalTrouble) -> bool:
        """Tell whether what went wrong counts as an attempt: all does once answers left, as in `attempts.counting`."""
        if isinstance(trouble, AnswerWrong | LockedThere):
            return True  # whichever step says so
        if isinstance(trouble, AnswerUnusable):
            return self._told_text  # this one was not sent, and what was before had led to the question
        return self._sent and not (isinstance(trouble, UNCOUNTED) and not trouble.facts.get("guessed"))

    def _at_hand(self) -> Tab:
        if self._tab is None:
            raise LoginEnded(host=self._lead.host)
        return self._tab

    def _walk_on(self, answers: Mapping[str, str], look: Callable[[], None]) -> Pending | None:
        steps = self._recipe.told.step
        while not steps[self._next].brings:
            step = steps[self._next]
            self.step = step.name
            look()
            if step.when is None or self._whole(step, look).looks(step.when):
                if step.wish is not None and not self._heard(step.wish, answers):
                    self._whole(step, look)
                    return self._pending(step.wish)
                self._done(step, look)
                self._before = self._taken(step, self._seen(step, look))
            self._next += 1
        return None

    def _done(self, step: Step, look: Callable[[], None]) -> None:
        tab = self._at_hand()
        self._sent = self._sent or any(name in self._given for name in names_of(step))
        if step.goto is not None:
            tab.go(self._joined(step))
            for where in step.frame:
                tab.go(self._framed(step, where, look))
        for one in step.fill or ():
            way, text = one.way
            value = template_of(one.value).filled(self._values)
            self._until(step, look, partial(tab.fill, way, text, value, *_within(step)))
        if step.click is not None:
            self._clicked(step, step.click, look)

    def _framed(self, step: Step, where: Mapping[str, str], look: Callable[[], None]) -> str:
        """Return the address of a page in a frame, once it is there."""
        ends = self._clock() + step.within_s
        while True:
            page, _ = self._looked(step, look)
            if isinstance(found := framed(page, where), str):
                return found
            if self._clock() > ends:
                raise self._unlike(step, page, say("frame"), self._left)
            self._pause(LOOK_S)

    def _clicked(self, step: Step, where: Where, look: Callable[[], None]) -> None:
        tab = self._at_hand()
        self._until(step, look, lambda: "" if tab.click(*where.way, *_within(step)) else "missing")

    def _until(self, step: Step, look: Callable[[], None], act: Callable[[], str]) -> None:
        """Do what may have to wait for its element; raises what the page says, or that it is not there."""
        ends = self._clock() + step.within_s
        while said := act():
            page, _ = self._looked(step, look)
            if self._clock() > ends or said != "missing":
                if said == "missing" and step.within and self._at_hand().framed(step.within) is None:
                    said = "frame"
                raise self._outdated(say(_WRONG.get(said, _WRONG["missing"])))
            del page
            self._pause(LOOK_S)

    def _looked(self, step: Step, look: Callable[[], None]) -> tuple[Page, bool]:
        """Return what the page is now, and whether it is whole; raises what it says that failed."""
        look()
        tab = self._at_hand()
        tab.require_well()
        if self._clock() - self._since > self.walk_s:
            raise self._outdated(say("endless"))
        page, whole = tab.page()
        self._require_well(step, page, self._left)
        if page.reply.target.host:
            self._url = page.reply.target.url
        return self._looked_within(step, page, whole) if step.within else (page, whole)

    def _looked_within(self, step: Step, page: Page, whole: bool) -> tuple[Page, bool]:
        """Return what the page in a frame of the page is now, an empty one where there is none."""
        framed = self._at_hand().framed(step.within)
        if framed is None:
            kind = {"content-type": "text/html; charset=utf-8"}
            return Page(Reply(page.reply.target, 200, kind, b"")), whole
        self._require_well(step, framed[0], self._left)
        if framed[0].reply.target.host:
            self._url = framed[0].reply.target.url
        return framed[0], whole and framed[1]

    def _whole(self, step: Step, look: Callable[[], None]) -> Page:
        ends = self._clock() + step.within_s
        while True:
            page, whole = self._looked(step, look)
            if whole or self._clock() > ends:
                return page
            self._pause(LOOK_S)

    def _seen(self, step: Step, look: Callable[[], None]) -> Page:
        """Return the page once it looks as it should; raises what it says instead."""
        if step.expect is None:
            return self._whole(step, look)
        ends = self._clock() + step.within_s
        while True:
            page, _ = self._looked(step, look)
            if page.looks(step.expect):
                return page
            if self._clock() > ends:
                raise self._unlike(step, page, page.differs(step.expect), self._left)
            self._pause(LOOK_S)

    def _taken(self, step: Step, page: Page) -> Page:
        for one in step.take:
            found = self._found(page, one)
            if not found:
                raise self._unlike(step, page, say("take", name=one.name), self._left)
            self._values[one.name] = Secret(found[0])
        return page

    def _pending(self, wish: Wish) -> Pending:
        """Return what the person is asked, under a name that no other walk has."""
        self._open_question = f"{wish.name}.{secrets.token_hex(8)}"
        question = Question(self._open_question, "custom", wish.kind, wish.text)
        again, self._again = self._again, False
        return Pending(question, self._at_hand().picture(), self.wait_s, again)

    def _heard(self, wish: Wish, answers: Mapping[str, str]) -> bool:
        """Take the answer to what was asked of this very walk; False if there is none."""
        said = answers.get(self._open_question) if self._open_question else None
        if said is None:
            return False
        self._open_question, text = "", said.strip()
        if wish.kind == "clicks":
            for x, y in _places(text):
                self._at_hand().click_at(x, y)
                self._pause(LOOK_S)
            return True
        if not text or len(text) > MOST_ANSWER or not text.isprintable():
            raise AnswerUnusable(form="text")
        self._values[wish.name], self._sent, self._told_text = Secret(text), True, True
        return True

    def _begun(self, step: Step, before: set[str], tell: Tell) -> Coming:
        tab, ends = self._at_hand(), self._clock() + step.within_s
        while True:
            for one in tab.downloads():
                if one.id not in before:
                    return one
            self._looked(step, lambda: tell(0, None))
            if self._clock() > ends:
                raise self._outdated(say("no-download"))
            self._pause(LOOK_S)

    def _come(self, coming: Coming, tell: Tell) -> None:
        """Wait for the end of a download; raises `ParcelTooLarge`, `PortalStalled`, `PortalBrokeOff`."""
        tab, limits = self._at_hand(), self._outgoing.limits
        have, since, began = 0, self._clock(), self._clock()
        while coming.state == "inProgress":
            tell(coming.have, coming.size)
            tab.require_well()
            if max(coming.have, coming.size or 0) > limits.most_bytes:
                tab.cancel(coming)
                raise ParcelTooLarge(host=self._lead.host, limit=limits.most_bytes)
            if coming.have > have:
                have, since = coming.have, self._clock()
            now = self._clock()
            if now - since > limits.idle_s + PATIENCE_S or now - began > limits.whole_s:
                tab.cancel(coming)
                raise PortalStalled(host=self._lead.host)
            self._pause(LOOK_S)
        if coming.state != "completed":
            raise PortalBrokeOff(f"{self._lead.host} broke off before all had come", host=self._lead.host)

    def _handed_on(self, path: Path, name: str, sink: Sink, tell: Tell) -> Downloaded:
        judged = Judged(sink, self._lead.host, PARCELS - {"text", "xml"}, tell)
        with path.open("rb") as file:
            path.unlink()
            while piece := file.read(PIECE):
                judged.write(piece)
        return judged.finish(name, 0)

    def _named(self, trouble: PortalTrouble) -> PortalTrouble:
        """Return a trouble with the host that it is about; a host of another is none of the recipe's.

        A page that lacks what one of the recipe's own hosts would have brought is not outdated: that host is
        the reason.
        """
        hosts, refused = self._recipe.told.hosts, self._browser.door.refused if self._browser is not None else {}
        reasons = (one for one in list(refused.values()) if is_listed(str(one.facts.get("host", "")), hosts))
        if isinstance(trouble, RecipeOutdated) and (reason := next(reasons, None)) is not None:
            return reason
        if isinstance(trouble, HostNotAllowed):
            return self._elsewhere(trouble)
        if "host" not in trouble.facts:
            return type(trouble)(trouble.message, **{**trouble.facts, "host": self._lead.host})
        return trouble


_WRONG: Mapping[str, str] = {
    "missing": "to-fill",
    "frame": "frame",
    "no-option": "to-choose",
    "no-value": "to-take",
}


def _within(step: Step) -> tuple[Frames, ...]:
    """Return the frames that elements are looked for in, none for those of the page itself."""
    return (step.within,) if step.within else ()


def _places(text: str) -> list[tuple[int, int]]:
    """Return where somebody clicked on the picture; raises `AnswerUnusable`."""
    found = [_CLICKS.fullmatch(one) for one in text.split()]
    if not found or len(found) > MOST_CLICKS:
        raise AnswerUnusable(form="clicks")
    places = [(int(one[1]), int(one[2])) if one is not None else (-1, -1) for one in found]
    if any(not (0 <= x < WIDTH and 0 <= y < HEIGHT) for x, y in places):
        raise AnswerUnusable(form="clicks")
    return places

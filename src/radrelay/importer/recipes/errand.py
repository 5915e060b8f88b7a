"""A recipe walked at its portal: what the person is asked, the steps one after the other, and the parcels at their end.

Only the recipe's hosts are asked, and of those only what the site allows. Nothing that is given or taken (code, birth
date, fields of a page) is in an error: those name the step and what the recipe awaited of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote, urljoin

from radrelay.importer import watching
from radrelay.importer.attempts import Attempts, counted_as, counting
from radrelay.importer.connectors.dlx import nobody_watches
from radrelay.importer.connectors.ports import Item, Lead, Question
from radrelay.importer.contents import PARCELS
from radrelay.importer.downloading import Download, Downloaded, Patience, Sink, Tell, busy_s
from radrelay.importer.errors import (
    AnswerWrong,
    HostNotAllowed,
    InMaintenance,
    LinkExpiredThere,
    LockedThere,
    LoginEnded,
    NothingListed,
    PersonNeeded,
    PortalBusy,
    PortalRefused,
    PortalTrouble,
    RecipeOutdated,
)
from radrelay.importer.going_out import is_listed
from radrelay.importer.outgoing import Outgoing, Request, Session
from radrelay.importer.places import target_of
from radrelay.importer.recipes.failing import failure_of, guess_of, told_by_status, typed_in
from radrelay.importer.recipes.forms import body_of
from radrelay.importer.recipes.frames import framed
from radrelay.importer.recipes.given import answer_of, filled, names_of
from radrelay.importer.recipes.language import Ask, Step, Take
from radrelay.importer.recipes.links import read_link
from radrelay.importer.recipes.page import Page, TooMuchToTake
from radrelay.importer.recipes.reading import Recipe
from radrelay.importer.recipes.templates import Day, Value, shown, template_of
from radrelay.importer.recipes.words import Unreadable, Words, say
from radrelay.importer.secret import Secret

MOST_REQUESTS, MOST_S = 1000, 3600.0
PREFIX = "recipe:"
UNCOUNTED = (InMaintenance, LinkExpiredThere, PersonNeeded)
"""What a recipe knows to say nothing of the answers."""
_ACCEPT = "text/html, application/json;q=0.9, */*;q=0.8"


class RecipeConnector:
    """One recipe as a language that one portal speaks."""

    def __init__(
        self,
        recipe: Recipe,
        outgoing: Outgoing,
        attempts: Attempts,
        *,
        pause: Callable[[float], None] = watching.pause,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.recipe, self._attempts, self._pause, self._clock = recipe, attempts, pause, clock
        hosts = recipe.told.hosts
        self._outgoing = replace(outgoing, allows=lambda host: is_listed(host, hosts) and outgoing.allows(host))

    @property
    def name(self) -> str:
        """Return what it is called in records."""
        return f"{PREFIX}{self.recipe.id}"

    def recognise(self, text: str) -> Lead | None:
        """Return what a link leads to, none if it is none of the recipe's."""
        held = self._held(text)
        if held is None:
            return None
        target = target_of(text.partition("#")[0], clear_loopback=self._outgoing.judge.loopback)
        token = "\n".join(one.value for one in held.values())
        return Lead(self.name, target.name, Secret(token), Secret(text))

    def open(self, lead: Lead) -> RecipeErrand:
        """Begin an errand; raises `RecipeOutdated` for a link that the recipe does not know (any more)."""
        held = self._held(lead.address.value)
        if held is None:
            raise RecipeOutdated(host=lead.host, recipe=self.recipe.id, step="", reason=str(say("link")))
        return RecipeErrand(self.recipe, self._outgoing, lead, held, self._attempts, self._pause, self._clock)

    def _held(self, link: str) -> dict[str, Secret] | None:
        told, clear = self.recipe.told, self._outgoing.judge.loopback
        found = (read_link(one.address, told.hosts, link, clear_loopback=clear) for one in told.link)
        return next((one for one in found if one is not None), None)


class RecipeErrand:
    """One link, followed as its recipe says. `step`: the name of the step that it is at."""

    def __init__(
        self,
        recipe: Recipe,
        outgoing: Outgoing,
        lead: Lead,
        held: Mapping[str, Secret],
        attempts: Attempts,
        pause: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._recipe, self._lead, self._attempts, self._pause, self._clock = recipe, lead, attempts, pause, clock
        self._outgoing, self._held = outgoing, dict(held)
        self._asks = tuple(one for one in recipe.told.ask if one.name not in held)
        self._begin({})

    def _begin(self, answers: Mapping[str, Value]) -> None:
        """Stand before the first step, with a session of its own."""
        self._session: Session = self._outgoing.session()
        self._values: dict[str, Value] = {**self._held, **answers}
        self._given, self._many = frozenset(answers), dict[str, list[Secret]]()
        self._url = self._lead.address.value.partition("#")[0]
        self._next, self._requests, self._since = 0, 0, self._clock()
        self._sent, self._unsent = False, 0
        self._before: Page | None = None
        self.step = ""

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Return what the person is asked, as the recipe has it."""
        return self._asks

    def ask(self) -> tuple[Question, ...]:
        """Return what the person is asked; the portal is not asked for it."""
        return tuple(Question(one.name, one.kind, "date" if one.dated else "text", one.text) for one in self._asks)

    def answer(self, answers: Mapping[str, str]) -> None:
        """Go on to where the answers are in; raises `AnswerUnusable`, `AnswerWrong`, `AttemptsSpent`, others."""
        self._begin({one.name: answer_of(one, answers.get(one.name)) for one in self._asks})
        counted = self._counted()
        with counting(self._attempts, counted, self._told, UNCOUNTED) as left:
            try:
                self._walk(self._answered_by(), left)
            except (AnswerWrong, LockedThere):
                self._sent, self._unsent = True, -1  # whichever step says so
                raise

    def _told(self) -> int:
        """Return how many requests have left that told the answers, or came after these."""
        return self._session.spoken - self._unsent if self._sent else 0

    def items(self) -> tuple[Item, ...]:
        """Go on to the downloads, waiting where the recipe waits, and return them; raises `NothingListed`, others."""
        if self._next < self._answered_by():
            raise LoginEnded(host=self._lead.host)
        steps = self._recipe.told.step
        self._walk(next(at for at, one in enumerate(steps) if one.download is not None), None)
        return tuple(
            Item(f"{at}.{number}", description=one.description or one.name)
            for at, one in enumerate(steps)
            if one.download is not None
            for number in range(self._count(one))
        )

    def download(self, item: Item, sink: Sink, tell: Tell = nobody_watches) -> Downloaded:
        """Bring one parcel; waits where the portal is busy."""
        at, _, number = item.id.partition(".")
        step = self._recipe.told.step[int(at)]
        self.step = step.name
        name = template_of(step.address).leading
        if name in self._many:
            self._values[name] = self._many[name][int(number)]
        if not any(name in self._given for name in names_of(step)):
            return self._brought(step, sink, tell)
        came, before = list[int](), self._session.spoken

        def noted(have: int, size: int | None) -> None:
            came[:] = [have]
            tell(have, size)

        def sent() -> int:
            return 0 if came else self._session.spoken - before

        with counting(self._attempts, self._counted(), sent, UNCOUNTED) as left:
            return self._brought(step, sink, noted, left)  # answers go with it; they were right once something comes

    def _brought(self, step: Step, sink: Sink, tell: Tell, left: int | None = None) -> Downloaded:
        url = self._address(step)
        carried = Download(self._session, url, sink, accept=PARCELS - {"text", "xml"}, tell=tell, pause=self._pause)
        headers, patience = self._headers(step), Patience(self._pause)
        while True:
            try:
                return carried.carry_on(headers)
            except PortalBusy as busy:
                patience.wait(busy)
            except HostNotAllowed as error:
                raise self._elsewhere(error) from None
            except PortalRefused as refused:
                kind = told_by_status((*step.fails, *self._recipe.told.fails), refused.facts.get("status"))
                if kind is None:
                    raise
                raise failure_of(kind, self._lead.host, left) from refused

    def _answered_by(self) -> int:
        """Return after which step the answers are in: before anything waits, and not before the last use of one."""
        steps, names = self._recipe.told.step, {one.name for one in self._recipe.told.ask}
        waits = next(at for at, one in enumerate(steps) if one.wait is not None or one.download is not None)
        uses = [at + 1 for at, one in enumerate(steps) if one.download is None and names & set(names_of(one))]
        return max([waits, *uses])

    def _walk(self, end: int, left: int | None) -> None:
        while self._next < end:
            step = self._recipe.told.step[self._next]
            self.step = step.name
            if not self._sent and any(name in self._given for name in names_of(step)):
                self._sent, self._unsent = True, self._session.spoken
            page = self._waited(step, left) if step.wait is not None else self._judged(step, self._asked(step), left)
            for one in step.take:
                found = self._found(page, one)
                if not found:
                    raise self._unlike(step, page, None if one.all else say("take", name=one.name), left)
                self._values[one.name] = Secret(found[0])
                if one.all:
                    self._many[one.name] = [Secret(value) for value in dict.fromkeys(found)]
            self._before = page
            self._next += 1

    def _found(self, page: Page, take: Take) -> list[str]:
        try:
            return page.taken(take)
        except TooMuchToTake as error:
            raise self._outdated(error.words) from None

    def _waited(self, step: Step, left: int | None) -> Page:
        """Return the answer that the recipe waits for; raises `PortalBusy` when it does not come in time."""
        until, ends = step.until, self._clock() + step.most_s
        while until is not None:
            page = self._asked(step)
            self._require_well(step, page, left)
            pause = step.every_s
            seconds = busy_s(page.reply.status, page.reply.headers, page.json)
            if page.looks(until):
                return page
            if seconds is None:
                self._require_status(step, page, left)
            elif "retry-after" in page.reply.headers:
                pause = max(pause, float(seconds))
            if self._clock() + pause > ends:
                raise PortalBusy(host=self._lead.host, seconds=int(max(pause, 30)), waited_s=int(step.most_s))
            self._pause(pause)
        raise self._outdated(say("nothing-waited"))

    def _judged(self, step: Step, page: Page, left: int | None) -> Page:
        """Return an answer that looks as it should; raises what it is instead."""
        self._require_fine(step, page, left)
        for where in step.frame:
            page = self._within(step, page, where, left)
            self._require_fine(step, page, left)
        differs = page.differs(step.expect) if step.expect is not None else None
        if differs is not None:
            raise self._unlike(step, page, differs, left)
        return page

    def _within(self, step: Step, page: Page, where: Mapping[str, str], left: int | None) -> Page:
        """Return the page in a frame of another, asked for as any: of the recipe's hosts, and of those that may be."""
        found = framed(page, where)
        if found is None:
            raise self._unlike(step, page, say("frame"), left)
        inner = found if isinstance(found, Page) else self._replied(Request("GET", found, {"Accept": _ACCEPT}))
        self._url = inner.reply.target.url
        return inner

    def _require_fine(self, step: Step, page: Page, left: int | None) -> None:
        self._require_well(step, page, left)
        seconds = busy_s(page.reply.status, page.reply.headers, page.json)
        if seconds is not None:
            raise PortalBusy(host=self._lead.host, seconds=seconds)
        self._require_status(step, page, left)

    def _require_well(self, step: Step, page: Page, left: int | None) -> None:
        for one in (*step.fails, *self._recipe.told.fails):
            if not one.guess and page.looks(one):
                raise failure_of(one.kind, self._lead.host, left)

    def _require_status(self, step: Step, page: Page, left: int | None) -> None:
        awaited = step.expect.status if step.expect is not None else ()
        if not awaited and not 200 <= page.reply.status < 300:
            raise self._unlike(step, page, say("status", status=page.reply.status), left)

    def _unlike(self, step: Step, page: Page, reason: Words | None, left: int | None) -> PortalTrouble:
        """Return what an answer that is not as it should be is guessed to be, else that the recipe is outdated.

        `reason`: none where it may be that there is nothing.
        """
        fails = (*step.fails, *self._recipe.told.fails)
        kind = guess_of(fails, page, self._before, typed_in(step, self._given))
        if kind is not None:
            return failure_of(kind, self._lead.host, left, guessed=True)
        return NothingListed(host=self._lead.host) if reason is None else self._outdated(reason)

    def _outdated(self, reason: Words) -> RecipeOutdated:
        where = f"{self._lead.host}: step {self.step!r} of recipe {self._recipe.id}: {reason}"
        facts = {"recipe": self._recipe.id, "step": self.step, "reason": str(reason), "words": reason}
        return RecipeOutdated(where, host=self._lead.host, **facts)

    def _asked(self, step: Step) -> Page:
        """Return the answer to a step's request."""
        body, kind = self._body(step)
        headers = {"Accept": _ACCEPT, **({"Content-Type": kind} if kind else {})}
        method = "GET" if step.post is None else "POST"
        page = self._replied(Request(method, self._address(step), headers, self._headers(step), body))
        self._url = page.reply.target.url if step.wait is None else self._url
        return page

    def _replied(self, request: Request) -> Page:
        self._requests += 1
        if self._requests > MOST_REQUESTS or self._clock() - self._since > MOST_S:
            raise self._outdated(say("endless"))
        try:
            return Page(self._session.ask(request), self._session.cookies)
        except HostNotAllowed as error:
            raise self._elsewhere(error) from None

    def _elsewhere(self, error: HostNotAllowed) -> HostNotAllowed | RecipeOutdated:
        """Return what a host is that was not asked: one of the recipe's that nobody allowed yet, or none of them."""
        host = str(error.facts.get("host", ""))
        if is_listed(host, self._recipe.told.hosts):
            return error
        return self._outdated(say("elsewhere", host=host))

    def _body(self, step: Step) -> tuple[bytes | None, str]:
        if step.post is None:
            return None, ""
        if step.body is not None:
            try:
                return json.dumps(filled(step.body, self._values), ensure_ascii=False).encode(), "application/json"
            except Unreadable as error:
                raise self._outdated(error.words) from None
        fields = {name: template_of(text).filled(self._values) for name, text in (step.form or {}).items()}
        return body_of(fields, multipart=step.multipart)

    def _headers(self, step: Step) -> dict[str, str]:
        made = {name: template_of(text).filled(self._values) for name, text in step.headers.items()}
        if any(not (one.isascii() and one.isprintable()) for one in made.values()):
            raise self._outdated(say("header"))
        return made

    def _address(self, step: Step) -> str:
        """Return the address that is asked for."""
        return self._joined(step).partition("#")[0]

    def _joined(self, step: Step) -> str:
        """Return a step's address. What a page gave as one is taken as it is, anything within is quoted."""
        template = template_of(step.address)
        values = self._values
        if template.leading:
            first = values[template.leading]
            rest = replace(template, parts=template.parts[1:]).filled(values, _quoted)
            text = (first.value if isinstance(first, Secret) else "") + rest
        else:
            text = template.filled(values, _quoted)
        try:
            return urljoin(self._url, text.strip())
        except ValueError:
            raise self._outdated(say("led")) from None

    def _count(self, step: Step) -> int:
        name = template_of(step.address).leading
        return len(self._many[name]) if name in self._many else 1

    def _counted(self) -> tuple[Secret, ...]:
        """Return what attempts are counted by: the link, or where all have the same one what was answered.

        Then by each birth date, too: else every code that somebody makes up would be the first for its own counter.
        """
        host = self._lead.host
        if self._lead.token:
            return (counted_as(host, self._lead.token),)
        text = "".join(one.value for one in self._values.values() if isinstance(one, Secret))
        days = [f"born {shown(one, '')}" for one in self._values.values() if isinstance(one, Day)]
        return tuple(counted_as(host, Secret(one)) for one in (text, *days) if one)


def _quoted(text: str) -> str:
    return quote(text, safe="")

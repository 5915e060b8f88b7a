"""DICOM Link Exchange: a link or QR code, a few questions, and a ZIP of images (DIN/TS 19455; `dlx.contract`).

A birth date goes to the host of the link, or to one that an administrator allows, and only after the address is
judged. A 401 is never tried again by itself; a login that has grown old is renewed once, by the answers that were right
before, so that a download which outlasts it goes on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote, urljoin, urlsplit

from radrelay.importer import watching
from radrelay.importer.attempts import Attempts, counted_as, counting
from radrelay.importer.connectors.dlx_answers import Asked, Login, asked_of, items_of, login_of, written_answer
from radrelay.importer.connectors.entered import token_in
from radrelay.importer.connectors.health_links import is_health_link
from radrelay.importer.connectors.ports import Item, Lead, Question
from radrelay.importer.contents import PARCELS, Content
from radrelay.importer.dlx import contract
from radrelay.importer.downloading import Download, Downloaded, Patience, Sink, Tell, busy_s
from radrelay.importer.errors import (
    AddressRefused,
    AnswerUnusable,
    AnswerWrong,
    HostNotAllowed,
    LinkExpiredThere,
    LoginEnded,
    NoLoginGiven,
    NothingListed,
    NotThere,
    PageForParcel,
    ParcelTooLarge,
    PortalBusy,
    PortalRefused,
    PortalTrouble,
    PortalUnclear,
    TooManyRedirects,
)
from radrelay.importer.outgoing import Outgoing, Reply, Request
from radrelay.importer.places import Target, next_of, target_of
from radrelay.importer.secret import Secret

Came = TypeVar("Came")
GONE = (400, 404, 410)
EARLY_S = 20.0
TEXTS: frozenset[Content] = frozenset({"text", "xml"})


def nobody_watches(have: int, size: int | None) -> None:
    """Tell nobody how far it is."""


class DlxConnector:
    """Recognises addresses that may speak DLX: nobody knows before it is asked."""

    name = "dlx"

    def __init__(
        self,
        outgoing: Outgoing,
        attempts: Attempts,
        *,
        pause: Callable[[float], None] = watching.pause,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outgoing, self._attempts, self._pause, self._clock = outgoing, attempts, pause, clock

    def recognise(self, text: str) -> Lead | None:
        """Return the lead of an address with a token: `…/token/VALUE`, `?token=VALUE`, or as its last part."""
        try:
            target = target_of(text, clear_loopback=self._outgoing.judge.loopback)
            token = "" if is_health_link(text) else token_in(text)
        except (PortalTrouble, ValueError):
            return None
        return Lead(self.name, target.name, Secret(token), Secret(text)) if token else None

    def open(self, lead: Lead) -> DlxErrand:
        """Begin an errand."""
        return DlxErrand(self._outgoing, lead, self._attempts, self._pause, self._clock)


class DlxErrand:
    """One link, followed: `ask`, `answer`, `items`, `download`."""

    def __init__(
        self,
        outgoing: Outgoing,
        lead: Lead,
        attempts: Attempts,
        pause: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._session, self._outgoing, self._lead = outgoing.session(), outgoing, lead
        self._attempts, self._pause, self._clock = attempts, pause, clock
        self._asked: Asked | None = None
        self._base = ""
        self._written: bytes | None = None
        self._login: Login | None = None
        self._came_at = 0.0

    def ask(self) -> tuple[Question, ...]:
        """Return the portal's questions; raises `PortalUnclear` if it does not speak DLX."""
        value = quote(self._lead.token.value, safe="")
        usual = target_of(self._lead.address.value, clear_loopback=self._outgoing.judge.loopback)
        ways = [self._lead.address.value.partition("#")[0], urljoin(usual.url, f"{contract.BASE}/token/{value}")]
        trouble: PortalTrouble = PortalUnclear(f"{self._lead.host} does not speak DLX", host=self._lead.host)
        for url in dict.fromkeys(ways):
            try:
                reply = self._session.ask(Request("GET", url, {contract.HEADER: "1", "Accept": contract.JSON}))
            except (HostNotAllowed, ParcelTooLarge, TooManyRedirects) as error:  # of a page that is for browsers
                trouble = error
                continue
            self._require_willing(reply)
            asked = asked_of(reply) if reply.status == contract.OK else None
            if asked is not None:
                self._asked, self._base = asked, self._base_of(reply, asked.base)
                return asked.questions
        raise trouble

    def answer(self, answers: Mapping[str, str]) -> None:
        """Answer, and log in; raises `AnswerUnusable`, `AnswerWrong`, `AttemptsSpent`, `LinkExpiredThere`."""
        asked = self._asked
        if asked is None:
            self.ask()
            return self.answer(answers)
        if any(one.id not in answers for one in asked.questions):
            raise AnswerUnusable(form="missing")
        told = [
            {"questionId": asked.ids[one.id], "answer": written_answer(one, answers[one.id])} for one in asked.questions
        ]
        self._written = json.dumps({"tfaAnswer": told}).encode()
        counted = counted_as(self._lead.host, self._lead.token)
        with counting(self._attempts, [counted], lambda: self._session.spoken) as left:
            self._log_in(left)
        return None

    def items(self) -> tuple[Item, ...]:
        """Return what is listed; raises `NothingListed`, `LoginEnded`."""
        reply = self._bearing(lambda bearer: self._told(f"{self._base}/{contract.LIST}", bearer))
        found = items_of(reply)
        if not found:
            raise NothingListed(host=self._lead.host)
        return found

    def download(self, item: Item, sink: Sink, tell: Tell = nobody_watches) -> Downloaded:
        """Bring one item; waits where the portal is busy, logs in again where it takes long."""
        accept = PARCELS if item.media_type.startswith("text/") or item.media_type.endswith("xml") else PARCELS - TEXTS
        return self._bring(f"{self._base}/{contract.DOWNLOAD}/{quote(item.id, safe='')}", accept, sink, tell)

    def _bring(self, url: str, accept: frozenset[Content], sink: Sink, tell: Tell) -> Downloaded:
        carried = Download(self._session, url, sink, accept=accept, tell=tell, pause=self._pause)
        patience = Patience(self._pause)
        while True:
            try:
                return self._bearing(carried.carry_on)
            except PortalBusy as busy:
                patience.wait(busy)
            except PortalRefused as refused:
                if refused.facts.get("status") in GONE:
                    raise NotThere(host=self._lead.host) from refused
                if refused.facts.get("status") == contract.EXPIRED:
                    raise LinkExpiredThere(host=self._lead.host) from refused
                raise

    def _bearing(self, act: Callable[[Mapping[str, str]], Came]) -> Came:
        """Act with the login; renewed before, where it has grown old, and once where it grew old meanwhile."""
        if self._login is None:
            raise LoginEnded(host=self._lead.host)
        if self._old():
            self._log_in()
        try:
            return act(self._bearer())
        except PageForParcel:  # some answer a login that has ended with a page, or with nothing
            if not self._old():
                raise
        except PortalRefused as refused:
            if refused.facts.get("status") != contract.UNAUTHORISED:
                raise
            if not self._old():
                raise LoginEnded(host=self._lead.host) from refused
        self._log_in()
        return act(self._bearer())

    def _bearer(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._login.jwt if self._login else ''}"}

    def _told(self, url: str, bearer: Mapping[str, str]) -> Reply:
        reply = self._session.ask(Request("GET", url, {"Accept": contract.JSON}, bearer))
        self._require_willing(reply)
        if reply.status == contract.EXPIRED:
            raise LinkExpiredThere(host=self._lead.host)
        if reply.status != contract.OK:
            raise _refused(reply)
        if not reply.body.strip():
            raise PageForParcel(host=reply.target.name)
        return reply

    def _log_in(self, left: int | None = None) -> None:
        """Send the answers; `left`: how many attempts are left, none when they were right before."""
        url = f"{self._base}/{contract.ANSWERS}/{quote(self._lead.token.value, safe='')}"
        headers = {"Content-Type": contract.JSON, "Accept": f"{contract.JWT}, text/plain;q=0.5, */*;q=0.1"}
        reply = self._session.ask(Request("POST", url, headers, body=self._written))
        self._require_willing(reply)
        if reply.status == contract.EXPIRED:
            raise LinkExpiredThere(host=self._lead.host)
        if reply.status == contract.UNAUTHORISED:
            raise LoginEnded(host=self._lead.host) if left is None else AnswerWrong(host=self._lead.host, left=left)
        if reply.status != contract.OK:
            raise _refused(reply)
        try:
            self._login, self._came_at = login_of(reply, time.time()), self._clock()
        except PortalUnclear as unclear:
            raise NoLoginGiven(host=self._lead.host) from unclear

    def _old(self) -> bool:
        """Tell whether the login has grown old, or soon will."""
        life = self._login.life_s if self._login else 0.0
        return self._clock() - self._came_at >= life - min(EARLY_S, life / 4)

    def _require_willing(self, reply: Reply) -> None:
        """Raise `PortalBusy` for a portal that wants to be asked later."""
        try:
            told = json.loads(reply.body) if reply.status >= 400 else None
        except (ValueError, RecursionError):
            told = None
        seconds = busy_s(reply.status, reply.headers, told)
        if seconds is not None:
            raise PortalBusy(host=self._lead.host, seconds=seconds)

    def _base_of(self, reply: Reply, told: str) -> str:
        """Return the base to go on with; raises `HostNotAllowed`, `NotEncrypted`, `AddressRefused`.

        Where none is told, or what is told is no address (`https://<server>/dlx/v1/`), it is the one that answered. A
        provider behind a proxy that ends TLS may call itself http: on the same host that is read as https.
        """
        here = reply.target
        before, found, _ = here.path.partition("/token/")
        usual = here.url.removesuffix(here.path) + (before if found else contract.BASE)
        led = _led(here, told, clear=self._outgoing.judge.loopback) if told else None
        if led is None:
            return usual
        if led.host != here.host:
            self._outgoing.place(self._outgoing.target(led.url))  # judged before anything is sent there
        return self._outgoing.target(led.url).url.partition("?")[0].rstrip("/")


def _led(here: Target, told: str, *, clear: bool) -> Target | None:
    """Return where an apiBasePath leads, none if it is no address; raises `NotEncrypted`."""
    try:
        parts = urlsplit(urljoin(here.url, told))
        clad = here.secure and parts.scheme == "http" and parts.hostname == here.host
        return next_of(here, parts.path if clad else told, clear_loopback=clear)
    except (AddressRefused, ValueError):
        return None


def _refused(reply: Reply) -> PortalRefused:
    words = f"{reply.target.name} answers HTTP {reply.status}"
    return PortalRefused(words, host=reply.target.name, status=reply.status)

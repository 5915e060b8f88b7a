"""SMART Health Links followed: manifest, passcode, sealed files, and what these lead to (HL7 SHL 1.0.0 STU1).

A manifest is asked for by POST with `recipient` and, where the link says so, a passcode; with the flag U the address is
the file. A wrong passcode (401 with `remainingAttempts`) is counted here too and never sent again by itself. Files are
JWE (`jwe`), embedded or elsewhere; FHIR documents and SMART API access lead on to WADO-RS (`fhir`), ZIPs, objects and
PDFs are taken as they are.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urljoin

from radrelay.importer import watching
from radrelay.importer.attempts import Attempts, counted_as, counting
from radrelay.importer.connectors.dlx import nobody_watches
from radrelay.importer.connectors.documents import led_to_from, read
from radrelay.importer.connectors.health_links import HealthLink, day_in, health_link, is_health_link
from radrelay.importer.connectors.jwe import Unsealing
from radrelay.importer.connectors.kept_whole import Document, Judged, NoDocument
from radrelay.importer.connectors.led_to import FILES, Named, SealedThere, by_id, carried_on, nowhere, reached
from radrelay.importer.connectors.ports import Item, Lead, Question
from radrelay.importer.connectors.wado import Pause, refusal
from radrelay.importer.contents import Content
from radrelay.importer.downloading import Download, Downloaded, Sink, Tell
from radrelay.importer.errors import (
    AnswerUnusable,
    AnswerWrong,
    LinkExpiredThere,
    NothingListed,
    NotThere,
    ParcelTooLarge,
    PortalTrouble,
    PortalUnclear,
)
from radrelay.importer.json_read import read_json, text_of
from radrelay.importer.outgoing import Outgoing, Reply, Request
from radrelay.importer.secret import Secret

PASSCODE = Question("passcode", "password", "text")
RECIPIENT = "Radrelay"
EMBEDDED_MOST = 256 << 10
MOST_FILES, MOST_PASSCODE = 200, 200
MOST_READ, MOST_MANIFEST = 64 << 20, 32 << 20
SEALED: frozenset[Content] = frozenset({"text"})
READ: frozenset[Content] = frozenset({"json"})
API_ACCESS = "application/smart-api-access"
UNREAD = ("application/zip", "application/pdf", "application/dicom", "image/")
OK, UNAUTHORISED = 200, 401


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file of a link: what it is said to be, and where it is or what it is."""

    media_type: str
    location: str = field(default="", repr=False)
    embedded: str = field(default="", repr=False)


class HealthLinkConnector:
    """Recognises `shlink:/`."""

    name = "shl"

    def __init__(
        self,
        outgoing: Outgoing,
        attempts: Attempts,
        *,
        pause: Pause = watching.pause,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._outgoing, self._attempts, self._pause, self._now = outgoing, attempts, pause, now

    def recognise(self, text: str) -> Lead | None:
        """Return the lead of a health link; raises `PortalTrouble` for one that cannot be followed."""
        if not is_health_link(text):
            return None
        link = health_link(text, clear_loopback=self._outgoing.judge.loopback)
        return Lead(self.name, link.host, link.key, Secret(text))

    def open(self, lead: Lead) -> HealthLinkErrand:
        """Begin an errand."""
        link = health_link(lead.address.value, clear_loopback=self._outgoing.judge.loopback)
        return HealthLinkErrand(self._outgoing, link, self._attempts, self._pause, self._now)


class HealthLinkErrand:
    """One link, followed."""

    def __init__(
        self, outgoing: Outgoing, link: HealthLink, attempts: Attempts, pause: Pause, now: Callable[[], datetime]
    ) -> None:
        self._session, self._link, self._attempts, self._pause, self._now = (
            outgoing.session(),
            link,
            attempts,
            pause,
            now,
        )
        self._passcode, self._wants = "", link.passcode
        self._files: tuple[SealedFile, ...] | None = None
        self._led: dict[str, Named] = {}
        self._read_bytes = 0

    def ask(self) -> tuple[Question, ...]:
        """Return the question for a passcode, where there is one; else ask for the manifest at once."""
        self._link.require_not_over(self._now())
        if self._wants:
            return (PASSCODE,)
        if self._link.direct:
            self._files = (SealedFile("", _direct(self._link.manifest.value)),)
            return ()
        reply = self._post()
        if reply.status == UNAUTHORISED:
            self._wants = True
            return (PASSCODE,)
        self._files = self.read_manifest(reply)
        return ()

    def answer(self, answers: Mapping[str, str]) -> None:
        """Send the passcode; raises `AnswerUnusable`, `AnswerWrong`, `AttemptsSpent`, `LinkExpiredThere`, others."""
        self._link.require_not_over(self._now())
        if not self._wants:
            if self._files is None and self.ask():
                raise AnswerUnusable(form="missing")
            return
        passcode = answers.get(PASSCODE.id, "").strip()
        if not passcode or len(passcode) > MOST_PASSCODE:
            raise AnswerUnusable(form="text" if passcode else "missing")
        self._passcode = (day_in(passcode) or passcode) if self._link.is_own else passcode
        counted = counted_as(self._link.host, self._link.manifest)
        with counting(self._attempts, [counted], lambda: self._session.spoken, ()) as left:
            reply = self._post()
            if reply.status == UNAUTHORISED:
                raise AnswerWrong(host=self._link.host, left=min(left, remaining_in(reply, left)))
            self._files = self.read_manifest(reply)
        self._wants = False

    def items(self) -> tuple[Item, ...]:
        """Return what the link's files are and lead to; raises `NothingListed`."""
        self._read_bytes = 0
        self._led = by_id(one for number, file in enumerate(self._files or ()) for one in self._led_to(number, file))
        if not any(one.item.reachable for one in self._led.values()):
            raise NothingListed(host=self._link.host)
        return tuple(one.item for one in self._led.values())

    def download(self, item: Item, sink: Sink, tell: Tell = nobody_watches) -> Downloaded:
        """Bring one study, or one file, unsealed while it comes."""
        led = self._led[item.id]
        if not isinstance(led, SealedThere):
            return reached(led).bring(self._session, sink, tell, self._pause)
        judged = Judged(sink, self._link.host, FILES, tell)
        try:
            resumed = self._unseal(led.number, judged)
            return judged.finish("", resumed)
        except PortalTrouble:
            judged.begin()  # what was not sealed as it should be is forgotten
            raise

    def _led_to(self, number: int, file: SealedFile) -> Sequence[Named]:
        """Return what a file is or leads to; one that leads to nothing is told as missing."""
        itself = SealedThere(Item(f"file {number + 1}", file.media_type), number)
        lost = nowhere(file.media_type)
        if not file.location and not file.embedded:
            return [lost]
        if file.media_type.startswith(UNREAD):
            return [itself]
        held = Document(self._link.host, READ)
        try:
            self._unseal(number, held)
            content = held.finish()
        except NoDocument as other:
            return [itself] if other.content in FILES else [lost]
        self._read_bytes += len(content)
        if self._read_bytes > MOST_READ:
            raise ParcelTooLarge(f"{self._link.host} sends too many documents", host=self._link.host, limit=MOST_READ)
        access = access_of(content)
        host, base, credentials = self._link.host, "", {}
        if access is not None:
            base, credentials = access.base, {"Authorization": f"Bearer {access.token}"}
            content = self._studies(access, credentials)
        led = led_to_from(self._session, content, host, base, credentials)
        return [lost] if led is None else led

    def _studies(self, access: _Access, credentials: Mapping[str, str]) -> bytes:
        """Return what a FHIR server that a link opens knows of imaging studies, on the first page."""
        query = f"?patient={quote(access.patient, safe='')}" if access.patient else ""
        try:
            return read(self._session, f"{access.base.rstrip('/')}/ImagingStudy{query}", credentials)
        except NoDocument:
            host = self._session.outgoing.target(access.base).name
            raise PortalUnclear(f"{host} does not answer as FHIR servers do", host=host) from None

    def _unseal(self, number: int, plain: Sink) -> int:
        """Bring a file into a sink, unsealed; returns how often it was resumed."""
        file = (self._files or ())[number]
        key = base64.urlsafe_b64decode(f"{self._link.key.value}=")
        most = self._session.outgoing.limits.most_bytes
        if file.embedded:
            unsealing = Unsealing(key, plain, self._link.host, most)
            unsealing.write(file.embedded.encode("ascii", "replace"))
            unsealing.finish()
            return 0
        host = self._session.outgoing.target(file.location).name
        unsealing = Unsealing(key, plain, host, most)
        try:
            came = self._fetch(file.location, host, unsealing)
        except (LinkExpiredThere, NotThere):
            location = self._anew(number)
            if not location:
                raise
            came = self._fetch(location, host, unsealing)
        unsealing.finish()
        return came.resumed

    def _fetch(self, location: str, host: str, unsealing: Unsealing) -> Downloaded:
        carried = Download(self._session, location, unsealing, accept=SEALED, pause=self._pause)
        return carried_on(carried, host, {}, self._pause)

    def _anew(self, number: int) -> str:
        """Return a file's address from the manifest asked for anew, once it has grown old (an hour at most)."""
        if self._link.direct:
            return ""
        reply = self._post()
        files = self.read_manifest(reply) if reply.status == OK else ()
        location = files[number].location if number < len(files) else ""
        if location:
            self._files = files
        return location

    def _post(self) -> Reply:
        told: dict[str, str | int] = {"recipient": RECIPIENT, "embeddedLengthMax": EMBEDDED_MOST}
        if self._passcode:
            told["passcode"] = self._passcode
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = json.dumps(told).encode()
        request = Request("POST", self._link.manifest.value, headers, body=body)
        with self._session.answering(request, answer=True) as reply:
            read_so_far = bytearray()
            for piece in reply.pieces:
                read_so_far += piece
                if len(read_so_far) > MOST_MANIFEST:
                    words = f"{reply.target.name} answers with more than {MOST_MANIFEST} bytes"
                    raise ParcelTooLarge(words, host=reply.target.name, limit=MOST_MANIFEST)
            return Reply(reply.target, reply.status, reply.headers, bytes(read_so_far))

    @staticmethod
    def read_manifest(reply: Reply) -> tuple[SealedFile, ...]:
        """Return a manifest's files; raises `NotThere`, `LinkExpiredThere`, `PortalUnclear`, others."""
        host = reply.target.name
        if reply.status != OK:
            raise refusal(reply.status, host, reply.headers)
        told = reply.json()
        listed = told.get("files") if isinstance(told, dict) else None
        if isinstance(told, dict) and told.get("status") == "no-longer-valid":
            raise LinkExpiredThere(host=host)
        readable = isinstance(listed, list) and all(isinstance(one, dict) for one in listed)
        if not isinstance(listed, list) or not readable or len(listed) > MOST_FILES:
            raise PortalUnclear(f"{host} answers with no manifest", host=host)
        return tuple(_file(one, reply.target.url) for one in listed)


@dataclass(frozen=True, slots=True)
class _Access:
    """A FHIR server, the patient there, and what opens it."""

    base: str = field(repr=False)
    token: str = field(repr=False)
    patient: str = field(repr=False)


def _file(told: Mapping[str, Any], base: str) -> SealedFile:
    kind, location, embedded = (told.get(name) for name in ("contentType", "location", "embedded"))
    media_type = text_of(kind).partition(";")[0].strip().lower()[:100]
    try:
        led = urljoin(base, location) if isinstance(location, str) and location else ""
    except ValueError:
        led = ""
    return SealedFile(media_type, led, embedded if isinstance(embedded, str) else "")


def _direct(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}recipient={quote(RECIPIENT)}"


def remaining_in(reply: Reply, left: int) -> int:
    """Return how many attempts are left, as far as an answer says."""
    try:
        told = read_json(reply.body)
    except ValueError:
        return left
    found = told.get("remainingAttempts") if isinstance(told, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else left


def access_of(content: bytes) -> _Access | None:
    """Return what a SMART API access file opens, none if it is none: a token response with `aud`."""
    try:
        told = read_json(content)
    except ValueError:
        return None
    if not isinstance(told, dict) or "resourceType" in told:
        return None
    base, token = told.get("aud"), told.get("access_token")
    if not isinstance(base, str) or not isinstance(token, str) or not token.isascii() or not token.isprintable():
        return None
    patient = told.get("patient")
    return _Access(base, token, patient if isinstance(patient, str) else "")

"""Studies fetched by WADO-RS and looked for by QIDO-RS, through the guarded way out (PS3.18 10.4, 10.6).

In: where a study is, and what opens it there. Out: one ZIP of its objects as they were stored (transfer syntax `*`). A
body passes part by part, each told by its bytes. Where it breaks off, or only a part is sent (206), what is missing is
asked for object by object, or as a whole again where the service lists nothing; what has come is not taken twice. A
service that gives no whole studies is asked for objects, one that knows no `*` for what it gives by itself, and one
that lists no more than some at once for shorter pages.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.multipart import BadMultipart, PartEnded, PartStarted, read_parts
from radrelay.dicom.part10 import parse_preamble
from radrelay.errors import TooLarge
from radrelay.importer import watching
from radrelay.importer.connectors.addresses import uid_of
from radrelay.importer.connectors.object_zip import ObjectZip
from radrelay.importer.contents import HEAD, content_of
from radrelay.importer.downloading import BROKEN, Downloaded, Patience, Resuming, Sink, Tell, busy_s
from radrelay.importer.errors import (
    LinkExpiredThere,
    NothingListed,
    NotThere,
    PageForParcel,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalBusy,
    PortalRefused,
    PortalTrouble,
    PortalUnclear,
    WrongContent,
)
from radrelay.importer.json_read import read_json
from radrelay.importer.outgoing import Answering, Reply, Request, Session

OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
PLAIN_OBJECTS = 'multipart/related; type="application/dicom"'
DICOM_JSON = "application/dicom+json, application/json;q=0.9"
OK, NOTHING, PART, SHUT, GONE = 200, 204, 206, (401, 403), (404, 410)
NO_SUCH_FORM, NO_WHOLES, NO_SUCH_PAGE = (406, 415), (400, 405, 413, 422, 501), (400, 413, 422)
PAGE, SHORT_PAGE, MOST_OBJECTS = 500, 100, 100_000
IDENTIFIED = 64 << 10
STUDY_UID, SERIES_UID, SOP_UID = "0020000D", "0020000E", "00080018"

Match = Mapping[str, Any]
Pause = Callable[[float], None]
Identity = tuple[str, str]
"""Study and SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class StudyAt:
    """Where a study is: the service's root, the study, of it only some series if any are named, and what opens it."""

    base: str = field(repr=False)
    study_uid: str = field(repr=False)
    series_uids: tuple[str, ...] = field(default=(), repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def urls(self) -> tuple[str, ...]:
        """Return what is asked for: the study, or its named series."""
        study = f"{self.base}/studies/{self.study_uid}"
        return tuple(f"{study}/series/{one}" for one in self.series_uids) or (study,)


def matches_of(reply: Reply) -> list[Match]:
    """Return what QIDO-RS lists; raises `PortalUnclear` for what is no list of it (PS3.18 F.2)."""
    if reply.status == NOTHING:
        return []
    host = reply.target.name
    try:
        told = read_json(reply.body or b"[]")
    except ValueError:
        told = None
    if reply.status not in (OK, PART) or not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise PortalUnclear(f"{host} does not answer as DICOMweb does", host=host)
    return told


def values_of(match: Match, tag: str) -> list[str]:
    """Return the texts of an attribute; of a name its alphabetic form."""
    element = match.get(tag)
    listed = element.get("Value") if isinstance(element, dict) else None
    values = listed if isinstance(listed, list) else ()
    found = [one.get("Alphabetic") if isinstance(one, dict) else one for one in values if one is not None]
    return [str(one)[:500] for one in found if isinstance(one, str | int | float) and not isinstance(one, bool)]


def value_of(match: Match, tag: str) -> str:
    """Return the first text of an attribute, nothing if there is none."""
    return next(iter(values_of(match, tag)), "")


def search(session: Session, url: str, query: Mapping[str, str | int], credentials: Mapping[str, str]) -> Reply:
    """Ask a QIDO-RS service; raises `PortalBusy`. Other statuses are the caller's to judge.

    One that refuses a page of `PAGE` may give one of `SHORT_PAGE`.
    """
    reply = session.ask(Request("GET", f"{url}?{urlencode(query)}", {"Accept": DICOM_JSON}, credentials))
    if reply.status in NO_SUCH_PAGE and query.get("limit") == PAGE:
        return search(session, url, {**query, "limit": SHORT_PAGE}, credentials)
    seconds = busy_s(reply.status, reply.headers, None)
    if seconds is not None:
        raise PortalBusy(host=reply.target.name, seconds=seconds)
    return reply


def refusal(status: int, host: str, headers: Mapping[str, str]) -> PortalTrouble:
    """Return what a status says that is no success."""
    seconds = busy_s(status, headers, None)
    if seconds is not None:
        return PortalBusy(host=host, seconds=seconds)
    if status in SHUT:
        words = f"{host} does not open what the link leads to; it may have expired or been withdrawn"
        return LinkExpiredThere(words, host=host, status=status)
    if status in GONE:
        return NotThere(host=host)
    return PortalRefused(f"{host} answers HTTP {status}", host=host, status=status)


class StudyFetch:
    """One study on its way, wherever its series are."""

    def __init__(
        self,
        session: Session,
        places: Sequence[StudyAt],
        sink: Sink,
        tell: Tell,
        *,
        promised: int | None = None,
        pause: Pause = watching.pause,
    ) -> None:
        self._session, self._places, self._tell = session, places, tell
        self._host = session.outgoing.target(places[0].base).name
        self._zip = ObjectZip(sink, self._host, session.outgoing.limits.most_bytes)
        self._promised, self._unnamed, self._accept = promised, 0, OBJECTS
        self._have, self._now = dict[Identity, bytes](), set[Identity]()
        self._resuming, self._patience = Resuming(session.outgoing.limits, pause), Patience(pause)

    def bring(self) -> Downloaded:
        """Bring it; raises `PortalTrouble`."""
        with self._zip:
            for place in self._places:
                self._insist(place, place.urls)
            if self._promised is not None and len(self._have) + self._unnamed < self._promised:
                self._complete()
            if not self._zip.count:
                raise NothingListed(host=self._host)
            self._zip.finish()
        self._tell(self._zip.size, self._zip.size)
        return Downloaded(self._zip.size, self._zip.sha256, "zip", "", True, self._resuming.count)

    def _complete(self) -> None:
        """Ask for what the service lists and did not send; what it does not have after all is found missing later."""
        for place in self._places:
            for url in self._missing(place) or ():
                with suppress(NotThere):
                    self._insist(place, [url])

    def _insist(self, place: StudyAt, urls: Sequence[str]) -> None:
        """Take what stands at addresses; begin again with what is missing where it breaks off."""
        left = list(urls)
        self._resuming.begin()
        while left:
            before = self._zip.count
            try:
                self._take(left[0], place.credentials)
                left.pop(0)
            except PortalBusy as busy:
                self._patience.wait(busy)
            except NotThere:
                if self._promised is None or left[0] in place.urls:
                    raise
                left.pop(0)  # that it lacks is told by the number that was promised
            except PortalRefused as refused:
                found = self._missing(place) if left[0] in place.urls and refused.facts["status"] in NO_WHOLES else None
                if not found:
                    raise
                left = found
            except BROKEN as trouble:
                if not self._resuming.again(further=self._zip.count > before, trouble=trouble):
                    raise
                found = self._missing(place)
                left = left if found is None else found

    def _missing(self, place: StudyAt) -> list[str] | None:
        """Return the addresses of objects that have not come; None where the service lists none of them at all."""
        found: dict[str, str] = {}
        study = f"{place.base}/studies/{place.study_uid}"
        try:
            while len(found) < MOST_OBJECTS:
                query: dict[str, str | int] = {"limit": PAGE, "offset": len(found), "includefield": SERIES_UID}
                page = matches_of(search(self._session, f"{study}/instances", query, place.credentials))
                before = len(found)
                for match in page:
                    sop, series = uid_of(value_of(match, SOP_UID)), uid_of(value_of(match, SERIES_UID))
                    if sop and series:
                        found.setdefault(sop, series)
                if len(found) == before:
                    break
        except PortalTrouble:
            return None
        wanted = {sop: series for sop, series in found.items() if series in (place.series_uids or (series,))}
        if not wanted:
            return None
        have = {sop for _, sop in self._have}
        return [f"{study}/series/{one}/instances/{sop}" for sop, one in wanted.items() if sop not in have]

    def _take(self, url: str, credentials: Mapping[str, str]) -> None:
        self._now = set()
        with self._session.answering(Request("GET", url, {"Accept": self._accept}, credentials)) as reply:
            if reply.status == NOTHING:
                return
            if reply.status in (OK, PART):
                self._parts_of(reply)
                return
            if reply.status not in NO_SUCH_FORM or self._accept != OBJECTS:
                raise refusal(reply.status, reply.target.name, reply.headers)
        self._accept = PLAIN_OBJECTS
        self._take(url, credentials)

    def _parts_of(self, reply: Answering) -> None:
        """Take the objects of an answer; raises `PortalBrokeOff` where it is not all of them."""
        host, boundary = reply.target.name, _boundary(reply)
        try:
            if boundary:
                for part in _parts(read_parts(reply.pieces, boundary)):
                    self._object(host, part)
            else:
                self._object(host, reply.pieces)
        except BadMultipart:
            raise PortalBrokeOff(f"{host} broke off before all had come", host=host) from None
        except TooLarge as error:
            if isinstance(error, PortalTrouble):
                raise
            raise ParcelTooLarge(f"{host} sends too many parts", host=host) from None
        if reply.status == PART:
            raise PortalBrokeOff(f"{host} sends only a part of what it was asked for", host=host)

    def _object(self, host: str, pieces: Iterator[bytes]) -> None:
        """Take one object, judged by its first bytes, unless it is here; one that does not say which it is always.

        What came with an earlier answer comes again with a later one. Two of one number in one answer both stay unless
        they are the same.
        """
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= IDENTIFIED:
                break
        identity = _told(host, head)
        if identity in self._have and identity not in self._now:
            for _ in pieces:
                pass
            return
        with suppress(_SameAgain):
            self._keep(identity, chain((head,), pieces))
        self._tell(self._zip.size, None)

    def _keep(self, identity: Identity | None, pieces: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        with self._zip.member() as write:
            for piece in pieces:
                write(piece)
                digest.update(piece)
            if identity is not None and self._have.get(identity) == digest.digest():
                raise _SameAgain
        if identity is None:
            self._unnamed += 1
        else:
            self._have.setdefault(identity, digest.digest())
            self._now.add(identity)


class _SameAgain(Exception):
    """An object came twice in one answer, and is kept once."""


def _told(host: str, head: bytes) -> Identity | None:
    """Return study and SOP Instance UID of an object, none if it does not say; raises `PageForParcel`, `WrongContent`.

    They are the data set's own: meta information is of whoever wrote the file, and may name another object.
    """
    content = content_of(head[:HEAD])
    if content == "page" or not head.strip():
        raise PageForParcel(host=host)
    words = f"{host} sent content of a kind that is not taken in ({content})"
    if content != "dicom":
        raise WrongContent(words, host=host, kind=content)
    try:
        found = parse_preamble(head)
    except Malformed:
        raise WrongContent(words, host=host, kind=content) from None
    for most in (HEAD, len(head)):  # mostly it is said at once
        with suppress(Malformed):
            header = parse(head[found.dataset_offset : most], found.transfer_syntax_uid)
            identity = header.text(int(STUDY_UID, 16)), header.text(int(SOP_UID, 16))
            if all(identity):
                return identity
    return None


def _parts(events: Iterator[object]) -> Iterator[Iterator[bytes]]:
    """Yield each part's content, which is read to its end before the next is asked for."""
    for event in events:
        if isinstance(event, PartStarted):
            yield _content(events)


def _content(events: Iterator[object]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, PartEnded):
            return
        if isinstance(event, bytes):
            yield event


def _boundary(reply: Answering) -> str:
    """Return what parts a body, nothing if it is in one piece (RFC 2387)."""
    message = Message()
    message["Content-Type"] = re.sub(r"[\r\n]", " ", reply.headers.get("content-type", ""))[:1000]
    boundary = message.get_param("boundary")
    related = message.get_content_maintype() == "multipart"
    return boundary if related and isinstance(boundary, str) and boundary.isascii() else ""

"""Downloads that go on where they broke off (RFC 9110 14.2, 13.1.5), judged by their bytes before any is kept.

A download that broke off is asked for from its last byte on, on the condition that it is still the same (If-Range with
a strong ETag or a date); a portal that names neither, or knows no ranges, is asked for all of it anew. What comes is
held back until its first bytes say that it is of a kind that is expected.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Protocol

from radrelay.importer.contents import HEAD, PARCELS, Content, content_of
from radrelay.importer.errors import (
    PageForParcel,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalBusy,
    PortalRefused,
    PortalStalled,
    PortalUnreachable,
    WrongContent,
)
from radrelay.importer.outgoing import Answering, Request, Session

OK, PARTIAL, NOT_SATISFIABLE, BUSY = 200, 206, 416, (429, 503)
MOST_ATTEMPTS_WITHOUT_A_BYTE = 3
MOST_RESUMED = 100
MOST_SAID = 64 << 10
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

Tell = Callable[[int, int | None], None]


class Sink(Protocol):
    """Takes what comes, one download."""

    def begin(self) -> None:
        """Forget what came before: it begins anew."""
        ...

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        ...


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What came whole. `length_known`: the portal had said how much it would be; `name` is the portal's word."""

    size: int
    sha256: str
    content: Content
    name: str
    length_known: bool
    resumed: int


@dataclass(slots=True)
class _State:
    """How far it is."""

    have: int = 0
    size: int | None = None
    validator: str = field(default="", repr=False)
    head: bytes = field(default=b"", repr=False)
    content: Content | None = None
    name: str = field(default="", repr=False)
    length_known: bool = False
    digest: hashlib._Hash = field(default_factory=hashlib.sha256, repr=False)


class Download:
    """One download, which may be carried on after a login or a wait: call `carry_on` again."""

    def __init__(
        self,
        session: Session,
        url: str,
        sink: Sink,
        *,
        accept: frozenset[Content] = PARCELS,
        headers: Mapping[str, str] | None = None,
        tell: Tell = lambda have, size: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session, self._url, self._sink = session, url, sink
        self._accept, self._headers, self._tell, self._pause = accept, dict(headers or {}), tell, pause
        self._state, self._resumed, self._begun = _State(), 0, False
        self._since = time.monotonic()

    def carry_on(self, credentials: Mapping[str, str]) -> Downloaded:
        """Bring it to its end; raises `PortalBusy` (`seconds`), `PortalRefused` (`status`), other `PortalTrouble`."""
        vain = 0
        while True:
            before = self._state.have
            try:
                return self._attempt(credentials)
            except (PortalBrokeOff, PortalStalled, PortalUnreachable):
                vain = 0 if self._state.have > before else vain + 1
                late = time.monotonic() - self._since > self._session.outgoing.limits.whole_s
                if vain >= MOST_ATTEMPTS_WITHOUT_A_BYTE or self._resumed >= MOST_RESUMED or late:
                    raise
                self._resumed += 1
                self._pause(min(30.0, 2.0**vain))

    def _attempt(self, credentials: Mapping[str, str]) -> Downloaded:
        state = self._state
        headers = {"Accept": "*/*", **self._headers}
        if state.have and state.validator:
            headers |= {"Range": f"bytes={state.have}-", "If-Range": state.validator}
        with self._session.answering(Request("GET", self._url, headers, credentials)) as reply:
            if reply.status == NOT_SATISFIABLE and state.have:
                self._anew()
                raise PortalBrokeOff(f"{reply.target.name} does not go on where it broke off", host=reply.target.name)
            if reply.status not in (OK, PARTIAL):
                raise _refusal(reply)
            if reply.status == PARTIAL and self._goes_on(reply):
                for piece in reply.pieces:
                    self._take(reply, piece)
                return self._whole(reply)
            return self._from_the_start(reply)

    def _from_the_start(self, reply: Answering) -> Downloaded:
        """Take an answer as a whole; what came before is forgotten only when this is of a kind that is expected."""
        before = self._state, self._begun
        self._state, self._begun = _State(), False
        try:
            self._take_head(reply)
            for piece in reply.pieces:
                self._take(reply, piece)
            return self._whole(reply)
        except (PageForParcel, WrongContent):  # of a login that has ended, mostly
            self._state, self._begun = before
            raise

    def _goes_on(self, reply: Answering) -> bool:
        """Tell that an answer goes on where it broke off; raises `PortalBrokeOff` for another part: it begins anew."""
        found = _RANGE.match(reply.headers.get("content-range", ""))
        size = None if found is None or found[2] == "*" else int(found[2])
        known = self._state.size
        wrong = found is None or int(found[1]) != self._state.have or (known is not None and size not in (None, known))
        if wrong or reply.packed:
            self._anew()
            raise PortalBrokeOff(f"{reply.target.name} sends another part than was asked for", host=reply.target.name)
        self._state.size = known or size
        return True

    def _anew(self) -> None:
        if self._begun:
            self._sink.begin()
        self._begun, self._state = False, _State()

    def _take_head(self, reply: Answering) -> None:
        state, headers = self._state, reply.headers
        if not reply.packed:
            state.size = reply.length
            tag, ranges = headers.get("etag", ""), headers.get("accept-ranges", "bytes").lower()
            usable = tag if tag.startswith('"') else headers.get("last-modified", "") if not tag else ""
            state.validator = usable if ranges != "none" else ""
        state.length_known = reply.length is not None or headers.get("transfer-encoding", "").lower() == "chunked"
        state.name = _name(headers.get("content-disposition", ""))
        self._require_size(reply, state.size or 0)

    def _take(self, reply: Answering, piece: bytes) -> None:
        state = self._state
        self._require_size(reply, state.have + len(piece))
        if state.content is None:
            state.head += piece
            if len(state.head) < HEAD:
                return
            self._judge(reply)
            return
        self._keep(piece)

    def _judge(self, reply: Answering) -> None:
        """Judge the first bytes, and keep them if they are of a kind that is expected."""
        host, content = reply.target.name, content_of(self._state.head)
        nothing = not self._state.head.strip()
        if nothing or (content == "page" and "page" not in self._accept):
            raise PageForParcel(host=host)
        if content not in self._accept:
            raise WrongContent(
                f"{host} sent content of a kind that is not taken in ({content})", host=host, kind=content
            )
        self._state.content = content
        head, self._state.head = self._state.head, b""
        self._keep(head)

    def _keep(self, piece: bytes) -> None:
        state = self._state
        if not self._begun:
            self._sink.begin()
            self._begun = True
        self._sink.write(piece)
        state.digest.update(piece)
        state.have += len(piece)
        self._tell(state.have, state.size)

    def _whole(self, reply: Answering) -> Downloaded:
        state = self._state
        if state.content is None:
            self._judge(reply)
        if state.content is None or (state.size is not None and state.have != state.size):
            raise PortalBrokeOff(f"{reply.target.name} broke off before all had come", host=reply.target.name)
        digest = state.digest.hexdigest()
        return Downloaded(state.have, digest, state.content, state.name, state.length_known, self._resumed)

    def _require_size(self, reply: Answering, size: int) -> None:
        most = self._session.outgoing.limits.most_bytes
        if size > most:
            words = f"{reply.target.name} sends more than the limit of {most} bytes"
            raise ParcelTooLarge(words, host=reply.target.name, limit=most)


def busy_s(status: int, headers: Mapping[str, str], told: object) -> int | None:
    """Return after how many seconds a busy portal wants to be asked again, none if it is not busy."""
    if status not in BUSY:
        return None
    seconds = told.get("timeOutInSeconds") if isinstance(told, dict) else None
    if seconds is None and headers.get("retry-after", "").strip().isdigit():
        seconds = int(headers["retry-after"])
    usable = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds >= 0
    return int(min(seconds, 86_400)) if usable else 30  # type: ignore[arg-type,type-var]  # it is a number


def _refusal(reply: Answering) -> PortalBusy | PortalRefused:
    """Return what an answer says that is no download."""
    said = b""
    for piece in reply.pieces:
        said += piece
        if len(said) > MOST_SAID:
            break
    seconds = busy_s(reply.status, reply.headers, _object(said))
    if seconds is not None:
        return PortalBusy(host=reply.target.name, seconds=seconds)
    words = f"{reply.target.name} answers HTTP {reply.status}"
    return PortalRefused(words, host=reply.target.name, status=reply.status)


def _object(said: bytes) -> object:
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        return None


def _name(disposition: str) -> str:
    """Return the file name that a portal gives (RFC 6266), without a path."""
    message = Message()
    message["Content-Disposition"] = " ".join(disposition.split())[:1000]
    found = message.get_filename("") or ""
    return found.replace("\\", "/").rpartition("/")[2][:200]

"""Downloads that go on where they broke off (RFC 9110 14.2, 13.1.5), judged by their bytes before any is kept.

A download that broke off is asked for from its last byte on, on the condition that it is still the same (If-Range with
a strong ETag or a date); a portal that names neither, or knows no ranges, is asked for all of it anew. What comes is
held back until its first bytes say that it is of a kind that is expected. Where a portal says no length, it is whole
only if it ends as its form does; of a form that some programs write without an end, if it comes twice alike.
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

from radrelay.importer import watching
from radrelay.importer.contents import HEAD, PARCELS, Content, content_of
from radrelay.importer.errors import (
    PageForParcel,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalBusy,
    PortalRefused,
    PortalStalled,
    PortalTrouble,
    PortalUnreachable,
    WrongContent,
)
from radrelay.importer.form_ends import TAIL, UNMARKED, ends_well
from radrelay.importer.line import Limits
from radrelay.importer.outgoing import Answering, Request, Session

OK, PARTIAL, NOT_SATISFIABLE, BUSY = 200, 206, 416, (429, 503)
MOST_IN_VAIN, MOST_RESUMED, MOST_STALLED = 3, 100, 3
MOST_SAID = 64 << 10
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_NO_MORE = re.compile(r"bytes \*/(\d+)")

Tell = Callable[[int, int | None], None]
BROKEN = (PortalBrokeOff, PortalStalled, PortalUnreachable)


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
class Resuming:
    """What broke off is begun again: how often it was, and whether it may once more; for one download.

    A portal that falls silent is resumed a few times, however little came in between: it counts as one silence, no
    longer than a window of the limits in all, unless it went well for as long as that between two. One that did not
    even begin to answer had all the time that packing may take: it is not asked again.
    """

    limits: Limits
    pause: Callable[[float], None]
    count: int = 0
    _vain: int = 0
    _stalled: int = 0
    _stalled_at: float = 0.0
    _silent_s: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Forget how often in a row nothing came."""
        self._vain = 0

    def again(self, *, further: bool, trouble: PortalTrouble) -> bool:
        """Wait for the next attempt; False when it is to be given up. `further`: something came since the last."""
        self._vain = 0 if further else self._vain + 1
        now = time.monotonic()
        if isinstance(trouble, PortalStalled) and not trouble.begun:
            return False
        if isinstance(trouble, PortalStalled):
            well = now - self._stalled_at > self.limits.window_s + self.limits.idle_s
            self._stalled, self._stalled_at = 1 if well else self._stalled + 1, now
            self._silent_s = trouble.silent_s + (0.0 if well else self._silent_s)
        silent = self._stalled > MOST_STALLED or self._silent_s >= self.limits.window_s
        spent = silent or self._vain >= MOST_IN_VAIN or self.count >= MOST_RESUMED
        if spent or now - self._since > self.limits.whole_s:
            return False
        self.count += 1
        self.pause(min(30.0, 2.0**self._vain))
        return True


@dataclass(slots=True)
class Patience:
    """Waits while a portal that packs asks to come back later: so long in all, then a person says whether again."""

    pause: Callable[[float], None]
    most_s: float = 1800.0
    waited_s: float = 0.0

    def wait(self, busy: PortalBusy) -> None:
        """Wait as long as the portal asks for; raises `PortalBusy` with how long that was when it takes too long."""
        seconds = max(1.0, float(str(busy.facts.get("seconds", 1))))
        if self.waited_s + seconds > self.most_s:
            raise PortalBusy(busy.message, **{**busy.facts, "waited_s": int(self.waited_s)}) from busy
        self.waited_s += seconds
        self.pause(seconds)


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
    tail: bytes = field(default=b"", repr=False)
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
        pause: Callable[[float], None] = watching.pause,
    ) -> None:
        self._session, self._url, self._sink = session, url, sink
        self._accept, self._headers, self._tell = accept, dict(headers or {}), tell
        self._state, self._begun = _State(), False
        self._unmarked = ""
        self._resuming = Resuming(session.outgoing.limits, pause)

    def carry_on(self, credentials: Mapping[str, str]) -> Downloaded:
        """Bring it to its end; raises `PortalBusy` (`seconds`), `PortalRefused` (`status`), other `PortalTrouble`."""
        self._resuming.begin()
        while True:
            before = self._state.have
            try:
                return self._attempt(credentials)
            except BROKEN as trouble:
                if not self._resuming.again(further=self._state.have > before, trouble=trouble):
                    raise

    def _attempt(self, credentials: Mapping[str, str]) -> Downloaded:
        state = self._state
        headers = {"Accept": "*/*", **self._headers}
        if state.have and state.validator:
            headers |= {"Range": f"bytes={state.have}-", "If-Range": state.validator}
        with self._session.answering(Request("GET", self._url, headers, credentials)) as reply:
            if reply.status == NOT_SATISFIABLE and state.have:
                if self._is_all(reply):
                    return self._whole(reply)
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

    def _is_all(self, reply: Answering) -> bool:
        """Tell whether what came is all there is: of the same file nothing more is to be had (RFC 9110 15.5.17)."""
        found = _NO_MORE.fullmatch(reply.headers.get("content-range", "").strip())
        if found is None or int(found[1]) != self._state.have or self._state.size not in (None, self._state.have):
            return False
        self._state.size = self._state.have
        return True

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
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        state.length_known = reply.length is not None or chunked or reply.packed  # which has an end of its own
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
        if not state.length_known:
            state.tail = (state.tail + piece)[-TAIL:]
        state.have += len(piece)
        self._tell(state.have, state.size)

    def _whole(self, reply: Answering) -> Downloaded:
        state = self._state
        if state.content is None:
            self._judge(reply)
        if state.content is None or (state.size is not None and state.have != state.size):
            raise PortalBrokeOff(f"{reply.target.name} broke off before all had come", host=reply.target.name)
        if not state.length_known and state.size is None and not ends_well(state.content, state.tail, state.have):
            before, self._unmarked = self._unmarked, state.digest.hexdigest()
            if state.content not in UNMARKED or before != self._unmarked:
                words = f"{reply.target.name} gives no length, and what came ends before its end"
                raise PortalBrokeOff(words, host=reply.target.name)
        digest = state.digest.hexdigest()
        return Downloaded(state.have, digest, state.content, state.name, state.length_known, self._resuming.count)

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
    said = headers.get("retry-after", "").strip()
    if seconds is None and said.isascii() and said.isdecimal() and len(said) <= 10:
        seconds = int(said)
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

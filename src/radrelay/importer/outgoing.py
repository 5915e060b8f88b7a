"""The only way out to other institutions' portals, which everything here goes through.

In: an address, and what may be sent to its host alone (credentials, cookies, a body). Out: an answer. Before each
connection, redirects included, the address is read, its host must be allowed, its name is resolved once and all its
addresses are judged; the connection goes to a judged one. Errors and logs name the host and nothing else of an address.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any

from radrelay import IMPLEMENTATION_VERSION_NAME
from radrelay.importer.cookies import Cookies
from radrelay.importer.errors import (
    HostNotAllowed,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalUnclear,
    PortalUnreachable,
    PortalUntrusted,
    TooManyRedirects,
)
from radrelay.importer.json_read import read_json
from radrelay.importer.judging import Judge
from radrelay.importer.line import Limits, Line, Pace, Place, Proxy, connect, speak
from radrelay.importer.places import Target, next_of, target_of

PIECE = 256 << 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SAME_METHOD = frozenset({307, 308})
JSON = "application/json"

Allows = Callable[[str], bool]
"""Tells whether a host (`portal.example`, `portal.example:8443`) is listed or was confirmed by an administrator."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `credentials` and `body` go to the first address' own origin and to no other."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was read whole."""

    target: Target
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return what was answered in JSON; raises `PortalUnclear`."""
        try:
            return read_json(self.body)
        except ValueError:
            raise PortalUnclear(f"{self.target.name} does not answer in JSON", host=self.target.name) from None


@dataclass(frozen=True, slots=True)
class Answering:
    """An answer whose head is here and whose body comes; `headers` by small names."""

    target: Target
    status: int
    headers: Mapping[str, str] = field(repr=False)
    pieces: Iterator[bytes] = field(repr=False)
    length: int | None

    @property
    def packed(self) -> bool:
        """Tell whether the body was packed on its way."""
        return self.headers.get("content-encoding", "identity").lower() not in ("", "identity")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How this site goes out. Thread-safe; `session` is for one person's one errand."""

    allows: Allows
    judge: Judge
    context: Callable[[], ssl.SSLContext]
    limits: Limits = field(default_factory=Limits)
    proxy: Proxy | None = None

    def session(self) -> Session:
        """Begin an errand, with cookies of its own."""
        return Session(self)

    def target(self, url: str) -> Target:
        """Return what an address leads to, if it may be asked; raises `AddressRefused`, `HostNotAllowed`.

        What is inside is nothing that an administrator could confirm, and is refused before that is asked.
        """
        target = target_of(url, clear_loopback=self.judge.loopback)
        if not self.allows(target.name):
            self.judge.require_outside(target.host)
            raise HostNotAllowed(
                f"{target.name} is not allowed yet; an administrator confirms it once", host=target.name
            )
        return target

    def place(self, target: Target) -> Place:
        """Return where to connect to, resolved and judged now; raises `AddressRefused`, `PortalUnreachable`."""
        named = self.proxy is not None and self.proxy.resolves and ":" not in target.host and not _numeric(target.host)
        found = () if named else tuple(self.judge.addresses(target.host, target.port))
        return Place(target.host, target.port, target.secure, found)


class Session:
    """Asks portals, one request after the other."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.outgoing = outgoing
        self.spoken = 0
        """How many requests have left this machine, as far as anybody can tell; redirects count."""
        self._cookies = Cookies()

    @property
    def cookies(self) -> Cookies:
        """Return the cookies of this errand."""
        return self._cookies

    def ask(self, request: Request) -> Reply:
        """Return the answer, read whole; raises `PortalTrouble`. Its status is the caller's to judge."""
        most = self.outgoing.limits.most_answer_bytes
        with self.answering(request, answer=True) as reply:
            body = b""
            for piece in reply.pieces:
                body += piece
                if len(body) > most:
                    raise ParcelTooLarge(f"{reply.target.name} answers with more than {most} bytes", limit=most)
            return Reply(reply.target, reply.status, reply.headers, body)

    @contextmanager
    def answering(self, request: Request, *, answer: bool = False) -> Iterator[Answering]:
        """Give an answer as it comes, redirects followed; `answer`: a small one, that is soon over."""
        target, first = self.outgoing.target(request.url), True
        origin, method, body = target.origin, request.method, request.body
        for _ in range(self.outgoing.limits.most_redirects + 1):
            own = first and target.origin == origin
            first = own
            headers = {**request.headers, **(request.credentials if own else {}), **self._cookies.header(target)}
            with self._exchange(target, method, headers, body, answer=answer) as reply:
                if reply.status not in REDIRECTS or "location" not in reply.headers:
                    yield reply
                    return
            led = next_of(target, reply.headers["location"], clear_loopback=self.outgoing.judge.loopback)
            if reply.status not in SAME_METHOD and method != "HEAD":
                method, body = "GET", None
            if body is not None and led.origin != origin:
                words = f"{target.name} sends answers on to {led.name}; they were kept back"
                raise HostNotAllowed(words, host=led.name, led_by=target.name)
            target = self._sent_on(target, led)
        raise TooManyRedirects(host=target.name)

    def _sent_on(self, target: Target, led: Target) -> Target:
        """Return where a redirect leads, if it may be asked; raises `HostNotAllowed`, with who leads there."""
        try:
            return self.outgoing.target(led.url)
        except HostNotAllowed as error:
            raise HostNotAllowed(error.message, **error.facts, led_by=target.name) from None

    def _connected(self, target: Target, pace: Pace) -> Line:
        """Return a line to a portal; a failure names it as it is allowed and counted: with its port, if it has one."""
        outgoing = self.outgoing
        try:
            return connect(outgoing.place(target), outgoing.context, outgoing.limits, pace, outgoing.proxy)
        except (PortalUnreachable, PortalUntrusted) as error:
            raise type(error)(error.message, **{**error.facts, "host": target.name}) from error

    @contextmanager
    def _exchange(
        self, target: Target, method: str, headers: Mapping[str, str], body: bytes | None, *, answer: bool
    ) -> Iterator[Answering]:
        limits = self.outgoing.limits
        pace = Pace(limits, target.name, answer=answer)
        line = self._connected(target, pace)
        sent = {
            "Host": target.name, "User-Agent": IMPLEMENTATION_VERSION_NAME, "Accept-Encoding": "identity",
            "Connection": "close", **headers,
        }  # fmt: skip
        try:
            self.spoken += 1
            with _breaking(target):
                reply = speak(line, target.host, method, target.path, sent, body)
                pace.head_is_here()
                self._cookies.take(target, reply.headers.get_all("Set-Cookie", []))
            yield _answering(target, method, reply, limits.most_bytes)
        finally:
            line.hang_up()


def _answering(target: Target, method: str, reply: HTTPResponse, most: int) -> Answering:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    length = None if reply.chunked else reply.length
    raw = iter(()) if method == "HEAD" else _pieces(target, reply)
    coding = headers.get("content-encoding", "identity").lower()
    pieces = raw if coding in ("", "identity") else _unpacked(target, raw, coding, most)
    return Answering(target, reply.status, headers, pieces, length)


def _pieces(target: Target, reply: HTTPResponse) -> Iterator[bytes]:
    """Yield a body as it comes; raises `PortalBrokeOff` when it ends too soon."""
    left = None if reply.chunked else reply.length
    while left is None or left > 0:
        with _breaking(target):
            piece = reply.read1(PIECE)
        if not piece:
            break
        left = None if left is None else left - len(piece)
        yield piece
    if left:
        raise PortalBrokeOff(f"{target.name} broke off before all had come", host=target.name)


def _unpacked(target: Target, pieces: Iterator[bytes], coding: str, most: int) -> Iterator[bytes]:
    """Yield a body that comes packed although it was asked for plain; no piece grows beyond what is asked for."""
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise PortalUnclear(f"{target.name} answers packed ({coding[:40]})", host=target.name)
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
    total = 0
    for packed in pieces:
        rest = packed
        while rest and not unpack.eof:
            try:
                piece = unpack.decompress(rest, PIECE)
            except zlib.error:
                raise PortalUnclear(f"{target.name} answers packed and broken", host=target.name) from None
            rest = unpack.unconsumed_tail
            total += len(piece)
            if total > most:
                raise ParcelTooLarge(f"{target.name} sends more than {most} bytes, packed", limit=most)
            if piece:
                yield piece
    if not unpack.eof:
        raise PortalBrokeOff(f"{target.name} broke off before all had come", host=target.name)


@contextmanager
def _breaking(target: Target) -> Iterator[None]:
    """Say what a connection raised in our words; what `http.client` says may hold what was asked."""
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        words = f"{target.name} broke the connection off"
        raise PortalBrokeOff(words, host=target.name, reason=type(error).__name__) from None


def _numeric(host: str) -> bool:
    last = host.rpartition(".")[2]
    return last.isdigit() or last.lower().startswith("0x")

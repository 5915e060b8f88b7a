"""One connection to a judged address: TLS for the portal's name, through the site's proxy if it has one, by the clock.

Why `http.client` and not httpx2: which address is connected to, and how long each read may take, is then decided here,
in one place and with nothing private of a library. The socket is ours from the first byte; TLS asks for the name and
checks the certificate against it (RFC 9110 4.3.4), whatever address was judged. Every wait on the socket ends at the
nearest of three: silence, too little in a window, the whole time.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from radrelay.errors import Misconfigured
from radrelay.importer.errors import PortalStalled, PortalTrouble, PortalUnreachable, PortalUntrusted
from radrelay.importer.watching import SLICE_S, look

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Clock = Callable[[], float]
MOST_TRIED = 4
PROXY_OK = 200
ALIVE_AFTER_S, ALIVE_EACH_S, ALIVE_ASKED = 20, 10, 3
"""A machine that is gone is noticed within a minute of silence, however long a portal may pack."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large a request may become.

    `answer_s` is for a small answer as a whole, `head_s` for the beginning of a download, which a portal may pack
    first, `whole_s` for a download with all that it is resumed.
    """

    connect_s: float = 10.0
    idle_s: float = 30.0
    answer_s: float = 60.0
    head_s: float = 300.0
    whole_s: float = 4 * 3600.0
    window_s: float = 120.0
    least_in_window: int = 64 << 10
    most_bytes: int = 16 << 30
    most_answer_bytes: int = 2 << 20
    most_redirects: int = 5


@dataclass(frozen=True, slots=True)
class Proxy:
    """The site's way out: `http://[name:password@]host:port`.

    `resolves`: names are given to the proxy, which alone resolves and judges them. Without, they are resolved and
    judged here, and the proxy is asked for the judged address.
    """

    address: str = field(repr=False)
    resolves: bool = False

    def place(self) -> tuple[str, int, dict[str, str]]:
        """Return its host, port and login; raises `Misconfigured`."""
        try:
            parts = urlsplit(self.address)
            host, port = parts.hostname, parts.port or 3128
        except ValueError as error:
            raise Misconfigured("The proxy's address is none.") from error
        if parts.scheme != "http" or not host:
            raise Misconfigured("The proxy's address begins with http:// and names a host.")
        if parts.username is None:
            return host, port, {}
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        return host, port, {"Proxy-Authorization": f"Basic {b64encode(login).decode()}"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes: the name, and the addresses that were judged for it (none: the proxy resolves)."""

    host: str
    port: int
    secure: bool
    addresses: tuple[str, ...]


class Pace:
    """Says how long the next wait may be; raises `PortalStalled` when there is no time left.

    A download is `watched`: its waits end once it is not wanted any more. A small answer is soon over.
    """

    def __init__(self, limits: Limits, host: str, *, answer: bool, clock: Clock = time.monotonic) -> None:
        self._limits, self._host, self._clock = limits, host, clock
        self.watched = not answer
        self._began = now = clock()
        self._end = now + (limits.answer_s if answer else limits.whole_s)
        self._until_head: float | None = now + (limits.answer_s if answer else limits.head_s)
        self._window_end, self._window_bytes = now + limits.window_s, 0

    def wait_s(self, most_s: float | None = None) -> float:
        """Return how long to wait at most."""
        now = self._clock()
        waits = [self._end - now] if most_s is None else [self._end - now, most_s]
        if self._until_head is None:
            waits += [self._window_end - now, self._limits.idle_s]
        else:
            waits.append(self._until_head - now)
        left = min(waits)
        if left <= 0:
            self.stalled()
        return left

    def came(self, count: int) -> None:
        """Count what came; a window that brought enough begins anew."""
        self._window_bytes += count
        if self._window_bytes >= self._limits.least_in_window:
            self._window_end, self._window_bytes = self._clock() + self._limits.window_s, 0

    def head_is_here(self) -> None:
        """Let the body begin: from here on it is measured by what comes."""
        self._until_head = None
        self._window_end, self._window_bytes = self._clock() + self._limits.window_s, 0

    def stalled(self) -> None:
        """Raise `PortalStalled`, with how long that was."""
        now, limits = self._clock(), self._limits
        trouble = PortalStalled(f"{self._host} took the request and then said too little for too long", host=self._host)
        in_body = limits.window_s if now >= self._window_end else limits.idle_s
        trouble.begun = self._until_head is None
        trouble.silent_s = in_body if trouble.begun else now - self._began
        raise trouble


class Line:
    """What `http.client` takes for a socket: sends and reads by the pace."""

    def __init__(self, made: socket.socket, pace: Pace) -> None:
        self._socket, self._pace = made, pace

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(self._pace.wait_s())
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError:
                self._pace.stalled()
                raise

    def makefile(self, mode: str, *_: object, **__: object) -> io.BufferedReader:
        """Return what an answer is read from."""
        del mode
        return io.BufferedReader(_Reading(self._socket, self._pace), 64 << 10)

    def close(self) -> None:
        """Do nothing: `http.client` closes before the body is read."""

    def hang_up(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._socket.close()


class _Reading(io.RawIOBase):
    def __init__(self, made: socket.socket, pace: Pace) -> None:
        self._socket, self._pace = made, pace

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what is there, at most the buffer's size."""
        until = time.monotonic() + self._pace.wait_s()
        while True:
            left = max(until - time.monotonic(), 0.001)
            self._socket.settimeout(min(left, SLICE_S) if self._pace.watched else left)
            try:
                count = self._socket.recv_into(buffer)
            except TimeoutError:
                if time.monotonic() >= until:
                    self._pace.stalled()
                    raise
                look()
                continue
            self._pace.came(count)
            return count


def connect(
    place: Place, context: Callable[[], ssl.SSLContext], limits: Limits, pace: Pace, proxy: Proxy | None
) -> Line:
    """Return a line to a place; raises `PortalUnreachable`, `PortalUntrusted`, `PortalStalled`."""
    made = reach(place, limits, pace, proxy)
    if not place.secure:
        return Line(made, pace)
    try:
        made.settimeout(pace.wait_s(limits.connect_s))
        wrapped = context().wrap_socket(made, server_hostname=place.host)
    except ssl.SSLCertVerificationError as error:
        made.close()
        words = f"the certificate of {place.host} is not trusted: {error.verify_message}"
        raise PortalUntrusted(words, host=place.host, reason=error.verify_message) from error
    except (OSError, ValueError) as error:
        made.close()
        reason = "no TLS in time" if isinstance(error, TimeoutError) else "no TLS"
        raise PortalUnreachable(f"{place.host} does not speak TLS with us", host=place.host, reason=reason) from error
    except BaseException:
        made.close()
        raise
    return Line(wrapped, pace)


def reach(place: Place, limits: Limits, pace: Pace, proxy: Proxy | None) -> socket.socket:
    """Return a socket to a place, on which nothing is spoken yet; raises `PortalUnreachable`, `PortalStalled`."""
    return _reached(place, limits, pace, None if place.addresses and _local(place.addresses[0]) else proxy)


def speak(line: Line, host: str, method: str, target: str, headers: dict[str, str], body: bytes | None) -> HTTPResponse:
    """Send one request and return its answer, its head read; raises what the line raises, and `HTTPException`."""
    connection = HTTPConnection(host)
    connection.sock = line  # which has all that it uses of a socket
    connection.request(method, target, body, headers)
    return connection.getresponse()


def _local(address: str) -> bool:
    return address == "::1" or address.startswith("127.")


def _reached(place: Place, limits: Limits, pace: Pace, proxy: Proxy | None) -> socket.socket:
    """Return a socket to the first address that answers, of those that were judged and of no other."""
    if proxy is not None:
        return _tunnelled(place, limits, pace, proxy)
    reason = "no address"
    for address in place.addresses[:MOST_TRIED]:
        try:
            return _watched(socket.create_connection((address, place.port), timeout=pace.wait_s(limits.connect_s)))
        except OSError as error:
            reason = "no connection in time" if isinstance(error, TimeoutError) else _said(error)
    raise PortalUnreachable(f"{place.host} cannot be reached: {reason}", host=place.host, reason=reason)


def _watched(made: socket.socket) -> socket.socket:
    """Have the kernel ask the other end, while nothing comes, whether it is still there.

    A machine that packs says so; from one that is gone the connection breaks off.
    """
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", ALIVE_AFTER_S), ("TCP_KEEPINTVL", ALIVE_EACH_S), ("TCP_KEEPCNT", ALIVE_ASKED)):
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def _tunnelled(place: Place, limits: Limits, pace: Pace, proxy: Proxy) -> socket.socket:
    """Return a socket through the proxy (CONNECT, RFC 9110 9.3.6)."""
    host, port, login = proxy.place()
    goal = place.host if proxy.resolves or not place.addresses else place.addresses[0]
    goal = f"[{goal}]" if ":" in goal else goal
    try:
        made = _watched(socket.create_connection((host, port), timeout=pace.wait_s(limits.connect_s)))
    except OSError as error:
        words = f"the proxy cannot be reached: {_said(error)}"
        raise PortalUnreachable(words, host=place.host, reason=words) from error
    lines = [f"CONNECT {goal}:{place.port} HTTP/1.1", f"Host: {goal}:{place.port}", *map(": ".join, login.items())]
    try:
        Line(made, pace).sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        status = _proxy_status(made, pace)
    except (OSError, ValueError, HTTPException) as error:
        made.close()
        raise PortalUnreachable("the proxy broke off", host=place.host, reason="the proxy broke off") from error
    except PortalTrouble:
        made.close()
        raise
    if status != PROXY_OK:
        made.close()
        words = f"the proxy refuses the way to {place.host} (HTTP {status})"
        raise PortalUnreachable(words, host=place.host, reason=f"proxy: HTTP {status}")
    return made


def _proxy_status(made: socket.socket, pace: Pace) -> int:
    """Read the head of the proxy's answer, byte for byte: what follows is the portal's."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        made.settimeout(pace.wait_s())
        piece = made.recv(1)
        if not piece or len(head) > 16 << 10:
            raise ValueError("no head")
        head += piece
    return int(head.split(b" ", 2)[1])


def _said(error: OSError) -> str:
    return " ".join(str(error.strerror or type(error).__name__).split())[:200]

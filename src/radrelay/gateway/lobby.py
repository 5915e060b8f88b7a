"""The relay's open side: connections from anywhere, until it is known whom they want; then joined to the site's.

A connection has a few seconds to send a whole ClientHello. It costs a socket and a small object until then, the number
of such is bounded, and the one that has waited longest gives way. Nothing of it reaches a site before.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from radrelay.gateway.agents import Agents
from radrelay.gateway.errors import PeerGone, PeerUnclear
from radrelay.gateway.hello import MOST_BYTES, Hello, NotTls, alert, read_hello
from radrelay.gateway.limits import Bounds, Limits, counted_as, plain_host
from radrelay.gateway.secured import Secured
from radrelay.gateway.splicing import Pipes, Splice, tune

AT_ONCE = 128
ACCEPT_PAUSE_S = 0.05
ANSWER_S = 8.0
PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 32\r\nconnection: close\r\n\r\n"
    b"This port speaks HTTPS: https://\n"
)
log = structlog.get_logger(__name__)


class LobbyBounds(Bounds, Protocol):
    """What the settings say of who waits."""

    @property
    def max_unfinished(self) -> int:
        """How many may wait."""
        ...

    @property
    def hello_timeout_s(self) -> float:
        """How long."""
        ...

    @property
    def patience_s(self) -> float:
        """How long one waits for the site's agent."""
        ...


class Routing(Protocol):
    """Tells where connections go."""

    def site_of(self, server_name: str) -> str | None:
        """Return the site of a host name."""
        ...

    def site_of_port(self, port: int) -> str | None:
        """Return the site of a DICOM port."""
        ...


@dataclass(eq=False, slots=True)
class Guest:
    """A connection that has not been joined yet."""

    sock: socket.socket
    host: str
    peer: tuple[str, int]
    at: tuple[str, int]
    service: str
    received: bytearray = field(default_factory=bytearray)
    timer: asyncio.TimerHandle | None = None


class Lobby:
    """Accepts, waits, and joins."""

    def __init__(self, bounds: LobbyBounds, agents: Agents, routing: Routing, most: int) -> None:
        self._bounds = bounds
        self._agents = agents
        self._routing = routing
        self.limits = Limits(bounds, most)
        self._loop = asyncio.get_running_loop()
        self._pipes = Pipes()
        self._listening: dict[int, tuple[socket.socket, str]] = {}
        self._unfinished: OrderedDict[Guest, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._joined: dict[Splice, str] = {}
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()

    @property
    def unfinished(self) -> int:
        """Return how many have not said yet whom they want."""
        return len(self._unfinished)

    def joined(self) -> Counter[str]:
        """Return how many connections are joined, by site."""
        return Counter(self._joined.values())

    def listen(self, sock: socket.socket, service: str) -> None:
        """Accept connections for `service` (web or dicom) at a listening socket."""
        sock.setblocking(False)
        self._listening[sock.fileno()] = (sock, service)
        self._loop.add_reader(sock.fileno(), self._accept, sock, service)

    def leave(self, sock: socket.socket) -> None:
        """Accept no more there."""
        if self._listening.pop(sock.fileno(), None) is not None:
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def close(self) -> None:
        """Accept no more, and end everything."""
        for sock, _ in list(self._listening.values()):
            self.leave(sock)
        for task in self._tasks:
            task.cancel()
        for guest in list(self._unfinished):
            self._turn_away(guest, "ending")
        for one in list(self._joined):
            one.close()

    def _accept(self, listening: socket.socket, service: str) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors: the kernel keeps the others, and we come back to them
                log.warning("a connection could not be accepted", reason=error.strerror)
                self._loop.remove_reader(listening.fileno())
                self._loop.call_later(ACCEPT_PAUSE_S, self._accept_again, listening, service)
                return
            self._receive(sock, peer, service)

    def _accept_again(self, listening: socket.socket, service: str) -> None:
        if listening.fileno() in self._listening:
            self._loop.add_reader(listening.fileno(), self._accept, listening, service)

    def _receive(self, sock: socket.socket, peer: Any, service: str) -> None:
        host = counted_as(peer[0])
        refusal = self.limits.admit(host, self._loop.time())
        if refusal is not None:
            self.refused[refusal] += 1
            sock.close()
            return
        try:
            tune(sock)
            at = sock.getsockname()
        except OSError:  # it is gone already
            self.limits.finished(host)
            self.limits.closed(host)
            sock.close()
            return
        guest = Guest(sock, host, (plain_host(peer[0]), peer[1]), (plain_host(at[0]), at[1]), service)
        if len(self._unfinished) >= self._bounds.max_unfinished:
            self._turn_away(next(iter(self._unfinished)), "crowded")
        self._unfinished[guest] = None
        guest.timer = self._loop.call_later(self._bounds.hello_timeout_s, self._turn_away, guest, "silent")
        self._loop.add_reader(sock.fileno(), self._read, guest)

    def _read(self, guest: Guest) -> None:
        try:
            data = guest.sock.recv(MOST_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._turn_away(guest, "gone")
            return
        guest.received += data
        try:
            hello = read_hello(guest.received)
        except NotTls:
            is_http = guest.service == "web" and guest.received[:1].isalpha()
            self._turn_away(guest, "not-tls", PLAIN_HTTP if is_http else alert("decode_error"))
            return
        if hello is not None:
            self._finish(guest, hello)

    def _finish(self, guest: Guest, hello: Hello) -> None:
        """Send a connection on its way, now that it says whom it wants."""
        if guest.service == "web":
            site = self._routing.site_of(hello.server_name)
        else:
            site = self._routing.site_of_port(guest.at[1])
        if site is None:
            self._turn_away(guest, "unknown-name", alert("unrecognized_name"))
            return
        self._forget(guest)
        self.accepted[site] += 1
        task = self._loop.create_task(self._join(guest, site))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self, guest: Guest) -> None:
        self._unfinished.pop(guest, None)
        self._loop.remove_reader(guest.sock.fileno())
        self.limits.finished(guest.host)
        if guest.timer is not None:
            guest.timer.cancel()

    def _turn_away(self, guest: Guest, why: str, last_words: bytes = b"") -> None:
        self._forget(guest)
        self.refused[why] += 1
        self._close(guest, last_words)

    def _close(self, guest: Guest, last_words: bytes = b"") -> None:
        if last_words:
            with suppress(OSError):
                guest.sock.send(last_words)
        guest.sock.close()
        self.limits.closed(guest.host)

    async def _join(self, guest: Guest, site: str) -> None:
        """Join a connection to one of the site's; nothing was answered yet, so another one is tried if one fails."""
        until = self._loop.time() + self._bounds.patience_s
        message = {"is": "join", "service": guest.service, "client": guest.peer, "server": guest.at}
        try:
            while (one := await self._agents.take(site, until)) is not None:
                if await self._hand_on(one, message, guest.received):
                    self._spliced(guest, one, site)
                    return
        except BaseException:
            self._close(guest)
            raise
        self.refused["site-away"] += 1
        self._close(guest, alert("internal_error"))

    async def _hand_on(self, one: Secured, message: dict[str, Any], received: bytearray) -> bool:
        """Say whose connection this is, and lay TLS down; returns whether the agent has taken it."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._loop.sock_sendall(one.sock, one.last_words(message) + received)
                await one.lay_down()
        except (OSError, PeerGone, PeerUnclear, TimeoutError) as error:
            log.info("a connection to a site was broken", reason=str(error) or type(error).__name__)
            one.close()
            return False
        except BaseException:
            one.close()
            raise
        return True

    def _spliced(self, guest: Guest, one: Secured, site: str) -> None:
        def ended(inwards: int, outwards: int) -> None:
            del self._joined[splice]
            self.limits.closed(guest.host)
            self.bytes[site, "in"] += inwards
            self.bytes[site, "out"] += outwards

        splice = Splice(guest.sock, one.sock, self._pipes, ended)
        self._joined[splice] = site

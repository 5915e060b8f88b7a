"""A browser's only way out: a SOCKS5 proxy (RFC 1928) on the one port of the browser's own network.

Each connection that the browser asks for is judged as every request of the importer's: the host must be allowed, its
name is resolved here and once, all its addresses are judged, and the connection goes to a judged one. What then passes
is TLS that the browser speaks with the portal; anything else is cut off. Bytes are counted.

Why SOCKS and no HTTP proxy: nothing of what the browser says is read or rewritten here but the host and the port.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from radrelay.importer.errors import NotEncrypted, ParcelTooLarge, PortalTrouble
from radrelay.importer.judging import LOOPBACK_NAMES
from radrelay.importer.line import Pace, reach
from radrelay.importer.outgoing import Outgoing
from radrelay.importer.places import Target, target_of

VERSION, NO_LOGIN, CONNECT, BY_NAME = 5, 0, 1, 3
GRANTED, NOT_ALLOWED, UNREACHABLE, NO_COMMAND = 0, 2, 4, 7
MOST_AT_ONCE, GREETING_S, IDLE_S, PIECE = 64, 10.0, 300.0, 64 << 10
TLS_HANDSHAKE = 0x16
MOST_REFUSED = 100
BESIDES_BYTES = 256 << 20
"""So much may come besides the parcel: the portal's pages, scripts and pictures."""


@dataclass(frozen=True, slots=True)
class _Asked:
    host: str
    port: int


class Door:
    """Answers the browser's connections until it is closed. `refused`: by host, why nothing went there."""

    def __init__(self, listening: socket.socket, outgoing: Outgoing) -> None:
        self._listening, self._outgoing = listening, outgoing
        self._lock, self._over = threading.Lock(), threading.Event()
        self._open: set[socket.socket] = set()
        self._places = threading.Semaphore(MOST_AT_ONCE)
        self.refused: dict[str, PortalTrouble] = {}
        self.came = 0
        self._thread = threading.Thread(target=self._accept, name="browser door", daemon=True)
        self._thread.start()

    @property
    def exhausted(self) -> bool:
        """Tell whether more came than is taken."""
        return self.came > self._outgoing.limits.most_bytes + BESIDES_BYTES

    def close(self) -> None:
        """Cut all connections off and answer no more."""
        self._over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                made, _ = self._listening.accept()
            except OSError:
                return
            if not self._places.acquire(blocking=False):
                made.close()
                continue
            threading.Thread(target=self._serve, args=(made,), name="browser connection", daemon=True).start()

    def _serve(self, made: socket.socket) -> None:
        with made:
            self._keep(made)
            try:
                made.settimeout(GREETING_S)
                asked = _asked_of(made)
                if asked is not None:
                    self._lead(made, asked)
            except OSError:  # it hung up
                pass
            finally:
                self._forget(made)
                self._places.release()

    def _lead(self, made: socket.socket, asked: _Asked) -> None:
        try:
            target = self._target(asked)
            outgoing = self._outgoing
            pace = Pace(outgoing.limits, target.name, answer=True)
            there = reach(outgoing.place(target), outgoing.limits, pace, outgoing.proxy)
        except PortalTrouble as trouble:
            self._refuse(asked.host, trouble)
            _answer(made, NOT_ALLOWED if trouble.http_status == 403 else UNREACHABLE)
            return
        with there:
            self._keep(there)
            try:
                _answer(made, GRANTED)
                self._carry(made, there, target)
            finally:
                self._forget(there)

    def _target(self, asked: _Asked) -> Target:
        """Return what is asked for, if it may be; raises `AddressRefused`, `HostNotAllowed`."""
        host = f"[{asked.host}]" if ":" in asked.host else asked.host
        return self._outgoing.target(target_of(f"https://{host}:{asked.port}/").url)

    def _carry(self, made: socket.socket, there: socket.socket, target: Target) -> None:
        """Carry both ways until one hangs up; only TLS passes, but to this machine where that is allowed."""
        clear = self._outgoing.judge.loopback and target.host in LOOPBACK_NAMES
        made.settimeout(IDLE_S)
        there.settimeout(IDLE_S)
        heard = time.monotonic()
        with selectors.DefaultSelector() as both:  # unlike select(2) it takes descriptors beyond 1023
            both.register(made, selectors.EVENT_READ)
            both.register(there, selectors.EVENT_READ)
            while not self._over.is_set():
                ready = [one.fileobj for one, _ in both.select(1.0)]
                if not ready and time.monotonic() - heard > IDLE_S:
                    return
                for one, other in ((made, there), (there, made)):
                    if one not in ready:
                        continue
                    piece = one.recv(PIECE)
                    if not piece:
                        return
                    heard = time.monotonic()
                    if one is made and not clear and piece[0] != TLS_HANDSHAKE:
                        self._refuse(target.host, NotEncrypted(host=target.name))
                        return
                    clear = clear or one is made
                    if one is there and not self._count(len(piece), target):
                        return
                    other.sendall(piece)

    def _count(self, size: int, target: Target) -> bool:
        with self._lock:
            self.came += size
        if self.exhausted:
            most = self._outgoing.limits.most_bytes
            words = f"{target.name} sends more than the limit of {most} bytes"
            self._refuse(target.host, ParcelTooLarge(words, host=target.name, limit=most))
        return not self.exhausted

    def _refuse(self, host: str, trouble: PortalTrouble) -> None:
        with self._lock:
            if len(self.refused) < MOST_REFUSED:
                self.refused[host] = trouble

    def _keep(self, made: socket.socket) -> None:
        with self._lock:
            self._open.add(made)
        if self._over.is_set():
            made.close()

    def _forget(self, made: socket.socket) -> None:
        with self._lock:
            self._open.discard(made)


def _asked_of(made: socket.socket) -> _Asked | None:
    """Return what the browser asks for, none if it speaks something else than SOCKS5 or asks for something else."""
    try:
        return _greeted(made)
    except ValueError:
        return None


def _greeted(made: socket.socket) -> _Asked | None:
    """Return what the browser asks for; raises `ValueError` for what is not SOCKS5."""
    version, count = _exactly(made, 2)
    methods = _exactly(made, count)
    if version != VERSION or NO_LOGIN not in methods:
        raise ValueError
    made.sendall(bytes((VERSION, NO_LOGIN)))
    version, command, _, kind = _exactly(made, 4)
    if version != VERSION or command != CONNECT:
        _answer(made, NO_COMMAND)
        return None
    if kind == BY_NAME:
        host = _exactly(made, _exactly(made, 1)[0]).decode("ascii")
    else:
        family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, _exactly(made, size))
    (port,) = struct.unpack("!H", _exactly(made, 2))
    return _Asked(host, port)


def _exactly(made: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = made.recv(size - len(found))
        if not piece:
            raise ValueError
        found += piece
    return found


def _answer(made: socket.socket, code: int) -> None:
    made.sendall(bytes((VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0)))

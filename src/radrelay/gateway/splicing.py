"""Joins two connections: what comes from one goes to the other, in both directions, until both have ended.

On Linux the bytes never come into this process (splice(2) through a pipe that only what is under way holds); elsewhere
they are copied through one buffer. A side that does not read stops the side that sends: nothing is held but one pipe.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

PIPE_BYTES = 1 << 18
TURN_BYTES = 1 << 20
"""What one direction moves before the others have their turn."""

LINGER_S = 120.0
"""How long one direction may go on, with nothing moving, after the other has ended."""

KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
HAS_SPLICE = sys.platform == "linux" and hasattr(os, "splice")
NOT_NOW = (BlockingIOError, InterruptedError)


def tune(sock: socket.socket) -> None:
    """Send at once, and notice within a minute that the other side is gone without a word."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


class Pipes:
    """Pipes that are not in use; a connection that says nothing has none."""

    def __init__(self, kept: int = 64) -> None:
        self._kept = kept
        self._idle: list[tuple[int, int]] = []

    def take(self) -> tuple[int, int]:
        """Return an empty pipe: the end that is read and the one that is written."""
        if self._idle:
            return self._idle.pop()
        ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):  # the user's share of pipe memory is used up: a smaller one does, too
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return ends

    def give_back(self, pipe: tuple[int, int], *, empty: bool) -> None:
        """Take back a pipe."""
        if empty and len(self._idle) < self._kept:
            self._idle.append(pipe)
        else:
            os.close(pipe[0])
            os.close(pipe[1])


class SplicedWay:
    """What goes from one socket to the other by splice(2)."""

    def __init__(self, source: socket.socket, target: socket.socket, pipes: Pipes) -> None:
        self._from, self._to = source.fileno(), target.fileno()
        self._pipes = pipes
        self._pipe: tuple[int, int] | None = None
        self.waiting = 0
        """Bytes that have been taken and not passed on."""

    def take(self) -> int:
        """Take what has come; 0 at the end. Raises `BlockingIOError` when nothing has."""
        self._pipe = self._pipe or self._pipes.take()
        flags = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
        try:
            self.waiting = os.splice(self._from, self._pipe[1], PIPE_BYTES, flags=flags)
        except OSError:
            self.let_go()
            raise
        return self.waiting

    def pass_on(self) -> None:
        """Pass on what was taken, as far as it goes; raises `BlockingIOError` when nothing does."""
        assert self._pipe is not None  # noqa: S101 -- narrows for the type checker: something waits in it
        flags = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
        self.waiting -= os.splice(self._pipe[0], self._to, self.waiting, flags=flags)

    def let_go(self) -> None:
        """Give the pipe back."""
        if self._pipe is not None:
            self._pipes.give_back(self._pipe, empty=not self.waiting)
            self._pipe, self.waiting = None, 0


class CopiedWay:
    """The same by copying, where there is no splice(2)."""

    def __init__(self, source: socket.socket, target: socket.socket, pipes: Pipes) -> None:
        del pipes
        self._from, self._to = source, target
        self._held: memoryview = memoryview(b"")

    @property
    def waiting(self) -> int:
        """Bytes that have been taken and not passed on."""
        return len(self._held)

    def take(self) -> int:
        """Take what has come, as `SplicedWay` does."""
        self._held = memoryview(self._from.recv(PIPE_BYTES))
        return len(self._held)

    def pass_on(self) -> None:
        """Pass on what was taken, as far as it goes."""
        self._held = self._held[self._to.send(self._held) :]

    def let_go(self) -> None:
        """Hold nothing any more."""
        self._held = memoryview(b"")


class Splice:
    """Two joined connections. Both are this object's, and closed at its end."""

    def __init__(
        self,
        first: socket.socket,
        second: socket.socket,
        pipes: Pipes,
        on_end: Callable[[int, int], None],
        *,
        copying: bool = not HAS_SPLICE,
    ) -> None:
        """Join them; `on_end` is called once, with the bytes that went to the second and to the first."""
        self._loop = asyncio.get_running_loop()
        self._socks = (first, second)
        kind = CopiedWay if copying else SplicedWay
        self._ways = (kind(first, second, pipes), kind(second, first, pipes))
        self._ended = [False, False]
        self.moved = [0, 0]
        self._on_end: Callable[[int, int], None] | None = on_end
        self._linger: asyncio.TimerHandle | None = None
        for sock in self._socks:
            tune(sock)
        for side in (0, 1):
            self._loop.add_reader(self._socks[side].fileno(), self._readable, side)

    def close(self) -> None:
        """End both directions at once."""
        if self._on_end is None:
            return
        for sock, way in zip(self._socks, self._ways, strict=True):
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
            way.let_go()
        for sock in self._socks:
            sock.close()
        if self._linger is not None:
            self._linger.cancel()
        told, self._on_end = self._on_end, None
        told(self.moved[0], self.moved[1])

    def _readable(self, side: int) -> None:
        way = self._ways[side]
        moved = 0
        try:
            while moved < TURN_BYTES:
                taken = way.take()
                if not taken:
                    self._end(side)
                    return
                moved += taken
                self.moved[side] += taken
                if not self._drain(side):
                    return
        except NOT_NOW:
            way.let_go()
        except OSError:
            self.close()

    def _drain(self, side: int) -> bool:
        """Pass on what waits; if the other side takes no more, wait for it instead of reading."""
        way = self._ways[side]
        try:
            while way.waiting:
                way.pass_on()
        except NOT_NOW:
            self._loop.remove_reader(self._socks[side].fileno())
            self._loop.add_writer(self._socks[1 - side].fileno(), self._writable, side)
            return False
        return True

    def _writable(self, side: int) -> None:
        try:
            if not self._drain(side):
                return
        except OSError:
            self.close()
            return
        self._loop.remove_writer(self._socks[1 - side].fileno())
        self._ways[side].let_go()
        self._loop.add_reader(self._socks[side].fileno(), self._readable, side)

    def _end(self, side: int) -> None:
        """Pass the end of one direction on."""
        self._ways[side].let_go()
        self._ended[side] = True
        if all(self._ended):
            self.close()
            return
        self._loop.remove_reader(self._socks[side].fileno())
        try:
            self._socks[1 - side].shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self._await_end(-1)

    def _await_end(self, moved_before: int) -> None:
        moved = sum(self.moved)
        if moved == moved_before:
            self.close()
        else:
            self._linger = self._loop.call_later(LINGER_S, self._await_end, moved)

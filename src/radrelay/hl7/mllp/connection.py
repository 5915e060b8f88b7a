"""One connection of a sender, as the listener's thread looks after it: never blocks, and holds little while silent."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl

from radrelay.hl7.mllp.framing import Frame, Frames, framed
from radrelay.hl7.mllp.ports import SMALL_BYTES, Port

READ_BYTES = 256 << 10
SLOWEST_BYTES_S = 16 << 10
"""A sender that is slower than this for long is stuck."""
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Closed(Exception):
    """The other side is gone."""


class Connection:
    """A socket with what has come and what is to go; `pending` messages are not answered yet."""

    __slots__ = (
        "_frames",
        "_max_bytes",
        "begun_at",
        "closed",
        "closing",
        "handshaking",
        "host",
        "large",
        "out",
        "peer",
        "pending",
        "pending_bytes",
        "port",
        "sock",
        "touched_at",
        "wants",
        "wrote_at",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, peer: tuple[str, int], port: Port, max_bytes: int, now: float) -> None:
        self.sock = sock
        self.host = peer[0]
        self.peer = f"{peer[0]}:{peer[1]}"
        self.port = port
        self.pending = self.pending_bytes = 0
        self.out = b""
        self.wants = READ
        self.large = False
        self.closing = self.closed = False
        self.handshaking = port.tls is not None
        self.touched_at = self.wrote_at = now
        self.begun_at = now if self.handshaking else 0.0
        self._max_bytes = max_bytes
        self._frames: Frames | None = None

    @property
    def silent(self) -> bool:
        """Say whether nothing of it is under way."""
        return not self.pending and not self.out and not self.begun_at

    @property
    def held(self) -> int:
        """Return how many bytes it holds of a message that is not whole yet."""
        return 0 if self._frames is None else self._frames.held

    @property
    def is_large(self) -> bool:
        """Say whether its message needs a place among the large ones to go on."""
        return self.held > SMALL_BYTES

    def took(self, frame: Frame) -> None:
        """Note a message that waits for its answer."""
        self.pending += 1
        self.pending_bytes += len(frame.content)

    def answered(self) -> None:
        """Note that one was answered."""
        self.pending -= 1
        if not self.pending:
            self.pending_bytes = 0

    def is_stuck(self, now: float, patience_s: float) -> bool:
        """Say whether a message has begun and does not go on: it may take longer the more of it has come."""
        return bool(self.begun_at) and not self.large and now - self.begun_at > patience_s + self.held / SLOWEST_BYTES_S

    def shake_hands(self) -> bool:
        """Go on with the TLS handshake; says whether it is done. Raises `Closed`."""
        assert isinstance(self.sock, ssl.SSLSocket)  # noqa: S101 - narrows for the type checker
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            self.wants = READ
            return False
        except ssl.SSLWantWriteError:
            self.wants = WRITE
            return False
        except OSError as error:
            raise Closed from error
        self.handshaking, self.wants, self.begun_at = False, READ, 0.0
        return True

    def read(self, buffer: memoryview, now: float) -> list[Frame]:
        """Return the messages that what has come completes; raises `Closed` at the end."""
        found: list[Frame] = []
        while True:
            try:
                count = self.sock.recv_into(buffer)
            except (ssl.SSLWantReadError, BlockingIOError, InterruptedError):
                break
            except ssl.SSLWantWriteError:
                self.wants |= WRITE
                break
            except OSError as error:
                raise Closed from error
            if not count:
                self.closing = True
                break
            self.touched_at = now
            if self._frames is None:
                self._frames = Frames(self._max_bytes)
            found += self._frames.feed(buffer[:count])
            if not isinstance(self.sock, ssl.SSLSocket) or not self.sock.pending():
                break
        if self._frames is not None:
            self.begun_at = (self.begun_at or now) if self._frames.inside else 0.0
            if not self._frames.inside:
                self._frames = None
        return found

    def break_off(self) -> Frame | None:
        """Return what has begun and will not end."""
        if self._frames is None:
            return None
        found, self._frames, self.begun_at = self._frames.broken_off(), None, 0.0
        return found

    def answer(self, answers: list[bytes], now: float) -> None:
        """Put answers out; raises `Closed`."""
        if not self.out:
            self.wrote_at = now
        self.out += b"".join(map(framed, answers))
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send what goes; raises `Closed`."""
        while self.out:
            try:
                sent = self.sock.send(self.out)
            except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                break
            except OSError as error:
                raise Closed from error
            self.out = self.out[sent:]
            self.wrote_at = now
        self.wants = (self.wants | WRITE) if self.out else (self.wants & ~WRITE)

    def close(self) -> None:
        """Close the socket."""
        self.closed = True
        self._frames = None
        with contextlib.suppress(OSError):
            self.sock.close()

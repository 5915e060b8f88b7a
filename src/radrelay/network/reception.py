"""Where connections wait until they ask for an association: no thread and no slot for one that says nothing.

One selector watches the listening sockets and every connection that has not sent its whole A-ASSOCIATE-RQ.
A whole request (or the first bytes of TLS) is handed on; what is no request, comes too slowly or is too long
is answered with an A-ABORT and closed (PS3.8 9.3.8). The number that wait is bounded: the oldest gives way.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import structlog

from radrelay.network import pdu
from radrelay.network.errors import INVALID_PARAMETER_VALUE, UNEXPECTED_PDU, UNRECOGNISED_PDU
from radrelay.network.limits import ASSOCIATE_REQUEST_BYTES
from radrelay.network.ports import Rejection

log = structlog.get_logger(__name__)

READ_BYTES = 65536
LINGER_S = 2.0
"""How long a refused connection is kept, so that its peer reads the refusal before the connection is gone."""

OUT_OF_FILES_PAUSE_S = 0.05
"""When the system gives no more descriptors, trying again at once would only burn the processor."""


@dataclass(slots=True)
class Waiting:
    """A connection that has not asked yet, or, once `refused`, that is about to be closed."""

    sock: socket.socket
    host: str
    port: int
    is_tls: bool
    until: float
    received: bytearray = field(default_factory=bytearray)
    refused: bool = False


Admit = Callable[[Waiting], Rejection | None]
"""Takes over a connection that asks; or returns why it cannot."""


class Reception:
    """The selector's thread over all listening sockets."""

    def __init__(self, listeners: dict[socket.socket, bool], admit: Admit, timeout_s: float, capacity: int) -> None:
        """Watch `listeners`, which tells of each whether it speaks TLS."""
        self._selector = selectors.DefaultSelector()
        self._listeners = listeners
        self._admit = admit
        self._timeout_s = timeout_s
        self._capacity = capacity
        self._waiting: dict[int, Waiting] = {}
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._stopping = threading.Event()
        self._adopted: deque[Waiting] = deque()
        self._thread = threading.Thread(target=self._run, name="dicom-reception", daemon=True)

    def start(self) -> None:
        """Begin to accept connections."""
        for listener in self._listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Close the listening sockets and all that wait."""
        self._stopping.set()
        self._wake_writer.send(b"x")
        self._thread.join()
        for sock in (
            *self._listeners,
            *(one.sock for one in self._waiting.values()),
            *(one.sock for one in self._adopted),
            self._wake_reader,
            self._wake_writer,
        ):
            sock.close()
        self._selector.close()

    def adopt(self, sock: socket.socket, host: str, port: int) -> None:
        """Take in a connection that came another way than by a listening socket; it begins with TLS."""
        self._adopted.append(Waiting(sock, host, port, is_tls=True, until=monotonic() + self._timeout_s))
        self._wake_writer.send(b"x")

    @property
    def waiting(self) -> int:
        """Return how many connections wait."""
        return len(self._waiting)

    def _run(self) -> None:
        next_sweep = monotonic() + 1.0
        while not self._stopping.is_set():
            for key, _ in self._selector.select(1.0):
                sock = key.fileobj
                if sock is self._wake_reader:
                    self._wake_reader.recv(READ_BYTES)
                    self._take_adopted()
                    continue
                try:
                    if sock in self._listeners:
                        self._accept(sock)
                    elif key.fd in self._waiting:
                        self._read(self._waiting[key.fd])
                except Exception:  # why: no single connection may stop the reception of all others
                    log.exception("reception of a connection failed")
            if monotonic() >= next_sweep:
                next_sweep = monotonic() + 1.0
                self._sweep()

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                log.warning("a connection could not be accepted", reason=error.strerror or str(error))
                self._make_room()
                self._stopping.wait(OUT_OF_FILES_PAUSE_S)
            return
        self._await(Waiting(sock, address[0], address[1], self._listeners[listener], monotonic() + self._timeout_s))

    def _take_adopted(self) -> None:
        while self._adopted:
            self._await(self._adopted.popleft())

    def _await(self, one: Waiting) -> None:
        one.sock.setblocking(False)
        if len(self._waiting) >= self._capacity:
            self._make_room()
        self._waiting[one.sock.fileno()] = one
        self._selector.register(one.sock, selectors.EVENT_READ)

    def _make_room(self) -> None:
        """Close the connection that has waited longest."""
        oldest = next(iter(self._waiting.values()), None)
        if oldest:
            log.warning("connection closed", reason="too many connections wait", host=oldest.host)
            self._close(oldest)

    def _read(self, one: Waiting) -> None:
        if one.is_tls and not one.refused:
            self._hand_over(one)
            return
        try:
            data = one.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(one)
        elif not one.refused:
            one.received += data
            self._judge(one)

    def _judge(self, one: Waiting) -> None:
        """Look at what came so far: refuse, wait on, or hand over."""
        received = one.received
        kind = received[0]
        if kind != pdu.ASSOCIATE_RQ:
            known = pdu.ASSOCIATE_RQ < kind <= pdu.ABORT
            reason = UNEXPECTED_PDU if known else UNRECOGNISED_PDU
            self._refuse(one, pdu.encode_abort(pdu.SOURCE_PROVIDER, reason), f"PDU type {kind:02X}H came first")
            return
        if len(received) < 6:
            return
        length = int.from_bytes(received[2:6], "big")
        if length > ASSOCIATE_REQUEST_BYTES:
            words = f"an A-ASSOCIATE-RQ of {length} bytes"
            self._refuse(one, pdu.encode_abort(pdu.SOURCE_PROVIDER, INVALID_PARAMETER_VALUE), words)
        elif len(received) >= 6 + length:
            self._hand_over(one)

    def _hand_over(self, one: Waiting) -> None:
        self._forget(one)
        rejection = self._admit(one)
        if rejection is None:
            return
        one.until = monotonic() + LINGER_S
        self._waiting[one.sock.fileno()] = one
        self._selector.register(one.sock, selectors.EVENT_READ)
        self._refuse(one, b"" if one.is_tls else pdu.encode_reject(rejection), rejection.words)

    def _refuse(self, one: Waiting, last_words: bytes, reason: str) -> None:
        log.warning("connection refused", reason=reason, host=one.host)
        one.refused = True
        one.until = monotonic() + LINGER_S
        one.received.clear()
        try:
            if last_words:
                one.sock.send(last_words)
            one.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(one)

    def _sweep(self) -> None:
        now = monotonic()
        for one in [one for one in self._waiting.values() if one.until < now]:
            if one.refused:
                self._close(one)
            elif one.received:
                words = "the A-ASSOCIATE-RQ did not come in time"
                self._refuse(one, pdu.encode_abort(pdu.SOURCE_PROVIDER, 0), words)
            else:
                log.info("connection closed", reason="it asked for nothing", host=one.host)
                self._close(one)

    def _forget(self, one: Waiting) -> None:
        self._waiting.pop(one.sock.fileno(), None)
        with contextlib.suppress(KeyError, ValueError):  # not registered any more
            self._selector.unregister(one.sock)

    def _close(self, one: Waiting) -> None:
        self._forget(one)
        one.sock.close()

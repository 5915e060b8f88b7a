"""The MLLP listener: one thread for all connections, one that hands messages to the sink in groups.

While the sink commits one group, the next gathers: so many senders that each wait for their answer share a commit. A
message is answered only when the sink has returned. Memory is bounded by the number of connections, by a few places
for large messages, and by how many messages of a connection may wait for their answer.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import structlog

from radrelay.errors import Misconfigured
from radrelay.hl7.mllp.connection import READ, READ_BYTES, WRITE, Closed, Connection
from radrelay.hl7.mllp.framing import Frame
from radrelay.hl7.mllp.handing import Handing
from radrelay.hl7.mllp.ports import SMALL_BYTES, Limits, MessageSink, Port
from radrelay.network.socket_options import keep_alive, tune

log = structlog.get_logger(__name__)

BACKLOG = 512
TICK_S = 0.5
ACCEPTED_AT_ONCE = 64
HANDSHAKE_S = 30.0


@dataclass(frozen=True, slots=True)
class Totals:
    """What a listener has done since it started."""

    open_connections: int
    connections: int
    given_up: int
    messages: int


class MllpListener:
    """Listens on every port and hands what comes to the sink."""

    def __init__(self, ports: Sequence[Port], sink: MessageSink, limits: Limits | None = None) -> None:
        self._ports = ports
        self._limits = limits or Limits()
        self._selector = selectors.DefaultSelector()
        self._listening: dict[socket.socket, Port] = {}
        self._connections: set[Connection] = set()
        self._hosts: Counter[str] = Counter()
        self._large: set[Connection] = set()
        self._waiting: deque[Connection] = deque()
        self._answered: deque[tuple[Connection, Sequence[bytes] | None]] = deque()
        self._wake_read, self._wake_write = socket.socketpair()
        self._handing = Handing(sink, self._take_answer)
        self._thread: threading.Thread | None = None
        self._stopping = self._ended = False
        self._count = self._given_up = self._messages = 0
        self.addresses: dict[str, tuple[str, int]] = {}

    def start(self) -> None:
        """Bind every port and listen; raises `errors.Misconfigured` when one is taken."""
        try:
            for port in self._ports:
                self._listening[_bind(port)] = port
        except Misconfigured:
            self._close_all()
            raise
        for sock, port in self._listening.items():
            sock.setblocking(False)
            self._selector.register(sock, READ)
            host, number = sock.getsockname()[:2]
            self.addresses[port.name] = host, number
            log.info("listening for HL7", name=port.name, host=host, port=number, tls=port.tls is not None)
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector.register(self._wake_read, READ)
        self._handing.start()
        self._thread = threading.Thread(target=self._run, name="hl7-listener", daemon=True)
        self._thread.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Accept and read nothing more, answer what has come, close."""
        self._stopping = True
        self._wake()
        if self._thread is not None:
            until = monotonic() + grace_s
            while any(one.pending or one.out for one in tuple(self._connections)) and monotonic() < until:
                threading.Event().wait(0.02)
            self._handing.stop()
            self._ended = True
            self._wake()
            self._thread.join(5.0)
            self._thread = None
        self._close_all()

    def totals(self) -> Totals:
        """Return the counts so far."""
        return Totals(len(self._connections), self._count, self._given_up, self._messages)

    def _run(self) -> None:
        buffer = memoryview(bytearray(READ_BYTES))
        looked_at = monotonic()
        while not self._ended:
            for key, events in self._selector.select(TICK_S):
                if key.fileobj is self._wake_read:
                    with contextlib.suppress(OSError):
                        self._wake_read.recv(4096)
                elif key.data is None:
                    self._accept(key.fileobj)  # type: ignore[arg-type]
                else:
                    self._serve(key.data, events, buffer)
            self._send_answers()
            now = monotonic()
            if now - looked_at >= TICK_S:
                looked_at = now
                self._look_after(now)

    def _accept(self, listening: socket.socket) -> None:
        port = self._listening.get(listening)
        if port is None or self._stopping:
            return
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # no descriptors left: a silent connection gives way
                log.warning("an HL7 connection cannot be accepted", reason=str(error))
                self._give_way()
                return
            while len(self._connections) >= self._limits.max_connections and self._give_way():
                pass
            if len(self._connections) >= self._limits.max_connections:
                sock.close()
                continue
            self._admit(sock, (str(peer[0]), int(peer[1])), port)

    def _admit(self, sock: socket.socket, peer: tuple[str, int], port: Port) -> None:
        tune(sock)
        keep_alive(sock)
        sock.setblocking(False)
        try:
            if port.tls is not None:
                sock = port.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            connection = Connection(sock, peer, port, self._limits.max_message_bytes, monotonic())
            self._selector.register(sock, READ, connection)
        except OSError:
            sock.close()
            return
        self._connections.add(connection)
        self._hosts[connection.host] += 1
        self._count += 1

    def _give_way(self) -> bool:
        """Close, of the host that has most, the connection that has been silent longest; says whether there was one."""
        silent = [one for one in self._connections if one.silent]
        if not silent:
            return False
        self._given_up += 1
        self._drop(max(silent, key=lambda one: (self._hosts[one.host], -one.touched_at)))
        return True

    def _serve(self, connection: Connection, events: int, buffer: memoryview) -> None:
        if connection.closed:
            return
        now = monotonic()
        try:
            if connection.handshaking:
                if not connection.shake_hands():
                    self._rearm(connection)
                    return
                self._rearm(connection)
            if events & WRITE:
                connection.flush(now)
            if events & READ and not self._stopping:
                self._hand_over(connection, connection.read(buffer, now))
        except Closed as closed:
            if connection.handshaking:
                log.warning("TLS handshake failed", host=connection.host, reason=str(closed.__cause__ or ""))
            self._drop(connection)
            return
        if connection.closing and not connection.pending and not connection.out:
            self._end(connection)
        else:
            self._rearm(connection)

    def _hand_over(self, connection: Connection, frames: list[Frame]) -> None:
        for frame in frames:
            connection.took(frame)
            self._messages += 1
            self._handing.put(connection, frame)
        if connection.is_large:
            if connection not in self._large and len(self._large) < self._limits.large_messages:
                self._large.add(connection)
            elif connection not in self._large and not connection.large:
                connection.large = True
                self._waiting.append(connection)

    def _free_place(self, connection: Connection) -> None:
        self._large.discard(connection)
        while self._waiting and len(self._large) < self._limits.large_messages:
            following = self._waiting.popleft()
            following.large = False
            if not following.closed:
                following.begun_at = monotonic()
                self._large.add(following)
                self._rearm(following)

    def _rearm(self, connection: Connection) -> None:
        """Tell the selector what the connection waits for; one that has much under way is not read from."""
        if connection.closed:
            return
        wants = connection.wants
        many = connection.pending >= self._limits.under_way or connection.pending_bytes > SMALL_BYTES
        full = many or connection.large or connection.closing
        if not connection.handshaking and (full or self._stopping):
            wants &= ~READ
        try:
            known = self._selector.get_map().get(connection.sock)
            if not wants:
                if known is not None:
                    self._selector.unregister(connection.sock)
            elif known is None:
                self._selector.register(connection.sock, wants, connection)
            elif known.events != wants:
                self._selector.modify(connection.sock, wants, connection)
        except (KeyError, ValueError, OSError):
            self._drop(connection)

    def _take_answer(self, answered: list[tuple[Connection, Sequence[bytes] | None]]) -> None:
        """Take answers of a group from the other thread."""
        self._answered.extend(answered)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_write.send(b"w")

    def _send_answers(self) -> None:
        now = monotonic()
        outgoing: dict[Connection, list[bytes]] = {}
        while self._answered:
            connection, answers = self._answered.popleft()
            connection.answered()
            if connection in self._large and not connection.pending and not connection.is_large:
                self._free_place(connection)
            if connection.closed:
                continue
            if answers is None:
                self._drop(connection)
                continue
            outgoing.setdefault(connection, []).extend(answers)
        for connection, answers in outgoing.items():
            if connection.closed:
                continue
            try:
                connection.answer(answers, now)
            except Closed:
                self._drop(connection)
                continue
            if connection.closing and not connection.pending and not connection.out:
                self._end(connection)
            else:
                self._rearm(connection)

    def _look_after(self, now: float) -> None:
        """End what is stuck: handshakes and messages that do not go on, answers that nobody takes, silence."""
        limits = self._limits
        for connection in tuple(self._connections):
            if connection.handshaking:
                if now - connection.begun_at > HANDSHAKE_S:
                    self._drop(connection)
            elif connection.is_stuck(now, limits.message_timeout_s) and not connection.closing:
                log.warning("an HL7 message has no end", peer=connection.peer, name=connection.port.name)
                self._end(connection)
            elif self._is_over(connection, now):
                self._drop(connection)

    def _is_over(self, connection: Connection, now: float) -> bool:
        """Say whether nobody takes its answers, or it has been silent for longer than it may."""
        limits = self._limits
        if connection.out:
            return now - connection.wrote_at > limits.message_timeout_s
        idle_s = now - connection.touched_at
        return bool(limits.idle_timeout_s) and connection.silent and idle_s > limits.idle_timeout_s

    def _end(self, connection: Connection) -> None:
        """Close a connection; what it has begun and not ended is kept and refused first."""
        begun = connection.break_off()
        if begun is None or not begun.content:
            self._drop(connection)
            return
        connection.closing = True
        self._hand_over(connection, [begun])
        self._rearm(connection)

    def _drop(self, connection: Connection) -> None:
        if connection.closed:
            return
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(connection.sock)
        connection.close()
        self._connections.discard(connection)
        self._hosts[connection.host] -= 1
        if not self._hosts[connection.host]:
            del self._hosts[connection.host]
        if connection in self._large:
            self._free_place(connection)

    def _close_all(self) -> None:
        for sock in (*self._listening, self._wake_read, self._wake_write):
            sock.close()
        self._listening.clear()
        for connection in tuple(self._connections):
            self._drop(connection)
        self._selector.close()


def _bind(port: Port) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
        return socket.create_server((port.host, port.port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = error.strerror or str(error)
        raise Misconfigured(f"the HL7 listener {port.name} cannot bind {port.host}:{port.port}: {why}") from error

"""One connection's PDUs: reads P-DATA fragment by fragment, writes messages (PS3.8 9.3.5, annex E).

`Channel.next_fragment` hands out what the kernel delivered as memoryviews of one receive buffer, without
waiting for a PDU to be whole: memory does not grow with PDU length, and a hostile length costs nothing.
Lengths are checked before anything is done with them; whatever is wrong raises an `AssociationEnded`.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterable
from struct import Struct
from time import monotonic

from radrelay.network import pdu
from radrelay.network.errors import (
    UNEXPECTED_PDU,
    UNRECOGNISED_PDU,
    PeerAborted,
    PeerGone,
    PeerSilent,
    PeerTooSlow,
    ProtocolViolation,
    ReleaseRequested,
)
from radrelay.network.limits import ASSOCIATE_REQUEST_BYTES, PDU_TOLERANCE_BYTES, SLOWEST_BYTES
from radrelay.network.socket_options import QUICKACK

RECEIVE_BYTES = 512 * 1024
"""Of the sizes tried (128 KiB to 4 MiB) the fastest: a CT slice in few reads, and still in the processor's cache."""
SEND_BYTES = 128 * 1024
"""Longest P-DATA PDU that is sent, whatever the peer would take."""

_PDU_HEAD = Struct(">BxI")
_PDV_HEAD = Struct(">IBB")
_BOTH_HEADS = Struct(">BxIIBB")
COMMAND, LAST = 1, 2


class Channel:
    """A connection that speaks PDUs. Used by one thread; `shut_down` alone may come from another.

    After `next_fragment`, `context_id` and `is_command` tell what the fragment belongs to, and `is_last` that
    the command set or data set ends with it.
    """

    def __init__(self, sock: socket.socket, max_pdu_bytes: int, idle_timeout_s: float, initial: bytes = b"") -> None:
        self.context_id = 0
        self.is_command = False
        self.is_last = False
        self.received_bytes = 0
        self.peer_max_bytes = SEND_BYTES
        self._sock = sock
        self._idle_timeout_s = idle_timeout_s
        self._max_pdu_bytes = max_pdu_bytes + PDU_TOLERANCE_BYTES
        self._buffer = bytearray(max(RECEIVE_BYTES, len(initial)))
        self._view = memoryview(self._buffer)
        self._buffer[: len(initial)] = initial
        self._start, self._end = 0, len(initial)
        self._pdu_left = self._pdv_left = 0
        self._flags = 0
        self._window_until = 0.0
        self._window_bytes = 0
        self._read_into = sock.recv_into
        self._quick_ack = QUICKACK is not None

    def next_fragment(self) -> memoryview:
        """Return the next piece of a message, valid until the next call; may be a part of a fragment as sent.

        Raises
        ------
        ReleaseRequested
            The peer asks for release.
        AssociationEnded
            The peer aborted, vanished, stayed silent, or sent what is not P-DATA.
        """
        if not self._pdv_left:
            self._begin_fragment()
            if not self._pdv_left:  # an empty fragment may end a data set
                self.is_last = self._flags & LAST != 0
                return self._view[:0]
        if self._start == self._end:
            self._fill()
        start = self._start
        take = min(self._pdv_left, self._end - start)
        self._start = start + take
        self._pdv_left -= take
        self.is_last = not self._pdv_left and self._flags & LAST != 0
        return self._view[start : start + take]

    def message_ended(self) -> None:
        """Say that the peer owes nothing: silence now is idleness, not slowness."""
        self._window_until = 0.0

    def read_pdu(self, longest: int = ASSOCIATE_REQUEST_BYTES) -> tuple[int, bytes]:
        """Return type and body of the next PDU as a whole, for all but P-DATA; raises `AssociationEnded`."""
        self._need(6)
        kind, length = _PDU_HEAD.unpack_from(self._buffer, self._start)
        if not pdu.ASSOCIATE_RQ <= kind <= pdu.ABORT:
            raise ProtocolViolation(f"unknown PDU type {kind:02X}H", UNRECOGNISED_PDU)
        if length > longest:
            raise ProtocolViolation(f"a PDU of {length} bytes where at most {longest} are taken")
        self._start += 6
        body = bytearray()
        while len(body) < length:
            if self._start == self._end:
                self._fill()
            take = min(length - len(body), self._end - self._start)
            body += self._view[self._start : self._start + take]
            self._start += take
        return kind, bytes(body)

    def has_input(self, wait_s: float = 0.0) -> bool:
        """Tell, waiting `wait_s` at most, whether something from the peer is there to read."""
        if self._start < self._end:
            return True
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(wait_s * 1000))

    def send(self, data: bytes | bytearray) -> None:
        """Write bytes in one call; raises `PeerSilent` when the peer does not take them, `PeerGone`."""
        try:
            self._sock.sendall(data)
        except (BlockingIOError, TimeoutError) as error:
            raise PeerSilent("the other side does not read what it is sent") from error
        except OSError as error:
            raise PeerGone(f"writing failed: {error.strerror or error}") from error

    def message(self, context_id: int, command: bytes, data_set: bytes | None = None) -> bytes:
        """Return a message as P-DATA PDUs that the peer can take (PS3.8 annex E)."""
        parts = [_BOTH_HEADS.pack(pdu.P_DATA, len(command) + 6, len(command) + 2, context_id, COMMAND | LAST), command]
        if data_set is not None:
            step = self._fragment_bytes()
            for start in range(0, len(data_set) or 1, step):
                piece = data_set[start : start + step]
                last = LAST if start + step >= len(data_set) else 0
                parts += (_BOTH_HEADS.pack(pdu.P_DATA, len(piece) + 6, len(piece) + 2, context_id, last), piece)
        return b"".join(parts)

    def send_stream(self, context_id: int, command: bytes, pieces: Iterable[bytes]) -> int:
        """Write a message whose data set comes in pieces of any size; return the data set's length in bytes."""
        step = self._fragment_bytes()
        total = 0
        before = self.message(context_id, command)
        held = b""  # up to one fragment is held back, because it may be the last
        for piece in pieces:
            total += len(piece)
            view = memoryview(piece)
            if held:
                room = step - len(held)
                held, view = held + view[:room], view[room:]
                if not view:
                    continue
                before = self._send_fragment(before, context_id, held, 0)
            while len(view) > step:
                before = self._send_fragment(before, context_id, view[:step], 0)
                view = view[step:]
            held = bytes(view)
        self._send_fragment(before, context_id, held, LAST)
        return total

    def _send_fragment(self, before: bytes, context_id: int, fragment: bytes | memoryview, flags: int) -> bytes:
        """Write one fragment of a data set after what goes `before` it; return what goes before the next: nothing."""
        length = len(fragment)
        head = _BOTH_HEADS.pack(pdu.P_DATA, length + 6, length + 2, context_id, flags)
        self.send(b"".join((before, head, fragment)))
        return b""

    def shut_down(self, *, both_ways: bool) -> None:
        """Wake a thread that waits in a read: it finds the end of the stream."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR if both_ways else socket.SHUT_RD)
        except OSError:
            return  # already closed, which is what was wanted

    def _fragment_bytes(self) -> int:
        return max(min(self.peer_max_bytes or SEND_BYTES, SEND_BYTES) - 6, 1)

    def _begin_fragment(self) -> None:
        if not self._pdu_left:
            if self._end - self._start >= 12:  # both heads are there: nearly always, and the checks in one go
                kind, pdu_length, length, context_id, flags = _BOTH_HEADS.unpack_from(self._buffer, self._start)
                if kind == pdu.P_DATA and pdu_length == length + 4 <= self._max_pdu_bytes and length >= 2:
                    self._start += 12
                    self._pdv_left = length - 2
                    self.context_id, self._flags = context_id, flags
                    self.is_command = flags & COMMAND != 0
                    return
            self._begin_pdu()
        self._need(6)
        length, self.context_id, self._flags = _PDV_HEAD.unpack_from(self._buffer, self._start)
        self._start += 6
        if length < 2 or length + 4 > self._pdu_left:
            raise ProtocolViolation(f"a PDV of {length} bytes in {self._pdu_left} bytes of its PDU")
        self._pdu_left -= length + 4
        if 0 < self._pdu_left < 6:
            raise ProtocolViolation("bytes after the last PDV of a PDU")
        self._pdv_left = length - 2
        self.is_command = self._flags & COMMAND != 0

    def _begin_pdu(self) -> None:
        self._need(6)
        kind, length = _PDU_HEAD.unpack_from(self._buffer, self._start)
        if kind != pdu.P_DATA:
            self._end_of_data(kind)
        if not 6 <= length <= self._max_pdu_bytes:
            raise ProtocolViolation(f"a P-DATA PDU of {length} bytes where at most {self._max_pdu_bytes} are taken")
        self._start += 6
        self._pdu_left = length

    def _end_of_data(self, kind: int) -> None:
        if kind == pdu.RELEASE_RQ:
            self.read_pdu(longest=64)
            raise ReleaseRequested
        if kind == pdu.ABORT:
            _, body = self.read_pdu(longest=64)
            raise PeerAborted(f"aborted by the other side, source and reason {body[2:4].hex(' ')}")
        known = pdu.ASSOCIATE_RQ <= kind <= pdu.ABORT
        raise ProtocolViolation(
            f"PDU type {kind:02X}H where P-DATA is due", UNEXPECTED_PDU if known else UNRECOGNISED_PDU
        )

    def _need(self, count: int) -> None:
        """Have at least so many unread bytes in one piece."""
        while self._end - self._start < count:
            if self._start and self._start + count > len(self._buffer):
                left = bytes(self._view[self._start : self._end])
                self._buffer[: len(left)] = left
                self._start, self._end = 0, len(left)
            self._fill()

    def _fill(self) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        try:
            count = self._read_into(self._view[self._end :] if self._end else self._view)
        except (BlockingIOError, TimeoutError) as error:
            raise PeerSilent from error
        except OSError as error:
            raise PeerGone(f"reading failed: {error.strerror or error}") from error
        if not count:
            raise PeerGone
        if self._quick_ack:
            self._acknowledge_now()
        self._end += count
        self.received_bytes += count
        now = monotonic()
        if now > self._window_until:
            self._next_window(now)
        self._window_bytes += count

    def _next_window(self, now: float) -> None:
        if self._window_until and self._window_bytes < SLOWEST_BYTES:
            raise PeerTooSlow
        self._window_until = now + self._idle_timeout_s
        self._window_bytes = 0

    def _acknowledge_now(self) -> None:
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, QUICKACK or 0, 1)
        except OSError:
            self._quick_ack = False  # no TCP socket, or gone: the next read tells

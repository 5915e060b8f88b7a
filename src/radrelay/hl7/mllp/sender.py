"""A sender of MLLP: one message at a time, in order, each waiting for its acknowledgement.

The connection stays open between messages. Whoever calls sends again what raised an error of `Unavailable`: it may have
been taken, so the receiver may see it twice, under one control ID.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from time import monotonic

from radrelay.hl7.errors import AnswerBroken, ReceiverAway, ReceiverSilent
from radrelay.hl7.message import PLAIN, Acknowledgement, Reading, read_acknowledgement
from radrelay.hl7.message.parsing import parse
from radrelay.hl7.mllp.framing import Frames, framed
from radrelay.network.socket_options import keep_alive, tune

LARGEST_ANSWER = 1 << 20
SPARE_S = 30.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where messages go; with a context the connection is TLS, to the name `host` or `server_name`."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 30.0
    reading: Reading = PLAIN


class MllpSender:
    """Sends to one receiver; thread-safe, one message under way at a time."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None

    @property
    def longest_s(self) -> float:
        """How long one message may take at most: to connect, to speak TLS, to be sent, and to be answered."""
        return 2 * self._receiver.connect_timeout_s + 2 * self._receiver.answer_timeout_s + SPARE_S

    def send(self, raw: bytes) -> Acknowledgement:
        """Send a message and return its acknowledgement, whatever it says.

        Raises `ReceiverAway`, `ReceiverSilent` and `AnswerBroken`; an error of `MessageRefused` for what is no message.
        """
        control_id = parse(raw).header.value(10)
        with self._lock:
            sock = self._connected()
            try:
                sock.settimeout(self._receiver.answer_timeout_s)
                sock.sendall(framed(raw))
                return self._answer(sock, control_id)
            except TimeoutError as error:
                self._close()
                raise ReceiverSilent from error
            except OSError as error:
                self._close()
                raise ReceiverAway(f"the HL7 receiver closed the connection: {error}") from error
            except (AnswerBroken, ReceiverAway, ReceiverSilent):
                self._close()  # what else comes on it could be taken for the answer to another message
                raise

    def close(self) -> None:
        """Close the connection; the next message opens another."""
        with self._lock:
            self._close()

    def _connected(self) -> socket.socket:
        if self._sock is not None and self._is_stale(self._sock):
            self._close()
        if self._sock is None:
            receiver = self._receiver
            try:
                sock = socket.create_connection((receiver.host, receiver.port), receiver.connect_timeout_s)
                tune(sock)
                keep_alive(sock)
                if receiver.tls is not None:
                    sock = receiver.tls.wrap_socket(sock, server_hostname=receiver.server_name or receiver.host)
            except OSError as error:
                raise ReceiverAway(f"the HL7 receiver cannot be reached: {error}") from error
            self._sock = sock
        return self._sock

    @staticmethod
    def _is_stale(sock: socket.socket) -> bool:
        """Say whether the other side has closed it, or said what nobody asked for."""
        sock.settimeout(0)
        try:
            sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def _answer(self, sock: socket.socket, control_id: str) -> Acknowledgement:
        frames = Frames(LARGEST_ANSWER)
        until = monotonic() + self._receiver.answer_timeout_s
        while True:
            left = until - monotonic()
            if left <= 0:
                raise ReceiverSilent
            sock.settimeout(left)
            data = sock.recv(65536)
            if not data:
                raise ReceiverAway("the HL7 receiver closed the connection without an answer")
            for frame in frames.feed(data):
                answer = read_acknowledgement(frame.content, self._receiver.reading)
                if answer.control_id == control_id:
                    return answer
                if not answer.is_positive and not answer.control_id:
                    return answer

    def _close(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.close()
            self._sock = None

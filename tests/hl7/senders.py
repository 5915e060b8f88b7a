"""A plain MLLP client that shares no code with what it speaks to."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import Self

from radrelay.hl7 import MllpListener


class Client:
    """One connection; `send` puts bytes out as they are, `answers` reads whole frames."""

    def __init__(self, listener: MllpListener, tls: ssl.SSLContext | None = None, port: str = "KIS") -> None:
        self._sock = socket.create_connection(listener.addresses[port], 5)
        if tls is not None:
            self._sock = tls.wrap_socket(self._sock, server_hostname="localhost")
        self._sock.settimeout(20)
        self._read = b""

    def send(self, raw: bytes) -> None:
        self._sock.sendall(raw)

    def message(self, raw: bytes) -> None:
        self.send(b"\x0b" + raw + b"\x1c\x0d")

    def answers(self, count: int = 1) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < count:
            if b"\x1c\x0d" not in self._read:
                data = self._sock.recv(1 << 16)
                assert data, "closed"
                self._read += data
                continue
            frame, self._read = self._read.split(b"\x1c\x0d", 1)
            assert frame[:1] == b"\x0b"
            found.append(frame[1:])
        return found

    def is_closed(self) -> bool:
        try:
            return self._sock.recv(1 << 16) == b""
        except ConnectionError:
            return True

    def half_close(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

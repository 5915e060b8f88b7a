"""A client of clamd, ClamAV's daemon, over its INSTREAM command (clamd(8)), on a UNIX socket or TCP.

Bytes go in as length-prefixed pieces and one line comes back. A scanner that does not answer is an error to wait
for, never a clean verdict.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from radrelay.errors import Misconfigured
from radrelay.intake.errors import ScannerUnavailable

CHUNK_BYTES = 256 << 10
ANSWER_LIMIT_BYTES = 4096


class Finding(Enum):
    """What clamd says of a stream."""

    CLEAN = "clean"
    INFECTED = "infected"
    NOT_SCANNED = "not-scanned"


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """The finding, and the signature's name or the reason."""

    finding: Finding
    detail: str = ""


CLEAN = ScanVerdict(Finding.CLEAN)


class Scanner:
    """Asks one clamd; thread-safe, a connection for each stream."""

    def __init__(self, address: str, *, timeout_s: float = 120.0, connect_timeout_s: float = 5.0) -> None:
        """Take `unix:///path` or `tcp://host:port`; raises `Misconfigured` on anything else."""
        parts = urlsplit(address)
        self._address: str | tuple[str, int]
        if parts.scheme == "unix" and parts.path:
            self._address = parts.path
        elif parts.scheme == "tcp" and parts.hostname and parts.port:
            self._address = (parts.hostname, parts.port)
        else:
            raise Misconfigured(f"intake.clamd must be unix:///path or tcp://host:port, not {address!r}")
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s

    def ping(self) -> str:
        """Return clamd's version line; raises `ScannerUnavailable`."""
        try:
            with self._connect() as connection:
                connection.sendall(b"zVERSION\0")
                return _answer(connection)
        except OSError as error:
            raise ScannerUnavailable(f"clamd does not answer: {error}") from error

    def scan(self, chunks: Iterable[bytes | memoryview]) -> ScanVerdict:
        """Stream `chunks` to clamd and return its verdict; raises `ScannerUnavailable`."""
        try:
            with self._connect() as connection:
                with suppress(BrokenPipeError, ConnectionResetError):  # beyond its limit clamd answers, then hangs up
                    _send(connection, chunks)
                return _verdict(_answer(connection))
        except OSError as error:
            raise ScannerUnavailable(f"clamd does not answer: {error}") from error

    def _connect(self) -> socket.socket:
        if isinstance(self._address, tuple):
            connection = socket.create_connection(self._address, timeout=self._connect_timeout_s)
        else:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self._connect_timeout_s)
            try:
                connection.connect(self._address)
            except BaseException:
                connection.close()
                raise
        connection.settimeout(self._timeout_s)
        return connection


def _send(connection: socket.socket, chunks: Iterable[bytes | memoryview]) -> None:
    connection.sendall(b"zINSTREAM\0")
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), CHUNK_BYTES):
            piece = view[start : start + CHUNK_BYTES]
            connection.sendall(len(piece).to_bytes(4, "big"))
            connection.sendall(piece)
    connection.sendall(b"\0\0\0\0")


def _answer(connection: socket.socket) -> str:
    answer = bytearray()
    while not answer.endswith(b"\0") and len(answer) < ANSWER_LIMIT_BYTES:
        piece = connection.recv(ANSWER_LIMIT_BYTES)
        if not piece:
            break
        answer += piece
    if not answer:
        raise ConnectionResetError("it hung up without an answer")
    return answer.rstrip(b"\0\n").decode("utf-8", "replace")


def _verdict(answer: str) -> ScanVerdict:
    """Read `stream: OK`, `stream: Name FOUND` or `… ERROR`."""
    said = answer.partition("stream: ")[2] or answer
    if said == "OK":
        return CLEAN
    if said.endswith(" FOUND"):
        return ScanVerdict(Finding.INFECTED, said.removesuffix(" FOUND"))
    if "size limit exceeded" in said:
        return ScanVerdict(Finding.NOT_SCANNED, "larger than clamd's StreamMaxLength")
    raise ScannerUnavailable(f"clamd answered {said[:200]!r}")

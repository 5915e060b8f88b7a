"""Syslog messages (RFC 5424) and their way over TLS (RFC 5425), as PS3.15 A.6 sends audit messages.

RFC 5425 has no acknowledgement. So a batch is a connection of its own: it counts as taken when the other side has
read to the end and closed as well; after a reset, or silence with bytes still on their way, it is sent again.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import socket
import ssl
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from radrelay.errors import Misconfigured, Unavailable
from radrelay.settings import RepositorySettings

SECURITY = 10  # facility security/authorization messages, as PS3.15 A.6.1 asks
NOTICE, WARNING = 5, 4
MSG_ID = "DICOM+RFC3881"
POLL_S = 0.02
BOM = b"\xef\xbb\xbf"
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


class RepositoryAway(Unavailable):
    """The audit repository does not take messages; they wait for it."""

    code = "audit-repository-away"


class RepositoryMisconfigured(Misconfigured):
    """The audit repository's certificates cannot be used."""

    code = "audit-repository-misconfigured"


def syslog_message(content: bytes, at: datetime, hostname: str, process: str, *, success: bool) -> bytes:
    """Return a message of RFC 5424 with `content` in UTF-8 behind a byte order mark."""
    priority = SECURITY * 8 + (NOTICE if success else WARNING)
    moment = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    fields = (_field(hostname, 255), "radrelay", _field(process, 128), MSG_ID, "-")
    return f"<{priority}>1 {moment} {' '.join(fields)} ".encode() + BOM + content


def _field(text: str, longest: int) -> str:
    return _UNPRINTABLE.sub("", text)[:longest] or "-"


def framed(message: bytes) -> bytes:
    """Return a message with its length in octets in front (RFC 5425 4.3)."""
    return b"%d %s" % (len(message), message)


def tls_context(settings: RepositorySettings) -> ssl.SSLContext:
    """Return how the repository is spoken to; raises `RepositoryMisconfigured` for files that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=settings.ca and str(settings.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise RepositoryMisconfigured(f"audit.repository: {error}") from error
    return context


def send(settings: RepositorySettings, messages: Sequence[bytes]) -> None:
    """Hand `messages` over in order; raises `RepositoryAway` unless all of them were taken."""
    context = tls_context(settings)
    address = (settings.host or "", settings.port)
    try:
        with socket.create_connection(address, settings.timeout_s) as connection:
            talk = _Talk(connection, context, settings.server_name or address[0])
            talk.hand_over(b"".join(map(framed, messages)))
    except OSError as error:  # ssl.SSLError is one
        raise RepositoryAway(f"{settings.host}:{settings.port}: {error}") from error


class _Talk:
    """One TLS connection, to say something, end it, and hear how the other side ends it.

    Over memory, because `SSLSocket.unwrap` takes the alert of a server that refuses our certificate, which in TLS 1.3
    comes after the handshake, for an orderly end.
    """

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def hand_over(self, content: bytes) -> None:
        """Send `content` and return once the other side has read it all; raises `OSError`."""
        self._shake_hands()
        self._tls.write(content)
        with suppress(ssl.SSLWantReadError):
            self._tls.read(1)  # what came along with the handshake: nothing, or why we are refused
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()  # writes that this was all; how the other side ends is read below
        self._flush()
        self._connection.shutdown(socket.SHUT_WR)
        self._await_end()

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            else:
                return

    def _await_end(self) -> None:
        while True:
            try:
                if not self._tls.read(4096):
                    return
            except ssl.SSLWantReadError:
                self._fill()
            except ssl.SSLZeroReturnError:
                return
            except ssl.SSLEOFError:  # it closed without a word of TLS, as rsyslog does: after reading, or before?
                self._require_read()
                return

    def _require_read(self) -> None:
        """Raise the reset that comes back for bytes which reached a closed connection; wait for those on their way."""
        deadline = time.monotonic() + (self._connection.gettimeout() or 0.0)
        while self._on_its_way() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        error = self._connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error or self._on_its_way():
            raise ConnectionResetError(error, os.strerror(error) if error else "it closed before it had all")

    def _on_its_way(self) -> int:
        """Return how many bytes the other machine has not acknowledged yet; none where the system does not tell."""
        waiting = array.array("i", [0])
        with suppress(OSError):
            fcntl.ioctl(self._connection.fileno(), termios.TIOCOUTQ, waiting)
        return waiting[0]

    def _flush(self) -> None:
        self._connection.sendall(self._outgoing.read())

    def _fill(self) -> None:
        piece = self._connection.recv(65536)
        if piece:
            self._incoming.write(piece)
        else:
            self._incoming.write_eof()

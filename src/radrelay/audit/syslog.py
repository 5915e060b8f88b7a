"""Syslog messages (RFC 5424) and their way over TLS (RFC 5425), as PS3.15 A.6 sends audit messages.

RFC 5425 has no acknowledgement. So a batch is a connection of its own: it counts as taken when the other side has
read to the end and closed as well; after a reset, or silence with bytes still on their way, it is sent again.
"""

from __future__ import annotations

import array
import fcntl
import re
import socket
import ssl
import termios
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from radrelay.errors import Misconfigured, Unavailable
from radrelay.settings import RepositorySettings

SECURITY = 10  # facility security/authorization messages, as PS3.15 A.6.1 asks
NOTICE, WARNING = 5, 4
MSG_ID = "DICOM+RFC3881"
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
        with (
            socket.create_connection(address, settings.timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=settings.server_name or settings.host) as connection,
        ):
            connection.sendall(b"".join(map(framed, messages)))
            _close(connection, settings.timeout_s)
    except OSError as error:  # ssl.SSLError is one
        raise RepositoryAway(f"{settings.host}:{settings.port}: {error}") from error


def _close(connection: ssl.SSLSocket, timeout_s: float) -> None:
    """Say that this was all and wait until the other side has read it and says so, too."""
    connection.settimeout(timeout_s)
    try:
        connection.unwrap().close()
    except TimeoutError:
        if _on_its_way(connection):
            raise  # otherwise its machine has all of it, and it leaves connections open
    except ssl.SSLEOFError:
        pass  # it closed without a word of TLS, as rsyslog does, after reading: unread bytes would make it a reset
    except OSError as error:
        if error.errno != 0:  # 0: the same end of the stream, as older OpenSSL tells it
            raise


def _on_its_way(connection: ssl.SSLSocket) -> int:
    """Return how many bytes the other machine has not acknowledged yet; none where the system does not tell."""
    waiting = array.array("i", [0])
    with suppress(OSError):
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, waiting)
    return waiting[0]

"""Socket options that make DICOM fast and keep it from hanging; those of Linux only stand here with their fallback.

TCP_NODELAY lets a response leave at once; TCP_QUICKACK, which the kernel forgets, frees a sender that holds
the last part of its object back until the part before is acknowledged (Nagle meeting delayed ACK: 45 ms an object).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from struct import pack

QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def tune(sock: socket.socket) -> None:
    """Turn Nagle's algorithm off and keep-alive probes on, so that a vanished peer is noticed."""
    with contextlib.suppress(OSError):  # a socket that is no TCP socket (a test's pair) or is already closed
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def set_timeout(sock: socket.socket, seconds: float) -> None:
    """Bound every read and write.

    A plain socket gets the kernel's own timeouts: Python's would cost a `poll` before each call. TLS needs Python's.
    """
    if isinstance(sock, ssl.SSLSocket):
        sock.settimeout(seconds)
        return
    sock.settimeout(None)
    value = pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)

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


def keep_alive(sock: socket.socket, idle_s: int = 60, every_s: int = 15, times: int = 4) -> None:
    """Probe a silent peer after `idle_s`, and give it up after `times` probes; where the system lets us say so."""
    options = (("TCP_KEEPIDLE", idle_s), ("TCP_KEEPINTVL", every_s), ("TCP_KEEPCNT", times))
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

"""Reads a ClientHello (RFC 8446, 4.1.2) without ending its TLS: for whom it is (SNI) and what it speaks (ALPN).

In go the first bytes of a connection; out comes the name, or that more is needed, or that this is no TLS.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HANDSHAKE, CLIENT_HELLO = 22, 1
SERVER_NAME, ALPN = 0, 16
MOST_BYTES = 16 << 10
"""A ClientHello with post-quantum keys and a session ticket has two to four kilobytes; longer than this is none."""

ALERTS = {"unrecognized_name": 112, "internal_error": 80, "decode_error": 50}


class NotTls(Exception):
    """These bytes begin no TLS connection."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a ClientHello says in the clear."""

    server_name: str = ""
    protocols: tuple[str, ...] = ()


def read_hello(received: bytes | bytearray) -> Hello | None:
    """Return what the ClientHello says, None while it is not whole; raises `NotTls`."""
    if len(received) > MOST_BYTES:
        raise NotTls
    message = bytearray()
    at = 0
    while at + 5 <= len(received):  # it may be cut into several records
        kind, major, _, size = struct.unpack_from(">BBBH", received, at)
        if kind != HANDSHAKE or major != 3 or not size or size > 1 << 14:
            raise NotTls
        message += received[at + 5 : at + 5 + size]
        at += 5 + size
        if message and message[0] != CLIENT_HELLO:
            raise NotTls
        if len(message) >= 4:
            length = int.from_bytes(message[1:4], "big")
            if length > MOST_BYTES:
                raise NotTls
            if len(message) >= 4 + length:
                return _parsed(bytes(message[4 : 4 + length]))
    if received and received[0] != HANDSHAKE:
        raise NotTls
    return None


def alert(name: str) -> bytes:
    """Return a fatal alert in the clear (RFC 8446, 6.2)."""
    return bytes((21, 3, 3, 0, 2, 2, ALERTS[name]))


def _parsed(body: bytes) -> Hello:
    try:
        at = 2 + 32
        at += 1 + body[at]  # legacy_session_id
        at += 2 + int.from_bytes(body[at : at + 2], "big")  # cipher_suites
        at += 1 + body[at]  # legacy_compression_methods
        if at >= len(body):
            return Hello()
        end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        if end > len(body):
            raise NotTls
        return _extended(body[at + 2 : end])
    except (IndexError, UnicodeDecodeError) as error:
        raise NotTls from error


def _extended(extensions: bytes) -> Hello:
    name, at = "", 0
    protocols: tuple[str, ...] = ()
    while at + 4 <= len(extensions):
        kind, size = struct.unpack_from(">HH", extensions, at)
        data = extensions[at + 4 : at + 4 + size]
        if len(data) != size:
            raise NotTls
        if kind == SERVER_NAME and size > 5 and data[2] == 0:
            name = data[5 : 5 + int.from_bytes(data[3:5], "big")].decode("ascii").lower().rstrip(".")
        elif kind == ALPN:
            protocols = tuple(_listed(data[2:]))
        at += 4 + size
    return Hello(name, protocols)


def _listed(data: bytes) -> list[str]:
    found, at = [], 0
    while at < len(data):
        found.append(data[at + 1 : at + 1 + data[at]].decode("ascii"))
        at += 1 + data[at]
    return found

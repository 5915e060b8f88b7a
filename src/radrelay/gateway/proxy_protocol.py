"""The head that tells a server behind us who called (PROXY protocol version 2, HAProxy's proxy-protocol.txt 2.2)."""

from __future__ import annotations

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
VERSION_PROXY = 0x21
TCP4, TCP6 = 0x11, 0x21

Peer = tuple[str, int]


def proxy_head(client: Peer, server: Peer) -> bytes:
    """Return the head of a connection from `client` that came in at `server`."""
    addresses = [ipaddress.ip_address(host) for host, _ in (client, server)]
    if all(isinstance(address, ipaddress.IPv4Address) for address in addresses):
        kind = TCP4
    else:
        kind = TCP6
        addresses = [_as_v6(address) for address in addresses]
    body = b"".join(address.packed for address in addresses) + struct.pack(">HH", client[1], server[1])
    return SIGNATURE + struct.pack(">BBH", VERSION_PROXY, kind, len(body)) + body


def _as_v6(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    return address if isinstance(address, ipaddress.IPv6Address) else ipaddress.IPv6Address(f"::ffff:{address}")

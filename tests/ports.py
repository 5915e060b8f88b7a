"""Ports for servers of the tests."""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST = 15_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()


def free_port() -> int:
    """Return a port that nothing listens on at any address.

    Below those that the system gives to outgoing connections: these would take it before its server is up.
    """
    above = int(_RANGE.read_text().split()[0])
    for port in random.sample(range(LOWEST, max(above, LOWEST + 1_000)), 200):
        if port not in _given and _free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port from {LOWEST} to {above}")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True

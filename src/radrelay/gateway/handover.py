"""Hands connections from the agent to the roles on this machine that answer them, as open sockets (unix(7)).

The agent is then out of the way of the bytes, and nothing on loopback has to be believed: who may write to the socket
file, which stands in a folder for this user alone, is who may say where a connection came from.
"""

from __future__ import annotations

import json
import os
import socket
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from radrelay.gateway.proxy_protocol import Peer
from radrelay.storage.durable_files import make_private_directory

MESSAGE_BYTES = 4096
PATH_BYTES = 100
"""Longer names do not fit into an address (unix(7): 108 bytes)."""


@dataclass(frozen=True)
class Arrival:
    """A connection that came through a relay; TLS begins with its first byte."""

    sock: socket.socket
    client: Peer
    server: Peer


class Door:
    """Where a role takes connections in."""

    def __init__(self, path: Path) -> None:
        make_private_directory(path.parent)
        with suppress(FileNotFoundError):
            path.unlink()
        self._path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with _addressed(path) as name:
            self.sock.bind(name)
        os.chmod(path, 0o600)
        self.sock.setblocking(False)

    def arrivals(self) -> Iterator[Arrival]:
        """Yield what has come."""
        while True:
            try:
                data, handles, flags, _ = socket.recv_fds(self.sock, MESSAGE_BYTES, 4)
            except OSError:
                return
            socks = [socket.socket(fileno=handle) for handle in handles]
            try:
                if len(socks) != 1 or flags & socket.MSG_CTRUNC:
                    raise ValueError(f"{len(socks)} sockets")
                told = json.loads(data)
                arrival = Arrival(socks[0], _peer(told["client"]), _peer(told["server"]))
            except (ValueError, TypeError, KeyError):
                for sock in socks:
                    sock.close()
                continue
            arrival.sock.setblocking(False)
            yield arrival

    def close(self) -> None:
        """Take nothing in any more."""
        self.sock.close()
        with suppress(FileNotFoundError):
            self._path.unlink()


class Bell:
    """Where the agent hands connections over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._sock.setblocking(False)

    def hand_over(self, service: str, sock: socket.socket, client: Peer, server: Peer) -> None:
        """Hand a connection to who answers for a service; raises `OSError` while nobody takes it."""
        message = json.dumps({"client": client, "server": server}).encode()
        with _addressed(door_of(self._folder, service)) as name:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [sock.fileno()]))
            self._sock.sendmsg([message], [rights], 0, name)

    def close(self) -> None:
        """Hand nothing over any more."""
        self._sock.close()


def door_of(folder: Path, service: str) -> Path:
    """Return the socket file of a service: web or dicom."""
    return folder / f"{service}.socket"


@contextmanager
def _addressed(path: Path) -> Iterator[str]:
    """Give the address of a socket file, also of one whose name is too long for an address."""
    if len(os.fsencode(path)) <= PATH_BYTES:
        yield str(path)
        return
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{path.name}"
    finally:
        os.close(handle)


def _peer(told: list[object]) -> Peer:
    host, port = told
    if not isinstance(host, str) or not isinstance(port, int):
        raise TypeError
    return host, port

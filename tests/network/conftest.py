"""A running listener over an archive in memory, dcmtk's programs, and a raw socket that says anything."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from radrelay.network.limits import Limits
from radrelay.network.listener import DicomListener
from radrelay.network.ports import Node, Services
from radrelay.settings import DicomSettings
from tests.network.memory import MemoryArchive

StartListener = Callable[..., DicomListener]


@pytest.fixture
def archive() -> MemoryArchive:
    return MemoryArchive()


@pytest.fixture
def start(archive: MemoryArchive) -> Iterator[StartListener]:
    """Start a listener with settings and limits of the test's own; all are stopped afterwards."""
    running: list[DicomListener] = []

    def starter(limits: Limits | None = None, **settings: object) -> DicomListener:
        chosen = DicomSettings.model_validate({"port": 0, **settings})
        listener = DicomListener(
            chosen, Services(archive, archive, archive, archive, retrieve_ae=lambda called: "RADRELAY"), limits
        )
        listener.start()
        running.append(listener)
        return listener

    yield starter
    for listener in running:
        listener.stop(0.0)


@pytest.fixture
def port(start: StartListener) -> int:
    return start().addresses[0].port


@pytest.fixture
def node(port: int) -> Node:
    return Node("127.0.0.1", port, "RADRELAY", "TESTER")


@pytest.fixture
def ct_path() -> Path:
    return Path(str(get_testdata_file("CT_small.dcm", download=False)))


@pytest.fixture
def mr_path() -> Path:
    return Path(str(get_testdata_file("MR_small.dcm", download=False)))


@pytest.fixture
def dcmtk() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one of dcmtk's programs to its end."""

    def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        assert shutil.which(program), f"{program} is not installed: apt-get install dcmtk"
        command = [program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, errors="replace")

    return run


class RawPeer:
    """A socket that sends what it likes."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self) -> tuple[int, bytes]:
        head = self._exactly(6)
        return head[0], self._exactly(struct.unpack(">xxI", head)[0])

    def ended(self) -> bool:
        return self.sock.recv(1) == b""

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def close(self) -> None:
        self.sock.close()


@pytest.fixture
def raw(port: int) -> Iterator[RawPeer]:
    peer = RawPeer(port)
    yield peer
    peer.close()

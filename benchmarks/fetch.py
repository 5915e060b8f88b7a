"""One keep-alive HTTP connection that reads whole answers."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from typing import IO
from urllib.parse import urlsplit

from benchmarks.servers import Server

JSON = "application/dicom+json"
OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
IDLE_S = 0.5
SAMPLES = 'multipart/related; type="application/octet-stream"'


class Client:
    """A client of one server; not for several threads."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        self._headers = dict(headers)
        self._connection = http.client.HTTPConnection(place.hostname, place.port, timeout=600)
        self._used_at = 0.0
        self.cookies = ""
        """What the last answer set, as a browser sends it back."""

    def ready(self) -> None:
        """Connect, again after a pause: a server may have closed a connection that was idle (Orthanc after 1 s)."""
        if self._connection.sock is None or time.perf_counter() - self._used_at > IDLE_S:
            self._connection.close()
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def of(cls, server: Server) -> Client:
        return cls(server.web, server.headers)

    def request(
        self,
        path: str,
        accept: str = "*/*",
        *,
        method: str = "GET",
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return an answer's body; raises `RuntimeError` unless it is a success."""
        self.ready()
        self._connection.request(method, path, body, {"Accept": accept, **self._headers, **(headers or {})})
        response = self._connection.getresponse()
        found = response.read()
        self._used_at = time.perf_counter()
        self.cookies = "; ".join(one.partition(";")[0] for one in response.headers.get_all("set-cookie", []))
        if response.status >= 300:
            raise RuntimeError(f"{method} {path.partition('?')[0]}: {response.status} {found[:300]!r}")
        return found

    def timed(self, path: str, accept: str = "*/*") -> float:
        """Return the seconds until the whole answer was read."""
        self.ready()
        began = time.perf_counter()
        self.request(path, accept)
        return time.perf_counter() - began

    def drained(self, path: str, accept: str = "*/*") -> tuple[float, int]:
        """Return seconds and bytes of an answer that is read and forgotten, piece by piece."""
        self.ready()
        began, size = time.perf_counter(), 0
        self._connection.request("GET", path, headers={"Accept": accept, **self._headers})
        response = self._connection.getresponse()
        buffer = bytearray(1 << 20)
        while count := response.readinto(buffer):
            size += count
        self._used_at = time.perf_counter()
        if response.status >= 300:
            raise RuntimeError(f"GET {path.partition('?')[0]}: {response.status}")
        return time.perf_counter() - began, size

    def close(self) -> None:
        self._connection.close()

"""Files of other nodes' landing directories, read from their internal endpoints.

Where a node is stands in its lease. One that does not answer is away: what it alone holds can be read again when it,
or another machine with its disk, is back.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from radrelay.clock import Clock
from radrelay.errors import NotFound, Unavailable
from radrelay.storage.database import Database
from radrelay.storage.landing_endpoint import MOST_BYTES
from radrelay.storage.landing_format import RecordGone, SegmentGone, segment_name
from radrelay.storage.node import local_name, node_of
from radrelay.storage.nodes import NodeView, nodes
from radrelay.storage.open_segment import LandingFile

AHEAD_BYTES = 64 << 10
KNOWN_S = 2.0  # a node's address is looked up again after so long
TIMEOUT_S = 10.0
PATIENCE_S = 4.0  # with a node whose lease lasts: its process may just be starting again
PAUSE_S = 0.2
SHUN_S = 3.0  # nobody waits for a node again that was waited for in vain a moment ago
IDLE_CONNECTIONS = 8


class NodeAway(Unavailable):
    """The machine that received this and still holds it does not answer; it can be read again when that is back."""

    code = "node-away"


class _NoAnswer(Exception):
    """The node could not be asked, or is another than it was thought to be."""


class Neighbours:
    """Opens files of other nodes. Thread-safe."""

    def __init__(self, database: Database, clock: Clock, context: Callable[[], ssl.SSLContext]) -> None:
        self._database = database
        self._clock = clock
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._known: dict[str, NodeView] = {}
        self._known_at = float("-inf")
        self._shunned: dict[str, float] = {}
        self._idle: dict[str, list[http.client.HTTPSConnection]] = {}

    def segment(self, owner: str, number: int) -> LandingFile:
        """Return a segment's file; reading it raises `SegmentGone` or `NodeAway`."""
        return RemoteFile(self, owner, segment_name(number), SegmentGone)

    def large(self, owner: str, record_id: UUID) -> LandingFile:
        """Return a large object's file; reading it raises `RecordGone` or `NodeAway`."""
        return RemoteFile(self, owner, f"large-{record_id}.obj", RecordGone)

    def require(self, owners: Iterable[str]) -> None:
        """Raise `NodeAway` if a node of `owners` is known to be away; asks none of them."""
        for node in {node_of(owner) for owner in owners}:
            view = self._view(node)
            if view is None or not view.alive or not view.address or self._shunned.get(node, 0.0) > time.monotonic():
                raise _away(view)

    def fetch(self, owner: str, name: str, first: int, length: int) -> bytes | None:
        """Return up to `length` bytes of a file, at most `MOST_BYTES`; none if it is gone. Raises `NodeAway`."""
        node = node_of(owner)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            view = self._view(node)
            if view is None or not view.alive or not view.address or self._shunned.get(node, 0.0) > time.monotonic():
                raise _away(view)
            try:
                return self._ask(view, f"/landing/{node}/{view.epoch}/{local_name(owner)}/{name}", first, length)
            except _NoAnswer as error:
                self._known_at = float("-inf")
                if time.monotonic() >= deadline:
                    self._shunned[node] = time.monotonic() + SHUN_S
                    raise _away(view) from error
                time.sleep(PAUSE_S)

    def _ask(self, view: NodeView, path: str, first: int, length: int) -> bytes | None:
        connection, used = self._connection(view.address)
        try:
            connection.request("GET", path, headers={"Range": f"bytes={first}-{first + length - 1}"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if used:  # the other side may have closed it while it was idle
                return self._ask(view, path, first, length)
            raise _NoAnswer from error
        with self._lock:
            idle = self._idle.setdefault(view.address, [])
            if len(idle) < IDLE_CONNECTIONS:
                idle.append(connection)
            else:
                connection.close()
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return None
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            raise _NoAnswer(f"status {answer.status}")
        return body

    def _connection(self, address: str) -> tuple[http.client.HTTPSConnection, bool]:
        """Return a connection and whether it was used before."""
        with self._lock:
            if idle := self._idle.get(address):
                return idle.pop(), True
            if self._context is None:
                self._context = self._make_context()
        host, _, port = address.rpartition(":")
        return http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=TIMEOUT_S, context=self._context), False

    def _view(self, node: str) -> NodeView | None:
        with self._lock:
            if time.monotonic() - self._known_at > KNOWN_S:
                self._known = {view.node: view for view in nodes(self._database, self._clock)}
                self._known_at = time.monotonic()
            return self._known.get(node)


def _away(view: NodeView | None) -> NodeAway:
    if view is None:
        return NodeAway("The machine that received this is not known any more.")
    return NodeAway(
        f"The machine {view.name!r} received this, still holds it and does not answer"
        f" (last sign of life {view.beat_at:%Y-%m-%d %H:%M:%S} UTC). It can be read again when that machine,"
        " or another one with its disk, is back.",
        node=view.name,
        retry_after_s=30,
    )


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of another node."""

    neighbours: Neighbours
    owner: str
    name: str
    gone: type[NotFound]

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes at `offset`."""
        parts: list[bytes] = []
        done = 0
        while done < length:
            part = self.neighbours.fetch(self.owner, self.name, offset + done, min(MOST_BYTES, length - done))
            if part is None:
                raise self.gone
            if not part:
                break
            parts.append(part)
            done += len(part)
        return b"".join(parts)

    def ahead(self, offset: int) -> LandingFile:
        """Fetch a piece from `offset` on, which small reads near there are answered from; for one record's reading."""
        return _Ahead(self, offset, self.pread(AHEAD_BYTES, offset))


@dataclass(frozen=True, slots=True)
class _Ahead:
    file: RemoteFile
    offset: int
    data: bytes

    def pread(self, length: int, offset: int) -> bytes:
        at = offset - self.offset
        if at >= 0 and at + length <= len(self.data):
            return self.data[at : at + length]
        if 0 <= at < len(self.data):
            return self.data[at:] + self.file.pread(at + length - len(self.data), self.offset + len(self.data))
        return self.file.pread(length, offset)

    def ahead(self, offset: int) -> LandingFile:
        del offset
        return self

"""What the listener is handed, and what takes its messages."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

KIB = 1 << 10
MIB = 1 << 20
SMALL_BYTES = 256 * KIB
"""A message that is larger waits for one of `Limits.large_messages` places before more of it is read."""


@dataclass(frozen=True, slots=True)
class Port:
    """Where the listener answers; `name` is what the sink knows it by. Port 0 is any that is free."""

    name: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the listener's memory and patience; no idle timeout (0): probes find connections that are dead."""

    max_message_bytes: int = 50 * MIB
    max_connections: int = 256
    large_messages: int = 4
    message_timeout_s: float = 60.0
    idle_timeout_s: float = 0.0
    under_way: int = 64  # messages of one connection that are not answered yet


@dataclass(frozen=True, slots=True)
class Received:
    """What came in one frame. `ended` is false for what was broken off: no end block, or too large to go on reading."""

    port: str
    peer: str
    frame: bytes = field(repr=False)
    ended: bool = True
    too_large: bool = False


class MessageSink(Protocol):
    """Takes messages durably."""

    def take(self, received: Sequence[Received]) -> Sequence[Sequence[bytes]]:
        """Commit what was received, then return for each what it is answered, in its order; nothing: no answer.

        Nothing is answered before it returns. Where it raises, the connections are closed without an answer, so that
        the senders send again.
        """
        ...

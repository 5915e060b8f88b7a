"""Wrong answers are counted for each link, by its SHA-256: portals lock links, and nobody guesses through us.

Only that a portal was not reached, or that the answer was right, gives an attempt back. `ABC-S1Z` and `abcs1z` are one
token, for portals that read them so.
"""

from __future__ import annotations

import threading
from typing import Protocol

from radrelay.importer.errors import AttemptsSpent
from radrelay.importer.secret import Secret

MOST = 5


def counted_as(host: str, token: Secret) -> Secret:
    """Return what a link is counted by, however its token is spelled."""
    return Secret(f"{host.lower()} {''.join(c for c in token.value.casefold() if c.isalnum()) or token.value}")


class Attempts(Protocol):
    """Counts what is tried; thread-safe."""

    def spend(self, token: Secret) -> int:
        """Take one attempt before it is made, and return how many are left; raises `AttemptsSpent`."""
        ...

    def give_back(self, token: Secret) -> None:
        """Give an attempt back that was right, or that never reached the portal."""
        ...


class AttemptsInMemory:
    """Counts for as long as the process lives."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._spent, self._lock = most, dict[str, int](), threading.Lock()

    def spend(self, token: Secret) -> int:
        """Take one attempt; raises `AttemptsSpent`."""
        with self._lock:
            spent = self._spent.get(token.fingerprint, 0)
            if spent >= self._most:
                raise AttemptsSpent(limit=self._most)
            self._spent[token.fingerprint] = spent + 1
            return self._most - spent - 1

    def give_back(self, token: Secret) -> None:
        """Give one attempt back."""
        with self._lock:
            self._spent[token.fingerprint] = max(0, self._spent.get(token.fingerprint, 0) - 1)

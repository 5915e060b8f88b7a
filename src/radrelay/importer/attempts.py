"""Wrong answers are counted for each link, by its SHA-256: portals lock links, and nobody guesses through us.

Once answers were sent, only that they were right, that the link has expired, or that the portal is busy and asks to
come back gives an attempt back: portals tell in many ways that answers are wrong. `ABC-S1Z` and `abcs1z` are one token,
for portals that read them so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from radrelay.importer.errors import AttemptsSpent, LinkExpiredThere, PortalBusy, PortalTrouble
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
        """Give an attempt back that was right, or that never left this machine."""
        ...


def spend_all(attempts: Attempts, tokens: Sequence[Secret]) -> int:
    """Take an attempt of each of some counters or of none, return how many are left; raises `AttemptsSpent`."""
    left: list[int] = []
    for one in tokens:
        try:
            left.append(attempts.spend(one))
        except AttemptsSpent:
            give_back_all(attempts, tokens[: len(left)])
            raise
    return min(left, default=0)


def give_back_all(attempts: Attempts, tokens: Sequence[Secret]) -> None:
    """Give the attempt back that was taken of each of some counters."""
    for one in tokens:
        attempts.give_back(one)


@contextmanager
def counting(
    attempts: Attempts,
    tokens: Sequence[Secret],
    sent: Callable[[], int],
    uncounted: tuple[type[PortalTrouble], ...] = (LinkExpiredThere, PortalBusy),
) -> Iterator[int]:
    """Take an attempt for what is sent within, and give how many are left; raises `AttemptsSpent`.

    It is given back if all goes well, if a portal says one of `uncounted` (and nobody had to guess that), or if nothing
    left: `sent` counts requests.
    """
    left, before = spend_all(attempts, tokens), sent()
    try:
        yield left
    except Exception as error:
        known = isinstance(error, uncounted) and not error.facts.get("guessed")
        if sent() == before or known:
            give_back_all(attempts, tokens)
        raise
    give_back_all(attempts, tokens)


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

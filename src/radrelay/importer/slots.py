"""Whose turn it is among imports that are fetched here: no portal takes all places, however long it keeps one."""

from __future__ import annotations

import threading
import uuid


class Slots:
    """Which imports are worked on, and from which portal those that are fetched; thread-safe.

    Whoever is fetched from a portal that holds no place takes any. A portal that holds one gets no more than half of
    all, and never the last that is free: an import from elsewhere goes on whatever that portal does. What is checked
    or filed is no portal's any more: it never waits, for it ends by itself, but its place is not free meanwhile.
    """

    def __init__(self, places: int) -> None:
        self._places, self._lock = places, threading.Lock()
        self._taken: dict[uuid.UUID, str | None] = {}
        self._waiting: dict[uuid.UUID, str | None] = {}

    def take(self, case_id: uuid.UUID, host: str | None, *, at_once: bool = False) -> bool:
        """Take a place if it is an import's turn; no `host`: it is checked or filed.

        `at_once`: somebody waits before the page, it always is.
        """
        with self._lock:
            holds = 0 if host is None else sum(one == host for one in self._taken.values())
            free = holds < max(1, self._places // 2) and len(self._taken) + 1 < self._places
            if holds and not free and not at_once:
                self._waiting[case_id] = host
                return False
            self._waiting.pop(case_id, None)
            self._taken[case_id] = host
            return True

    def leave(self, case_id: uuid.UUID) -> tuple[uuid.UUID, ...]:
        """Make a place free again; returns which imports were waiting, whose turn it may be now."""
        with self._lock:
            if case_id not in self._taken:
                return ()
            del self._taken[case_id]
            waiting, self._waiting = tuple(self._waiting), {}
            return waiting

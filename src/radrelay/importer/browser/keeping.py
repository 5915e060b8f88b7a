"""Errands that live on while a person is asked: kept by their import, in this process alone, and for a time.

One that nobody answers, or whose import is given up or goes on elsewhere, is closed. What a crash or an end of the
process takes with it is begun again from its start.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from radrelay.errors import RadrelayError
from radrelay.importer.connectors.ports import Lead, LiveErrand

log = structlog.get_logger(__name__)

LOOK_S = 1.0
AWAY = (RadrelayError, SQLAlchemyError, OSError)
"""What is raised while the database is away, or where a browser has ended already."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An errand that waits, what it follows, and until when (monotonic)."""

    lead: Lead
    errand: LiveErrand
    until: float


class Keeping:
    """Keeps errands that wait for a person. Thread-safe. `awaited` tells whether an import still waits."""

    def __init__(self, awaited: Callable[[uuid.UUID], bool]) -> None:
        self._awaited = awaited
        self._lock, self._over = threading.Lock(), threading.Event()
        self._kept: dict[uuid.UUID, Kept] = {}
        self._watching = False

    def keep(self, case_id: uuid.UUID, lead: Lead, errand: LiveErrand, within_s: float) -> None:
        """Keep an errand for its import."""
        with self._lock:
            before, self._kept[case_id] = self._kept.get(case_id), Kept(lead, errand, time.monotonic() + within_s)
            begin, self._watching = not self._watching, True
            over = self._over.is_set()
        if before is not None:
            _closed(case_id, before.errand)
        if over:
            self.close()
        elif begin:
            threading.Thread(target=self._watch, name="waiting browsers", daemon=True).start()

    def take(self, case_id: uuid.UUID) -> Kept | None:
        """Return the errand of an import, to go on with; none if there is none any more."""
        with self._lock:
            return self._kept.pop(case_id, None)

    def close(self) -> None:
        """Close all of them, and all that are kept from now on."""
        self._over.set()
        self._close_some(lambda case_id, kept: True)

    def _watch(self) -> None:
        try:
            self._look_on()
        except BaseException:
            with self._lock:
                self._watching = False  # the next one that is kept begins anew
            raise

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_S):
            self._close_some(lambda case_id, kept: time.monotonic() > kept.until or not self._is_awaited(case_id))
            with self._lock:
                if not self._kept:
                    self._watching = False
                    return

    def _is_awaited(self, case_id: uuid.UUID) -> bool:
        """Tell whether an import still waits; while the database does not say, it does."""
        try:
            return self._awaited(case_id)
        except AWAY as error:
            log.warning("whether a browser is waited for cannot be told", case=str(case_id), error=type(error).__name__)
            return True

    def _close_some(self, which: Callable[[uuid.UUID, Kept], bool]) -> None:
        with self._lock:
            looked_at = dict(self._kept)
        for case_id, kept in looked_at.items():
            if not which(case_id, kept):
                continue
            with self._lock:
                mine = self._kept.get(case_id) is kept
                if mine:
                    del self._kept[case_id]
            if mine:
                _closed(case_id, kept.errand)


def _closed(case_id: uuid.UUID, errand: LiveErrand) -> None:
    """Close an errand; that its attempt cannot be given back while the database is away keeps no other one open."""
    try:
        errand.close()
    except AWAY as error:
        log.warning("what a browser had taken is not given back", case=str(case_id), error=type(error).__name__)
    log.info("a browser that waited for a person is closed", case=str(case_id))

"""One turn of work on an import: which it is, whether it is still wanted, and how far it is.

An import that was given up, or is worked on by another turn by now, ends a turn at its next look.
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.importer.bounds import Bounds
from radrelay.importer.models import ImportCase
from radrelay.storage.database import Database

LOOK_S = 1.0


class TurnOver(Exception):
    """This turn's work is not wanted any more."""


class TurnBroken(Exception):
    """This process ends; the import is worked on anew."""


@dataclass(slots=True)
class Turn:
    """One turn. `attempt` and `machine` tell it from others on the same import."""

    database: Database
    clock: Clock
    closing: threading.Event
    case_id: uuid.UUID
    organisation_id: uuid.UUID
    state: str
    attempt: int
    machine: str
    bounds: Bounds | None = None
    _looked: float = field(default_factory=time.monotonic)

    def mine(self, session: Session, *, lock: bool = False) -> ImportCase:
        """Return the import if it is still this turn's; raises `TurnOver`. Locked, nobody ends it meanwhile."""
        row = session.get(ImportCase, self.case_id, populate_existing=True, with_for_update=lock or None)
        if row is None or (row.state, row.attempts, row.machine) != (self.state, self.attempt, self.machine):
            raise TurnOver
        return row

    def look(self, have: int | None = None, size: int | None = None, *, packs_since: datetime | None = None) -> None:
        """Look now and then whether it goes on, and write down how many bytes have come; raises `TurnOver`, or
        `ImportTooLong` where it has taken its time.

        `packs_since`: since when the portal is waited for, which packs or does not answer; nothing has come yet.
        """
        if self.closing.is_set():
            raise TurnBroken
        if self.bounds is not None:
            self.bounds.require_time()
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        if have is None:
            with self.database.read() as session:
                known = self.mine(session).packs_since
            if packs_since is None or known == packs_since:
                return
        with self.database.write() as session:
            row = self.mine(session)
            row.packs_since = packs_since
            if have is not None:
                row.bytes_received, row.bytes_expected, row.changed_at = have, size, self.clock.now()

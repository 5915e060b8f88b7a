"""Whether an account still has to accept a text before anything else is open to it; asked with every request.

Which versions are in force is read anew after some seconds, and at once in the process that published one; that an
account has accepted a version never changes, and is remembered.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict

from radrelay.privacy import texts
from radrelay.storage.database import Database

FRESH_S = 5.0
REMEMBERED = 20_000


class Acceptances:
    """Remembers what is in force and who accepted it. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._in_force: dict[uuid.UUID, tuple[float, tuple[uuid.UUID, ...]]] = {}
        self._accepted: OrderedDict[tuple[uuid.UUID, tuple[uuid.UUID, ...]], None] = OrderedDict()

    def owes(self, organisation_id: uuid.UUID, account_id: uuid.UUID) -> bool:
        """Say whether an account has to accept something first."""
        wanted = self._wanted(organisation_id)
        if not wanted:
            return False
        key = (account_id, wanted)
        with self._lock:
            if key in self._accepted:
                self._accepted.move_to_end(key)
                return False
        with self._database.read() as session:
            accepted = texts.accepted_by(session, account_id, wanted)
        if set(wanted) - accepted:
            return True
        with self._lock:
            self._accepted[key] = None
            while len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)
        return False

    def look_again(self) -> None:
        """Forget what is in force: something was published, or is required no more."""
        with self._lock:
            self._in_force.clear()

    def _wanted(self, organisation_id: uuid.UUID) -> tuple[uuid.UUID, ...]:
        now = time.monotonic()
        with self._lock:
            known = self._in_force.get(organisation_id)
        if known is not None and known[0] > now:
            return known[1]
        with self._database.read() as session:
            found = tuple(text.id for text in texts.required(session, organisation_id) if text.id is not None)
        with self._lock:
            self._in_force[organisation_id] = (now + FRESH_S, found)
        return found

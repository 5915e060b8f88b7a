"""Wrong answers counted in the database, for all machines and over restarts; forgotten after a week."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from radrelay.clock import Clock
from radrelay.importer.errors import AttemptsSpent
from radrelay.importer.models import LinkAttempt
from radrelay.importer.secret import Secret
from radrelay.storage.database import Database

KEPT = timedelta(days=7)


class AttemptsKept:
    """Counts what is tried; thread-safe."""

    def __init__(self, database: Database, clock: Clock, most: int) -> None:
        self._database, self._clock, self._most = database, clock, most

    def spend(self, token: Secret) -> int:
        """Take one attempt; raises `AttemptsSpent`."""
        now = self._clock.now()
        with self._database.write() as session:
            new = {"fingerprint": token.fingerprint, "spent": 0, "last_at": now}
            session.execute(insert(LinkAttempt).on_conflict_do_nothing(index_elements=["fingerprint"]), [new])
            row = session.get_one(LinkAttempt, token.fingerprint, with_for_update=True)
            if now - row.last_at > KEPT:
                row.spent = 0
            if row.spent >= self._most:
                raise AttemptsSpent(limit=self._most)
            row.spent += 1
            row.last_at = now
            return self._most - row.spent

    def give_back(self, token: Secret) -> None:
        """Give one attempt back."""
        with self._database.write() as session:
            row = session.get(LinkAttempt, token.fingerprint, with_for_update=True)
            if row is not None:
                row.spent = max(0, row.spent - 1)

    def forget(self) -> int:
        """Forget what was tried long ago; returns for how many links."""
        old = sa.delete(LinkAttempt).where(LinkAttempt.last_at < self._clock.now() - KEPT)
        with self._database.write() as session:
            gone = session.execute(old, execution_options={"synchronize_session": False})
            return int(getattr(gone, "rowcount", 0) or 0)

"""What one process of an installation at a time does: it leads while it renews a row, by the database's clock."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import msgspec

from radrelay.clock import Clock
from radrelay.storage.database import Database
from radrelay.storage.models import NodeState
from radrelay.storage.nodes import alone_in, moment

LASTS = timedelta(seconds=30)
RENEW_S = 10.0


class _Lead(msgspec.Struct, frozen=True):
    holder: str
    until: datetime


class Leadership:
    """One process's part in leading `name`; `holder` tells it from all others that live. For one thread."""

    def __init__(self, database: Database, clock: Clock, name: str, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._row = f"lead/{name}"
        self._holder = holder
        self._renewed_at = float("-inf")

    def held(self) -> bool:
        """Say whether this process leads, for some seconds from now; raises `Unavailable` without the database."""
        begun = time.monotonic()
        if begun - self._renewed_at < RENEW_S:
            return True
        with self._database.write() as session:
            alone_in(session)
            now = moment(session, self._clock)
            row = session.get(NodeState, self._row)
            lead = None if row is None else msgspec.msgpack.decode(row.value, type=_Lead)
            if lead is not None and lead.holder != self._holder and now < lead.until <= now + LASTS:
                self._renewed_at = float("-inf")
                return False
            value = msgspec.msgpack.encode(_Lead(self._holder, now + LASTS))
            session.merge(NodeState(name=self._row, value=value))
        self._renewed_at = begun
        return True

"""Signs of life of the roles: one row per role and node, kept fresh by its process."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.storage.database import Database
from radrelay.storage.models import NodeState

PARENT = "RADRELAY_SERVED_BY"  # process id of the `radrelay serve` that started this role
ALIVE = timedelta(seconds=20)


class Beat(msgspec.Struct, frozen=True):
    """One role's sign of life, kept in `node_state` under `role/<name>/<data directory>`."""

    name: str
    node: str
    pid: int
    at: datetime
    data: str = ""  # the data directory's `node_id`


def beats(database: Database) -> list[Beat]:
    """Return the latest sign of life of each role."""
    with database.read() as session:
        return beats_in(session)


def beats_in(session: Session) -> list[Beat]:
    """Return the same within a transaction."""
    rows = session.scalars(sa.select(NodeState.value).where(NodeState.name.startswith("role/"))).all()
    return [msgspec.msgpack.decode(value, type=Beat) for value in rows]

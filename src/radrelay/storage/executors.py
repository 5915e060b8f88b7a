"""Who does durable work, and who has stopped: signs of life that each executor watches by its own clock.

An executor is a process of the role `work`. It changes its row every few seconds. Another that sees the row stand
still for a minute of its own time, in which it could read all the while, may take its workflows over. It removes the
row then; an executor that was only held up finds it gone and ends, and begins nothing new before it has looked.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.storage.database import Database
from radrelay.storage.models import NodeState
from radrelay.storage.nodes import LeaseLost

TICK_S = 5.0
SILENT_S = 60.0  # of an executor that is taken for dead
GAP_S = 20.0  # between two of one's own looks, beyond which others' silence says nothing
FRESH_S = 30.0  # since one's own last sign of life, within which nobody can have taken over
PREFIX = "executor/"


@dataclass(slots=True)
class _Sight:
    sign: bytes | None
    since: float


class ExecutorWatch:
    """One executor's own sign of life and its view of the others; `own` is its name."""

    def __init__(self, database: Database, own: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._own = own
        self._monotonic = monotonic
        self._sign: bytes | None = None
        self._tried: bytes | None = None
        """The sign of the last transaction: it may be stored although the commit was not heard of."""
        self._looked_at = float("-inf")
        self._seen: dict[str, _Sight] = {}

    def fresh(self) -> bool:
        """Say whether nobody can have taken this executor for dead; else nothing new may begin."""
        return self._monotonic() - self._looked_at < FRESH_S

    def tick(self, others: Collection[str]) -> dict[str, bytes | None]:
        """Give a sign of life; return those of `others` that are silent, with their last sign.

        Raises `LeaseLost` if this executor was taken for dead: its workflows run elsewhere.
        """
        begun = self._monotonic()
        with self._database.write() as session:
            self._give_sign(session)
            names = [PREFIX + name for name in others]
            rows = session.execute(sa.select(NodeState.name, NodeState.value).where(NodeState.name.in_(names)))
            signs = {name.removeprefix(PREFIX): bytes(value) for name, value in rows}
        self._sign = self._tried
        if begun - self._looked_at > GAP_S:
            self._seen.clear()
        self._looked_at = begun
        seen, self._seen = self._seen, {}
        for name in others:
            before, sign = seen.get(name), signs.get(name)
            self._seen[name] = before if before is not None and before.sign == sign else _Sight(sign, begun)
        return {name: sight.sign for name, sight in self._seen.items() if begun - sight.since >= SILENT_S}

    def _give_sign(self, session: Session) -> None:
        if self._tried is not None:
            own = NodeState.name == PREFIX + self._own
            stored = session.scalar(sa.select(NodeState.value).where(own).with_for_update())
            if stored not in (self._sign, self._tried):
                raise LeaseLost
            self._sign = stored
        sign = self._tried = uuid.uuid4().bytes
        session.merge(NodeState(name=PREFIX + self._own, value=sign))
        session.flush()

    def leave(self) -> None:
        """Say that this executor has stopped."""
        with self._database.write() as session:
            session.execute(
                sa.delete(NodeState).where(NodeState.name == PREFIX + self._own), execution_options=_UNTRACKED
            )


def bury(session: Session, name: str, sign: bytes | None) -> bool:
    """Take an executor for dead in the caller's transaction; false if it gave a sign since `sign`."""
    if sign is None:
        found = session.scalar(sa.select(NodeState.name).where(NodeState.name == PREFIX + name))
        return found is None
    return _changed(session, sa.delete(NodeState).where(NodeState.name == PREFIX + name, NodeState.value == sign))


def _changed(session: Session, statement: sa.Update | sa.Delete) -> bool:
    done = session.execute(statement, execution_options=_UNTRACKED)
    return cast("sa.CursorResult[object]", done).rowcount == 1


_UNTRACKED = {"synchronize_session": False}

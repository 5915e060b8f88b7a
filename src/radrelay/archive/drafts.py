"""Drafts: packs that are being written, each a row in `erasure` that its writer keeps fresh.

Only with its draft can a pack be adopted. What a killed process leaves is known by a draft that nobody touches, and
destroyed by it: first the key, then the bytes. A writer that lives touches its draft every minute, however long a
series takes; one that was taken for dead (its machine slept) is refused at adoption and writes again.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.archive.tables import ERASURE
from radrelay.clock import Clock
from radrelay.errors import Unavailable
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

DRAFT = "draft"
DRAFT_AGE = timedelta(minutes=10)
TOUCH_S = 60.0


class Drafts:
    """One installation's drafts; thread-safe."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @contextmanager
    def kept_fresh(self, pack_id: uuid.UUID, organisation_id: uuid.UUID, name: str) -> Iterator[None]:
        """Write a draft for the pack `name` and touch it until the block ends; the row is the block's to take away."""
        row = {
            "id": pack_id,
            "organisation_id": organisation_id,
            "kind": DRAFT,
            "name": name,
            "instance_id": None,
            "requested_at": self._clock.now(),
            "destroyed_at": None,
            "done_at": None,
        }
        with self._database.write() as session:
            session.execute(sa.insert(ERASURE), [row])
        stop = threading.Event()
        toucher = threading.Thread(target=self._touch, args=(pack_id, stop), name="draft", daemon=True)
        toucher.start()
        try:
            yield
        finally:
            stop.set()
            toucher.join()

    def forget(self, pack_id: uuid.UUID) -> None:
        """Take a draft away whose key is destroyed; one that others abandoned stays theirs."""
        with self._database.write() as session:
            take(session, pack_id)

    def abandon_old(self) -> int:
        """Have packs destroyed whose writer has not touched their draft for ten minutes; returns how many."""
        before = self._clock.now() - DRAFT_AGE
        old = (ERASURE.c.kind == DRAFT, ERASURE.c.requested_at < before)
        with self._database.read() as session:
            if session.scalar(sa.select(ERASURE.c.id).where(*old).limit(1)) is None:
                return 0
        with self._database.write() as session:  # asked again: one may have been touched just now
            done = session.execute(sa.update(ERASURE).where(*old).values(kind="pack"))
            return cast("sa.CursorResult[object]", done).rowcount

    def _touch(self, pack_id: uuid.UUID, stop: threading.Event) -> None:
        while not stop.wait(TOUCH_S):
            try:
                with self._database.write() as session:
                    session.execute(
                        sa.update(ERASURE)
                        .where(ERASURE.c.id == pack_id, ERASURE.c.kind == DRAFT)
                        .values(requested_at=self._clock.now())
                    )
            except (Unavailable, sa.exc.SQLAlchemyError) as error:  # the next touch may still be in time
                log.warning("draft not touched", pack=str(pack_id), error=type(error).__name__)


def take(session: Session, pack_id: uuid.UUID) -> bool:
    """Take a pack's draft away, in the caller's transaction; false if it was abandoned meanwhile."""
    done = session.execute(sa.delete(ERASURE).where(ERASURE.c.id == pack_id, ERASURE.c.kind == DRAFT))
    return cast("sa.CursorResult[object]", done).rowcount == 1

"""Give landing segments back that nobody needs, and clear up after owners that are gone.

A segment goes when the indexer has finished it and no landing record in it has a row any more: all of it is packed,
deleted, or was a duplicate.
"""

from __future__ import annotations

import threading

import sqlalchemy as sa
import structlog

from radrelay.errors import RadrelayError, Unavailable
from radrelay.storage.database import Database
from radrelay.storage.models import LandingCursor, LandingRecord
from radrelay.storage.segment_owner import is_passing
from radrelay.storage.segments import SegmentReader

log = structlog.get_logger(__name__)

EVERY_S = 30.0


class LandingUpkeep:
    """Frees segments; for one thread of the role that indexes."""

    def __init__(self, database: Database, reader: SegmentReader) -> None:
        self._database = database
        self._reader = reader

    def run(self, stop: threading.Event) -> None:
        """Look every half minute until `stop` is set."""
        while not stop.wait(EVERY_S):
            try:
                self.run_once()
            except Unavailable as error:
                log.info("landing upkeep waits", reason=error.code)
            except OSError as error:
                log.warning("landing upkeep failed; it is tried again", error=error.strerror)

    def run_once(self) -> int:
        """Free what can be freed; returns how many segments."""
        with self._database.read() as session:
            needed = sa.exists().where(
                LandingRecord.owner == LandingCursor.owner, LandingRecord.segment == LandingCursor.segment
            )
            rows = session.execute(
                sa.select(LandingCursor.owner, LandingCursor.segment, LandingCursor.epoch).where(
                    LandingCursor.finished, ~needed
                )
            ).all()
        freed = 0
        for owner, segment, epoch in rows:
            if self._reader.is_here(owner) and self._reader.free(owner, segment, epoch):
                self._forget(owner, segment, epoch)
                freed += 1
        recover_dead_owners(self._reader)
        for owner in self._reader.owners():
            if is_passing(owner):
                self._clear_up(owner)
        return freed

    def _clear_up(self, owner: str) -> None:
        try:
            self._reader.clear_up(owner)
        except OSError as error:  # one that cannot be cleared up must not keep the others
            log.warning("an import's folder cannot be cleared up; it is tried again", owner=owner, error=error.strerror)

    def _forget(self, owner: str, segment: int, epoch: int) -> None:
        with self._database.write() as session:
            session.execute(
                sa.delete(LandingCursor).where(
                    LandingCursor.owner == owner, LandingCursor.segment == segment, LandingCursor.epoch == epoch
                ),
                execution_options={"synchronize_session": False},
            )


def recover_dead_owners(reader: SegmentReader) -> None:
    """Take over what imports and roles left that were killed and do not start again here."""
    for owner in reader.owners():
        try:
            if any(not segment.sealed for segment in reader.segments(owner)):
                reader.recover(owner)
        except (RadrelayError, OSError) as error:  # one that is damaged must not keep the index waiting
            log.error("what a dead process left cannot be recovered", owner=owner, error=str(error))

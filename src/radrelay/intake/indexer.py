"""Tails the landing segments of every owner of this node and takes what is durable there into rows.

Flow: durable records from the cursor on → examined (scan, heads) → one transaction of rows and cursor. A crash
at any moment means going on from the cursor; a database or scanner that is away means waiting, with everything safe
in the segments. One indexer runs at a time, guarded by a lock in the data directory.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Unavailable
from radrelay.intake.diversion import Diversion
from radrelay.intake.errors import ScannerUnavailable
from radrelay.intake.examine import Examined, Examiner
from radrelay.intake.rows import BatchWriter
from radrelay.intake.scan import Scanner
from radrelay.intake.upkeep import recover_dead_owners
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.models import LandingCursor
from radrelay.storage.nodes import Lease, guard
from radrelay.storage.segments import ScanResult, SegmentGone, SegmentInfo, SegmentReader

log = structlog.get_logger(__name__)

BATCH_RECORDS = 500
SCANNED_BATCH_RECORDS = 32
SHORTEST_WAIT_S = 0.01
LONGEST_WAIT_S = 0.2
GATHER_S = 0.25
"""While objects stream in, so many seconds' worth become one transaction: per batch, the statements and the sync of
the commit cost as much as some forty objects, and take the disk from those that wait to be acknowledged."""
LONGEST_BACKOFF_S = 10.0


@dataclass(frozen=True, slots=True)
class _Place:
    """How far one segment of an owner's log is read."""

    segment: int
    epoch: int
    position: int = 0
    finished: bool = False


class Indexer:
    """Takes landed records into the index; for one thread."""

    def __init__(
        self,
        database: Database,
        reader: SegmentReader,
        settings: Settings,
        clock: Clock,
        diversion: Diversion,
        lease: Lease | None = None,
    ) -> None:
        self._database = database
        self._reader = reader
        self._settings = settings
        self._clock = clock
        self._lease = lease
        scanner = Scanner(settings.intake.clamd) if settings.intake.clamd else None
        self._examiner = Examiner(reader, scanner)
        self._batch_records = SCANNED_BATCH_RECORDS if scanner else BATCH_RECORDS
        self._writer = BatchWriter(settings, diversion)
        self._places: dict[tuple[str, int], _Place] | None = None
        self._waiting_for = ""

    def run(self, stop: threading.Event) -> None:
        """Index until `stop` is set; waits for the lock first, in case another process has it."""
        with indexer_lock(self._settings.data_dir / "landing" / "indexer.lock", stop) as held:
            if held:
                recover_dead_owners(self._reader)
            wait_s, backoff_s = SHORTEST_WAIT_S, SHORTEST_WAIT_S
            while held and not stop.is_set():
                try:
                    count = self.run_once()
                except Unavailable as error:
                    self._places = None
                    backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
                    self._note_waiting(error)
                    stop.wait(backoff_s)
                    continue
                except Exception:  # why: the index must go on by itself; nothing is lost while it waits
                    log.exception("indexing failed; it is tried again")
                    self._places = None
                    backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
                    stop.wait(backoff_s)
                    continue
                self._note_going_on()
                backoff_s = SHORTEST_WAIT_S
                wait_s = SHORTEST_WAIT_S if count else min(wait_s * 2, LONGEST_WAIT_S)
                if count < self._batch_records:
                    stop.wait(GATHER_S if count else wait_s)
        self._examiner.close()

    def run_once(self) -> int:
        """Take one batch of every owner that has something durable; returns how many records.

        Raises `Unavailable` when the database or the scanner does not answer, after the owners that need neither.
        """
        if self._places is None:
            self._places = self._load_places()
        total, away = 0, None
        for owner in self._reader.owners():
            try:
                total += self._index_owner(owner)
            except ScannerUnavailable as error:
                away = error
        if away is not None and not total:
            raise away
        return total

    def _note_waiting(self, error: Unavailable) -> None:
        if self._waiting_for != error.code:
            self._waiting_for = error.code
            log.warning("indexing waits; what has landed is safe", reason=error.code)

    def _note_going_on(self) -> None:
        if self._waiting_for:
            log.info("indexing goes on", after=self._waiting_for)
            self._waiting_for = ""

    def backlog(self) -> int:
        """Return how many durable records of this node have no rows yet; of many, at least a batch's worth."""
        self._places = self._load_places()
        total = 0
        for owner in self._reader.owners():
            for segment in self._reader.segments(owner):
                place = self._place(owner, segment)
                if not place.finished and total < self._batch_records:
                    total += self._waiting_in(owner, place)
        return total

    def _waiting_in(self, owner: str, place: _Place) -> int:
        try:
            return len(self._reader.scan(owner, place.segment, place.epoch, place.position, BATCH_RECORDS).records)
        except SegmentGone:
            return 0

    def _load_places(self) -> dict[tuple[str, int], _Place]:
        with self._database.read() as session:
            return {
                (row.owner, row.segment): _Place(row.segment, row.epoch, row.position, row.finished)
                for row in session.scalars(sa.select(LandingCursor))
                if self._reader.is_here(row.owner)
            }

    def _index_owner(self, owner: str) -> int:
        """Take the next records of an owner's log, a transaction per segment; returns how many, about a batch."""
        total = 0
        for segment in self._reader.segments(owner):
            place = self._place(owner, segment)
            if place.finished:
                continue
            try:
                result = self._reader.scan(owner, place.segment, place.epoch, place.position, self._batch_records)
            except SegmentGone:
                continue
            total += len(result.records)
            for damaged in result.damaged:
                log.critical("a landed record is damaged on disk", owner=owner, record=str(damaged.record_id))
            if result.position > place.position or result.segment_finished:
                self._take(owner, place, result)
            if total >= self._batch_records or not result.segment_finished:
                break
        return total

    def _place(self, owner: str, segment: SegmentInfo) -> _Place:
        """Return how far a segment is read; a file that became another segment (by its epoch) is new."""
        known = (self._places or {}).get((owner, segment.number))
        return known if known is not None and known.epoch == segment.epoch else _Place(segment.number, segment.epoch)

    def _take(self, owner: str, place: _Place, result: ScanResult) -> None:
        """Examine one scan's records and write them with the cursor."""
        batch = self._examiner.examine(result.records)
        try:
            self._write(owner, place, result, batch)
        except Unavailable:
            raise
        except Exception:  # why: one object that no table takes must not stop all behind it; it is found below
            log.exception("a batch could not be indexed; its records are tried one by one", owner=owner)
            self._write_each(owner, place, result, batch)
        if self._places is not None:
            moved = _Place(place.segment, place.epoch, result.position, result.segment_finished)
            self._places[owner, place.segment] = moved

    def _write(self, owner: str, place: _Place, result: ScanResult, batch: Sequence[Examined]) -> None:
        now = self._clock.now()
        with self._database.write() as session:
            self._guard(session)
            if batch:
                self._writer.write(session, batch, now)
            _move_cursor(session, owner, place, result.position, finished=result.segment_finished)

    def _write_each(self, owner: str, place: _Place, result: ScanResult, batch: Sequence[Examined]) -> None:
        """Write the batch in one transaction again, each record in a savepoint; what fails goes to the quarantine."""
        now = self._clock.now()
        with self._database.write() as session:
            self._guard(session)
            for item in batch:
                self._write_alone(session, item, now)
            _move_cursor(session, owner, place, result.position, finished=result.segment_finished)

    def _guard(self, session: Session) -> None:
        """Refuse to write for a node that another machine has taken over."""
        if self._lease is not None:
            guard(session, self._lease)

    def _write_alone(self, session: Session, item: Examined, now: datetime) -> None:
        try:
            with session.begin_nested():
                self._writer.write(session, [item], now)
        except Unavailable:
            raise
        except Exception as error:  # why: as above; the record's bytes are kept for a person to look at
            log.exception("a record could not be indexed", record=str(item.location.record_id))
            reason = f"It could not be indexed ({type(error).__name__})."
            aside = Examined(item.location, item.envelope, None, "not-indexed", reason)
            with session.begin_nested():
                self._writer.write(session, [aside], now)


def _move_cursor(session: Session, owner: str, place: _Place, position: int, *, finished: bool) -> None:
    key = {"owner": owner, "segment": place.segment}
    moved = session.execute(
        sa.update(LandingCursor)
        .where(LandingCursor.owner == owner, LandingCursor.segment == place.segment)
        .values(epoch=place.epoch, position=position, finished=finished)
    )
    if not getattr(moved, "rowcount", 0):
        values = {**key, "epoch": place.epoch, "position": position, "finished": finished}
        session.execute(sa.insert(LandingCursor), [values])


class indexer_lock:  # noqa: N801 — used like a function, in a with statement
    """Holds the indexer's lock file while inside; entering gives False when `stop` was set before it was free."""

    def __init__(self, path: Path, stop: threading.Event, poll_s: float = 0.5) -> None:
        self._path = path
        self._stop = stop
        self._poll_s = poll_s
        self._descriptor = -1

    def __enter__(self) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if self._stop.wait(self._poll_s):
                    return False

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

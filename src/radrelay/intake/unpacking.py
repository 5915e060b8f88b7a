"""The durable job that unpacks a landed archive: at least once, adding nothing the second time.

`ArchiveUnpacker.attempt` ends in one of four ways, all noted in rows or in the log: unpacked, waiting for what is away,
to be tried again, or set aside in the quarantine with a finding. None of them leaves the parcel open for ever.
"""

from __future__ import annotations

import threading
import uuid

import structlog

from radrelay.errors import RadrelayError
from radrelay.intake.envelope import Envelope, Origin, decode
from radrelay.intake.errors import QuotaExceeded
from radrelay.intake.landing import Landing
from radrelay.intake.models import OpenArchive
from radrelay.intake.open_archives import UNPACK_FAILED, drop_archive, is_away, note_failure, note_wait
from radrelay.intake.scratch import RecordSource
from radrelay.intake.unpack import Unpacked, Unpacker
from radrelay.storage.database import Database
from radrelay.storage.models import Erasure, LandingRecord
from radrelay.storage.segments import (
    RecordGone,
    RecordLocation,
    ScannedRecord,
    SegmentGone,
    SegmentReader,
)

log = structlog.get_logger(__name__)


class ArchiveUnpacker:
    """Unpacks landed archives into this process's landing; thread-safe."""

    def __init__(self, database: Database, reader: SegmentReader, landing: Landing) -> None:
        self._database = database
        self._reader = reader
        self._landing = landing
        self._busy: set[uuid.UUID] = set()
        self._lock = threading.Lock()

    def attempt(self, record_id: uuid.UUID) -> None:
        """Unpack the archive in landing record `record_id`, or note what is to become of it.

        Does nothing while another thread unpacks it. Raises `Unavailable` only when not even that can be noted; the
        archive is handed over again then.
        """
        with self._lock:
            if record_id in self._busy:
                return
            self._busy.add(record_id)
        try:
            self.unpack(record_id)
        except Exception as error:  # why: whatever it was, the parcel must not stay open without anyone knowing
            self._note(record_id, error)
        finally:
            with self._lock:
                self._busy.discard(record_id)

    def unpack(self, record_id: uuid.UUID) -> Unpacked:
        """Unpack the archive in landing record `record_id`; at its end its raw bytes are given free.

        Does nothing when it was unpacked before. Raises `OutOfResources` and its kin when there is no room, and
        `Unavailable` when the database is away.
        """
        found = self._find(record_id)
        if found is None:
            return Unpacked()
        location, envelope = found
        unpacked = Unpacker(self._landing, envelope.origin, record_id).unpack(RecordSource(self._reader, location))
        self._landing.end(envelope.origin, record_id)
        log.info("archive unpacked", archive=str(record_id), files=unpacked.files, kept=unpacked.kept)
        return unpacked

    def _note(self, record_id: uuid.UUID, error: Exception) -> None:
        reason = _reason(error)
        now = self._landing.clock.now()
        if is_away(error):
            log.warning("archive waits to be unpacked", archive=str(record_id), reason=reason)
            with self._database.write() as session:
                note_wait(session, record_id, reason, now)
            return
        log.error("archive could not be unpacked", archive=str(record_id), exc_info=error)
        with self._database.write() as session:
            last = note_failure(session, record_id, reason, now)
        if last or isinstance(error, QuotaExceeded):
            self._set_aside(record_id, reason)

    def _set_aside(self, record_id: uuid.UUID, reason: str) -> None:
        """Close the archive as failed, after everything of it that has landed."""
        with self._database.read() as session:
            row = session.get(OpenArchive, record_id)
        if row is None:
            return
        origin = Origin(
            row.organisation_id, row.source_id, "", correlation_id=row.correlation_id, parcel_id=row.parcel_id
        )
        text = f"The archive could not be unpacked to its end: {reason} It is kept in the quarantine."
        self._landing.end(origin, record_id, UNPACK_FAILED, text)

    def _find(self, record_id: uuid.UUID) -> tuple[RecordLocation, Envelope] | None:
        with self._database.read() as session:
            if session.get(OpenArchive, record_id) is None:
                return None
            row = session.get(LandingRecord, record_id)
            location = location_of(row) if row is not None and session.get(Erasure, record_id) is None else None
        record = None if location is None else read_record(self._reader, location)
        if location is None or record is None:
            self._drop(record_id)
            return None
        return location, decode(record.envelope)

    def _drop(self, record_id: uuid.UUID) -> None:
        """Close an archive whose bytes are no more: it was being unpacked when the backup was made that came back."""
        log.error("an archive is gone that was still to be unpacked", archive=str(record_id))
        with self._database.write() as session:
            text = "Its bytes are no more: they were not in the backup that was restored."
            drop_archive(session, record_id, "archive-gone", text, self._landing.clock.now())


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, RadrelayError) else f"{type(error).__name__}: {error}"[:400]


def location_of(row: LandingRecord) -> RecordLocation:
    """Return where a row's record lies."""
    return RecordLocation(row.id, row.owner, row.segment, row.epoch, row.offset, row.length)


def read_record(reader: SegmentReader, location: RecordLocation) -> ScannedRecord | None:
    """Return a record's envelope and head, none if it was erased or freed; raises `RecordDamaged`."""
    try:
        return reader.record(location)
    except (SegmentGone, RecordGone):
        return None

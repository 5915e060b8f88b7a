"""The durable job that unpacks a landed archive: at least once, adding nothing the second time."""

from __future__ import annotations

import uuid

import structlog

from radrelay.intake.envelope import Envelope, decode
from radrelay.intake.landing import Landing
from radrelay.intake.scratch import RecordSource
from radrelay.intake.unpack import Unpacked, Unpacker
from radrelay.storage.database import Database
from radrelay.storage.models import Erasure, LandingRecord
from radrelay.storage.segments import RecordGone, RecordLocation, ScannedRecord, SegmentGone, SegmentReader

log = structlog.get_logger(__name__)


class ArchiveUnpacker:
    """Unpacks landed archives into this process's landing; thread-safe."""

    def __init__(self, database: Database, reader: SegmentReader, landing: Landing) -> None:
        self._database = database
        self._reader = reader
        self._landing = landing

    def unpack(self, record_id: uuid.UUID) -> Unpacked:
        """Unpack the archive in landing record `record_id`; at its end its raw bytes are given free.

        Does nothing when it was unpacked before. Raises `OutOfResources` and its kin when there is no room, and
        `Unavailable` when the database is away: try again then.
        """
        found = self._find(record_id)
        if found is None:
            return Unpacked()
        location, envelope = found
        unpacked = Unpacker(self._landing, envelope.origin, record_id).unpack(RecordSource(self._reader, location))
        self._landing.end(envelope.origin, record_id)
        log.info("archive unpacked", archive=str(record_id), files=unpacked.files, kept=unpacked.kept)
        return unpacked

    def _find(self, record_id: uuid.UUID) -> tuple[RecordLocation, Envelope] | None:
        with self._database.read() as session:
            row = session.get(LandingRecord, record_id)
            if row is None or session.get(Erasure, record_id) is not None:
                return None
            location = location_of(row)
        record = read_record(self._reader, location)
        return (location, decode(record.envelope)) if record is not None else None


def location_of(row: LandingRecord) -> RecordLocation:
    """Return where a row's record lies."""
    return RecordLocation(row.id, row.owner, row.segment, row.epoch, row.offset, row.length)


def read_record(reader: SegmentReader, location: RecordLocation) -> ScannedRecord | None:
    """Return a record's envelope and head, none if it was erased or freed."""
    try:
        return reader.record(location)
    except (SegmentGone, RecordGone):
        return None

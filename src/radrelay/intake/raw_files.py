"""Files that are kept as they came until a person has checked what is in them: noted, read, ended.

A raw file's id is its landing record's. It ends with its source's time or after `importer.keep_raw_s`, whichever comes
first, and with what was filed of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.arrivals import Terms
from radrelay.archive.discard import bury, chunks, discard_records
from radrelay.archive.holdings import after
from radrelay.archive.kept_keys import Copy
from radrelay.archive.locking import lock_archive
from radrelay.clock import Clock
from radrelay.errors import NotFound
from radrelay.intake.envelope import Envelope
from radrelay.intake.models import RawFile
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id
from radrelay.storage.models import LandingRecord
from radrelay.storage.segments import RecordLocation


class RawFileGone(NotFound):
    """What came is no more: its time is over, or it was deleted."""

    code = "raw-file-gone"


def raw_row(record_id: uuid.UUID, envelope: Envelope, source: Terms | None, longest_s: float) -> dict[str, Any]:
    """Return the row of a file that has landed; `longest_s` is for how long it is kept at most."""
    received, origin = envelope.received_at, envelope.origin
    ends = [received + timedelta(seconds=longest_s)]
    if source is not None:
        spans = (source.retention_s, source.max_age_s)
        ends += [moment for span in spans if (moment := after(received, span)) is not None]
    return {
        "id": record_id,
        "organisation_id": origin.organisation_id,
        "source_id": origin.source_id,
        "parcel_id": origin.parcel_id or new_id(),
        "thing": envelope.thing,
        "file_name": envelope.file_name,
        "size": envelope.size,
        "received_at": received,
        "ends_at": min(ends),
    }


def located(session: Session, parcel_id: uuid.UUID) -> list[tuple[RawFile, RecordLocation]]:
    """Return a parcel's files in the order in which they came, and where their bytes are."""
    asked = (
        sa.select(RawFile, LandingRecord)
        .join(LandingRecord, LandingRecord.id == RawFile.id)
        .where(RawFile.parcel_id == parcel_id)
        .order_by(RawFile.received_at, RawFile.id)
    )
    found = []
    for raw, record in session.execute(asked):
        place = RecordLocation(record.id, record.owner, record.segment, record.epoch, record.offset, record.length)
        found.append((raw, place))
    return found


def discard_raw(session: Session, parcel_ids: Collection[uuid.UUID], reason: str, now: datetime) -> int:
    """Have all files of some parcels erased, in the caller's transaction; returns how many."""
    asked = sa.select(RawFile.organisation_id, RawFile.id).where(RawFile.parcel_id.in_(parcel_ids))
    return _erase(session, [(one.organisation_id, one.id) for one in session.execute(asked)], reason, now)


def discard_files(
    session: Session, organisation_id: uuid.UUID, record_ids: Collection[uuid.UUID], reason: str, now: datetime
) -> None:
    """Have some files erased, which have their rows, in the caller's transaction."""
    if record_ids:
        _erase(session, [(organisation_id, one) for one in record_ids], reason, now)


def forget_raw(session: Session, record_id: uuid.UUID, at: datetime) -> None:
    """Drop a file that these rows still have though it was deleted since (a backup was restored)."""
    row = session.get(RawFile, record_id)
    if row is not None:
        discard_records(session, row.organisation_id, [row.id], at)
        session.delete(row)


def lose_raw(session: Session, record_ids: Sequence[uuid.UUID]) -> list[Copy]:
    """Take files out whose bytes are lost with a machine's disk; returns what was copied elsewhere may be of."""
    rows = session.scalars(sa.select(RawFile).where(RawFile.id.in_(record_ids))).all()
    for row in rows:
        session.delete(row)
    return [Copy(row.id, row.organisation_id, row.parcel_id, None) for row in rows]


class RawFiles:
    """One installation's raw files; thread-safe."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def expire(self, limit: int = 500) -> int:
        """Have files erased whose time is over; returns how many."""
        now = self._clock.now()
        over = sa.select(RawFile.organisation_id, RawFile.id).where(RawFile.ends_at <= now).limit(limit)
        with self._database.read() as session:
            if session.execute(over.limit(1)).first() is None:
                return 0
        with self._database.write() as session:
            lock_archive(session)
            return _erase(session, [(one.organisation_id, one.id) for one in session.execute(over)], "expired", now)


def _erase(session: Session, found: Sequence[tuple[uuid.UUID, uuid.UUID]], reason: str, now: datetime) -> int:
    for organisation_id in {owner for owner, _ in found}:
        ids = [record_id for owner, record_id in found if owner == organisation_id]
        bury(session, organisation_id, "raw", ids, now, reason)
        discard_records(session, organisation_id, ids, now)
        for chunk in chunks(ids):
            gone = sa.delete(RawFile).where(RawFile.id.in_(chunk))
            session.execute(gone, execution_options={"synchronize_session": False})
    return len(found)

"""Archives that have landed and are not unpacked yet: handed over again and again until each has ended.

What is away (database, disk, store) is waited for without end, with growing pauses; the waiting time stands in the row,
so nothing sleeps and a restart changes nothing. A real failure is tried a few times, then the archive goes to the
quarantine and its parcel fails with a finding. Its source's time ends an archive as it ends everything else.
"""

from __future__ import annotations

import errno
import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.arrivals import Terms
from radrelay.archive.discard import bury, discard_records
from radrelay.archive.holdings import after, end_of
from radrelay.archive.kept_keys import keep_archive
from radrelay.archive.locking import lock_archive
from radrelay.clock import Clock
from radrelay.errors import OutOfResources, Unavailable
from radrelay.intake.envelope import Envelope
from radrelay.intake.errors import QuotaExceeded
from radrelay.intake.examine import Examined
from radrelay.intake.models import OpenArchive, ParcelFinding, ParcelStudy, Quarantined
from radrelay.intake.tally import close_archive
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id
from radrelay.storage.models import LandingRecord
from radrelay.storage.outbox import emit

LANDED = "parcel.landed"
UNPACK_FAILED = "unpack-failed"
LEASE = timedelta(minutes=15)  # handed over, and not heard of since: handed over again
FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 300.0
TRIES = 3  # of what fails by itself
AWAY = frozenset(
    {
        errno.EAGAIN, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EROFS,
        errno.ESTALE, errno.ETIMEDOUT,
    }
)  # fmt: skip


def is_away(error: BaseException) -> bool:
    """Say whether an error is of something that comes back, and is to be waited for."""
    if isinstance(error, QuotaExceeded):
        return False
    if isinstance(error, OSError):
        return error.errno in AWAY
    return isinstance(error, Unavailable | OutOfResources | MemoryError)


def open_archive(session: Session, item: Examined, terms: Terms | None, orphan_s: int, now: datetime) -> None:
    """Note that an archive has landed and hand it over, in the caller's transaction.

    It ends with its source's retention, after `orphan_s` seconds if the source is gone.
    """
    envelope, origin = item.envelope, item.envelope.origin
    received = envelope.received_at
    retention_s = orphan_s if terms is None else terms.retention_s
    max_age_s = None if terms is None else terms.max_age_s
    row = OpenArchive(
        id=item.location.record_id,
        organisation_id=origin.organisation_id,
        source_id=origin.source_id,
        parcel_id=origin.parcel_id,
        file_name=envelope.file_name,
        size=envelope.size,
        correlation_id=origin.correlation_id[:64],
        received_at=received,
        ends_at=end_of(after(received, retention_s), None, after(received, max_age_s)),
        due_at=now,
        waits=0,
        failures=0,
        waiting_for="",
    )
    session.add(row)
    session.flush()
    _hand_over(session, row, now)


def any_due(session: Session, clock: Clock) -> bool:
    """Say whether an archive is to be handed over."""
    return session.scalar(sa.select(OpenArchive.id).where(OpenArchive.due_at <= clock.now()).limit(1)) is not None


def hand_over_due(session: Session, clock: Clock) -> int:
    """Hand archives over whose pause is over, or of which nothing was heard; returns how many."""
    now = clock.now()
    rows = session.scalars(sa.select(OpenArchive).where(OpenArchive.due_at <= now).limit(200)).all()
    for row in rows:
        _hand_over(session, row, now)
    return len(rows)


def note_wait(session: Session, archive_id: uuid.UUID, reason: str, now: datetime) -> None:
    """Note that something is away; the archive is handed over again after a pause."""
    row = session.get(OpenArchive, archive_id)
    if row is not None:
        row.waits += 1
        row.waiting_for = reason[:500]
        row.due_at = now + _pause(row.waits)


def note_failure(session: Session, archive_id: uuid.UUID, reason: str, now: datetime) -> bool:
    """Note a failure; true when it was the last try, and the archive is to be set aside."""
    row = session.get(OpenArchive, archive_id)
    if row is None:
        return False
    row.failures += 1
    row.waiting_for = reason[:500]
    row.due_at = now + _pause(row.failures)
    return row.failures >= TRIES


def end_archive(session: Session, envelope: Envelope, settings: Settings, now: datetime) -> int:
    """Close an archive by its end in the log; returns how many were closed: one, or none if it was before.

    One that was unpacked is not needed any more; one that failed goes to the quarantine, with a finding.
    """
    archive_id = envelope.archive_id
    row = session.get(OpenArchive, archive_id)
    if row is None:
        return 0
    if envelope.code:
        _set_aside(session, row, envelope.code, envelope.text, settings, now)
    else:
        until = now + settings.keys.keep_replaced
        until = until if row.ends_at is None else min(until, row.ends_at)
        keep_archive(session, row.organisation_id, row.id, _brought(session, row), until, now)
    session.delete(row)
    session.flush()
    return 1


def drop_archive(session: Session, archive_id: uuid.UUID, code: str, text: str, now: datetime) -> bool:
    """Give an open archive up with its bytes, and end its parcel with a finding; false if it is not open."""
    row = session.get(OpenArchive, archive_id)
    if row is None:
        return False
    discard_records(session, row.organisation_id, [row.id], now)
    return lose_archive(session, archive_id, code, text, now)


def lose_archive(session: Session, archive_id: uuid.UUID, code: str, text: str, now: datetime) -> bool:
    """End the parcel of an open archive whose bytes are nowhere any more, with a finding; false if it is not open."""
    row = session.get(OpenArchive, archive_id)
    if row is None:
        return False
    _add_finding(session, row, code, text)
    session.delete(row)
    session.flush()
    close_archive(session, row.parcel_id, now)
    return True


class OpenArchives:
    """Ends archives whose source's time is over; thread-safe."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def expire(self, limit: int = 200) -> int:
        """Drop archives that could not be unpacked in time; returns how many."""
        now = self._clock.now()
        with self._database.write() as session:
            lock_archive(session)
            over = sa.select(OpenArchive.id, OpenArchive.organisation_id).where(OpenArchive.ends_at <= now)
            rows = session.execute(over.limit(limit)).all()
            for row in rows:
                bury(session, row.organisation_id, "parcel", [row.id], now, "expired")
                drop_archive(session, row.id, "archive-expired", "Its time was over before it could be unpacked.", now)
        return len(rows)


def _hand_over(session: Session, row: OpenArchive, now: datetime) -> None:
    row.due_at = now + LEASE
    emit(
        session,
        organisation_id=row.organisation_id,
        kind=LANDED,
        subject_id=row.parcel_id or row.id,
        at=now,
        payload={"record_id": str(row.id)},
    )


def _pause(count: int) -> timedelta:
    return timedelta(seconds=min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(count - 1, 16)))


def _brought(session: Session, row: OpenArchive) -> list[uuid.UUID]:
    """Return the studies of the archive's parcel, and the parcel."""
    if row.parcel_id is None:
        return []
    studies = session.scalars(sa.select(ParcelStudy.study_id).where(ParcelStudy.parcel_id == row.parcel_id))
    return [row.parcel_id, *studies]


def _set_aside(session: Session, row: OpenArchive, code: str, text: str, settings: Settings, now: datetime) -> None:
    if session.get(LandingRecord, row.id) is None:
        _add_finding(session, row, code, text)
        return
    session.add(
        Quarantined(
            id=new_id(),
            organisation_id=row.organisation_id,
            source_id=row.source_id,
            parcel_id=row.parcel_id,
            record_id=row.id,
            code=UNPACK_FAILED,
            reason=text,
            file_name=row.file_name,
            size=row.size,
            received_at=row.received_at,
            ends_at=end_of(after(now, settings.retention.quarantine_s), None, row.ends_at),
            correlation_id=row.correlation_id,
        )
    )
    _add_finding(session, row, code, text)


def _add_finding(session: Session, row: OpenArchive, code: str, text: str) -> None:
    if row.parcel_id is None:
        return
    session.add(
        ParcelFinding(
            id=new_id(),
            organisation_id=row.organisation_id,
            parcel_id=row.parcel_id,
            file_name=row.file_name,
            code=code[:40],
            text=text,
        )
    )
    session.flush()

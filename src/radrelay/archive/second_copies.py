"""What came again: the new copy is erased only once the one that is here is known to be whole.

The index marks a duplicate's landing record as the second copy of an instance (an erasure of kind `duplicate`);
nothing is compared while objects are received or indexed. `SecondCopies.settle` then reads the instance where it lies
against the SHA-256 of its receipt. Whole: the second copy is erased. Damaged, gone, or on a machine that is away: the
second copy takes its place, on record. While a store does not answer, both stay; so they do while the one here cannot
be read, and why the other cannot may pass. Only what is certain to be worthless is erased beside it.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.archive.discard import discard_moved
from radrelay.archive.index_writes import DUPLICATE
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.kept_keys import retire_packs
from radrelay.archive.locking import lock_archive
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.archive.tables import ERASURE, INSTANCE, LANDING_RECORD, PACK, SERIES
from radrelay.clock import Clock
from radrelay.errors import RadrelayError, Unavailable
from radrelay.storage.database import Database
from radrelay.storage.landing_format import RecordDamaged, RecordGone, SegmentGone
from radrelay.storage.neighbours import NodeAway
from radrelay.storage.segments import RecordLocation, SegmentReader

log = structlog.get_logger(__name__)

AT_ONCE = 100
AT_ONCE_S = 4.0  # then whatever else its process has to do has a turn
NO_PLACE, OTHER_BYTES = "no-place", "object-damaged"
WORTHLESS = frozenset({NO_PLACE, RecordGone.code, SegmentGone.code, RecordDamaged.code, OTHER_BYTES})
"""Faults of a landed copy that no later reading finds otherwise; all else, such as too many open files, may pass."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A second copy: its landing record (none if that is gone), and the instance that it is one of."""

    record_id: uuid.UUID
    organisation_id: uuid.UUID
    instance_id: uuid.UUID
    location: RecordLocation | None


@dataclass(frozen=True, slots=True)
class _Instance:
    """The instance, and where the index says that it lies; `has_place` is false if there is no such place."""

    id: uuid.UUID
    study_id: uuid.UUID
    series_id: uuid.UUID
    sha256: bytes
    record_id: uuid.UUID | None
    pack_id: uuid.UUID | None
    has_place: bool


class SecondCopies:
    """Decides about the second copies on one node's disk; one runs at a time per node."""

    def __init__(
        self, database: Database, clock: Clock, segments: SegmentReader, reader: InstanceReader, keep_keys: timedelta
    ) -> None:
        """`keep_keys` is how long keys of what is replaced are kept at most, for backups that hold it."""
        self._database = database
        self._clock = clock
        self._segments = segments
        self._reader = reader
        self._keep_keys = keep_keys
        self._after: uuid.UUID | None = None  # those up to here wait for a store, and keep nobody else waiting

    def settle(self) -> int:
        """Decide about what waits, for a few seconds at the most; returns how many are decided."""
        until = time.monotonic() + AT_ONCE_S
        decided = 0
        while copies := self._waiting():
            for copy in copies:
                decided += self._decide(copy)
                self._after = copy.record_id
                if time.monotonic() > until:
                    return decided
        self._after = None
        return decided

    def _waiting(self) -> list[_Copy]:
        c = LANDING_RECORD.c
        statement = (
            sa.select(ERASURE.c.id, ERASURE.c.organisation_id, ERASURE.c.instance_id)
            .add_columns(c.id, c.owner, c.segment, c.epoch, c.offset, c.length)
            .join_from(ERASURE, LANDING_RECORD, c.id == ERASURE.c.id, isouter=True)
            .where(ERASURE.c.done_at.is_(None), ERASURE.c.kind == DUPLICATE)
            .order_by(ERASURE.c.id)
            .limit(AT_ONCE)
        )
        if self._segments.node:
            statement = statement.where(sa.or_(c.id.is_(None), c.owner.startswith(f"{self._segments.node}/")))
        if self._after is not None:
            statement = statement.where(ERASURE.c.id > self._after)
        with self._database.read() as session:
            rows = session.execute(statement).all()
        return [_Copy(row[0], row[1], row[2], RecordLocation(*row[3:]) if row[3] is not None else None) for row in rows]

    def _decide(self, copy: _Copy) -> bool:
        """Say whether it is decided what becomes of a copy; if not, it is asked again."""
        instance, ref = self._instance(copy)
        if instance is None:
            return self._erase(copy)
        if ref is None and instance.has_place:  # its time is over: it goes within moments, and the copy with it
            return False
        try:
            fault = NO_PLACE if ref is None else _fault(lambda: self._reader.stream(ref), instance.sha256)
            again = fault and self._fault_of(copy, instance.sha256)
        except InstanceGone:
            return False
        except Unavailable as error:
            log.warning("a second copy waits", record=str(copy.record_id), reason=error.code)
            return False
        if again:
            log.error("a second copy cannot be read either", instance=str(instance.id), fault=again)
            if again not in WORTHLESS:
                return False
        return self._put_in_place(copy, instance, fault) if fault and not again else self._erase(copy)

    def _fault_of(self, copy: _Copy, sha256: bytes) -> str:
        location = copy.location
        return NO_PLACE if location is None else _fault(lambda: self._segments.stream(location), sha256)

    def _instance(self, copy: _Copy) -> tuple[_Instance | None, InstanceRef | None]:
        """Return what a copy is a copy of, none if it is deleted, and where to read it, none if it cannot be found."""
        c = INSTANCE.c
        placed = sa.or_(
            sa.exists().where(LANDING_RECORD.c.id == c.record_id), sa.exists().where(PACK.c.id == c.pack_id)
        )
        columns = (c.id, c.study_id, c.series_id, c.sha256, c.record_id, c.pack_id, placed.label("has_place"))
        with self._database.read() as session:
            row = session.execute(sa.select(*columns).where(c.id == copy.instance_id)).one_or_none()
            found = find_instances(
                session,
                self._clock.now(),
                organisation_id=copy.organisation_id,
                instance_ids=[copy.instance_id],
                current=False,
            )
        return (_Instance(*row) if row is not None else None), next(iter(found), None)

    def _erase(self, copy: _Copy) -> bool:
        with self._database.write() as session:
            session.execute(sa.update(ERASURE).where(*_still(copy)).values(kind="record"))
        return True

    def _put_in_place(self, copy: _Copy, instance: _Instance, fault: str) -> bool:
        """Let the index point to the copy; false, and nothing changed, if the instance or the copy went meanwhile."""
        now = self._clock.now()
        own = INSTANCE.c.id == instance.id
        with self._database.write() as session:
            lock_archive(session)
            place = session.execute(sa.select(INSTANCE.c.record_id, INSTANCE.c.pack_id).where(own)).one_or_none()
            waits = session.scalar(sa.select(ERASURE.c.id).where(*_still(copy)))
            if place is None or tuple(place) != (instance.record_id, instance.pack_id) or waits is None:
                return False
            session.execute(sa.delete(ERASURE).where(*_still(copy)))
            here = {"record_id": copy.record_id, "pack_id": None, "pack_entry": None}
            session.execute(sa.update(INSTANCE).where(own).values(here))
            self._give_up(session, copy.organisation_id, instance, now)
            session.execute(sa.update(SERIES).where(SERIES.c.id == instance.series_id).values(changed_at=now))
            principal, detail = system_principal(copy.organisation_id), {"study": instance.study_id, "fault": fault}
            audit.record(session, audit.AuditRecord("instance.mend", principal, "instance", instance.id, detail))
        log.warning("a stored object could not be read; a copy that came again took its place",
                    instance=str(instance.id), fault=fault)  # fmt: skip
        return True

    def _give_up(self, session: Session, organisation_id: uuid.UUID, instance: _Instance, now: datetime) -> None:
        """Give up the place that an instance had; copies in backups stay readable, as after packing."""
        if instance.pack_id is not None:
            retire_packs(session, {instance.pack_id: [instance.id]}, now + self._keep_keys, now, carry=False)
        if instance.record_id is not None:
            discard_moved(session, organisation_id, {instance.record_id: instance.id}, now)


def _still(copy: _Copy) -> tuple[sa.ColumnElement[bool], ...]:
    return ERASURE.c.id == copy.record_id, ERASURE.c.kind == DUPLICATE, ERASURE.c.done_at.is_(None)


def _fault(read: Callable[[], Iterable[bytes]], sha256: bytes) -> str:
    """Return why bytes are not to be had or not those of a receipt, empty if they are; raises what will pass."""
    digest = hashlib.sha256()
    try:
        for piece in read():
            digest.update(piece)
    except NodeAway as error:
        return error.code
    except (Unavailable, InstanceGone):
        raise
    except RadrelayError as error:
        return error.code
    except OSError as error:
        return f"errno-{error.errno}"
    return "" if digest.digest() == sha256 else OTHER_BYTES

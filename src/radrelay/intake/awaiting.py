"""What waits for a person to release it: by study and source, listed, looked at, released or rejected.

A source may want that of all that it brings, or of what some calling AE titles send. Such objects are kept aside, each
as it came, and are in no list until then. Released, they go into the index as if they had come at that moment, so that
whatever rules, searches and deliveries there are meet them then. Images of a study that come after its release wait
again: who released the first has not seen them. Rejected, they are in the quarantine, until their time is over.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.arrivals import Arrival, Terms
from radrelay.archive.indexing import upsert_batch
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Source, Study
from radrelay.clock import Clock
from radrelay.dicom.index import IndexAttributes
from radrelay.dicom.pixels import NotViewable
from radrelay.intake.diversion import AWAITS_RELEASE, REJECTED, Diversion
from radrelay.intake.envelope import decode
from radrelay.intake.errors import AwaitingUnknown
from radrelay.intake.examine import Examined, examine_head, read_attributes
from radrelay.intake.models import Parcel, Quarantined
from radrelay.intake.pictures import picture_of
from radrelay.intake.releasing import count_in, let_in_attachment
from radrelay.intake.rows import arrival_of, note_released
from radrelay.intake.unpacking import location_of, read_record
from radrelay.storage.database import Database
from radrelay.storage.models import LandingRecord
from radrelay.storage.segments import RecordDamaged, RecordLocation, SegmentReader

log = structlog.get_logger(__name__)

BATCH = 500
LISTED = 200
KEYS = uuid.UUID("6f3b6f0e-6a0f-4b57-9a52-0c3a1f1f6f11")
NOT_READ = "not-read"
May = Callable[[uuid.UUID], bool]
"""Says whether what a source brings may be released."""


Seen = Mapping[uuid.UUID, int]
"""Per source, how many had been put to wait when a list was read: what came later is decided upon another time."""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """What waits of one study from one source; of files without a study, of one parcel. `id` stays while some does.

    `here` is how many images of the study are in the list already.
    """

    id: uuid.UUID
    source_id: uuid.UUID
    study_uid: str
    parcel_id: uuid.UUID | None
    objects: int
    bytes: int
    first_received_at: datetime
    last_received_at: datetime
    ends_at: datetime | None
    here: int = 0
    patient_id: str = ""
    patient_name: str = ""
    birth_date: date | None = None
    study_date: date | None = None
    modality: str = ""
    description: str = ""
    accession_number: str = ""
    file_name: str = ""
    sent_by: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object whose bytes cannot be read."""

    reason: str


Item = tuple[uuid.UUID, Examined | Unreadable]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one: how many objects were let in, and how many went to the quarantine instead."""

    waited: Awaiting
    objects: int
    aside: int = 0


Note = Callable[[Session, Done], object]
"""Writes the record of it."""


class WaitingRoom:
    """One installation's; thread-safe."""

    def __init__(self, database: Database, reader: SegmentReader, clock: Clock, diversion: Diversion) -> None:
        self._database = database
        self._reader = reader
        self._clock = clock
        self._diversion = diversion

    def waiting(self, organisation_id: uuid.UUID, may: May, *, restricted: bool) -> tuple[list[Awaiting], Seen]:
        """Return what waits, what came last first, at most `LISTED`, and what is decided upon by who reads it."""
        with self._database.read() as session:
            seen = _put_to_wait(session, organisation_id)  # before the rows: those that follow are not counted in it
            found = _groups(session, organisation_id, may, restricted=restricted)[:LISTED]
            locations = [_first(session, organisation_id, one) for one in found]
            here = _here(session, organisation_id, [one.study_uid for one in found])
        told = [
            replace(self._told(one, location), here=here.get(one.study_uid, 0))
            for one, location in zip(found, locations, strict=True)
        ]
        return told, seen

    def picture(self, organisation_id: uuid.UUID, awaiting_id: uuid.UUID, may: May, *, restricted: bool) -> bytes:
        """Return a picture of its first object; raises `AwaitingUnknown`, `NotViewable` and its kin."""
        with self._database.read() as session:
            one = _named(session, organisation_id, [awaiting_id], may, restricted=restricted)
            location = _first(session, organisation_id, one[0]) if one else None
        record = read_record(self._reader, location) if location is not None else None
        if location is None:
            raise AwaitingUnknown
        if record is None:
            raise NotViewable("It cannot be read.")
        return picture_of(self._reader, location, decode(record.envelope))

    def find(
        self,
        organisation_id: uuid.UUID,
        may: May,
        *,
        ids: Sequence[uuid.UUID] = (),
        source_id: uuid.UUID | None = None,
        restricted: bool,
    ) -> list[Awaiting]:
        """Return those of these ids that wait, or all of a source."""
        with self._database.read() as session:
            if source_id is None:
                return _named(session, organisation_id, ids, may, restricted=restricted)
            found = _groups(session, organisation_id, may, restricted=restricted)
            return [one for one in found if one.source_id == source_id]

    def release(self, organisation_id: uuid.UUID, one: Awaiting, seen: Seen | None, note: Note) -> Done:
        """Let in what of it the list of `seen` held, or all of it; two who do so at once let each object in once.

        A part is committed at a time, so that nothing else waits for long; `note` writes the record of each with it.
        """
        done, items = Done(one, 0), self._items(organisation_id, one, seen)
        while part := list(islice(items, BATCH)):  # read before the archive is locked for it
            with self._database.write() as session:
                lock_archive(session)
                came = Done(one, *self._let_in(session, one, part))
                if came.objects or came.aside:
                    note(session, came)
            done = replace(done, objects=done.objects + came.objects, aside=done.aside + came.aside)
        return done

    def reject(self, organisation_id: uuid.UUID, one: Awaiting, seen: Seen | None, by: str, note: Note) -> Done:
        """Put what of it the list of `seen` held, or all of it, into the quarantine, where its time runs on."""
        with self._database.write() as session:
            lock_archive(session)
            rows = session.scalars(sa.select(Quarantined).where(*_of(organisation_id, one, seen))).all()
            for row in rows:
                row.code, row.reason = REJECTED, f"{by} rejected it."
            session.flush()
            done = Done(one, 0, len(rows))
            if rows:
                note(session, done)
        return done

    def _told(self, one: Awaiting, location: RecordLocation | None) -> Awaiting:
        try:
            record = read_record(self._reader, location) if location is not None else None
        except RecordDamaged:
            return one
        if record is None:
            return one
        envelope = decode(record.envelope)
        said = replace(one, file_name=envelope.file_name, sent_by=envelope.origin.calling_ae.strip())
        try:
            attributes = read_attributes(envelope, record.head) if envelope.kind == "object" else None
        except Exception:  # why: what cannot be read is listed by its row; releasing it says what is wrong
            log.warning("what waits for release cannot be read", record=str(envelope.sop_uid))
            return said
        return said if attributes is None else _described(said, attributes)

    def _items(self, organisation_id: uuid.UUID, one: Awaiting, seen: Seen | None) -> Iterator[Item]:
        """Read what waits, one by one; what cannot be read says why."""
        with self._database.read() as session:
            query = _records(_of(organisation_id, one, seen))
            found = [(row_id, location_of(record)) for row_id, record in session.execute(query)]
        for row_id, location in found:
            try:
                record = read_record(self._reader, location)
                if record is not None:
                    yield row_id, examine_head(record)
            except RecordDamaged as error:
                log.error("what waits for release is damaged", record=str(location.record_id))
                yield row_id, Unreadable(error.message)

    def _let_in(self, session: Session, one: Awaiting, items: Sequence[Item]) -> tuple[int, int]:
        """Take objects into the index, those that still wait; returns how many, and how many it will not have."""
        ids = [row_id for row_id, _ in items]
        still = sa.select(Quarantined).where(Quarantined.id.in_(ids), Quarantined.code == AWAITS_RELEASE)
        rows = {row.id: row for row in session.scalars(still, execution_options={"populate_existing": True})}
        source = session.get(Source, one.source_id)
        if source is None or not rows:
            return 0, 0
        here = [(rows[row_id], item) for row_id, item in items if row_id in rows]
        fit = self._keep_aside(session, here)
        terms = Terms.of(source)
        session.execute(sa.delete(LandingRecord).where(LandingRecord.id.in_([row.record_id for row, _ in fit])))
        refused = self._index(session, [pair for pair in fit if pair[1].attributes is not None], terms)
        for row, item in fit:
            if item.attributes is None:
                let_in_attachment(session, item, terms)
                count_in(session, row, None, Parcel.attachments)
                session.delete(row)
        session.flush()
        return len(fit) - refused, len(here) - len(fit) + refused

    def _keep_aside(
        self, session: Session, here: Sequence[tuple[Quarantined, Examined | Unreadable]]
    ) -> list[tuple[Quarantined, Examined]]:
        """Return what can be let in; the rest is kept aside as what it is: not readable, or to be written anew first.

        Its source may pseudonymise by now, or it may have come under an alias that is known since.
        """
        diverted = self._diversion.diverted(session, [item for _, item in here if isinstance(item, Examined)])
        fit = []
        for row, item in here:
            if isinstance(item, Unreadable):
                row.code, row.reason = NOT_READ, item.reason
                continue
            code, reason = diverted.get(item.location.record_id, (item.code, item.reason))
            if code:
                row.code, row.reason = code[:40], reason
            else:
                fit.append((row, item))
        return fit

    def _index(self, session: Session, objects: Sequence[tuple[Quarantined, Examined]], terms: Terms) -> int:
        """Have objects indexed; returns how many the index will not have, which are in the quarantine then."""
        if not objects:
            return 0
        now, refused = self._clock.now(), 0
        verdicts = upsert_batch(session, [_arrival(item, terms, now) for _, item in objects])
        for (row, item), verdict in zip(objects, verdicts, strict=True):
            if verdict.kind == "quarantine":
                row.code, row.reason = verdict.code[:40], verdict.reason
                refused += 1
                continue
            if item.envelope.stands_for is not None and verdict.instance_id is not None:
                note_released(session, item.envelope.stands_for, verdict.instance_id)
            count_in(session, row, verdict.study_id, Parcel.objects)
            session.delete(row)
        return refused


def _arrival(item: Examined, terms: Terms, now: datetime) -> Arrival:
    """Return an object as if it came now: its retention begins, but its source's ceiling runs from its receipt."""
    if terms.max_age_s is not None:
        waited_s = int((now - item.envelope.received_at).total_seconds())
        terms = replace(terms, max_age_s=max(1, terms.max_age_s - waited_s))
    return replace(arrival_of(item, terms), received_at=now)


def _described(one: Awaiting, attributes: IndexAttributes) -> Awaiting:
    return replace(
        one,
        patient_id=attributes.patient_id,
        patient_name=attributes.patient_name,
        birth_date=attributes.birth_date,
        study_date=attributes.study_date,
        modality=attributes.modality,
        description=attributes.study_description or attributes.series_description,
        accession_number=attributes.accession,
    )


def _key(organisation_id: uuid.UUID, source_id: uuid.UUID, study_uid: str, parcel_id: uuid.UUID | None) -> uuid.UUID:
    return uuid.uuid5(KEYS, f"{organisation_id}/{source_id}/{study_uid}/{parcel_id or ''}")


def _groups(session: Session, organisation_id: uuid.UUID, may: May, *, restricted: bool) -> list[Awaiting]:
    """Return what waits of the sources that may be released from, what came last first."""
    of_parcel = sa.case((Quarantined.study_uid == "", Quarantined.parcel_id), else_=None).label("of_parcel")
    columns = (Quarantined.source_id, Quarantined.study_uid, of_parcel)
    counts = (
        sa.func.count(), sa.func.sum(Quarantined.size), sa.func.min(Quarantined.received_at),
        sa.func.max(Quarantined.received_at).label("last"), sa.func.min(Quarantined.ends_at),
    )  # fmt: skip
    query = (
        sa.select(*columns, *counts)
        .where(Quarantined.organisation_id == organisation_id, Quarantined.code == AWAITS_RELEASE)
        .where(access.shows(session, organisation_id, Quarantined, restricted=restricted))
        .group_by(*columns)
        .order_by(sa.desc("last"))
    )
    return [
        Awaiting(_key(organisation_id, source, study_uid, parcel), source, study_uid, parcel, count, int(size), *times)
        for source, study_uid, parcel, count, size, *times in session.execute(query)
        if may(source)
    ]


def _named(
    session: Session, organisation_id: uuid.UUID, ids: Sequence[uuid.UUID], may: May, *, restricted: bool
) -> list[Awaiting]:
    wanted = set(ids)
    return [one for one in _groups(session, organisation_id, may, restricted=restricted) if one.id in wanted]


def _put_to_wait(session: Session, organisation_id: uuid.UUID) -> Seen:
    query = sa.select(Source.id, Source.put_to_wait).where(Source.organisation_id == organisation_id)
    return {source_id: number for source_id, number in session.execute(query)}  # noqa: C416 -- rows are no pairs to mypy


def _of(organisation_id: uuid.UUID, one: Awaiting, seen: Seen | None = None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a group's rows, of those that somebody has seen."""
    found = [
        Quarantined.organisation_id == organisation_id,
        Quarantined.code == AWAITS_RELEASE,
        Quarantined.source_id == one.source_id,
        Quarantined.study_uid == one.study_uid,
    ]
    if seen is not None:
        found.append(Quarantined.wait_number <= seen.get(one.source_id, 0))
    if not one.study_uid:
        none = Quarantined.parcel_id.is_(None)
        found.append(none if one.parcel_id is None else Quarantined.parcel_id == one.parcel_id)
    return found


def _records(conditions: Sequence[sa.ColumnElement[bool]]) -> Any:
    """Return the query of rows' ids and landing records, as they came."""
    return (
        sa.select(Quarantined.id, LandingRecord)
        .join(LandingRecord, LandingRecord.id == Quarantined.record_id)
        .where(*conditions)
        .order_by(Quarantined.received_at, Quarantined.id)
    )


def _first(session: Session, organisation_id: uuid.UUID, one: Awaiting) -> RecordLocation | None:
    found = session.execute(_records(_of(organisation_id, one)).limit(1)).first()
    return location_of(found[1]) if found is not None else None


def _here(session: Session, organisation_id: uuid.UUID, study_uids: Sequence[str]) -> dict[str, int]:
    query = sa.select(Study.study_uid, Study.instance_count).where(
        Study.organisation_id == organisation_id, Study.study_uid.in_([uid for uid in study_uids if uid])
    )
    return {uid: count for uid, count in session.execute(query)}  # noqa: C416 -- rows are no pairs to mypy

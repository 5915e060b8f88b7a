"""What waits for a person to release it: by study and source, listed, looked at, released or rejected.

A source may want that of all that it brings, or of what some calling AE titles send. Such objects are kept aside, each
as it came, and are in no list until then. Released, they go into the index as if they had come at that moment, so that
whatever rules, searches and deliveries there are meet them then. Images of a study that come after its release wait
again: who released the first has not seen them. Rejected, they are in the quarantine, until their time is over.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import InstrumentedAttribute, Session

from radrelay import access
from radrelay.archive.arrivals import Arrival, Terms
from radrelay.archive.indexing import upsert_batch
from radrelay.archive.kept_keys import bind_archives
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Source, Study
from radrelay.clock import Clock
from radrelay.dicom.index import IndexAttributes
from radrelay.dicom.pixels import NotViewable
from radrelay.intake.diversion import AWAITS_RELEASE, REJECTED
from radrelay.intake.envelope import decode
from radrelay.intake.errors import AwaitingUnknown
from radrelay.intake.examine import Examined, read_attributes
from radrelay.intake.models import Parcel, ParcelStudy, Quarantined
from radrelay.intake.pictures import picture_of
from radrelay.intake.releasing import let_in_attachment
from radrelay.intake.rows import arrival_of
from radrelay.intake.tally import link_attachments
from radrelay.intake.unpacking import location_of, read_record
from radrelay.storage.database import Database
from radrelay.storage.models import LandingRecord
from radrelay.storage.segments import RecordLocation, SegmentReader

log = structlog.get_logger(__name__)

BATCH = 500
LISTED = 200
KEYS = uuid.UUID("6f3b6f0e-6a0f-4b57-9a52-0c3a1f1f6f11")
Item = tuple[uuid.UUID, Examined]
Counted = InstrumentedAttribute[int]
May = Callable[[uuid.UUID], bool]
"""Says whether what a source brings may be released."""


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
class Done:
    """What came of one: how many objects were let in, and how many went to the quarantine instead."""

    waited: Awaiting
    objects: int
    aside: int = 0


Note = Callable[[Session, Done], object]
"""Writes the record of it."""


class WaitingRoom:
    """One installation's; thread-safe."""

    def __init__(self, database: Database, reader: SegmentReader, clock: Clock) -> None:
        self._database = database
        self._reader = reader
        self._clock = clock

    def waiting(self, organisation_id: uuid.UUID, may: May, *, restricted: bool) -> list[Awaiting]:
        """Return what waits, what came last first, at most `LISTED`."""
        with self._database.read() as session:
            found = _groups(session, organisation_id, may, restricted=restricted)[:LISTED]
            locations = [_first(session, organisation_id, one) for one in found]
            here = _here(session, organisation_id, [one.study_uid for one in found])
        return [
            replace(self._told(one, location), here=here.get(one.study_uid, 0))
            for one, location in zip(found, locations, strict=True)
        ]

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

    def release(self, organisation_id: uuid.UUID, one: Awaiting, until: datetime, note: Note) -> Done:
        """Let in what of it was received by `until`; two who do so at once let each object in once.

        `note` writes the record in the same transaction.
        """
        items = list(self._items(organisation_id, one, until))
        with self._database.write() as session:
            lock_archive(session)
            done = Done(one, 0)
            for start in range(0, len(items), BATCH):
                part = self._let_in(session, one, items[start : start + BATCH])
                done = replace(done, objects=done.objects + part[0], aside=done.aside + part[1])
            if done.objects or done.aside:
                note(session, done)
        return done

    def reject(self, organisation_id: uuid.UUID, one: Awaiting, until: datetime, by: str, note: Note) -> Done:
        """Put what of it was received by `until` into the quarantine, where its time runs on."""
        with self._database.write() as session:
            lock_archive(session)
            rows = session.scalars(
                sa.select(Quarantined).where(*_of(organisation_id, one), Quarantined.received_at <= until)
            ).all()
            for row in rows:
                row.code, row.reason = REJECTED, f"{by} rejected it."
            session.flush()
            done = Done(one, 0, len(rows))
            if rows:
                note(session, done)
        return done

    def _told(self, one: Awaiting, location: RecordLocation | None) -> Awaiting:
        record = read_record(self._reader, location) if location is not None else None
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

    def _items(self, organisation_id: uuid.UUID, one: Awaiting, until: datetime) -> Iterator[Item]:
        """Read what waits before the archive is locked for it."""
        with self._database.read() as session:
            query = _records([*_of(organisation_id, one), Quarantined.received_at <= until])
            found = [(row_id, location_of(record)) for row_id, record in session.execute(query)]
        for row_id, location in found:
            record = read_record(self._reader, location)
            if record is None:
                continue
            envelope = decode(record.envelope)
            attributes = read_attributes(envelope, record.head) if envelope.kind == "object" else None
            yield row_id, Examined(record.location, envelope, attributes)

    def _let_in(self, session: Session, one: Awaiting, items: Sequence[Item]) -> tuple[int, int]:
        """Take objects into the index, those that still wait; returns how many, and how many it will not have."""
        ids = [row_id for row_id, _ in items]
        still = sa.select(Quarantined).where(Quarantined.id.in_(ids), Quarantined.code == AWAITS_RELEASE)
        rows = {row.id: row for row in session.scalars(still, execution_options={"populate_existing": True})}
        source = session.get(Source, one.source_id)
        if source is None or not rows:
            return 0, 0
        now, terms = self._clock.now(), Terms.of(source)
        here = [(rows[row_id], item) for row_id, item in items if row_id in rows]
        records = [row.record_id for row, _ in here]
        session.execute(sa.delete(LandingRecord).where(LandingRecord.id.in_(records)))
        objects = [(row, item) for row, item in here if item.attributes is not None]
        arrivals = [_arrival(item, terms, now) for _, item in objects]
        aside = 0
        for (row, _), verdict in zip(objects, upsert_batch(session, arrivals) if arrivals else (), strict=True):
            if verdict.kind == "quarantine":
                row.code, row.reason = verdict.code[:40], verdict.reason
                aside += 1
                continue
            _count_in(session, row, verdict.study_id, Parcel.objects)
            session.delete(row)
        for row, item in here:
            if item.attributes is None:
                let_in_attachment(session, item, terms)
                _count_in(session, row, None, Parcel.attachments)
                session.delete(row)
        session.flush()
        return len(here) - aside, aside


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


def _of(organisation_id: uuid.UUID, one: Awaiting) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a group's rows."""
    found = [
        Quarantined.organisation_id == organisation_id,
        Quarantined.code == AWAITS_RELEASE,
        Quarantined.source_id == one.source_id,
        Quarantined.study_uid == one.study_uid,
    ]
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


def _count_in(session: Session, row: Quarantined, study_id: uuid.UUID | None, kept: Counted) -> None:
    """Move an object in its parcel's counts, and give the parcel's archives and files to the study."""
    if row.parcel_id is None:
        return
    session.execute(
        sa.update(Parcel)
        .where(Parcel.id == row.parcel_id)
        .values({Parcel.quarantined: Parcel.quarantined - 1, kept: kept + 1})
        .execution_options(synchronize_session=False)
    )
    if study_id is not None and session.get(ParcelStudy, (row.parcel_id, study_id)) is None:
        session.add(ParcelStudy(parcel_id=row.parcel_id, study_id=study_id))
        session.flush()
        bind_archives(session, row.parcel_id, study_id)
        link_attachments(session, row.parcel_id)

"""Releasing from the quarantine under another identity: for objects whose own names nothing, or something else.

In: a quarantined object and where a person says that it belongs. Out: an `Identity`, kept in its row; and from it, by
durable work, the object written with that identity and landed like any other. It is the same bytes however often that
is tried, so a crash in between adds nothing. What was received stays beside it, unchanged.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.archive.arrivals import Terms
from radrelay.archive.holdings import after, end_of
from radrelay.archive.models import Instance, Series, Source, Study
from radrelay.clock import Clock
from radrelay.dicom.encode import NotTranscodable
from radrelay.dicom.errors import Malformed, NotWritable
from radrelay.dicom.header import Header, parse
from radrelay.dicom.pixels import PixelsTooLarge
from radrelay.dicom.reidentify import Modification, reidentify
from radrelay.dicom.walk import usable_uid
from radrelay.dicom.writing import derived_uid
from radrelay.intake.diversion import NOT_RETURNED
from radrelay.intake.envelope import Envelope, decode
from radrelay.intake.errors import (
    QuarantinedUnknown,
    ReleaseNotWritable,
    ReleaseRefused,
    ReleaseTooLate,
    ReleaseWithoutSource,
)
from radrelay.intake.landing import Landing
from radrelay.intake.models import Quarantined
from radrelay.intake.object_writer import FileFacts
from radrelay.intake.unpacking import location_of, read_record
from radrelay.storage.database import Database
from radrelay.storage.models import LandingRecord
from radrelay.storage.outbox import emit
from radrelay.storage.segments import SegmentReader

log = structlog.get_logger(__name__)

IDENTIFIABLE = frozenset({"no-identity", "series-elsewhere", "instance-elsewhere", "patient-mismatch", NOT_RETURNED})
RELEASED = "quarantine.identified"
"""The event upon which durable work writes and lands the object."""
LARGEST = 512 << 20
REVIVE_AFTER = timedelta(minutes=5)  # durable work tries for half an hour, and `revive` leaves it alone meanwhile
SYSTEM = "Radrelay"
Into = Literal["own", "study", "patient"]
"""A study of its own (its received one where that is usable), a study that is here, or a new one of its patient."""

SOP_CLASS, SOP, STUDY, SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
NAME, PATIENT_ID, ISSUER, BIRTH_DATE, SEX = 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040


class Identity(msgspec.Struct, frozen=True):
    """What an object is released as: new values by tag, and what the Original Attributes Sequence says of it."""

    values: dict[int, str]
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    at: datetime
    received_at: datetime
    reason: Literal["COERCE", "CORRECT"]


def plan(
    session: Session, row: Quarantined, envelope: Envelope, head: bytes, into: Into, study: Study | None, now: datetime
) -> Identity:
    """Decide the identity of a quarantined object.

    UIDs of its own are kept where they are usable and free; ours follow from it, so that objects of one series stay
    together. Raises `ReleaseRefused` when it names no SOP class, or its time is over.
    """
    header = parse(head, envelope.transfer_syntax)
    own = {tag: _usable(header, tag) for tag in (SOP_CLASS, SOP, STUDY, SERIES)}
    sop_class = own[SOP_CLASS] or envelope.sop_class_uid
    if not sop_class:
        raise ReleaseRefused("The object names no SOP class, so nobody can tell what it is.")
    beside = own[SERIES] or str(row.id)
    if into == "study" and study is not None:
        study_uid = study.study_uid
    else:
        free = own[STUDY] if into == "own" and row.code != "patient-mismatch" else ""
        study_uid = free or derived_uid("study", row.organisation_id, into, study.id if study else "", beside)
    series_uid = own[SERIES]
    if not series_uid or _elsewhere(session, row.organisation_id, series_uid, study_uid):
        series_uid = derived_uid("series", study_uid, beside)
    sop_uid = own[SOP] or envelope.sop_uid
    if not sop_uid or not usable_uid(sop_uid.encode()) or _taken(session, row.organisation_id, sop_uid):
        sop_uid = derived_uid("instance", row.id)
    values = {SOP_CLASS: sop_class, SOP: sop_uid, STUDY: study_uid, SERIES: series_uid}
    values = {tag: text for tag, text in values.items() if text != header.text(tag)}
    if study is not None:
        values |= _patient(study, header)
    elif len(header.text(PATIENT_ID)) > 64:
        raise ReleaseRefused("Its patient ID is longer than 64 characters; release it into a patient's identity.")
    return Identity(
        values, study_uid, series_uid, sop_uid, sop_class, now, _received_at(session, row, now),
        "CORRECT" if study is None else "COERCE",
    )  # fmt: skip


def _usable(header: Header, tag: int) -> str:
    text = header.text(tag)
    return text if usable_uid(text.encode("utf-8", "replace")) else ""


def _taken(session: Session, organisation_id: uuid.UUID, sop_uid: str) -> bool:
    found = sa.select(Instance.id).where(Instance.organisation_id == organisation_id, Instance.sop_uid == sop_uid)
    return session.scalar(found.limit(1)) is not None


def _elsewhere(session: Session, organisation_id: uuid.UUID, series_uid: str, study_uid: str) -> bool:
    """Return whether the series is one of another study."""
    found = (
        sa.select(Series.id)
        .join(Study, Study.id == Series.study_id)
        .where(Series.organisation_id == organisation_id, Series.series_uid == series_uid, Study.study_uid != study_uid)
    )
    return session.scalar(found.limit(1)) is not None


def _patient(study: Study, header: Header) -> dict[int, str]:
    """Return the attributes of the study's patient that the object has otherwise."""
    born = study.patient_birth_date
    wanted = {
        NAME: study.patient_name,
        PATIENT_ID: study.patient_id_value,
        ISSUER: study.patient_issuer,
        BIRTH_DATE: f"{born:%Y%m%d}" if isinstance(born, date) else "",
        SEX: study.patient_sex,
    }
    return {tag: text for tag, text in wanted.items() if text != header.text(tag)}


def _received_at(session: Session, row: Quarantined, now: datetime) -> datetime:
    """Return when the object counts as received: now, unless its source's ceiling runs from the real receipt."""
    source = session.get(Source, row.source_id)
    if source is None:
        raise ReleaseWithoutSource
    terms = Terms.of(source)
    if terms.max_age_s is None:
        return now
    ends_at = end_of(after(row.received_at, terms.retention_s), None, after(row.received_at, terms.max_age_s))
    if ends_at is not None and ends_at <= now:
        raise ReleaseTooLate
    return row.received_at


def written(data_set: bytes, envelope: Envelope, identity: Identity) -> tuple[bytes, str]:
    """Return the data set with another identity and its transfer syntax; raises `ReleaseRefused`."""
    change = Modification(identity.at, SYSTEM, envelope.origin.calling_ae or envelope.origin.kind, identity.reason)
    try:
        return reidentify(data_set, envelope.transfer_syntax, identity.values, change)
    except (Malformed, NotTranscodable, NotWritable, PixelsTooLarge) as error:
        raise ReleaseNotWritable(f"The object cannot be written with another identity: {error.message}") from error


class IdentifiedLanding:
    """Lands what was released with another identity; for durable work."""

    def __init__(self, database: Database, reader: SegmentReader, landing: Landing, clock: Clock) -> None:
        self._database = database
        self._reader = reader
        self._landing = landing
        self._clock = clock

    def land(self, row_id: uuid.UUID) -> None:
        """Write and land the object; does nothing when it is here already. Raises `OutOfResources` and its kin."""
        with self._database.read() as session:
            row = session.get(Quarantined, row_id)
            record = session.get(LandingRecord, row.record_id) if row is not None else None
            if row is None or record is None or not row.identity or row.instance_id is not None:
                return
            identity = msgspec.json.decode(row.identity, type=Identity)
            location = location_of(record)
        found = read_record(self._reader, location)
        if found is None:
            raise QuarantinedUnknown
        envelope = decode(found.envelope)
        data_set, ts = written(b"".join(self._reader.stream(location)), envelope, identity)
        writer = self._landing.open_object(
            envelope.origin, sop_class_uid=identity.sop_class, sop_uid=identity.sop_uid, transfer_syntax=ts
        )
        try:
            writer.write(data_set)
            file = FileFacts(envelope.file_name, envelope.file_size, envelope.file_type)
            writer.finish(file, received_at=identity.received_at, stands_for=row_id)
        finally:
            writer.abort()
        log.info("quarantined object landed with another identity", quarantined=str(row_id))

    def revive(self, attended: Collection[uuid.UUID] = ()) -> int:
        """Hand objects over again that were released and are not here, for what they need was away too long.

        `attended` are those that work waits or is under way for, on any machine. Returns how many.
        """
        before = self._clock.now() - REVIVE_AFTER
        forgotten = sa.select(Quarantined.id, Quarantined.organisation_id).where(
            Quarantined.identity != "", Quarantined.instance_id.is_(None), Quarantined.released_at < before
        )
        with self._database.read() as session:
            rows = [row for row in session.execute(forgotten) if row.id not in attended]
        if rows:
            with self._database.write() as session:
                for row in rows:
                    emit(
                        session,
                        organisation_id=row.organisation_id,
                        kind=RELEASED,
                        subject_id=row.id,
                        at=self._clock.now(),
                    )
        return len(rows)

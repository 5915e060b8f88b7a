"""Letting what was kept aside into the index: overriding what kept it aside, or because nothing does any more."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import InstrumentedAttribute, Session

from radrelay import access, audit
from radrelay.archive.arrivals import Arrival, Terms
from radrelay.archive.indexing import upsert_batch
from radrelay.archive.kept_keys import bind_archives
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Attachment, Source, Study
from radrelay.clock import Clock
from radrelay.dicom.index import IndexAttributes
from radrelay.intake.envelope import Envelope, decode
from radrelay.intake.errors import ReleaseRefused
from radrelay.intake.examine import Examined, read_attributes
from radrelay.intake.identify import Identity
from radrelay.intake.models import Parcel, ParcelStudy, Quarantined
from radrelay.intake.rows import arrival_of, attachment_row, record_row
from radrelay.intake.tally import link_attachments
from radrelay.intake.unpacking import location_of, read_record
from radrelay.storage.database import Database
from radrelay.storage.models import LandingRecord
from radrelay.storage.segments import ScannedRecord, SegmentReader

log = structlog.get_logger(__name__)

MISMATCH = "patient-mismatch"


@dataclass(frozen=True, slots=True)
class Released:
    """What a released object has become."""

    study_id: uuid.UUID | None
    instance_id: uuid.UUID | None
    attachment_id: uuid.UUID | None = None
    identity: Identity | None = None


def let_in(
    session: Session, row: Quarantined, item: Examined, head: bytes, terms: Terms, now: datetime, *, overrides: str
) -> Released:
    """Let an object or an attachment in, in the caller's transaction, which holds the archive's lock.

    `overrides` is what does not count against it any more by its code, empty for nothing. Raises `ReleaseRefused` when
    the index contradicts it: the transaction is to be given up then.
    """
    session.execute(sa.delete(LandingRecord).where(LandingRecord.id == row.record_id))
    row.released_at = now
    if item.envelope.kind == "attachment":
        released = let_in_attachment(session, item, terms)
    else:
        released = _object(session, item, head, terms, overrides)
    count_in(session, row, released.study_id, Parcel.attachments if released.attachment_id else Parcel.objects)
    session.flush()
    return released


def _object(session: Session, item: Examined, head: bytes, terms: Terms, code: str) -> Released:
    try:
        attributes = read_attributes(item.envelope, head)
    except Exception as error:  # why: what could not be read before may still not be; the object stays where it is
        raise ReleaseRefused(f"The object's header still cannot be read ({type(error).__name__}).") from error
    if code == "other-content":
        terms = dataclasses.replace(terms, duplicate_policy="keep-both")
    if code == MISMATCH:
        attributes = _with_study_patient(session, item.envelope, attributes)
    arrival: Arrival = arrival_of(dataclasses.replace(item, attributes=attributes), terms)
    verdict = upsert_batch(session, [arrival])[0]
    if verdict.kind == "quarantine":
        raise ReleaseRefused(f"The object cannot be released: {verdict.reason}")
    return Released(verdict.study_id, verdict.instance_id)


def let_in_attachment(session: Session, item: Examined, terms: Terms) -> Released:
    """Let a file beside the images in, in the caller's transaction."""
    session.execute(sa.insert(LandingRecord), [record_row(item)])
    session.execute(sa.insert(Attachment), [attachment_row(item, terms)])
    parcel_id = item.envelope.origin.parcel_id
    if parcel_id is not None:
        link_attachments(session, parcel_id)
    return Released(None, None, item.location.record_id)


def _with_study_patient(session: Session, envelope: Envelope, attributes: IndexAttributes) -> IndexAttributes:
    """Take the study's patient for the object's, as the person who releases it says."""
    study = session.scalar(
        sa.select(Study).where(
            Study.organisation_id == envelope.origin.organisation_id, Study.study_uid == attributes.study_uid
        )
    )
    if study is None:
        return attributes
    return msgspec.structs.replace(
        attributes,
        patient_id=study.patient_id_value,
        issuer=study.patient_issuer,
        patient_name=study.patient_name,
        birth_date=study.patient_birth_date,
    )


def recount(session: Session, row: Quarantined, kept: InstrumentedAttribute[int] | None) -> None:
    """Move the object in its parcel's counts; what is landed anew is counted by the index."""
    if row.parcel_id is None:
        return
    moved = {Parcel.quarantined: Parcel.quarantined - 1} | ({kept: kept + 1} if kept is not None else {})
    session.execute(
        sa.update(Parcel).where(Parcel.id == row.parcel_id).values(moved).execution_options(synchronize_session=False)
    )


def count_in(session: Session, row: Quarantined, study_id: uuid.UUID | None, kept: InstrumentedAttribute[int]) -> None:
    """Move an object in its parcel's counts, and give the parcel's archives and files to the study."""
    recount(session, row, kept)
    if row.parcel_id is None or study_id is None:
        return
    if session.get(ParcelStudy, (row.parcel_id, study_id)) is None:
        session.add(ParcelStudy(parcel_id=row.parcel_id, study_id=study_id))
        session.flush()
        link_attachments(session, row.parcel_id)
    bind_archives(session, row.parcel_id, study_id)


class Rechecking:
    """Looks again at objects that were kept aside as another patient's, once their study's patient was changed.

    What would be taken if it came now is let in, and nothing is overridden: a device may know a new patient ID before
    the message of the merge was worked on.
    """

    def __init__(self, database: Database, reader: SegmentReader, clock: Clock) -> None:
        self._database = database
        self._reader = reader
        self._clock = clock

    def of_study(self, study_id: uuid.UUID) -> int:
        """Look at what was kept aside of a study; returns how many objects were let in. May be done again."""
        with self._database.read() as session:
            study = session.get(Study, study_id)
            if study is None:
                return 0
            waiting = sa.select(Quarantined.id).where(
                Quarantined.organisation_id == study.organisation_id,
                Quarantined.study_uid == study.study_uid,
                Quarantined.patient_id_value == study.patient_id_value,
                Quarantined.code == MISMATCH,
                Quarantined.released_at.is_(None),
                sa.not_(access.kept_aside(Quarantined)),
            )
            ids = list(session.scalars(waiting.order_by(Quarantined.received_at, Quarantined.id)))
        return sum(self._look(row_id) for row_id in ids)

    def _look(self, row_id: uuid.UUID) -> bool:
        with self._database.read() as session:
            row = session.get(Quarantined, row_id)
            kept = session.get(LandingRecord, row.record_id) if row is not None else None
            location = location_of(kept) if kept is not None else None
        record = read_record(self._reader, location) if location is not None else None  # perhaps from another machine
        if record is None:
            return False
        try:
            with self._database.write() as session:
                return self._let_in(session, row_id, record)
        except ReleaseRefused as refused:
            log.info("quarantined object stays aside", quarantined=str(row_id), reason=refused.message)
            return False

    def _let_in(self, session: Session, row_id: uuid.UUID, record: ScannedRecord) -> bool:
        lock_archive(session)
        row = session.get(Quarantined, row_id, populate_existing=True)
        kept = session.get(LandingRecord, record.location.record_id)
        source = session.get(Source, row.source_id) if row is not None else None
        if row is None or kept is None or source is None or row.released_at is not None or source.project_id:
            return False  # what its source pseudonymises is written anew first, when a person says so
        item = Examined(record.location, decode(record.envelope))
        released = let_in(session, row, item, record.head, Terms.of(source), self._clock.now(), overrides="")
        event = audit.AuditRecord(
            "quarantine.release", access.system_principal(row.organisation_id), "quarantined", row.id,
            detail={"code": row.code, "study": released.study_id, "by": "correction"},
            patient=("", row.patient_id_value, row.patient_name),
        )  # fmt: skip
        audit.record(session, event)
        return True

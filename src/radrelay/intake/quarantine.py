"""What is kept aside: listed, looked into, released with a reason or deleted.

Releasing overrides exactly what kept the object aside: the patient that its study has is taken for its own, other
content becomes a new version, an archive is unpacked once more. Its bytes are never changed. What lacks an identity of
its own is released with one that we make, or with a study's or patient's that is here (`identify`); what was received
stays beside it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.arrivals import Terms
from radrelay.archive.discard import bury, discard_records
from radrelay.archive.kept_keys import destroy_kept
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Holding, Instance, Source, Study
from radrelay.clock import Clock
from radrelay.dicom.errors import CutOff
from radrelay.dicom.header import parse
from radrelay.dicom.pixels import NotViewable
from radrelay.intake.diversion import (
    AWAITS_RELEASE,
    FILE_NOT_SAFE,
    LOOKED_AT,
    NOT_RETURNED,
    NOT_SAFE,
    REJECTED,
    RETURNS,
    WAITS,
)
from radrelay.intake.envelope import decode
from radrelay.intake.errors import QuarantinedUnknown, ReleaseRefused
from radrelay.intake.examine import Examined
from radrelay.intake.header_lines import header_lines
from radrelay.intake.identify import IDENTIFIABLE, LARGEST, RELEASED, Identity, Into, plan, written
from radrelay.intake.models import Quarantined
from radrelay.intake.open_archives import UNPACK_FAILED, open_archive
from radrelay.intake.pictures import picture_of
from radrelay.intake.releasing import Released, let_in, recount
from radrelay.intake.rows import record_row
from radrelay.intake.tally import reopen_parcel
from radrelay.intake.unpacking import location_of, read_record
from radrelay.storage.database import Database
from radrelay.storage.models import LandingRecord
from radrelay.storage.outbox import emit
from radrelay.storage.segments import RecordLocation, SegmentReader

OVERRIDABLE = frozenset({
    "patient-mismatch", "other-content", "infected", "not-scanned", "not-read", "not-indexed", CutOff.code,
    UNPACK_FAILED, NOT_SAFE, NOT_RETURNED, FILE_NOT_SAFE, REJECTED,
})  # fmt: skip
SUSPECT = frozenset({"infected", "not-scanned"})
LINES_LIMIT = 5000


@dataclass(frozen=True, slots=True)
class QuarantinedView:
    """An object kept aside; the fields are the columns of its row.

    `releasable` says that it can be let in as it was received, `identifiable` that it can be under another identity.
    """

    id: uuid.UUID
    source_id: uuid.UUID
    parcel_id: uuid.UUID | None
    code: str
    reason: str
    study_uid: str
    sop_uid: str
    patient_name: str
    patient_id_value: str
    file_name: str
    size: int
    received_at: datetime
    ends_at: datetime | None
    released_at: datetime | None
    instance_id: uuid.UUID | None
    releasable: bool
    identifiable: bool
    new_study_uid: str = ""
    new_sop_uid: str = ""


_DERIVED = ("releasable", "identifiable", "new_study_uid", "new_sop_uid")
_FIELDS = tuple(name for name in QuarantinedView.__dataclass_fields__ if name not in _DERIVED)


class Quarantine:
    """One installation's quarantine; thread-safe."""

    def __init__(self, database: Database, reader: SegmentReader, clock: Clock) -> None:
        self._database = database
        self._reader = reader
        self._clock = clock

    def list(
        self,
        organisation_id: uuid.UUID,
        limit: int = 200,
        offset: int = 0,
        *,
        released: bool = False,
        restricted: bool = True,
    ) -> list[QuarantinedView]:
        """Return what is kept aside, the newest first; or what was released with another identity.

        `restricted` says whether what falls under a restriction is among them, but for what no grant opens.
        """
        waiting = Quarantined.identity != "" if released else Quarantined.released_at.is_(None)
        query = (
            sa.select(Quarantined)
            .where(Quarantined.organisation_id == organisation_id, waiting, Quarantined.code != AWAITS_RELEASE)
            .order_by(Quarantined.received_at.desc(), Quarantined.id.desc())
            .limit(limit)
            .offset(offset)
        )
        with self._database.read() as session:
            query = query.where(access.shows(session, organisation_id, Quarantined, restricted=restricted))
            return [_view(row) for row in session.scalars(query)]

    def get(self, organisation_id: uuid.UUID, row_id: uuid.UUID, *, restricted: bool = True) -> QuarantinedView:
        """Return one; raises `QuarantinedUnknown`, for what falls under a restriction too unless `restricted`."""
        with self._database.read() as session:
            found = _view(_row(session, organisation_id, row_id, released=True))
            shown = sa.select(Quarantined.id).where(
                Quarantined.id == row_id,
                Quarantined.code != AWAITS_RELEASE,
                access.shows(session, organisation_id, Quarantined, restricted=restricted),
            )
            if session.scalar(shown) is None:
                raise QuarantinedUnknown
            return found

    def studies_like(self, session: Session, kept: QuarantinedView, organisation_id: uuid.UUID) -> Sequence[uuid.UUID]:
        """Return the studies that have the object's UIDs: by its study UID first, then by its SOP instance UID."""
        by_study = sa.select(Study.id).where(
            Study.organisation_id == organisation_id, Study.study_uid == kept.study_uid, Study.study_uid != ""
        )
        by_object = sa.select(Instance.study_id).where(
            Instance.organisation_id == organisation_id, Instance.sop_uid == kept.sop_uid, Instance.sop_uid != ""
        )
        return list(dict.fromkeys([*session.scalars(by_study), *session.scalars(by_object)]))

    def header_text(self, organisation_id: uuid.UUID, row_id: uuid.UUID) -> str:
        """Return the object's header as text, one element a line, as far as it can be read."""
        with self._database.read() as session:
            location = _location(session, _row(session, organisation_id, row_id, released=True))
        record = read_record(self._reader, location)
        if record is None:
            raise QuarantinedUnknown
        envelope = decode(record.envelope)
        if envelope.kind != "object":
            return f"{envelope.file_name}: {envelope.file_type}, {envelope.size} bytes\n"
        header = parse(record.head, envelope.transfer_syntax)
        lines = [line for line, _ in zip(header_lines(header), range(LINES_LIMIT), strict=False)]
        return "\n".join([*lines, *(f"! {problem}" for problem in header.problems)]) + "\n"

    def content(self, organisation_id: uuid.UUID, row_id: uuid.UUID) -> Iterator[bytes]:
        """Return the object's bytes as they landed, piece by piece; raises `QuarantinedUnknown`."""
        with self._database.read() as session:
            location = _location(session, _row(session, organisation_id, row_id, released=True))
        return self._reader.stream(location)

    def picture(self, organisation_id: uuid.UUID, row_id: uuid.UUID) -> bytes:
        """Return the object's first frame as a JPEG; raises `NotViewable`, `BrokenPixels`, `Malformed`."""
        with self._database.read() as session:
            row = _row(session, organisation_id, row_id, released=True)
            location = _location(session, row)
        if row.code in SUSPECT:
            raise NotViewable("What may hold a virus is not opened here.")
        record = read_record(self._reader, location)
        if record is None:
            raise QuarantinedUnknown
        return picture_of(self._reader, location, decode(record.envelope))

    def release_as(
        self, session: Session, organisation_id: uuid.UUID, row_id: uuid.UUID, into: Into, study_id: uuid.UUID | None
    ) -> Released:
        """Let the object in under another identity, in the caller's transaction, which also audits it.

        It becomes visible soon after, by durable work. What was received stays, unchanged, while the instance and its
        source's holding do. Raises `QuarantinedUnknown`, `ReleaseRefused`.
        """
        lock_archive(session)
        row = _row(session, organisation_id, row_id)
        record = read_record(self._reader, _location(session, row))
        study = session.get(Study, study_id) if study_id is not None else None
        if record is None:
            raise QuarantinedUnknown
        envelope = decode(record.envelope)
        if row.code not in IDENTIFIABLE or envelope.kind != "object":
            raise ReleaseRefused(f"An object that is quarantined as {row.code} cannot be given another identity.")
        if (into != "own") == (study is None or study.organisation_id != organisation_id):
            raise ReleaseRefused("Say which study here it belongs to, or that it becomes one of its own.")
        if row.size > LARGEST:
            raise ReleaseRefused(f"Objects of more than {LARGEST} bytes cannot be written anew.")
        identity = plan(session, row, envelope, record.head, into, study, self._clock.now())
        written(b"".join(self._reader.stream(record.location)), envelope, identity)
        row.identity = msgspec.json.encode(identity).decode()
        row.released_at = self._clock.now()
        recount(session, row, None)
        emit(session, organisation_id=organisation_id, kind=RELEASED, subject_id=row.id, at=self._clock.now())
        session.flush()
        return Released(study.id if study is not None and into == "study" else None, None, identity=identity)

    def release(self, session: Session, organisation_id: uuid.UUID, row_id: uuid.UUID) -> Released:
        """Let the object in after all, in the caller's transaction, which also audits who did it and why.

        Raises `QuarantinedUnknown`; `ReleaseRefused` when the index still contradicts it or cannot take it.
        """
        lock_archive(session)  # else it could expire, and its bytes with it, while it is let in
        row = _row(session, organisation_id, row_id)
        record = read_record(self._reader, _location(session, row))
        source = session.get(Source, row.source_id)
        if record is None:
            raise QuarantinedUnknown
        if row.code not in OVERRIDABLE or source is None:
            raise ReleaseRefused(f"An object that is quarantined as {row.code} cannot be released: {row.reason}")
        item = Examined(record.location, decode(record.envelope))
        if _waits_again(row, item, source):
            session.flush()
            return Released(None, None)
        if item.envelope.kind == "archive":
            session.execute(sa.delete(LandingRecord).where(LandingRecord.id == row.record_id))
            row.released_at = self._clock.now()
            return self._unpack_again(session, row, item, Terms.of(source))
        return let_in(session, row, item, record.head, Terms.of(source), self._clock.now(), overrides=row.code)

    def _unpack_again(self, session: Session, row: Quarantined, item: Examined, terms: Terms) -> Released:
        """Let an archive be unpacked once more; what it brought already is not added again."""
        now = self._clock.now()
        session.execute(sa.insert(LandingRecord), [record_row(item)])
        open_archive(session, item, terms, 0, now)
        if row.parcel_id is not None:
            reopen_parcel(session, row.parcel_id)
        session.flush()
        return Released(None, None)

    def delete(self, session: Session, organisation_id: uuid.UUID, row_id: uuid.UUID) -> None:
        """Delete the object, in the caller's transaction; its bytes are unreadable soon after."""
        lock_archive(session)
        remove(session, [_row(session, organisation_id, row_id)], "deleted", self._clock.now())

    def expire(self, limit: int = 500) -> int:
        """Delete what has been kept aside long enough, and what was received of instances that are gone."""
        with self._database.write() as session:
            lock_archive(session)
            over = Quarantined.ends_at <= self._clock.now()
            query = sa.select(Quarantined).where(
                sa.or_(
                    sa.and_(over, Quarantined.released_at.is_(None)),
                    sa.and_(over, Quarantined.identity != "", Quarantined.instance_id.is_(None)),
                    sa.and_(Quarantined.instance_id.is_not(None), ~_still_held()),
                )
            )
            query = query.where(sa.not_(access.kept_aside(Quarantined)))
            rows = session.scalars(query.limit(limit)).all()
            remove(session, rows, "expired", self._clock.now())
            return len(rows)


def remove(session: Session, rows: Sequence[Quarantined], reason: str, now: datetime) -> None:
    """Delete what is kept aside, in the caller's transaction with the archive locked; bytes are unreadable soon."""
    for row in rows:
        discard_records(session, row.organisation_id, [row.record_id], now)
        bury(session, row.organisation_id, "quarantine", [row.id], now, reason)
        if row.code == UNPACK_FAILED:  # in a backup it may still be open
            bury(session, row.organisation_id, "parcel", [row.record_id], now, reason)
        if row.parcel_id is not None:
            destroy_kept(session, {row.parcel_id: [row.id]}, now)
        session.delete(row)


def _waits_again(row: Quarantined, item: Examined, source: Source) -> bool:
    """Let an object be written anew first where its source pseudonymises, or it could not be turned back."""
    if item.envelope.kind != "object" or item.envelope.origin.aliased:
        return False
    if row.code == NOT_RETURNED:
        row.code = RETURNS
    elif source.project_id is not None:
        row.code = LOOKED_AT if row.code == NOT_SAFE else WAITS
    else:
        return False
    row.reason = "It was let in, and is written anew first."
    return True


def _still_held() -> sa.Exists:
    """Say that the instance is here, and that its source still keeps its study."""
    return (
        sa.exists()
        .where(Instance.id == Quarantined.instance_id)
        .where(Holding.study_id == Instance.study_id, Holding.source_id == Quarantined.source_id)
    )


def _row(session: Session, organisation_id: uuid.UUID, row_id: uuid.UUID, *, released: bool = False) -> Quarantined:
    """Return a row that waits, or (`released`) one that was released with another identity, too."""
    row = session.get(Quarantined, row_id, populate_existing=True)
    if row is None or row.organisation_id != organisation_id:
        raise QuarantinedUnknown
    if row.released_at is not None and not (released and row.identity):
        raise QuarantinedUnknown
    return row


def _location(session: Session, row: Quarantined) -> RecordLocation:
    record = session.get(LandingRecord, row.record_id)
    if record is None:
        raise QuarantinedUnknown
    return location_of(record)


def _view(row: Quarantined) -> QuarantinedView:
    values = {name: getattr(row, name) for name in _FIELDS}
    waits = row.released_at is None
    identity = msgspec.json.decode(row.identity, type=Identity) if row.identity else None
    return QuarantinedView(
        **values,
        releasable=waits and row.code in OVERRIDABLE,
        identifiable=waits and row.code in IDENTIFIABLE and row.size <= LARGEST,
        new_study_uid=identity.study_uid if identity else "",
        new_sop_uid=identity.sop_uid if identity else "",
    )

"""Objects written anew before they are seen: under an alias where their source says so; results that come back under
one as the patient's own again.

In: what the index kept aside (`diversion`), again and again. Out: landed objects, and the received ones' keys destroyed
once those are durable. It is the same bytes however often that is tried, so a crash in between adds nothing. What
cannot be made safe, or turned back, stays in the quarantine with the reason.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.archive.discard import bury, discard_records
from radrelay.archive.kept_keys import destroy_kept
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Source, Study
from radrelay.clock import Clock
from radrelay.dicom.deidentify import Original, Refused, StudyReport, Subject, turn_back
from radrelay.dicom.reidentify import Modification
from radrelay.errors import Conflict, Invalid, RadrelayError
from radrelay.intake.diversion import (
    FILE_NOT_SAFE,
    LOOKED_AT,
    NOT_RETURNED,
    NOT_SAFE,
    RETURNS,
    WAITING,
    WAITS,
    Diverted,
)
from radrelay.intake.envelope import Envelope, Origin, decode
from radrelay.intake.examine import Examined
from radrelay.intake.landing import Landing
from radrelay.intake.models import Parcel, Quarantined
from radrelay.intake.object_writer import FileFacts
from radrelay.intake.unpacking import location_of, read_record
from radrelay.pseudonyms import Run, StoredVault, VaultSeal, add_to_intake_report, engine_project, header_of
from radrelay.pseudonyms.vault import BIRTH_DATE, ISSUER, NAME, PATIENT_ID, SEX
from radrelay.storage.database import Database
from radrelay.storage.models import LandingRecord
from radrelay.storage.segments import RecordLocation, SegmentReader

log = structlog.get_logger(__name__)

BATCH = 64
AGAIN = timedelta(minutes=2)
LARGEST = 512 << 20
STUDY = 0x0020000D
SYSTEM = "Radrelay"


class PseudonymDiversion:
    """Diverts what the vault and the sources say."""

    def __init__(self, database: Database, clock: Clock, seal: VaultSeal) -> None:
        self._database, self._clock, self._seal = database, clock, seal

    def diverted(self, session: Session, batch: Sequence[Examined]) -> Diverted:
        """Return the objects that are to be pseudonymised, or turned back."""
        asked = [item for item in batch if _is_from_outside(item)]
        if not asked:
            return {}
        sources = {item.envelope.origin.source_id for item in asked}
        named = set(session.scalars(sa.select(Source.id).where(Source.id.in_(sources), Source.project_id.is_not(None))))
        found: dict[uuid.UUID, tuple[str, str]] = {}
        objects: dict[uuid.UUID, list[Examined]] = {}
        for item in asked:
            origin = item.envelope.origin
            if item.attributes is not None and item.envelope.kind == "object":
                objects.setdefault(origin.organisation_id, []).append(item)
            if origin.source_id in named:
                waits = item.envelope.kind == "object"
                found[item.location.record_id] = _WAITS if waits else _FILE_NOT_SAFE
        for organisation_id, items in objects.items():
            vault = StoredVault(self._database, self._clock, self._seal, organisation_id)
            returned = vault.returned(session, {_named(item) for item in items})
            for item in items:
                if _named(item) in returned:
                    found[item.location.record_id] = (RETURNS, "It came under an alias and is turned back.")
        return found


_WAITS = (WAITS, "It is being pseudonymised.")
_FILE_NOT_SAFE = (FILE_NOT_SAFE, "A file beside the images cannot be pseudonymised; its source says that all is.")


def _is_from_outside(item: Examined) -> bool:
    """Say whether a record is as somebody brought it, and whole: not of our own making, and not set aside already."""
    origin = item.envelope.origin
    ours = origin.aliased or origin.joins is not None or origin.corrects is not None
    return not item.code and not ours and item.envelope.kind in ("object", "attachment")


def _named(item: Examined) -> tuple[str, str]:
    attributes = item.attributes
    return ("", "") if attributes is None else (attributes.study_uid, attributes.patient_id)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A row that waits, and its bytes' place."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    code: str
    received_at: datetime
    project_id: uuid.UUID | None
    issuer: str
    location: RecordLocation


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of one: it has landed anew, or with a `code` and `reason` it is unfit and stays."""

    waiting: _Waiting
    code: str = ""
    reason: str = ""
    report: tuple[str, StudyReport] | None = None
    event: audit.AuditRecord | None = None


class PseudonymLanding:
    """Writes and lands what waits; for one process of an installation."""

    def __init__(
        self, database: Database, clock: Clock, reader: SegmentReader, landing: Landing, seal: VaultSeal
    ) -> None:
        self._database = database
        self._clock = clock
        self._reader = reader
        self._landing = landing
        self._seal = seal
        self._not_before: dict[uuid.UUID, datetime] = {}

    def run(self) -> int:
        """Look once; returns how many objects have landed or were found unfit."""
        now, done = self._clock.now(), list[_Done]()
        self._not_before = {row_id: at for row_id, at in self._not_before.items() if at > now}
        runs: dict[tuple[uuid.UUID, uuid.UUID], Run] = {}
        try:
            for waiting in self._waiting():
                try:
                    one = self._work(waiting, runs)
                    done += [one] if one is not None else []
                except RadrelayError as error:  # away or full: it is tried again
                    self._not_before[waiting.id] = now + AGAIN
                    log.error("object kept aside waits", quarantined=str(waiting.id), reason=error.code)
        finally:
            self._settle(done)
        return len(done)

    def _waiting(self) -> list[_Waiting]:
        query = (
            sa.select(Quarantined, Source.project_id, Source.issuer_of_patient_id, LandingRecord)
            .join(LandingRecord, LandingRecord.id == Quarantined.record_id)
            .outerjoin(Source, Source.id == Quarantined.source_id)
            .where(Quarantined.code.in_(WAITING), Quarantined.released_at.is_(None))
            .order_by(Quarantined.id)
            .limit(BATCH + len(self._not_before))
        )
        with self._database.read() as session:
            rows = session.execute(query).all()
        return [
            _Waiting(row.id, row.organisation_id, row.code, row.received_at, project, issuer or "", location_of(record))
            for row, project, issuer, record in rows
            if row.id not in self._not_before
        ]

    def _work(self, waiting: _Waiting, runs: dict[tuple[uuid.UUID, uuid.UUID], Run]) -> _Done | None:
        record = read_record(self._reader, waiting.location)
        if record is None:
            return None
        envelope = decode(record.envelope)
        if envelope.size > LARGEST:
            return _Done(waiting, NOT_SAFE if waiting.code != RETURNS else NOT_RETURNED, "It is too large.")
        data_set = b"".join(self._reader.stream(waiting.location))
        if waiting.code == RETURNS:
            return self._turn_back(waiting, envelope, data_set)
        return self._pseudonymise(waiting, envelope, data_set, runs)

    def _pseudonymise(
        self, waiting: _Waiting, envelope: Envelope, data_set: bytes, runs: dict[tuple[uuid.UUID, uuid.UUID], Run]
    ) -> _Done:
        if waiting.project_id is None:
            return _Done(waiting, NOT_SAFE, "Its source no longer says by which project it is pseudonymised.")
        run = runs.get((waiting.organisation_id, waiting.project_id)) or self._run(waiting, waiting.project_id)
        runs[waiting.organisation_id, waiting.project_id] = run
        run.report = StudyReport()
        run.person = _person(data_set, envelope, waiting.issuer)
        cover = () if waiting.code == LOOKED_AT else None
        made = run.made(data_set, envelope.transfer_syntax, cover)
        if isinstance(made, Refused):
            return _Done(waiting, NOT_SAFE, f"It cannot be pseudonymised safely: {', '.join(made.reasons)}.")
        run.remember()
        whole = made.data_set
        self._land(waiting, envelope, whole, made.ts, made.sop_class, made.sop_uid)
        found = header_of(whole, made.ts)
        study_uid = (found.texts(STUDY) or [""])[0] if found is not None else ""
        return _Done(waiting, report=(study_uid, run.report))

    def _run(self, waiting: _Waiting, project_id: uuid.UUID) -> Run:
        with self._database.read() as session:
            project = engine_project(session, self._seal, waiting.organisation_id, project_id, enabled=False)
        return Run(project, StoredVault(self._database, self._clock, self._seal, waiting.organisation_id), inward=True)

    def _turn_back(self, waiting: _Waiting, envelope: Envelope, data_set: bytes) -> _Done:
        vault = StoredVault(self._database, self._clock, self._seal, waiting.organisation_id)
        header = header_of(data_set, envelope.transfer_syntax)
        named = [(header.decoded(tag) or [""])[0] if header is not None else "" for tag in (STUDY, PATIENT_ID)]
        original = vault.original_of_study(named[0], named[1])
        if original is None:
            return _Done(waiting, NOT_RETURNED, "Nobody is known by its alias any more.")
        study_uid = original.uids.get(named[0], named[0])
        with self._database.read() as session:
            original = replace(original, values={**original.values, **_present(session, waiting, study_uid)})
        origin = envelope.origin
        change = Modification(waiting.received_at, SYSTEM, origin.calling_ae or origin.kind, "COERCE")
        try:
            whole, ts = turn_back(data_set, envelope.transfer_syntax, original, change)
        except (Conflict, Invalid) as error:
            return _Done(waiting, NOT_RETURNED, error.message)
        self._land(waiting, envelope, whole, ts, "", "")
        return _Done(waiting, event=_returned(waiting, origin, original))

    def _land(
        self, waiting: _Waiting, envelope: Envelope, data_set: bytes, ts: str, sop_class: str, sop_uid: str
    ) -> None:
        """Make the new object durable; its file's name, which may be somebody's, is not kept."""
        origin = msgspec.structs.replace(envelope.origin, aliased=True, scan=False)
        writer = self._landing.open_object(
            origin, sop_class_uid=sop_class, sop_uid=sop_uid, transfer_syntax=ts
        )  # fmt: skip
        try:
            writer.write(data_set)
            writer.finish(FileFacts(), received_at=waiting.received_at, stands_for=waiting.id)
        finally:
            writer.abort()

    def _settle(self, done: Sequence[_Done]) -> None:
        """Write what came of a batch: what has landed anew is erased as it was received, what is unfit says why."""
        if not done:
            return
        with self._database.write() as session:
            lock_archive(session)
            for one in done:
                row = session.get(Quarantined, one.waiting.id)
                if row is None:
                    continue
                if one.code:
                    row.code, row.reason = one.code, one.reason
                    continue
                self._forget(session, row)
                if one.report is not None and one.waiting.project_id is not None:
                    add_to_intake_report(
                        session, row.organisation_id, one.waiting.project_id, *one.report, self._clock.now()
                    )
                if one.event is not None:
                    audit.record(session, one.event)

    def _forget(self, session: Session, row: Quarantined) -> None:
        """Have the received object erased: from here on only the one that was written anew is here."""
        now = self._clock.now()
        discard_records(session, row.organisation_id, [row.record_id], now)
        bury(session, row.organisation_id, "quarantine", [row.id], now, "written anew")
        if row.parcel_id is not None:
            destroy_kept(session, {row.parcel_id: [row.id]}, now)
            session.execute(
                sa.update(Parcel).where(Parcel.id == row.parcel_id).values(quarantined=Parcel.quarantined - 1)
            )
        session.delete(row)
        session.flush()


def _person(data_set: bytes, envelope: Envelope, issuer: str) -> Subject | None:
    """Return whose an object is as the index would have it: its source knows the issuer where it says none."""
    header = header_of(data_set, envelope.transfer_syntax)
    if header is None:
        return None
    own, patient_id = ((header.decoded(tag) or [""])[0] for tag in (ISSUER, PATIENT_ID))
    return Subject(own or issuer, patient_id)


def _present(session: Session, waiting: _Waiting, study_uid: str) -> dict[int, str]:
    """Return who the patient of a study is by what the index says today, nothing if the study is gone."""
    study = session.scalar(
        sa.select(Study).where(Study.organisation_id == waiting.organisation_id, Study.study_uid == study_uid)
    )
    if study is None:
        return {}
    born = study.patient_birth_date
    return {
        NAME: study.patient_name,
        PATIENT_ID: study.patient_id_value,
        ISSUER: study.patient_issuer,
        BIRTH_DATE: f"{born:%Y%m%d}" if isinstance(born, date) else "",
        SEX: study.patient_sex,
    }


def _returned(waiting: _Waiting, origin: Origin, original: Original) -> audit.AuditRecord:
    values = original.values
    kind, name = ("ae", origin.calling_ae) if origin.calling_ae else ("system", SYSTEM)
    who = Brought(kind, name, waiting.organisation_id, origin.peer)
    detail = {"source": origin.source_id, "by": origin.kind}
    patient = (values.get(ISSUER, ""), values.get(PATIENT_ID, ""), values.get(NAME, ""))
    return audit.AuditRecord(
        "pseudonym.return", who, "quarantined", waiting.id, detail, patient, correlation_id=origin.correlation_id
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Brought:
    """Who brought a result, as the record names it."""

    kind: str
    name: str
    organisation_id: uuid.UUID
    peer: str

    @property
    def id(self) -> str:
        """The calling AE title, or ourselves."""
        return self.name

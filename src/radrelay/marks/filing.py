"""Marks put into the archive as objects of their study: written down first, then landed through the intake.

What an object will be is a row with its sheet before it lands, so that a crash between the two is followed by landing
the same bytes again, which the intake takes once. Unchanged marks make nothing new; changed ones an object that names
the one before, or where it cannot (key objects, presentation states) stands in its place; such a one goes with its last
mark. What lands joins the holding of its pictures: it ends with them and renews nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import Principal
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Holding, Study
from radrelay.archive.tables import INSTANCE
from radrelay.clock import Clock
from radrelay.errors import Unavailable
from radrelay.intake.envelope import Origin
from radrelay.intake.files import FileLander
from radrelay.intake.landing import Landing
from radrelay.intake.sources import get_source
from radrelay.marks.gathering import Gathered, Headers, Plan, gather, look, plans
from radrelay.marks.models import MarkedStudy
from radrelay.marks.objects import sheet as sheets
from radrelay.marks.objects.sheet import Issued, ObjectKind, Sheet
from radrelay.marks.withdrawing import FILING, is_held, names_none, replaced, withdraw
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id

log = structlog.get_logger(__name__)

TRIES = 5
_REPORT, _SPATIAL_REPORT = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.88.34"
_KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
_GREY_STATE, _COLOUR_STATE = "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.11.2"


@dataclass(frozen=True, slots=True)
class Filed:
    """An object that has landed."""

    kind: ObjectKind
    sop_uid: str
    series_uid: str
    marks: int


class MarksMoving(Unavailable):
    """The marks of this study are being changed just now; try again."""

    code = "marks-moving"


def made(sheet: Sheet) -> bytes:
    """Return the DICOM file of a sheet. What builds it is loaded only now: it takes memory that few roles need."""
    if sheet.kind == "report":
        from radrelay.marks.objects.report import report_file  # noqa: PLC0415 -- as said above

        return report_file(sheet)
    if sheet.kind == "presentation":
        from radrelay.marks.objects.presentation import presentation_file  # noqa: PLC0415

        return presentation_file(sheet)
    from radrelay.marks.objects.key_objects import key_objects_file  # noqa: PLC0415

    return key_objects_file(sheet)


class MarkFilings:
    """Files marks; thread-safe."""

    def __init__(self, database: Database, clock: Clock, headers: Headers, landing: Landing) -> None:
        self._database = database
        self._clock = clock
        self._headers = headers
        self._landing = landing

    def file(self, study_id: uuid.UUID, by: Principal, correlation_id: str = "") -> list[Filed]:
        """File what has changed of a study's marks, durable on return; returns what landed.

        Raises `StudyNotFound`, `MarksMoving`, `OutOfResources` and its kin when there is no room.
        """
        for _ in range(TRIES):
            with self._database.read() as session:
                also = _last_pictures(session, study_id)
                gathered = gather(session, self._clock.now(), by.organisation_id, study_id, also=also)
            look(gathered, self._headers)
            with self._database.write() as session:
                lock_archive(session)
                if _issue(session, study_id, gathered, by, correlation_id, self._clock.now()):
                    break
        else:
            raise MarksMoving
        return self._land(study_id, by, correlation_id)

    def _land(self, study_id: uuid.UUID, by: Principal, correlation_id: str) -> list[Filed]:
        with self._database.read() as session:
            rows = session.execute(
                sa.select(FILING)
                .where(FILING.c.study_id == study_id, FILING.c.landed_at.is_(None), FILING.c.withdrawn_at.is_(None))
                .order_by(FILING.c.number)
            ).all()
        landed = []
        for row in rows:
            if self._abandoned(row):
                continue
            origin = self._origin(row, by, correlation_id)
            if row.sheet is None or origin is None:
                continue
            sheet = sheets.decode(row.sheet)
            file = FileLander(self._landing, origin).land(f"{sheet.kind}.dcm", [made(sheet)])
            if file.outcome != "object":
                log.error("an object made of marks was not taken", study_id=str(study_id), code=file.code)
            else:
                landed.append(Filed(sheet.kind, sheet.sop_uid, sheet.series_uid, len(sheet.marks)))
            self._note_landed(row.id)
        self.withdraw_replaced(study_id, by, correlation_id)
        return landed

    def withdraw_replaced(self, study_id: uuid.UUID, by: Principal, correlation_id: str = "") -> None:
        """Take objects back that a newer one, which stands in the archive, stands for."""
        with self._database.read() as session:
            if not replaced(session, study_id):
                return
        with self._database.write() as session:
            lock_archive(session)
            rows = replaced(session, study_id)
            study = session.get(Study, study_id)
            if rows and study is not None:
                patient = (study.patient_issuer, study.patient_id_value, study.patient_name)
                _withdraw(session, rows, patient, by, correlation_id, self._clock.now())

    def _abandoned(self, row: Any) -> bool:
        """Give up what was written down before a crash, where a picture of it was deleted since; say whether it is."""
        pictures = [uuid.UUID(one) for one in json.loads(row.pictures)]
        with self._database.read() as session:
            if _still_there(session, pictures):
                return False
        with self._database.write() as session:
            session.execute(sa.delete(FILING).where(FILING.c.id == row.id, FILING.c.landed_at.is_(None)))
            # why: the marks on its other pictures are still to be filed
            session.execute(
                sa.update(MarkedStudy)
                .where(MarkedStudy.study_id == row.study_id)
                .values(filed_turn=0, open_since=self._clock.now())
                .execution_options(synchronize_session=False)
            )
        return True

    def _origin(self, row: Any, by: Principal, correlation_id: str) -> Origin | None:
        """Return where an object comes from: the source of the holding that it joins; none if that is gone."""
        with self._database.read() as session:
            holding = session.get(Holding, row.holding_id)
            if holding is None:
                return None
            source = get_source(session, row.organisation_id, holding.source_id)
            account_id = holding.account_id
        origin = source.origin(peer=by.peer, correlation_id=correlation_id, account_id=account_id)
        return msgspec.structs.replace(origin, joins=row.holding_id)

    def _note_landed(self, filing_id: uuid.UUID) -> None:
        with self._database.write() as session:
            session.execute(
                sa.update(FILING).where(FILING.c.id == filing_id).values(landed_at=self._clock.now(), sheet=None)
            )


def filed_uids(session: Session, study_id: uuid.UUID) -> set[str]:
    """Return the SOP Instance UIDs of all that was made of a study's marks here."""
    return set(session.scalars(sa.select(FILING.c.sop_uid).where(FILING.c.study_id == study_id)))


def _last_pictures(session: Session, study_id: uuid.UUID) -> set[uuid.UUID]:
    """Return the pictures of what was filed last, for what has no marks any more to refer to."""
    return {uuid.UUID(one) for row in _latest(session, study_id).values() for one in json.loads(row.pictures)}


def _rows(session: Session, study_id: uuid.UUID) -> Sequence[Any]:
    """Return a study's filings that are not withdrawn, by number."""
    mine = (FILING.c.study_id == study_id, FILING.c.withdrawn_at.is_(None))
    return session.execute(sa.select(FILING).where(*mine).order_by(FILING.c.number)).all()


def _latest(session: Session, study_id: uuid.UUID) -> dict[tuple[uuid.UUID, str], Any]:
    """Return the newest filing of each subject."""
    return {(row.holding_id, row.subject): row for row in _rows(session, study_id)}


def _without_marks(gathered: Gathered, rows: Sequence[Any]) -> list[Any]:
    """Return the key objects and presentation states of which no mark is left."""
    wanted = _subjects(gathered)
    return [row for row in rows if names_none(row.subject) and (row.holding_id, row.subject) not in wanted]


def _subjects(gathered: Gathered) -> set[tuple[uuid.UUID, str]]:
    """Return what objects are to be of, each with its holding."""
    return {(plan.holding_id, plan.subject) for plan in plans(gathered)}


def _withdraw(
    session: Session,
    rows: Sequence[Any],
    patient: tuple[str, str, str],
    by: Principal,
    correlation_id: str,
    at: datetime,
) -> None:
    """Take objects back, and record that they were; `held`: they are there until the hold on their study ends."""
    study_id = rows[0].study_id
    detail = {"objects": [row.sop_uid for row in rows], "held": is_held(session, study_id, at)}
    record = audit.AuditRecord("marks.withdraw", by, "study", study_id, detail, patient, correlation_id=correlation_id)
    audit.record(session, record)
    withdraw(session, rows, at)


def _issue(
    session: Session, study_id: uuid.UUID, gathered: Gathered, by: Principal, correlation_id: str, now: datetime
) -> bool:
    """Write down what is to be filed; false where the marks have changed since they were gathered."""
    marked = session.get(MarkedStudy, study_id)
    if marked is None:
        if gathered.turn:
            raise StudyNotFound
        return True
    if marked.turn != gathered.turn or not _still_there(session, gathered.pictures):
        return False
    latest = _latest(session, study_id)
    number = session.scalar(sa.select(sa.func.max(FILING.c.number)).where(FILING.c.study_id == study_id)) or 0
    issued: list[dict[str, Any]] = []
    for plan in [*plans(gathered), *_taken_back(gathered, latest)]:
        before = latest.get((plan.holding_id, plan.subject))
        if before is not None and before.digest == plan.digest:
            continue
        number += 1
        issued.append(_row(study_id, plan, gathered, before, number, by, now))
    if issued:
        session.execute(sa.insert(FILING), issued)
        detail = {"objects": [row["sop_uid"] for row in issued]}
        record = audit.AuditRecord(
            "marks.file", by, "study", study_id, detail, gathered.patient, correlation_id=correlation_id
        )
        audit.record(session, record)
    if gone := _without_marks(gathered, _rows(session, study_id)):
        _withdraw(session, gone, gathered.patient, by, correlation_id, now)
    marked.filed_turn = gathered.turn
    marked.open_since = None
    session.flush()
    return True


def _still_there(session: Session, instance_ids: Collection[uuid.UUID]) -> bool:
    """Say whether none of the instances was deleted: nothing of them may be written any more then."""
    statement = sa.select(sa.func.count()).select_from(INSTANCE).where(INSTANCE.c.id.in_(list(instance_ids)))
    return session.scalar(statement) == len(instance_ids)


def _taken_back(gathered: Gathered, latest: dict[tuple[uuid.UUID, str], Any]) -> list[Plan]:
    """Return what says that all marks of a report were deleted: a new one without any.

    Key objects and presentation states have no such form, and are withdrawn; what has no picture left goes unsaid.
    """
    wanted = _subjects(gathered)
    found = []
    for (holding_id, subject), row in latest.items():
        pictures = [
            gathered.pictures[one] for one in map(uuid.UUID, json.loads(row.pictures)) if one in gathered.pictures
        ]
        if (holding_id, subject) in wanted or names_none(subject) or not row.marks or not pictures:
            continue
        found.append(Plan("report", subject, holding_id, [], pictures))
    return found


def _row(
    study_id: uuid.UUID, plan: Plan, gathered: Gathered, before: Any, number: int, by: Principal, now: datetime
) -> dict[str, Any]:
    predecessor = None if before is None else Issued(before.sop_class_uid, before.sop_uid, before.series_uid)
    sheet = sheet_of(plan, gathered, by.organisation_id, number, predecessor)
    return {
        "id": new_id(),
        "organisation_id": by.organisation_id,
        "study_id": study_id,
        "holding_id": plan.holding_id,
        "subject": plan.subject,
        "number": number,
        "digest": plan.digest,
        "marks": len(plan.marks),
        "sop_class_uid": _sop_class(plan),
        "sop_uid": sheet.sop_uid,
        "series_uid": sheet.series_uid,
        "pictures": json.dumps([str(picture.instance_id) for picture in plan.pictures]),
        "sheet": sheets.encode(sheet),
        "made_at": now,
        "landed_at": None,
    }


def _sop_class(plan: Plan) -> str:
    if plan.kind == "report":
        return _SPATIAL_REPORT if any(placed.drawn.space for placed in plan.marks) else _REPORT
    if plan.kind == "key-objects":
        return _KEY_OBJECTS
    shown = plan.pictures[0].shown
    return _COLOUR_STATE if shown is not None and shown.colour else _GREY_STATE


def sheet_of(
    plan: Plan, gathered: Gathered, organisation_id: uuid.UUID, number: int, predecessor: Issued | None = None
) -> Sheet:
    """Return the sheet of an object; its UID is that of its content, time, predecessor and number."""
    before = predecessor.sop_uid if predecessor is not None else ""
    at = gathered.changed_at.isoformat()
    return Sheet(
        kind=plan.kind,
        study=gathered.study,
        series_uid=sheets.uid(plan.holding_id, plan.kind),
        sop_uid=sheets.uid(plan.holding_id, plan.subject, plan.digest.hex(), at, before, number),
        number=number,
        made_at=gathered.changed_at,
        device_uid=sheets.uid("organisation", organisation_id),
        marks=[placed.drawn for placed in plan.marks],
        pictures=list(plan.pictures),
        predecessor=predecessor,
    )

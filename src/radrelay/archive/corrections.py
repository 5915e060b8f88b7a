"""Correcting whose and what a study is (GDPR Art. 16): the index at once, its objects by durable work after it.

In: studies and new values of some attributes. Out: what that changes, to be looked at, and then the change, in the
caller's transaction: study rows, patient rows, the search index and the restrictions that go by patient. What is still
to be written anew `uncorrected` tells; `intake.correcting` lands it with an Original Attributes Sequence (PS3.3
C.12.1.1.9), and the index puts it in the place of what was received, which is kept.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive import search_index
from radrelay.archive.folding import folded_name, name_order, searched_text, spellings_text
from radrelay.archive.index_rows import text
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Correction, Holding, Patient, Study
from radrelay.errors import Conflict, Invalid
from radrelay.storage import outbox
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember

_DAY = re.compile(r"[0-9]{8}")


class CorrectionInvalid(Invalid):
    """A study cannot be corrected like this."""

    code = "correction-invalid"


class StudyArriving(Conflict):
    """This study is still arriving; correct it once it is complete."""

    code = "study-arriving"


@dataclass(frozen=True, slots=True)
class Attribute:
    """What can be corrected: its DICOM tag and VR, the study's column, and how long it may be."""

    tag: int
    vr: str
    column: str
    longest: int


ATTRIBUTES: Mapping[str, Attribute] = {
    "patient_name": Attribute(0x00100010, "PN", "patient_name", 192),
    "patient_id": Attribute(0x00100020, "LO", "patient_id_value", 64),
    "patient_issuer": Attribute(0x00100021, "LO", "patient_issuer", 64),
    "birth_date": Attribute(0x00100030, "DA", "patient_birth_date", 8),
    "sex": Attribute(0x00100040, "CS", "patient_sex", 16),
    "accession_number": Attribute(0x00080050, "SH", "accession_number", 16),
    "description": Attribute(0x00081030, "LO", "description", 64),
    "referring_physician": Attribute(0x00080090, "PN", "referring_physician", 192),
}
"""By the name that pages and REST know it by."""
_IDENTITY = ("patient_id", "patient_issuer")
CORRECTED = "study.corrected"
"""The event that a study's patient is named otherwise now: what was kept aside as another's may be its own."""


@dataclass(frozen=True, slots=True)
class StudyChange:
    """What of a study becomes otherwise: values before and after, by name; birth dates as YYYYMMDD."""

    id: uuid.UUID
    study_uid: str
    objects: int
    before: Mapping[str, str]
    after: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a correction changes.

    `joins` counts studies that are here under the new patient ID already, `joined_names` what they call the patient,
    `left` those that stay under the old one. `restrictions_before` and `restrictions_after` count those that go by
    patient.
    """

    studies: tuple[StudyChange, ...]
    joins: int
    joined_names: tuple[str, ...]
    left: int
    restrictions_before: int
    restrictions_after: int


def plan(
    session: Session, organisation_id: uuid.UUID, study_ids: Sequence[uuid.UUID], wanted: Mapping[str, str], *,
    follows: bool = False,
) -> Plan:  # fmt: skip
    """Return what a correction would change; raises `CorrectionInvalid` or `StudyArriving`.

    Studies in which nothing changes are left out. One that `follows` is not kept waiting by what still arrives.
    """
    values = {name: _checked(name, value) for name, value in wanted.items()}
    rows = session.scalars(
        sa.select(Study)
        .where(Study.organisation_id == organisation_id, Study.id.in_(study_ids))
        .order_by(Study.first_received_at, Study.id)
    ).all()
    if not follows and any(row.state != "complete" for row in rows):
        raise StudyArriving
    found = []
    for row in rows:
        before = {name: _shown(row, name) for name in values}
        changed = [name for name in values if before[name] != values[name]]
        if not changed:
            continue
        if any(name in changed for name in _IDENTITY) and row.patient_id_value == "" == values.get("patient_id", ""):
            raise CorrectionInvalid("a patient ID's issuer needs a patient ID", field="patient_id")
        after = {name: values[name] for name in changed}
        if "patient_id" in changed or "patient_issuer" in changed:  # an object says both, so that both count
            after |= {"patient_issuer": values.get("patient_issuer", row.patient_issuer)}
        found.append(
            StudyChange(row.id, row.study_uid, row.instance_count, {n: _shown(row, n) for n in after}, after)
        )  # fmt: skip
    return _with_others(session, organisation_id, rows, found)


def _with_others(
    session: Session, organisation_id: uuid.UUID, rows: Sequence[Study], found: Sequence[StudyChange]
) -> Plan:
    """Add what a change of patient does beyond the studies themselves."""
    moving = {one.id: one for one in found if "patient_issuer" in one.after}
    moved = [row for row in rows if row.id in moving]
    if not moved:
        return Plan(tuple(found), 0, (), 0, 0, 0)
    old, new = {_identity(row) for row in moved}, {_identity(row, moving[row.id].after) for row in moved}
    ids = [row.id for row in moved]
    here = _under(session, organisation_id, new, ids)
    names = tuple(dict.fromkeys(name for (name,) in here))
    left = len(_under(session, organisation_id, old, ids))
    before, after = (
        sum(access.patients_restricted(session, organisation_id, *one) for one in some) for some in (old, new)
    )
    return Plan(tuple(found), len(here), names, left, before, after)


def _identity(row: Study, after: Mapping[str, str] | None = None) -> tuple[str, str]:
    known = {"patient_issuer": row.patient_issuer, "patient_id": row.patient_id_value, **(after or {})}
    return known["patient_issuer"], known["patient_id"]


def _under(
    session: Session, organisation_id: uuid.UUID, identities: set[tuple[str, str]], without: Sequence[uuid.UUID]
) -> Sequence[Any]:
    some = sa.or_(
        *(sa.and_(Study.patient_issuer == i, Study.patient_id_value == p) for i, p in identities if p), sa.false()
    )
    asked = sa.select(Study.patient_name).where(Study.organisation_id == organisation_id, some)
    return session.execute(asked.where(Study.id.not_in(without))).all()


def correct(
    session: Session, organisation_id: uuid.UUID, study_ids: Sequence[uuid.UUID], wanted: Mapping[str, str], *,
    by: str, reason: str, request_id: uuid.UUID | None, now: datetime, again: bool = False, follows: bool = False,
) -> Plan:  # fmt: skip
    """Correct studies in the index, in the caller's transaction; their objects follow. Raises as `plan` does.

    `again`: it was done before, and a backup from before that was restored. `follows`: the system that issues patient
    IDs says so, and what still arrives under the old values is the study's.
    """
    lock_archive(session)
    made = plan(session, organisation_id, study_ids, wanted, follows=follows)
    for change in made.studies:
        row = session.get_one(Study, change.id)
        said = Correction(by=by[:200], reason=reason[:400], request_id=request_id, follows=follows)
        _note(session, row, change, said, now)
        _apply(session, row, change)
        if not {"patient_name", "birth_date", *_IDENTITY}.isdisjoint(change.after):
            outbox.emit(session, organisation_id=organisation_id, kind=CORRECTED, subject_id=row.id, at=now)
    if made.studies and not again:
        told = {"studies": [one.id for one in made.studies], "values": dict(wanted), "by": by, "reason": reason,
                 "request_id": request_id, "follows": follows}  # fmt: skip
        remember(session, organisation_id, "correct", told)
    return made


def _note(session: Session, row: Study, change: StudyChange, said: Correction, now: datetime) -> None:
    """Complete and keep what is said of a correction."""
    last = sa.select(sa.func.max(Correction.number)).where(Correction.study_id == row.id)
    before, after = (
        json.dumps({str(ATTRIBUTES[name].tag): value for name, value in values.items()}, ensure_ascii=False)
        for values in (change.before, change.after)
    )
    said.id, said.organisation_id, said.study_id, said.at = new_id(), row.organisation_id, row.id, now
    said.number, said.before, said.after = (session.scalar(last) or 0) + 1, before, after
    session.add(said)


def _apply(session: Session, row: Study, change: StudyChange) -> None:
    """Write the study's row, its patient's, the search index and what it is restricted by."""
    entry = search_index.Entry(row.sort_key, row.patient_name_folded, row.search_text)
    for name, value in change.after.items():
        setattr(row, ATTRIBUTES[name].column, _day(value) if name == "birth_date" else value)
    row.patient_name_folded, row.patient_name_order = folded_name(row.patient_name), name_order(row.patient_name)
    row.patient_spellings = spellings_text(row.patient_name)
    row.search_text = searched_text(row.description, row.patient_id_value, row.accession_number)
    row.attributes = _attributes(row.attributes, change.after)
    before = row.patient_id
    row.patient_id = _patient_row(session, row)
    session.flush()
    search_index.remove(session, [entry])
    search_index.add(session, [search_index.Entry(row.sort_key, row.patient_name_folded, row.search_text)])
    _look_after_patients(session, row, before)
    sources = frozenset(session.scalars(sa.select(Holding.source_id).where(Holding.study_id == row.id)))
    whose = access.Arrived(row.id, row.study_uid, row.patient_issuer, row.patient_id_value, sources)
    access.follow_patient(session, row.organisation_id, whose)
    if row.patient_id != before:
        access.follow_to_patient(session, row.id, row.patient_id)


def _patient_row(session: Session, row: Study) -> uuid.UUID:
    """Return the row of the patient that a study's columns name, made if there is none."""
    issuer = row.patient_issuer if row.patient_id_value else f"radrelay:study:{row.id.hex}"
    mine = (
        Patient.organisation_id == row.organisation_id, Patient.issuer == issuer,
        Patient.patient_id == row.patient_id_value,
    )  # fmt: skip
    known = session.scalar(sa.select(Patient.id).where(*mine))
    if known is not None:
        return known
    made = Patient(
        id=new_id(), organisation_id=row.organisation_id, issuer=issuer, patient_id=row.patient_id_value,
        name=row.patient_name, name_folded=row.patient_name_folded, birth_date=row.patient_birth_date,
        sex=row.patient_sex,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made.id


def _look_after_patients(session: Session, row: Study, before: uuid.UUID) -> None:
    """Take out a patient with no study left, and let the row of one with this study alone say what it says."""
    if before != row.patient_id and not _studies_of(session, before):
        session.execute(sa.delete(Patient).where(Patient.id == before))
    if _studies_of(session, row.patient_id) == [row.id]:
        session.execute(
            sa.update(Patient)
            .where(Patient.id == row.patient_id)
            .values(
                name=row.patient_name, name_folded=row.patient_name_folded, birth_date=row.patient_birth_date,
                sex=row.patient_sex,
            )
        )  # fmt: skip


def _studies_of(session: Session, patient_id: uuid.UUID) -> list[uuid.UUID]:
    return list(session.scalars(sa.select(Study.id).where(Study.patient_id == patient_id).limit(2)))


def _attributes(kept: str, after: Mapping[str, str]) -> str:
    """Return a study's DICOM JSON with other values."""
    found = json.loads(kept) if kept else {}
    for name, value in after.items():
        attribute = ATTRIBUTES[name]
        key = f"{attribute.tag:08X}"
        if not value:
            found[key] = {"vr": attribute.vr}
        elif attribute.vr == "PN":
            groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("="), strict=False)
            found[key] = {"vr": "PN", "Value": [{group: part for group, part in groups if part}]}
        else:
            found[key] = {"vr": attribute.vr, "Value": [value]}
    return json.dumps(dict(sorted(found.items())), ensure_ascii=False, separators=(",", ":"))


def _shown(row: Study, name: str) -> str:
    value = getattr(row, ATTRIBUTES[name].column)
    return f"{value:%Y%m%d}" if isinstance(value, date) else str(value or "")


def _checked(name: str, value: str) -> str:
    """Return a value as it is written; raises `CorrectionInvalid`, naming the field."""
    attribute = ATTRIBUTES[name]
    clean = text(value).strip()
    if not clean.isprintable() or "\\" in clean or len(clean) > attribute.longest:
        words = f"{name} has at most {attribute.longest} characters on one line, and no backslash"
        raise CorrectionInvalid(words, field=name)
    if name == "birth_date" and clean:
        _day(clean)
    if name == "sex" and clean not in ("", "M", "F", "O"):
        raise CorrectionInvalid("sex is M, F, O or empty", field="sex")
    return clean


def _day(value: str) -> date | None:
    if not value:
        return None
    if not _DAY.fullmatch(value):
        raise CorrectionInvalid("a birth date is written YYYYMMDD", field="birth_date")
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError as error:
        raise CorrectionInvalid("there is no such day", field="birth_date") from error

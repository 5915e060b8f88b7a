"""What a check found, as rows and JSON, and back: nothing is looked at in the files again to show or to decide."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer.arrived import ArrivedObject, Person
from radrelay.importer.findings import Finding
from radrelay.importer.matching import Candidate
from radrelay.importer.models import ImportCase, ImportObject, ImportPerson
from radrelay.importer.parting import ArrivedPerson, as_parted
from radrelay.importer.promises import Promise, of_list
from radrelay.importer.reconciling import Authority, LocalPatient, Order
from radrelay.storage.ids import new_id

Row = dict[str, Any]
_O = ImportObject
_NAMED = 5
_CHECKED = (
    sa.select(
        _O.person_number, _O.action, _O.why,
        _O.patient_name, _O.patient_id_value, _O.patient_issuer, _O.patient_birth_date, _O.patient_sex,
        _O.file_name, _O.sop_uid, _O.sop_class_uid, _O.series_uid, _O.study_uid, _O.transfer_syntax, _O.modality,
        _O.study_date, _O.description, _O.accession, _O.digest, _O.pixels, _O.header,
    )
    .where(_O.case_id == sa.bindparam("case_id"))
    .order_by(_O.file_name)
)  # fmt: skip
COUNT_FILES = frozenset({"dlx"})
"""Connectors whose lists count files, whatever they are (`fileCount`); those of the others count objects."""


class CheckedObject(NamedTuple):
    """An object of a parcel: the number of whom it names, how it arrived, and what became of it, if anything has."""

    number: int
    arrived: ArrivedObject
    action: str = ""
    why: str = ""


class Parted(NamedTuple):
    """The people of a parcel, and the objects of each of them, by their numbers."""

    people: Mapping[int, ArrivedPerson]
    objects: Mapping[int, Sequence[CheckedObject]]


def object_row(case: ImportCase, number: int, one: ArrivedObject) -> Row:
    """Return the row of an object of the person with this number."""
    return {
        "id": new_id(), "organisation_id": case.organisation_id, "case_id": case.id, "person_number": number,
        "file_name": one.file, "sop_uid": one.sop_uid, "sop_class_uid": one.sop_class, "series_uid": one.series_uid,
        "study_uid": one.study_uid, "patient_name": one.person.name, "patient_id_value": one.person.patient_id,
        "patient_issuer": one.person.issuer, "patient_birth_date": one.person.birth_date,
        "patient_sex": one.person.sex, "transfer_syntax": one.transfer_syntax, "modality": one.modality,
        "study_date": one.study_date, "description": one.description, "accession": one.accession,
        "digest": one.digest, "pixels": one.pixels, "header": one.header, "action": "", "why": "", "written": "",
    }  # fmt: skip


def arrived_of(row: ImportObject) -> ArrivedObject:
    """Return an object as it arrived."""
    person = Person(row.patient_name, row.patient_id_value, row.patient_issuer, row.patient_birth_date, row.patient_sex)
    return ArrivedObject(
        file=row.file_name, sop_uid=row.sop_uid, sop_class=row.sop_class_uid, series_uid=row.series_uid,
        study_uid=row.study_uid, person=person, transfer_syntax=row.transfer_syntax, modality=row.modality,
        study_date=row.study_date, description=row.description, accession=row.accession, digest=row.digest,
        pixels=row.pixels, header=row.header,
    )  # fmt: skip


def checked_of(row: ImportObject) -> CheckedObject:
    """Return an object of a parcel as it was checked."""
    return CheckedObject(row.person_number, arrived_of(row), row.action, row.why)


def checked_in(session: Session, case_id: uuid.UUID) -> list[CheckedObject]:
    """Return the objects of an import, by their files; read lean, for there may be ten thousand at each click."""
    people: dict[tuple[Any, ...], Person] = {}
    found = []
    for number, action, why, *told in session.execute(_CHECKED, {"case_id": case_id}):
        named, rest = tuple(told[:_NAMED]), told[_NAMED:]
        person = people.get(named)
        if person is None:
            person = people[named] = Person(*named)
        file, sop_uid, sop_class, series_uid, study_uid, *others = rest
        arrived = ArrivedObject(file, sop_uid, sop_class, series_uid, study_uid, person, *others)
        found.append(CheckedObject(number, arrived, action, why))
    return found


def parted_of(objects: Iterable[CheckedObject]) -> Parted:
    """Return the people of a parcel and their objects by their numbers, parted as they were when it was checked."""
    mine: dict[int, list[CheckedObject]] = {}
    for one in objects:
        mine.setdefault(one.number, []).append(one)
    return Parted(as_parted((one.number, one.arrived) for some in mine.values() for one in some), mine)


def person_row(case: ImportCase, number: int, arrived: ArrivedPerson, candidates: Sequence[Candidate]) -> Row:
    """Return the row of somebody in a parcel."""
    person = arrived.person
    return {
        "id": new_id(), "organisation_id": case.organisation_id, "case_id": case.id, "number": number, "state": "open",
        "patient_name": person.name, "patient_id_value": person.patient_id, "patient_issuer": person.issuer,
        "patient_birth_date": person.birth_date, "patient_sex": person.sex, "matched": candidates_text(candidates),
        "chosen": "", "import_order": "", "confirmed": "{}", "destination_id": None, "filing_at": None,
        "filed_at": None, "filed_by": "", "unsent": "",
    }  # fmt: skip


def candidates_text(candidates: Sequence[Candidate]) -> str:
    """Return candidates as JSON."""
    return json.dumps(_candidates(candidates))


def candidates_of(row: ImportPerson) -> tuple[Candidate, ...]:
    """Return who somebody may be here, as it was found."""
    return _candidates_of(json.loads(row.matched or "[]"))


def findings_text(findings: Iterable[Finding]) -> str:
    """Return findings about a parcel as JSON."""
    return json.dumps([
        {"level": one.level, "code": one.code, "facts": dict(one.facts), "study_uid": one.study_uid} for one in findings
    ])  # fmt: skip


def findings_of(case: ImportCase) -> tuple[Finding, ...]:
    """Return the findings about a parcel."""
    return tuple(
        Finding(one["level"], one["code"], one["facts"], study_uid=one.get("study_uid", ""))
        for one in json.loads(case.findings or "[]")
    )


def refused_of(case: ImportCase) -> list[str]:
    """Return the records of files that came too late: they are no part of the import."""
    told: list[str] = json.loads(case.refused) if case.refused else []
    return told


def came_text(people: Iterable[ArrivedPerson]) -> str:
    """Return which studies came, as JSON for a list: how many, and what the newest of them says."""
    studies = [study for one in people for study in one.studies]
    if not studies:
        return ""
    newest = max(studies, key=lambda one: one.date or date.min)
    return json.dumps({
        "studies": len(studies), "study_date": newest.date.isoformat() if newest.date else None,
        "modalities": list(newest.modalities), "description": newest.description,
    })  # fmt: skip


def promises_of(case: ImportCase) -> tuple[Promise, ...] | None:
    """Return what a portal's list promised, thing by thing, none where there was no list."""
    if not case.listed:
        return None
    return tuple(promise for one in json.loads(case.listed) for promise in of_list([_Listed(one)]))


class _Listed:
    def __init__(self, told: Mapping[str, Any]) -> None:
        self.study_uid: str = told.get("study_uid", "")
        self.files: int | None = told.get("files")
        self.patient_name: str = told.get("name", "")
        self.birth_date: date | None = _date(told.get("birth_date"))
        self.sex: str = told.get("sex", "")
        self.description: str = told.get("description", "")
        self.reachable: bool = told.get("reachable", True)


def chosen_text(patient: LocalPatient, holders: Sequence[Candidate] = (), silent: Sequence[str] = ()) -> str:
    """Return a local patient as JSON, with whom archives elsewhere know by the ID and which of them did not answer."""
    authority = patient.authority
    return json.dumps({
        "name": patient.name, "patient_id": patient.patient_id, "issuer": patient.issuer,
        "universal_id": authority.universal_id, "universal_type": authority.universal_type,
        "namespace": authority.namespace, "birth_date": patient.birth_date, "sex": patient.sex,
        "holders": _candidates(holders), "silent": list(silent),
    })  # fmt: skip


def chosen_of(row: ImportPerson) -> LocalPatient | None:
    """Return who somebody is here, none while nobody has said."""
    if not row.chosen:
        return None
    told = json.loads(row.chosen)
    authority = Authority(told["universal_id"], told["universal_type"], told["namespace"])
    return LocalPatient(told["name"], told["patient_id"], told["issuer"], authority, told["birth_date"], told["sex"])


def held_elsewhere(row: ImportPerson) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Return whom archives elsewhere know by the ID of whom was chosen, and which of them did not answer."""
    told = json.loads(row.chosen) if row.chosen else {"holders": [], "silent": []}
    return _candidates_of(told["holders"]), tuple(told["silent"])


def order_text(order: Order | None) -> str:
    """Return an import order as JSON, nothing for none."""
    if order is None:
        return ""
    authority = order.accession_authority
    return json.dumps({
        "accession": order.accession, "universal_id": authority.universal_id,
        "universal_type": authority.universal_type, "namespace": authority.namespace, "study_id": order.study_id,
        "procedure_id": order.procedure_id, "procedure": order.procedure, "step_id": order.step_id,
        "step": order.step,
    })  # fmt: skip


def order_of(row: ImportPerson) -> Order | None:
    """Return the import order that was chosen for somebody's studies, none if none was."""
    if not row.import_order:
        return None
    told = json.loads(row.import_order)
    authority = Authority(told["universal_id"], told["universal_type"], told["namespace"])
    return Order(
        told["accession"], authority, told["study_id"], told["procedure_id"], told["procedure"], told["step_id"],
        told["step"],
    )  # fmt: skip


def _candidates(candidates: Iterable[Candidate]) -> list[Row]:
    return [{"origin": one.origin, **_person(one.person), **_issued(one.authority)} for one in candidates]


def _candidates_of(told: Iterable[Row]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(one["origin"], _person_of(one), Authority(one.get("universal_id", ""), one.get("universal_type", "")))
        for one in told
    )


def _issued(one: Authority) -> dict[str, str]:
    """Return who issues an ID; nothing where nobody says it, as for most."""
    return {"universal_id": one.universal_id, "universal_type": one.universal_type} if one.universal_id else {}


def _person(one: Person) -> dict[str, str]:
    born = one.birth_date.isoformat() if one.birth_date else ""
    return {"name": one.name, "patient_id": one.patient_id, "issuer": one.issuer, "birth_date": born, "sex": one.sex}


def _person_of(told: Mapping[str, str]) -> Person:
    return Person(told["name"], told["patient_id"], told["issuer"], _date(told["birth_date"]), told["sex"])


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None

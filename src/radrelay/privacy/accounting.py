"""To whom data of one patient went (45 CFR 164.528): of the one who is meant, where several people have one ID.

Devices without an issuer give the same ID to different people, and every issuer begins with one. What an account tells
is handed to the patient, so what may be another person's is left out of it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.archive import persons
from radrelay.archive.models import Study
from radrelay.audit.disclosures import Disclosure, disclosure_of, left_of
from radrelay.errors import NotFound
from radrelay.privacy.holdings_of import held
from radrelay.privacy.people_on_record import Recorded, recorded
from radrelay.privacy.requests import SeveralPeople, Subject
from radrelay.storage.database import Database

_Told = tuple[Recorded, str, uuid.UUID | None]
"""What a study tells of whom it is, its UID, and its row unless it is gone."""


@dataclass(frozen=True, slots=True)
class PersonUnder:
    """One of the people who have a patient ID, as their studies say; `study_uids` are theirs, here or gone.

    `alone`: nobody else has the ID of this issuer, so that what names no study is theirs, too.
    """

    issuer: str
    patient_name: str
    birth_date: date | None
    sex: str
    study_uids: tuple[str, ...]
    study_ids: tuple[uuid.UUID, ...]
    alone: bool


def people_under(
    session: Session, organisation_id: uuid.UUID, issuer: str | None, patient_id: str
) -> list[PersonUnder]:  # fmt: skip
    """Return who has a patient ID, of one issuer or (None) of any, as studies and the record tell."""
    known = {issuer} if issuer is not None else _issuers(session, organisation_id, patient_id)
    return [one for each in sorted(known) for one in _of_issuer(session, organisation_id, each, patient_id)]


def account_of(
    database: Database, organisation_id: uuid.UUID, issuer: str | None, patient_id: str, now: datetime,
    study_uid: str | None = None,
) -> list[Disclosure]:  # fmt: skip
    """Return what left of a patient in the six years before `now`, newest first.

    Raises `SeveralPeople` where the ID is of several, unless `study_uid` is a study of the one who is meant; `NotFound`
    where nobody under the ID has that study.
    """
    with database.read() as session:
        people = people_under(session, organisation_id, issuer, patient_id)
    if study_uid is not None:
        people = [one for one in people if study_uid in one.study_uids]
        if not people:
            raise NotFound("there is no such study under this patient ID")
    if len(people) > 1:
        raise SeveralPeople(people=len(people))
    if not people:
        return []
    (one,) = people
    left = left_of(database, organisation_id, one.issuer, patient_id, one.study_ids, now)
    return [disclosure_of(entry) for entry in left if _is_of(one, entry)]


def _is_of(one: PersonUnder, entry: audit.AuditEntry) -> bool:
    return one.alone if entry.study is None else entry.study.study_uid in one.study_uids


def _issuers(session: Session, organisation_id: uuid.UUID, patient_id: str) -> set[str]:
    here = sa.select(Study.patient_issuer).where(
        Study.organisation_id == organisation_id, Study.patient_id_value == patient_id
    )
    return {*session.scalars(here.distinct()), *audit.issuers_of(session, organisation_id, patient_id)}


def _of_issuer(session: Session, organisation_id: uuid.UUID, issuer: str, patient_id: str) -> list[PersonUnder]:
    """Return the people under one issuer's ID; one without studies where the record has events of nobody else."""
    subject, key = Subject("patient", issuer, patient_id), (issuer, patient_id)
    here = held(session, organisation_id, subject).studies
    told: list[_Told] = [
        (Recorded(key, patient_id, issuer, study.name, study.birth_date, study.sex), study.study_uid, study.id)
        for study in here
    ]
    present = {study.study_uid for study in here}
    told += [
        (recorded(gone), gone.study_uid, None)
        for gone in audit.studies_of_patient(session, organisation_id, issuer, patient_id)
        if gone.study_uid not in present and not _is_elsewhere(session, organisation_id, gone.study_uid)
    ]
    if not told:
        return [PersonUnder(issuer, "", None, "", (), (), alone=True)]
    told.sort(key=lambda one: (not one[0].patient_name, one[0].patient_birth_date is None))
    numbers = persons.parted(one for one, _, _ in told)
    theirs = [[one for one, who in zip(told, numbers, strict=True) if who == person] for person in sorted(set(numbers))]
    return [_person(one, alone=len(theirs) == 1) for one in theirs]


def _person(theirs: list[_Told], *, alone: bool) -> PersonUnder:
    said = theirs[0][0]
    return PersonUnder(
        said.patient_issuer, said.patient_name, said.patient_birth_date, said.patient_sex,
        tuple(uid for _, uid, _ in theirs), tuple(study for _, _, study in theirs if study is not None), alone,
    )  # fmt: skip


def _is_elsewhere(session: Session, organisation_id: uuid.UUID, study_uid: str) -> bool:
    """Say whether a study is here under another ID: it was corrected since."""
    here = sa.select(Study.id).where(Study.organisation_id == organisation_id, Study.study_uid == study_uid)
    return session.scalar(here) is not None

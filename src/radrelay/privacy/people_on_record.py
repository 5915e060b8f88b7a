"""Whose the studies are that the record names under one patient ID: several people may have it.

A study that is here says itself whose it is. Of one that is gone the record says what it said then
(`audit.StudyNamed`), and `archive.persons` decides. What cannot be told apart is given to nobody, and is counted.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.archive import persons
from radrelay.archive.models import Study
from radrelay.privacy.holdings_of import Held, HeldStudy
from radrelay.privacy.requests import Subject

BATCH = 500


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a study tells, or told, of whom it is, as `archive.persons` compares it."""

    patient_id: tuple[str, str]
    patient_id_value: str
    patient_issuer: str
    patient_name: str
    patient_birth_date: date | None
    patient_sex: str


@dataclass(frozen=True, slots=True)
class OnRecord:
    """Whose is what under one patient ID: UIDs of studies of the person who is meant (`own`), and of any (`here`).

    `person` is what the first say, `others` the other studies under the ID, `gone` what the record says of those that
    are not here any more.
    """

    own: frozenset[str] = frozenset()
    here: frozenset[str] = frozenset()
    person: tuple[Recorded, ...] = ()
    others: tuple[Recorded, ...] = ()
    gone: tuple[Recorded, ...] = ()

    @property
    def people(self) -> int:
        """Return how many people have the ID, as far as studies and record tell."""
        return len(set(persons.parted([*self.person, *self.others, *self.gone])))

    def is_theirs(self, entry: audit.AuditEntry) -> bool | None:
        """Say whether an event under the ID is of the person who is meant; none where nobody can tell."""
        study = entry.study
        if study is None:
            return True if self.people <= 1 else None
        if study.study_uid in self.here:
            return study.study_uid in self.own
        told = recorded(study)
        known = self.person or (self.gone if self.people <= 1 else ())
        likeness = [persons.likeness(told, one) for one in known]
        if likeness and all(one == "same" for one in likeness):
            return True
        return None if not likeness or "other" not in likeness else False


def on_record(
    session: Session, organisation_id: uuid.UUID, subject: Subject, found: Held, everything: Held
) -> OnRecord:  # fmt: skip
    """Return whose is what under a patient's ID; `found` is what is held of the one who is meant, of `everything`."""
    if subject.kind != "patient":
        return OnRecord()
    named = audit.studies_of_patient(session, organisation_id, subject.issuer, subject.patient_id)
    here = _here(session, organisation_id, {one.study_uid for one in named})
    own = frozenset(study.study_uid for study in found.studies)
    gone = tuple(dict.fromkeys(recorded(one) for one in named if one.study_uid not in here))
    person = tuple(dict.fromkeys(_of(study, subject) for study in found.studies))
    others = (_of(study, subject) for study in everything.studies if study.study_uid not in own)
    return OnRecord(own, here | own, person, tuple(dict.fromkeys(others)), gone)


def _here(session: Session, organisation_id: uuid.UUID, uids: Collection[str]) -> frozenset[str]:
    """Return which of some studies are here, whoever they are of."""
    found: set[str] = set()
    ordered = sorted(uids)
    for start in range(0, len(ordered), BATCH):
        some = Study.study_uid.in_(ordered[start : start + BATCH])
        found.update(session.scalars(sa.select(Study.study_uid).where(Study.organisation_id == organisation_id, some)))
    return frozenset(found)


def recorded(study: audit.StudyNamed) -> Recorded:
    """Return whom a study was of as the record says."""
    key = (study.patient_issuer, study.patient_id)
    return Recorded(key, key[1], key[0], study.patient_name, _day(study.birth_date), study.sex)


def _of(study: HeldStudy, subject: Subject) -> Recorded:
    key = (subject.issuer, subject.patient_id)
    return Recorded(key, key[1], key[0], study.name, study.birth_date, study.sex)


def _day(text: str) -> date | None:
    return datetime.strptime(text, "%Y%m%d").date() if text else None  # noqa: DTZ007  # a day has no zone


def together(people: Iterable[Recorded]) -> list[list[Recorded]]:
    """Return who is the same person under one ID, together; who cannot be told to be, apart."""
    ordered = sorted(people, key=_most_said)
    found: dict[int, list[Recorded]] = {}
    for one, person in zip(ordered, persons.parted(ordered), strict=True):
        found.setdefault(person, []).append(one)
    return list(found.values())


def _most_said(one: Recorded) -> tuple[bool, bool, str]:
    return not one.patient_name, one.patient_birth_date is None, one.patient_name

"""Whom a restriction of a patient means: devices without an issuer give one ID to several people.

A restriction hides the studies of all of them, which is the safe side; so it is said how many people they are, and
those whom the reader may see are named, for a person to judge by.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.persons import parted
from radrelay.archive.tables import STUDY
from radrelay.web.reach import Reach

MOST_TOLD = 500  # different things that studies of one ID tell of whom they are
_WHO = tuple(STUDY.c[name] for name in (
    "patient_id", "patient_id_value", "patient_issuer", "patient_name", "patient_birth_date", "patient_sex",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class PersonMeant:
    """Somebody with studies under an ID, as the newest that the reader sees tells, and how many the reader sees."""

    name: str
    birth_date: date | None
    sex: str
    studies: int


@dataclass(frozen=True, slots=True)
class Meant:
    """How many people's studies are under an ID, those whom the reader may see, and who else issues the same ID.

    Where it is in doubt whether two are one, they count as two (`archive.persons`).
    """

    people: int
    named: tuple[PersonMeant, ...]
    other_issuers: tuple[str, ...]


def meant(reach: Reach, issuer: str, patient_id: str) -> Meant:
    """Return whom a patient ID of an issuer means."""
    session, organisation_id = reach.session, reach.scope.organisation_id
    own = _under(organisation_id, patient_id)
    counted = parted(_told(session, *own, STUDY.c.patient_issuer == issuer))
    elsewhere = sa.select(STUDY.c.patient_issuer).where(*own, STUDY.c.patient_issuer != issuer).distinct()
    others = sorted(session.scalars(elsewhere.limit(MOST_TOLD)))
    named: tuple[PersonMeant, ...] = ()
    if reach.scope.identity == "clear" and not reach.scope.nothing:
        seen = _told(session, *own, STUDY.c.patient_issuer == issuer, reach.scope.study_filter(STUDY.c.id))
        named = _named(seen)
    return Meant(len(set(counted)), named, tuple(others))


def _under(organisation_id: uuid.UUID, patient_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return STUDY.c.organisation_id == organisation_id, STUDY.c.patient_id_value == patient_id


def _told(session: Session, *conditions: sa.ColumnElement[bool]) -> Sequence[Any]:
    """Return what studies tell of whom they are, the newest first, with how many tell the same."""
    grouped = sa.select(*_WHO, sa.func.count().label("studies")).where(*conditions).group_by(*_WHO)
    return session.execute(grouped.order_by(sa.func.max(STUDY.c.sort_key).desc()).limit(MOST_TOLD)).all()


def _named(seen: Sequence[Any]) -> tuple[PersonMeant, ...]:
    people: dict[int, PersonMeant] = {}
    for at, row in zip(parted(seen), seen, strict=True):
        first = people.get(at)
        before = 0 if first is None else first.studies
        told = first or PersonMeant(row.patient_name, row.patient_birth_date, row.patient_sex, 0)
        people[at] = PersonMeant(told.name, told.birth_date, told.sex, before + row.studies)
    return tuple(people.values())

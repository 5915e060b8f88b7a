"""For whom images are waiting: patients whom a worklist names today, beside people in imports who are not filed yet.

They go together by the rules by which patients are proposed (`matching`), never by a name alone: where nobody has
chosen yet, birth dates have to be told on both sides, and to agree. What waits is what is not here yet, under that very
patient; imports that bring the same are told as one.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.tables import INSTANCE, STUDY
from radrelay.importer.arrived import Person
from radrelay.importer.cases import OPEN
from radrelay.importer.matching import Candidate, Compared, match
from radrelay.importer.models import ImportCase, ImportObject, ImportPerson
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.written_down import candidates_of, chosen_of

MOST_OPEN = 2000
CHUNK = 500
_Part = tuple[uuid.UUID, int]
"""Somebody in an import: its id, and their number in it."""
_Known = tuple[str, str]
"""An object: its SOP Instance UID, and the digest of its bytes."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is done with a patient, and when, by the site's clock; `state` as the worklist has it."""

    time: time | None
    modality: str
    procedure: str
    accession: str
    location: str
    state: str
    study_uid: str = ""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A patient of a day's worklist, as each of its items tells of them, and what is done."""

    told: tuple[Person, ...]
    steps: tuple[Step, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Return issuer and ID."""
        return self.person.issuer, self.person.patient_id

    @property
    def person(self) -> Person:
        """Return what tells most of them."""
        return max(self.told, key=lambda one: one.said)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody in an import who is, or may be, a patient of today.

    `number` is of the first of them, where a parcel holds several. `objects` are those that are not here yet. `sure`: a
    person has chosen that patient, or nobody else may be meant. `known`: they stand beside the import already; else the
    order came after it was checked. `also`: so many other imports bring nothing beyond it.
    """

    case_id: uuid.UUID
    number: int
    objects: int
    sure: bool
    known: bool
    also: int = 0


@dataclass(frozen=True, slots=True)
class _Fit:
    """An import that fits a patient, and the objects in it that are not here under them: by UID and digest."""

    case_id: uuid.UUID
    numbers: tuple[int, ...]
    new: frozenset[_Known]
    sure: bool
    known: bool


def today_at(now: datetime, zone: tzinfo | None) -> date:
    """Return which day it is at a site; None for this machine's own time zone."""
    return now.astimezone(zone).date()


def waiting_for(
    session: Session, organisation_id: uuid.UUID, source_ids: Sequence[uuid.UUID] | None, patients: Sequence[Scheduled]
) -> list[tuple[Waiting, ...]]:
    """Return what waits for each patient; of some sources' imports if given."""
    found: list[list[tuple[_Part, bool, bool]]] = [[] for _ in patients]
    people = _open_people(session, organisation_id, source_ids, patients)
    arrived = _all_arrived(session, [person for _, person in people])
    for case, person in people:
        for at, sure, known in _fitting(case, person, arrived[case.id, person.number], patients):
            found[at].append(((case.id, person.number), sure, known))
    parts = {part for some in found for part, _, _ in some}
    objects, here = _objects(session, parts), _here(session, organisation_id, parts)
    return [
        _joined(_by_case(some, objects, here.get(_key(patient.person), {})))
        for patient, some in zip(patients, found, strict=True)
    ]


def _by_case(
    some: Sequence[tuple[_Part, bool, bool]], objects: Mapping[_Part, set[_Known]], here: Mapping[_Part, set[_Known]]
) -> list[_Fit]:
    """Return what fits a patient by imports, in their order: who a parcel names in two ways is one in it."""
    fits: dict[uuid.UUID, _Fit] = {}
    for (case_id, number), sure, known in some:
        new = frozenset(objects.get((case_id, number), set()) - here.get((case_id, number), set()))
        before = fits.get(case_id, _Fit(case_id, (), frozenset(), sure, known))
        fits[case_id] = _Fit(
            case_id, (*before.numbers, number), before.new | new, before.sure and sure, before.known and known
        )
    return list(fits.values())


def _joined(fits: Sequence[_Fit]) -> tuple[Waiting, ...]:
    """Return what waits: the surest and fullest first, without what brings nothing beyond another or what is here."""
    kept: dict[uuid.UUID, tuple[_Fit, int]] = {}
    for one in sorted(fits, key=lambda one: (not one.sure, -len(one.new))):
        if not one.new:
            continue
        holds = next((fit for fit, _ in kept.values() if one.new <= fit.new), None)
        if holds is None:
            kept[one.case_id] = one, 0
        else:
            kept[holds.case_id] = holds, kept[holds.case_id][1] + 1
    return tuple(
        Waiting(fit.case_id, fit.numbers[0], len(fit.new), fit.sure, fit.known, also) for fit, also in kept.values()
    )


def _objects(session: Session, parts: Collection[_Part]) -> dict[_Part, set[_Known]]:
    """Return the objects of some people in imports."""
    o, found = ImportObject, dict[_Part, set[_Known]]()
    asked = sa.select(o.case_id, o.person_number, o.sop_uid, o.digest)
    for case_id, number, uid, digest in session.execute(asked.where(_within(parts))) if parts else ():
        found.setdefault((case_id, number), set()).add((uid, digest))
    return found


def _here(
    session: Session, organisation_id: uuid.UUID, parts: Collection[_Part]
) -> dict[tuple[object, ...], dict[_Part, set[_Known]]]:
    """Return the objects of some people in imports that are here: as they came, or as an import has filed them.

    By the issuer and ID under which they are here.
    """
    o, i, st = ImportObject, INSTANCE.c, STUDY.c
    asked = (
        sa.select(o.case_id, o.person_number, o.sop_uid, o.digest, o.pixels, o.header, i.sha256)
        .add_columns(st.patient_issuer, st.patient_id_value)
        .join(INSTANCE, sa.and_(i.organisation_id == organisation_id, i.sop_uid == o.sop_uid, i.current))
        .join(STUDY, st.id == i.study_id)
        .where(_within(parts), st.study_uid == o.study_uid)
    )
    rows = session.execute(asked).all() if parts else ()
    filed = _filed(session, organisation_id, sorted({one.sop_uid for one in rows}))
    found: dict[tuple[object, ...], dict[_Part, set[_Known]]] = {}
    for case_id, number, uid, digest, pixels, header, sha256, *whose in rows:
        before = filed.get(sha256.hex(), ("", "", ""))
        if digest in (sha256.hex(), before[0]) or (header and (pixels, header) == before[1:]):
            found.setdefault(tuple(whose), {}).setdefault((case_id, number), set()).add((uid, digest))
    return found


def _filed(session: Session, organisation_id: uuid.UUID, sop_uids: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """Return what imports have filed of some objects, by the SHA-256 of what was written: the digests it came with."""
    o, found = ImportObject, dict[str, tuple[str, str, str]]()
    for start in range(0, len(sop_uids), CHUNK):
        some = o.sop_uid.in_(sop_uids[start : start + CHUNK])
        asked = sa.select(o.written, o.digest, o.pixels, o.header).where(some, o.written != "")
        for written, *digests in session.execute(asked.where(o.organisation_id == organisation_id)):
            found[written] = digests[0], digests[1], digests[2]
    return found


def _within(parts: Collection[_Part]) -> sa.ColumnElement[bool]:
    return sa.tuple_(ImportObject.case_id, ImportObject.person_number).in_(sorted(parts))


def _open_people(
    session: Session, organisation_id: uuid.UUID, source_ids: Sequence[uuid.UUID] | None, patients: Sequence[Scheduled]
) -> list[tuple[ImportCase, ImportPerson]]:
    """Return people who are not filed and may be a patient of today: by their birth date, or as somebody chose."""
    born = sorted({one.birth_date for patient in patients for one in patient.told if one.birth_date})
    asked = (
        sa.select(ImportCase, ImportPerson)
        .join(ImportPerson, ImportPerson.case_id == ImportCase.id)
        .where(ImportCase.organisation_id == organisation_id, ImportCase.state == OPEN, ImportPerson.state == "open")
        .where(
            sa.or_(
                ImportPerson.patient_birth_date.in_(born),
                ImportPerson.patient_birth_date.is_(None),
                ImportPerson.chosen != "",
            )
        )
    )
    if source_ids is not None:
        asked = asked.where(ImportCase.source_id.in_(source_ids))
    newest = asked.order_by(ImportCase.created_at.desc(), ImportPerson.number).limit(MOST_OPEN)
    return [(case, person) for case, person in session.execute(newest)] if patients else []


def arrived_in(session: Session, person: ImportPerson) -> ArrivedPerson:
    """Return somebody in a parcel as all objects name them, without their studies."""
    return _all_arrived(session, [person])[person.case_id, person.number]


def _all_arrived(session: Session, people: Sequence[ImportPerson]) -> dict[_Part, ArrivedPerson]:
    """Return people in parcels as all objects name them, asked for many at once."""
    o, named = ImportObject, dict[_Part, list[Person]]()
    columns = sa.select(
        o.case_id, o.person_number,
        o.patient_name, o.patient_id_value, o.patient_issuer, o.patient_birth_date, o.patient_sex,
    ).distinct()  # fmt: skip
    for start in range(0, len(people), CHUNK):
        some = _within({(one.case_id, one.number) for one in people[start : start + CHUNK]})
        for case_id, number, name, patient_id, issuer, born, sex in session.execute(columns.where(some)):
            named.setdefault((case_id, number), []).append(Person(name, patient_id, issuer, born, sex))
    found: dict[_Part, ArrivedPerson] = {}
    for one in people:
        fullest = Person(
            one.patient_name, one.patient_id_value, one.patient_issuer, one.patient_birth_date, one.patient_sex
        )
        part = one.case_id, one.number
        found[part] = ArrivedPerson(fullest, tuple(named.get(part, ())) or (fullest,), ())
    return found


def _fitting(
    case: ImportCase, person: ImportPerson, arrived: ArrivedPerson, patients: Sequence[Scheduled]
) -> list[tuple[int, bool, bool]]:
    """Return which patients somebody is or may be: their place, whether that is sure, whether it is known already."""
    before = candidates_of(person)
    known = {_key(one.person) for one in before}
    chosen = chosen_of(person)
    if chosen is not None:
        theirs = (chosen.issuer, chosen.patient_id)
        return [(at, True, True) for at, one in enumerate(patients) if _key(one.person) == theirs]
    near = [Candidate("worklist", one) for patient in patients for one in patient.told if _near(one, arrived, case)]
    if not near:
        return []
    matched = match(arrived, case.birth_date, (*before, *near))
    fits = {_key(one.person): one for one in matched.compared if one.fit != "not" and _by_birth_date(one)}
    return [
        (at, fits[key] is matched.proposed, key in known)
        for at, patient in enumerate(patients)
        if (key := _key(patient.person)) in fits
    ]


def _near(one: Person, arrived: ArrivedPerson, case: ImportCase) -> bool:
    days = {other.birth_date for other in arrived.people} | {case.birth_date}
    return one.birth_date is None or one.birth_date in days


def _by_birth_date(one: Compared) -> bool:
    """Say whether birth dates agree, here and in the parcel or as entered: a name alone tells nobody."""
    born = one.row("birth-date")
    return born.verdict != "other" and bool(born.local) and bool(born.parcel or born.entered)


def _key(one: Person) -> tuple[object, ...]:
    return (one.issuer, one.patient_id) if one.patient_id else (one.name, one.birth_date, one.sex, "")

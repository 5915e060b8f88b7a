"""Looking into the record: newest first, by time, person, action, patient and study; names are unsealed for who may."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations, starmap
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditEvent, AuditPatient, AuditStudy
from radrelay.audit.patients import AuditKeys, PatientIdentity, id_digest, patient_digest, unseal
from radrelay.audit.record import recorder_of
from radrelay.audit.studies import StudyNamed, uid_digest, unseal_study
from radrelay.storage.columns import Id, Instant
from radrelay.storage.database import Database

MOST = 500
MOST_COMPARED = 5000  # studies, of those whose IDs a page names without a study


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What to look for; empty fields do not restrict. `before_id`, or `before`, continues after a page's last event.

    `actor` is an id, or a part of a name. Of `patient` an issuer that is None stands for every issuer. `study` is a
    row id or a Study Instance UID. `actions_of_links` are found besides `actions`, where somebody with a link did them.
    """

    since: datetime | None = None
    until: datetime | None = None
    action: str = ""
    actions: tuple[str, ...] = ()
    actions_of_links: tuple[str, ...] = ()
    actor: str = ""
    actor_id: str = ""
    actor_kind: str = ""
    peer: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    outcome: str = ""
    patient: tuple[str | None, str] | None = None  # issuer and patient ID
    study: uuid.UUID | str | None = None
    before_id: uuid.UUID | None = None
    before: tuple[datetime, uuid.UUID] | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One event as it is shown."""

    id: uuid.UUID
    at: datetime
    action: str
    outcome: str
    actor_kind: str
    actor_id: str
    actor_name: str
    peer: str
    subject_kind: str
    subject_id: str
    correlation_id: str
    detail: dict[str, object]
    patient: PatientIdentity | None
    study: StudyNamed | None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Events, newest first, and whether there are more."""

    entries: tuple[AuditEntry, ...]
    more: bool


def search(session: Session, organisation_id: uuid.UUID, query: AuditQuery) -> AuditPage:
    """Return one page of the organisation's events, newest first, at most 500."""
    keys = recorder_of(session).keys
    limit = max(1, min(query.limit, MOST))
    about = _about(session, keys, organisation_id, query)
    before = query.before if query.before_id is None else _place(session, organisation_id, query.before_id)
    if about is None or (before is None and query.before_id is not None):
        return AuditPage((), more=False)
    few = bool(about or query.actor_id)
    rows = session.execute(
        NAMED.where(AuditEvent.organisation_id == organisation_id, *about, *_conditions(replace(query, before=before)))
        .order_by(_newest(session, few=few), AuditEvent.id.desc())
        .limit(limit + 1)
    ).all()
    return AuditPage(tuple(entries_of(session, keys, rows[:limit])), more=len(rows) > limit)


def _place(session: Session, organisation_id: uuid.UUID, event_id: uuid.UUID) -> tuple[datetime, uuid.UUID] | None:
    wanted = sa.select(AuditEvent.at).where(AuditEvent.organisation_id == organisation_id, AuditEvent.id == event_id)
    at = session.scalar(wanted)
    return None if at is None else (at, event_id)


def _newest(session: Session, *, few: bool) -> Any:
    """Return the order by time. Of few events, SQLite would rather walk all by time than sort them: +at hides that."""
    if few and session.get_bind().dialect.name == "sqlite":
        return sa.text("+audit_event.at DESC")
    return AuditEvent.at.desc()


def every(database: Database, organisation_id: uuid.UUID, query: AuditQuery) -> Iterator[AuditEntry]:
    """Yield all that `query` finds, newest first; a page at a time, each read on its own, so that memory is flat."""
    query = replace(query, limit=MOST)
    while True:
        with database.read() as session:
            page = search(session, organisation_id, query)
        yield from page.entries
        if not page.more:
            return
        last = page.entries[-1]
        query = replace(query, before_id=None, before=(last.at, last.id))


def known_patient(
    session: Session, organisation_id: uuid.UUID, issuer: str | None, patient_id: str
) -> PatientIdentity | None:
    """Return a patient by whom the record has events, to be named in one; none if it has not."""
    keys = recorder_of(session).keys
    if keys is None:
        return None
    row = session.execute(
        sa.select(AuditPatient.id, AuditPatient.sealed)
        .where(AuditPatient.organisation_id == organisation_id, _is_patient(keys, organisation_id, issuer, patient_id))
        .limit(1)
    ).one_or_none()
    return None if row is None else unseal(keys, organisation_id, row.id, row.sealed)


def issuers_of(session: Session, organisation_id: uuid.UUID, patient_id: str) -> set[str]:
    """Return the issuers of an ID under which the record has events of patients."""
    keys = recorder_of(session).keys
    if keys is None:
        return set()
    rows = session.execute(
        sa.select(AuditPatient.id, AuditPatient.sealed)
        .where(AuditPatient.organisation_id == organisation_id, _is_patient(keys, organisation_id, None, patient_id))
    ).all()  # fmt: skip
    found = (unseal(keys, organisation_id, row.id, row.sealed) for row in rows)
    return {one.issuer for one in found if one is not None}


def known_study(session: Session, organisation_id: uuid.UUID, study: uuid.UUID | str) -> uuid.UUID | None:
    """Return the row id of a study that the record knows, by that or by its Study Instance UID; none if it does not."""
    keys = recorder_of(session).keys
    wanted = sa.select(AuditStudy.study_id).where(AuditStudy.organisation_id == organisation_id)
    if isinstance(study, uuid.UUID):
        return session.scalar(wanted.where(AuditStudy.study_id == study))
    if keys is None:
        return None
    return session.scalar(wanted.where(AuditStudy.digest == uid_digest(keys, organisation_id, study)))


def studies_of_patient(
    session: Session, organisation_id: uuid.UUID, issuer: str, patient_id: str
) -> list[StudyNamed]:  # fmt: skip
    """Return the studies that the record has events of under a patient's ID, as it says what they were called then.

    A study that came under another ID first, and was corrected, is not among them.
    """
    keys = recorder_of(session).keys
    if keys is None:
        return []
    is_patient = _is_patient(keys, organisation_id, issuer, patient_id)
    patients = sa.select(AuditPatient.id).where(AuditPatient.organisation_id == organisation_id, is_patient)
    about = sa.select(AuditEvent.study_id).where(AuditEvent.patient_ref.in_(patients)).distinct()
    rows = session.execute(sa.select(AuditStudy.study_id, AuditStudy.sealed).where(AuditStudy.study_id.in_(about)))
    named = (unseal_study(keys, organisation_id, row.study_id, row.sealed) for row in rows)
    return [one for one in named if one is not None and (one.patient_issuer, one.patient_id) == (issuer, patient_id)]


def latest_of_studies(
    session: Session, organisation_id: uuid.UUID, action: str, study_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, AuditEntry]:
    """Return the latest success of one action on each study: with what it was called and whose it is, if it is gone."""
    keys = recorder_of(session).keys
    about = (
        AuditEvent.organisation_id == organisation_id, AuditEvent.study_id.in_(set(study_ids)),
        AuditEvent.action == action, AuditEvent.outcome == "success",
    )  # fmt: skip
    rows = session.execute(NAMED.where(*about).order_by(AuditEvent.at, AuditEvent.id)).all()
    return {event.study_id: _entry(keys, event, *sealed) for event, *sealed in rows if event.study_id is not None}


NAMED = (
    sa.select(AuditEvent, AuditPatient.sealed, AuditStudy.sealed)
    .outerjoin(AuditPatient, AuditPatient.id == AuditEvent.patient_ref)
    .outerjoin(AuditStudy, AuditStudy.study_id == AuditEvent.study_id)
)
"""Events with what is sealed of their patients and studies, for `entries_of`."""


def entries_of(session: Session, keys: AuditKeys | None, rows: Sequence[Any]) -> list[AuditEntry]:
    """Return rows of `NAMED` with whom and what they are about, as far as `keys` open it.

    By an ID that several people have, nobody is named where no study says who is meant.
    """
    shared = _of_several(session, keys, {event.patient_ref for event, *_ in rows if event.study_id is None})
    entries = [(event.patient_ref, _entry(keys, event, *sealed)) for event, *sealed in rows]
    return [
        replace(one, patient=PatientIdentity(one.patient.issuer, one.patient.patient_id, ""))
        if one.study is None and one.patient is not None and reference in shared
        else one
        for reference, one in entries
    ]


def _of_several(
    session: Session, keys: AuditKeys | None, references: set[uuid.UUID | None]
) -> set[uuid.UUID]:  # fmt: skip
    """Return under which of some patients' references studies of several people are told of."""
    if keys is None:
        return set()
    wanted = sa.select(AuditStudy.patient_ref, AuditStudy.organisation_id, AuditStudy.study_id, AuditStudy.sealed)
    told: dict[uuid.UUID, set[tuple[str, str, str]]] = {}
    for row in session.execute(wanted.where(AuditStudy.patient_ref.in_(references - {None})).limit(MOST_COMPARED)):
        study = unseal_study(keys, row.organisation_id, row.study_id, row.sealed)
        if study is not None:
            told.setdefault(row.patient_ref, set()).add((study.patient_name, study.birth_date, study.sex))
    return {reference for reference, people in told.items() if any(starmap(_differ, combinations(people, 2)))}


def _differ(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """Say whether two studies tell another name, birth date or sex; what one does not say tells nothing."""
    return any(
        mine and theirs and mine.casefold() != theirs.casefold() for mine, theirs in zip(one, other, strict=True)
    )


def _entry(keys: AuditKeys | None, event: AuditEvent, patient: bytes | None, study: bytes | None) -> AuditEntry:
    """Return an event with whom and what it is about, as far as `keys` open it."""
    owner = event.organisation_id
    whose = unseal(keys, owner, event.patient_ref, patient) if keys and event.patient_ref else None
    named = unseal_study(keys, owner, event.study_id, study) if keys and event.study_id else None
    return AuditEntry(
        id=event.id,
        at=event.at,
        action=event.action,
        outcome=event.outcome,
        actor_kind=event.actor_kind,
        actor_id=event.actor_id,
        actor_name=event.actor_name,
        peer=event.peer,
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        correlation_id=event.correlation_id,
        detail=json.loads(event.detail),
        patient=_as_the_study_says(whose, named),
        study=named,
    )


def _as_the_study_says(patient: PatientIdentity | None, study: StudyNamed | None) -> PatientIdentity | None:
    """Return whom an event is about, by the name that its study has: several people may have one ID.

    Not where the study was told of under another ID: it was corrected since.
    """
    if patient is None or study is None or not study.patient_name:
        return patient
    same = (study.patient_issuer, study.patient_id) == (patient.issuer, patient.patient_id)
    return PatientIdentity(patient.issuer, patient.patient_id, study.patient_name) if same else patient


def _conditions(query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        column == value
        for column, value in (
            (AuditEvent.action, query.action),
            (AuditEvent.actor_id, query.actor_id),
            (AuditEvent.actor_kind, query.actor_kind),
            (AuditEvent.peer, query.peer),
            (AuditEvent.subject_kind, query.subject_kind),
            (AuditEvent.subject_id, query.subject_id),
            (AuditEvent.outcome, query.outcome),
        )
        if value
    ]
    if query.actions:
        of_links = sa.and_(AuditEvent.actor_kind == "link", AuditEvent.action.in_(query.actions_of_links))
        conditions.append(sa.or_(AuditEvent.action.in_(query.actions), of_links))
    if query.actor:
        name, wanted = AuditEvent.actor_name, query.actor
        spelt = [name.contains(one, autoescape=True) for one in {wanted, wanted.title(), wanted.upper()}]  # SQLite's
        folded = sa.func.lower(name).contains(wanted.lower(), autoescape=True)  # lower() knows ASCII alone
        conditions.append(sa.or_(AuditEvent.actor_id == wanted, folded, *spelt))
    if query.since is not None:
        conditions.append(AuditEvent.at >= query.since)
    if query.until is not None:
        conditions.append(AuditEvent.at < query.until)
    if query.before is not None:
        place = sa.tuple_(sa.literal(query.before[0], Instant), sa.literal(query.before[1], Id))
        conditions.append(sa.tuple_(AuditEvent.at, AuditEvent.id) < place)
    return conditions


def _about(
    session: Session, keys: AuditKeys | None, organisation_id: uuid.UUID, query: AuditQuery
) -> list[sa.ColumnElement[bool]] | None:
    """Return the conditions on patient and study; none if there are no such ones on record."""
    conditions: list[sa.ColumnElement[bool]] = []
    if query.study is not None:
        given = query.study
        study_id = given if isinstance(given, uuid.UUID) else known_study(session, organisation_id, given)
        if study_id is None:
            return None
        conditions.append(AuditEvent.study_id == study_id)
    if query.patient is not None:
        if keys is None:
            return None
        is_patient = _is_patient(keys, organisation_id, *query.patient)
        wanted = sa.select(AuditPatient.id).where(AuditPatient.organisation_id == organisation_id, is_patient)
        found = session.scalars(wanted.limit(MOST)).all()
        if not found:
            return None
        conditions.append(AuditEvent.patient_ref.in_(found))
    return conditions


def _is_patient(
    keys: AuditKeys, organisation_id: uuid.UUID, issuer: str | None, patient_id: str
) -> sa.ColumnElement[bool]:
    if issuer is None:
        return AuditPatient.id_digest == id_digest(keys, organisation_id, patient_id)
    return AuditPatient.digest == patient_digest(keys, organisation_id, issuer, patient_id)

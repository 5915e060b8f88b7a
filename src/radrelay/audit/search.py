"""Looking into the record: newest first, by time, person, action and subject; patients are unsealed for who may."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditEvent, AuditPatient
from radrelay.audit.patients import PatientIdentity, patient_digest, unseal
from radrelay.audit.record import recorder_of

MOST = 500


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What to look for; empty fields do not restrict. `before_id` continues after a page's last event."""

    since: datetime | None = None
    until: datetime | None = None
    action: str = ""
    actor_id: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    outcome: str = ""
    patient: tuple[str, str] | None = None  # issuer and patient ID
    before_id: uuid.UUID | None = None
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


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Events, newest first, and whether there are more."""

    entries: tuple[AuditEntry, ...]
    more: bool


def search(session: Session, organisation_id: uuid.UUID, query: AuditQuery) -> AuditPage:
    """Return one page of the organisation's events, newest first, at most 500."""
    recorder = recorder_of(session)
    limit = max(1, min(query.limit, MOST))
    wanted = sa.select(AuditEvent, AuditPatient.sealed).outerjoin(
        AuditPatient, AuditPatient.id == AuditEvent.patient_ref
    )
    wanted = wanted.where(AuditEvent.organisation_id == organisation_id, *_conditions(query))
    if query.patient is not None:
        if recorder.keys is None:
            return AuditPage((), more=False)
        wanted = wanted.where(AuditPatient.digest == patient_digest(recorder.keys, organisation_id, *query.patient))
    rows = session.execute(wanted.order_by(AuditEvent.id.desc()).limit(limit + 1)).all()
    entries = tuple(
        _entry(event, None if recorder.keys is None or event.patient_ref is None
               else unseal(recorder.keys, organisation_id, event.patient_ref, sealed))
        for event, sealed in rows[:limit]
    )  # fmt: skip
    return AuditPage(entries, more=len(rows) > limit)


def _conditions(query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (AuditEvent.action, query.action),
        (AuditEvent.actor_id, query.actor_id),
        (AuditEvent.subject_kind, query.subject_kind),
        (AuditEvent.subject_id, query.subject_id),
        (AuditEvent.outcome, query.outcome),
    ):
        if value:
            conditions.append(column == value)
    if query.since is not None:
        conditions.append(AuditEvent.at >= query.since)
    if query.until is not None:
        conditions.append(AuditEvent.at < query.until)
    if query.before_id is not None:
        conditions.append(AuditEvent.id < query.before_id)
    return conditions


def _entry(event: AuditEvent, patient: PatientIdentity | None) -> AuditEntry:
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
        patient=patient,
    )

"""Audit events as the routes write them: with the request's correlation id, and views once per login."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime

from fastapi import Request
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import Principal
from radrelay.storage.database import Database
from radrelay.web.problems import correlation_of

Patient = tuple[str, str, str] | audit.PatientIdentity  # issuer, patient ID, name


def event(
    request: Request,
    principal: Principal,
    action: str,
    subject: tuple[str, str | uuid.UUID] = ("", ""),
    *,
    detail: Mapping[str, object] | None = None,
    patient: Patient | None = None,
    outcome: str = "success",
) -> audit.AuditRecord:
    """Return the event of this request; `subject` is its kind and id, `detail` holds no patient data."""
    return audit.AuditRecord(
        action=action,
        principal=principal,
        subject_kind=subject[0],
        subject_id=subject[1],
        detail=detail or {},
        patient=patient,
        outcome=outcome,
        correlation_id=correlation_of(request),
    )


def write(session: Session, record: audit.AuditRecord) -> None:
    """Write the event in the transaction of what it records."""
    audit.record(session, record)


def seen(database: Database, principal: Principal, record: audit.AuditRecord, distinct: str = "") -> bool:
    """Write that something was seen, once per login; durable before anything is shown. Says whether it was new."""
    return audit.record_once(database, principal.session_key, record, distinct)


def all_seen(database: Database, principal: Principal, records: Iterable[tuple[audit.AuditRecord, str]]) -> None:
    """Write that several things were seen, as `seen` does, in one transaction: a page may name a thousand patients."""
    audit.record_each_once(database, principal.session_key, records)


def note_by_link(session: Session, request: Request, principal: Principal, now: datetime) -> None:
    """Write that something was taken by a link, for who made it; of everybody else the audit alone tells."""
    if principal.kind == "link":
        access.note_access(
            session, principal.organisation_id, uuid.UUID(principal.id), "downloaded", now, principal.peer,
            request.headers.get("user-agent", ""),
        )  # fmt: skip

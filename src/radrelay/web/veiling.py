"""The record, as far as it tells of restricted studies: their patients are named to the data protection officer, and to
who may see the studies; to others an event says what was done, and not whose study it was.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import Principal, Right
from radrelay.archive.tables import STUDY
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

CHUNK = 500


def veiled(
    services: WebServices, principal: Principal, entries: Iterable[audit.AuditEntry]
) -> Iterator[audit.AuditEntry]:
    """Yield entries, those of restricted studies that are out of the reader's reach without patient and study."""
    if principal.role == "dpo":
        yield from entries
        return
    entries = iter(entries)
    while chunk := list(itertools.islice(entries, CHUNK)):
        with services.database.read() as session:
            hidden = _hidden(services, session, principal, chunk)
        for entry in chunk:
            yield replace(entry, patient=None, study=None) if entry.id in hidden else entry


def _hidden(
    services: WebServices, session: Session, principal: Principal, chunk: Sequence[audit.AuditEntry]
) -> set[uuid.UUID]:
    """Return the ids of the entries whose patient or study is restricted to the reader."""
    organisation_id = principal.organisation_id
    rules: set[tuple[str, str, str]] = set()
    rules |= {(one.kind, one.issuer, one.value) for one in access.restrictions(session, organisation_id)}
    rules |= {(one.kind, one.issuer, one.value) for one in access.bars(session, organisation_id)}
    if not rules:
        return set()
    patients, uids = _restricted_here(services, session, principal, chunk)
    hidden = set()
    for entry in chunk:
        patient, study = entry.patient, entry.study
        if patient is not None and (
            (patient.issuer, patient.patient_id) in patients or ("patient", patient.issuer, patient.patient_id) in rules
        ):
            hidden.add(entry.id)
        if study is not None and (study.study_uid in uids or ("study", "", study.study_uid) in rules):
            hidden.add(entry.id)
    reach = Reach.of(services, session, principal, Right.SEE)
    return set() if reach.scope.everything else hidden


def _restricted_here(
    services: WebServices, session: Session, principal: Principal, chunk: Sequence[audit.AuditEntry]
) -> tuple[set[tuple[str, str]], set[str]]:
    """Return whose and which of the studies that entries are about are restricted and out of the reader's reach."""
    reach = Reach.of(services, session, principal, Right.SEE)
    ids = {entry.patient.patient_id for entry in chunk if entry.patient is not None}
    found = session.execute(
        sa.select(STUDY.c.patient_issuer, STUDY.c.patient_id_value, STUDY.c.study_uid).where(
            STUDY.c.organisation_id == principal.organisation_id,
            sa.or_(
                STUDY.c.patient_id_value.in_(ids),
                STUDY.c.study_uid.in_({entry.study.study_uid for entry in chunk if entry.study is not None}),
            ),
            sa.or_(sa.not_(access.open_to_all(STUDY.c.id)), sa.not_(access.unbarred(STUDY.c.id))),
            sa.not_(reach.scope.study_filter(STUDY.c.id)),
        )
    ).all()
    return {(issuer, patient_id) for issuer, patient_id, _ in found}, {uid for _, _, uid in found}

"""How long the record is kept, apart from the data: events about patients, and all others, each organisation's own.

What is over is always the beginning of a chain. A signed checkpoint says where the chain begins from then on, in the
same transaction as the deletion, and so does an event of its own; `verify` holds afterwards as before.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.models import (
    AuditCheckpoint,
    AuditEvent,
    AuditPatient,
    AuditRetention,
    AuditRoot,
    AuditStudy,
    AuditWriter,
)
from radrelay.audit.patients import AuditKeys
from radrelay.audit.record import PERSON, Actor, AuditRecord, record
from radrelay.audit.signing import signature
from radrelay.errors import Invalid
from radrelay.storage.database import Database

ActorOf = Callable[[uuid.UUID], Actor]
"""Gives who is named in an organisation's record for what the program does by itself."""

BATCH = 5000
SIX_YEARS, TEN_YEARS = 6 * 365 + 2, 10 * 365 + 3
LEAST_DAYS, MOST_DAYS = 365, 100 * 366


@dataclass(frozen=True, slots=True)
class RecordKept:
    """For how many days events are kept: those about patients or their studies, and all others."""

    patient_days: int = SIX_YEARS
    usage_days: int = TEN_YEARS

    def days(self, writer: str) -> int:
        """Return the days of a chain."""
        return self.patient_days if writer.endswith(PERSON) else self.usage_days


def kept_for(session: Session, organisation_id: uuid.UUID, default: RecordKept) -> RecordKept:
    """Return an organisation's own times, or `default`."""
    row = session.get(AuditRetention, organisation_id)
    return default if row is None else RecordKept(row.patient_days, row.usage_days)


def keep_for(session: Session, organisation_id: uuid.UUID, kept: RecordKept, now: datetime) -> None:
    """Set an organisation's own times; raises `Invalid` below a year, which no law on health records allows."""
    for name, days in (("patient_days", kept.patient_days), ("usage_days", kept.usage_days)):
        if not LEAST_DAYS <= days <= MOST_DAYS:
            raise Invalid(f"{name} is {LEAST_DAYS} to {MOST_DAYS} days, not {days}", field=name)
    values = {"patient_days": kept.patient_days, "usage_days": kept.usage_days, "changed_at": now}
    session.merge(AuditRetention(organisation_id=organisation_id, **values))


def expire(database: Database, now: datetime, metadata_key: bytes, default: RecordKept, actor_of: ActorOf) -> int:
    """Delete what is over in every chain, some thousand events at a time; returns how many events went."""
    keys = AuditKeys.derive(metadata_key)
    gone = 0
    with database.read() as session:
        chains = session.execute(sa.select(AuditWriter.writer, AuditWriter.organisation_id)).all()
    for writer, organisation_id in chains:
        while True:
            with database.write() as session:
                days = kept_for(session, organisation_id, default).days(writer)
                count = _expire(session, keys, writer, now - timedelta(days=days), now, actor_of(organisation_id))
            gone += count
            if count < BATCH:
                break
    if gone:
        with database.write() as session:
            _forget_unnamed(session)
    return gone


def _expire(session: Session, keys: AuditKeys, writer: str, before: datetime, now: datetime, actor: Actor) -> int:
    """Delete the part of a chain's beginning that is older than `before`, at most `BATCH` events."""
    columns = (AuditEvent.sequence, AuditEvent.hash, AuditEvent.at)
    beginning = (
        sa.select(*columns).where(AuditEvent.writer == writer).order_by(AuditEvent.sequence).limit(sa.bindparam("most"))
    )
    first = session.execute(beginning, {"most": 1}).one_or_none()
    if first is None or first.at >= before:
        return 0
    rows = session.execute(beginning, {"most": BATCH}).all()
    over = list(takewhile(lambda row: row.at < before, rows))  # what a wrong clock put behind a later one waits
    sequence, digest = over[-1].sequence, over[-1].hash
    signed = signature(keys, "checkpoint", writer, sequence, digest, now)
    session.execute(
        sa.insert(AuditCheckpoint),
        [{"writer": writer, "sequence": sequence, "hash": digest, "at": now, "signature": signed}],
    )
    session.execute(sa.delete(AuditEvent).where(AuditEvent.writer == writer, AuditEvent.sequence <= sequence))
    session.execute(sa.delete(AuditRoot).where(AuditRoot.writer == writer, AuditRoot.sequence <= sequence))
    detail = {"chain": writer, "sequence": sequence, "events": len(over), "until": over[-1].at.isoformat()}
    record(session, AuditRecord("audit.expire", actor, "audit", writer, detail))
    return len(over)


def _forget_unnamed(session: Session) -> None:
    """Delete patients and studies that no event names any more."""
    by_study = sa.select(AuditEvent.id).where(AuditEvent.study_id == AuditStudy.study_id)
    session.execute(sa.delete(AuditStudy).where(~by_study.exists()))
    by_patient = sa.select(AuditEvent.id).where(AuditEvent.patient_ref == AuditPatient.id)
    session.execute(sa.delete(AuditPatient).where(~by_patient.exists()))

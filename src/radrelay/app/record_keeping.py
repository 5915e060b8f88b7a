"""What `work` does for the record: signs it, proves it each day, ends what is over, and sends it to a repository."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.app.core import Core
from radrelay.app.findings import Finding
from radrelay.app.threads import loop
from radrelay.archive.models import Holding, Source, Study
from radrelay.audit.dicom_message import AuditSource
from radrelay.audit.proofs import last_proven, note_heads
from radrelay.audit.repository import AuditRepository, repository_state
from radrelay.audit.retention import RecordKept, expire
from radrelay.identity.models import Organisation
from radrelay.settings import AuditSettings, Settings
from radrelay.storage.database import Database
from radrelay.storage.leadership import Leadership

SEND_S = 1.0
PROVE_EVERY = timedelta(days=1)
PROOF_OLD = timedelta(days=3)
log = structlog.get_logger(__name__)


def keep_record(core: Core, *, clock_is_trusted: bool) -> None:
    """Sign and note the chains' heads; prove them once a day; end what is over while the clock is not in doubt."""
    key = core.keyring.metadata_key
    now = core.clock.now()
    with core.database.read() as session:
        proven = last_proven(session)
    if proven is None or not timedelta() <= now - proven.at < PROVE_EVERY:
        report = audit.prove(core.database, core.clock, key, core.settings.data_dir)
        for broken in report.broken[:20]:
            log.critical("the record was tampered with", chain=broken.writer, at=broken.sequence, fault=broken.fault)
    note_heads(core.database, core.clock, key, core.settings.data_dir)
    if clock_is_trusted:
        gone = expire(core.database, now, key, times(core.settings.audit), system_principal)
        if gone:
            log.info("events of the record were over", events=gone)


def note_arrivals(session: Session, study_ids: Sequence[uuid.UUID]) -> None:
    """Put on record that studies have come, from which sources, in the transaction that completes them."""
    brought: dict[uuid.UUID, list[str]] = {}
    named = sa.select(Holding.study_id, Source.name).join(Source, Source.id == Holding.source_id)
    for study_id, source in session.execute(named.where(Holding.study_id.in_(study_ids)).order_by(Source.name)):
        brought.setdefault(study_id, []).append(source)
    studies = session.scalars(sa.select(Study).where(Study.id.in_(study_ids)).order_by(Study.id)).all()
    audit.record_many(
        session,
        [
            audit.AuditRecord(
                "import.study",
                system_principal(study.organisation_id),
                "study",
                study.id,
                detail={"source": brought.get(study.id, []), "objects": study.instance_count},
                patient=(study.patient_issuer, study.patient_id_value, study.patient_name),
            )
            for study in studies
        ],
    )


def times(settings: AuditSettings) -> RecordKept:
    """Return the installation's times."""
    return RecordKept(settings.patient_days, settings.usage_days)


def sending(core: Core, stop: threading.Event, holder: str) -> list[threading.Thread]:
    """Return the thread that sends the record to its repository; none where there is none."""
    wanted = core.settings.audit.repository
    if wanted.host is None:
        return []
    with core.database.read() as session:
        site = session.scalar(sa.select(Organisation.name).order_by(Organisation.created_at, Organisation.id).limit(1))
    source = AuditSource(socket.gethostname(), core.settings.dicom.ae_title, site or "")
    repository = AuditRepository(core.database, core.clock, wanted, source)
    leadership = Leadership(core.database, core.clock, "audit-repository", holder)

    def send() -> None:
        if leadership.held():
            while repository.attempt() and not stop.is_set():
                pass

    return [loop("audit repository", SEND_S, stop, send)]


def record_findings(settings: Settings, database: Database, now: datetime) -> list[Finding]:
    """Return what `doctor` says of the record."""
    with database.read() as session:
        proven = last_proven(session)
        state = repository_state(session)
    advice = "run `radrelay audit verify`; keep a copy of the database, and find out who had access to it"
    found = []
    if proven is None:
        found.append(Finding("audit", "look", "the record was never proven", "run `radrelay audit verify`"))
    elif not proven.intact:
        text = f"{proven.faults} faults on {proven.at:%Y-%m-%d %H:%M} UTC; the first: {proven.first_fault}"
        found.append(Finding("audit", "bad", text, advice))
    else:
        text = f"whole on {proven.at:%Y-%m-%d %H:%M} UTC, {proven.events} events"
        old = now - proven.at > PROOF_OLD
        found.append(Finding("audit", "look" if old else "good", text, "is the role `work` running?" if old else ""))
    wanted = settings.audit.repository
    if wanted.host is not None:
        place = f"{wanted.host}:{wanted.port}"
        if state.is_behind(now, wanted.alarm_s):
            text = f"{state.waiting} events wait for {place}, the oldest since {state.oldest_at:%Y-%m-%d %H:%M} UTC"
            text = f"{text}. {state.error}".rstrip()
            found.append(Finding("audit repository", "bad", text, "see to it; nothing is lost"))
        else:
            found.append(Finding("audit repository", "good", f"{state.waiting} events on their way to {place}"))
    return found

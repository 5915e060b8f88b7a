"""Deletions of the ledger repeated on rows that are older than it, and all that follows: expiry, erasing."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.app.core import Core
from radrelay.app.key_keeping import adopt_keys
from radrelay.archive.compaction import Compactor
from radrelay.archive.discard import discard_records
from radrelay.archive.erasing import Eraser
from radrelay.archive.reader import InstanceReader
from radrelay.archive.retention import Retention, replay
from radrelay.identity.errors import LastAdmin
from radrelay.identity.models import Account
from radrelay.intake.models import Quarantined
from radrelay.intake.open_archives import OpenArchives, drop_archive
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.raw_files import RawFiles, forget_raw
from radrelay.privacy import closing
from radrelay.storage.keystore import ACT

log = structlog.get_logger(__name__)

BATCH = 500


def replay_deletions(core: Core) -> int:
    """Repeat every deletion of the ledger, expire what is over and finish erasing; returns how many were repeated."""
    now = core.clock.now()
    adopt_keys(core)
    deletions = (entry for entry in core.keys.ledger() if entry.kind != ACT)
    repeated = replay(core.database, deletions, now, FURTHER)
    _destroy_studies(core)
    keep = core.settings.keys.keep_replaced
    with ThreadPoolExecutor(2) as executor:
        reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
        compactor = Compactor(core.database, core.clock, reader, core.packs, core.keys, executor, keep)
        eraser = Eraser(
            core.database,
            core.clock,
            core.keys,
            core.segments,
            core.packs,
            rewrite=lambda pack_id, survivors: compactor.rewrite_pack(pack_id),
            keep_keys=keep,
        )
        quarantine = Quarantine(core.database, core.segments, core.clock)
        archives = OpenArchives(core.database, core.clock)
        further = (quarantine.expire, archives.expire, RawFiles(core.database, core.clock).expire)
        retention = Retention(core.database, core.clock, core.settings.retention, eraser, further=further)
        retention.expire()
    return repeated


def _destroy_studies(core: Core) -> None:
    """Destroy what keys deleted studies have left, of packs too that were written after the rows were."""
    batch: list[uuid.UUID] = []
    for entry in core.keys.ledger():
        if entry.kind == "study":
            batch.append(entry.subject_id)
        if len(batch) >= BATCH:
            core.keys.destroy_studies(batch)
            batch = []
    core.keys.destroy_studies(batch)


def _forget_quarantined(session: Session, row_id: uuid.UUID, at: datetime) -> None:
    row = session.get(Quarantined, row_id)
    if row is not None:
        discard_records(session, row.organisation_id, [row.record_id], at)
        session.delete(row)


def _forget_archive(session: Session, record_id: uuid.UUID, at: datetime) -> None:
    """Drop an archive that these rows still have: it, or something that came out of it, was deleted since."""
    drop_archive(session, record_id, "archive-deleted", "It was deleted before a backup was restored.", at)
    for row_id in session.scalars(sa.select(Quarantined.id).where(Quarantined.record_id == record_id)).all():
        _forget_quarantined(session, row_id, at)


def _close_account(session: Session, account_id: uuid.UUID, at: datetime) -> None:
    """Close an account that these rows have from before it was closed; the only administrator stays."""
    row = session.get(Account, account_id)
    if row is not None and row.closed_at is None:
        try:
            closing.close(session, row.organisation_id, account_id, at)
        except LastAdmin:
            log.error("a closed account is back, as the only administrator: close it again", account=str(account_id))


FURTHER = {
    "quarantine": _forget_quarantined, "parcel": _forget_archive, "raw": forget_raw, "account": _close_account,
}  # fmt: skip

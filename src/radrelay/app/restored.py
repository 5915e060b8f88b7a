"""After a restore: deletions that happened since the backup are repeated before anything is served.

The database and the key store each count the starts. Where they disagree, the rows are older than the ledger: a backup
was restored, by `radrelay restore` or by other means.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from radrelay.app.core import Core
from radrelay.archive.compaction import Compactor
from radrelay.archive.discard import discard_records
from radrelay.archive.erasing import Eraser
from radrelay.archive.reader import InstanceReader
from radrelay.archive.retention import Retention, replay
from radrelay.intake.models import Quarantined
from radrelay.intake.quarantine import Quarantine
from radrelay.storage.models import NodeState

log = structlog.get_logger(__name__)

STARTS = "starts"


def replay_if_restored(core: Core) -> None:
    """Repeat the ledger's deletions and expire, if the rows are older than the ledger; call it before serving."""
    path = core.settings.keys_dir / "starts"
    with core.database.read() as session:
        row = session.get(NodeState, STARTS)
        in_rows = int(row.value) if row is not None else 0
    in_keys = int(path.read_text()) if path.exists() else 0
    if in_rows != in_keys and in_keys:
        log.warning("the rows are older than the deletion ledger; deletions are repeated")
        replay_deletions(core)
    _count(core, path, max(in_rows, in_keys) + 1)


def replay_deletions(core: Core) -> int:
    """Repeat every deletion of the ledger, expire what is over and finish erasing; returns how many were repeated."""
    now = core.clock.now()
    repeated = replay(core.database, core.keys.ledger(), now, {"quarantine": _forget_quarantined})
    with ThreadPoolExecutor(2) as executor:
        reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
        compactor = Compactor(core.database, core.clock, reader, core.packs, core.keys, executor)
        eraser = Eraser(
            core.database,
            core.clock,
            core.keys,
            core.segments,
            core.packs,
            rewrite=lambda pack_id, survivors: compactor.rewrite_pack(pack_id),
        )
        quarantine = Quarantine(core.database, core.segments, core.clock)
        retention = Retention(core.database, core.clock, core.settings.retention, eraser, further=(quarantine.expire,))
        retention.expire()
    return repeated


def _forget_quarantined(session: Session, row_id: uuid.UUID, at: datetime) -> None:
    row = session.get(Quarantined, row_id)
    if row is not None:
        discard_records(session, row.organisation_id, [row.record_id], at)
        session.delete(row)


def _count(core: Core, path: Path, starts: int) -> None:
    with core.database.write() as session:
        session.merge(NodeState(name=STARTS, value=str(starts).encode()))
    fresh = path.with_suffix(".new")
    fresh.write_text(str(starts))
    fresh.replace(path)

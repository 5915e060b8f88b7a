"""After a restore: before anything is served, deletions since the backup are repeated and open deliveries are held.

The database and each node's files count the node's starts, and every entry of the ledger has its tombstone in the rows.
Where they disagree, the rows are older than the ledger: a backup was restored, by `radrelay restore` or by other means.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
import structlog

from radrelay.app.core import Core
from radrelay.archive.models import Tombstone
from radrelay.routing import deliveries
from radrelay.storage.models import NodeState

log = structlog.get_logger(__name__)

STARTS = "starts"
REPEATED = "deletions-repeated"


def replay_if_restored(core: Core) -> None:
    """Repeat the ledger's deletions and expire, if the rows are older than the ledger; call it before serving."""
    path = core.settings.keys_dir / "starts"
    with core.database.read() as session:
        row = session.get(NodeState, f"{STARTS}/{core.node}")
        in_rows = int(row.value) if row is not None else 0
    in_keys = int(path.read_text()) if path.exists() else 0
    if in_rows < in_keys:  # a crash between the two counts leaves the rows ahead
        hold_deliveries(core)
    if (in_rows != in_keys and in_keys) or ledger_is_ahead(core):
        log.warning("the rows are older than the deletion ledger; deletions are repeated")
        replay_deletions(core)
    _count(core, path, max(in_rows, in_keys) + 1)


def hold_deliveries(core: Core) -> None:
    """Hold what older rows say is still to be sent: it may have been sent or cancelled since."""
    with core.database.write() as session:
        held = deliveries.hold_open(session)
    if held:
        log.warning("the rows are older than this node's start; open deliveries are held", deliveries=held)


def ledger_is_ahead(core: Core) -> bool:
    """Say whether the newest deletion is unknown to the rows, and was not repeated on them yet."""
    newest = core.keys.last_deletion()
    if newest is None:
        return False
    with core.database.read() as session:
        repeated = session.get(NodeState, REPEATED)
        if repeated is not None and repeated.value == newest.subject_id.bytes:
            return False
        buried = sa.select(Tombstone.id).where(
            Tombstone.organisation_id == newest.organisation_id, Tombstone.subject_id == newest.subject_id
        )
        return session.scalar(buried.limit(1)) is None


def replay_deletions(core: Core) -> int:
    """Repeat every deletion of the ledger, expire what is over and finish erasing; returns how many were repeated."""
    from radrelay.app.replay import replay_ledger  # noqa: PLC0415 -- brings the codecs; every start would pay for it

    repeated = replay_ledger(core)
    newest = core.keys.last_deletion()
    if newest is not None:
        with core.database.write() as session:
            session.merge(NodeState(name=REPEATED, value=newest.subject_id.bytes))
    return repeated


def _count(core: Core, path: Path, starts: int) -> None:
    with core.database.write() as session:
        session.merge(NodeState(name=f"{STARTS}/{core.node}", value=str(starts).encode()))
    fresh = path.with_suffix(".new")
    fresh.write_text(str(starts))
    fresh.replace(path)

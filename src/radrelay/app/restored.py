"""After a restore: deletions that happened since the backup are repeated before anything is served.

The database and the key store each count the starts. Where they disagree, the rows are older than the ledger: a backup
was restored, by `radrelay restore` or by other means.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from radrelay.app.core import Core
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
    from radrelay.app.replay import replay_ledger  # noqa: PLC0415 -- brings the codecs; every start would pay for it

    return replay_ledger(core)


def _count(core: Core, path: Path, starts: int) -> None:
    with core.database.write() as session:
        session.merge(NodeState(name=STARTS, value=str(starts).encode()))
    fresh = path.with_suffix(".new")
    fresh.write_text(str(starts))
    fresh.replace(path)

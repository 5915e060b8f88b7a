"""After a restore: before anything is served, what was deleted or taken away since the backup is so again.

Open deliveries are held, and whoever was logged in logs in anew.

The database and each node's files count the node's starts, and every entry of the ledger has its tombstone in the rows.
Where they disagree, the rows are older than the ledger: a backup was restored, by `radrelay restore` or by other means.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import sqlalchemy as sa
import structlog

from radrelay.app.core import STARTS_FILE, Core
from radrelay.archive.models import Tombstone
from radrelay.errors import Misconfigured
from radrelay.identity.models import Session as Login
from radrelay.storage.durable_files import write_durably
from radrelay.storage.keystore import ACT
from radrelay.storage.models import NodeState
from radrelay.storage.remembering import unknown

log = structlog.get_logger(__name__)


class RestoreUnfinished(Misconfigured):
    """A restore was cut off before its end; run `radrelay restore FOLDER` again."""

    code = "restore-unfinished"


UNFINISHED = "restore-unfinished"
"""The row that says that a backup's landed objects are still to follow its rows."""
STARTS = "starts"
REPEATED = "deletions-repeated"


def refuse_half_restored(core: Core) -> None:
    """Raise `RestoreUnfinished` while rows are here whose landed objects are still to follow."""
    with core.database.read() as session:
        if session.get(NodeState, UNFINISHED) is not None:
            raise RestoreUnfinished


def replay_if_restored(core: Core) -> None:
    """Repeat the ledger's deletions and acts and expire, if the rows are older than it; call it before serving."""
    path = core.settings.keys_dir / STARTS_FILE
    with core.database.read() as session:
        row = session.get(NodeState, f"{STARTS}/{core.node}")
        in_rows = int(row.value) if row is not None else 0
    in_keys = _count_in(path, unreadable=in_rows + 1)
    if in_rows < in_keys:  # a crash between the two counts leaves the rows ahead
        hold_what_is_open(core)
        end_logins(core)
    if (in_rows != in_keys and in_keys) or core.keys.taken_back or ledger_is_ahead(core) or lacks_acts(core):
        log.warning("the rows are older than the deletion ledger; deletions are repeated")
        replay_ledger(core)
    _count(core, path, max(in_rows, in_keys) + 1)


def hold_what_is_open(core: Core) -> None:
    """Hold what rows that were put back by other means say is still to leave the house."""
    from radrelay.app.held_back import hold_back  # noqa: PLC0415 -- every room that sends: a role at rest loads none

    with core.database.write() as session:
        held = hold_back(session, core.clock.now())
    if any(astuple(held)):
        log.warning("the rows are older than this node's start; what was open is held", **asdict(held))


def end_logins(core: Core) -> None:
    """End what older rows say is still logged in: it may have logged out, or been shut out, since."""
    with core.database.write() as session:
        session.execute(sa.update(Login).where(Login.ended_at.is_(None)).values(ended_at=core.clock.now()))


def lacks_acts(core: Core) -> bool:
    """Say whether the ledger has an act that the rows have not: a backup may not undo it."""
    with core.database.read() as session:
        return bool(unknown(session, [entry.subject_id for entry in core.keys.acts()]))


def ledger_is_ahead(core: Core) -> bool:
    """Say whether the newest deletion is unknown to the rows, and was not repeated on them yet."""
    newest = core.keys.last_deletion()
    if newest is None:
        return False
    with core.database.read() as session:
        repeated = session.get(NodeState, REPEATED)
        if repeated is not None and repeated.value == newest.subject_id.bytes:
            return False
        if newest.kind == ACT:
            return bool(unknown(session, [newest.subject_id]))
        buried = sa.select(Tombstone.id).where(
            Tombstone.organisation_id == newest.organisation_id, Tombstone.subject_id == newest.subject_id
        )
        return session.scalar(buried.limit(1)) is None


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many deletions and acts were done again, and the names of the acts that could not be."""

    deletions: int
    acts: int
    left: tuple[str, ...]


def replay_ledger(core: Core) -> Replayed:
    """Do again all that the ledger has and the rows lack, expire what is over and finish erasing."""
    # These bring the codecs; every start would pay for it.
    from radrelay.app.repeating import repeat_acts  # noqa: PLC0415
    from radrelay.app.replay import replay_deletions  # noqa: PLC0415

    acts = repeat_acts(core)  # first: what is restricted is not moved about
    repeated = replay_deletions(core)
    newest = core.keys.last_deletion()
    if newest is not None:
        with core.database.write() as session:
            session.merge(NodeState(name=REPEATED, value=newest.subject_id.bytes))
    return Replayed(repeated, acts.done, acts.left)


def _count_in(path: Path, *, unreadable: int) -> int:
    """Return the count in a file, none if there is no file; `unreadable` if it holds no number."""
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return 0
    except ValueError:
        log.error("the count of starts cannot be read; the rows are taken for older than they may be", path=str(path))
        return unreadable


def _count(core: Core, path: Path, starts: int) -> None:
    with core.database.write() as session:
        session.merge(NodeState(name=f"{STARTS}/{core.node}", value=str(starts).encode()))
    write_durably(path, str(starts).encode())

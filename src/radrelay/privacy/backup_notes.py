"""When the last backup was made, noted by the backup itself; a restored installation begins without a note."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from radrelay.storage.models import NodeState

LAST_BACKUP = "last-backup"


class BackupNote(msgspec.Struct, frozen=True):
    """A backup that was made: when, of how many packs and landed objects, and how many could not be read."""

    at: datetime
    packs: int
    records: int
    lost: int


def note_backup(session: Session, note: BackupNote) -> None:
    """Keep that a backup was made."""
    session.merge(NodeState(name=LAST_BACKUP, value=msgspec.json.encode(note)))


def last_backup(session: Session) -> BackupNote | None:
    """Return the last backup that was made of this installation; none if there was none."""
    row = session.get(NodeState, LAST_BACKUP)
    return None if row is None else msgspec.json.decode(row.value, type=BackupNote)

"""Whether all that has come of an import is in its rows, whichever machines it came to."""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Unavailable
from radrelay.importer.beginning import MEDIA
from radrelay.importer.cases import bytes_brought
from radrelay.importer.connectors.guided import NAME as GUIDED
from radrelay.importer.models import ImportCase
from radrelay.importer.turns import Turn
from radrelay.intake.models import Parcel
from radrelay.storage.database import Database

LOOK_S, LONGEST_LOOK_S = 0.1, 20.0


def wait_for_all(database: Database, turn: Turn) -> None:
    """Wait until all that has come is in its rows; raises `Unavailable`."""
    until = time.monotonic() + LONGEST_LOOK_S
    while True:
        with database.read() as session:
            row = turn.mine(session)
            ended = sa.select(Parcel.id).where(Parcel.id == row.parcel_id, Parcel.finished_at.is_not(None))
            if session.scalar(ended) is not None and _all_brought(session, row):
                return
        if time.monotonic() > until:
            raise Unavailable("what has come is not in the index yet")
        turn.look()
        time.sleep(LOOK_S)


def _all_brought(session: Session, row: ImportCase) -> bool:
    """Tell whether files that somebody brings are here; each may have come to another machine, the end to a third."""
    if row.connector not in (MEDIA, GUIDED) or row.checked_at is not None:
        return True
    return bytes_brought(session, row) >= row.bytes_received

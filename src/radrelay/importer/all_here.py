"""Whether all that has come of an import is in its rows, whichever machines it came to."""

from __future__ import annotations

import time
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Unavailable
from radrelay.importer.beginning import MEDIA
from radrelay.importer.connectors.guided import NAME as GUIDED
from radrelay.importer.models import ImportCase
from radrelay.importer.turns import Turn
from radrelay.importer.written_down import refused_of
from radrelay.intake.models import Parcel, RawFile
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
    refused = [uuid.UUID(one) for one in refused_of(row)]  # one that came too late stands for none that has not come
    here = sa.select(sa.func.sum(RawFile.size)).where(RawFile.parcel_id == row.parcel_id, RawFile.id.not_in(refused))
    return int(session.scalar(here) or 0) >= row.bytes_received

"""Where the objects stand that another object points at by SOP Instance UID: for links, nothing of them is read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.instances import CHUNK, alive
from radrelay.archive.tables import INSTANCE

_COLUMNS = tuple(INSTANCE.c[name] for name in ("sop_uid", "id", "series_id", "study_id", "number"))


@dataclass(frozen=True, slots=True)
class Link:
    """A current instance, by the ids of its rows."""

    sop_uid: str
    id: uuid.UUID
    series_id: uuid.UUID
    study_id: uuid.UUID
    number: int | None


def find_links(
    session: Session,
    now: datetime,
    within: sa.ColumnElement[bool],
    organisation_id: uuid.UUID,
    sop_uids: Sequence[str],
) -> list[Link]:
    """Return those of the named instances that live, are current and within reach."""
    found: list[Link] = []
    for start in range(0, len(sop_uids), CHUNK):
        statement = sa.select(*_COLUMNS).where(
            INSTANCE.c.organisation_id == organisation_id,
            INSTANCE.c.sop_uid.in_(sop_uids[start : start + CHUNK]),
            INSTANCE.c.current.is_(True),
            alive(now),
            within,
        )
        found += [Link(*row) for row in session.execute(statement)]
    return found

"""Acts that a backup must not undo: somebody was shut out, processing was restricted, a study corrected.

Whoever does such a thing says so with `remember`, in the same transaction. From there it is carried into the key
store's ledger, which is no part of a backup, as deletions are; a restored backup lacks the act's row, and it is done
again before anything is served (`app.repeating`). What is written says all that this takes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.storage.columns import Base
from radrelay.storage.ids import new_id
from radrelay.storage.models import RememberedAct

ID_BATCH = 500
Act = Literal["put", "set", "gone", "account", "lost", "restrict", "lift", "correct"]
"""`put`: rows of a table as they are; `set`: columns of one that is there; `gone`: one was taken away. The others are
more than rows, and are done again by those who know them."""


def remember(session: Session, organisation_id: uuid.UUID, act: Act, detail: Mapping[str, Any]) -> None:
    """Write what was done, in the caller's transaction; `detail` holds values as columns have them."""
    row = RememberedAct(
        id=new_id(), organisation_id=organisation_id, act=act, detail=msgspec.msgpack.encode(dict(detail))
    )  # fmt: skip
    session.add(row)
    session.flush()


def remember_rows(session: Session, *rows: Base) -> None:
    """Remember rows of one table as they are now."""
    table = rows[0].__table__
    told = [{str(column.name): getattr(row, column.key) for column in table.columns} for row in rows]
    remember(session, told[0]["organisation_id"], "put", {"table": str(table.name), "rows": told})  # type: ignore[attr-defined]


def remember_set(session: Session, row: Base, *columns: str) -> None:
    """Remember what some columns of a row say now; a restored backup that lacks the row needs nothing."""
    table = row.__table__
    key = {str(column.name): getattr(row, column.key) for column in table.primary_key}
    values = {name: getattr(row, name) for name in columns}
    organisation_id: uuid.UUID = row.organisation_id  # type: ignore[attr-defined]
    remember(session, organisation_id, "set", {"table": str(table.name), "key": key, "values": values})  # type: ignore[attr-defined]


def remember_gone(session: Session, organisation_id: uuid.UUID, table: str, key: Mapping[str, object]) -> None:
    """Remember that the row of a primary key was taken away."""
    remember(session, organisation_id, "gone", {"table": table, "key": dict(key)})


def unknown(session: Session, act_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those acts that the rows have not, and so not what they did either."""
    left = set(act_ids)
    for start in range(0, len(act_ids), ID_BATCH):
        part = act_ids[start : start + ID_BATCH]
        left.difference_update(session.scalars(sa.select(RememberedAct.id).where(RememberedAct.id.in_(part))))
    return left

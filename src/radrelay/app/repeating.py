"""Acts that were done after a backup, done again on its rows: nobody sees again what they may not see any more.

The key store's ledger has them in their order (`storage.remembering`); what the rows have, they did already. What
cannot be done again (the only administrator would be shut out, a study is still arriving) is told, and keeps nothing
else from being done.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.access.models import Restriction
from radrelay.access.restrictions import apply, remove
from radrelay.app.core import Core
from radrelay.app.rows import thaw
from radrelay.archive import corrections
from radrelay.archive.corrections import StudyArriving
from radrelay.errors import RadrelayError
from radrelay.identity import changing
from radrelay.storage.columns import Base
from radrelay.storage.keystore import LedgerEntry
from radrelay.storage.models import RememberedAct
from radrelay.storage.remembering import unknown

log = structlog.get_logger(__name__)

Detail = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Repeated:
    """How many acts were done again, and the names of those that could not be."""

    done: int = 0
    left: tuple[str, ...] = ()


def repeat_acts(core: Core) -> Repeated:
    """Do again what the rows lack, each once and in a transaction of its own, however often this is called."""
    done, left = 0, list[str]()
    for entry in _lacking(core):
        if entry.detail is None:  # it would change nothing any more (`spent_acts`)
            with core.database.write() as session:
                _note(session, entry)
            continue
        detail = core.keys.opened(entry)
        try:
            with core.database.write() as session:
                _ACTS[entry.reason](session, entry, msgspec.msgpack.decode(detail), core.clock.now())
                _note(session, entry)
            done += 1
        except StudyArriving:  # not noted: the next start tries again
            left.append(entry.reason)
            log.exception("an act could not be repeated yet; the next start tries again", act=entry.reason)
        except (RadrelayError, IntegrityError):  # or its rows hang on some that the backup has not
            left.append(entry.reason)
            log.exception("an act could not be repeated: do it by hand", act=entry.reason)
            with core.database.write() as session:
                _note(session, entry)
    return Repeated(done, tuple(left))


def _lacking(core: Core) -> list[LedgerEntry]:
    """Return what the rows lack in the order in which it was done; a mirror may have given some back later."""
    acts = list(core.keys.acts())
    with core.database.read() as session:
        left = unknown(session, [entry.subject_id for entry in acts])
    return sorted((entry for entry in acts if entry.subject_id in left), key=lambda entry: entry.subject_id)


def _note(session: Session, entry: LedgerEntry) -> None:
    session.add(
        RememberedAct(
            id=entry.subject_id, organisation_id=entry.organisation_id, act=entry.reason, detail=b"",
            ledgered_at=entry.at,
        )
    )  # fmt: skip
    session.flush()


def _values(table: sa.Table, told: Detail) -> dict[str, Any]:
    """Return values as the columns take them; columns that are no more are passed over."""
    return {name: thaw(table.c[name].type, value) for name, value in told.items() if name in table.c}


def _put(session: Session, entry: LedgerEntry, told: Detail, now: datetime) -> None:
    """Write rows as they were; all that such rows say is their own, whatever these rows have."""
    del entry, now
    table = Base.metadata.tables[told["table"]]
    for row in told["rows"]:
        values = _values(table, row)
        session.execute(sa.delete(table).where(_is(table, values)))
        session.execute(sa.insert(table).values(**values))


def _set(session: Session, entry: LedgerEntry, told: Detail, now: datetime) -> None:
    del entry, now
    table = Base.metadata.tables[told["table"]]
    key = _values(table, told["key"])
    session.execute(sa.update(table).where(_is(table, key)).values(**_values(table, told["values"])))


def _gone(session: Session, entry: LedgerEntry, told: Detail, now: datetime) -> None:
    del entry, now
    table = Base.metadata.tables[told["table"]]
    session.execute(sa.delete(table).where(_is(table, _values(table, told["key"]))))


def _is(table: sa.Table, values: Detail) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == values[column.name] for column in table.primary_key))


def _account(session: Session, entry: LedgerEntry, told: Detail, now: datetime) -> None:
    del entry
    changing.do_again(session, uuid.UUID(told["id"]), told["role"], told["disabled_at"], now)


def _lost(session: Session, entry: LedgerEntry, told: Detail, now: datetime) -> None:
    del entry
    changing.lose_again(session, uuid.UUID(told["id"]), told["at"], now)


def _restrict(session: Session, entry: LedgerEntry, told: Detail, now: datetime) -> None:
    """Restrict what is here and what will come; open deliveries are held in a restored installation anyway."""
    del entry, now
    values = _values(Base.metadata.tables[Restriction.__tablename__], told)
    if session.get(Restriction, values["id"]) is None:
        apply(session, Restriction(**values))


def _lift(session: Session, entry: LedgerEntry, told: Detail, now: datetime) -> None:
    del now
    row = session.get(Restriction, uuid.UUID(told["id"]))
    if row is not None and row.organisation_id == entry.organisation_id:
        remove(session, row)


def _correct(session: Session, entry: LedgerEntry, told: Detail, now: datetime) -> None:
    """Correct the studies that are here; their objects are written anew as after any correction."""
    request_id = None if told["request_id"] is None else uuid.UUID(told["request_id"])
    corrections.correct(
        session, entry.organisation_id, [uuid.UUID(one) for one in told["studies"]], told["values"], by=told["by"],
        reason=told["reason"], request_id=request_id, now=now, again=True,
        follows=bool(told.get("follows")),
    )  # fmt: skip


_ACTS: Mapping[str, Callable[[Session, LedgerEntry, Detail, datetime], None]] = {
    "put": _put, "set": _set, "gone": _gone, "account": _account, "lost": _lost, "restrict": _restrict,
    "lift": _lift, "correct": _correct,
}  # fmt: skip

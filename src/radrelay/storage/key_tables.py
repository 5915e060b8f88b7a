"""The tables of study keys and of the deletion ledger, in one SQLCipher file or one schema of PostgreSQL."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine

from radrelay.storage.columns import Id, Instant
from radrelay.storage.database import sqlcipher_engine
from radrelay.storage.keys import Keyring

SCHEMA = "radrelay_keys"
SCHEMA_LOCK = 7239847  # the shared keyring's, too: one at a time makes the schema
PAGE_ROWS = 1000
ID_BATCH = 500

log = structlog.get_logger(__name__)
tables = sa.MetaData()
study_key = sa.Table(
    "study_key",
    tables,
    sa.Column("key_id", Id, primary_key=True),
    sa.Column("study_id", Id, nullable=False, index=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)
ledger_entry = sa.Table(
    "ledger_entry",
    tables,
    sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("organisation_id", Id, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, index=True),
    sa.Column("subject_id", Id, nullable=False, index=True),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("detail", sa.LargeBinary),
)
destroyed_key = sa.Table("destroyed_key", tables, sa.Column("key_id", Id, primary_key=True))
"""Keys that never come back, whichever copy of the store still has them; only ever grows."""
birth = sa.Table(
    "birth",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("made_at", Instant, nullable=False),
)
"""When the store was first made: what is older than that, it may never have known."""


class KeyRow(NamedTuple):
    """A study key as it is stored."""

    key_id: UUID
    study_id: UUID
    wrapped: bytes


class Outline(NamedTuple):
    """What tells copies of the store apart at little cost: how many there are of each, the ends, the age."""

    keys: int
    first: UUID | None
    last: UUID | None
    destroyed: int
    entries: int
    made_at: datetime


@dataclass(frozen=True)
class LedgerEntry:
    """Something that was deleted. `kind` is study, series, instance, holding, attachment, quarantine or parcel.

    Or account, one that was closed; or act, something else that no backup may undo: its name stands in `reason`, and
    what it takes to do it again, sealed, in `detail`; none once it would change nothing any more.
    """

    at: datetime
    organisation_id: UUID
    kind: str
    subject_id: UUID
    reason: str
    detail: bytes | None = None


class KeyTables:
    """The tables in one database; `path` is its file, none on PostgreSQL."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self.engine = engine
        self._path = path
        with self._write() as connection:
            if engine.dialect.name == "postgresql":
                _wait_turn(connection)  # two roles start at once
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            tables.create_all(connection)
            if connection.execute(sa.select(birth.c.id)).first() is None:
                connection.execute(sa.insert(birth).values(id=1, made_at=datetime.now(UTC)))

    def _write(self) -> _Writing:
        return _Writing(self.engine)

    @contextmanager
    def _alone(self) -> Iterator[sa.Connection]:
        """Write while nobody else destroys keys or takes any from a copy; plain `insert` goes on beside it."""
        with self._write() as connection:
            if self.engine.dialect.name == "postgresql":
                _wait_turn(connection)
            yield connection

    def insert(self, row: KeyRow) -> None:
        """Insert a key; SQLAlchemy's or sqlcipher3's `IntegrityError` says that there is one by its id."""
        with self._write() as connection:
            connection.execute(sa.insert(study_key), [row._asdict()])

    def made_at(self) -> datetime:
        """Return when the store was first made."""
        with self.engine.connect() as connection:
            return cast("datetime", connection.execute(sa.select(birth.c.made_at)).scalar_one())

    def set_made_at(self, moment: datetime) -> None:
        """Note that the store is as old as a copy that was made before it."""
        with self._write() as connection:
            connection.execute(sa.update(birth).values(made_at=moment))

    def outline(self) -> Outline:
        """Return what tells this copy of the store from another."""
        key = study_key.c.key_id
        with self.engine.connect() as connection:
            return Outline(
                connection.execute(sa.select(sa.func.count(key))).scalar_one(),
                connection.execute(sa.select(key).order_by(key).limit(1)).scalar(),
                connection.execute(sa.select(key).order_by(key.desc()).limit(1)).scalar(),
                connection.execute(sa.select(sa.func.count(destroyed_key.c.key_id))).scalar_one(),
                connection.execute(sa.select(sa.func.count(ledger_entry.c.sequence))).scalar_one(),
                connection.execute(sa.select(birth.c.made_at)).scalar_one(),
            )

    def wrapped(self, key_id: UUID) -> bytes | None:
        """Return a wrapped key, none if it is not here."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(study_key.c.wrapped).where(study_key.c.key_id == key_id)).scalar()
            return None if found is None else bytes(found)

    def known(self, key_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of `key_ids` that are here."""
        return set(self._found(study_key.c.key_id, key_ids))

    def of_studies(self, study_ids: Sequence[UUID]) -> list[UUID]:
        """Return the keys of studies."""
        return self._found(study_key.c.study_id, study_ids)

    def _found(self, column: sa.Column[UUID], wanted: Sequence[UUID]) -> list[UUID]:
        with self.engine.connect() as connection:
            return _chosen(connection, study_key.c.key_id, column, wanted)

    def rows(self) -> Iterator[KeyRow]:
        """Yield every key in the order of ids, read a thousand at a time."""
        last: UUID | None = None
        while True:
            chosen = sa.select(study_key.c.key_id, study_key.c.study_id, study_key.c.wrapped)
            if last is not None:
                chosen = chosen.where(study_key.c.key_id > last)
            with self.engine.connect() as connection:
                found = connection.execute(chosen.order_by(study_key.c.key_id).limit(PAGE_ROWS)).all()
            for row in found:
                yield KeyRow(row.key_id, row.study_id, bytes(row.wrapped))
            if len(found) < PAGE_ROWS:
                return
            last = found[-1].key_id

    def every(self) -> Iterator[tuple[UUID, UUID]]:
        """Yield (key, study) in the order of ids, read a thousand at a time."""
        for row in self.rows():
            yield row.key_id, row.study_id

    def destroyed(self) -> Iterator[UUID]:
        """Yield the keys that were destroyed in the order of ids, read a thousand at a time."""
        key, last = destroyed_key.c.key_id, None
        while True:
            chosen = sa.select(key) if last is None else sa.select(key).where(key > last)
            with self.engine.connect() as connection:
                found = connection.execute(chosen.order_by(key).limit(PAGE_ROWS)).scalars().all()
            yield from found
            if len(found) < PAGE_ROWS:
                return
            last = found[-1]

    def destroy(self, key_ids: Sequence[UUID]) -> list[UUID]:
        """Delete keys that are here and remember, in the same transaction, that they are destroyed; return those."""
        with self._alone() as connection:
            here = _chosen(connection, study_key.c.key_id, study_key.c.key_id, list(dict.fromkeys(key_ids)))
            _bury(connection, here)
        return here

    def bury(self, key_ids: Sequence[UUID]) -> None:
        """Delete keys that were destroyed in another copy, and never take them again."""
        with self._alone() as connection:
            _bury(connection, list(dict.fromkeys(key_ids)))

    def take(self, rows: Sequence[KeyRow], *, replace: bool = False) -> int:
        """Take keys from another copy unless they are destroyed here; return how many were not here.

        Those that are here stay as they are, or with `replace` become the copy's.
        """
        ids = [row.key_id for row in rows]
        with self._alone() as connection:
            gone = set(_chosen(connection, destroyed_key.c.key_id, destroyed_key.c.key_id, ids))
            here = set(_chosen(connection, study_key.c.key_id, study_key.c.key_id, ids))
            fresh = [row._asdict() for row in rows if row.key_id not in gone and row.key_id not in here]
            if fresh:
                connection.execute(sa.insert(study_key), fresh)
            if replace and here:
                renewed = [{"id": row.key_id, "new": row.wrapped} for row in rows if row.key_id in here]
                changed = sa.update(study_key).where(study_key.c.key_id == sa.bindparam("id"))
                connection.execute(changed.values(wrapped=sa.bindparam("new")), renewed)
        return len(fresh)

    def take_entries(self, entries: Sequence[LedgerEntry]) -> int:
        """Take entries of the ledger from another copy, but for what the ledger has; return how many it had not."""
        taken = 0
        with self._alone() as connection:
            for start in range(0, len(entries), ID_BATCH):
                part = entries[start : start + ID_BATCH]
                known = _subjects(connection, part)
                fresh = [asdict(entry) for name, entry in _by_subject(part).items() if name not in known]
                if fresh:
                    connection.execute(sa.insert(ledger_entry), fresh)
                taken += len(fresh)
        return taken

    def lacks_entries(self, entries: Sequence[LedgerEntry]) -> int:
        """Return how many of `entries` are about what the ledger has nothing of."""
        with self.engine.connect() as connection:
            return len(_by_subject(entries).keys() - _subjects(connection, entries))

    def shed(self, table: sa.Table = study_key) -> None:
        """Leave no trace of a table's deleted rows: pages are zeroed (secure_delete), the log is emptied."""
        if self._path is None:
            # PostgreSQL keeps a deleted row until VACUUM. Its write-ahead log and archives of that still hold
            # the wrapped key, which the keyring still opens: on PostgreSQL no version of the image key is destroyed.
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"VACUUM {SCHEMA}.{table.name}")
            return
        for _ in range(50):
            with self.engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] if raw is not None else 0
            if not busy:
                return
            time.sleep(0.02)  # a reader of another process is in its transaction; they are short
        log.warning("keys.wal_kept", path=str(self._path))

    def ledger(self, since: datetime | None, kind: str | None = None) -> Iterator[LedgerEntry]:
        """Yield deletions and acts in the order they were written, read a thousand at a time; of one `kind` alone."""
        last = 0
        while True:
            chosen = sa.select(ledger_entry).where(ledger_entry.c.sequence > last)
            if since is not None:
                chosen = chosen.where(ledger_entry.c.at >= since)
            if kind is not None:
                chosen = chosen.where(ledger_entry.c.kind == kind)
            with self.engine.connect() as connection:
                rows = connection.execute(chosen.order_by(ledger_entry.c.sequence).limit(PAGE_ROWS)).all()
            yield from map(_entry, rows)
            if len(rows) < PAGE_ROWS:
                return
            last = rows[-1].sequence

    def subjects(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return those of `ids` that the ledger has an entry about."""
        c = ledger_entry.c.subject_id
        with self.engine.connect() as connection:
            return set(_chosen(connection, c, c, ids))

    def forget_details(self, ids: Sequence[UUID]) -> int:
        """Destroy what entries of the ledger say that have a detail; returns how many there were."""
        c, done = ledger_entry.c, 0
        with self._alone() as connection:
            for start in range(0, len(ids), ID_BATCH):
                some = sa.and_(c.subject_id.in_(ids[start : start + ID_BATCH]), c.detail.is_not(None))
                done += connection.execute(sa.update(ledger_entry).where(some).values(detail=None)).rowcount
        if done:
            self.shed(ledger_entry)
        return done

    def last_deletion(self) -> LedgerEntry | None:
        """Return what was written last, none if nothing was."""
        newest = sa.select(ledger_entry).order_by(ledger_entry.c.sequence.desc()).limit(1)
        with self.engine.connect() as connection:
            row = connection.execute(newest).one_or_none()
        return None if row is None else _entry(row)

    def rewrap(self, keyring: Keyring) -> int:
        """Wrap every key under the current image key; return how many were under an older one."""
        with self._write() as connection:
            rows = connection.execute(sa.select(study_key.c.key_id, study_key.c.wrapped)).all()
            renewed = [
                {
                    "id": row.key_id,
                    "new": keyring.wrap(keyring.unwrap(row.wrapped, key_context(row.key_id)), key_context(row.key_id)),
                }
                for row in rows
                if int.from_bytes(row.wrapped[:4], "big") != keyring.image_version
            ]
            if renewed:
                renew = sa.update(study_key).where(study_key.c.key_id == sa.bindparam("id"))
                connection.execute(renew.values(wrapped=sa.bindparam("new")), renewed)
        self.shed()
        return len(renewed)

    def versions(self) -> set[int]:
        """Return the versions of the image key that keys are wrapped under."""
        with self.engine.connect() as connection:
            prefixes = connection.execute(sa.select(sa.func.substr(study_key.c.wrapped, 1, 4)).distinct()).scalars()
            return {int.from_bytes(prefix, "big") for prefix in prefixes}


class _Writing:
    """A transaction that takes the writer's place at once and commits unless its block fails."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect().execution_options(radrelay_write=True)

    def __enter__(self) -> sa.Connection:
        self._connection.begin()
        return self._connection

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._connection as connection:
            if kind is None:
                connection.commit()
            else:
                connection.rollback()


def has_tables(engine: Engine) -> bool:
    """Say whether there is a key store in the database already."""
    schema = SCHEMA if engine.dialect.name == "postgresql" else None
    with engine.connect() as connection:
        return sa.inspect(connection).has_table(study_key.name, schema=schema)


def _wait_turn(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")


def _chosen(
    connection: sa.Connection, answer: sa.Column[UUID], column: sa.Column[UUID], wanted: Sequence[UUID]
) -> list[UUID]:
    """Return `answer` of the rows whose `column` is one of `wanted`."""
    found: list[UUID] = []
    for start in range(0, len(wanted), ID_BATCH):
        chosen = sa.select(answer).where(column.in_(wanted[start : start + ID_BATCH]))
        found.extend(connection.execute(chosen).scalars())
    return found


def _entry(row: sa.Row[Any]) -> LedgerEntry:
    return LedgerEntry(row.at, row.organisation_id, row.kind, row.subject_id, row.reason, row.detail)


def _by_subject(entries: Sequence[LedgerEntry]) -> dict[tuple[str, UUID], LedgerEntry]:
    return {(entry.kind, entry.subject_id): entry for entry in entries}


def _subjects(connection: sa.Connection, entries: Sequence[LedgerEntry]) -> set[tuple[str, UUID]]:
    """Return what the ledger has entries about, of the subjects of `entries`."""
    c, wanted = ledger_entry.c, [entry.subject_id for entry in entries]
    found: set[tuple[str, UUID]] = set()
    for start in range(0, len(wanted), ID_BATCH):
        chosen = sa.select(c.kind, c.subject_id).where(c.subject_id.in_(wanted[start : start + ID_BATCH]))
        found.update((row.kind, row.subject_id) for row in connection.execute(chosen))
    return found


def _bury(connection: sa.Connection, key_ids: Sequence[UUID]) -> None:
    known = set(_chosen(connection, destroyed_key.c.key_id, destroyed_key.c.key_id, key_ids))
    for start in range(0, len(key_ids), ID_BATCH):
        part = key_ids[start : start + ID_BATCH]
        connection.execute(sa.delete(study_key).where(study_key.c.key_id.in_(part)))
        fresh = [{"key_id": key_id} for key_id in part if key_id not in known]
        if fresh:
            connection.execute(sa.insert(destroyed_key), fresh)


def key_engine(path: Path, key: bytes) -> Engine:
    """Return an engine on a SQLCipher file of keys, for this user only."""
    fresh = not path.exists()
    engine = sqlcipher_engine(path, key)
    if fresh:
        with suppress(FileNotFoundError):
            os.chmod(path, 0o600)
    return engine


def key_context(key_id: UUID) -> bytes:
    """Return what a wrapped study key is bound to."""
    return b"study key" + key_id.bytes

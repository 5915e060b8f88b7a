"""The tables of study keys and of the deletion ledger, in one SQLCipher file or one schema of PostgreSQL."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine

from radrelay.storage.columns import Id, Instant
from radrelay.storage.database import sqlcipher_engine
from radrelay.storage.keys import Keyring

SCHEMA = "radrelay_keys"
LEDGER_BATCH = 1000
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
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("subject_id", Id, nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
)
mirror_debt = sa.Table("mirror_debt", tables, sa.Column("key_id", Id, primary_key=True))


@dataclass(frozen=True)
class LedgerEntry:
    """Something that was deleted. `kind` is study, series, instance, holding, attachment, quarantine or parcel."""

    at: datetime
    organisation_id: UUID
    kind: str
    subject_id: UUID
    reason: str


class KeyTables:
    """The tables in one database; `path` is its file, none on PostgreSQL."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self.engine = engine
        self._path = path
        with self._write() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7239847)")  # two roles start at once
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            tables.create_all(connection)

    def _write(self) -> _Writing:
        return _Writing(self.engine)

    def insert(self, table: sa.Table, rows: list[dict[str, object]]) -> None:
        """Insert rows in one transaction."""
        with self._write() as connection:
            connection.execute(sa.insert(table), rows)

    def insert_all(self, rows: Mapping[sa.Table, list[dict[str, object]]]) -> None:
        """Insert rows of several tables in one transaction."""
        with self._write() as connection:
            for table, found in rows.items():
                if found:
                    connection.execute(sa.insert(table), found)

    def is_empty(self) -> bool:
        """Say whether there is neither a key nor an entry of the ledger."""
        with self.engine.connect() as connection:
            return not any(
                connection.execute(sa.select(column).limit(1)).first()
                for column in (study_key.c.key_id, ledger_entry.c.sequence)
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
        found: list[UUID] = []
        with self.engine.connect() as connection:
            for start in range(0, len(wanted), ID_BATCH):
                chosen = sa.select(study_key.c.key_id).where(column.in_(wanted[start : start + ID_BATCH]))
                found.extend(connection.execute(chosen).scalars())
        return found

    def every(self) -> Iterator[tuple[UUID, UUID]]:
        """Yield (key, study) in the order of ids, read a thousand at a time."""
        last: UUID | None = None
        while True:
            chosen = sa.select(study_key.c.key_id, study_key.c.study_id).order_by(study_key.c.key_id)
            if last is not None:
                chosen = chosen.where(study_key.c.key_id > last)
            with self.engine.connect() as connection:
                rows = connection.execute(chosen.limit(LEDGER_BATCH)).all()
            for row in rows:
                yield row.key_id, row.study_id
            if len(rows) < LEDGER_BATCH:
                return
            last = rows[-1].key_id

    def identities(self) -> set[tuple[str, UUID]]:
        """Return what is here, keys by their ids and entries of the ledger by what they are about."""
        with self.engine.connect() as connection:
            keys = {("key", key_id) for key_id in connection.execute(sa.select(study_key.c.key_id)).scalars()}
            subjects = connection.execute(sa.select(ledger_entry.c.kind, ledger_entry.c.subject_id))
            return keys | {(kind, subject_id) for kind, subject_id in subjects}

    def delete(self, key_ids: Sequence[UUID], *, owe: bool) -> None:
        """Delete keys; with `owe`, note in the same transaction that the mirror is to be told."""
        rows = [{"id": key_id} for key_id in dict.fromkeys(key_ids)]
        with self._write() as connection:
            connection.execute(sa.delete(study_key).where(study_key.c.key_id == sa.bindparam("id")), rows)
            if owe:
                connection.execute(sa.delete(mirror_debt).where(mirror_debt.c.key_id == sa.bindparam("id")), rows)
                connection.execute(sa.insert(mirror_debt), [{"key_id": row["id"]} for row in rows])

    def debts(self) -> list[UUID]:
        """Return the deleted keys that the mirror is still to be told of."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(mirror_debt.c.key_id)).scalars())

    def settle(self, key_ids: Sequence[UUID]) -> None:
        """Forget debts: the mirror was told."""
        with self._write() as connection:
            connection.execute(
                sa.delete(mirror_debt).where(mirror_debt.c.key_id == sa.bindparam("id")),
                [{"id": key_id} for key_id in key_ids],
            )

    def shed(self) -> None:
        """Leave no trace of deleted rows: pages are zeroed (secure_delete), the log is emptied."""
        if self._path is None:
            # PostgreSQL keeps a deleted row until VACUUM. Its write-ahead log and archives of that still hold
            # the wrapped key, which the keyring still opens: on PostgreSQL no version of the image key is destroyed.
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"VACUUM {SCHEMA}.study_key")
            return
        for _ in range(50):
            with self.engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] if raw is not None else 0
            if not busy:
                return
            time.sleep(0.02)  # a reader of another process is in its transaction; they are short
        log.warning("keys.wal_kept", path=str(self._path))

    def ledger(self, since: datetime | None) -> Iterator[LedgerEntry]:
        """Yield deletions in the order they were written, read a thousand at a time."""
        last = 0
        while True:
            chosen = sa.select(ledger_entry).where(ledger_entry.c.sequence > last)
            if since is not None:
                chosen = chosen.where(ledger_entry.c.at >= since)
            with self.engine.connect() as connection:
                rows = connection.execute(chosen.order_by(ledger_entry.c.sequence).limit(LEDGER_BATCH)).all()
            for row in rows:
                yield LedgerEntry(row.at, row.organisation_id, row.kind, row.subject_id, row.reason)
            if len(rows) < LEDGER_BATCH:
                return
            last = rows[-1].sequence

    def last_deletion(self) -> LedgerEntry | None:
        """Return what was written last, none if nothing was."""
        newest = sa.select(ledger_entry).order_by(ledger_entry.c.sequence.desc()).limit(1)
        with self.engine.connect() as connection:
            row = connection.execute(newest).one_or_none()
        return None if row is None else LedgerEntry(row.at, row.organisation_id, row.kind, row.subject_id, row.reason)

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

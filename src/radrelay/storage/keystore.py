"""The store of study keys and the ledger of deletions, apart from everything that backups hold.

A key here is what makes a pack readable: destroying it makes the pack unreadable, wherever copies of it lie.
The ledger says what was deleted and when, so that a restored backup repeats each deletion before it serves.
Kept in its own SQLCipher file, or in the schema `radrelay_keys` of PostgreSQL; both are copied at once to the
folder `keys.mirror`, when that is set.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlcipher3 import dbapi2 as sqlcipher

from radrelay.errors import Conflict, NotFound, Unavailable
from radrelay.settings import Settings
from radrelay.storage.columns import Id, Instant
from radrelay.storage.database import mapped_errors, sqlcipher_engine
from radrelay.storage.durable_files import make_private_directory, sync_directory
from radrelay.storage.keys import Keyring

FILE_NAME = "study-keys.sqlite"
SCHEMA = "radrelay_keys"
CACHE_KEYS = 1024
CACHE_S = 15.0
LEDGER_BATCH = 1000

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


class KeyDestroyed(NotFound):
    """The key of these bytes is destroyed: they were deleted or have expired."""

    code = "key-destroyed"


@dataclass(frozen=True)
class LedgerEntry:
    """Something that was deleted. `kind` is study, series, instance, holding, attachment, quarantine or parcel."""

    at: datetime
    organisation_id: UUID
    kind: str
    subject_id: UUID
    reason: str


class KeyStore:
    """Study keys and the deletion ledger. Thread-safe; open one per process, after any fork."""

    def __init__(self, primary: _KeyTables, mirror: _KeyTables | None, keyring: Keyring) -> None:
        self._primary = primary
        self._mirror = mirror
        self._keyring = keyring
        self._cache: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._cache_lock = threading.Lock()
        self._pay_mirror_debt()

    @classmethod
    def open(cls, settings: Settings, keyring: Keyring) -> KeyStore:
        """Open the store, made at need; a lost file is taken back from the mirror.

        Raises
        ------
        Unavailable
            The database or the mirror's folder does not answer.
        """
        key = keyring.derive("study keys")
        mirror_path = None if settings.keys.mirror is None else settings.keys.mirror / FILE_NAME
        with mapped_errors():
            url = settings.database.url
            if url is not None:
                engine = sa.create_engine(
                    sa.make_url(url).set(drivername="postgresql+psycopg"), pool_size=2, pool_pre_ping=True
                ).execution_options(schema_translate_map={None: SCHEMA})
                primary = _KeyTables(engine, None)
            else:
                path = settings.keys_dir / FILE_NAME
                make_private_directory(path.parent.absolute())
                if not path.exists() and mirror_path is not None and mirror_path.exists():
                    _copy_back(mirror_path, path)
                primary = _KeyTables(_engine(path, key), path)
            mirror = None if mirror_path is None else _open_mirror(mirror_path, key, primary)
        return cls(primary, mirror, keyring)

    def create(self, key_id: UUID, study_id: UUID) -> bytes:
        """Make a new data key of 32 bytes, durable here and on the mirror on return.

        Raises `Conflict` if there is one by this id, `Unavailable` if either cannot be written.
        """
        key = secrets.token_bytes(32)
        row = {"key_id": key_id, "study_id": study_id, "wrapped": self._keyring.wrap(key, _context(key_id))}
        with mapped_errors():
            try:
                # The mirror first: a key that only the mirror has is never used, one that it lacks could be lost.
                if self._mirror is not None:
                    self._mirror.insert(study_key, [row])
                self._primary.insert(study_key, [row])
            except (IntegrityError, sqlcipher.IntegrityError) as error:
                raise Conflict(f"there is a key by the id {key_id} already") from error
        self._remember(key_id, key)
        return key

    def get(self, key_id: UUID) -> bytes:
        """Return a data key; raises `KeyDestroyed` once it is destroyed, in other processes within 15 s."""
        with self._cache_lock:
            kept = self._cache.get(key_id)
            if kept is not None and kept[0] > time.monotonic():
                return kept[1]
        with mapped_errors():
            wrapped = self._primary.wrapped(key_id)
        if wrapped is None:
            self._forget([key_id])
            raise KeyDestroyed
        key = self._keyring.unwrap(wrapped, _context(key_id))
        self._remember(key_id, key)
        return key

    def destroy(self, key_ids: Sequence[UUID]) -> None:
        """Destroy keys for good, durable on return; ids that are not here are passed over.

        What the mirror cannot be told just now is told as soon as it answers again (`mirror_owes`).
        """
        if not key_ids:
            return
        self._forget(key_ids)
        with mapped_errors():
            self._primary.delete(key_ids, owe=self._mirror is not None)
            self._primary.shed()
        self._pay_mirror_debt()

    def append_ledger(self, entries: Sequence[LedgerEntry]) -> None:
        """Write deletions into the ledger, durable here and on the mirror on return."""
        rows = [
            {
                "at": entry.at,
                "organisation_id": entry.organisation_id,
                "kind": entry.kind,
                "subject_id": entry.subject_id,
                "reason": entry.reason,
            }
            for entry in entries
        ]
        if not rows:
            return
        with mapped_errors():
            if self._mirror is not None:
                self._mirror.insert(ledger_entry, rows)
            self._primary.insert(ledger_entry, rows)

    def ledger(self, since: datetime | None = None) -> Iterator[LedgerEntry]:
        """Yield deletions in the order they were written; with `since`, only those at or after it."""
        with mapped_errors():
            yield from self._primary.ledger(since)

    def rewrap(self) -> int:
        """Wrap every key under the current image key; return how many were under an older one."""
        done = 0
        for store in filter(None, (self._mirror, self._primary)):
            with mapped_errors():
                done = store.rewrap(self._keyring)
        return done

    def key_versions(self) -> set[int]:
        """Return the versions of the image key that keys here are wrapped under."""
        with mapped_errors():
            return {version for store in filter(None, (self._mirror, self._primary)) for version in store.versions()}

    def mirror_owes(self) -> int:
        """Return how many destroyed keys the mirror has not been told of yet."""
        with mapped_errors():
            return len(self._primary.debts())

    def close(self) -> None:
        """Close every connection and forget the keys in memory."""
        with self._cache_lock:
            self._cache.clear()
        for store in filter(None, (self._mirror, self._primary)):
            store.engine.dispose()

    def _pay_mirror_debt(self) -> None:
        if self._mirror is None:
            return
        try:
            with mapped_errors():
                owed = self._primary.debts()
                if owed:
                    self._mirror.delete(owed, owe=False)
                    self._mirror.shed()
                    self._primary.settle(owed)
        except (Unavailable, DBAPIError, OSError) as error:
            log.error("keys.mirror_behind", error=str(error))

    def _remember(self, key_id: UUID, key: bytes) -> None:
        with self._cache_lock:
            self._cache[key_id] = (time.monotonic() + CACHE_S, key)
            self._cache.move_to_end(key_id)
            while len(self._cache) > CACHE_KEYS:
                self._cache.popitem(last=False)

    def _forget(self, key_ids: Sequence[UUID]) -> None:
        with self._cache_lock:
            for key_id in key_ids:
                self._cache.pop(key_id, None)


class _KeyTables:
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
        with self._write() as connection:
            connection.execute(sa.insert(table), rows)

    def wrapped(self, key_id: UUID) -> bytes | None:
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(study_key.c.wrapped).where(study_key.c.key_id == key_id)).scalar()
            return None if found is None else bytes(found)

    def delete(self, key_ids: Sequence[UUID], *, owe: bool) -> None:
        rows = [{"id": key_id} for key_id in dict.fromkeys(key_ids)]
        with self._write() as connection:
            connection.execute(sa.delete(study_key).where(study_key.c.key_id == sa.bindparam("id")), rows)
            if owe:
                connection.execute(sa.delete(mirror_debt).where(mirror_debt.c.key_id == sa.bindparam("id")), rows)
                connection.execute(sa.insert(mirror_debt), [{"key_id": row["id"]} for row in rows])

    def debts(self) -> list[UUID]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(mirror_debt.c.key_id)).scalars())

    def settle(self, key_ids: Sequence[UUID]) -> None:
        with self._write() as connection:
            connection.execute(
                sa.delete(mirror_debt).where(mirror_debt.c.key_id == sa.bindparam("id")),
                [{"id": key_id} for key_id in key_ids],
            )

    def shed(self) -> None:
        """Leave no trace of deleted rows: pages are zeroed (secure_delete), the log is emptied."""
        if self._path is None:
            # PostgreSQL keeps a deleted row's bytes until VACUUM; wrapped keys are small, so do it at once.
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

    def rewrap(self, keyring: Keyring) -> int:
        with self._write() as connection:
            rows = connection.execute(sa.select(study_key.c.key_id, study_key.c.wrapped)).all()
            renewed = [
                {
                    "id": row.key_id,
                    "new": keyring.wrap(keyring.unwrap(row.wrapped, _context(row.key_id)), _context(row.key_id)),
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


def _engine(path: Path, key: bytes) -> Engine:
    fresh = not path.exists()
    engine = sqlcipher_engine(path, key)
    if fresh:
        with suppress(FileNotFoundError):
            os.chmod(path, 0o600)
    return engine


def _open_mirror(path: Path, key: bytes, primary: _KeyTables) -> _KeyTables:
    """Open the mirror; a new one is filled from the store as it is."""
    try:
        make_private_directory(path.parent.absolute())
        fresh = not path.exists()
        mirror = _KeyTables(_engine(path, key), path)
    except OSError as error:
        raise Unavailable(f"the mirror of the study keys, {path.parent}, cannot be written: {error}") from error
    if fresh:
        with primary.engine.connect() as connection:
            for table in (study_key, ledger_entry):
                rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                if rows:
                    mirror.insert(table, rows)
    return mirror


def _copy_back(mirror: Path, path: Path) -> None:
    log.warning("keys.taken_back_from_mirror", mirror=str(mirror))
    for suffix in ("-wal", ""):
        source = mirror.with_name(mirror.name + suffix)
        if source.exists():
            shutil.copyfile(source, path.with_name(path.name + suffix))
    sync_directory(path.parent)


def _context(key_id: UUID) -> bytes:
    return b"study key" + key_id.bytes

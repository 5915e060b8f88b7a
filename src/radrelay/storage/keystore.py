"""The store of study keys and the ledger of deletions, apart from everything that backups hold.

A key here is what makes a pack readable: destroying it makes the pack unreadable, wherever copies of it lie.
The ledger says what was deleted and when, so that a restored backup repeats each deletion before it serves.
Kept in its own SQLCipher file, or in the schema `radrelay_keys` of PostgreSQL; both are copied at once to the
folder `keys.mirror`, when that is set.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlcipher3 import dbapi2 as sqlcipher

from radrelay.errors import Conflict, NotFound, Unavailable
from radrelay.settings import Settings
from radrelay.storage.database import mapped_errors
from radrelay.storage.durable_files import make_private_directory, sync_directory
from radrelay.storage.key_tables import SCHEMA, KeyTables, LedgerEntry, key_context, key_engine, ledger_entry, study_key
from radrelay.storage.keys import Keyring, UnwrapFailed

__all__ = ["KeyDestroyed", "KeyStore", "LedgerEntry"]

FILE_NAME = "study-keys.sqlite"
CACHE_KEYS = 1024
CACHE_S = 15.0

log = structlog.get_logger(__name__)


class KeyDestroyed(NotFound):
    """The key of these bytes is destroyed: they were deleted or have expired."""

    code = "key-destroyed"


class KeyStore:
    """Study keys and the deletion ledger. Thread-safe; open one per process, after any fork."""

    def __init__(self, primary: KeyTables, mirror: KeyTables | None, keyring: Keyring) -> None:
        self._primary = primary
        self._mirror = mirror
        self._keyring = keyring
        self._cache: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._cache_lock = threading.Lock()
        self._pay_mirror_debt()

    @classmethod
    def open(cls, settings: Settings, keyring: Keyring) -> KeyStore:
        """Open the store, made at need; what was lost is taken back from the mirror.

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
                    sa.make_url(url).set(drivername="postgresql+psycopg"),
                    pool_size=2,
                    pool_pre_ping=True,
                    hide_parameters=True,
                ).execution_options(schema_translate_map={None: SCHEMA})
                primary = KeyTables(engine, None)
                if mirror_path is not None and mirror_path.exists():
                    _fill_from_mirror(primary, mirror_path, key)
            else:
                path = settings.keys_dir / FILE_NAME
                make_private_directory(path.parent.absolute())
                if not path.exists() and mirror_path is not None and mirror_path.exists():
                    _copy_back(mirror_path, path)
                primary = KeyTables(key_engine(path, key), path)
            mirror = None if mirror_path is None else _open_mirror(mirror_path, key, primary)
        return cls(primary, mirror, keyring)

    def create(self, key_id: UUID, study_id: UUID) -> bytes:
        """Make a new data key of 32 bytes, durable here and on the mirror on return.

        Raises `Conflict` if there is one by this id, `Unavailable` if either cannot be written.
        """
        key = secrets.token_bytes(32)
        with self._keyring.wrapping() as wrap, mapped_errors():
            row = {"key_id": key_id, "study_id": study_id, "wrapped": wrap(key, key_context(key_id))}
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
        try:
            key = self._unwrapped(key_id)
        except UnwrapFailed:  # wrapped anew while it was read, and the older version destroyed
            key = self._unwrapped(key_id)
        self._remember(key_id, key)
        return key

    def _unwrapped(self, key_id: UUID) -> bytes:
        with mapped_errors():
            wrapped = self._primary.wrapped(key_id)
        if wrapped is None:
            self._forget([key_id])
            raise KeyDestroyed
        return self._keyring.unwrap(wrapped, key_context(key_id))

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

    def known(self, key_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of `key_ids` that there are keys by."""
        with mapped_errors():
            return self._primary.known(key_ids)

    def every(self) -> Iterator[tuple[UUID, UUID]]:
        """Yield (key, study) of every key, read a thousand at a time; `study` is as `create` was told."""
        with mapped_errors():
            yield from self._primary.every()

    def destroy_studies(self, study_ids: Sequence[UUID]) -> int:
        """Destroy every key that was made for one of the studies, durable on return; returns how many there were."""
        with mapped_errors():
            found = self._primary.of_studies(study_ids)
        self.destroy(found)
        return len(found)

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

    def last_deletion(self) -> LedgerEntry | None:
        """Return the newest deletion in the ledger, none if there is none."""
        with mapped_errors():
            return self._primary.last_deletion()

    def rewrap(self) -> int:
        """Wrap every key under the current image key; return how many were under an older one."""
        done = 0
        for store in filter(None, (self._mirror, self._primary)):
            with self._keyring.wrapping(), mapped_errors():
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

    def mirror_differs(self) -> tuple[int, int]:
        """Return how many keys and entries of the ledger the mirror lacks, and how many keys it has beyond."""
        if self._mirror is None:
            return 0, 0
        with mapped_errors():
            kept = self._mirror.identities()
            ours = self._primary.identities()
            kept |= self._mirror.identities()  # what was written while the two were read is in both by now
        return len(ours - kept), len({name for name in kept - ours - self._primary.identities() if name[0] == "key"})

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


def _open_mirror(path: Path, key: bytes, primary: KeyTables) -> KeyTables:
    """Open the mirror; a new one is filled from the store as it is."""
    try:
        make_private_directory(path.parent.absolute())
        fresh = not path.exists()
        mirror = KeyTables(key_engine(path, key), path)
    except OSError as error:
        raise Unavailable(f"the mirror of the study keys, {path.parent}, cannot be written: {error}") from error
    if fresh:
        _copy_tables(primary, mirror)
    return mirror


def _fill_from_mirror(primary: KeyTables, path: Path, key: bytes) -> None:
    """Take everything back from the mirror if the schema in PostgreSQL is a new one."""
    if primary.is_empty():
        mirror = KeyTables(key_engine(path, key), path)
        try:
            if not mirror.is_empty():
                log.warning("keys.taken_back_from_mirror", mirror=str(path))
                _copy_tables(mirror, primary)
        finally:
            mirror.engine.dispose()


def _copy_tables(source: KeyTables, target: KeyTables) -> None:
    """Copy keys and ledger in one transaction; the entries of the ledger are numbered anew, in their order."""
    rows: dict[sa.Table, list[dict[str, object]]] = {}
    with source.engine.connect() as connection:
        rows[study_key] = [dict(row) for row in connection.execute(sa.select(study_key)).mappings()]
        entries = sa.select(ledger_entry).order_by(ledger_entry.c.sequence)
        rows[ledger_entry] = [
            {name: value for name, value in row.items() if name != "sequence"}
            for row in connection.execute(entries).mappings()
        ]
    target.insert_all(rows)


def _copy_back(mirror: Path, path: Path) -> None:
    log.warning("keys.taken_back_from_mirror", mirror=str(mirror))
    for suffix in ("-wal", ""):
        source = mirror.with_name(mirror.name + suffix)
        if source.exists():
            shutil.copyfile(source, path.with_name(path.name + suffix))
    sync_directory(path.parent)

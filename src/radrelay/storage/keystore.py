"""The store of study keys and the ledger of deletions, apart from everything that backups hold.

A key here is what makes a pack readable: destroying it makes the pack unreadable, wherever copies of it lie.
The ledger says what was deleted and when, so that a restored backup repeats each deletion before it serves.
Kept in its own SQLCipher file, or in the schema `radrelay_keys` of PostgreSQL; both are copied at once to the
folder `keys.mirror`, when that is set. What either missed (the mirror was away, another node wrote, the store was lost)
`agree_with_mirror` makes good, at each opening and every half minute (`key_mirror`).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlcipher3 import dbapi2 as sqlcipher

from radrelay.errors import Conflict, Misconfigured, NotFound, Unavailable
from radrelay.settings import Settings
from radrelay.storage.database import mapped_errors
from radrelay.storage.durable_files import make_private_directory
from radrelay.storage.key_mirror import Difference, agree, difference
from radrelay.storage.key_tables import SCHEMA, KeyRow, KeyTables, LedgerEntry, has_tables, key_context, key_engine
from radrelay.storage.keys import NONCE_BYTES, Keyring, UnwrapFailed

__all__ = ["KeyDestroyed", "KeyStore", "KeysGone", "LedgerEntry"]

FILE_NAME = "study-keys.sqlite"
ACT = "act"  # the kind of what the ledger has beside deletions
CACHE_KEYS = 1024
CACHE_S = 15.0
THOROUGH_S = 3600.0  # at least so often everything is compared with the mirror, not its outline alone

log = structlog.get_logger(__name__)


class KeyDestroyed(NotFound):
    """The key of these bytes is destroyed: they were deleted or have expired."""

    code = "key-destroyed"


class KeysGone(Misconfigured):
    """The store of study keys is gone, and so is its mirror; it is not made anew while that may come back."""

    code = "keys-gone"


class KeyStore:
    """Study keys and the deletion ledger. Thread-safe; open one per process, after any fork.

    `taken_back` says that the mirror gave back what had been lost here, entries of the ledger perhaps among it.
    """

    def __init__(self, primary: KeyTables, mirror: KeyTables | None, keyring: Keyring) -> None:
        self._primary = primary
        self._mirror = mirror
        self._keyring = keyring
        self._seal = AESGCM(keyring.derive("acts of the ledger"))
        self._cache: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._cache_lock = threading.Lock()
        self._agreeing = threading.Lock()
        self._compare_at = float("-inf") if mirror is None else time.monotonic() + THOROUGH_S
        self.taken_back = False

    @classmethod
    def open(cls, settings: Settings, keyring: Keyring, *, served_before: bool = False) -> KeyStore:
        """Open the store, made at need; what was lost is taken back from the mirror.

        Raises
        ------
        KeysGone
            The store and its mirror are gone, of an installation that has `served_before`.
        Unavailable
            The database or the mirror's folder does not answer.
        """
        key = keyring.derive("study keys")
        mirror_path = None if settings.keys.mirror is None else settings.keys.mirror / FILE_NAME
        with mapped_errors():
            engine, path = _engine(settings, key)
            lost = served_before and not ((path is None or path.exists()) and has_tables(engine))
            if lost and mirror_path is not None and not mirror_path.exists():
                engine.dispose()
                place = path or f"the schema {SCHEMA} of the database"
                raise KeysGone(
                    f"the store of study keys ({place}) is gone, and its mirror {mirror_path} is not there: see that "
                    "its disk is mounted. It is not made anew, because what is stored here could then not be read. If "
                    "there never was a mirror, leave keys.mirror out of the settings at the next start"
                )
            if lost and mirror_path is None:
                log.critical(
                    "keys.gone", advice="no study can be read until the key store is put back; see keys.mirror"
                )
            primary = KeyTables(engine, path)
            mirror = None if mirror_path is None else _open_mirror(mirror_path, key)
        store = cls(primary, mirror, keyring)
        store.agree_with_mirror()
        return store

    def agree_with_mirror(self, *, thoroughly: bool = False) -> None:
        """Make good what the store or its mirror has missed; little work where both look the same.

        Call it now and then. Raises `Unavailable` when either does not answer.
        """
        if self._mirror is None:
            return
        with self._agreeing, mapped_errors():
            due = thoroughly or time.monotonic() >= self._compare_at
            if due or self._primary.outline() != self._mirror.outline():
                self.taken_back |= bool(agree(self._primary, self._mirror, self._keyring))
                self._compare_at = time.monotonic() + THOROUGH_S

    def create(self, key_id: UUID, study_id: UUID) -> bytes:
        """Make a new data key of 32 bytes, durable here and on the mirror on return.

        Raises `Conflict` if there is one by this id, `Unavailable` if either cannot be written.
        """
        key = secrets.token_bytes(32)
        with self._keyring.wrapping() as wrap, mapped_errors():
            row = KeyRow(key_id, study_id, wrap(key, key_context(key_id)))
            try:
                # The mirror first: a key that only the mirror has is never used, one that it lacks could be lost.
                if self._mirror is not None and not self._primary.known([key_id]):
                    self._mirror.insert(row)
                self._primary.insert(row)
            except (IntegrityError, sqlcipher.IntegrityError) as error:
                self._settle(row, error)
        self._remember(key_id, key)
        return key

    def _settle(self, row: KeyRow, error: Exception) -> None:
        """Raise `Conflict` for a key that is there by this id, unless it is this one, carried over from the mirror."""
        self.agree_with_mirror(thoroughly=True)
        if self._primary.wrapped(row.key_id) != row.wrapped:
            raise Conflict(f"there is a key by the id {row.key_id} already") from error

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
            gone = self._primary.destroy(key_ids)
            self._primary.shed()
        if self._mirror is None or not gone:
            return
        try:
            with mapped_errors():
                self._mirror.bury(gone)
                self._mirror.shed()
        except (Unavailable, DBAPIError, OSError) as error:
            log.error("keys.mirror_behind", error=str(error))

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
        """Write deletions and acts into the ledger, durable here and on the mirror on return.

        Those it has are passed over.
        """
        if not entries:
            return
        kept = [one if one.detail is None else replace(one, detail=self._sealed(one)) for one in entries]
        with mapped_errors():
            if self._mirror is not None:
                self._mirror.take_entries(kept)
            self._primary.take_entries(kept)

    def acts(self) -> Iterator[LedgerEntry]:
        """Yield the acts that no backup may undo, in the order in which the ledger got them; `opened` opens one."""
        with mapped_errors():
            yield from self._primary.ledger(None, ACT)

    def deleted(self, study_ids: Sequence[UUID]) -> set[UUID]:
        """Return which of some studies the ledger says were deleted."""
        with mapped_errors():
            return self._primary.subjects(study_ids)

    def spend(self, act_ids: Sequence[UUID]) -> int:
        """Destroy what acts say, here and on the mirror; that they were done stays. Returns how many it was here.

        What was spent here while the mirror was away is spent there now.
        """
        with mapped_errors():
            done = self._primary.forget_details(act_ids)
            if self._mirror is not None:
                self._mirror.forget_details([one.subject_id for one in self.acts() if one.detail is None])
        return done

    def opened(self, entry: LedgerEntry) -> bytes:
        """Return what an act says; raises `UnwrapFailed` if that is damaged."""
        kept = entry.detail or b""
        try:
            return self._seal.decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], entry.subject_id.bytes)
        except (InvalidTag, ValueError) as error:
            raise UnwrapFailed(f"an act of the ledger ({entry.reason}) is damaged") from error

    def _sealed(self, entry: LedgerEntry) -> bytes:
        """Return a detail as it is kept: a schema of PostgreSQL is not encrypted as a whole."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, entry.detail or b"", entry.subject_id.bytes)

    def ledger(self, since: datetime | None = None) -> Iterator[LedgerEntry]:
        """Yield deletions and acts in the order they were written; with `since`, only those at or after it."""
        with mapped_errors():
            yield from self._primary.ledger(since)

    def last_deletion(self) -> LedgerEntry | None:
        """Return the newest deletion in the ledger, none if there is none."""
        with mapped_errors():
            return self._primary.last_deletion()

    def rewrap(self) -> int:
        """Wrap every key under the current image key; return how many were under an older one."""
        with self._keyring.wrapping(), mapped_errors():
            done = self._primary.rewrap(self._keyring)
        self.agree_with_mirror(thoroughly=True)
        return done

    def key_versions(self) -> set[int]:
        """Return the versions of the image key that keys here are wrapped under."""
        with mapped_errors():
            return {version for store in filter(None, (self._mirror, self._primary)) for version in store.versions()}

    def made_at(self) -> datetime:
        """Return when the store was first made; keys from before that may have been lost with an earlier one."""
        with mapped_errors():
            return self._primary.made_at()

    def check(self) -> None:
        """Raise `Unavailable` unless the store answers."""
        with mapped_errors():
            self._primary.made_at()

    def mirror_differs(self) -> Difference:
        """Return how far the mirror is apart; what it lacks is lost with this store, what is beyond is destroyed."""
        if self._mirror is None:
            return Difference()
        with mapped_errors():
            return difference(self._primary, self._mirror)

    def __enter__(self) -> KeyStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection and forget the keys in memory."""
        with self._cache_lock:
            self._cache.clear()
        for store in filter(None, (self._mirror, self._primary)):
            store.engine.dispose()

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


def _engine(settings: Settings, key: bytes) -> tuple[sa.Engine, Path | None]:
    """Return the engine of the store, and its file where it has one."""
    if settings.database.url is None:
        path = settings.keys_dir / FILE_NAME
        make_private_directory(path.parent.absolute())
        return key_engine(path, key), path
    url = sa.make_url(settings.database.url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, pool_size=2, pool_pre_ping=True, hide_parameters=True)
    return engine.execution_options(schema_translate_map={None: SCHEMA}), None


def _open_mirror(path: Path, key: bytes) -> KeyTables:
    try:
        make_private_directory(path.parent.absolute())
        return KeyTables(key_engine(path, key), path)
    except OSError as error:
        raise Unavailable(f"the mirror of the study keys, {path.parent}, cannot be written: {error}") from error

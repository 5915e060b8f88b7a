"""The keyring: three keys under one master key, and what is wrapped by them.

*metadata* opens the embedded database, *image* wraps the keys of studies and segments (several versions while a
rotation is under way), *link* turns a pack's id into its name. `keyring.json` holds them wrapped by AES-256-GCM
under the master key; the master key itself lies outside the data directory (`master_key`).
Study keys themselves are in the `keystore`.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.errors import Conflict, Misconfigured, RadrelayError, Unavailable
from radrelay.settings import Settings
from radrelay.storage.durable_files import make_private_directory, write_durably
from radrelay.storage.master_key import (
    KeyMissing,
    KeyUnfit,
    MasterKeySource,
    fingerprint,
    make_master_key,
    master_key_source,
    read_master_key,
)
from radrelay.storage.shared_keyring import SharedKeyring

__all__ = ["KeyMissing", "KeyUnfit", "Keyring", "UnwrapFailed"]

FORMAT = 1
NONCE_BYTES = 12
TAG_BYTES = 16
WRAPPED_BYTES = 4 + NONCE_BYTES + 32 + TAG_BYTES  # of a 32-byte key: version, nonce, ciphertext, tag


class UnwrapFailed(RadrelayError):
    """A wrapped key does not open: it was altered, or wrapped for something else."""

    code = "unwrap-failed"


class _WrappedKey(msgspec.Struct, frozen=True):
    version: int
    wrapped: str  # base64 of nonce, ciphertext, tag


class _KeyringFile(msgspec.Struct, frozen=True):
    format: int
    master: str  # fingerprint
    metadata: _WrappedKey
    link: _WrappedKey
    image: list[_WrappedKey]
    current: int  # image key version that wraps


@dataclass(frozen=True)
class _Keys:
    metadata: bytes
    link: bytes
    image: dict[int, AESGCM]
    raw_image: dict[int, bytes]
    current: int


class Keyring:
    """The open keyring. Thread-safe; notices a rotation done by another process when it meets a newer version."""

    def __init__(self, path: Path, source: MasterKeySource, shared: SharedKeyring | None = None) -> None:
        self._path = path
        self._source = source
        self._shared = shared
        self._lock = threading.Lock()
        self._keys = self._load()

    @classmethod
    def open(cls, settings: Settings, *, create: bool = False) -> Keyring:
        """Open the keyring of `settings`.

        With `create`, a new installation gets a master key and a keyring. Neither is ever made anew while the
        other, or a database, is there: that would make everything stored unreadable. On PostgreSQL all nodes have
        one keyring: a node that has none yet takes the installation's, and needs its master key for that.

        Raises
        ------
        KeyMissing, KeyUnfit
            The master key or the keyring is not there, or they do not belong together.
        """
        path = settings.keys_dir / "keyring.json"
        source = master_key_source(settings)
        shared = SharedKeyring.of(settings)
        if shared is not None:
            make_private_directory(settings.keys_dir.absolute())
            with _locked(path):
                _take_shared(path, source, shared)
        made = not path.exists()
        if made:
            if not create:
                raise KeyMissing(f"there is no keyring in {path}; start `radrelay serve` once, or restore a backup")
            _refuse_orphaned_data(settings, path)
            make_private_directory(settings.keys_dir.absolute())
            with _locked(path):
                if not path.exists():
                    master = make_master_key(source.path) if source.writable else read_master_key(source.path)
                    write_durably(path, msgspec.json.encode(_new_file(master)))
        if shared is not None and create:
            with _locked(path):
                _share(path, source, shared, made=made)
        return cls(path, source, shared)

    @property
    def metadata_key(self) -> bytes:
        """32 bytes that open the embedded database."""
        return self._keys.metadata

    @property
    def link_key(self) -> bytes:
        """32 bytes that names of packs are derived with."""
        return self._keys.link

    @property
    def image_version(self) -> int:
        """Version of the image key that new keys are wrapped under."""
        return self._keys.current

    @property
    def master_path(self) -> Path:
        """Where the master key was read from."""
        return self._source.path

    def derive(self, purpose: str) -> bytes:
        """Return a 32-byte key for `purpose`, derived from the metadata key (HMAC-SHA256)."""
        return hmac.new(self._keys.metadata, purpose.encode(), hashlib.sha256).digest()

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Return `data_key` under the current image key: version (4 B), nonce (12 B), ciphertext, tag (16 B)."""
        keys = self._keys
        nonce = os.urandom(NONCE_BYTES)
        return keys.current.to_bytes(4, "big") + nonce + keys.image[keys.current].encrypt(nonce, data_key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return what `wrap` took; raises `UnwrapFailed` if it was altered or wrapped in another context."""
        version = int.from_bytes(wrapped[:4], "big")
        image = self._keys.image.get(version)
        if image is None:
            with self._lock, _locked(self._path):
                if self._shared is not None:
                    _take_shared(self._path, self._source, self._shared)
                self._keys = self._load()
            image = self._keys.image.get(version)
        if image is None:
            raise UnwrapFailed(f"a key is wrapped under version {version} of the image key, which is not here")
        try:
            return image.decrypt(wrapped[4 : 4 + NONCE_BYTES], wrapped[4 + NONCE_BYTES :], context)
        except InvalidTag as error:
            raise UnwrapFailed from error

    def pack_name(self, pack_id: UUID) -> str:
        """Return a pack's name, `ab/cdef…`: HMAC-SHA256 of its id under the link key."""
        name = hmac.new(self._keys.link, b"pack" + pack_id.bytes, hashlib.sha256).hexdigest()
        return f"{name[:2]}/{name[2:]}"

    def rotate(self) -> int:
        """Make a new version of the image key, which wraps from now on; return it. Older versions still unwrap."""
        with self._changing() as keys:
            version = max(keys.image) + 1
            raw = {**keys.raw_image, version: secrets.token_bytes(32)}
            self._store(
                _Keys(keys.metadata, keys.link, _ciphers(raw), raw, version), read_master_key(self._source.path)
            )
        return version

    def retire(self, in_use: set[int]) -> list[int]:
        """Destroy versions of the image key that are neither current nor in `in_use`; return them."""
        with self._changing() as keys:
            gone = [version for version in keys.image if version != keys.current and version not in in_use]
            raw = {version: key for version, key in keys.raw_image.items() if version not in gone}
            if gone:
                master = read_master_key(self._source.path)
                self._store(_Keys(keys.metadata, keys.link, _ciphers(raw), raw, keys.current), master)
        return gone

    def rotate_master(self, new_master: bytes | None = None) -> None:
        """Put the keyring under a new master key, written over the old one's file.

        A systemd credential cannot be written: hand the key that the new credential holds as `new_master`,
        and replace the credential before the next start.
        """
        if new_master is None and not self._source.writable:
            raise Misconfigured(
                "the master key comes from a systemd credential, which Radrelay cannot write; make the new credential "
                "first and hand its key to the rotation"
            )
        fresh = self._source.path.with_name(f"{self._source.path.name}.next")
        with self._changing() as keys:
            master = new_master if new_master is not None else secrets.token_bytes(32)
            if self._source.writable:
                write_durably(fresh, f"{master.hex()}\n".encode())
            self._store(keys, master)
            if self._source.writable:
                write_durably(self._source.path, f"{master.hex()}\n".encode())
                fresh.unlink(missing_ok=True)

    @contextmanager
    def _changing(self) -> Iterator[_Keys]:
        with self._lock, _locked(self._path):
            if self._shared is not None:
                _take_shared(self._path, self._source, self._shared)
            self._keys = self._load()
            yield self._keys

    def _store(self, keys: _Keys, master: bytes) -> None:
        content = msgspec.json.encode(_to_file(keys, master))
        if self._shared is not None and not self._shared.replace(self._path.read_bytes(), content):
            raise Conflict("another node has changed the keyring meanwhile; try again")
        write_durably(self._path, content)
        self._keys = keys

    def _load(self) -> _Keys:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError as error:
            raise KeyMissing(f"the keyring {self._path} is gone; put it back from a backup") from error
        stored = _decoded(content, str(self._path))
        return _from_file(stored, _master_for(stored.master, self._source, str(self._path)))


def _take_shared(path: Path, source: MasterKeySource, shared: SharedKeyring) -> None:
    """Bring the file to what the nodes share; the caller holds its lock. Without the database the file stands.

    Raises `KeyUnfit` when this node's master key or keyring is another installation's.
    """
    own = path.read_bytes() if path.exists() else None
    try:
        content = shared.fetch()
    except Unavailable:
        if own is None:
            raise
        return
    if content is None or content == own:
        return
    place = "the installation in database.url"
    stored = _decoded(content, place)
    theirs = _from_file(stored, _master_for(stored.master, source, place))
    if own is not None:
        before = _decoded(own, str(path))
        if before.master == stored.master:
            ours = _from_file(before, read_master_key(source.path))
            if ours.metadata != theirs.metadata:
                raise KeyUnfit(f"the keyring {path} belongs to another installation than the database of database.url")
            if max(ours.image) > max(theirs.image):
                return  # the database was put back from an older copy; `_share` gives it the newer keys again
        write_durably(path.with_name(f"{path.name}.replaced"), own)
    write_durably(path, content)


def _share(path: Path, source: MasterKeySource, shared: SharedKeyring, *, made: bool) -> None:
    """Give the nodes this one's keyring where they have none, or an older one; the caller holds the file's lock."""
    try:
        there, own = shared.fetch(), path.read_bytes()
        if there != own and not shared.replace(there, own):  # another node's first start was quicker
            if made:
                path.unlink()
            _take_shared(path, source, shared)
    except Unavailable:
        return


def _decoded(content: bytes, place: str) -> _KeyringFile:
    try:
        stored = msgspec.json.decode(content, type=_KeyringFile)
    except msgspec.DecodeError as error:
        raise KeyUnfit(f"the keyring {place} is damaged: {error}") from error
    if stored.format != FORMAT:
        raise KeyUnfit(f"the keyring {place} has format {stored.format}; this version reads {FORMAT}")
    return stored


def _master_for(wanted: str, source: MasterKeySource, place: str) -> bytes:
    """Return the master key, finishing a change of it that a crash interrupted."""
    fresh = source.path.with_name(f"{source.path.name}.next")
    if fresh.exists():
        master = read_master_key(fresh)
        if fingerprint(master) == wanted:
            write_durably(source.path, f"{master.hex()}\n".encode())
            fresh.unlink(missing_ok=True)
            return master
    master = read_master_key(source.path)
    if fingerprint(master) != wanted:
        raise KeyUnfit(
            f"the master key in {source.path} ({fingerprint(master)}) is not the one that {place} is "
            f"wrapped under ({wanted}); put that one back"
        )
    return master


def _refuse_orphaned_data(settings: Settings, keyring: Path) -> None:
    for left in ("radrelay.sqlite", "keys/study-keys.sqlite", "landing", "packs"):
        path = settings.data_dir / left
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise KeyMissing(
                f"the keyring {keyring} is gone, but {path} is there and cannot be read without it; put the keyring "
                "back from a backup. It is not made anew, because what is stored here could then never be read again."
            )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _ciphers(raw: dict[int, bytes]) -> dict[int, AESGCM]:
    return {version: AESGCM(key) for version, key in raw.items()}


def _new_file(master: bytes) -> _KeyringFile:
    raw = {1: secrets.token_bytes(32)}
    return _to_file(_Keys(secrets.token_bytes(32), secrets.token_bytes(32), _ciphers(raw), raw, 1), master)


def _to_file(keys: _Keys, master: bytes) -> _KeyringFile:
    cipher = AESGCM(master)

    def wrapped(kind: str, version: int, key: bytes) -> _WrappedKey:
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, key, f"radrelay {kind} {version}".encode())
        return _WrappedKey(version, base64.b64encode(sealed).decode())

    return _KeyringFile(
        FORMAT,
        fingerprint(master),
        wrapped("metadata", 1, keys.metadata),
        wrapped("link", 1, keys.link),
        [wrapped("image", version, key) for version, key in sorted(keys.raw_image.items())],
        keys.current,
    )


def _from_file(stored: _KeyringFile, master: bytes) -> _Keys:
    cipher = AESGCM(master)

    def opened(kind: str, key: _WrappedKey) -> bytes:
        sealed = base64.b64decode(key.wrapped)
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], f"radrelay {kind} {key.version}".encode())
        except InvalidTag as error:
            raise KeyUnfit(
                f"the {kind} key in the keyring does not open; put the keyring back from a backup"
            ) from error

    raw = {key.version: opened("image", key) for key in stored.image}
    if stored.current not in raw:
        raise KeyUnfit(f"the keyring lacks version {stored.current} of the image key; put it back from a backup")
    return _Keys(opened("metadata", stored.metadata), opened("link", stored.link), _ciphers(raw), raw, stored.current)

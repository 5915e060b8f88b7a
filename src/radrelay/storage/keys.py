"""The keyring: four keys under one master key, and what is wrapped by them.

*metadata* opens the embedded database, *image* wraps the keys of studies and segments (several versions while a
rotation is under way), *link* turns a pack's id into its name, *vault* seals who stands behind pseudonyms.
`keyring.json` holds them wrapped by AES-256-GCM under the master key; the master key itself lies outside the data
directory (`master_key`). A copy of it is kept beside the mirror of the key store, which could not be read without it.
Study keys themselves are in the `keystore`.

A version is destroyed only when nothing is wrapped under it: who wraps holds the keyring's lock, shared, until what was
wrapped is durable; who destroys holds it alone while looking for what is in use. That lock is one machine's, so where
nodes share the keyring (`shared_keyring`) no version is ever destroyed: one that is away may hold what is under it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import msgspec
import structlog
from cryptography.exceptions import InvalidTag

from radrelay.errors import Conflict, Misconfigured, RadrelayError, Unavailable
from radrelay.settings import Settings
from radrelay.storage.durable_files import make_private_directory, write_durably
from radrelay.storage.keyring_file import (
    NONCE_BYTES,
    TAG_BYTES,
    Keys,
    ciphers,
    decoded,
    diverged,
    from_file,
    to_file,
)
from radrelay.storage.keyring_place import FILE_NAME, found_or_made, locked, stamp_of, write_mirror
from radrelay.storage.master_key import (
    KeyMissing,
    KeyUnfit,
    MasterKeySource,
    fresh_place,
    known_master,
    master_for,
    master_key_source,
    read_master_key,
)
from radrelay.storage.shared_keyring import SharedKeyring, share, take_shared

__all__ = ["NONCE_BYTES", "TAG_BYTES", "KeyMissing", "KeyUnfit", "Keyring", "UnwrapFailed"]

WRAPPED_BYTES = 4 + NONCE_BYTES + 32 + TAG_BYTES  # of a 32-byte key: version, nonce, ciphertext, tag


Wrap = Callable[[bytes, bytes], bytes]
"""Takes a data key of 32 bytes and what it is bound to; returns it wrapped."""
log = structlog.get_logger(__name__)


class UnwrapFailed(RadrelayError):
    """A wrapped key does not open: it was altered, or wrapped for something else."""

    code = "unwrap-failed"


class KeyringShared(Conflict):
    """Older image keys are kept on PostgreSQL: another node may hold what is wrapped under them."""

    code = "keyring-shared"


class Keyring:
    """The open keyring. Thread-safe; notices a rotation done by another process when it meets a newer version."""

    def __init__(
        self, path: Path, source: MasterKeySource, mirror: Path | None = None, shared: SharedKeyring | None = None
    ) -> None:
        self._path = path
        self._source = source
        self._mirror = mirror
        self._shared = shared
        self._lock = threading.Lock()  # taken after the file's lock, by who takes both
        self._stamp = stamp_of(path)
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
        path = settings.keys_dir / FILE_NAME
        source = master_key_source(settings)
        mirror = None if settings.keys.mirror is None else settings.keys.mirror / FILE_NAME
        shared = SharedKeyring.of(settings)
        if shared is not None:
            make_private_directory(settings.keys_dir.absolute())
            with locked(path):
                take_shared(path, source, shared)
        made = found_or_made(settings, path, source, mirror, create=create)
        if shared is not None and made:
            with locked(path):
                share(path, source, shared, made=True)  # first: the mirror gets what the nodes agree on
        keyring = cls(path, source, mirror, shared)
        keyring._agree_with_mirror()
        if shared is not None and create and not made:
            with locked(path):
                share(path, source, shared, made=False)
            keyring._refresh()
        return keyring

    @property
    def is_shared(self) -> bool:
        """Whether several nodes may have this keyring, so that no version of the image key is destroyed."""
        return self._shared is not None

    @property
    def metadata_key(self) -> bytes:
        """32 bytes that open the embedded database."""
        return self._keys.metadata

    @property
    def link_key(self) -> bytes:
        """32 bytes that names of packs are derived with."""
        return self._keys.link

    @property
    def vault_key(self) -> bytes:
        """32 bytes that seal whose pseudonyms are whose, and nothing else."""
        return self._keys.vault

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

    @contextmanager
    def wrapping(self) -> Iterator[Wrap]:
        """Give the way to wrap what is to be stored: no version is destroyed until the block has stored it durably."""
        if self._shared is not None:  # no version is destroyed at all
            self._refresh()
            yield self.wrap
            return
        with locked(self._path, shared=True):
            self._refresh()
            yield self.wrap

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return what `wrap` took; raises `UnwrapFailed` if it was altered or wrapped in another context."""
        version = int.from_bytes(wrapped[:4], "big")
        image = self._keys.image.get(version)
        if image is None:
            self._look_again()
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
                replace(keys, image=ciphers(raw), raw_image=raw, current=version), read_master_key(self._source.path)
            )
        return version

    def retire(self, in_use: Callable[[], set[int]]) -> list[int]:
        """Destroy versions of the image key that are neither current nor `in_use`; return them.

        `in_use` looks while nobody can wrap anything. Raises `KeyringShared` where other nodes could.
        """
        if self._shared is not None:
            raise KeyringShared
        with self._changing() as keys:
            if len(keys.image) == 1:
                return []
            kept = in_use() | {keys.current}
            gone = [version for version in keys.image if version not in kept]
            raw = {version: key for version, key in keys.raw_image.items() if version not in gone}
            if gone:
                master = read_master_key(self._source.path)
                self._store(replace(keys, image=ciphers(raw), raw_image=raw), master)
        return gone

    def versions(self) -> set[int]:
        """Return the versions of the image key that are here, as of now."""
        if self._shared is not None:
            self._look_again()
        else:
            self._refresh()
        return set(self._keys.image)

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
        fresh = fresh_place(self._source)
        with self._changing() as keys:
            master = new_master if new_master is not None else secrets.token_bytes(32)
            if self._source.writable:
                write_durably(fresh, f"{master.hex()}\n".encode())
            self._store(keys, master)
            if self._source.writable:
                write_durably(self._source.path, f"{master.hex()}\n".encode())
                fresh.unlink(missing_ok=True)

    @contextmanager
    def _changing(self) -> Iterator[Keys]:
        with locked(self._path), self._lock:  # in this order: who wraps has the file's lock when it needs the other
            if self._shared is not None:
                take_shared(self._path, self._source, self._shared)
            self._keys = self._load()
            yield self._keys

    def _store(self, keys: Keys, master: bytes) -> None:
        """Write the keyring, what the nodes share and the mirror's first: what is wrapped then opens with any of them.

        What a crash keeps from being written after the first follows at the next start.
        """
        content = msgspec.json.encode(to_file(keys, master))
        if self._shared is not None and not self._shared.replace(self._path.read_bytes(), content):
            raise Conflict("another node has changed the keyring meanwhile; try again")
        if self._mirror is not None:
            write_mirror(self._mirror, content)
        write_durably(self._path, content)
        self._keys = keys
        self._stamp = stamp_of(self._path)

    def _refresh(self) -> None:
        """Take notice of what another process did to the keyring."""
        if stamp_of(self._path) != self._stamp:
            with self._lock:
                stamp = stamp_of(self._path)
                self._keys = self._load()
                self._stamp = stamp

    def _look_again(self) -> None:
        """Take notice of what another process, or another node, did to the keyring; the mirror follows."""
        if self._shared is None:
            with self._lock:
                self._keys = self._load()
            return
        with locked(self._path), self._lock:
            take_shared(self._path, self._source, self._shared)
            stamp = stamp_of(self._path)
            self._keys = self._load()
            self._stamp = stamp
            content = self._path.read_bytes()
            try:
                if self._mirror is not None and not (self._mirror.exists() and self._mirror.read_bytes() == content):
                    write_mirror(self._mirror, content)
            except (OSError, Unavailable) as error:  # reading goes on; it is written at the next look, or start
                log.error("keyring.mirror_behind", error=str(error))

    def _agree_with_mirror(self) -> None:
        """Finish what a crash left between the mirror's keyring and this one, or give a new mirror its copy.

        Raises
        ------
        KeyUnfit
            The mirror holds the keyring of another installation, or one under another master key.
        """
        if self._mirror is None:
            return
        with locked(self._path), self._lock:
            ours = self._path.read_bytes()
            self._keys = self._load()
            theirs = self._mirror.read_bytes() if self._mirror.exists() else None
            if theirs == ours:
                return
            if theirs is not None and self._is_behind(self._mirror, theirs, ours):
                log.warning("keyring.brought_up_to_mirror", mirror=str(self._mirror))
                write_durably(self._path, theirs)
                self._keys = self._load()
            else:
                write_mirror(self._mirror, ours)
            self._stamp = stamp_of(self._path)

    def _is_behind(self, mirror: Path, theirs: bytes, ours: bytes) -> bool:
        """Say whether this keyring did not follow the mirror's, after a crash: a key was made, or destroyed, there."""
        try:
            stored = decoded(theirs, str(mirror))
            mirrored = from_file(stored, known_master(stored.master, self._source, str(mirror)))
        except KeyUnfit as error:
            if self._shared is not None:  # the nodes' master key was replaced since
                write_durably(mirror.with_name(f"{FILE_NAME}.replaced"), theirs)
                return False
            raise KeyUnfit(
                f"the keyring in the mirror, {mirror}, does not open with the master key in {self._source.path}; "
                "if it is a left-over of this installation, move it away, and it is written anew"
            ) from error
        if mirrored.metadata != self._keys.metadata:
            raise KeyUnfit(f"the mirror {mirror} holds the keyring of another installation; see keys.mirror")
        if diverged(mirrored, self._keys):
            raise KeyUnfit(f"the keyring {self._path} and its mirror {mirror} were rotated apart; keep both files")
        if stored.master != decoded(ours, str(self._path)).master:
            return True
        if mirrored.current != self._keys.current:
            return mirrored.current > self._keys.current
        return self._shared is None and set(mirrored.raw_image) < set(self._keys.raw_image)

    def _load(self) -> Keys:
        try:
            stored = decoded(self._path.read_bytes(), str(self._path))
        except FileNotFoundError as error:
            raise KeyMissing(f"the keyring {self._path} is gone; put it back from a backup") from error
        return from_file(stored, master_for(stored.master, self._source, str(self._path)))

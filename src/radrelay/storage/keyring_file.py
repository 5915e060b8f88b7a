"""How `keyring.json` holds the keys: each under the master key (AES-256-GCM), bound to its kind and version."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.storage.master_key import KeyUnfit, fingerprint

FORMAT = 1
NONCE_BYTES = 12
TAG_BYTES = 16


class WrappedKey(msgspec.Struct, frozen=True):
    """One key under the master key."""

    version: int
    wrapped: str  # base64 of nonce, ciphertext, tag


class KeyringFile(msgspec.Struct, frozen=True):
    """The file's content."""

    format: int
    master: str  # fingerprint
    metadata: WrappedKey
    link: WrappedKey
    vault: WrappedKey
    image: list[WrappedKey]
    current: int  # image key version that wraps


@dataclass(frozen=True)
class Keys:
    """The keys in the open; `image` has a cipher for each version."""

    metadata: bytes
    link: bytes
    vault: bytes
    image: dict[int, AESGCM]
    raw_image: dict[int, bytes]
    current: int


def decoded(content: bytes, place: str) -> KeyringFile:
    """Return a file's content; raises `KeyUnfit`, naming `place`, if it is none."""
    try:
        stored = msgspec.json.decode(content, type=KeyringFile)
    except msgspec.DecodeError as error:
        raise KeyUnfit(f"the keyring {place} is damaged: {error}") from error
    if stored.format != FORMAT:
        raise KeyUnfit(f"the keyring {place} has format {stored.format}; this version reads {FORMAT}")
    return stored


def diverged(one: Keys, other: Keys) -> bool:
    """Say whether the same version of the image key is not the same key in both; neither may then replace the other."""
    return any(other.raw_image.get(version, key) != key for version, key in one.raw_image.items())


def ciphers(raw: dict[int, bytes]) -> dict[int, AESGCM]:
    """Return a cipher for each version."""
    return {version: AESGCM(key) for version, key in raw.items()}


def new_file(master: bytes) -> KeyringFile:
    """Return a file of new random keys under `master`."""
    raw = {1: secrets.token_bytes(32)}
    metadata, link, vault = (secrets.token_bytes(32) for _ in range(3))
    return to_file(Keys(metadata, link, vault, ciphers(raw), raw, 1), master)


def to_file(keys: Keys, master: bytes) -> KeyringFile:
    """Wrap keys under `master`."""
    cipher = AESGCM(master)

    def wrapped(kind: str, version: int, key: bytes) -> WrappedKey:
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, key, f"radrelay {kind} {version}".encode())
        return WrappedKey(version, base64.b64encode(sealed).decode())

    return KeyringFile(
        FORMAT,
        fingerprint(master),
        wrapped("metadata", 1, keys.metadata),
        wrapped("link", 1, keys.link),
        wrapped("vault", 1, keys.vault),
        [wrapped("image", version, key) for version, key in sorted(keys.raw_image.items())],
        keys.current,
    )


def from_file(stored: KeyringFile, master: bytes) -> Keys:
    """Unwrap a file's keys; raises `KeyUnfit` if one does not open."""
    cipher = AESGCM(master)

    def opened(kind: str, key: WrappedKey) -> bytes:
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
    metadata, link = opened("metadata", stored.metadata), opened("link", stored.link)
    return Keys(metadata, link, opened("vault", stored.vault), ciphers(raw), raw, stored.current)

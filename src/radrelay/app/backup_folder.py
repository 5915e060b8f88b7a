"""A backup's folder: what its manifest says, and its parts, which are written and read like packs.

`manifest.json` holds no patient data. Rows, packs and landed objects lie in folders of their own, under keys that are
in the key store and never in a backup.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from radrelay.app.core import Core
from radrelay.errors import Invalid, NotFound
from radrelay.storage.objectstore import LocalObjects, Objects
from radrelay.storage.packs import PackDamaged, PackRef, PackStore

FORMAT = 1
PIECE = 8 << 20


class NotABackup(Invalid):
    """There is no backup of Radrelay in this folder."""

    code = "not-a-backup"


class NoInstallation(NotFound):
    """There is no installation in this data directory."""

    code = "no-installation"


class Stored(msgspec.Struct, frozen=True):
    """Something in the backup that was written like a pack: where, and how to read it."""

    id: uuid.UUID
    name: str
    plain_bytes: int
    toc_offset: int
    toc_length: int

    def ref(self) -> PackRef:
        """Return it as the pack store knows it."""
        return PackRef(self.id, self.name, self.plain_bytes, self.toc_offset, self.toc_length)


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

    format: int
    version: str
    made_at: datetime
    rows: Stored
    packs: tuple[Stored, ...]
    records: tuple[Stored, ...]
    lost: tuple[uuid.UUID, ...] = ()  # packs and landing records that rows name and that could not be read


def read_manifest(source: Path) -> Manifest:
    """Read what a backup holds; raises `NotABackup`."""
    try:
        manifest = msgspec.json.decode((source / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise NotABackup(f"there is no backup of Radrelay in {source}") from error
    if manifest.format != FORMAT:
        raise NotABackup(f"the backup has format {manifest.format}, this version reads {FORMAT}")
    return manifest


def open_part(core: Core, folder: Path) -> PackStore:
    """Open one part of a backup's folder, made at need."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return PackStore(LocalObjects(folder), core.keyring, core.keys)


def copy_object(source: Objects, target: Objects, name: str, size: int | None = None) -> None:
    """Copy an object as it lies there; raises as the two stores do, and `PackDamaged` if it is not of `size` bytes."""
    writer, copied = target.writer(name), 0
    try:
        for piece in _pieces(source, name):
            writer.write(piece)
            copied += len(piece)
        if size is not None and copied != size:
            raise PackDamaged(f"{name} has {copied} of {size} bytes")
        writer.close()
    except BaseException:
        writer.abort()
        raise


def _pieces(source: Objects, name: str) -> Iterator[bytes]:
    at = 0
    while piece := source.read(name, at, at + PIECE):
        yield piece
        at += len(piece)
        if len(piece) < PIECE:
            return

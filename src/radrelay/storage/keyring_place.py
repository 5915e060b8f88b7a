"""The place of the keyring's file: found, taken back from the mirror, or made with a new installation; its lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from radrelay.errors import Unavailable
from radrelay.settings import Settings
from radrelay.storage.durable_files import make_private_directory, write_durably
from radrelay.storage.keyring_file import new_file
from radrelay.storage.master_key import KeyMissing, MasterKeySource, make_master_key, read_master_key

FILE_NAME = "keyring.json"
log = structlog.get_logger(__name__)


def found_or_made(
    settings: Settings, path: Path, source: MasterKeySource, mirror: Path | None, *, create: bool
) -> bool:
    """See that the keyring's file is there, from the mirror or (with `create`) new; return whether it is new."""
    if not path.exists() and mirror is not None and mirror.exists():
        log.warning("keyring.taken_back_from_mirror", mirror=str(mirror))
        make_private_directory(settings.keys_dir.absolute())
        write_durably(path, mirror.read_bytes())
    if path.exists():
        return False
    if not create:
        raise KeyMissing(f"there is no keyring in {path}; start `radrelay serve` once, or restore a backup")
    _refuse_orphaned_data(settings, path)
    make_private_directory(settings.keys_dir.absolute())
    with locked(path):
        if path.exists():
            return False
        master = make_master_key(source.path) if source.writable else read_master_key(source.path)
        write_durably(path, msgspec.json.encode(new_file(master)))
        return True


def _refuse_orphaned_data(settings: Settings, keyring: Path) -> None:
    for left in ("radrelay.sqlite", "keys/study-keys.sqlite", "landing", "packs"):
        path = settings.data_dir / left
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise KeyMissing(
                f"the keyring {keyring} is gone, but {path} is there and cannot be read without it; put the keyring "
                "back from a backup. It is not made anew, because what is stored here could then never be read again."
            )


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock beside the keyring's file `path`, alone or `shared`; one machine's."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Return what changes whenever the file is replaced."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def write_mirror(path: Path, content: bytes) -> None:
    """Write the mirror's copy; raises `Unavailable` if it cannot be written."""
    try:
        make_private_directory(path.parent.absolute())
        write_durably(path, content)
    except OSError as error:
        raise Unavailable(f"the mirror of the keyring, {path}, cannot be written: {error}") from error

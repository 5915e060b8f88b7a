"""Locks on an owner's landing directory: one process writes, and who erases and who recovers take turns.

A directory may be removed while somebody waits for its lock (an import's, once nothing in it is needed): a lock counts
only while the file that was locked is the one that stands in the directory.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radrelay.errors import Conflict
from radrelay.storage.durable_files import make_private_directory
from radrelay.storage.node import local_name

LOCK_NAME = "lock"
ERASE_LOCK_NAME = "erase.lock"
PATIENCE_S = 5.0
PASSING = "import-"


def is_passing(owner: str) -> bool:
    """Say whether an owner lands once and does not come again: its directory goes when nothing in it is needed."""
    return local_name(owner).startswith(PASSING)


class LandingInUse(Conflict):
    """Another process has this landing directory open."""

    code = "landing-in-use"


class OwnerLock:
    """The right to write into an owner's directory; ends with the process at the latest."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    @classmethod
    def take(cls, directory: Path, patience_s: float = PATIENCE_S) -> OwnerLock:
        """Take the lock, waiting a little for one who only recovers.

        Raises
        ------
        LandingInUse
            Another process has it.
        FileNotFoundError
            The directory is not there (any more).
        """
        end = time.monotonic() + patience_s
        while True:
            handle = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(handle)
                if time.monotonic() >= end:
                    raise LandingInUse(f"another process has {directory} open") from error
                time.sleep(0.02)
                continue
            if _is_named(handle, directory / LOCK_NAME):
                return cls(handle)
            os.close(handle)  # it was removed with its directory meanwhile: nobody else would see it held

    @classmethod
    def settle(cls, directory: Path) -> OwnerLock:
        """Take the lock of a directory that is made if need be, also if it is cleared away meanwhile.

        Raises `LandingInUse`.
        """
        while True:
            make_private_directory(directory)
            try:
                return cls.take(directory)
            except FileNotFoundError:  # it stood empty for a moment, and whoever clears up took it for an ended one
                continue

    def release(self) -> None:
        """Let others have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _is_named(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def erasing(directory: Path) -> Iterator[None]:
    """Keep recovery (which writes records back as it read them) and erasing out of each other's way.

    Raises `FileNotFoundError` if the directory is gone, and all that was in it.
    """
    handle = os.open(directory / ERASE_LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

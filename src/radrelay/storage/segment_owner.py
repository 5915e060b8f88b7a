"""Locks on an owner's landing directory: one process writes, and who erases and who recovers take turns."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radrelay.errors import Conflict

LOCK_NAME = "lock"
ERASE_LOCK_NAME = "erase.lock"
PATIENCE_S = 5.0


class LandingInUse(Conflict):
    """Another process has this landing directory open."""

    code = "landing-in-use"


class OwnerLock:
    """The right to write into an owner's directory; ends with the process at the latest."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    @classmethod
    def take(cls, directory: Path, patience_s: float = PATIENCE_S) -> OwnerLock:
        """Take the lock, waiting a little for one who only recovers; raises `LandingInUse`."""
        handle = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    os.close(handle)
                    raise LandingInUse(f"another process has {directory} open") from error
                time.sleep(0.02)
            else:
                return cls(handle)

    def release(self) -> None:
        """Let others have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextmanager
def erasing(directory: Path) -> Iterator[None]:
    """Keep recovery (which writes records back as it read them) and erasing out of each other's way."""
    handle = os.open(directory / ERASE_LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

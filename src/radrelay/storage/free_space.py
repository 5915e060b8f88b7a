"""Room on disk: refuse new objects before it is full, and a ballast that makes deleting possible when it is."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from radrelay.errors import OutOfResources

CHECK_EVERY_S = 1.0
BALLAST_NAME = "ballast"


class DiskFull(OutOfResources):
    """There is too little free space on the disk; nothing was kept."""

    code = "disk-full"


class FreeSpace:
    """Watches the free space of the file system that holds `directory`, at most once a second."""

    def __init__(self, directory: Path, least_bytes: int) -> None:
        self._directory = directory
        self._least = least_bytes
        self._due = 0.0
        self._low = False

    def check(self) -> None:
        """Raise `DiskFull` while less than the least number of bytes is free."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + CHECK_EVERY_S
            self._low = shutil.disk_usage(self._directory).free < self._least
        if self._low:
            raise DiskFull


class Ballast:
    """A file that takes space only to give it back when there is none left.

    Deleting needs room itself (the database writes before it frees): who meets a full disk calls `release`,
    deletes, and `keep` takes the space again once there is enough.
    """

    def __init__(self, directory: Path, size: int, least_bytes: int) -> None:
        self._path = directory / BALLAST_NAME
        self._size = size
        self._least = least_bytes

    def keep(self) -> bool:
        """Take the space if there is plenty; return whether the ballast is whole."""
        with suppress(FileNotFoundError):
            if self._path.stat().st_size >= self._size:
                return True
        if shutil.disk_usage(self._path.parent).free < self._least + self._size:
            return False
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, max(1, self._size))
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(handle)
        return True

    def release(self) -> bool:
        """Give the space back; return whether there was any to give."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

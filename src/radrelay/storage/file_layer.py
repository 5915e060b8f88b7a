"""The few operations on files that landing rests on, behind one Protocol.

What is acknowledged as durable depends on the order of exactly these calls, so tests put a layer in their place
that records them, and replay every prefix with unsynced writes dropped, reordered and torn.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from radrelay.storage.durable_files import sync_directory

ZERO_PIECE = bytes(1 << 20)


class FileLayer(Protocol):
    """Files as landing writes them. Handles are file descriptors of this process."""

    def open(self, path: Path, *, create: bool = False) -> int:
        """Open for reading and writing; with `create`, make the file, which must not exist."""
        ...

    def close(self, handle: int) -> None:
        """Close a handle."""
        ...

    def pwrite(self, handle: int, data: bytes | bytearray | memoryview, offset: int) -> None:
        """Write all of `data` at `offset`."""
        ...

    def fdatasync(self, handle: int) -> None:
        """Make all that was written to the file before this call durable."""
        ...

    def fsync_dir(self, directory: Path) -> None:
        """Make names made, renamed or removed in `directory` durable."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in the same directory, replacing what had it."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a name, if it is there."""
        ...

    def zero_fill(self, handle: int, start: int, end: int) -> None:
        """Write zeros over [start, end): blocks that are only reserved would be journaled at each later sync."""
        ...


class PosixFiles:
    """The operating system's files."""

    def open(self, path: Path, *, create: bool = False) -> int:
        """Open for reading and writing; with `create`, make the file, which must not exist."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        return os.open(path, flags, 0o600)

    def close(self, handle: int) -> None:
        """Close a handle."""
        os.close(handle)

    def pwrite(self, handle: int, data: bytes | bytearray | memoryview, offset: int) -> None:
        """Write all of `data` at `offset`."""
        written = os.pwrite(handle, data, offset)
        if written == len(data):
            return
        with memoryview(data) as view:
            while written < len(view):
                written += os.pwrite(handle, view[written:], offset + written)

    def fdatasync(self, handle: int) -> None:
        """Make all that was written to the file before this call durable."""
        os.fdatasync(handle)

    def fsync_dir(self, directory: Path) -> None:
        """Make names made, renamed or removed in `directory` durable."""
        sync_directory(directory)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in the same directory, replacing what had it."""
        old.rename(new)

    def unlink(self, path: Path) -> None:
        """Remove a name, if it is there."""
        path.unlink(missing_ok=True)

    def zero_fill(self, handle: int, start: int, end: int) -> None:
        """Write zeros over [start, end): blocks that are only reserved would be journaled at each later sync."""
        while start < end:
            start += os.pwrite(handle, ZERO_PIECE[: end - start], start)

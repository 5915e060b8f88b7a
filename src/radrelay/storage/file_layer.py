"""The few operations on files that landing rests on, behind one Protocol.

What is acknowledged as durable depends on the order of exactly these calls, so tests put a layer in their place
that records them, and replay every prefix with unsynced writes dropped, reordered and torn.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from pathlib import Path
from typing import Protocol

from radrelay.storage.durable_files import sync_directory

ZERO_BYTES = 1 << 20
PAST_THE_CACHE = getattr(os, "O_DIRECT", 0)  # Linux; elsewhere zeros go through the cache like everything else
ALIGNED = 4096


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

    def truncate(self, handle: int, size: int) -> None:
        """Cut the file off after `size` bytes."""
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
        if os.fstat(handle).st_size < end:
            os.posix_fallocate(handle, start, end - start)
        zeros = mmap.mmap(-1, ZERO_BYTES)  # whole pages, as writing past the cache needs
        try:
            if start % ALIGNED == 0:
                start = _write_past_the_cache(handle, zeros, start, end - end % ALIGNED)
            while start < end:
                with memoryview(zeros) as view:
                    start += os.pwrite(handle, view[: end - start], start)
        finally:
            zeros.close()

    def truncate(self, handle: int, size: int) -> None:
        """Cut the file off after `size` bytes."""
        os.ftruncate(handle, size)


def _write_past_the_cache(handle: int, zeros: mmap.mmap, start: int, end: int) -> int:
    """Write zeros without taking memory that what is read again needs more; return how far that went."""
    flags = fcntl.fcntl(handle, fcntl.F_GETFL)
    try:
        fcntl.fcntl(handle, fcntl.F_SETFL, flags | PAST_THE_CACHE)
    except OSError:  # not every file system has it; the caller goes on through the cache
        return start
    try:
        with memoryview(zeros) as view:
            while start < end:
                start += os.pwrite(handle, view[: end - start], start)
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL: blocks of another size
            raise
    finally:
        fcntl.fcntl(handle, fcntl.F_SETFL, flags)
    return start

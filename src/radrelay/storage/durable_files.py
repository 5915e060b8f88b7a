"""Small files written so that a crash leaves either the old or the new content, never half of one."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content`: a synced temporary file, a rename, a synced directory."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        left = memoryview(content)
        while left:  # a disk that fills up takes a part, and only says so the next time
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    fresh.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make names that were made, renamed or removed in `directory` durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private_directory(directory: Path) -> None:
    """Make `directory` (and its parents) for this user only, if it is not there; durable."""
    if directory.is_dir():
        return
    make_private_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    sync_directory(directory.parent)

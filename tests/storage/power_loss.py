"""A file layer that records what is asked of it, and the disks that a power loss could leave behind.

After each prefix of what was recorded, whatever was not synced by then may be there, be missing, or be there in
part (sectors of 512 bytes). Names that were made or changed are durable up to some point after the last sync of
their directory, in order, as a journaling file system keeps them.
"""

from __future__ import annotations

import os
import random
import threading
from dataclasses import dataclass
from pathlib import Path

from radrelay.storage.file_layer import PosixFiles

SECTOR = 512


@dataclass(frozen=True)
class Event:
    """`kind` is create, write, zero, sync, rename, unlink, dirsync, or a note of the test (`data` says what)."""

    kind: str
    file: int = 0
    path: str = ""
    new_path: str = ""
    start: int = 0
    end: int = 0
    data: bytes = b""
    covers: int = 0  # of a sync: events before this index are durable


class RecordingFiles(PosixFiles):
    """Does what it is told, and remembers it in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.RLock()
        self._ids: dict[str, int] = {}
        self._handles: dict[int, int] = {}

    def note(self, kind: str, data: bytes) -> None:
        with self._lock:
            self.events.append(Event(kind, data=data))

    def open(self, path: Path, *, create: bool = False) -> int:
        with self._lock:
            handle = super().open(path, create=create)
            if create:
                self._ids[str(path)] = len(self.events) + 1
                self.events.append(Event("create", self._ids[str(path)], str(path)))
            self._handles[handle] = self._ids[str(path)]
            return handle

    def pwrite(self, handle: int, data: bytes | bytearray | memoryview, offset: int) -> None:
        super().pwrite(handle, data, offset)
        with self._lock:
            kept = bytes(data)
            self.events.append(Event("write", self._handles[handle], start=offset, end=offset + len(kept), data=kept))

    def fdatasync(self, handle: int) -> None:
        with self._lock:
            covers = len(self.events)
        super().fdatasync(handle)
        with self._lock:
            self.events.append(Event("sync", self._handles[handle], covers=covers))

    def fsync_dir(self, directory: Path) -> None:
        with self._lock:
            covers = len(self.events)
        super().fsync_dir(directory)
        with self._lock:
            self.events.append(Event("dirsync", path=str(directory), covers=covers))

    def rename(self, old: Path, new: Path) -> None:
        with self._lock:
            super().rename(old, new)
            self._ids[str(new)] = self._ids.pop(str(old))
            self.events.append(Event("rename", self._ids[str(new)], str(old), str(new)))

    def unlink(self, path: Path) -> None:
        with self._lock:
            super().unlink(path)
            if self._ids.pop(str(path), None) is not None:
                self.events.append(Event("unlink", path=str(path)))

    def zero_fill(self, handle: int, start: int, end: int) -> None:
        super().zero_fill(handle, start, end)
        with self._lock:
            self.events.append(Event("zero", self._handles[handle], start=start, end=end))


def leave_behind(events: list[Event], source: Path, target: Path, chance: random.Random) -> None:
    """Write into `target` a disk that a power loss right after `events` could leave of `source`."""
    synced: dict[int, int] = {}
    for event in events:
        if event.kind == "sync":
            synced[event.file] = max(synced.get(event.file, 0), event.covers)
    names_durable = max((event.covers for event in events if event.kind == "dirsync"), default=0)
    names_until = chance.randint(names_durable, len(events))
    kept_at_all = chance.random()
    names: dict[str, int] = {}
    contents: dict[int, bytearray] = {}
    for index, event in enumerate(events):
        if event.kind in ("write", "zero"):
            certain = index < synced.get(event.file, 0)
            _apply(contents.setdefault(event.file, bytearray()), event, certain, kept_at_all, chance)
        elif index < names_until:
            _name(names, event)
    for path, file in names.items():
        landed = target / Path(path).relative_to(source)
        landed.parent.mkdir(parents=True, exist_ok=True)
        landed.write_bytes(contents.get(file, b""))


def _name(names: dict[str, int], event: Event) -> None:
    if event.kind == "create":
        names[event.path] = event.file
    elif event.kind == "rename" and event.path in names:
        names[event.new_path] = names.pop(event.path)
    elif event.kind == "unlink":
        names.pop(event.path, None)


def _apply(content: bytearray, event: Event, certain: bool, kept_at_all: float, chance: random.Random) -> None:
    data = event.data if event.kind == "write" else bytes(event.end - event.start)
    if not certain and chance.random() > kept_at_all:
        return
    if len(content) < event.end and (certain or chance.random() < 0.7):
        content.extend(bytes(event.end - len(content)))
    if certain or chance.random() < 0.4:
        _put(content, event.start, data)
        return
    for at in range(0, len(data), SECTOR):
        if chance.random() < 0.6:
            _put(content, event.start + at, data[at : at + SECTOR])


def _put(content: bytearray, start: int, data: bytes) -> None:
    if len(content) < start + len(data):
        content.extend(bytes(start + len(data) - len(content)))
    content[start : start + len(data)] = data


def copy_of(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else os.urandom(0)

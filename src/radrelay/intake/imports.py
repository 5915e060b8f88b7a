"""Bring in a path of this machine, as `radrelay import PATH` does: a folder, a disc with DICOMDIR, a ZIP, one file.

The import lands in an owner's directory of its own, so it needs no running role; what is indexed when, the
indexer decides. A ZIP is unpacked here, straight from its file. No symbolic link leads out of the path given.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from radrelay.clock import Clock
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import FileUnreadable, ImportNotFound
from radrelay.intake.file_kinds import ARCHIVE, PREFIX_BYTES, sniff
from radrelay.intake.files import FileLander, LandedFile
from radrelay.intake.landing import Landing
from radrelay.intake.parcels import Parcels
from radrelay.intake.scratch import FileSource
from radrelay.intake.sources import SourceBook, SourceView
from radrelay.intake.unpack import Unpacker
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id
from radrelay.storage.keys import Keyring

log = structlog.get_logger(__name__)

READ_BYTES = 1 << 20


class ImportCore(Protocol):
    """The parts of an installation that an import needs."""

    @property
    def settings(self) -> Settings:
        """Return the settings."""
        ...

    @property
    def clock(self) -> Clock:
        """Return the clock."""
        ...

    @property
    def keyring(self) -> Keyring:
        """Return the keys."""
        ...

    @property
    def database(self) -> Database:
        """Return the rows."""
        ...


@dataclass(slots=True)
class ImportProgress:
    """How far an import is; `current` is the file at hand, inside the path."""

    parcel_id: uuid.UUID
    files: int = 0
    kept: int = 0
    skipped: int = 0
    bytes: int = 0
    current: str = ""


Progress = Callable[[ImportProgress], None]


def import_path(
    core: ImportCore, path: Path, progress: Progress = lambda _: None, source: SourceView | None = None
) -> ImportProgress:
    """Land everything under `path` as one parcel of `source` (the import source, unless given).

    Durable on return. Raises `ImportNotFound`, and `OutOfResources` when there is no room: what has landed by then is
    kept, and importing again adds only what is missing.
    """
    if not path.exists():
        raise ImportNotFound(f"There is nothing at {path}.")
    book = SourceBook(core.database, core.settings)
    book.refresh()
    source = source or book.resolve("import")
    scanning = core.settings.intake.clamd is not None
    parcels = Parcels(core.database, core.clock, scanning=scanning)
    import_id = new_id()
    landing = Landing.open(core.settings, f"import-{import_id.hex[:24]}", core.keyring, core.clock, book)
    try:
        origin = parcels.create(source, path.name or str(path), correlation_id=f"import-{import_id.hex[-12:]}")
        try:
            return _Import(landing, origin, import_id, progress).run(path)
        finally:
            parcels.seal(landing, origin)
    finally:
        landing.close()


class _Import:
    def __init__(self, landing: Landing, origin: Origin, import_id: uuid.UUID, progress: Progress) -> None:
        self._landing = landing
        self._origin = origin
        self._import_id = import_id
        self._lander = FileLander(landing, origin)
        self._progress = progress
        assert origin.parcel_id is not None  # noqa: S101 — an import makes its parcel
        self._state = ImportProgress(origin.parcel_id)
        self._many = False

    def run(self, path: Path) -> ImportProgress:
        self._many = path.is_dir()
        for file, name in walk(path):
            self._state.current = name
            try:
                self._take(file, name)
            except OSError as error:
                log.info("import: a file cannot be read", error=error.strerror)
                self._lander.refuse(name, FileUnreadable(f"The file cannot be read: {error.strerror}."))
                self._state.skipped += 1
            self._state.files += 1
            self._progress(self._state)
        return self._state

    def _take(self, file: Path, name: str) -> None:
        with open_plain(file) as handle:
            size = os.fstat(handle.fileno()).st_size
            if sniff(name, handle.read(PREFIX_BYTES)) is ARCHIVE:
                self._unpack(file, name)
            else:
                handle.seek(0)
                landed = self._lander.land(name, read_pieces(handle), wait=False)
                self._count(landed)
            self._state.bytes += size

    def _unpack(self, file: Path, name: str) -> None:
        source = FileSource(file)
        try:
            archive_id = uuid.uuid5(self._import_id, name)
            unpacked = Unpacker(self._landing, self._origin, archive_id).unpack(source, name if self._many else "")
        finally:
            source.close()
        self._state.kept += unpacked.kept
        self._state.skipped += unpacked.files - unpacked.kept
        self._state.files += unpacked.files

    def _count(self, landed: LandedFile) -> None:
        if landed.landed is None:
            self._state.skipped += 1
        else:
            self._state.kept += 1


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_pieces(handle: _Readable) -> Iterator[bytes]:
    """Yield an open file's bytes."""
    while piece := handle.read(READ_BYTES):
        yield piece


def open_plain(file: Path) -> _PlainFile:
    """Open an ordinary file for reading, never through a symbolic link, never a device or pipe."""
    return _PlainFile(file)


class _PlainFile:
    def __init__(self, file: Path) -> None:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(0, "it is not an ordinary file")
        self._file = os.fdopen(handle, "rb", buffering=0)

    def __enter__(self) -> _PlainFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()

    def read(self, size: int, /) -> bytes:
        return self._file.read(size) or b""

    def seek(self, position: int) -> None:
        self._file.seek(position)


def walk(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files under `path` in order, each with its name inside it; links are not followed.

    The path itself may be a link: who names it means what it leads to.
    """
    root = path.resolve()
    if root.is_file():
        yield root, path.name
        return
    for folder, folders, files in os.walk(root, followlinks=False):
        folders.sort()
        inside = Path(folder)
        for file in sorted(files):
            found = inside / file
            if not found.is_symlink():
                yield found, str(found.relative_to(root))

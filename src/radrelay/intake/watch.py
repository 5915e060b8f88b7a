"""Watched folders, by polling: works on local disks, USB sticks and network mounts alike.

A file is taken once its size and time of change have stood still for a while, its content is landed durably, and what
was taken is remembered across restarts, so it is taken again only when it changes. A folder that vanishes (a stick
pulled out, a mount gone) is waited for; a file that cannot be read is tried again with growing patience.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
import structlog

from radrelay.errors import RadrelayError, Unavailable
from radrelay.intake.envelope import Origin
from radrelay.intake.files import FileLander
from radrelay.intake.imports import open_plain, read_pieces, walk
from radrelay.intake.landing import Landing
from radrelay.intake.models import WatchedFile
from radrelay.intake.parcels import Parcels
from radrelay.intake.sources import SourceBook, SourceView
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id
from radrelay.storage.leadership import Leadership

log = structlog.get_logger(__name__)

POLL_S = 1.0
UNREADABLE_FIRST_S = 10.0
UNREADABLE_CAP_S = 600.0
FILES_AT_ONCE = 500
_IN_PROGRESS = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".swp", ".download", "~")


@dataclass(frozen=True, slots=True)
class _Sight:
    """A file as it was when last looked at, and since when it has been so (monotonic seconds)."""

    size: int
    mtime_ns: int
    since: float


@dataclass(slots=True)
class _Folder:
    source: SourceView
    root: Path
    taken: dict[str, tuple[int, int]]  # path hash: size, time of change
    seen: dict[str, _Sight] = field(default_factory=dict)
    failures: dict[str, tuple[int, float]] = field(default_factory=dict)  # how often, not before when
    present: bool = True
    leadership: Leadership | None = None
    led: bool = False


class FolderWatcher:
    """Watches the folders of all enabled folder sources; for one thread."""

    def __init__(self, database: Database, landing: Landing, book: SourceBook, parcels: Parcels) -> None:
        self._database = database
        self._landing = landing
        self._book = book
        self._parcels = parcels
        self._settle_s = landing.settings.intake.watch_settle_s
        self._delete = landing.settings.intake.watch_delete
        self._folders: dict[uuid.UUID, _Folder] = {}

    def run(self, stop: threading.Event) -> None:
        """Poll until `stop` is set."""
        while not stop.is_set():
            try:
                self.poll()
            except Unavailable as error:
                log.warning("watched folders wait", reason=error.code)
            except Exception:  # why: one odd folder must not end the watching of the others
                log.exception("a watched folder could not be looked at")
            stop.wait(min(POLL_S, max(0.05, self._settle_s / 2)))

    def poll(self) -> int:
        """Look at every folder once and take what has settled; returns how many files were taken."""
        sources = {s.id: s for s in self._book.sources() if s.kind == "folder" and s.enabled and s.folder}
        for gone in self._folders.keys() - sources.keys():
            del self._folders[gone]
        taken = 0
        for source in sources.values():
            folder = self._folders.get(source.id)
            if folder is None or str(folder.root) != source.folder:
                folder = self._folders[source.id] = self._remember(source)
            folder.source = source
            taken += self._poll_folder(folder)
        return taken

    def _remember(self, source: SourceView) -> _Folder:
        query = sa.select(WatchedFile.path_hash, WatchedFile.size, WatchedFile.mtime_ns)
        with self._database.read() as session:
            rows = session.execute(query.where(WatchedFile.source_id == source.id))
            return _Folder(source, Path(source.folder or ""), {row[0]: (row[1], row[2]) for row in rows})

    def _poll_folder(self, folder: _Folder) -> int:
        """Compare the folder with what was seen before; take what stands still."""
        present = folder.root.is_dir()
        if present != folder.present:
            log.info("watched folder is back" if present else "watched folder is away", source=str(folder.source.id))
            folder.present = present
        if not present:
            folder.seen.clear()
            return 0
        if not self._leads(folder):
            return 0
        ready = self._look(folder, time.monotonic())
        if not ready:
            return 0
        return self._take_all(folder, ready[:FILES_AT_ONCE])

    def _leads(self, folder: _Folder) -> bool:
        """Say whether this process alone takes from the folder, which others may see, too, over the network."""
        if folder.leadership is None:
            name = f"watch/{folder.source.id}"
            folder.leadership = Leadership(self._database, self._landing.clock, name, self._landing.log.owner)
        leads = folder.leadership.held()
        if leads and not folder.led:  # what the one before has taken
            folder.taken = self._remember(folder.source).taken
        elif not leads:
            folder.seen.clear()
        folder.led = leads
        return leads

    def _look(self, folder: _Folder, now: float) -> list[tuple[Path, str, _Sight]]:
        ready: list[tuple[Path, str, _Sight]] = []
        seen: dict[str, _Sight] = {}
        for path, name in walk(folder.root):
            if path.name.lower().endswith(_IN_PROGRESS) or path.name.startswith((".", "~$")):
                continue
            try:
                status = path.stat()
            except OSError:
                continue  # gone since the folder was listed, or the medium is: looked at again next time
            before = folder.seen.get(name)
            sight = _Sight(status.st_size, status.st_mtime_ns, now)
            if before is not None and (before.size, before.mtime_ns) == (sight.size, sight.mtime_ns):
                sight = before
            seen[name] = sight
            if folder.taken.get(_hash(name)) == (sight.size, sight.mtime_ns):
                continue
            if now - sight.since >= self._settle_s and folder.failures.get(name, (0, 0.0))[1] <= now:
                ready.append((path, name, sight))
        folder.seen = seen
        folder.failures = {name: wait for name, wait in folder.failures.items() if name in seen}
        return ready

    def _take_all(self, folder: _Folder, ready: list[tuple[Path, str, _Sight]]) -> int:
        """Land the files as one parcel; remember them once all of it is durable."""
        ready = [place for place in ready if not self._still_unreadable(folder, *place[:2])]
        if not ready:
            return 0
        origin = self._parcels.create(folder.source, folder.root.name or str(folder.root))
        done: list[tuple[Path, str, _Sight]] = []
        try:
            for path, name, sight in ready:
                if self._take(folder, origin, path, name, sight):
                    done.append((path, name, sight))
        finally:
            self._parcels.seal(self._landing, origin)
        self._write_down(folder, done)
        if self._delete:
            for path, _, _ in done:
                _remove(path)
        return len(done)

    def _take(self, folder: _Folder, origin: Origin, path: Path, name: str, sight: _Sight) -> bool:
        lander = FileLander(self._landing, origin)
        try:
            with open_plain(path) as handle:
                lander.land(name, read_pieces(handle), wait=False)
                status = os.fstat(handle.fileno())
            if (status.st_size, status.st_mtime_ns) == (sight.size, sight.mtime_ns):
                folder.failures.pop(name, None)
                return True
            folder.seen.pop(name, None)  # it was written to meanwhile: what landed is one version, the next comes
        except OSError as error:
            self._postpone(folder, origin, lander, name, f"The file cannot be read: {error.strerror}.")
        except RadrelayError as error:
            if isinstance(error, Unavailable):
                raise
            self._postpone(folder, origin, lander, name, error.message)
        return False

    def _still_unreadable(self, folder: _Folder, path: Path, name: str) -> bool:
        """Whether a file that could not be read before still cannot be; then it waits longer, without a new parcel."""
        count = folder.failures.get(name, (0, 0.0))[0]
        if not count:
            return False
        try:
            with open_plain(path) as handle:
                handle.read(1)
        except OSError:
            folder.failures[name] = (count + 1, time.monotonic() + _patience_s(count + 1))
            return True
        return False

    def _postpone(self, folder: _Folder, origin: Origin, lander: FileLander, name: str, why: str) -> None:
        """Try the file again later; say why the first time."""
        count = folder.failures.get(name, (0, 0.0))[0] + 1
        folder.failures[name] = (count, time.monotonic() + _patience_s(count))
        if count == 1:
            lander.refuse(name, RadrelayError(why))
            log.info(
                "a file of a watched folder is tried again later",
                source=str(folder.source.id),
                parcel=str(origin.parcel_id),
            )

    def _write_down(self, folder: _Folder, done: list[tuple[Path, str, _Sight]]) -> None:
        """Remember what was taken, in rows and in memory."""
        if not done:
            return
        at = self._landing.clock.now()
        rows = [
            {
                "id": new_id(),
                "organisation_id": folder.source.organisation_id,
                "source_id": folder.source.id,
                "path_hash": _hash(name),
                "size": sight.size,
                "mtime_ns": sight.mtime_ns,
                "taken_at": at,
            }
            for _, name, sight in done
        ]
        with self._database.write() as session:
            session.execute(
                sa.delete(WatchedFile).where(
                    WatchedFile.source_id == folder.source.id,
                    WatchedFile.path_hash.in_([row["path_hash"] for row in rows]),
                ),
                execution_options={"synchronize_session": False},
            )
            session.execute(sa.insert(WatchedFile), rows)
        for _, name, sight in done:
            folder.taken[_hash(name)] = (sight.size, sight.mtime_ns)


def _patience_s(failures: int) -> float:
    return float(min(UNREADABLE_FIRST_S * 2 ** min(failures - 1, 16), UNREADABLE_CAP_S))


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        log.info("a taken file could not be removed from its folder", error=error.strerror)

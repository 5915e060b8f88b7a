"""The files of a raw parcel, those in its archives among them, one after the other, as often as they are needed.

In: what landed, as it came. Out: files by their paths in the parcel, the same ones in the same order each time. Nothing
is unpacked to a disk in the clear: members are inflated as they are read, an archive within an archive into a scratch
file whose key lives in this process alone. All limits of `intake` on archives hold; what goes beyond them, or cannot be
read, is a file that says so when it is opened.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from radrelay.intake.errors import ArchiveRefused
from radrelay.intake.file_kinds import ARCHIVE, PREFIX_BYTES, sniff
from radrelay.intake.models import RawFile
from radrelay.intake.scratch import ByteSource, RecordSource, ScratchSource
from radrelay.intake.unpack import (
    ArchiveDepth,
    ArchiveExhausted,
    Budget,
    MemberEncrypted,
    MemberLink,
    MembersOverlap,
    MemberUnsupported,
    cleaned_name,
)
from radrelay.intake.zip_members import METHODS, Member, is_small, list_members, read_member, read_small
from radrelay.settings import IntakeSettings
from radrelay.storage.segments import RecordLocation, SegmentReader

READERS, AHEAD = 2, 6
MOST_ENDING = 5
PIECE = 1 << 20
Pieces = Callable[[], Iterator[bytes]]


class PieceReader:
    """Reads what comes in pieces like a file, from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all that is left if it is negative; fewer only at the end."""
        found: list[memoryview] = []
        have = 0
        while size < 0 or have < size:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = memoryview(piece)
                continue
            taken = self._rest if size < 0 else self._rest[: size - have]
            self._rest = self._rest[len(taken) :]
            found.append(taken)
            have += len(taken)
        return bytes(found[0]) if len(found) == 1 else b"".join(found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._rest = memoryview(b"")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a parcel: its path there and its bytes. `refused` says why it cannot be opened."""

    path: str
    size: int
    pieces: Pieces = field(repr=False)
    refused: ArchiveRefused | None = None

    def open(self) -> PieceReader:
        """Open it for reading; raises `ArchiveRefused` when it cannot be, or while it is read."""
        if self.refused is not None:
            raise self.refused
        return PieceReader(self.pieces())

    def open_pieces(self) -> Iterator[bytes]:
        """Open it as the pieces that it is read in; raises as `open` does."""
        if self.refused is not None:
            raise self.refused
        return self.pieces()


class RawParcel:
    """Gives the files of one parcel; for one thread."""

    def __init__(
        self,
        reader: SegmentReader,
        files: Sequence[tuple[RawFile, RecordLocation]],
        settings: IntakeSettings,
        scratch: Path,
    ) -> None:
        self._reader, self._files, self._settings, self._scratch = reader, files, settings, scratch
        last = {raw.thing: raw.id for raw, _ in files}
        self._again = {raw.id for raw, _ in files if raw.thing is not None and last[raw.thing] != raw.id}
        self.earlier: set[str] = set()
        """Paths met so far of what came once more afterwards, packed anew: what came of it is told by that."""

    @property
    def record_ids(self) -> frozenset[uuid.UUID]:
        """Return the landing records of the files."""
        return frozenset(raw.id for raw, _ in self._files)

    def __iter__(self) -> Iterator[StoredFile]:
        """Yield all files, each to be read before the next is asked for; no two have one path.

        What is in an archive stands in a folder of its name, however many files came: a path stays what it is when
        a file of another name comes or goes. Of several with one name the first has the plain path, whichever that is
        by then: what is filed is held against the digest of what was checked (`filing`).
        """
        taken: dict[str, int] = {}
        budget = Budget.of(self._settings)
        for raw, location in self._files:
            source = RecordSource(self._reader, location)
            prefix = source.read(0, PREFIX_BYTES)
            if sniff(raw.file_name, prefix) is ARCHIVE:
                found: Iterator[StoredFile] = self.members(source, raw.file_name or "archive", budget, 1)
            else:
                found = iter((StoredFile(raw.file_name, source.size, partial(_read, source)),))
            for one in found:
                path = _free(one.path, taken)
                if raw.id in self._again:
                    self.earlier.add(path)
                yield one if path == one.path else StoredFile(path, one.size, one.pieces, one.refused)

    def members(self, source: ByteSource, folder: str, budget: Budget, depth: int) -> Iterator[StoredFile]:
        """Yield the files of an archive, and of those within it; one that is refused says why."""
        listing = list_members(source)
        if listing.damage:
            yield _refused(folder, ArchiveRefused(listing.damage))
        try:
            with closing(_Ahead(source, listing.members)) as ahead:
                packed = 0
                for member, read in ahead:
                    if member.is_folder:
                        continue
                    budget.take_entry()
                    packed += member.packed_bytes or 0
                    if packed > source.size and not listing.damage:
                        raise MembersOverlap
                    yield from self._member(member, read, source.size, folder, budget, depth)
        except ArchiveRefused as error:
            yield _refused(folder, error)

    def _member(
        self, member: Member, read: Pieces, archive_bytes: int, folder: str, budget: Budget, depth: int
    ) -> Iterator[StoredFile]:
        name = cleaned_name(member.name) or f"file-{member.index + 1}"
        path = f"{folder}/{name}"
        try:
            _require_readable(member)
            budget.refuse_declared(member)
            if member.plain_bytes is None or path.lower().endswith(".zip"):
                yield from self._apart(path, budget.guard(member, read(), archive_bytes), budget, depth)
                return
        except ArchiveExhausted:
            raise
        except ArchiveRefused as error:
            yield _refused(path, error)
            return
        yield StoredFile(path, member.plain_bytes, lambda: budget.guard(member, read(), archive_bytes))

    def _apart(self, path: str, pieces: Iterator[bytes], budget: Budget, depth: int) -> Iterator[StoredFile]:
        """Yield a member that is first read whole: its size is not known, or it may be an archive itself."""
        with closing(ScratchSource.fill(self._scratch, pieces)) as source:
            if sniff(path, source.read(0, PREFIX_BYTES)) is not ARCHIVE:
                yield StoredFile(path, source.size, partial(_read, source))
            elif depth >= budget.max_depth:
                text = f"The archive lies deeper than intake.max_depth, {budget.max_depth} archives."
                yield _refused(path, ArchiveDepth(text))
            else:
                yield from self.members(source, path, budget, depth + 1)


class _Ahead:
    """Each member of an archive and how its bytes are read, small ones inflated by other threads meanwhile."""

    def __init__(self, source: ByteSource, members: Iterator[Member]) -> None:
        self._source, self._members = source, members
        self._pool = ThreadPoolExecutor(READERS, "raw-parcel")

    def __iter__(self) -> Iterator[tuple[Member, Pieces]]:
        waiting: deque[tuple[Member, Pieces]] = deque()
        for member in self._members:
            waiting.append((member, self._reading(member)))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        yield from waiting

    def _reading(self, member: Member) -> Pieces:
        if not is_small(member) or member.is_encrypted:
            return partial(read_member, self._source, member)
        future: Future[bytes] = self._pool.submit(read_small, self._source, member)
        return lambda: iter((future.result(),))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _refused(path: str, error: ArchiveRefused) -> StoredFile:
    return StoredFile(path, 0, lambda: iter(()), error)


def _read(source: ByteSource) -> Iterator[bytes]:
    at = 0
    while piece := source.read(at, PIECE):
        yield piece
        at += len(piece)


def _free(path: str, taken: dict[str, int]) -> str:
    """Return a path that no file has yet, and remember it; `taken` are paths, each with the number given last.

    Its ending stays: by that it is told what a file is.
    """
    found, number = path, taken.get(path, 1)
    stem, ending = _parted(path)
    while found in taken:
        number += 1
        found = f"{stem} ({number}){ending}"
    taken[path] = number
    taken.setdefault(found, 1)
    return found


def _parted(path: str) -> tuple[str, str]:
    """Return a path without its ending, and the ending with its dot, if it is like one."""
    stem, dot, ending = path.rpartition(".")
    is_one = dot and len(ending) <= MOST_ENDING and ending.isalpha() and stem and not stem.endswith("/")
    return (stem, f".{ending}") if is_one else (path, "")


def _require_readable(member: Member) -> None:
    if member.is_encrypted:
        raise MemberEncrypted
    if member.is_link:
        raise MemberLink
    if member.method not in METHODS:
        raise MemberUnsupported(f"{MemberUnsupported.__doc__} (method {member.method})")

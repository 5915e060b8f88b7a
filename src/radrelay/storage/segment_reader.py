"""The reading side of landing, for any process of the machine: scan, read, erase, free.

Only what is durable is shown: up to a sealed segment's end, or up to its owner's watermark. A record that was
erased, or a segment that was freed and recycled, is recognised by record id and epoch and never read as another.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from radrelay.storage.file_layer import FileLayer, PosixFiles
from radrelay.storage.keys import TAG_BYTES, Keyring
from radrelay.storage.landing_format import (
    BODY_NONCE,
    ENVELOPE_NONCE,
    ERASED_KEY,
    HEAD_NONCE,
    HEADER_BYTES,
    KEY_AT,
    LARGE,
    PAGE,
    RecordDamaged,
    RecordHeader,
    RecordLocation,
    SegmentGone,
    open_part,
    parse_record_header,
    parse_segment_page,
    segment_name,
    segment_path_number,
)
from radrelay.storage.large_objects import LargeReference, large_path
from radrelay.storage.node import local_name, node_of, owner_name
from radrelay.storage.open_segment import OpenSegment, first_page
from radrelay.storage.record_reader import DiskFiles, LandingFiles, RecordReader
from radrelay.storage.segment_keys import key_versions_in, rewrap_in
from radrelay.storage.segment_owner import LOCK_NAME, LandingInUse, OwnerLock, erasing, is_passing
from radrelay.storage.segment_recovery import large_records, recover_directory, shrink
from radrelay.storage.watermark import read_watermark

FREE_STOCK = 8
GUESS_BYTES = 8192  # header, envelope and head of most objects in one read
SCAN_BYTES = 32 << 20  # heads in one scan's answer, at most about this much
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """A segment of an owner; a sealed one grows no more."""

    number: int
    epoch: int
    sealed: bool


@dataclass(frozen=True, slots=True)
class ScannedRecord:
    """What the indexer reads of a record: where it is, what landing says of it, the object's head."""

    location: RecordLocation
    envelope: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Records in order; `position` is where to go on. `damaged` are records whose bytes do not authenticate."""

    records: list[ScannedRecord]
    position: int
    segment_finished: bool
    epoch: int
    damaged: list[RecordLocation] = field(default_factory=list)


class SegmentReader:
    """Reads the landing of `node` under `landing_dir`, and records of other nodes through `elsewhere`. Thread-safe.

    Owners are scanned, recovered, erased and freed on their own node only.
    """

    def __init__(
        self,
        landing_dir: Path,
        keyring: Keyring,
        files: FileLayer | None = None,
        *,
        node: str = "",
        elsewhere: LandingFiles | None = None,
    ) -> None:
        self._landing = landing_dir
        self._keyring = keyring
        self._files = files or PosixFiles()
        self.node = node
        self._elsewhere = elsewhere
        self._disk = DiskFiles(landing_dir)
        self._records = RecordReader(keyring, self._files_of)
        self._sealed: dict[tuple[str, int], SegmentInfo] = {}

    def owners(self) -> list[str]:
        """Return the names of all owners that have landed anything here."""
        if not self._landing.is_dir():
            return []
        return sorted(owner_name(self.node, entry.name) for entry in os.scandir(self._landing) if entry.is_dir())

    def is_here(self, owner: str) -> bool:
        """Say whether an owner's segments are on this node."""
        return not self.node or node_of(owner) == self.node

    def segments(self, owner: str) -> list[SegmentInfo]:
        """Return an owner's segments in the order they were written."""
        try:
            names = os.listdir(self._directory(owner))
        except FileNotFoundError:
            return []
        found: list[SegmentInfo] = []
        for number in sorted(n for name in names if (n := segment_path_number(name)) is not None):
            info = self._sealed.get((owner, number))
            if info is None:
                try:
                    _, header = self._records.current(owner, number)
                except SegmentGone:
                    continue
                info = SegmentInfo(number, header.epoch, header.sealed_end is not None)
                if info.sealed:
                    self._sealed[owner, number] = info
            found.append(info)
        return found

    def scan(self, owner: str, segment: int, epoch: int | None, position: int, limit: int) -> ScanResult:
        """Return up to `limit` durable records from byte `position` on (0: from the first).

        Raises
        ------
        SegmentGone
            The segment was freed, or is of another epoch than `epoch`.
        """
        opened, header = self._records.current(owner, segment)
        if epoch is not None and header.epoch != epoch:
            self._forget(owner, segment)
            raise SegmentGone
        end = header.sealed_end
        if end is None:
            mark = read_watermark(self._directory(owner))
            current = mark is not None and (mark.segment, mark.epoch) == (segment, header.epoch)
            end = mark.offset if mark is not None and current else PAGE
        position = max(position, PAGE)
        records: list[ScannedRecord] = []
        damaged: list[RecordLocation] = []
        size = 0
        while position < end and len(records) + len(damaged) < limit and size < SCAN_BYTES:
            data = opened.pread(GUESS_BYTES, position)
            record = parse_record_header(data, header.epoch, segment, end - position)
            if record is None:
                log.error("landing.header_damaged", owner=owner, segment=segment, offset=position)
                position += PAGE  # records begin at whole pages: go on with the next that is one
                continue
            if not record.erased:
                try:
                    scanned = self._scanned(opened, owner, record, position, data)
                    records.append(scanned)
                    size += len(scanned.head)
                except RecordDamaged:
                    length = record.head_length + record.body_length
                    damaged.append(RecordLocation(record.record_id, owner, segment, header.epoch, position, length))
            position += record.stored_bytes
        return ScanResult(records, position, header.sealed_end is not None and position >= end, header.epoch, damaged)

    def read(self, location: RecordLocation, start: int = 0, length: int | None = None) -> bytes:
        """Return plain bytes of a record's payload, verified; see `RecordReader.read` for what it raises."""
        return self._records.read(location, start, length)

    def stream(self, location: RecordLocation) -> Iterator[bytes]:
        """Yield a record's payload in pieces of at most 1 MiB; raises as `read` does."""
        return self._records.stream(location)

    def record(self, location: RecordLocation) -> ScannedRecord:
        """Return a record's envelope and head; raises as `read` does."""
        envelope, head = self._records.front(location)
        return ScannedRecord(location, envelope, head)

    def require(self, owners: Iterable[str]) -> None:
        """Raise `NodeAway` if records of `owners` are known to be out of reach just now."""
        if self._elsewhere is not None:
            self._elsewhere.require({owner for owner in owners if not self.is_here(owner)})

    def erase(self, location: RecordLocation) -> None:
        """Make a record unreadable at once, durable on return; nothing happens if it is gone already."""
        self.erase_many([location])

    def erase_many(self, locations: Sequence[RecordLocation]) -> None:
        """Make records unreadable at once, with one sync for each segment."""
        by_segment: dict[tuple[str, int], list[RecordLocation]] = {}
        for location in locations:
            if not self.is_here(location.owner):
                raise ValueError(f"{location.owner} is another node's; each node erases its own")
            by_segment.setdefault((location.owner, location.segment), []).append(location)
        for (owner, number), group in by_segment.items():
            directory = self._directory(owner)
            with suppress(FileNotFoundError), erasing(directory):  # gone with its directory
                self._erase_in(directory, number, group)

    def free(self, owner: str, segment: int, epoch: int) -> bool:
        """Give a sealed segment back whose records nobody needs; return false if it still grows.

        Its key is destroyed first, durably; then its bytes are overwritten and the file is kept for reuse, or
        removed where enough are.
        """
        directory = self._directory(owner)
        path = directory / segment_name(segment)
        if not path.exists():
            return True  # and only who calls this frees: the directory stays until then
        with erasing(directory):
            header = parse_segment_page(first_page(path))
            if header is not None and header.epoch != epoch:
                return True
            if header is not None and header.sealed_end is None:
                return False
            large = large_records(path)
            handle = self._files.open(path)
            try:
                self._files.pwrite(handle, bytes(PAGE), 0)
                self._files.fdatasync(handle)
                for record_id in large:
                    self._files.unlink(large_path(directory, record_id))
                keep = not is_passing(owner) and len(list(directory.glob("free-*.seg"))) < FREE_STOCK
                if keep and header is not None and header.sealed_end is not None:
                    self._files.zero_fill(handle, PAGE, header.sealed_end)
                    self._files.fdatasync(handle)
            finally:
                if not keep:
                    self._files.truncate(handle, 0)  # a reader that still has it open keeps no space
                self._files.close(handle)
            if keep:
                self._files.rename(path, path.with_name(f"free-{segment:010d}.seg"))
            else:
                self._files.unlink(path)
            self._files.fsync_dir(directory)
        self._forget(owner, segment)
        return True

    def recover(self, owner: str) -> bool:
        """Take over what a dead owner left, so that all of it can be scanned; false while the owner lives."""
        directory = self._directory(owner)
        try:
            lock = OwnerLock.take(directory, patience_s=0)
        except (LandingInUse, FileNotFoundError):
            return False
        try:
            recover_directory(directory, owner, self._keyring, self._files)
        finally:
            lock.release()
        return True

    def clear_up(self, owner: str) -> bool:
        """Remove the directory of an owner that does not come again, once it has no segments left.

        While something in it is needed it is made as small as its records. Returns whether it is gone; false while the
        owner lives. One that begins to land at the same time, or begins again, loses nothing: names go under its lock,
        the lock's own last, and a directory that somebody came into meanwhile stays.
        """
        directory = self._directory(owner)
        try:
            lock = OwnerLock.take(directory, patience_s=0)
        except FileNotFoundError:
            return True
        except LandingInUse:
            return False
        try:
            if any(_is_kept(name) for name in os.listdir(directory)):
                shrink(directory, self._files)
                return False
            return _remove(directory)
        finally:
            lock.release()

    def key_versions(self) -> set[int]:
        """Return the versions of the image key that this node's segments are wrapped under."""
        return {version for owner in self.owners() for version in key_versions_in(self._directory(owner))}

    def rewrap(self) -> int:
        """Wrap the key of this node's segments under the current image key; return how many were under an older one."""
        count = 0
        for owner in self.owners():
            with suppress(FileNotFoundError):  # an import's directory that was cleared up just now
                count += rewrap_in(self._directory(owner), self._keyring, self._files)
        return count

    def _scanned(
        self, opened: OpenSegment, owner: str, record: RecordHeader, offset: int, data: bytes
    ) -> ScannedRecord:
        if record.body_at > len(data):
            data = opened.pread(record.body_at, offset)
        cipher = record.cipher(opened.cipher(record.epoch))
        view = memoryview(data)
        envelope = open_part(cipher, ENVELOPE_NONCE, view[record.envelope_at : record.head_at], record.record_id)
        head = open_part(cipher, HEAD_NONCE, view[record.head_at : record.body_at], record.record_id)
        length = record.head_length + record.body_length
        if record.kind == LARGE:
            body = opened.pread(record.body_length + TAG_BYTES, offset + record.body_at)
            length = LargeReference.unpack(open_part(cipher, BODY_NONCE, body, record.record_id)).length
        location = RecordLocation(record.record_id, owner, record.segment, record.epoch, offset, length)
        return ScannedRecord(location, envelope, head)

    def _erase_in(self, directory: Path, number: int, group: list[RecordLocation]) -> None:
        try:
            handle = self._files.open(directory / segment_name(number))
        except FileNotFoundError:
            return
        try:
            erased: list[tuple[int, RecordHeader]] = []
            for location in group:
                data = os.pread(handle, HEADER_BYTES, location.offset)
                record = parse_record_header(data, location.epoch, number, os.fstat(handle).st_size - location.offset)
                if record is not None and record.record_id == location.record_id:
                    self._files.pwrite(handle, ERASED_KEY, location.offset + KEY_AT)
                    erased.append((location.offset, record))
            self._files.fdatasync(handle)
            for offset, record in erased:
                # The key is gone for good; the ciphertext follows in the kernel's own time.
                self._files.zero_fill(handle, offset + record.envelope_at, offset + record.stored_bytes)
                if record.kind == LARGE:
                    self._files.unlink(large_path(directory, record.record_id))
        finally:
            self._files.close(handle)

    def _files_of(self, owner: str) -> LandingFiles:
        return self._disk if self.is_here(owner) or self._elsewhere is None else self._elsewhere

    def _directory(self, owner: str) -> Path:
        return self._landing / local_name(owner)

    def _forget(self, owner: str, number: int) -> None:
        self._records.forget(owner, number)
        self._sealed.pop((owner, number), None)


def _is_kept(name: str) -> bool:
    """Say whether a file may hold what came in: a segment, or one that cannot be read, for a person to look at."""
    return segment_path_number(name) is not None or name.startswith("damaged-")


def _remove(directory: Path) -> bool:
    """Remove a directory that holds nothing; the caller holds its lock, which goes last. Say whether it is gone."""
    for name in sorted(os.listdir(directory), key=LOCK_NAME.__eq__):
        (directory / name).unlink(missing_ok=True)
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False  # somebody came in since the lock went, and has one of their own
    return True

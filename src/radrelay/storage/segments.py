"""Landing: where every object that comes in is durable before it is acknowledged.

`SegmentLog` is the writing side, one per process over its own directory `landing/<owner>`; `SegmentReader` is for
any process of the machine. A record is encrypted in the calling thread, appended under one short lock, and synced
together with whatever else has been appended by then. Since everything is in the order of appending, *acknowledged*
means that all before is durable too, and recovery is a scan to the first bytes that are no record.
How a segment lies on disk is in `landing_format`.
"""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.errors import TooLarge, Unavailable
from radrelay.settings import StorageSettings
from radrelay.storage.file_layer import FileLayer, PosixFiles
from radrelay.storage.free_space import Ballast, DiskFull, FreeSpace
from radrelay.storage.ids import new_id
from radrelay.storage.keys import NONCE_BYTES, TAG_BYTES, Keyring
from radrelay.storage.landing_format import (
    HEADER_BYTES,
    INLINE,
    LARGE,
    PAGE,
    PART_NONCES,
    SEAL_AT,
    RecordDamaged,
    RecordGone,
    RecordLocation,
    SegmentGone,
    Ticket,
    record_bytes,
    record_header,
    seal_block,
)
from radrelay.storage.large_objects import LargeReference, LargeWriter
from radrelay.storage.node import local_name
from radrelay.storage.scratch import ScratchPool
from radrelay.storage.segment_owner import OwnerLock, is_passing
from radrelay.storage.segment_reader import ScannedRecord, ScanResult, SegmentInfo, SegmentReader
from radrelay.storage.segment_recovery import recover_directory, shrink
from radrelay.storage.segment_supply import SegmentSupply, WritableSegment
from radrelay.storage.watermark import WatermarkWriter

__all__ = [
    "DiskFull",
    "FileLayer",
    "LandingClosed",
    "LandingPoisoned",
    "LargeWriter",
    "PosixFiles",
    "RecordDamaged",
    "RecordGone",
    "RecordLocation",
    "ScanResult",
    "ScannedRecord",
    "SegmentGone",
    "SegmentInfo",
    "SegmentLog",
    "SegmentReader",
    "Ticket",
]

Buffer = bytes | bytearray | memoryview
SCRATCHES = min(16, max(4, os.cpu_count() or 1))
PADDING = bytes(PAGE)
log = structlog.get_logger(__name__)


class LandingPoisoned(Unavailable):
    """The disk failed to make landed objects durable; nothing more is taken until Radrelay is started again."""

    code = "landing-poisoned"


class LandingClosed(Unavailable):
    """This process is ending and lands nothing more."""

    code = "landing-closed"


class SegmentLog:
    """The writing side of one owner's landing. Thread-safe; open after any fork."""

    def __init__(
        self,
        directory: Path,
        owner: str,
        keyring: Keyring,
        settings: StorageSettings,
        files: FileLayer,
        lock: OwnerLock,
    ) -> None:
        self.owner = owner
        self.directory = directory
        self._files = files
        self._owner_lock = lock
        self._space = FreeSpace(directory, settings.min_free_bytes)
        self._large_above = settings.large_object_bytes
        self._largest_record = settings.segment_bytes - PAGE
        first = recover_directory(directory, owner, keyring, files).next_number
        self._passing = is_passing(owner)
        size = settings.segment_bytes
        self._supply = SegmentSupply(directory, keyring, files, size, first, stocks=not self._passing)
        self._watermark = WatermarkWriter(directory)
        self._scratches = ScratchPool(SCRATCHES, self._largest_record)
        self._append_lock = threading.Lock()
        self._current: WritableSegment | None = None
        self._rolled: list[WritableSegment] = []
        self._sequence = 0
        self._gate = threading.Condition()
        self._leading = False
        self._durable = 0
        self._poison: BaseException | None = None
        self._closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        owner: str,
        keyring: Keyring,
        settings: StorageSettings,
        files: FileLayer | None = None,
    ) -> SegmentLog:
        """Open the landing of `owner` in the landing directory `directory`, recovering what a crash left.

        Raises
        ------
        LandingInUse
            Another process has this owner's landing open.
        """
        own = directory / local_name(owner)
        lock = OwnerLock.settle(own.absolute())
        try:
            landing = cls(own, owner, keyring, settings, files or PosixFiles(), lock)
        except BaseException:
            lock.release()
            raise
        Ballast(directory, settings.ballast_bytes, settings.min_free_bytes).keep()
        return landing

    @property
    def poisoned(self) -> bool:
        """Whether a failed write or sync has ended this landing."""
        return self._poison is not None

    def append(self, envelope: bytes, head: Buffer, body: Buffer, *, record_id: uuid.UUID | None = None) -> Ticket:
        """Append a record; its payload is `head` and then `body`, of which the indexer reads only `head`.

        Encrypts in the calling thread and copies the payload nowhere else. Not durable until `wait_durable`.

        Raises
        ------
        DiskFull
            Too little space is free.
        LandingPoisoned, LandingClosed
            An earlier write or sync failed; the landing is closed.
        """
        record_id = record_id or new_id()
        lengths = (len(envelope), len(head), len(body))
        length = lengths[1] + lengths[2]
        if length > self._large_above or record_bytes(*lengths) > self._largest_record:
            return self._append_large(record_id, envelope, head, body)
        return self._append(INLINE, record_id, (envelope, head, body), lengths, length)

    def wait_durable(self, ticket: Ticket) -> None:
        """Return once the record and everything before it is durable.

        Of the threads that wait, one syncs for all that was appended by then. Raises `LandingPoisoned`
        if that fails: the record must not be acknowledged.
        """
        sequence = ticket.sequence
        while self._durable < sequence:
            with self._gate:
                while self._leading and self._durable < sequence:
                    self._gate.wait()
                if self._durable >= sequence:
                    return
                self._refuse_poisoned()
                self._leading = True
            try:
                self._sync()
            finally:
                with self._gate:
                    self._leading = False
                    self._gate.notify_all()

    def open_large(self, *, record_id: uuid.UUID | None = None) -> LargeWriter:
        """Begin an object of any size in a file of its own; raises as `append` does."""
        self._refuse_poisoned()
        self._space.check()
        return LargeWriter(self.directory, record_id or new_id(), self._files, self._space, self._refer_to_large)

    def close(self) -> None:
        """Make everything durable, seal the segment and let the owner's directory go."""
        with self._append_lock:  # its handle may be another file's once it is closed
            if self._closed:
                return
            self._closed = True
        self._supply.close()
        with self._gate:  # a sync that is under way has segments to seal which this one would pass over
            while self._leading:
                self._gate.wait()
            self._leading = True
        try:
            if self._current is not None and self._poison is None:
                self._sync()
                self._seal(self._current)
            if self._passing and self._poison is None:
                self._shrink()
        finally:
            with self._gate:
                self._leading = False
                self._gate.notify_all()
            self._watermark.close()
            self._owner_lock.release()

    def _shrink(self) -> None:
        """Take no more room than the records; all is durable by now, so that a disk that refuses spoils nothing."""
        try:
            shrink(self.directory, self._files)
        except OSError as error:
            log.warning("landing.not_shrunk", owner=self.owner, error=error.strerror)

    def _append(
        self, kind: int, record_id: uuid.UUID, parts: tuple[Buffer, ...], lengths: tuple[int, int, int], length: int
    ) -> Ticket:
        self._refuse_poisoned()
        self._space.check()
        raw_id = record_id.bytes
        total = record_bytes(*lengths)
        secret = os.urandom(32 + NONCE_BYTES)
        key, nonce = secret[:32], secret[32:]
        with self._scratches.one(total) as view:
            _encrypt(view, AESGCM(key), raw_id, parts)
            with self._append_lock:
                self._refuse_poisoned()
                if self._closed:
                    raise LandingClosed
                segment = self._current
                if segment is None or segment.end + total > segment.size:
                    segment = self._roll()
                offset, sequence = segment.end, self._sequence + 1
                header = record_header(kind, segment.epoch, segment.number, sequence, raw_id, lengths)
                view[:HEADER_BYTES] = header + nonce + segment.cipher.encrypt(nonce, key, raw_id)
                self._write(segment, view, offset)
                segment.end = offset + total
                self._sequence = sequence
        location = RecordLocation(record_id, self.owner, segment.number, segment.epoch, offset, length)
        return Ticket(location, sequence)

    def _append_large(self, record_id: uuid.UUID, envelope: bytes, head: Buffer, body: Buffer) -> Ticket:
        with self.open_large(record_id=record_id) as writer:
            writer.write(head)
            writer.write(body)
            return writer.finish(envelope, bytes(head))

    def _refer_to_large(self, record_id: uuid.UUID, envelope: bytes, head: bytes, reference: LargeReference) -> Ticket:
        body = reference.pack()
        lengths = (len(envelope), len(head), len(body))
        if record_bytes(*lengths) > self._largest_record:
            raise TooLarge(f"an object's head of {len(head)} bytes does not fit into a landing segment")
        return self._append(LARGE, record_id, (envelope, head, body), lengths, reference.length)

    def _write(self, segment: WritableSegment, view: memoryview, offset: int) -> None:
        """Write a record under the append lock; half of one may be there after an error, so nothing may follow."""
        try:
            self._files.pwrite(segment.handle, view, offset)
        except BaseException as error:
            self._fail(error, "landing.write_failed")
            raise LandingPoisoned from error

    def _roll(self) -> WritableSegment:
        """Go over to the next segment; the full one is sealed by the next sync."""
        fresh = self._supply.take()
        if self._current is not None:
            self._rolled.append(self._current)
        self._current = fresh
        self._supply.want_next()
        return fresh

    def _sync(self) -> None:
        with self._append_lock:
            segment, sequence, rolled = self._current, self._sequence, self._rolled
            end = 0 if segment is None else segment.end
            self._rolled = []
        if segment is None or sequence == self._durable:
            return
        self._refuse_poisoned()
        try:
            for full in rolled:
                self._files.fdatasync(full.handle)
                self._seal(full)
            self._files.fdatasync(segment.handle)
        except BaseException as error:
            self._fail(error, "landing.sync_failed")
            raise LandingPoisoned from error
        self._watermark.move(segment.number, segment.epoch, end)
        self._durable = sequence

    def _seal(self, segment: WritableSegment) -> None:
        """Say in a synced segment's header where it ends; lost in a crash, recovery says it again."""
        self._files.pwrite(segment.handle, seal_block(segment.epoch, segment.end), SEAL_AT)
        self._files.close(segment.handle)

    def _fail(self, error: BaseException, event: str) -> None:
        """Take nothing more: after a failed sync the kernel may forget what it could not write."""
        self._poison = error
        log.critical(event, owner=self.owner, error=repr(error))

    def _refuse_poisoned(self) -> None:
        if self._poison is not None:
            raise LandingPoisoned from self._poison


def _encrypt(view: memoryview, cipher: AESGCM, raw_id: bytes, parts: tuple[Buffer, ...]) -> None:
    """Encrypt a record's three parts to their places in `view` and pad it with zeros."""
    at = HEADER_BYTES
    for nonce, part in zip(PART_NONCES, parts, strict=True):
        end = at + len(part) + TAG_BYTES
        cipher.encrypt_into(nonce, part, raw_id, view[at:end])
        at = end
    view[at:] = PADDING[: len(view) - at]

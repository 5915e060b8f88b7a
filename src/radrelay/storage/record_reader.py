"""Reading landed records by their place: the same for a segment on this machine's disk and on another node's.

What is read is verified here in either case: the header by record id and epoch, each part by AES-256-GCM. So the
node that hands bytes out needs no keys, and nobody between can change them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol
from uuid import UUID

from radrelay.storage.keys import TAG_BYTES, Keyring
from radrelay.storage.landing_format import (
    BODY_NONCE,
    ENVELOPE_NONCE,
    HEAD_NONCE,
    HEADER_BYTES,
    LARGE,
    RecordDamaged,
    RecordGone,
    RecordHeader,
    RecordLocation,
    SegmentGone,
    SegmentHeader,
    open_part,
    parse_record_header,
    segment_name,
)
from radrelay.storage.large_objects import LargeReference, large_path, read_large
from radrelay.storage.node import local_name
from radrelay.storage.open_segment import DiskFile, LandingFile, OpenSegment

OPEN_SEGMENTS = 32
STREAM_BYTES = 1 << 20


class LandingFiles(Protocol):
    """Opens files of owners' landing directories."""

    def segment(self, owner: str, number: int) -> LandingFile:
        """Open a segment; raises `SegmentGone`."""
        ...

    def large(self, owner: str, record_id: UUID) -> LandingFile:
        """Open a large object's file; raises `RecordGone`."""
        ...

    def require(self, owners: Iterable[str]) -> None:
        """Raise `NodeAway` if files of `owners` are known to be out of reach."""
        ...


class DiskFiles:
    """The files under a landing directory of this machine."""

    def __init__(self, landing_dir: Path) -> None:
        self._landing = landing_dir

    def segment(self, owner: str, number: int) -> LandingFile:
        """Open a segment; raises `SegmentGone`."""
        try:
            return DiskFile(self._landing / local_name(owner) / segment_name(number))
        except FileNotFoundError as error:
            raise SegmentGone from error

    def large(self, owner: str, record_id: UUID) -> LandingFile:
        """Open a large object's file; raises `RecordGone`."""
        try:
            return DiskFile(large_path(self._landing / local_name(owner), record_id))
        except FileNotFoundError as error:
            raise RecordGone from error

    def require(self, owners: Iterable[str]) -> None:
        """Do nothing: the disk is here."""


class RecordReader:
    """Reads records; keeps a few segments open. Thread-safe. `files_of` says where an owner's files are."""

    def __init__(self, keyring: Keyring, files_of: Callable[[str], LandingFiles]) -> None:
        self._keyring = keyring
        self._files_of = files_of
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, int], OpenSegment] = OrderedDict()

    def read(self, location: RecordLocation, start: int = 0, length: int | None = None) -> bytes:
        """Return plain bytes of a record's payload, verified.

        Raises
        ------
        RecordGone, SegmentGone
            It was erased, or its segment freed.
        RecordDamaged
            Its bytes do not authenticate.
        NodeAway
            It lies on another node, which does not answer.
        """
        return b"".join(self._pieces(location, start, length))

    def stream(self, location: RecordLocation) -> Iterator[bytes]:
        """Yield a record's payload in pieces of at most 1 MiB; raises as `read` does."""
        for piece in self._pieces(location, 0, None):
            for at in range(0, len(piece), STREAM_BYTES):
                yield piece[at : at + STREAM_BYTES]

    def front(self, location: RecordLocation) -> tuple[bytes, bytes]:
        """Return a record's envelope and head; raises as `read` does."""
        opened, file, record = self._record(location)
        try:
            cipher = record.cipher(opened.cipher(record.epoch))
            data = memoryview(file.pread(record.body_at, location.offset))
            envelope = open_part(cipher, ENVELOPE_NONCE, data[record.envelope_at : record.head_at], record.record_id)
            return envelope, open_part(cipher, HEAD_NONCE, data[record.head_at : record.body_at], record.record_id)
        except RecordDamaged:
            self._raise_if_erased(location)
            raise

    def current(self, owner: str, number: int) -> tuple[OpenSegment, SegmentHeader]:
        """Return a segment with its header as it is now; raises `SegmentGone`."""
        opened = self._segment(owner, number)
        try:
            return opened, opened.header()
        except SegmentGone:
            self.forget(owner, number)
            raise

    def forget(self, owner: str, number: int) -> None:
        """Let a segment go that was freed."""
        with self._lock:
            self._open.pop((owner, number), None)

    def _pieces(self, location: RecordLocation, start: int, length: int | None) -> Iterator[bytes]:
        end = location.length if length is None else min(location.length, start + length)
        opened, file, record = self._record(location)
        cipher = record.cipher(opened.cipher(record.epoch))
        try:
            if record.kind == LARGE:
                body = file.pread(record.body_length + TAG_BYTES, location.offset + record.body_at)
                reference = LargeReference.unpack(open_part(cipher, BODY_NONCE, body, record.record_id))
                if start < end:
                    large = self._files_of(location.owner).large(location.owner, record.record_id)
                    yield from read_large(large, record.record_id, reference, start, end)
                return
            at = 0
            for nonce, part_at, part_length in (
                (HEAD_NONCE, record.head_at, record.head_length),
                (BODY_NONCE, record.body_at, record.body_length),
            ):
                if start < at + part_length and end > at:
                    sealed = file.pread(part_length + TAG_BYTES, location.offset + part_at)
                    plain = open_part(cipher, nonce, sealed, record.record_id)
                    yield plain if start <= at and end >= at + part_length else plain[max(0, start - at) : end - at]
                at += part_length
        except RecordDamaged:
            self._raise_if_erased(location)
            raise

    def _raise_if_erased(self, location: RecordLocation) -> None:
        """Tell a record that was erased or freed while it was read from one that is damaged."""
        _, _, again = self._record(location)
        if again.erased:
            raise RecordGone from None

    def _record(self, location: RecordLocation) -> tuple[OpenSegment, LandingFile, RecordHeader]:
        opened = self._segment(location.owner, location.segment)
        file = opened.file.ahead(location.offset)
        data = file.pread(HEADER_BYTES, location.offset)
        record = parse_record_header(data, location.epoch, location.segment, opened.size - location.offset)
        if record is None:
            self.forget(location.owner, location.segment)
            _, header = self.current(location.owner, location.segment)
            if header.epoch != location.epoch:
                raise SegmentGone
            raise RecordDamaged("a landed record's header is damaged")
        if record.record_id != location.record_id:
            raise RecordGone
        return opened, file, record

    def _segment(self, owner: str, number: int) -> OpenSegment:
        with self._lock:
            kept = self._open.get((owner, number))
            if kept is not None:
                self._open.move_to_end((owner, number))
                return kept
        opened = OpenSegment(self._files_of(owner).segment(owner, number), self._keyring)
        with self._lock:
            self._open[owner, number] = opened
            while len(self._open) > OPEN_SEGMENTS:
                self._open.popitem(last=False)
        return opened

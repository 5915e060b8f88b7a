"""Objects too large for a segment: a file of their own, encrypted piece by piece as they arrive.

A page of header, then chunks of 1 MiB plain, each AES-256-GCM under the file's random key; nonce and authenticated
data carry the chunk's index and whether it is the last, so that a cut or a swap is found. The file's key lies in
the body of a small record in the owner's segments: erasing that record makes the file unreadable.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.storage.file_layer import FileLayer
from radrelay.storage.free_space import FreeSpace
from radrelay.storage.keys import TAG_BYTES
from radrelay.storage.landing_format import PAGE, RecordDamaged, Ticket
from radrelay.storage.open_segment import LandingFile

CHUNK = 1 << 20
SYNC_EVERY_CHUNKS = 32
MAGIC = b"RRLARGE1"
_reference = struct.Struct("<32sQ")
_nonce = struct.Struct(">BxxxQ")
_header = struct.Struct("<8s16s")


@dataclass(frozen=True, slots=True)
class LargeReference:
    """What a large object's record keeps of its file: the key, and the length of the payload in plain bytes."""

    key: bytes
    length: int

    def pack(self) -> bytes:
        """Return the record's body."""
        return _reference.pack(self.key, self.length)

    @classmethod
    def unpack(cls, body: bytes) -> LargeReference:
        """Read a record's body."""
        return cls(*_reference.unpack(body))


def large_path(directory: Path, record_id: UUID) -> Path:
    """Return the file of a large object that is whole."""
    return directory / f"large-{record_id}.obj"


class LargeWriter:
    """Writes one large object; memory stays at two chunks whatever its size. For one thread.

    As a context manager it forgets the object at the end of the block unless that was finished.

    `record` appends the small record that refers to the file: (record id, envelope, head, reference) to a ticket.
    """

    def __init__(
        self,
        directory: Path,
        record_id: UUID,
        files: FileLayer,
        space: FreeSpace,
        record: Callable[[UUID, bytes, bytes, LargeReference], Ticket],
    ) -> None:
        self.record_id = record_id
        self._path = large_path(directory, record_id)
        self._part = self._path.with_suffix(".part")
        self._files = files
        self._space = space
        self._record = record
        self._key = secrets.token_bytes(32)
        self._cipher = AESGCM(self._key)
        self._plain = bytearray(CHUNK)
        self._sealed = bytearray(CHUNK + TAG_BYTES)
        self._filled = 0
        self._index = 0
        self._length = 0
        self._handle: int | None = files.open(self._part, create=True)
        files.pwrite(self._handle, _header.pack(MAGIC, record_id.bytes).ljust(PAGE, b"\0"), 0)

    def __enter__(self) -> LargeWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def length(self) -> int:
        """Plain bytes written so far."""
        return self._length

    def write(self, buffer: bytes | bytearray | memoryview) -> None:
        """Take more of the payload; raises `DiskFull` when the disk fills up, after which only `abort` helps."""
        view = memoryview(buffer)
        at = 0
        while at < len(view):
            if self._filled == CHUNK:
                self._seal(last=False)
            step = min(CHUNK - self._filled, len(view) - at)
            self._plain[self._filled : self._filled + step] = view[at : at + step]
            self._filled += step
            at += step
        self._length += len(view)

    def finish(self, envelope: bytes, head: bytes) -> Ticket:
        """Make the file durable and append its record; the object is acknowledged once the ticket is durable."""
        self._seal(last=True)
        handle = self._open_handle()
        self._files.fdatasync(handle)
        self._files.close(handle)
        self._handle = None
        directory = self._path.parent
        self._files.rename(self._part, self._path)
        self._files.fsync_dir(directory)
        try:
            return self._record(self.record_id, envelope, head, LargeReference(self._key, self._length))
        except BaseException:
            self._files.unlink(self._path)
            raise

    def abort(self) -> None:
        """Forget the object; may be called at any time, also after `finish`, when it does nothing."""
        if self._handle is not None:
            self._files.close(self._handle)
            self._handle = None
            self._files.unlink(self._part)

    def _open_handle(self) -> int:
        if self._handle is None:
            raise ValueError("this large object is finished or aborted")
        return self._handle

    def _seal(self, *, last: bool) -> None:
        handle = self._open_handle()
        with memoryview(self._plain) as plain, memoryview(self._sealed) as sealed:
            stored = self._filled + TAG_BYTES
            nonce = _nonce.pack(last, self._index)
            self._cipher.encrypt_into(nonce, plain[: self._filled], self.record_id.bytes, sealed[:stored])
            self._files.pwrite(handle, sealed[:stored], _chunk_offset(self._index))
        self._index += 1
        self._filled = 0
        if self._index % SYNC_EVERY_CHUNKS == 0:  # keeps the last sync short and dirty pages few
            self._space.check()
            self._files.fdatasync(handle)


def read_large(file: LandingFile, record_id: UUID, reference: LargeReference, start: int, end: int) -> Iterator[bytes]:
    """Yield plain bytes [start, end) of a large object, chunk by chunk; raises `RecordDamaged`."""
    if start >= end:
        return
    cipher = AESGCM(reference.key)
    last = max(0, -(-reference.length // CHUNK) - 1)
    for index in range(start // CHUNK, (end - 1) // CHUNK + 1):
        length = min(CHUNK, reference.length - index * CHUNK)
        sealed = file.pread(length + TAG_BYTES, _chunk_offset(index))
        try:
            plain = cipher.decrypt(_nonce.pack(index == last, index), sealed, record_id.bytes)
        except InvalidTag as error:
            raise RecordDamaged(f"chunk {index} of a large landed object does not authenticate") from error
        base = index * CHUNK
        yield plain[max(0, start - base) : end - base]


def _chunk_offset(index: int) -> int:
    return PAGE + index * (CHUNK + TAG_BYTES)

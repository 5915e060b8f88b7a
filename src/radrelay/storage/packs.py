"""Packs: the encrypted files that compaction writes, one per series and generation.

A pack's data key is in the key store under the pack's id and dies with it; its name is an HMAC under the link key,
so that store and database cannot be matched by name. Written as a stream, read by ranges, each chunk verified
(`pack_format`); where packs lie is `objectstore`'s concern.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from radrelay.errors import RadrelayError
from radrelay.settings import Settings
from radrelay.storage.keys import TAG_BYTES, Keyring
from radrelay.storage.keystore import KeyDestroyed, KeyStore
from radrelay.storage.objectstore import (
    LocalObjects,
    ObjectMissing,
    Objects,
    ObjectWriter,
    StoreUnavailable,
    open_objects,
)
from radrelay.storage.pack_format import (
    CHUNK,
    STORED_CHUNK,
    PackCipher,
    PackDamaged,
    open_chunks,
    stored_bytes,
    stored_range,
)

__all__ = [
    "KeyDestroyed",
    "ObjectMissing",
    "PackDamaged",
    "PackInfo",
    "PackRef",
    "PackStore",
    "PackWriter",
    "StoreUnavailable",
]

STAGED_CHUNKS = 16
STREAM_CHUNKS = 32
GAP_CHUNKS = 4  # ranges closer than this are read in one
MERGED_CHUNKS = 256
READS_AT_ONCE = 8
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PackRef:
    """What is needed to read a pack. `plain_bytes` counts everything, the table of contents too."""

    pack_id: UUID
    name: str
    plain_bytes: int
    toc_offset: int
    toc_length: int


@dataclass(frozen=True, slots=True)
class PackInfo:
    """A pack that was written: how to read it, and how large it is in the store."""

    ref: PackRef
    stored_bytes: int


class PackStore:
    """Writes, reads and removes packs. Thread-safe; open one per process, after any fork."""

    def __init__(self, objects: Objects, keyring: Keyring, keys: KeyStore) -> None:
        self._objects = objects
        self._keyring = keyring
        self._keys = keys
        local = isinstance(objects, LocalObjects)
        self._readers = None if local else ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="pack-read")

    @classmethod
    def open(cls, settings: Settings, keyring: Keyring, keys: KeyStore) -> PackStore:
        """Open the store that the settings name; nothing is asked of it yet (`check` does)."""
        return cls(open_objects(settings), keyring, keys)

    def name_of(self, pack_id: UUID) -> str:
        """Return the name under which a pack lies in the store."""
        return self._keyring.pack_name(pack_id)

    def create(self, pack_id: UUID, study_id: UUID) -> PackWriter:
        """Begin a pack under a new data key; raises `Conflict` if there is one by this id."""
        key = self._keys.create(pack_id, study_id)
        name = self._keyring.pack_name(pack_id)
        return PackWriter(self._objects.writer(name), self._keys, pack_id, name, key)

    def again(self, pack_id: UUID) -> PackWriter:
        """Begin a further copy of a pack under the key that it has; raises `KeyDestroyed`.

        The same bytes must follow as the first time: chunks are sealed by their place alone.
        """
        name = self._keyring.pack_name(pack_id)
        key = self._keys.get(pack_id)
        return PackWriter(self._objects.writer(name), self._keys, pack_id, name, key, owns_key=False)

    def read(self, ref: PackRef, start: int, length: int) -> bytes:
        """Return `length` plain bytes from `start`, verified.

        Raises
        ------
        PackDamaged
            The chunks do not authenticate, or the range lies outside the pack.
        KeyDestroyed
            The pack was deleted.
        ObjectMissing, StoreUnavailable
            It is not in the store, or the store does not answer.
        """
        return self.read_many(ref, [(start, length)])[0]

    def read_many(self, ref: PackRef, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several ranges (start, length); neighbours are fetched together. Raises as `read` does."""
        cipher = self._cipher(ref)
        wanted = [_chunks_of(ref, start, length) for start, length in ranges]
        runs = _merge(wanted)
        if self._readers is None or len(runs) == 1:
            plain = [self._open_run(ref, cipher, run) for run in runs]
        else:
            plain = list(self._readers.map(lambda run: self._open_run(ref, cipher, run), runs))
        found: list[bytes] = []
        for (start, length), (first, _) in zip(ranges, wanted, strict=True):
            at = next(i for i, run in enumerate(runs) if run[0] <= first < run[1] or length == 0)
            base = start - runs[at][0] * CHUNK
            found.append(bytes(memoryview(plain[at])[base : base + length]) if length else b"")
        return found

    def stream(self, ref: PackRef, start: int, length: int) -> Iterator[bytes]:
        """Yield a range in pieces of at most 2 MiB; raises as `read` does."""
        _chunks_of(ref, start, length)
        end = start + length
        while start < end:
            stop = min(end, (start // CHUNK + STREAM_CHUNKS) * CHUNK)
            yield self.read(ref, start, stop - start)
            start = stop

    def toc(self, ref: PackRef) -> bytes:
        """Return the table of contents that `finish` was given."""
        return self.read(ref, ref.toc_offset, ref.toc_length)

    def delete(self, name: str) -> None:
        """Remove a pack's bytes, if they are there; its key is the key store's concern."""
        self._objects.delete(name)

    def names(self) -> Iterator[tuple[str, int, datetime]]:
        """Yield (name, stored bytes, when written) of every pack in the store."""
        return self._objects.names()

    def remove_abandoned(self, before: datetime) -> int:
        """Remove what writers that died before `before` left unfinished; on S3 the bucket's rules do that."""
        return self._objects.remove_abandoned(before) if isinstance(self._objects, LocalObjects) else 0

    def check(self) -> None:
        """Raise `StoreUnavailable` unless the store answers."""
        self._objects.check()

    def close(self) -> None:
        """End the reading threads."""
        if self._readers is not None:
            self._readers.shutdown()

    def _cipher(self, ref: PackRef) -> PackCipher:
        return PackCipher.of(ref.pack_id, self._keys.get(ref.pack_id))

    def _open_run(self, ref: PackRef, cipher: PackCipher, run: tuple[int, int]) -> bytearray:
        if run[0] == run[1]:
            return bytearray()
        stored = self._objects.read(ref.name, *stored_range(*run, ref.plain_bytes))
        return open_chunks(cipher, *run, ref.plain_bytes, stored)


class PackWriter:
    """Writes one pack as a stream; memory stays at two parts whatever its size. For one thread."""

    def __init__(
        self, out: ObjectWriter, keys: KeyStore, pack_id: UUID, name: str, key: bytes, *, owns_key: bool = True
    ) -> None:
        self._out = out
        self._owns_key = owns_key
        self._keys = keys
        self._pack_id = pack_id
        self._name = name
        self._cipher = PackCipher.of(pack_id, key)
        self._plain = bytearray(STAGED_CHUNKS * CHUNK)
        self._sealed = bytearray(STAGED_CHUNKS * STORED_CHUNK)
        self._filled = 0
        self._index = 0
        self._length = 0
        self._open = True
        out.write(self._cipher.header)

    def add(self, buffer: bytes | bytearray | memoryview) -> int:
        """Take more plain bytes; return the offset of the first of them."""
        if not self._open:
            raise ValueError("this pack is finished or aborted")
        offset = self._length
        view = memoryview(buffer)
        at = 0
        while at < len(view):
            if self._filled == len(self._plain):
                self._seal(last=False)
            step = min(len(self._plain) - self._filled, len(view) - at)
            self._plain[self._filled : self._filled + step] = view[at : at + step]
            self._filled += step
            at += step
        self._length += len(view)
        return offset

    def finish(self, toc: bytes) -> PackInfo:
        """Add the table of contents and make the pack durable and visible."""
        toc_offset = self.add(toc)
        self._seal(last=True)
        self._out.close()
        self._open = False
        ref = PackRef(self._pack_id, self._name, self._length, toc_offset, len(toc))
        return PackInfo(ref, stored_bytes(self._length))

    def abort(self) -> None:
        """Destroy the pack's key, unless other copies need it, and leave no bytes; does nothing after `finish`."""
        if not self._open:
            return
        self._open = False
        if self._owns_key:
            self._keys.destroy([self._pack_id])
        try:
            self._out.abort()
        except RadrelayError as error:  # its key is gone, and the collector of orphans finds what is left
            log.warning("pack.abort_incomplete", pack=str(self._pack_id), error=str(error))

    def _seal(self, *, last: bool) -> None:
        chunks = max(1, -(-self._filled // CHUNK))
        stored = self._filled + chunks * TAG_BYTES
        with memoryview(self._plain) as plain, memoryview(self._sealed) as sealed:
            for chunk in range(chunks):
                piece = plain[chunk * CHUNK : min((chunk + 1) * CHUNK, self._filled)]
                at = chunk * STORED_CHUNK
                final = last and chunk == chunks - 1
                self._cipher.seal_into(self._index, final, piece, sealed[at : at + len(piece) + TAG_BYTES])
                self._index += 1
            self._out.write(sealed[:stored])
        self._filled = 0


def _chunks_of(ref: PackRef, start: int, length: int) -> tuple[int, int]:
    """Return the chunks [first, stop) that hold a range; raises `PackDamaged` if it is not within the pack."""
    if start < 0 or length < 0 or start + length > ref.plain_bytes:
        raise PackDamaged(f"a pack of {ref.plain_bytes} bytes holds no {length} bytes at {start}")
    if length == 0:
        return start // CHUNK, start // CHUNK
    return start // CHUNK, (start + length - 1) // CHUNK + 1


def _merge(wanted: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge chunk ranges that overlap or nearly touch, up to 16 MiB in one."""
    runs: list[tuple[int, int]] = []
    for first, stop in sorted(set(wanted)):
        if runs and first <= runs[-1][1] + GAP_CHUNKS and (stop <= runs[-1][1] or stop - runs[-1][0] <= MERGED_CHUNKS):
            runs[-1] = (runs[-1][0], max(stop, runs[-1][1]))
        else:
            runs.append((first, stop))
    return runs

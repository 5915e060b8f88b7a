"""How a pack lies in the store.

A header of 64 bytes (magic, format, key version, chunk size, pack id), then chunks of 64 KiB plain, each followed by
its tag. Chunk i is AES-256-GCM under the pack's own key; the nonce holds i and whether it is the last one, the header
is authenticated with each. So any range is read by its chunks alone, and a chunk that was changed, moved, taken from
another pack, or cut off does not open.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.errors import RadrelayError
from radrelay.storage.keys import TAG_BYTES

MAGIC = b"RRPACK\r\n"
FORMAT = 1
KEY_VERSION = 1
HEADER_BYTES = 64
CHUNK = 64 * 1024
STORED_CHUNK = CHUNK + TAG_BYTES
_header = struct.Struct(">8sHHI16s32x")
_nonce = struct.Struct(">BxxxQ")


class PackDamaged(RadrelayError):
    """A pack does not hold what was written into it."""

    code = "pack-damaged"


@dataclass(frozen=True, slots=True)
class PackCipher:
    """Seals and opens the chunks of one pack."""

    cipher: AESGCM
    header: bytes

    @classmethod
    def of(cls, pack_id: UUID, key: bytes) -> PackCipher:
        """Return the cipher of a pack under its data key of 32 bytes."""
        return cls(AESGCM(key), _header.pack(MAGIC, FORMAT, KEY_VERSION, CHUNK, pack_id.bytes))

    def seal_into(self, index: int, last: bool, plain: memoryview, sealed: memoryview) -> None:
        """Write chunk `index` to `sealed`, which is 16 bytes longer than `plain`."""
        self.cipher.encrypt_into(_nonce.pack(last, index), plain, self.header, sealed)

    def open_into(self, index: int, last: bool, sealed: memoryview, plain: memoryview) -> None:
        """Write the plain chunk `index` to `plain`; raises `PackDamaged`."""
        try:
            self.cipher.decrypt_into(_nonce.pack(last, index), sealed, self.header, plain)
        except InvalidTag as error:
            raise PackDamaged(f"chunk {index} of a pack does not authenticate") from error


def chunk_count(plain_bytes: int) -> int:
    """Return how many chunks hold so many bytes; an empty pack has one, empty."""
    return max(1, -(-plain_bytes // CHUNK))


def stored_bytes(plain_bytes: int) -> int:
    """Return the size of a pack in the store."""
    return HEADER_BYTES + plain_bytes + chunk_count(plain_bytes) * TAG_BYTES


def stored_range(first: int, stop: int, plain_bytes: int) -> tuple[int, int]:
    """Return where the chunks [first, stop) lie in the store."""
    return HEADER_BYTES + first * STORED_CHUNK, min(HEADER_BYTES + stop * STORED_CHUNK, stored_bytes(plain_bytes))


def open_chunks(cipher: PackCipher, first: int, stop: int, plain_bytes: int, stored: bytes) -> bytearray:
    """Decrypt the chunks [first, stop) from their stored bytes; raises `PackDamaged`."""
    start, end = stored_range(first, stop, plain_bytes)
    if len(stored) != end - start:
        raise PackDamaged(f"a pack is cut off: {len(stored)} of {end - start} bytes at {start}")
    last = chunk_count(plain_bytes) - 1
    plain = bytearray(min(stop * CHUNK, plain_bytes) - first * CHUNK)
    with memoryview(stored) as source, memoryview(plain) as target:
        for index in range(first, stop):
            at, to = (index - first) * STORED_CHUNK, (index - first) * CHUNK
            cipher.open_into(index, index == last, source[at : at + STORED_CHUNK], target[to : to + CHUNK])
    return plain

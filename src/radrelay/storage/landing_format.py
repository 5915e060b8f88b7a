"""How a landing segment lies on disk.

A segment is 4096 bytes of header and then records, each at a multiple of 4096 bytes, so that no page that is
durable is ever written again, except to erase. All numbers are little-endian.

Header   magic, format, epoch, number, size, wrapped segment key, CRC-32; at 1024 the same again while its key is being
         wrapped anew; at 2048 the seal, once no more is appended.
Record   magic, kind, format, epoch, segment, sequence, record id, lengths, CRC-32 of those; the record key wrapped
         under the segment key, outside the CRC, so that erasing it leaves the chain of records whole; then envelope,
         head and body, each AES-256-GCM under the record key with its own nonce, the record id authenticated.

An epoch is a random number drawn each time a file becomes a segment, so a recycled file's old records never count.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.errors import NotFound, RadrelayError
from radrelay.storage.keys import NONCE_BYTES, TAG_BYTES

PAGE = 4096
FORMAT = 1
INLINE, LARGE = 1, 2
HEADER_BYTES = 128
KEY_AT = 68  # of the wrapped record key, in a record's header
WRAPPED_KEY_BYTES = NONCE_BYTES + 32 + TAG_BYTES
ERASED_KEY = bytes(WRAPPED_KEY_BYTES)
SPARE_AT = 1024  # of a second header, in another sector, for the moment in which the first is written over
SEAL_AT = 2048
RECORD_MAGIC = b"RRrc"
SEGMENT_MAGIC = b"RRSEGMNT"
SEAL_MAGIC = b"RRSEALED"
PART_NONCES = ENVELOPE_NONCE, HEAD_NONCE, BODY_NONCE = tuple(bytes(11) + bytes([part]) for part in (1, 2, 3))

_record = struct.Struct("<4sBBHQQQ16sIIQ")  # 64 bytes, then the CRC
_crc = struct.Struct("<I")
_segment = struct.Struct("<8sHHIQQQ")  # magic, format, key length, -, epoch, number, size
_seal = struct.Struct("<8sQQ")  # magic, epoch, end


class SegmentGone(NotFound):
    """This landing segment is no longer here: it was freed."""

    code = "segment-gone"


class RecordGone(NotFound):
    """This landed record was erased."""

    code = "record-gone"


class RecordDamaged(RadrelayError):
    """A landed record's bytes do not authenticate: the disk gave back other bytes than were written."""

    code = "record-damaged"


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """Where a landed record lies. `offset` is in bytes of the segment; `length` is of the payload, plain."""

    record_id: UUID
    owner: str
    segment: int
    epoch: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A record that was appended and is durable once everything up to `sequence` is."""

    location: RecordLocation
    sequence: int


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a segment file says of itself; `sealed_end` is where its records end, none while it may grow."""

    epoch: int
    number: int
    size: int
    wrapped_key: bytes
    sealed_end: int | None


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """The plain part of a record. Lengths are of plain bytes; a large record's body holds its file's key."""

    kind: int
    epoch: int
    segment: int
    sequence: int
    record_id: UUID
    envelope_length: int
    head_length: int
    body_length: int
    wrapped_key: bytes

    @property
    def envelope_at(self) -> int:
        """Where the encrypted envelope begins, from the record's start."""
        return HEADER_BYTES

    @property
    def head_at(self) -> int:
        """Where the encrypted head begins, from the record's start."""
        return HEADER_BYTES + self.envelope_length + TAG_BYTES

    @property
    def body_at(self) -> int:
        """Where the encrypted body begins, from the record's start."""
        return self.head_at + self.head_length + TAG_BYTES

    @property
    def stored_bytes(self) -> int:
        """Bytes up to the next record."""
        return padded(self.body_at + self.body_length + TAG_BYTES)

    @property
    def erased(self) -> bool:
        """Whether the record's key was overwritten."""
        return self.wrapped_key == ERASED_KEY

    def cipher(self, segment_key: AESGCM) -> AESGCM:
        """Return the record's cipher; raises `RecordGone` if it was erased, `RecordDamaged` if altered."""
        if self.erased:
            raise RecordGone
        try:
            key = segment_key.decrypt(
                self.wrapped_key[:NONCE_BYTES], self.wrapped_key[NONCE_BYTES:], self.record_id.bytes
            )
        except InvalidTag as error:
            raise RecordDamaged("a landed record's key does not open") from error
        return AESGCM(key)


def padded(length: int) -> int:
    """Round up to whole pages."""
    return -(-length // PAGE) * PAGE


def record_bytes(envelope_length: int, head_length: int, body_length: int) -> int:
    """Return how much of a segment a record takes."""
    return padded(HEADER_BYTES + envelope_length + head_length + body_length + 3 * TAG_BYTES)


def record_header(
    kind: int, epoch: int, segment: int, sequence: int, record_id: bytes, lengths: tuple[int, int, int]
) -> bytes:
    """Return the first 68 bytes of a record; nonce and wrapped key follow at `KEY_AT`."""
    header = _record.pack(RECORD_MAGIC, kind, FORMAT, 0, epoch, segment, sequence, record_id, *lengths)
    return header + _crc.pack(zlib.crc32(header))


def parse_record_header(data: bytes | memoryview, epoch: int, number: int, room: int) -> RecordHeader | None:
    """Return a record's header, or none if these bytes are no record of this segment and epoch.

    `room` is how many bytes of the segment are left from here: a record that claims more is none.
    """
    if len(data) < HEADER_BYTES or data[:4] != RECORD_MAGIC:
        return None
    if _crc.unpack_from(data, 64)[0] != zlib.crc32(data[:64]):
        return None
    _, kind, form, _, its_epoch, its_number, sequence, record_id, envelope, head, body = _record.unpack_from(data, 0)
    if its_epoch != epoch or its_number != number or form != FORMAT or kind not in (INLINE, LARGE):
        return None
    header = RecordHeader(
        kind, its_epoch, its_number, sequence, UUID(bytes=bytes(record_id)), envelope, head, body,
        bytes(data[KEY_AT:HEADER_BYTES]),
    )  # fmt: skip
    return header if header.stored_bytes <= room else None


def new_epoch() -> int:
    """Return a random epoch, 1 to 2⁶²."""
    return secrets.randbits(62) + 1


def new_segment_page(number: int, epoch: int, size: int, wrapped_key: bytes) -> bytes:
    """Return the first page of a fresh segment; its key is wrapped in its `segment_context`."""
    return segment_block(number, epoch, size, wrapped_key).ljust(PAGE, b"\0")


def segment_block(number: int, epoch: int, size: int, wrapped_key: bytes) -> bytes:
    """Return a segment's header, as it stands at the page's begin."""
    block = _segment.pack(SEGMENT_MAGIC, FORMAT, len(wrapped_key), 0, epoch, number, size) + wrapped_key
    return block + _crc.pack(zlib.crc32(block))


def segment_context(number: int, epoch: int) -> bytes:
    """Return what a segment key is bound to."""
    return b"landing segment" + struct.pack("<QQ", number, epoch)


def seal_block(epoch: int, end: int) -> bytes:
    """Return what is written at `SEAL_AT` once nothing more is appended."""
    seal = _seal.pack(SEAL_MAGIC, epoch, end)
    return seal + _crc.pack(zlib.crc32(seal))


def parse_segment_page(page: bytes) -> SegmentHeader | None:
    """Return a segment's header, or none if this is no (or no longer a) segment."""
    if len(page) < PAGE:
        return None
    found = _parse_block(page, 0) or _parse_block(page, SPARE_AT)
    if found is None:
        return None
    epoch, number, size, wrapped_key = found
    sealed_end = None
    magic, its_epoch, seal_end = _seal.unpack_from(page, SEAL_AT)
    seal_crc = _crc.unpack_from(page, SEAL_AT + _seal.size)[0]
    if magic == SEAL_MAGIC and its_epoch == epoch and seal_crc == zlib.crc32(page[SEAL_AT : SEAL_AT + _seal.size]):
        sealed_end = seal_end
    return SegmentHeader(epoch, number, size, wrapped_key, sealed_end)


def _parse_block(page: bytes, at: int) -> tuple[int, int, int, bytes] | None:
    """Return epoch, number, size and wrapped key of the header at `at`, none if there is no whole one."""
    magic, form, key_length, _, epoch, number, size = _segment.unpack_from(page, at)
    end = at + _segment.size + key_length
    if magic != SEGMENT_MAGIC or form != FORMAT or end + 4 > at + SPARE_AT:
        return None
    if _crc.unpack_from(page, end)[0] != zlib.crc32(page[at:end]):
        return None
    return epoch, number, size, page[at + _segment.size : end]


def open_part(cipher: AESGCM, nonce: bytes, sealed: bytes | memoryview, record_id: UUID) -> bytes:
    """Decrypt one part of a record; raises `RecordDamaged`."""
    try:
        return cipher.decrypt(nonce, sealed, record_id.bytes)
    except InvalidTag as error:
        raise RecordDamaged from error


def segment_path_number(name: str) -> int | None:
    """Return N of `seg-N.seg`, or none for another name."""
    digits = name[4:-4]
    return int(digits) if name.startswith("seg-") and name.endswith(".seg") and digits.isdigit() else None


def segment_name(number: int) -> str:
    """Return a segment's file name."""
    return f"seg-{number:010d}.seg"

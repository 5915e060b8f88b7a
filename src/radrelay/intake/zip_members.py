"""Members of a ZIP archive (APPNOTE.TXT 6.3.10) by its central directory, or by local headers where that is broken.

Random access lets a damaged, encrypted or oversized member be passed over without losing its neighbours. Nothing is
believed before it is checked: sizes are counted while they are read, checksums compared at the end.
"""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import imagecodecs
from stream_inflate import stream_inflate64  # type: ignore[import-untyped]

from radrelay.intake.errors import ArchiveRefused
from radrelay.intake.scratch import ByteSource

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY, _SIGNED = b"PK\x01\x02", b"PK\x05\x05"
_MOST_ENTRY = _CENTRAL.size + 3 * 0xFFFF
SMALL_BYTES = 4 << 20
_READ_BYTES = 256 << 10
_OUT_BYTES = 256 << 10
_DESCRIPTOR_FOLLOWS = 0x08
_UTF8 = 0x800
STORED, DEFLATED, DEFLATE64, BZIP2 = 0, 8, 9, 12
METHODS = {STORED, DEFLATED, DEFLATE64, BZIP2}


class MemberDamaged(ArchiveRefused):
    """This member of the archive is damaged."""

    code = "damaged"


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive. Sizes and CRC are none when only the data tell (recovery by local headers)."""

    index: int
    name: str
    flags: int
    method: int
    crc: int | None
    packed_bytes: int | None
    plain_bytes: int | None
    header_offset: int
    mode: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder's entry."""
        return self.name.endswith(("/", "\\")) and not self.plain_bytes

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link of a UNIX system."""
        return self.mode & 0o170000 == 0o120000

    @property
    def is_encrypted(self) -> bool:
        """Whether a password would be needed."""
        return bool(self.flags & 0x2041)


@dataclass(frozen=True, slots=True)
class Listing:
    """An archive's members, how many it says it has, and what is wrong with its directory."""

    members: Iterator[Member]
    count: int | None
    damage: str = ""


def list_members(source: ByteSource) -> Listing:
    """List the members of `source`; by local headers when the directory at its end is missing or wrong.

    The directory counts, not the number of its entries beside it: that has 16 bits, and zippers that know no ZIP64 let
    it wrap. A number that is another one is damage all the same: files may be missing.
    """
    try:
        start, size, count, shift = _find_directory(source)
        damage = _contradiction(source, start, size, count)
    except MemberDamaged as error:
        return Listing(_by_local_headers(source), None, error.message)
    return Listing(_by_directory(source, start, size, shift, apart=bool(damage)), count, damage)


def _contradiction(source: ByteSource, start: int, size: int, count: int) -> str:
    """Return how a directory has more entries than were said, nothing if it has as many.

    Raises `MemberDamaged` for one that breaks off, or has fewer: of those some may have been swallowed.
    """
    found, at = 0, start
    for entry in _entries(source, start, size):
        found, at = found + 1, at + len(entry)
        if found > count:
            return f"the archive says that it has {count} files, and its directory names more"
    if at < start + size and source.read(at, 4) != _SIGNED:
        raise MemberDamaged(f"the archive's directory breaks off after {found} of {count} entries")
    if found < count:
        raise MemberDamaged(f"the archive says that it has {count} files, and its directory names {found}")
    return ""


def _find_directory(source: ByteSource) -> tuple[int, int, int, int]:
    """Return where the central directory starts, its bytes, its entries, and what to add to its offsets."""
    tail_start = max(0, source.size - 65_557 - _END64_LOCATOR.size)
    tail = source.read(tail_start, source.size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise MemberDamaged("the archive is cut off: its directory is missing")
    _, _, _, _, count, size, offset, _ = _END.unpack_from(tail, at)
    end, locator_at = tail_start + at, at - _END64_LOCATOR.size
    if locator_at >= 0 and tail[locator_at : locator_at + 4] == b"PK\x06\x07":
        far = _END64_LOCATOR.unpack_from(tail, locator_at)[2]
        raw = source.read(far, _END64.size)
        if len(raw) == _END64.size and raw[:4] == b"PK\x06\x06":  # some write it for archives that need none, too
            end, (count, size, offset) = far, _END64.unpack(raw)[7:10]
    if 0xFFFFFFFF in (size, offset):
        raise MemberDamaged("the archive's ZIP64 directory is missing")
    shift = end - size - offset
    if size > end or shift < 0 or (size and source.read(offset + shift, 4) not in (_ENTRY, _SIGNED)):
        raise MemberDamaged("the archive's directory is not where it should be")
    return offset + shift, size, count, shift


def _entries(source: ByteSource, start: int, size: int) -> Iterator[bytes]:
    """Yield each entry of a directory as its bytes, to its end or to what is none."""
    held, at = b"", start
    block, end = start, start + size
    while at + _CENTRAL.size <= end:
        if at + _MOST_ENTRY > block + len(held) < end:
            held, block = source.read(at, min(_READ_BYTES, end - at)), at
        head = held[at - block : at - block + _CENTRAL.size]
        if len(head) < _CENTRAL.size or head[:4] != _ENTRY:
            return
        name, extra, comment = _CENTRAL.unpack(head)[10:13]
        length = _CENTRAL.size + name + extra + comment
        entry = held[at - block : at - block + length]
        if len(entry) < length - comment:
            return
        yield entry
        at += length


def _by_directory(source: ByteSource, start: int, size: int, shift: int, *, apart: bool) -> Iterator[Member]:
    """Yield the members that a directory names; `apart`: whoever reads on does not look whether they overlap."""
    all_packed = 0
    for index, entry in enumerate(_entries(source, start, size)):
        fields = _CENTRAL.unpack_from(entry)
        flags, method, crc, packed, plain = fields[3], fields[4], fields[7], fields[8], fields[9]
        name_length, extra_length = fields[10:12]
        variable = entry[_CENTRAL.size : _CENTRAL.size + name_length + extra_length]
        extra = variable[name_length:]
        plain, packed, offset = _zip64_sizes(extra, plain, packed, fields[16])
        made_on_unix = fields[1] >> 8 == 3
        all_packed += packed
        if apart and all_packed > source.size:
            raise ArchiveRefused("the archive's files overlap each other, as no ordinary archive's do")
        yield Member(
            index,
            decode_name(variable[:name_length], flags, extra),
            flags,
            method,
            crc,
            packed,
            plain,
            offset + shift,
            fields[15] >> 16 if made_on_unix else 0,
        )


def _by_local_headers(source: ByteSource) -> Iterator[Member]:
    at, index = _next_local(source, 0), 0
    while at is not None:
        raw = source.read(at, _LOCAL.size)
        if len(raw) < _LOCAL.size:
            return
        _, _, flags, method, _, _, crc, packed, plain, name_length, extra_length = _LOCAL.unpack(raw)
        variable = source.read(at + _LOCAL.size, name_length + extra_length)
        plain, packed, _ = _zip64_sizes(variable[name_length:], plain, packed, 0)
        known = not flags & _DESCRIPTOR_FOLLOWS or packed > 0
        yield Member(
            index,
            decode_name(variable[:name_length], flags, variable[name_length:]),
            flags,
            method,
            crc if known else None,
            packed if known else None,
            plain if known else None,
            at,
        )
        index += 1
        at = _next_local(source, at + _LOCAL.size + name_length + extra_length + (packed if known else 0))


def _next_local(source: ByteSource, start: int) -> int | None:
    """Return where the next local header's signature stands at or after `start`."""
    while start < source.size:
        block = source.read(start, _READ_BYTES)
        found = block.find(b"PK\x03\x04")
        if found >= 0:
            return start + found
        if len(block) < _READ_BYTES:
            return None
        start += len(block) - 3
    return None


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, at)
        yield tag, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _zip64_sizes(extra: bytes, plain: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Take from the ZIP64 field (4.5.3) the values that do not fit into 32 bits."""
    values = [plain, packed, offset]
    for tag, content in _extra_fields(extra):
        if tag == 0x0001:
            at = 0
            for place, value in enumerate(values):
                if value == 0xFFFFFFFF and at + 8 <= len(content):
                    values[place] = struct.unpack_from("<Q", content, at)[0]
                    at += 8
    return values[0], values[1], values[2]


def decode_name(raw: bytes, flags: int, extra: bytes = b"") -> str:
    """Decode a member's name: UTF-8 when flagged or when it is, the Unicode path field, else code page 437."""
    if not flags & _UTF8:
        for tag, content in _extra_fields(extra):
            if tag == 0x7075 and len(content) > 5 and struct.unpack_from("<L", content, 1)[0] == zlib.crc32(raw):
                return content[5:].decode("utf-8", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if flags & _UTF8 else raw.decode("cp437")


def is_small(member: Member) -> bool:
    """Whether a member is best read in one go: deflated, of known and modest size."""
    return (
        member.method == DEFLATED
        and member.plain_bytes is not None
        and 0 < member.plain_bytes <= SMALL_BYTES
        and member.packed_bytes is not None
        and member.packed_bytes <= SMALL_BYTES
    )


def read_small(source: ByteSource, member: Member) -> bytes:
    """Return the plain bytes of a small member; raises `MemberDamaged`.

    libdeflate inflates whole buffers about 1.6 times as fast as zlib's stream does and releases the interpreter.
    """
    start, end = _extent(source, member)
    try:
        packed = source.read(start, end - start)
        plain = bytes(imagecodecs.deflate_decode(packed, raw=True, out=member.plain_bytes))
    except imagecodecs.DeflateError:
        return b"".join(_checked(member, _inflated(_packed(source, start, end))))
    if len(plain) != member.plain_bytes or imagecodecs.deflate_crc32(plain) != member.crc:
        return b"".join(_checked(member, iter([plain])))
    return plain


def read_member(source: ByteSource, member: Member) -> Iterator[bytes]:
    """Give the plain bytes of `member` in pieces; raises `MemberDamaged` at the first thing that is wrong."""
    start, end = _extent(source, member)
    return _checked(member, _DECODERS[member.method](_packed(source, start, end)))


def _extent(source: ByteSource, member: Member) -> tuple[int, int]:
    """Return where a member's packed bytes begin and end."""
    raw = source.read(member.header_offset, _LOCAL.size)
    if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
        raise MemberDamaged("the member is not where the directory says")
    fields = _LOCAL.unpack(raw)
    start = member.header_offset + _LOCAL.size + fields[9] + fields[10]
    end = source.size if member.packed_bytes is None else start + member.packed_bytes
    if end > source.size:
        raise MemberDamaged("the member is cut off")
    return start, end


def _checked(member: Member, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pass `pieces` on and compare their sum and checksum with what the archive says at the end."""
    crc, count = 0, 0
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
        count += len(piece)
        if member.plain_bytes is not None and count > member.plain_bytes:
            raise MemberDamaged(f"the member unpacks to more than the {member.plain_bytes} bytes it says")
        yield piece
    if member.plain_bytes is not None and count != member.plain_bytes:
        raise MemberDamaged(f"the member unpacks to {count} bytes, not to the {member.plain_bytes} it says")
    if member.crc is not None and crc != member.crc:
        raise MemberDamaged("the member's checksum (CRC-32) is wrong")


def _packed(source: ByteSource, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = source.read(start, min(_READ_BYTES, end - start))
        if not piece:
            raise MemberDamaged("the member is cut off")
        yield piece
        start += len(piece)


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            rest = piece
            while not engine.eof:
                plain = engine.decompress(rest, _OUT_BYTES)
                rest = engine.unconsumed_tail
                if plain:
                    yield plain
                if not rest and len(plain) < _OUT_BYTES:
                    break
            if engine.eof:
                return
    except zlib.error as error:
        raise MemberDamaged(f"the member's deflate stream is broken: {error}") from error
    raise MemberDamaged("the member's deflate stream is cut off")


def _inflated64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflate, is_done, _ = stream_inflate64()
    try:
        for piece in pieces:
            for plain in inflate((piece,)):
                for start in range(0, len(plain), _OUT_BYTES):
                    yield plain[start : start + _OUT_BYTES]
            if is_done():
                return
    except (ValueError, LookupError) as error:
        raise MemberDamaged(f"the member's Deflate64 stream is broken: {error}") from error
    raise MemberDamaged("the member's Deflate64 stream is cut off")


def _bunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    engine = bz2.BZ2Decompressor()
    try:
        for piece in pieces:
            rest = piece
            while not engine.eof and (rest or not engine.needs_input):
                plain = engine.decompress(rest, _OUT_BYTES)
                rest = b""
                if plain:
                    yield plain
            if engine.eof:
                return
    except OSError as error:
        raise MemberDamaged(f"the member's bzip2 stream is broken: {error}") from error
    raise MemberDamaged("the member's bzip2 stream is cut off")


_DECODERS: dict[int, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    STORED: lambda pieces: pieces,
    DEFLATED: _inflated,
    DEFLATE64: _inflated64,
    BZIP2: _bunzipped,
}

"""The few facts that a compressed frame tells of itself, read from its first markers without decoding it.

In: the bytes of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K frame. Out: size, components, precision, sign and colour
marks, so that a decoder is only started on a picture of the expected size (ITU-T T.81, T.87, T.800).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import accumulate

from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import BrokenPixels

_HEAD_BYTES = 4096
_TLM, _SOT = 0xFF55, 0xFF90


@dataclass(frozen=True, slots=True)
class CodeStream:
    """What the markers say."""

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    jfif: bool = False
    adobe_transform: int | None = None
    component_ids: bytes = b""
    colour_transform: bool = False
    start_of_frame: int = 0
    subsampled: bool = False
    reversible: bool = True
    decompositions: int = 0
    high_throughput: bool = False


def read_jpeg(data: Buffer) -> CodeStream:
    """Read the markers of a JPEG or JPEG-LS stream up to its frame header (T.81 B.2.2, T.87 C.2.2)."""
    view = memoryview(data)
    at = 2 if bytes(view[:2]) == b"\xff\xd8" else -1
    jfif, adobe = False, None
    while at >= 0 and at + 4 <= len(view):
        if view[at] != 0xFF:
            break
        marker = view[at + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        length = struct.unpack_from(">H", view, at + 2)[0]
        body = view[at + 4 : at + 2 + length]
        if marker == 0xE0 and bytes(body[:4]) == b"JFIF":
            jfif = True
        elif marker == 0xEE and bytes(body[:5]) == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return _frame_header(body, marker, jfif, adobe)
        at += 2 + length
    raise BrokenPixels("The frame holds no JPEG picture.")


def _frame_header(body: memoryview, marker: int, jfif: bool, adobe: int | None) -> CodeStream:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise BrokenPixels("The JPEG frame header is cut off.")
    precision, rows, columns, components = struct.unpack_from(">BHHB", body)
    identifiers = bytes(body[6 : 6 + 3 * components : 3])
    factors = {bytes(body[7 + 3 * n : 8 + 3 * n]) for n in range(components)}
    return CodeStream(
        rows=rows,
        columns=columns,
        components=components,
        precision=precision,
        jfif=jfif,
        adobe_transform=adobe,
        component_ids=identifiers,
        start_of_frame=marker,
        subsampled=len(factors) > 1,
    )


def is_near_lossless(data: Buffer) -> bool:
    """Return whether a JPEG-LS stream's first scan lets samples differ from what they were (NEAR, T.87 C.2.3)."""
    plain = bytes(memoryview(data)[:_HEAD_BYTES])
    at = plain.find(b"\xff\xf7")
    scan = plain.find(b"\xff\xda", at)
    if min(at, scan) < 0 or scan + 5 > len(plain):
        raise BrokenPixels("The JPEG-LS stream has no scan.")
    near = scan + 5 + 2 * plain[scan + 4]
    return near < len(plain) and plain[near] > 0


def read_j2k(data: Buffer) -> CodeStream:
    """Read the SIZ and COD markers of a JPEG 2000 or HTJ2K stream, inside a JP2 box or bare (T.800 A.5.1, A.6.1)."""
    head = bytes(memoryview(data)[:_HEAD_BYTES])
    at = _siz(head)
    length, capabilities, right, bottom, left, top = struct.unpack_from(">HHIIII", head, at + 4)
    components = struct.unpack_from(">H", head, at + 40)[0]
    depth = head[at + 42]
    coding = _coding_style(head, at + 4 + length)
    return CodeStream(
        rows=bottom - top,
        columns=right - left,
        components=components,
        precision=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        colour_transform=coding[3] == 1,
        decompositions=coding[4],
        reversible=coding[8] == 1,
        high_throughput=bool(capabilities & 0x4000),
    )


def name_precision(data: Buffer, bits: int) -> bytes:
    """Return a JPEG 2000 or HTJ2K stream whose components say that they have `bits` bits, their sign as it was.

    A reversible stream's coefficients do not depend on it, only the level shift of unsigned samples (T.800 A.5.1, G.1).
    """
    stream = bytearray(data)
    at = _siz(stream[:_HEAD_BYTES])
    (components,) = struct.unpack_from(">H", stream, at + 40)
    for place in range(at + 42, at + 42 + 3 * components, 3):
        stream[place] = (stream[place] & 0x80) | (bits - 1)
    return bytes(stream)


def _siz(head: bytes | bytearray) -> int:
    """Return where a code stream begins with its SIZ marker (T.800 A.5.1)."""
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 44 > len(head):
        raise BrokenPixels("The frame holds no JPEG 2000 code stream.")
    return at


def _coding_style(head: bytes, at: int) -> bytes:
    """Return the COD segment after its style byte: progression, layers, transform, levels, …, wavelet."""
    while at + 14 <= len(head):
        marker, size = struct.unpack_from(">HH", head, at)
        if marker == 0xFF52:
            # order, layers (2), multiple component transform, levels, block width, height, style, wavelet
            return head[at + 5 : at + 14]
        if marker in (0xFF90, 0xFF93):
            break
        at += 2 + size
    raise BrokenPixels("The JPEG 2000 code stream names no coding style.")


def resolution_ends(stream: bytes) -> tuple[int, ...]:
    """Return where each resolution of a stream as `htj2k.encode_frame` writes it ends, the coarsest first.

    It has a tile-part for each, their lengths in TLM segments (T.800 A.7.1); nothing where the stream does not tell.
    """
    if stream[:2] != b"\xff\x4f":
        return ()
    lengths: list[int] = []
    at = 2
    while at + 4 <= len(stream):
        marker = int.from_bytes(stream[at : at + 2], "big")
        if marker == _SOT:
            return tuple(accumulate(lengths, initial=at))[1:]
        size = int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == _TLM:
            lengths += _tile_parts(stream[at + 4 : at + 2 + size])
        if size < 2:
            return ()
        at += 2 + size
    return ()


def _tile_parts(segment: bytes) -> list[int]:
    """Return the tile-parts' lengths in a TLM segment, given from its Ztlm on."""
    if len(segment) < 2:
        return []
    form = segment[1]
    tile_bytes, length_bytes = form >> 4 & 3, 4 if form & 0x40 else 2
    step = tile_bytes + length_bytes
    return [
        int.from_bytes(segment[at + tile_bytes : at + step], "big") for at in range(2, len(segment) - step + 1, step)
    ]

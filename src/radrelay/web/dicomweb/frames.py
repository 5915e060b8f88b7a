"""Frames as DICOMweb hands them out: as stored where the client takes that, otherwise decoded or encoded anew.

Uncompressed frames are `application/octet-stream`, compressed ones the media type of their codec (PS3.18 8.7.3.5).
Uncompressed ones have the layout that the metadata says: planes, unused bits and chroma as they were received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from radrelay.archive.reader import StoredFrame
from radrelay.dicom import syntaxes
from radrelay.dicom.decode import Decoded, can_decode, decode_stored
from radrelay.dicom.encode import ENCODERS, NotTranscodable
from radrelay.dicom.pixels import FrameDescriptor
from radrelay.errors import Invalid
from radrelay.web.dicomweb.negotiation import DEFAULT_SYNTAX, FRAME_MEDIA, OCTETS, NotAcceptable, Range

MAX_NUMBERS = 10_000
RANGED_LIMIT = 256 << 20  # of pixel data of which ranges are cut
ENCODED = (
    syntaxes.JPEG_LS_LOSSLESS,
    syntaxes.J2K_LOSSLESS,
    syntaxes.HTJ2K_LOSSLESS,
    syntaxes.HTJ2K_LOSSLESS_RPCL,
    syntaxes.RLE_LOSSLESS,
)


_ALSO = (syntaxes.HTJ2K_LOSSLESS, syntaxes.HTJ2K_LOSSLESS_RPCL)
"""What stands in the second syntax is valid in the first, too (PS3.5 A.4.12)."""


class BadFrameList(Invalid):
    """Frames are a comma list of numbers from 1."""

    code = "bad-frame-list"


@dataclass(frozen=True, slots=True)
class Choice:
    """How frames are given."""

    media: str
    syntax: str
    multipart: bool

    @property
    def content_type(self) -> str:
        """Return the content type of one frame."""
        return f"{self.media}; transfer-syntax={self.syntax}"


def parse_numbers(text: str) -> list[int]:
    """Read a comma list of frame numbers; raises `BadFrameList`."""
    pieces = text.split(",")
    if not all(piece.isascii() and piece.isdigit() and len(piece) < 10 for piece in pieces):
        raise BadFrameList
    numbers = [int(piece) for piece in pieces]
    if min(numbers) < 1 or len(numbers) > MAX_NUMBERS:
        raise BadFrameList
    return numbers


def choose(ranges: Sequence[Range], descriptor: FrameDescriptor, received: str, count: int) -> Choice:
    """Choose media type and transfer syntax from what is stored and what the client accepts.

    `descriptor` is of the frames as they are kept, `received` the transfer syntax of the object: where any will do,
    it is that one. A client that names a media type without a transfer syntax takes what is stored of that type, too.
    """
    kept = descriptor.ts
    for range_ in ranges:
        chosen = _for_range(range_, kept, received)
        if chosen is not None:
            return Choice(*chosen, _multipart(range_, count))
    for range_ in ranges:
        if range_.syntax == "" and FRAME_MEDIA.get(kept) == range_.media:
            return Choice(range_.media, kept, _multipart(range_, count))
    raise NotAcceptable("none of the accepted media types and transfer syntaxes can be given")


def _multipart(range_: Range, count: int) -> bool:
    return range_.multipart or range_.media == "*/*" or count > 1


def _for_range(range_: Range, kept: str, received: str) -> tuple[str, str] | None:
    """Return media type and transfer syntax for one range, none if it takes nothing that can be given."""
    media, as_received = FRAME_MEDIA.get(kept), FRAME_MEDIA.get(received)
    if range_.media == "*/*" and range_.syntax == "*" and as_received is not None:
        return as_received, received
    named = range_.exactness > 0 or range_.syntax == kept
    if media is not None and named and range_.allows(media, kept):
        return media, kept
    return _made(range_) if can_decode(syntaxes.syntax_of(kept)) else None


def _made(range_: Range) -> tuple[str, str] | None:
    """Return what decoded frames can be made into for a range."""
    if range_.allows(OCTETS, syntaxes.EXPLICIT_LE):
        return OCTETS, syntaxes.EXPLICIT_LE
    wanted = range_.syntax or DEFAULT_SYNTAX.get(range_.media, "")
    if wanted in ENCODED and range_.exactness and range_.names(FRAME_MEDIA[wanted]):
        return FRAME_MEDIA[wanted], wanted
    return None


def body(frame: StoredFrame, syntax: str) -> bytes:
    """Return one frame in `syntax`; raises `NotTranscodable` or `BrokenPixels`."""
    kept = frame.descriptor.ts
    if (syntax == kept and syntaxes.syntax_of(kept).encapsulated) or (syntax, kept) == _ALSO:
        return frame.data
    if syntax in ENCODED:
        return _encoded(frame, syntax)
    return _plain(frame)


def _plain(frame: StoredFrame) -> bytes:
    """Return the samples of a frame in little endian order, laid out as the metadata says."""
    descriptor, recipe = frame.descriptor, frame.recipe
    if recipe is not None and not (recipe.big_endian or recipe.word_swapped):
        return frame.as_received()
    syntax = descriptor.syntax
    whole_bytes = descriptor.frame_bits % 8 == 0 and not frame.bit_offset
    if not syntax.encapsulated and syntax.little_endian and whole_bytes:
        return frame.data.ljust(descriptor.frame_bytes, b"\0")[: descriptor.frame_bytes]
    decoded = decode_stored(descriptor, frame.data, frame.bit_offset, own=frame.own)
    if descriptor.bits_allocated == 1:
        return np.packbits(decoded.samples.reshape(-1).astype(np.uint8), bitorder="little").tobytes()
    samples = decoded.samples
    if samples.ndim == 3 and (recipe.planar if recipe is not None else descriptor.planar == 1):
        samples = np.moveaxis(samples, -1, 0)
    return np.ascontiguousarray(samples).astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()


def _encoded(frame: StoredFrame, syntax: str) -> bytes:
    decoded: Decoded = decode_stored(frame.descriptor, frame.data, frame.bit_offset, own=frame.own)
    encoder = ENCODERS[syntaxes.syntax_of(syntax).codec]
    if frame.descriptor.bits_allocated > encoder.widest or frame.descriptor.bits_allocated == 1:
        raise NotTranscodable(f"{syntaxes.syntax_of(syntax).name} does not hold these samples.")
    plain = replace(frame.descriptor, photometric=decoded.photometric)
    try:
        return bytes(encoder.write(decoded.samples, plain, decoded.photometric))
    except (RuntimeError, ValueError) as fault:
        raise NotTranscodable(f"A frame cannot be written so: {fault}") from fault

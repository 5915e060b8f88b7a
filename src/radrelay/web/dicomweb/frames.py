"""Frames as DICOMweb hands them out: as stored where the client takes that, otherwise decoded to little endian samples.

Uncompressed frames are `application/octet-stream`, compressed ones the media type of their codec (PS3.18 8.7.3.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radrelay.archive.reader import StoredFrame
from radrelay.dicom import syntaxes
from radrelay.dicom.decode import decode_stored
from radrelay.errors import Invalid
from radrelay.web.dicomweb.negotiation import FRAME_MEDIA, OCTETS, NotAcceptable, Range

MAX_NUMBERS = 10_000


class BadFrameList(Invalid):
    """Frames are a comma list of numbers from 1."""

    code = "bad-frame-list"


@dataclass(frozen=True, slots=True)
class Choice:
    """How frames are given."""

    media: str
    syntax: str
    multipart: bool


def parse_numbers(text: str) -> list[int]:
    """Read a comma list of frame numbers; raises `BadFrameList`."""
    try:
        numbers = [int(piece) for piece in text.split(",")]
    except ValueError as error:
        raise BadFrameList from error
    if not numbers or min(numbers) < 1 or len(numbers) > MAX_NUMBERS:
        raise BadFrameList
    return numbers


def choose(ranges: Sequence[Range], first: StoredFrame, count: int) -> Choice:
    """Choose media type and transfer syntax from what is stored and what the client accepts."""
    stored = first.descriptor.ts
    media = FRAME_MEDIA.get(stored)
    for accepted in ranges:
        single = not accepted.multipart and accepted.media != "*/*" and count == 1
        if media is not None and accepted.media != "*/*" and accepted.allows(media, stored):
            return Choice(media, stored, not single)
        if accepted.media in ("*/*", "*") and accepted.syntax in ("*", stored) and media is not None:
            return Choice(media, stored, not single)
        if accepted.allows(OCTETS, syntaxes.EXPLICIT_LE):
            return Choice(OCTETS, syntaxes.EXPLICIT_LE, not single)
    raise NotAcceptable("frames can be given as application/octet-stream or as they are stored")


def content_type(choice: Choice) -> str:
    """Return the content type of one frame."""
    return f"{choice.media}; transfer-syntax={choice.syntax}"


def body(frame: StoredFrame, syntax: str) -> bytes:
    """Return one frame in `syntax`: as stored, or as samples (PS3.5 8.1.1; 1-bit frames packed anew)."""
    if syntax == frame.descriptor.ts:
        return frame.data
    decoded = decode_stored(frame.descriptor, frame.data, frame.bit_offset).samples
    if frame.descriptor.bits_allocated == 1:
        return np.packbits(decoded.reshape(-1).astype(np.uint8), bitorder="little").tobytes()
    little = decoded.dtype.newbyteorder("<")
    return np.ascontiguousarray(decoded).astype(little, copy=False).tobytes()

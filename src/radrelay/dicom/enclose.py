"""Kept HTJ2K frames handed out in a data set without decoding them.

In: an object as the lossless recipe parted it (`htj2k.split`). Out: the data set that `transcode` would write for
HTJ2K, byte for byte, or none where it has to be transcoded after all: a code stream that carries all allocated bits
is none of a header that names fewer as Bits Stored (PS3.5 8.2.16).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from radrelay.dicom.codestreams import read_j2k
from radrelay.dicom.elements import PIXEL_DATA, DataElements
from radrelay.dicom.encapsulated import EXTENDED_TABLES, encapsulate
from radrelay.dicom.htj2k import Recipe
from radrelay.dicom.pixels import FrameDescriptor
from radrelay.dicom.rewrite import NewElement, Rules, rewrite
from radrelay.dicom.syntaxes import HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, syntax_of

TARGETS = (HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL)
_UNDEFINED = 0xFFFFFFFF


def enclose(
    prefix: bytes, frames: Sequence[bytes], suffix: bytes, descriptor: FrameDescriptor, recipe: Recipe, received: str
) -> bytes | None:
    """Return the data set with its kept frames encapsulated, none if it does not hold them as they are.

    `prefix` and `suffix` stand around the frames in the data set as received, whose transfer syntax is `received`.
    """
    source = syntax_of(received)
    if recipe.word_swapped or not source.little_endian or not _conform(frames, descriptor):
        return None
    (length,) = struct.unpack("<I", prefix[-4:])  # of the pixel data: the prefix ends where its value begins
    padding = length - recipe.frames * recipe.rows * recipe.columns * recipe.samples * recipe.word_bytes
    if length == _UNDEFINED or not 0 <= padding <= len(suffix):
        return None
    header = prefix[:-4] + bytes(4) + suffix[padding:]
    elements = DataElements.of(header, source)
    signed = elements.integers(0x00280103)[:1] == [1]
    edits: dict[int, NewElement | None] = {tag: None for tag in EXTENDED_TABLES if tag in elements}
    edits[PIXEL_DATA] = NewElement(PIXEL_DATA, b"OB", encapsulate(frames), undefined=True)
    if descriptor.samples > 1:
        edits[0x00280006] = NewElement(0x00280006, b"US", b"\0\0")
    if descriptor.photometric == "YBR_RCT" and descriptor.samples > 1:
        edits[0x00280004] = NewElement(0x00280004, b"CS", b"YBR_RCT ")
    return b"".join(rewrite(header, Rules(elements.explicit), Rules(explicit=True), edits, signed=signed))


def _conform(frames: Sequence[bytes], descriptor: FrameDescriptor) -> bool:
    """Return whether the code streams say of their samples what the header says of the pixels (PS3.5 8.2.16)."""
    if descriptor.high_bit != descriptor.bits_stored - 1:
        return False
    streams = map(read_j2k, frames)
    return all(s.precision == descriptor.bits_stored and s.signed == descriptor.signed for s in streams)

"""Kept HTJ2K frames handed out in a data set without decoding them.

In: an object as the lossless recipe parted it (`htj2k.split`). Out: the data set that `transcode` would write for
HTJ2K, byte for byte, or none where it has to be transcoded after all: kept code streams carry all allocated bits, so
Bits Stored must be all of them, too (PS3.5 8.2.16).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from radrelay.dicom.elements import PIXEL_DATA, DataElements
from radrelay.dicom.encapsulated import encapsulate
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
    whole_words = descriptor.bits_stored == descriptor.bits_allocated == descriptor.high_bit + 1
    if not whole_words or descriptor.samples != 1 or recipe.word_swapped or not source.little_endian:
        return None
    (length,) = struct.unpack("<I", prefix[-4:])  # of the pixel data: the prefix ends where its value begins
    padding = length - recipe.frames * recipe.rows * recipe.columns * recipe.word_bytes
    if length == _UNDEFINED or not 0 <= padding <= len(suffix):
        return None
    header = prefix[:-4] + bytes(4) + suffix[padding:]
    elements = DataElements.of(header, source)
    signed = elements.integers(0x00280103)[:1] == [1]
    pixels = NewElement(PIXEL_DATA, b"OB", encapsulate(frames), undefined=True)
    return b"".join(
        rewrite(header, Rules(elements.explicit), Rules(explicit=True), {PIXEL_DATA: pixels}, signed=signed)
    )

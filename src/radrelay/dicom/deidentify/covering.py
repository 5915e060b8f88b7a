"""Rectangles of pixels blacked out, the rest untouched (PS3.15 E.3.1).

In: a data set with pixels and rectangles. Out: the data set with them black, in its own transfer syntax where that is
written here without loss, else uncompressed. Nothing of the former samples stays: every word of a rectangle is set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from radrelay.dicom.deidentify.regions import Rectangle
from radrelay.dicom.elements import PIXEL_DATA, Buffer, DataElements
from radrelay.dicom.encode import ENCODERS
from radrelay.dicom.errors import Malformed
from radrelay.dicom.pixels import FrameDescriptor, Pixels, describe
from radrelay.dicom.rewrite import NewElement, Rules, rewrite
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import transcode

_BLACK_YBR = (0, 128, 128)


class Covered(NamedTuple):
    """A data set with rectangles black, and its transfer syntax."""

    data_set: bytes
    ts: str


def cover(data_set: Buffer, ts: str, rectangles: tuple[Rectangle, ...]) -> Covered:
    """Return a data set with rectangles (x, y, width, height) of all its frames black.

    Raises
    ------
    NotTranscodable, NotViewable, BrokenPixels, Malformed
        When the pixels cannot be decoded, are of a kind that is not covered here, or too few.
    """
    syntax = syntax_of(ts)
    native = bytes(data_set) if ts == EXPLICIT_LE else transcode(data_set, ts, EXPLICIT_LE)
    plain = syntax_of(EXPLICIT_LE)
    elements = DataElements.of(native, plain)
    place = elements.places.get(PIXEL_DATA)
    if place is None:
        raise Malformed("There are no integer pixels to cover.")
    descriptor = describe(elements, EXPLICIT_LE, place.vr)
    if descriptor.subsampled or descriptor.bits_allocated not in (8, 16, 32):
        raise Malformed("Pixels of this kind are not covered here.")
    pixels = bytearray(native[place.value : place.end])
    _blacken(pixels, descriptor, rectangles)
    edit = NewElement(PIXEL_DATA, place.vr or b"OW", bytes(pixels))
    rules = Rules(elements.explicit)
    covered = b"".join(rewrite(native, rules, rules, {PIXEL_DATA: edit}))
    if syntax.lossless and (syntax.codec in ENCODERS or (not syntax.encapsulated and syntax.little_endian)):
        return Covered(transcode(covered, EXPLICIT_LE, ts), ts)
    return Covered(covered, EXPLICIT_LE)


def _blacken(pixels: bytearray, descriptor: FrameDescriptor, rectangles: tuple[Rectangle, ...]) -> None:
    word = np.dtype(f"<{'i' if descriptor.signed else 'u'}{descriptor.bits_allocated // 8}")
    separate = descriptor.samples > 1 and descriptor.planar == 1
    shape = (descriptor.frames, *descriptor.shape)
    if separate:
        shape = (descriptor.frames, descriptor.samples, descriptor.rows, descriptor.columns)
    count = int(np.prod(shape))
    if len(pixels) < count * word.itemsize:
        raise Malformed("The pixel data is shorter than its frames.")
    frames = np.frombuffer(pixels, word, count).reshape(shape)
    if separate:
        frames = np.moveaxis(frames, 1, -1)
    black = _black(frames, descriptor)
    for left, top, width, height in rectangles:
        frames[:, top : top + height, left : left + width] = black


def _black(frames: Pixels, descriptor: FrameDescriptor) -> int | tuple[int, ...]:
    """Return the sample that shows black: the least that occurs, the most where white is zero."""
    if descriptor.samples == 3:
        return _BLACK_YBR if descriptor.photometric.startswith("YBR") else (0, 0, 0)
    if descriptor.photometric == "PALETTE COLOR":
        return 0
    return int(frames.max() if descriptor.photometric == "MONOCHROME1" else frames.min())

"""A slice without what has to go of it: air in CT, the ground in MR; the rest of its samples untouched.

In: a data set and what goes. Out: the data set in its own transfer syntax where that is written here without loss,
else uncompressed; derived (PS3.3 C.7.6.1.1.2), and said to show no face (0028,0302).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from radrelay.dicom.deface.morphology import Mask
from radrelay.dicom.elements import PIXEL_DATA, Buffer, DataElements
from radrelay.dicom.encode import ENCODERS
from radrelay.dicom.errors import Malformed
from radrelay.dicom.pixels import FrameDescriptor, Pixels, describe
from radrelay.dicom.rewrite import NewElement, Rules, rewrite
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import transcode
from radrelay.dicom.writing import pad

AIR_HU = -1000.0
IMAGE_TYPE, FEATURES = 0x00080008, 0x00280302


class Defaced(NamedTuple):
    """A data set without a face, and its transfer syntax."""

    data_set: bytes
    ts: str


def native_frames(data_set: Buffer, ts: str) -> tuple[Pixels, FrameDescriptor, DataElements]:
    """Return stored samples (frames, rows, columns), what they are, and the header; raises `Malformed`, `Invalid`."""
    native = data_set if ts == EXPLICIT_LE else transcode(data_set, ts, EXPLICIT_LE)
    elements = DataElements.of(native, syntax_of(EXPLICIT_LE))
    frames, descriptor = _frames(memoryview(native), elements)
    return frames, descriptor, elements


def deface(data_set: Buffer, ts: str, gone: Mask) -> Defaced:
    """Return a data set of one grey frame without the pixels of `gone`; raises `Malformed`, `Invalid`."""
    syntax = syntax_of(ts)
    native = bytes(data_set) if ts == EXPLICIT_LE else transcode(data_set, ts, EXPLICIT_LE)
    elements = DataElements.of(native, syntax_of(EXPLICIT_LE))
    place = elements.places.get(PIXEL_DATA)
    if place is None:
        raise Malformed("There are no pixels.")
    pixels = bytearray(native[place.value : place.end])
    frames, descriptor = _frames(memoryview(native), elements, pixels)
    if frames.shape[1:] != gone.shape:
        raise Malformed("The slice has another size than its face.")
    frames[:, gone] = _ground(frames, elements, descriptor)
    kinds = elements.texts(IMAGE_TYPE) or ["", "PRIMARY"]
    image_type = pad("\\".join(["DERIVED", *kinds[1:]]).encode("ascii", "replace"), "CS")
    edits = {
        PIXEL_DATA: NewElement(PIXEL_DATA, place.vr or b"OW", bytes(pixels)),
        IMAGE_TYPE: NewElement(IMAGE_TYPE, b"CS", image_type),
        FEATURES: NewElement(FEATURES, b"CS", b"NO"),
    }
    rules = Rules(elements.explicit)
    made = b"".join(rewrite(native, rules, rules, edits))
    if syntax.lossless and (syntax.codec in ENCODERS or (not syntax.encapsulated and syntax.little_endian)):
        return Defaced(transcode(made, EXPLICIT_LE, ts), ts)
    return Defaced(made, EXPLICIT_LE)


def _frames(
    native: memoryview, elements: DataElements, pixels: bytearray | None = None
) -> tuple[Pixels, FrameDescriptor]:
    place = elements.places.get(PIXEL_DATA)
    if place is None:
        raise Malformed("There are no pixels.")
    descriptor = describe(elements, EXPLICIT_LE, place.vr)
    if descriptor.bits_allocated not in (8, 16) or descriptor.samples != 1 or descriptor.kind != "integer":
        raise Malformed("Pixels of this kind are not defaced here.")
    word = np.dtype(f"<{'i' if descriptor.signed else 'u'}{descriptor.bits_allocated // 8}")
    count = descriptor.frames * descriptor.rows * descriptor.columns
    held: Buffer = native[place.value : place.end] if pixels is None else pixels
    if len(held) < count * word.itemsize:
        raise Malformed("The pixel data is shorter than its frames.")
    shape = (descriptor.frames, descriptor.rows, descriptor.columns)
    return np.frombuffer(held, word, count).reshape(shape), descriptor


def _ground(frames: Pixels, elements: DataElements, descriptor: FrameDescriptor) -> int:
    """Return the stored sample that takes the place of what goes: air, or what the picture's edge has."""
    if (elements.texts(0x00080060) or [""])[0].upper() == "CT":
        slope, intercept = (
            (elements.numbers(tag) or [default])[0] for tag, default in ((0x00281053, 1.0), (0x00281052, 0.0))
        )
        bits = descriptor.bits_stored
        least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if descriptor.signed else (0, (1 << bits) - 1)
        return int(np.clip(round((AIR_HU - intercept) / (slope or 1.0)), least, most))
    edge = np.concatenate([frames[0, 0], frames[0, -1], frames[0, :, 0], frames[0, :, -1]])
    return int(np.percentile(edge, 25))

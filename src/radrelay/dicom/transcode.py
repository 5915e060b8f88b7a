"""A data set in another transfer syntax: for peers and browsers that do not take the stored one.

In: a data set and its transfer syntax. Out: the data set in the one asked for, pixels equal to the grey value,
all other elements as they were (byte for byte where the VR encoding stays). PS3.5 8.2, A.4; PS3.3 C.7.6.3.1.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from radrelay.dicom.decode import Decoded, can_decode, decode_stored
from radrelay.dicom.elements import PIXEL_DATA, PIXEL_TAGS, Buffer, DataElements
from radrelay.dicom.encapsulated import (
    EXTENDED_TABLES,
    FrameRange,
    FrameRanges,
    Read,
    encapsulate,
    frame_ranges,
    locate,
    reader_of,
)
from radrelay.dicom.encode import ENCODERS, Encoder, NotTranscodable
from radrelay.dicom.lossiness import lost_in
from radrelay.dicom.pixels import (
    BrokenPixels,
    DecodersBusy,
    FrameDescriptor,
    NotViewable,
    PixelsTooLarge,
    describe,
)
from radrelay.dicom.rewrite import NewElement, Rules, rewrite, swapped
from radrelay.dicom.syntaxes import Syntax, syntax_of

MAX_INFLATED_BYTES = 512 << 20
MAX_FRAMES = 1_000_000
"""Frames of an object whose pixels are encoded anew."""
_ICON = 0x00880200
_LOSSY = 0x00282110


def inflate(data_set: Buffer, limit: int = MAX_INFLATED_BYTES) -> bytes:
    """Return a deflated data set inflated (PS3.5 A.5).

    Raises
    ------
    PixelsTooLarge
        When it grows above `limit` bytes.
    NotTranscodable
        When it is no deflate stream.
    """
    unpacker = zlib.decompressobj(-15)
    try:
        plain = unpacker.decompress(data_set, limit)
    except zlib.error as fault:
        raise NotTranscodable(f"The deflated data set cannot be inflated: {fault}") from fault
    if unpacker.unconsumed_tail:
        raise PixelsTooLarge(f"The data set inflates to more than {limit} bytes.")
    return plain


def deflate(data_set: Buffer) -> bytes:
    """Return an explicit little endian data set deflated, padded to even length (PS3.5 A.5)."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(data_set) + packer.flush()
    return packed + b"\0" * (len(packed) & 1)


def transcode(data_set: Buffer, from_ts: str, to_ts: str, *, executor: Executor | None = None) -> bytes:
    """Return a data set (without file meta information) in another transfer syntax.

    Targets: Implicit and Explicit VR Little Endian, Deflated, and losslessly JPEG-LS, JPEG 2000, HTJ2K, RLE and
    Deflated Image Frame Compression. `executor` decodes and encodes the frames of multi-frame objects in threads.

    Raises
    ------
    NotTranscodable
        When the target is not written here, when there are no pixels for a compressed target, when a codec does
        not hold the samples, or when frames are missing.
    BrokenPixels, NotViewable, Malformed
        When the source cannot be read.
    """
    source, target = syntax_of(from_ts), syntax_of(to_ts)
    if source.uid == target.uid:
        return bytes(data_set)
    if (target.codec != "native" and target.codec not in ENCODERS) or not target.lossless:
        raise NotTranscodable(f"{target.name} is not written here.")
    if not target.little_endian:
        raise NotTranscodable(f"{target.name} is retired and not written here.")
    if source.deflated:
        data_set, source = inflate(data_set), syntax_of("1.2.840.10008.1.2.1")
    elements = DataElements.of(data_set, source)
    rules = Rules(elements.explicit, elements.little_endian)
    written = Rules(target.explicit)
    signed = elements.integers(0x00280103)[:1] == [1]
    edits = _edits(data_set, elements, source, target, executor)
    whole = b"".join(rewrite(data_set, rules, written, edits, signed=signed))
    return deflate(whole) if target.deflated else whole


def _edits(
    data_set: Buffer, elements: DataElements, source: Syntax, target: Syntax, executor: Executor | None
) -> dict[int, NewElement | None]:
    if not any(tag in elements for tag in PIXEL_TAGS):
        if target.encapsulated:
            raise NotTranscodable("The object holds no pixel data to compress.")
        return {}
    if not source.encapsulated and not target.encapsulated:
        return _native_edits(data_set, elements, source)
    if PIXEL_DATA not in elements:
        raise NotTranscodable("Float pixel data has no compressed form.")
    return _codec_edits(_Job.of(data_set, elements, source, target), executor)


def _native_edits(data_set: Buffer, elements: DataElements, source: Syntax) -> dict[int, NewElement | None]:
    """Big endian words become little endian ones; otherwise pixels stay as they are."""
    if source.little_endian or PIXEL_DATA not in elements:
        return {}
    place = elements.places[PIXEL_DATA]
    value = memoryview(data_set)[place.value : place.end]
    vr = elements.vr(PIXEL_DATA)
    allocated = elements.integers(0x00280100)[:1]
    wide = allocated and allocated[0] > 8
    word = {16: b"US", 32: b"UL", 64: b"UV"}.get(allocated[0], b"US") if wide else vr
    return {PIXEL_DATA: NewElement(PIXEL_DATA, vr, swapped(value, word))}


@dataclass(frozen=True, slots=True)
class _Job:
    """One object whose frames are decoded, and encoded for a compressed target."""

    elements: DataElements
    descriptor: FrameDescriptor
    ranges: FrameRanges
    read: Read
    target: Syntax
    masked: bool
    """Whether samples are cut to Bits Stored: codecs that name a precision, and lossy sources, hold no more."""

    @classmethod
    def of(cls, data_set: Buffer, elements: DataElements, source: Syntax, target: Syntax) -> _Job:
        if not can_decode(source):
            raise NotViewable(f"{source.name} is handed out only as it is.")
        read = reader_of(data_set)
        location = locate(elements, read)
        descriptor = describe(elements, source.uid, location.vr)
        ranges = frame_ranges(descriptor, location, read, len(data_set))
        if len(ranges) != descriptor.frames or ranges[-1].missing:  # of native frames only the last can be short
            raise NotTranscodable(f"The header names {descriptor.frames} frames; {len(ranges)} are there, or cut.")
        if len(ranges) > MAX_FRAMES:
            raise NotTranscodable(f"The object has {len(ranges)} frames; the limit is {MAX_FRAMES}.")
        encoder = ENCODERS.get(target.codec)
        if encoder is not None:
            _check_fits(encoder, descriptor, target)
        names_precision = target.codec in ("jpeg-ls", "j2k", "htj2k")
        masked = not source.lossless or (names_precision and not _embedded_overlay(elements))
        return cls(elements, descriptor, ranges, read, target, masked)

    def frame(self, place: FrameRange) -> Decoded:
        """Decode one frame; the bits beside Bits Stored are kept for codecs that carry whole words."""
        return decode_stored(self.descriptor, place.read(self.read), place.bit_offset, masked=self.masked)

    def encoded_at(self, index: int) -> _Encoded:
        """Return a frame in the target."""
        try:
            decoded = self.frame(self.ranges[index])
        except (BrokenPixels, DecodersBusy) as error:
            raise type(error)(f"Frame {index + 1}: {error.message}", frame=index + 1) from error
        low = self.masked or decoded.precision <= self.descriptor.bits_stored
        encoder = ENCODERS.get(self.target.codec)
        if encoder is None:
            return _Encoded(_native_bytes(decoded, self.descriptor), decoded.photometric, low)
        plain = replace(self.descriptor, photometric=decoded.photometric)
        try:
            written = encoder.write(decoded.samples, plain, decoded.photometric)
        except (RuntimeError, ValueError) as fault:
            raise NotTranscodable(f"A frame cannot be written as {self.target.name}: {fault}") from fault
        return _Encoded(written, decoded.photometric, low)


class _Encoded(NamedTuple):
    """A frame's bytes, the photometric interpretation of its samples, and whether these begin at the lowest bit."""

    written: Buffer
    photometric: str
    low: bool


def _embedded_overlay(elements: DataElements) -> bool:
    """Return whether an overlay lives in the unused bits of the pixels (PS3.3 C.9.2, retired)."""
    groups = range(0x60000000, 0x60200000, 0x20000)
    return any(group | 0x0102 in elements and group | 0x3000 not in elements for group in groups)


def _check_fits(encoder: Encoder, descriptor: FrameDescriptor, target: Syntax) -> None:
    allocated = descriptor.bits_allocated
    if allocated > encoder.widest or (allocated == 1 and not encoder.one_bit):
        raise NotTranscodable(f"{target.name} does not hold {allocated}-bit samples.")
    if descriptor.samples == 4:
        raise NotTranscodable(f"{target.name} is not written for four samples per pixel.")


def _native_bytes(decoded: Decoded, descriptor: FrameDescriptor) -> Buffer:
    if descriptor.bits_allocated == 1:
        return np.ascontiguousarray(decoded.samples).tobytes()
    samples = decoded.samples
    little = samples.dtype.newbyteorder("<")
    return np.ascontiguousarray(samples).astype(little, copy=False).tobytes()


def _codec_edits(job: _Job, executor: Executor | None) -> dict[int, NewElement | None]:
    """Return the elements that change with the codec: pixel data and what describes its encoding."""
    frames: list[Buffer] = []
    photometric, low = job.descriptor.photometric, job.masked
    for frame in _work(job, executor):
        frames.append(frame.written)
        photometric, low = frame.photometric, frame.low
    edits: dict[int, NewElement | None] = {tag: None for tag in EXTENDED_TABLES if tag in job.elements}
    edits[PIXEL_DATA] = _pixel_element(job, frames)
    encoder = ENCODERS.get(job.target.codec)
    named = encoder.photometric(photometric) if encoder is not None else photometric
    if named != job.descriptor.photometric:
        edits[0x00280004] = NewElement(0x00280004, b"CS", named.encode() + b" " * (len(named) & 1))
    if low and job.descriptor.high_bit != job.descriptor.bits_stored - 1:
        edits[0x00280102] = NewElement(0x00280102, b"US", (job.descriptor.bits_stored - 1).to_bytes(2, "little"))
    if job.descriptor.samples > 1:
        edits[0x00280006] = NewElement(0x00280006, b"US", b"\0\0")
    if _is_lossy(job) and job.elements.texts(_LOSSY) != ["01"]:
        edits[_LOSSY] = NewElement(_LOSSY, b"CS", b"01")
    if not job.target.encapsulated and _ICON in job.elements:
        edits |= _without_compressed_icon(job.elements)
    return edits


def _is_lossy(job: _Job) -> bool:
    """Return whether the frames lost something when they were compressed, which nobody could tell afterwards.

    Once it is unpacked only the header says so (Lossy Image Compression, PS3.3 C.7.6.1.1.5).
    """
    codec = job.descriptor.syntax.codec
    return codec in ("jpeg", "jpeg-ls", "j2k", "htj2k") and lost_in(codec, job.ranges[0].read(job.read))


def _without_compressed_icon(elements: DataElements) -> dict[int, NewElement | None]:
    """Take an icon out whose own pixels are fragments: they may not stand in a native data set (PS3.5 A.4)."""
    for item in elements.items(_ICON):
        place = item.places.get(PIXEL_DATA)
        if place is not None and place.undefined:
            return {_ICON: None}
    return {}


def _work(job: _Job, executor: Executor | None) -> Iterator[_Encoded]:
    if executor is None or len(job.ranges) == 1:
        yield from map(job.encoded_at, range(len(job.ranges)))
        return
    for at in range(0, len(job.ranges), 32):
        yield from executor.map(job.encoded_at, range(at, min(at + 32, len(job.ranges))))


def _pixel_element(job: _Job, frames: list[Buffer]) -> NewElement:
    if job.target.encapsulated:
        return NewElement(PIXEL_DATA, b"OB", encapsulate(frames), undefined=True)
    value: Buffer = b"".join(frames)
    if job.descriptor.bits_allocated == 1:
        value = np.packbits(np.frombuffer(value, np.uint8), bitorder="little").tobytes()
    wide = job.descriptor.bits_allocated > 8 or not job.target.explicit
    return NewElement(PIXEL_DATA, b"OW" if wide else b"OB", value)

"""The codecs, run in this process: compressed frames to samples, each bounded before it allocates.

In: a frame descriptor and one frame's compressed bytes. Out: `Decoded`. These call native libraries, which damaged
bytes can hang or crash: what comes from outside reaches them through `decoder_pool` only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import imagecodecs
import numpy as np
from openjpeg.utils import decode as openjpeg_decode

from radrelay.dicom import openjph
from radrelay.dicom.codestreams import CodeStream, name_precision, read_j2k, read_jpeg
from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import BrokenPixels, FrameDescriptor, Pixels
from radrelay.dicom.samples import Decoded, decode_native, fit, without_subsampling

_WIDEST_REDUCED = 16
"""Bits of samples that have a reduced resolution: the decoder has no room above wider ones."""
_CODEC_FAULTS = (RuntimeError, ValueError, TypeError, OverflowError, IndexError, MemoryError, zlib.error)


def decode_here(descriptor: FrameDescriptor, data: Buffer, *, masked: bool = True) -> Decoded:
    """Return a compressed frame's samples in the colour space in which they are stored, decoded in this process.

    Raises
    ------
    BrokenPixels
        When the bytes are no frame of this descriptor.
    """
    decoder = DECODERS[descriptor.syntax.codec]
    try:
        decoded = decoder(descriptor, data)
    except _CODEC_FAULTS as fault:
        raise BrokenPixels(f"The {descriptor.syntax.name} frame cannot be decoded: {said(fault)}") from fault
    samples = decoded.samples
    if samples.shape != descriptor.shape:
        raise BrokenPixels(f"The frame decodes to {samples.shape}; the header says {descriptor.shape}.")
    return replace(decoded, samples=fit(samples, descriptor, decoded.precision, masked=masked))


def reduced_levels(descriptor: FrameDescriptor, data: Buffer, edge: int) -> int:
    """Return how many resolutions of a lossless HTJ2K frame can be left out for a picture of `edge` pixels; else 0.

    Frames with bits above Bits Stored are decoded whole: a resolution is an average, which those would be mixed into.
    """
    if descriptor.syntax.codec != "htj2k":
        return 0
    stream = read_j2k(data)
    _expect(stream, descriptor)
    if stream.precision > min(descriptor.bits_stored, _WIDEST_REDUCED):
        return 0
    longest, levels = max(descriptor.rows, descriptor.columns), 0
    while levels < stream.decompositions and longest >> (levels + 1) >= edge:
        levels += 1
    return levels if stream.reversible and stream.high_throughput else 0


def reduce_here(descriptor: FrameDescriptor, data: Buffer, levels: int) -> Decoded:
    """Return a lossless HTJ2K frame without its `levels` finest resolutions; raises `BrokenPixels`."""
    try:
        decoded = _decode_reduced(descriptor, data, levels)
    except _CODEC_FAULTS as fault:
        raise BrokenPixels(f"The {descriptor.syntax.name} frame cannot be decoded: {said(fault)}") from fault
    if decoded.samples.shape[2:] != descriptor.shape[2:] or decoded.samples.nbytes > descriptor.decoded_bytes:
        raise BrokenPixels(f"The frame decodes to {decoded.samples.shape}; the header says {descriptor.shape}.")
    return decoded


def said(fault: BaseException) -> str:
    """Return what a library says of a fault, or its kind where it says nothing."""
    return str(fault) or type(fault).__name__


def _decode_rle(descriptor: FrameDescriptor, data: Buffer) -> Decoded:
    """Decode byte planes, most significant first, run-length packed (PS3.5 Annex G).

    Segments are cut out here by a checked header: imagecodecs' own DICOM decoder trusts it and reads beyond the end.
    """
    view = memoryview(data)
    size = descriptor.dtype.itemsize
    pixels = descriptor.rows * descriptor.columns
    if descriptor.bits_allocated == 1:
        (packed,) = _rle_segments(view, 1, (pixels * descriptor.samples + 7) // 8)
        return Decoded(_decode_packed(descriptor, packed), descriptor.photometric)
    planes = _rle_segments(view, descriptor.samples * size, pixels)
    words = np.empty((descriptor.rows, descriptor.columns, descriptor.samples, size), np.uint8)
    for number, plane in enumerate(planes):
        sample, octet = divmod(number, size)
        octets = np.frombuffer(plane, np.uint8, pixels).reshape(descriptor.rows, descriptor.columns)
        words[:, :, sample, size - 1 - octet] = octets
    samples = words.view(descriptor.dtype.newbyteorder("<")).reshape(descriptor.shape)
    return Decoded(samples, without_subsampling(descriptor.photometric))


def _rle_segments(view: memoryview, expected: int, plane_bytes: int) -> list[bytes]:
    """Return the unpacked segments of an RLE frame, each at least `plane_bytes` long (PS3.5 G.3, G.5)."""
    if len(view) < 64:
        raise BrokenPixels("The RLE header is cut off.")
    count, *offsets = struct.unpack_from("<16I", view)
    if count != expected:
        raise BrokenPixels(f"The RLE frame has {count} segments; {expected} were expected.")
    ends = [*offsets[1:count], len(view)]
    segments = []
    for begin, end in zip(offsets[:count], ends, strict=True):
        if not 64 <= begin < end <= len(view):
            raise BrokenPixels("The segments of the RLE frame do not follow one another.")
        segment = bytes(view[begin:end])
        try:
            plane = imagecodecs.packbits_decode(segment)
        except imagecodecs.PackbitsError:
            # why: an odd segment may be padded by a byte that looks like the start of a run
            plane = imagecodecs.packbits_decode(segment[:-1])
        if len(plane) < plane_bytes:
            raise BrokenPixels(f"An RLE segment holds {len(plane)} bytes; {plane_bytes} were expected.")
        segments.append(bytes(plane))
    return segments


def _decode_packed(descriptor: FrameDescriptor, plain: Buffer) -> Pixels:
    count = descriptor.rows * descriptor.columns * descriptor.samples
    if len(plain) * 8 < count:
        raise BrokenPixels(f"The frame holds {len(plain)} bytes; {descriptor.frame_bytes} were expected.")
    bits = np.unpackbits(np.frombuffer(plain, np.uint8), bitorder="little")
    return bits[:count].reshape(descriptor.shape)


def _decode_deflated(descriptor: FrameDescriptor, data: Buffer) -> Decoded:
    """Inflate a frame of Deflated Image Frame Compression (PS3.5 A.4.12, RFC 1951)."""
    plain = zlib.decompressobj(-15).decompress(data, descriptor.frame_bytes + 1)
    native = replace(descriptor, ts="1.2.840.10008.1.2.1", planar=descriptor.planar)
    return Decoded(decode_native(native, plain, 0), without_subsampling(descriptor.photometric))


def _expect(stream: CodeStream, descriptor: FrameDescriptor) -> None:
    if (stream.rows, stream.columns) != (descriptor.rows, descriptor.columns):
        raise BrokenPixels(
            f"The frame is {stream.columns}×{stream.rows}; the header says {descriptor.columns}×{descriptor.rows}."
        )
    if stream.components != descriptor.samples:
        raise BrokenPixels(f"The frame has {stream.components} components; the header says {descriptor.samples}.")


def _decode_jpeg(descriptor: FrameDescriptor, data: Buffer) -> Decoded:
    stream = read_jpeg(data)
    _expect(stream, descriptor)
    if stream.start_of_frame == 0xF7:
        return _decode_jpeg_ls(descriptor, data)
    if descriptor.samples != 3:
        return Decoded(imagecodecs.jpeg8_decode(bytes(data)), descriptor.photometric, stream.precision)
    # The bytes' own marks win over the header; where the stream has none, the header decides (PS3.5 8.2.1).
    if stream.adobe_transform is not None:
        transformed = stream.adobe_transform == 1
    elif stream.component_ids == b"RGB":
        transformed = False
    else:
        transformed = stream.subsampled or descriptor.photometric.startswith("YBR") or stream.jfif
    if stream.start_of_frame in (0xC3, 0xC7, 0xCB, 0xCF):
        transformed = False
    colours = imagecodecs.JPEG8.CS
    if not transformed:
        kept = imagecodecs.jpeg8_decode(bytes(data), colorspace=colours.RGB, outcolorspace=colours.RGB)
        return Decoded(kept, without_subsampling(descriptor.photometric))
    kept = imagecodecs.jpeg8_decode(bytes(data), colorspace=colours.YCbCr, outcolorspace=colours.YCbCr)
    return Decoded(kept, "YBR_FULL")


def _decode_jpeg_lossless(descriptor: FrameDescriptor, data: Buffer) -> Decoded:
    stream = read_jpeg(data)
    _expect(stream, descriptor)
    if stream.start_of_frame != 0xC3:
        return _decode_jpeg(descriptor, data)
    colours = imagecodecs.JPEG8.CS
    try:
        if descriptor.samples == 3:
            samples = imagecodecs.jpeg8_decode(bytes(data), colorspace=colours.RGB, outcolorspace=colours.RGB)
        else:
            samples = imagecodecs.jpeg8_decode(bytes(data))
    except imagecodecs.Jpeg8Error:
        # why: libjpeg-turbo refuses some streams of old modalities that this decoder reads
        samples = np.ascontiguousarray(imagecodecs.jpegsof3_decode(bytes(data)))
    return Decoded(samples, without_subsampling(descriptor.photometric), stream.precision)


def _decode_jpeg_ls(descriptor: FrameDescriptor, data: Buffer) -> Decoded:
    stream = read_jpeg(data)
    _expect(stream, descriptor)
    plain = bytes(data)
    try:
        samples = imagecodecs.jpegls_decode(plain)
    except imagecodecs.JpeglsError:
        end = plain.rfind(b"\xff\xd9")
        unpadded = plain[:end].rstrip(b"\0")
        if end < 0 or len(unpadded) == end:
            raise
        # why: encoders exist that pad before the end marker, which CharLS has refused since 2.3
        samples = imagecodecs.jpegls_decode(unpadded + b"\xff\xd9")
    return Decoded(samples, without_subsampling(descriptor.photometric), stream.precision)


def _decode_j2k(descriptor: FrameDescriptor, data: Buffer) -> Decoded:
    stream = read_j2k(data)
    _expect(stream, descriptor)
    plain = bytes(data)
    if stream.high_throughput and stream.reversible:
        samples = openjph.decode(plain, planar=False)
    else:
        # why: OpenJPH is 1.4 to 9 times as fast, but its binding wraps what an irreversible wavelet overshoots, so
        # that white becomes black, which nobody can tell from the samples; OpenJPEG clips
        try:
            samples = imagecodecs.jpeg2k_decode(plain, planar=False)
        except imagecodecs.Jpeg2kError:
            # why: imagecodecs refuses subsampled and oddly boxed streams that openjpeg itself reads
            samples = openjpeg_decode(plain)
    photometric = descriptor.photometric
    if photometric in ("YBR_ICT", "YBR_RCT") or stream.colour_transform:
        photometric = "RGB" if descriptor.samples == 3 else photometric
    return Decoded(samples, without_subsampling(photometric), stream.precision)


def _decode_reduced(descriptor: FrameDescriptor, data: Buffer, levels: int) -> Decoded:
    """Decode without the finest resolutions; where edges overshoot the range, black and white stay what they are.

    A low-pass band reaches beyond the range of the samples, and the decoder wraps what its word does not hold: black
    would turn white. So the stream is made to say that it has more bits, and its values are clipped here.
    """
    stream = read_j2k(data)
    bits = stream.precision
    roomy = 16 if bits <= 13 else 24  # overshoot stays below four times the range
    samples = openjph.decode(name_precision(data, roomy), planar=False, skipres=levels).astype(np.int32)
    if stream.signed:
        samples = np.clip(samples, -(1 << bits - 1), (1 << bits - 1) - 1)
    else:
        samples = np.clip(samples - ((1 << roomy - 1) - (1 << bits - 1)), 0, (1 << bits) - 1)
    rgb = descriptor.photometric in ("YBR_ICT", "YBR_RCT") or stream.colour_transform
    photometric = "RGB" if rgb and descriptor.samples == 3 else descriptor.photometric
    return Decoded(fit(samples, descriptor, bits), photometric)


DECODERS: dict[str, Callable[[FrameDescriptor, Buffer], Decoded]] = {
    "rle": _decode_rle,
    "deflate": _decode_deflated,
    "jpeg": _decode_jpeg,
    "jpeg-lossless": _decode_jpeg_lossless,
    "jpeg-ls": _decode_jpeg_ls,
    "j2k": _decode_j2k,
    "htj2k": _decode_j2k,
}

"""Frames to samples: every codec behind one function, each bounded before it allocates.

In: a frame descriptor and one frame's bytes. Out: numpy samples of the descriptor's type: `decode_stored` as the
codec gives them, with their colour space; `decode_frame` ready to show (RGB, or grey, or palette indices).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import imagecodecs
import numpy as np
from openjpeg.utils import decode as openjpeg_decode

from radrelay.dicom.codestreams import CodeStream, read_j2k, read_jpeg
from radrelay.dicom.colour import rgb_from_ybr_full, rgb_from_ybr_partial
from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import MAX_SHORTFALL, BrokenPixels, FrameDescriptor, NotViewable, Pixels, check_size
from radrelay.dicom.syntaxes import Syntax

_CODEC_FAULTS = (RuntimeError, ValueError, TypeError, OverflowError, IndexError, MemoryError, zlib.error)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame's samples, shape (rows, columns[, samples]), and the colour space they stand in."""

    samples: Pixels
    photometric: str
    precision: int = 64
    """Bits that the code stream gives each sample; more than Bits Stored where it carries whole words."""


def decode_frame(descriptor: FrameDescriptor, data: Buffer, bit_offset: int = 0) -> Pixels:
    """Return one frame's samples ready to show.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns), or (rows, columns, 3) in RGB for colour; palette images stay indices. The values
        are masked to Bits Stored and sign-extended (PS3.5 8.1.1).

    Raises
    ------
    BrokenPixels
        When the bytes are no frame of this descriptor.
    NotViewable
        For video and syntaxes without a codec.
    """
    decoded = decode_stored(descriptor, data, bit_offset)
    samples = decoded.samples
    if descriptor.samples == 3 and decoded.photometric.startswith("YBR"):
        partial = decoded.photometric.startswith("YBR_PARTIAL")
        return (rgb_from_ybr_partial if partial else rgb_from_ybr_full)(samples, descriptor.bits_stored)
    return samples[..., :3] if descriptor.samples == 4 else samples


def decode_stored(descriptor: FrameDescriptor, data: Buffer, bit_offset: int = 0, *, masked: bool = True) -> Decoded:
    """Return one frame's samples in the colour space in which they are stored (see `decode_frame`).

    `masked` False keeps the bits beside Bits Stored (old overlays) where the codec keeps them.
    """
    check_size(descriptor)
    codec = descriptor.syntax.codec
    decoder = _DECODERS.get(codec)
    if codec == "native":
        native = _decode_native(descriptor, data, bit_offset)
        return Decoded(_fit(native, descriptor, masked=masked), _without_subsampling(descriptor.photometric))
    if decoder is None:
        kind = "Video" if codec == "video" else descriptor.syntax.name
        raise NotViewable(f"{kind} has no still frames that can be shown here.")
    try:
        decoded = decoder(descriptor, data)
    except _CODEC_FAULTS as fault:
        raise BrokenPixels(f"The {descriptor.syntax.name} frame cannot be decoded: {fault}") from fault
    samples = decoded.samples
    if samples.shape != descriptor.shape:
        raise BrokenPixels(f"The frame decodes to {samples.shape}; the header says {descriptor.shape}.")
    return replace(decoded, samples=_fit(samples, descriptor, decoded.precision, masked=masked))


def _without_subsampling(photometric: str) -> str:
    return {"YBR_FULL_422": "YBR_FULL", "YBR_PARTIAL_422": "YBR_PARTIAL"}.get(photometric, photometric)


def _fit(samples: Pixels, descriptor: FrameDescriptor, precision: int = 64, *, masked: bool = True) -> Pixels:
    """Bring samples to the descriptor's type, without unused bits and with their sign (PS3.5 8.1.1)."""
    if descriptor.kind != "integer":
        return samples
    wanted = descriptor.dtype
    if samples.dtype != wanted:
        samples = samples.astype(wanted, copy=False)
    width = wanted.itemsize * 8
    stored, shift = descriptor.bits_stored, descriptor.high_bit + 1 - descriptor.bits_stored
    if stored == width or descriptor.bits_allocated == 1 or (not masked and precision > stored):
        return samples
    if shift and precision > stored:
        samples = samples >> shift
    if descriptor.signed:
        unused = width - stored
        return (samples << unused) >> unused
    mask = (1 << stored) - 1
    if not samples.size or int(samples.max()) <= mask:
        return samples
    # What a lossy codec adds above the top is an overshoot of white; elsewhere higher bits are no part of the value.
    return samples & wanted.type(mask) if descriptor.syntax.lossless else np.minimum(samples, wanted.type(mask))


def _decode_native(descriptor: FrameDescriptor, data: Buffer, bit_offset: int) -> Pixels:
    expected = (descriptor.frame_bits + bit_offset + 7) // 8
    if len(data) * MAX_SHORTFALL < expected:
        raise BrokenPixels(f"The frame holds {len(data)} bytes; {expected} were expected.")
    if len(data) < expected:
        data = bytes(data) + bytes(expected - len(data))
    if descriptor.word_swapped:
        data = _swap_words(data, expected)
    if descriptor.bits_allocated > 1 and bit_offset:
        data, expected = memoryview(data)[bit_offset // 8 :], expected - bit_offset // 8
    if descriptor.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8, expected), bitorder="little")
        count = descriptor.rows * descriptor.columns * descriptor.samples
        return bits[bit_offset : bit_offset + count].reshape(descriptor.shape)
    little = descriptor.syntax.little_endian
    stored = np.frombuffer(
        data, descriptor.dtype.newbyteorder("<" if little else ">"), expected // descriptor.dtype.itemsize
    )
    native = stored.astype(descriptor.dtype, copy=False)
    if descriptor.subsampled:
        return _spread_chroma(native, descriptor)
    if descriptor.planar:
        planes = native.reshape(descriptor.samples, descriptor.rows, descriptor.columns)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    return native.reshape(descriptor.shape)


def _swap_words(data: Buffer, expected: int) -> bytes:
    even = bytes(data)
    even += b"\0" * (len(even) & 1)
    return np.frombuffer(even, np.uint16).byteswap().tobytes()[:expected]


def _spread_chroma(native: Pixels, descriptor: FrameDescriptor) -> Pixels:
    """Give Y1 Y2 Cb Cr quadruples one Cb and Cr per pixel (PS3.3 C.7.6.3.1.2)."""
    quads = native.reshape(-1, 4)
    full = np.empty((quads.shape[0], 2, 3), native.dtype)
    full[:, 0, 0], full[:, 1, 0] = quads[:, 0], quads[:, 1]
    full[:, :, 1:] = quads[:, np.newaxis, 2:]
    return full.reshape(descriptor.shape)


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
    return Decoded(samples, _without_subsampling(descriptor.photometric))


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
    return Decoded(_decode_native(native, plain, 0), _without_subsampling(descriptor.photometric))


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
        return Decoded(kept, _without_subsampling(descriptor.photometric))
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
    return Decoded(samples, _without_subsampling(descriptor.photometric), stream.precision)


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
    return Decoded(samples, _without_subsampling(descriptor.photometric), stream.precision)


def _decode_j2k(descriptor: FrameDescriptor, data: Buffer) -> Decoded:
    stream = read_j2k(data)
    _expect(stream, descriptor)
    plain = bytes(data)
    if stream.high_throughput and stream.reversible:
        samples = imagecodecs.htj2k_decode(plain, planar=False)
    else:
        # OpenJPH's binding does not clip what an irreversible wavelet overshoots; OpenJPEG does.
        try:
            samples = imagecodecs.jpeg2k_decode(plain, planar=False)
        except imagecodecs.Jpeg2kError:
            # why: imagecodecs refuses subsampled and oddly boxed streams that openjpeg itself reads
            samples = openjpeg_decode(plain)
    photometric = descriptor.photometric
    if photometric in ("YBR_ICT", "YBR_RCT") or stream.colour_transform:
        photometric = "RGB" if descriptor.samples == 3 else photometric
    return Decoded(samples, _without_subsampling(photometric), stream.precision)


def _decode_reduced(descriptor: FrameDescriptor, data: Buffer, levels: int) -> Decoded:
    samples = imagecodecs.htj2k_decode(bytes(data), planar=False, skipres=levels)
    stream = read_j2k(data)
    rgb = descriptor.photometric in ("YBR_ICT", "YBR_RCT") or stream.colour_transform
    photometric = "RGB" if rgb and descriptor.samples == 3 else descriptor.photometric
    return Decoded(_fit(samples, descriptor, stream.precision), photometric)


def decode_small(descriptor: FrameDescriptor, data: Buffer, edge: int) -> Pixels | None:
    """Return a frame decoded at a reduced resolution whose longer edge is still at least `edge`, or None.

    Only lossless HTJ2K can do so; the fraction of the data that is read falls with the resolution.
    """
    if descriptor.syntax.codec != "htj2k":
        return None
    stream = read_j2k(data)
    _expect(stream, descriptor)
    longest, levels = max(descriptor.rows, descriptor.columns), 0
    while levels < stream.decompositions and longest >> (levels + 1) >= edge:
        levels += 1
    if not levels or not stream.reversible or not stream.high_throughput:
        return None
    try:
        decoded = _decode_reduced(descriptor, data, levels)
    except _CODEC_FAULTS as fault:
        raise BrokenPixels(f"The {descriptor.syntax.name} frame cannot be decoded: {fault}") from fault
    if descriptor.samples == 3 and decoded.photometric.startswith("YBR"):
        return rgb_from_ybr_full(decoded.samples, descriptor.bits_stored)
    return decoded.samples


_DECODERS: dict[str, Callable[[FrameDescriptor, Buffer], Decoded]] = {
    "rle": _decode_rle,
    "deflate": _decode_deflated,
    "jpeg": _decode_jpeg,
    "jpeg-lossless": _decode_jpeg_lossless,
    "jpeg-ls": _decode_jpeg_ls,
    "j2k": _decode_j2k,
    "htj2k": _decode_j2k,
}


def can_decode(syntax: Syntax) -> bool:
    """Return whether frames in this transfer syntax can be decoded here."""
    return syntax.codec == "native" or syntax.codec in _DECODERS

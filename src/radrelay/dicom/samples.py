"""Native samples of a frame: what bytes mean before any codec, and how samples are brought to their descriptor.

In: a frame descriptor with native bytes, or with what a codec gave. Out: numpy samples of the descriptor's type,
without unused bits and with their sign (PS3.5 8.1.1, 8.2; PS3.3 C.7.6.3.1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import MAX_SHORTFALL, BrokenPixels, FrameDescriptor, Pixels


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame's samples, shape (rows, columns[, samples]), and the colour space they stand in."""

    samples: Pixels
    photometric: str
    precision: int = 64
    """Bits that the code stream gives each sample; more than Bits Stored where it carries whole words."""


def without_subsampling(photometric: str) -> str:
    """Return the photometric interpretation of samples that have one Cb and Cr for each pixel."""
    return {"YBR_FULL_422": "YBR_FULL", "YBR_PARTIAL_422": "YBR_PARTIAL"}.get(photometric, photometric)


def fit(samples: Pixels, descriptor: FrameDescriptor, precision: int = 64, *, masked: bool = True) -> Pixels:
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


def precision_of(samples: Pixels, descriptor: FrameDescriptor) -> int:
    """Return the bits that hold every sample: Bits Stored where the data keep to it, else Bits Allocated."""
    stored = descriptor.bits_stored
    if stored >= descriptor.bits_allocated or not samples.size:
        return descriptor.bits_allocated
    low, high = int(samples.min()), int(samples.max())
    bottom, top = (-(1 << stored - 1), (1 << stored - 1) - 1) if descriptor.signed else (0, (1 << stored) - 1)
    return stored if bottom <= low and high <= top else descriptor.bits_allocated


def decode_native(descriptor: FrameDescriptor, data: Buffer, bit_offset: int) -> Pixels:
    """Return the samples of native bytes, short ones filled with zeros; raises `BrokenPixels`."""
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
    if descriptor.columns % 2:
        raise BrokenPixels(f"Two pixels share their colour, but a row has {descriptor.columns}.")
    quads = native.reshape(-1, 4)
    full = np.empty((quads.shape[0], 2, 3), native.dtype)
    full[:, 0, 0], full[:, 1, 0] = quads[:, 0], quads[:, 1]
    full[:, :, 1:] = quads[:, np.newaxis, 2:]
    return full.reshape(descriptor.shape)

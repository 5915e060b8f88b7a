"""Samples to frames: the lossless codecs in which a data set can be handed out.

In: samples as stored (colour space untouched), the descriptor they came with. Out: one frame's bytes and the
photometric interpretation that the written header has to name (PS3.5 8.2).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import imagecodecs
import jpeg_ls
import numpy as np

from radrelay.dicom.htj2k import encode_frame
from radrelay.dicom.pixels import FrameDescriptor, Pixels
from radrelay.dicom.samples import precision_of
from radrelay.errors import Invalid

SMALL_FRAME = 4096
"""Bytes below which the binding that knows Bits Stored reserves too little room for its own markers."""


class NotTranscodable(Invalid):
    """This object cannot be handed out in the transfer syntax asked for."""

    code = "not-transcodable"
    http_status = 406


@dataclass(frozen=True, slots=True)
class Encoder:
    """One codec: how a frame is written and what becomes of the photometric interpretation."""

    write: Callable[[Pixels, FrameDescriptor, str], bytes]
    photometric: Callable[[str], str]
    widest: int
    one_bit: bool = False


def _jpeg_ls(samples: Pixels, descriptor: FrameDescriptor, photometric: str) -> bytes:
    # Two's complement needs all allocated bits: readers do not agree on extending the sign of fewer (T.87 has none).
    bits = descriptor.bits_allocated if descriptor.signed else precision_of(samples, descriptor)
    packed = np.ascontiguousarray(samples).view(f"u{samples.dtype.itemsize}")
    if bits == samples.dtype.itemsize * 8 or packed.nbytes < SMALL_FRAME:
        # Noise grows under JPEG-LS: the buffer has room for that.
        return bytes(imagecodecs.jpegls_encode(packed, out=2 * packed.nbytes + SMALL_FRAME))
    return bytes(
        jpeg_ls.encode_pixel_data(
            packed.tobytes(),
            rows=descriptor.rows,
            columns=descriptor.columns,
            samples_per_pixel=descriptor.samples,
            bits_allocated=descriptor.bits_allocated,
            bits_stored=bits,
            photometric_interpretation=photometric,
            planar_configuration=0,
        )
    )


def _j2k(samples: Pixels, descriptor: FrameDescriptor, photometric: str) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            np.ascontiguousarray(samples),
            level=0,
            codecformat="j2k",
            reversible=True,
            bitspersample=precision_of(samples, descriptor),
            mct=photometric == "RGB",
            planar=False if samples.ndim == 3 else None,
        )
    )


def _htj2k(samples: Pixels, descriptor: FrameDescriptor, photometric: str) -> bytes:
    return encode_frame(samples, colour_transform=photometric == "RGB", precision=precision_of(samples, descriptor))


def _rle(samples: Pixels, descriptor: FrameDescriptor, photometric: str) -> bytes:
    """Write byte planes, most significant first, each row packed by itself (PS3.5 G.3 to G.5)."""
    del photometric
    if descriptor.bits_allocated == 1:
        planes = [np.packbits(samples.reshape(-1), bitorder="little")[np.newaxis, :]]
    else:
        size = samples.dtype.itemsize
        shape = (descriptor.rows, descriptor.columns, descriptor.samples, size)
        octets = np.ascontiguousarray(samples).astype(samples.dtype.newbyteorder(">"), copy=False)
        by_plane = octets.view(np.uint8).reshape(shape).transpose(2, 3, 0, 1)
        bands = (plane for sample in by_plane for plane in sample)
        planes = [np.frombuffer(plane.tobytes(), np.uint8).reshape(plane.shape) for plane in bands]
    segments = [bytes(imagecodecs.packbits_encode(plane)) for plane in planes]
    segments = [segment + b"\0" * (len(segment) & 1) for segment in segments]
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    head = struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(offsets)))
    return b"".join([head, *segments])


def _deflate(samples: Pixels, descriptor: FrameDescriptor, photometric: str) -> bytes:
    del photometric
    if descriptor.bits_allocated == 1:
        plain = np.packbits(samples.reshape(-1), bitorder="little").tobytes()
    else:
        plain = np.ascontiguousarray(samples).tobytes()
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(plain) + packer.flush()


def _kept(photometric: str) -> str:
    return photometric


def _after_rct(photometric: str) -> str:
    return "YBR_RCT" if photometric == "RGB" else photometric


ENCODERS: dict[str, Encoder] = {
    "jpeg-ls": Encoder(_jpeg_ls, _kept, 16),
    "j2k": Encoder(_j2k, _after_rct, 24),
    "htj2k": Encoder(_htj2k, _after_rct, 32),
    "rle": Encoder(_rle, _kept, 32, one_bit=True),
    "deflate": Encoder(_deflate, _kept, 64, one_bit=True),
}

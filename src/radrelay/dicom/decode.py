"""Frames to samples: every codec behind one function, each bounded before it allocates.

In: a frame descriptor and one frame's bytes. Out: numpy samples of the descriptor's type: `decode_stored` as the
codec gives them, with their colour space; `decode_frame` ready to show (RGB, or grey, or palette indices).

Native bytes, and code streams that Radrelay wrote itself (`own`), are read in this process. So are RLE and deflated
frames, which take time and room in proportion to their bytes. All others come from outside and go to native
libraries that damaged bytes can hang or crash: they are decoded in a process of the `decoder_pool`.
"""

from __future__ import annotations

from radrelay.dicom import decoder_pool
from radrelay.dicom.codecs import DECODERS, decode_here, reduce_here, reduced_levels
from radrelay.dicom.colour import rgb_from_ybr_full, rgb_from_ybr_partial
from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import FrameDescriptor, NotViewable, Pixels, check_size
from radrelay.dicom.samples import Decoded, decode_native, fit, without_subsampling
from radrelay.dicom.syntaxes import Syntax

__all__ = ["Decoded", "can_decode", "decode_frame", "decode_small", "decode_stored"]

_HARMLESS = frozenset({"rle", "deflate"})


def decode_frame(descriptor: FrameDescriptor, data: Buffer, bit_offset: int = 0, *, own: bool = False) -> Pixels:
    """Return one frame's samples ready to show.

    `own` says that Radrelay wrote these bytes itself, so that they are decoded without a process of their own.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns), or (rows, columns, 3) in RGB for colour; palette images stay indices. The values
        are masked to Bits Stored and sign-extended (PS3.5 8.1.1).

    Raises
    ------
    BrokenPixels
        When the bytes are no frame of this descriptor; `DecodingTimedOut` and `DecoderCrashed` are two of its kinds.
    NotViewable
        For video and syntaxes without a codec.
    DecodersBusy
        When no decoder became free in time.
    """
    return _shown(descriptor, decode_stored(descriptor, data, bit_offset, own=own))


def _shown(descriptor: FrameDescriptor, decoded: Decoded) -> Pixels:
    """Return samples in RGB, or grey, or palette indices.

    YBR_RCT and YBR_ICT are of JPEG 2000's own transforms, which its decoder has undone (PS3.3 C.7.6.3.1.2). A header
    that names them over other bytes was left as it was when these were unpacked: they are RGB.
    """
    if descriptor.samples == 3 and decoded.photometric.startswith("YBR_FULL"):
        return rgb_from_ybr_full(decoded.samples, descriptor.bits_stored)
    if descriptor.samples == 3 and decoded.photometric.startswith("YBR_PARTIAL"):
        return rgb_from_ybr_partial(decoded.samples, descriptor.bits_stored)
    return decoded.samples[..., :3] if descriptor.samples == 4 else decoded.samples


def decode_stored(
    descriptor: FrameDescriptor, data: Buffer, bit_offset: int = 0, *, masked: bool = True, own: bool = False
) -> Decoded:
    """Return one frame's samples in the colour space in which they are stored (see `decode_frame`).

    `masked` False keeps the bits beside Bits Stored (old overlays) where the codec keeps them.
    """
    check_size(descriptor)
    codec = descriptor.syntax.codec
    if codec == "native":
        native = decode_native(descriptor, data, bit_offset)
        return Decoded(fit(native, descriptor, masked=masked), without_subsampling(descriptor.photometric))
    if codec not in DECODERS:
        kind = "Video" if codec == "video" else descriptor.syntax.name
        raise NotViewable(f"{kind} has no still frames that can be shown here.")
    if own or codec in _HARMLESS:
        return decode_here(descriptor, data, masked=masked)
    return decoder_pool.pool().decode(descriptor, data, masked=masked)


def decode_small(descriptor: FrameDescriptor, data: Buffer, edge: int, *, own: bool = False) -> Pixels | None:
    """Return a frame decoded at a reduced resolution whose longer edge is still at least `edge`, or None.

    Only lossless HTJ2K can do so; the fraction of the data that is read falls with the resolution.
    """
    check_size(descriptor)
    levels = reduced_levels(descriptor, data, edge)
    if not levels:
        return None
    decoded = reduce_here(descriptor, data, levels) if own else decoder_pool.pool().reduce(descriptor, data, levels)
    return _shown(descriptor, decoded)


def can_decode(syntax: Syntax) -> bool:
    """Return whether frames in this transfer syntax can be decoded here."""
    return syntax.codec == "native" or syntax.codec in DECODERS

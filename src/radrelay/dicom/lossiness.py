"""What was lost of a picture when it was compressed, as its reader is to be told (PS3.3 C.7.6.1.1.5).

In: an object's header, one frame's bytes as stored. Out: `Loss`. The header may know of a loss that the bytes no longer
show, as of what was unpacked since; the bytes may show one of which the header does not tell.
"""

from __future__ import annotations

import math

import msgspec

from radrelay.dicom.codestreams import is_near_lossless, read_j2k, read_jpeg
from radrelay.dicom.elements import Attributes, Buffer
from radrelay.dicom.pixels import BrokenPixels
from radrelay.dicom.syntaxes import Codec

MOST_STEPS = 4
_LOSSY, _RATIO = 0x00282110, 0x00282112
_DCT = (0xC0, 0xC1, 0xC2)
"""Frame headers of JPEG with a cosine transform (T.81 B.1.1.3)."""
_LS = 0xF7


class Loss(msgspec.Struct, frozen=True):
    """Something was lost; `ratios` are how many times smaller it became, one for each step, as far as that is said."""

    ratios: tuple[float, ...] = ()


def loss_of(header: Attributes, codec: Codec, data: Buffer) -> Loss | None:
    """Return what was lost of a frame, whose bytes are `data` as `codec` has them; none where nothing was."""
    said = [text.strip() for text in header.texts(_LOSSY)[:1]] == ["01"]
    if not said and not loses(codec, data):
        return None
    ratios = (ratio for ratio in header.numbers(_RATIO)[:MOST_STEPS] if math.isfinite(ratio) and ratio > 0)
    return Loss(tuple(ratios))


def loses(codec: Codec, data: Buffer) -> bool:
    """Return whether a code stream holds less than was put into it; of bytes that are no stream nothing is said."""
    try:
        return lost_in(codec, data)
    except BrokenPixels:
        return False


def lost_in(codec: Codec, data: Buffer) -> bool:
    """Return whether a code stream holds less than was put into it; raises `BrokenPixels` where it is none."""
    if codec in ("j2k", "htj2k"):
        return not read_j2k(data).reversible
    if codec not in ("jpeg", "jpeg-lossless", "jpeg-ls"):
        return False
    frame = read_jpeg(data).start_of_frame  # some put JPEG-LS under a syntax of JPEG, or the other way round
    return frame in _DCT or (frame == _LS and is_near_lossless(data))

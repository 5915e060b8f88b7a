"""What one frame of pixels is: the frame descriptor, read once from a header (PS3.3 C.7.6.3).

In: a header's attributes and the transfer syntax. Out: a frozen `FrameDescriptor` on which decoding, encoding and
the viewer rely, checked against limits, so that no later step allocates what a hostile header asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radrelay.dicom.elements import (
    DOUBLE_PIXEL_DATA,
    FLOAT_PIXEL_DATA,
    PIXEL_DATA,
    PIXEL_TAGS,
    Attributes,
    DataElements,
)
from radrelay.dicom.syntaxes import HTJ2K_LOSSLESS_RPCL, Syntax, syntax_of
from radrelay.errors import Invalid, TooLarge, Unavailable

Kind = Literal["integer", "float", "double"]
_KINDS: dict[int, Kind] = {FLOAT_PIXEL_DATA: "float", DOUBLE_PIXEL_DATA: "double"}
Pixels = NDArray[Any]

MAX_FRAME_BYTES = 1 << 30
MAX_SHORTFALL = 16
"""A frame that holds less than this fraction (1/16) of its bytes is refused instead of being filled with zeros."""

YBR = frozenset({"YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"})


class NotViewable(Invalid):
    """This object holds no picture that can be shown."""

    code = "not-viewable"


class BrokenPixels(Invalid):
    """The pixel data cannot be decoded."""

    code = "broken-pixels"


class DecoderKilled(BrokenPixels):
    """The pixel data harmed the process that decoded it."""


class DecodingTimedOut(DecoderKilled):
    """The pixel data was not decoded in time."""

    code = "decoding-timed-out"


class DecoderCrashed(DecoderKilled):
    """The pixel data made its decoder crash."""

    code = "decoder-crashed"


class DecodersBusy(Unavailable):
    """All decoders are at work; try again."""

    code = "decoders-busy"


class PixelsTooLarge(TooLarge):
    """A frame would need more memory than the limit allows."""

    code = "pixels-too-large"


@dataclass(frozen=True, slots=True)
class FrameDescriptor:
    """The shape and meaning of a frame's samples; `ts` is the transfer syntax in which its bytes stand."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: int
    frames: int
    ts: str
    kind: Kind = "integer"
    word_swapped: bool = False
    """8-bit or 1-bit samples kept as 16-bit big endian words (OW), so that neighbouring bytes stand swapped."""

    @property
    def syntax(self) -> Syntax:
        """Return the facts about the transfer syntax."""
        return syntax_of(self.ts)

    @property
    def subsampled(self) -> bool:
        """Return whether native bytes hold one Cb and one Cr for two pixels (PS3.3 C.7.6.3.1.2)."""
        return self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") and self.samples == 3

    @property
    def frame_bits(self) -> int:
        """Return the bits of one native frame."""
        samples = 2 if self.subsampled else self.samples
        return self.rows * self.columns * samples * self.bits_allocated

    @property
    def frame_bytes(self) -> int:
        """Return the bytes that hold one native frame."""
        return (self.frame_bits + 7) // 8

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (rows, columns) or (rows, columns, samples)."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Return the machine's type for one decoded sample."""
        if self.kind != "integer":
            return np.dtype(np.float32 if self.kind == "float" else np.float64)
        size = (
            1 if self.bits_allocated <= 8 else 2 if self.bits_allocated <= 16 else 4 if self.bits_allocated <= 32 else 8
        )
        return np.dtype(f"{'i' if self.signed else 'u'}{size}")

    @property
    def decoded_bytes(self) -> int:
        """Return the bytes that the decoded samples of one frame take."""
        return self.rows * self.columns * self.samples * self.dtype.itemsize

    def stored_as_htj2k(self) -> FrameDescriptor:
        """Return the descriptor of the same frame once it stands as lossless HTJ2K (RPCL).

        A code stream names `bits_stored` where that tells all of the frame's words, else it carries all allocated bits
        (16 for 12 stored): then masking stays with the reader.
        """
        colour = "YBR_RCT" if self.photometric == "RGB" else self.photometric
        return replace(self, ts=HTJ2K_LOSSLESS_RPCL, planar=0, photometric=colour, word_swapped=False)


def describe(attributes: Attributes, ts: str, pixel_vr: bytes = b"") -> FrameDescriptor:
    """Read the frame descriptor of an image.

    `pixel_vr` is the VR of the pixel data where it has been located; only big endian bytes need it (OB or OW).

    Raises
    ------
    NotViewable
        When the attributes of an image (Rows, Columns, Bits Allocated) are absent or make no picture.
    PixelsTooLarge
        When one frame would exceed `MAX_FRAME_BYTES`.
    """
    kind = _kind(attributes)
    rows, columns = _first(attributes, 0x00280010, 0), _first(attributes, 0x00280011, 0)
    if rows <= 0 or columns <= 0:
        raise NotViewable("The header names no rows and columns of pixels.")
    samples = _first(attributes, 0x00280002, 1)
    if samples not in (1, 3, 4):
        raise NotViewable(f"Samples per Pixel is {samples}; 1, 3 and 4 can be shown.")
    allocated, stored, high = _bits(attributes, kind)
    photometric = " ".join(attributes.texts(0x00280004)[:1]).upper() or ("MONOCHROME2" if samples == 1 else "RGB")
    described = FrameDescriptor(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        signed=_first(attributes, 0x00280103, 0) == 1 and kind == "integer",
        photometric=photometric,
        planar=1 if _first(attributes, 0x00280006, 0) == 1 and samples > 1 else 0,
        frames=max(1, _first(attributes, 0x00280008, 1)),
        ts=ts,
        kind=kind,
        word_swapped=_word_swapped(attributes, ts, allocated, pixel_vr),
    )
    check_size(described)
    return described


def _first(attributes: Attributes, tag: int, default: int) -> int:
    values = attributes.integers(tag)
    return values[0] if values else default


def _bits(attributes: Attributes, kind: Kind) -> tuple[int, int, int]:
    """Return Bits Allocated, Bits Stored and High Bit; of the last two, what cannot be is taken as it mostly is.

    Raises `NotViewable` for words of another size than images have.
    """
    allocated = {"float": 32, "double": 64}.get(kind) or _first(attributes, 0x00280100, 0)
    if allocated not in (1, 8, 16, 32, 64):
        raise NotViewable(f"Bits Allocated is {allocated}; 1, 8, 16, 32 and 64 can be shown.")
    stored = _first(attributes, 0x00280101, allocated)
    stored = stored if 0 < stored <= allocated else allocated
    high = _first(attributes, 0x00280102, stored - 1)
    return allocated, stored, high if stored - 1 <= high < allocated else stored - 1


def holds_pixels(attributes: Attributes) -> bool:
    """Return whether there is pixel data of any kind behind a header (a `Header` names its bulk apart)."""
    bulk = getattr(attributes, "bulk", None)
    return any(tag in attributes for tag in PIXEL_TAGS) or (bulk is not None and bulk[0] <= PIXEL_DATA)


def _kind(attributes: Attributes) -> Kind:
    bulk = getattr(attributes, "bulk", None)
    for tag, kind in _KINDS.items():
        if tag in attributes or (bulk is not None and bulk[0] == tag):
            return kind
    return "integer"


def _word_swapped(attributes: Attributes, ts: str, allocated: int, pixel_vr: bytes) -> bool:
    if syntax_of(ts).little_endian or allocated > 8:
        return False
    vr = pixel_vr.decode("latin-1") or getattr(attributes, "bulk_vr", "")
    if not vr and isinstance(attributes, DataElements) and PIXEL_DATA in attributes:
        vr = attributes.vr(PIXEL_DATA).decode("latin-1")
    return vr in ("", "OW")


def check_size(descriptor: FrameDescriptor) -> None:
    """Refuse a frame whose decoded samples exceed `MAX_FRAME_BYTES`."""
    size = descriptor.decoded_bytes
    if size > MAX_FRAME_BYTES:
        raise PixelsTooLarge(
            f"A frame of {descriptor.columns}×{descriptor.rows}×{descriptor.samples} samples needs {size} bytes; "
            f"the limit is {MAX_FRAME_BYTES}."
        )

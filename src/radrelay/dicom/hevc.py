"""What an H.265 stream says of itself, as far as an MP4 has to say it too (ITU-T H.265 7.3; ISO/IEC 14496-15 8.3).

In: NAL units without start codes. Out: their types, the decoder configuration record, and the order in which pictures
are shown, which a bare stream tells by picture order counts alone.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from radrelay.dicom.errors import UnplayableFilm

VPS, SPS, PPS, DELIMITER, PREFIX_SEI = 32, 33, 34, 35, 39
SETTINGS = (VPS, SPS, PPS)
IDR, KEYS = (19, 20), range(16, 22)
SLICES = range(32)
_IRAP = range(16, 24)
_LEADING = range(6, 10)  # pictures that others do not count from
_NOT_REFERRED_TO = (0, 2, 4, 8, 10, 12, 14)
_PADDING = re.compile(rb"\x00\x00\x03")
_MOST_ZEROS = 31


@dataclass(frozen=True, slots=True)
class Sequencing:
    """What a sequence and a picture parameter set say that slice headers are read with (7.3.2.2, 7.3.2.3)."""

    profile: bytes
    layers: int
    nested: bool
    chroma: int
    luma_bits: int
    chroma_bits: int
    separate_planes: bool
    order_bits: int
    output_flag: bool
    extra_bits: int


class _Bits:
    """The bits of a NAL unit after its header, without what keeps start codes out of it (7.3.1.1)."""

    def __init__(self, nal: bytes) -> None:
        self._data = _PADDING.sub(b"\0\0", nal[2:])
        self._at = 0

    def take(self, count: int) -> int:
        begin, self._at = self._at, self._at + count
        if self._at > 8 * len(self._data):
            raise UnplayableFilm
        part = int.from_bytes(self._data[begin >> 3 : (self._at + 7) >> 3], "big")
        return part >> (-self._at & 7) & ((1 << count) - 1)

    def number(self) -> int:
        """Return the next ue(v) (9.2)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise UnplayableFilm
        return (1 << zeros) - 1 + self.take(zeros)

    def skip(self, count: int) -> None:
        self.take(count)


def kind_of(nal: bytes) -> int:
    """Return the type of a NAL unit (7.4.2.2)."""
    return nal[0] >> 1 & 0x3F


def sequencing_of(sps: bytes, pps: bytes) -> Sequencing:
    """Read what the parameter sets say; raises `UnplayableFilm`."""
    bits = _Bits(sps)
    bits.skip(4)
    layers, nested = bits.take(3), bool(bits.take(1))
    profile = bytes(bits.take(8) for _ in range(12))
    _skip_layers(bits, layers)
    bits.number()
    chroma = bits.number()
    separate = bool(bits.take(1)) if chroma == 3 else False
    for _ in range(2):
        bits.number()
    if bits.take(1):
        for _ in range(4):
            bits.number()
    luma_bits, chroma_bits, order_bits = bits.number(), bits.number(), bits.number() + 4
    picture = _Bits(pps)
    for _ in range(2):
        picture.number()
    picture.skip(1)
    output_flag, extra_bits = bool(picture.take(1)), picture.take(3)
    if chroma > 3 or luma_bits > 7 or chroma_bits > 7 or order_bits > 16:
        raise UnplayableFilm
    return Sequencing(
        profile, layers + 1, nested, chroma, luma_bits, chroma_bits, separate, order_bits, output_flag, extra_bits
    )


def _skip_layers(bits: _Bits, layers: int) -> None:
    """Pass over what the sub-layers say of their profiles and levels (7.3.3)."""
    if not layers:
        return
    said = [(bits.take(1), bits.take(1)) for _ in range(8)][:layers]
    for profile, level in said:
        bits.skip(88 * profile + 8 * level)


def configuration(settings: dict[int, list[bytes]], said: Sequencing, *, complete: bool) -> bytes:
    """Return the decoder configuration record; `complete`: parameter sets stand there alone (14496-15 8.3.3.1)."""
    head = b"\x01" + said.profile + struct.pack(">HBBBBH", 0xF000, 0xFC, 0xFC | said.chroma, 0xF8 | said.luma_bits,
                                                0xF8 | said.chroma_bits, 0)  # fmt: skip
    arrays = b""
    for kind in SETTINGS:
        nals = settings[kind]
        arrays += struct.pack(">BH", complete << 7 | kind, len(nals))
        arrays += b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)
    return head + bytes([said.layers << 3 | said.nested << 2 | 3, len(SETTINGS)]) + arrays


def shown_places(slices: Sequence[bytes], said: Sequencing) -> list[int]:
    """Return of each picture, by its first slice, the place at which it is shown (8.3.1)."""
    keys: list[tuple[int, int, int]] = []
    sequence = before = 0
    for place, nal in enumerate(slices):
        kind = kind_of(nal)
        if kind in IDR:
            sequence, before, count = sequence + 1, 0, 0
        else:
            span = 1 << said.order_bits
            low = _order_of(nal, kind, said)
            count = before - before % span + low
            if count - before >= span // 2:
                count -= span
            elif before - count > span // 2:
                count += span
        if nal[1] & 7 == 1 and kind not in _LEADING and kind not in _NOT_REFERRED_TO:
            before = count
        keys.append((sequence, count, place))
    places = [0] * len(keys)
    for rank, (_, _, place) in enumerate(sorted(keys)):
        places[place] = rank
    return places


def _order_of(nal: bytes, kind: int, said: Sequencing) -> int:
    """Return the low bits of a picture's order count, from the header of its first slice (7.3.6.1)."""
    bits = _Bits(nal[:64])
    bits.skip(2 if kind in _IRAP else 1)
    bits.number()
    bits.skip(said.extra_bits)
    bits.number()
    bits.skip(said.output_flag + 2 * said.separate_planes)
    return bits.take(said.order_bits)

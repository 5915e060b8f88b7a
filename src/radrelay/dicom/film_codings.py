"""The two codings of films that are put into MP4: how their NAL units make up pictures, and how MP4 describes them.

In: NAL units without start codes (ITU-T H.264 7.4.1.2, H.265 7.4.2.4). Out: where a picture begins, whether decoding
may begin there, and the sample entry with what decoders are set up by (ISO/IEC 14496-15 5.3, 8.3).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from radrelay.dicom import hevc
from radrelay.dicom.errors import UnplayableFilm

MOST_SETTINGS_BYTES = 0xFFFF
_MOST_SETTINGS = 32
_SPS, _PPS, _IDR, _DELIMITER, _SLICE = 7, 8, 5, 9, 1
_UNKNOWN = "The film does not say how its pictures are coded."

Pictures = Sequence[Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Described:
    """The sample entry of a film, and the types of NAL units that its samples go without."""

    entry: bytes
    left_out: frozenset[int]


class Coding(Protocol):
    """A coding of films in NAL units."""

    def kind(self, nal: bytes) -> int:
        """Return the type of a NAL unit."""
        ...

    def is_slice(self, nal: bytes) -> bool:
        """Say whether a unit holds a part of a picture."""
        ...

    def begins(self, nal: bytes) -> bool:
        """Say whether a unit after a slice begins the next picture."""
        ...

    def is_key(self, nals: Sequence[bytes]) -> bool:
        """Say whether decoding may begin with a picture."""
        ...

    def shown_places(self, pictures: Pictures) -> Sequence[int]:
        """Return the places at which the pictures of a bare stream are shown."""
        ...

    def described(self, pictures: Pictures, columns: int, rows: int) -> Described:
        """Describe a film; raises `UnplayableFilm` where it does not say how it is coded."""
        ...


class H264:
    """H.264: parameter sets stay in the samples, too."""

    def kind(self, nal: bytes) -> int:
        """Return the type of a NAL unit (7.4.1)."""
        return nal[0] & 0x1F

    def is_slice(self, nal: bytes) -> bool:
        """Say whether a unit holds a part of a picture."""
        return self.kind(nal) in (_SLICE, _IDR)

    def begins(self, nal: bytes) -> bool:
        """Say whether a unit begins a picture: a slice from block 0 on does (7.4.1.2.3)."""
        if self.is_slice(nal):
            return len(nal) > 1 and nal[1] & 0x80 != 0
        return self.kind(nal) in (6, _SPS, _PPS, _DELIMITER)

    def is_key(self, nals: Sequence[bytes]) -> bool:
        """Say whether a picture is an IDR picture."""
        return any(self.kind(nal) == _IDR for nal in nals)

    def shown_places(self, pictures: Pictures) -> Sequence[int]:
        """Return the order in which they are coded."""
        return range(len(pictures))

    def described(self, pictures: Pictures, columns: int, rows: int) -> Described:
        """Describe a film by its first parameter sets."""
        sps = next((nal for nals in pictures for nal in nals if self.kind(nal) == _SPS and len(nal) >= 4), None)
        pps = next((nal for nals in pictures for nal in nals if self.kind(nal) == _PPS), None)
        if sps is None or pps is None:
            raise UnplayableFilm(_UNKNOWN)
        _require_short(sps, pps)
        settings = b"\x01" + sps[1:4] + b"\xff\xe1" + struct.pack(">H", len(sps)) + sps
        settings += b"\x01" + struct.pack(">H", len(pps)) + pps
        return Described(_entry(b"avc1", columns, rows, box(b"avcC", settings)), frozenset({_DELIMITER}))


class H265:
    """H.265: parameter sets stand in the sample entry alone (`hvc1`) as long as the film keeps to one of each."""

    def kind(self, nal: bytes) -> int:
        """Return the type of a NAL unit."""
        return hevc.kind_of(nal)

    def is_slice(self, nal: bytes) -> bool:
        """Say whether a unit holds a part of a picture of the base layer."""
        return self.kind(nal) in hevc.SLICES and len(nal) > 2

    def begins(self, nal: bytes) -> bool:
        """Say whether a unit begins a picture: the first slice segment of one does (7.4.2.4.4)."""
        if self.is_slice(nal):
            return nal[2] & 0x80 != 0
        return self.kind(nal) in (*hevc.SETTINGS, hevc.DELIMITER, hevc.PREFIX_SEI)

    def is_key(self, nals: Sequence[bytes]) -> bool:
        """Say whether a picture is a random access point."""
        return any(self.kind(nal) in hevc.KEYS for nal in nals)

    def shown_places(self, pictures: Pictures) -> Sequence[int]:
        """Return the places that the picture order counts tell."""
        settings = self._settings(pictures)
        slices = [next(nal for nal in nals if self.is_slice(nal)) for nals in pictures]
        return hevc.shown_places(slices, hevc.sequencing_of(settings[hevc.SPS][0], settings[hevc.PPS][0]))

    def described(self, pictures: Pictures, columns: int, rows: int) -> Described:
        """Describe a film by its parameter sets."""
        settings = self._settings(pictures)
        alone = all(len(nals) == 1 for nals in settings.values())
        said = hevc.sequencing_of(settings[hevc.SPS][0], settings[hevc.PPS][0])
        box_ = box(b"hvcC", hevc.configuration(settings, said, complete=alone))
        left_out = frozenset({hevc.DELIMITER, *(hevc.SETTINGS if alone else ())})
        return Described(_entry(b"hvc1" if alone else b"hev1", columns, rows, box_), left_out)

    def _settings(self, pictures: Pictures) -> dict[int, list[bytes]]:
        found: dict[int, dict[bytes, None]] = {kind: {} for kind in hevc.SETTINGS}
        for nals in pictures:
            for nal in nals:
                kind = self.kind(nal)
                if kind in found and len(found[kind]) < _MOST_SETTINGS:
                    found[kind][nal] = None
        if not all(found.values()):
            raise UnplayableFilm(_UNKNOWN)
        _require_short(*(nal for nals in found.values() for nal in nals))
        return {kind: list(nals) for kind, nals in found.items()}


def _require_short(*settings: bytes) -> None:
    if max(map(len, settings)) > MOST_SETTINGS_BYTES:
        raise UnplayableFilm("The film says how its pictures are coded at a length that MP4 cannot hold.")


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box of MP4 (ISO/IEC 14496-12 4.2)."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _entry(kind: bytes, columns: int, rows: int, settings: bytes) -> bytes:
    """Return the sample entry of a film (14496-12 12.1.3)."""
    return box(
        kind, bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HH", columns, rows),
        struct.pack(">IIIH", 0x480000, 0x480000, 0, 1) + bytes(32) + struct.pack(">Hh", 24, -1), settings,
    )  # fmt: skip

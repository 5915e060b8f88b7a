"""Films as browsers play them: H.264 or H.265 of a transport stream or bare, put into an MP4 without coding it anew.

In: the stream that a video object's fragments make up (PS3.5 8.2.5 to 8.2.8): MP4, an MPEG-2 transport stream
(ISO/IEC 13818-1) or a byte stream (Annex B of H.264 and of H.265). Out: what it is; access units with their times;
an MP4 (ISO/IEC 14496-12, 14496-15) whose index stands before the film, so that players can leap at once.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from radrelay.dicom.errors import UnplayableFilm
from radrelay.dicom.film_codings import H264, H265, Coding, Described, box

Container = Literal["mp4", "transport", "h264", "hevc", "program", "mpeg2", "unknown"]
PACKET = 188
CLOCK = 90_000
MOST_UNITS = 1_000_000
MOST_NALS = 4_000_000
_START = re.compile(rb"\x00\x00\x01")
_H264_STREAM, _HEVC_STREAM = 0x1B, 0x24
_BEGINNINGS_H264 = (0x06, 0x09, 0x27, 0x47, 0x67)  # first bytes: what is no part of a picture is referred to by none
_BEGINNINGS_H265 = (32, 33, 35)  # types
_CODINGS: dict[str | int, Coding] = {
    "h264": H264(), "hevc": H265(), _H264_STREAM: H264(), _HEVC_STREAM: H265(),
}  # fmt: skip

_PROGRAMS: dict[bytes, Container] = {b"\0\0\1\xba": "program", b"\0\0\1\xb3": "mpeg2"}


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture: NAL units without start codes, times in ticks of 1/90000 s, whether decoding may begin."""

    nals: list[bytes]
    decoded: int
    shown: int
    key: bool


def container_of(begin: bytes) -> Container:
    """Say what a film's first kilobyte tells it is."""
    if begin[4:8] == b"ftyp":
        return "mp4"
    if begin[:1] == b"\x47" and begin[PACKET : PACKET + 1] in (b"\x47", b""):
        return "transport"
    if begin[:4] in _PROGRAMS:
        return _PROGRAMS[begin[:4]]
    found = re.match(rb"\x00{0,3}\x00\x00\x01(.)", begin, re.DOTALL)
    first = found[1][0] if found else 0xFF
    if first in _BEGINNINGS_H264:
        return "h264"
    return "hevc" if first >> 1 & 0x3F in _BEGINNINGS_H265 else "unknown"


def as_mp4(film: bytes, columns: int, rows: int, rate: float) -> bytes:
    """Return a transport or byte stream of H.264 or H.265 as MP4; `rate` (1/s) counts where the stream has no times.

    Raises
    ------
    UnplayableFilm
        When it holds neither, or nothing that begins with a whole picture.
    """
    container = container_of(film[:1024])
    step = CLOCK / (rate if rate > 0 else 25.0)
    if container == "transport":
        coding, units = _from_transport(film, step)
    elif container in _CODINGS:
        coding = _CODINGS[container]
        units = _timed([nals for _, nals in _pictures(film, coding)], coding, step)
    else:
        raise UnplayableFilm
    units = _from_key(units)
    if not units:
        raise UnplayableFilm("The film holds no picture that decoding could begin with.")
    described = coding.described([unit.nals for unit in units], columns, rows)
    return _boxed(units, described, coding, columns, rows, round(step))


def _from_key(units: list[AccessUnit]) -> list[AccessUnit]:
    first = next((place for place, unit in enumerate(units) if unit.key), len(units))
    return units[first:]


def _timed(pictures: list[list[bytes]], coding: Coding, step: float) -> list[AccessUnit]:
    """Return the pictures of a bare stream at an even pace, shown as late as their order asks for."""
    first = next((place for place, nals in enumerate(pictures) if coding.is_key(nals)), len(pictures))
    pictures = pictures[first:]
    if not pictures:
        return []
    places = coding.shown_places(pictures)
    late = max(place - shown for place, shown in enumerate(places))
    return [
        AccessUnit(nals, round(place * step), round((shown + late) * step), coding.is_key(nals))
        for place, (nals, shown) in enumerate(zip(pictures, places, strict=True))
    ]


def _nals(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield offset and bytes of the NAL units of a byte stream (Annex B)."""
    begin = None
    for count, found in enumerate(_START.finditer(stream)):
        if count >= MOST_NALS:
            raise UnplayableFilm("The film is cut into more pieces than any camera makes.")
        if begin is not None:
            yield begin, stream[begin : found.start()].rstrip(b"\0")
        begin = found.end()
    if begin is not None:
        yield begin, stream[begin:].rstrip(b"\0")


def _pictures(stream: bytes, coding: Coding) -> Iterator[tuple[int, list[bytes]]]:
    """Yield offset and NAL units of each coded picture."""
    unit: list[bytes] = []
    begin, sliced, count = 0, False, 0
    for offset, nal in _nals(stream):
        if not nal:
            continue
        if sliced and coding.begins(nal):
            yield begin, unit
            unit, sliced, count = [], False, count + 1
            if count >= MOST_UNITS:
                return
        if not unit:
            begin = offset
        unit.append(nal)
        sliced = sliced or coding.is_slice(nal)
    if sliced:
        yield begin, unit


def _from_transport(film: bytes, step: float) -> tuple[Coding, list[AccessUnit]]:
    """Return the pictures of the first film of a transport stream (ISO/IEC 13818-1 2.4), each with its times.

    A picture has the times of the packet that it begins in; a second one in the same packet follows by `step`.
    """
    wanted, kind = _video_stream(film)
    if kind not in _CODINGS:
        raise UnplayableFilm("The transport stream holds neither H.264 nor H.265.")
    coding = _CODINGS[kind]
    packets = list(_elementary(film, wanted))
    starts = list(accumulate((len(payload) for payload, _ in packets), initial=0))
    units: list[AccessUnit] = []
    before = -1
    for offset, nals in _pictures(b"".join(payload for payload, _ in packets), coding):
        place = bisect_right(starts, offset) - 1
        shown, decoded = packets[place][1]
        if place == before:
            decoded = shown = round(units[-1].decoded + step)
        units.append(AccessUnit(nals, decoded, shown, coding.is_key(nals)))
        before = place
    return coding, units


def _payloads(film: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """Yield (PID, whether something begins, payload) of each packet."""
    for at in range(0, len(film) - PACKET + 1, PACKET):
        if film[at] != 0x47:
            return  # what follows has lost its rhythm
        head, flags = struct.unpack_from(">HB", film, at + 1)
        start = at + 4 + (1 + film[at + 4] if flags & 0x20 else 0)
        if flags & 0x10 and start < at + PACKET:
            yield head & 0x1FFF, bool(head & 0x4000), film[start : at + PACKET]


def _video_stream(film: bytes) -> tuple[int, int]:
    """Return PID and type of the first video stream that the program map names (2.4.4)."""
    maps: set[int] = set()
    for pid, begins, payload in _payloads(film):
        if not begins or (pid and pid not in maps) or not payload:
            continue
        table = payload[1 + payload[0] :]
        if len(table) < 12:
            continue
        end = min(len(table), 3 + (struct.unpack_from(">H", table, 1)[0] & 0x0FFF)) - 4
        if pid == 0:
            maps |= {struct.unpack_from(">H", table, at + 2)[0] & 0x1FFF for at in range(8, end - 3, 4)}
            continue
        at = 12 + (struct.unpack_from(">H", table, 10)[0] & 0x0FFF)
        while at + 5 <= end:
            stream, elementary, length = table[at], *struct.unpack_from(">HH", table, at + 1)
            if stream in (_H264_STREAM, _HEVC_STREAM, 0x01, 0x02):
                return elementary & 0x1FFF, stream
            at += 5 + (length & 0x0FFF)
    raise UnplayableFilm("The transport stream names no film.")


def _elementary(film: bytes, wanted: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the payload of each PES packet of a stream with its presentation and decoding time (2.4.3.6)."""
    parts: list[bytes] = []
    for pid, begins, payload in _payloads(film):
        if pid != wanted:
            continue
        if begins and parts:
            yield _unpacked(b"".join(parts))
            parts = []
        if begins or parts:
            parts.append(payload)
    if parts:
        yield _unpacked(b"".join(parts))


def _unpacked(packet: bytes) -> tuple[bytes, tuple[int, int]]:
    if len(packet) < 9 or packet[:3] != b"\0\0\1":
        return b"", (0, 0)
    flags, length = packet[7], packet[8]
    shown = _time(packet[9:14]) if flags & 0x80 and len(packet) >= 14 else 0
    decoded = _time(packet[14:19]) if flags & 0xC0 == 0xC0 and len(packet) >= 19 else shown
    return packet[9 + length :], (shown, decoded)


def _time(five: bytes) -> int:
    return (five[0] >> 1 & 7) << 30 | five[1] << 22 | five[2] >> 1 << 15 | five[3] << 7 | five[4] >> 1


def _full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for value in values:
        if found and found[-1][1] == value:
            found[-1] = found[-1][0] + 1, value
        else:
            found.append((1, value))
    return found


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _boxed(units: list[AccessUnit], described: Described, coding: Coding, columns: int, rows: int, usual: int) -> bytes:
    """Return the pictures as MP4; `usual` is how long one is seen where no times say so."""
    samples = [
        b"".join(struct.pack(">I", len(nal)) + nal for nal in unit.nals if coding.kind(nal) not in described.left_out)
        for unit in units
    ]
    steps = [max(1, later.decoded - one.decoded) for one, later in pairwise(units)]
    steps = [step if step < 60 * CLOCK else usual for step in steps] + [steps[-1] if steps else usual]
    delays = [max(0, min(unit.shown - unit.decoded, 60 * CLOCK)) for unit in units]
    keys = [place for place, unit in enumerate(units, 1) if unit.key]
    sizes = [len(sample) for sample in samples]
    tables = (
        _full(b"stsd", struct.pack(">I", 1), described.entry),
        _table(b"stts", _runs(steps)),
        *([_table(b"ctts", _runs(delays))] if any(delays) else []),
        _full(b"stss", struct.pack(f">I{len(keys)}I", len(keys), *keys)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, len(samples), 1)),
        _full(b"stsz", struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
    )
    begin = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41" + described.entry[4:8])
    ahead = len(begin) + len(_index(tables, sum(steps), columns, rows, 0)) + 16
    index = _index(tables, sum(steps), columns, rows, ahead)
    return begin + index + b"\0\0\0\1mdat" + struct.pack(">Q", 16 + sum(sizes)) + b"".join(samples)


def _table(kind: bytes, runs: list[tuple[int, int]]) -> bytes:
    return _full(kind, struct.pack(">I", len(runs)), *(struct.pack(">II", *run) for run in runs))


def _index(tables: Sequence[bytes], duration: int, columns: int, rows: int, offset: int) -> bytes:
    times = struct.pack(">QQIQ", 0, 0, CLOCK, duration)
    place = _full(b"co64", struct.pack(">IQ", 1, offset))
    media = box(
        b"mdia",
        _full(b"mdhd", times, struct.pack(">HH", 0x55C4, 0), version=1),
        _full(b"hdlr", bytes(4), b"vide", bytes(12), b"film\0"),
        box(
            b"minf",
            _full(b"vmhd", bytes(8), flags=1),
            box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1))),
            box(b"stbl", *tables, place),
        ),
    )
    track = _full(
        b"tkhd", struct.pack(">QQIIQ", 0, 0, 1, 0, duration), bytes(16), _MATRIX,
        struct.pack(">II", columns << 16, rows << 16), version=1, flags=3,
    )  # fmt: skip
    movie = _full(
        b"mvhd", times, struct.pack(">IHH", 0x10000, 0x100, 0) + bytes(8), _MATRIX, bytes(24), struct.pack(">I", 2),
        version=1,
    )  # fmt: skip
    return box(b"moov", movie, box(b"trak", track, media))

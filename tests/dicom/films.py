"""Films in other wrappings, for tests: an MP4's pictures as a byte stream and as a transport stream."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator

from radrelay.dicom.film_streams import CLOCK

PMT, VIDEO = 0x100, 0x101
AVC, HEVC = (0x1B, b"\x09\xf0"), (0x24, b"\x46\x01\x50")  # in a program map; an access unit delimiter
GREY_H265 = base64.b64decode(
    b"AAAAAUABDAH//wFgAAADAJAAAAMAAAMAHpWUCQAAAAFCAQEBYAAAAwCQAAADAAADAB6gIIEFllZZJMrwFoCAAAADAIAAAAyEAAAA"
    b"AUQBwXK0IkAAAAEoAa8dgPcCCfrX2Z4AAAABAgHQIUnhDGOw+oQAAAABAgHgRJV4YSTFYAAAAAEAAeAk/X6LCmDIIAAAAAEAAeBm"
    b"tf1GFEDIIAAAAAFAAQwB//8BYAAAAwCQAAADAAADAB6VlAkAAAABQgEBAWAAAAMAkAAAAwAAAwAeoCCBBZZWWSTK8BaAgAAAAwCA"
    b"AAAMhAAAAAFEAcFytCJAAAABKgGsGEoicZj3AoJ23uqGAAAAARAB4KItV/cYUcggAAAAAQIB0ElfhDGOwPqEAAAAAQIB4QSX4YSQ"
    b"xWAAAAABAAHg5P/6LCiAyCA="
)
"""Ten pictures of 64 by 64 in H.265, coded by x265: two groups that begin with a key, pictures between others."""
GREY_SHOWN = [0, 4, 2, 1, 3, 6, 5, 9, 8, 7]


def box(data: bytes, *path: bytes) -> bytes:
    """Return the content of a box within boxes; `stsd`'s and `avc1`'s own fields are skipped."""
    for wanted in path:
        at = 0
        while data[at + 4 : at + 8] != wanted:
            at += struct.unpack_from(">I", data, at)[0]
        data = data[at + 8 : at + struct.unpack_from(">I", data, at)[0]]
        data = data[{b"stsd": 8, b"avc1": 78, b"hvc1": 78, b"hev1": 78}.get(wanted, 0) :]
    return data


def samples_of(mp4: bytes) -> list[bytes]:
    """Return the pictures of an MP4 with one chunk after the other, as NAL units with start codes."""
    table = box(mp4, b"moov", b"trak", b"mdia", b"minf", b"stbl")
    _, one, count = struct.unpack_from(">III", box(table, b"stsz"))
    sizes = [one] * count if one else struct.unpack_from(f">{count}I", box(table, b"stsz"), 12)
    chunks = struct.unpack_from(f">{struct.unpack_from('>I', box(table, b'stco'), 4)[0]}I", box(table, b"stco"), 8)
    runs = list(struct.iter_unpack(">III", box(table, b"stsc")[8:]))
    settings = box(table, b"stsd", b"avc1", b"avcC")
    sps_length = struct.unpack_from(">H", settings, 6)[0]
    sps = settings[8 : 8 + sps_length]
    pps = settings[8 + sps_length + 3 :][: struct.unpack_from(">H", settings, 8 + sps_length + 1)[0]]
    found: list[bytes] = []
    place = 0
    for number, offset in enumerate(chunks, 1):
        each = next(count for first, count, _ in reversed(runs) if first <= number)
        begin = offset
        for size in sizes[place : place + each]:
            found.append(_units(mp4[begin : begin + size], sps, pps))
            begin += size
        place += each
    return found


def _units(sample: bytes, sps: bytes, pps: bytes) -> bytes:
    out, at = b"", 0
    while at < len(sample):
        length = struct.unpack_from(">I", sample, at)[0]
        nal = sample[at + 4 : at + 4 + length]
        if nal[0] & 0x1F == 5:
            out += b"\0\0\0\1" + sps + b"\0\0\0\1" + pps
        out += b"\0\0\0\1" + nal
        at += 4 + length
    return out


def times_of(mp4: bytes) -> tuple[list[int], list[int]]:
    """Return decoding and presentation times in 1/90000 s."""
    media = box(mp4, b"moov", b"trak", b"mdia")
    header = box(media, b"mdhd")
    scale = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
    table = box(media, b"minf", b"stbl")
    decoded, at = [], 0
    for count, step in struct.iter_unpack(">II", box(table, b"stts")[8:]):
        for _ in range(count):
            decoded.append(at * CLOCK // scale)
            at += step
    try:
        runs = list(struct.iter_unpack(">Ii", box(table, b"ctts")[8:]))
    except (IndexError, struct.error):
        runs = [(len(decoded), 0)]
    delays = [delay * CLOCK // scale for count, delay in runs for _ in range(count)]
    return decoded, [time + delay for time, delay in zip(decoded, delays, strict=True)]


def transport(pictures: list[bytes], decoded: list[int], shown: list[int], coding: tuple[int, bytes] = AVC) -> bytes:
    """Return pictures as a transport stream, one PES packet each (ISO/IEC 13818-1)."""
    association = _section(0, struct.pack(">HH", 1, 0xE000 | PMT))
    program = _section(
        2, struct.pack(">HH", 0xE000 | VIDEO, 0xF000) + bytes([coding[0]]) + struct.pack(">HH", 0xE000 | VIDEO, 0xF000)
    )
    out = b"".join(_packets(0, b"\0" + association)) + b"".join(_packets(PMT, b"\0" + program))
    for picture, dts, pts in zip(pictures, decoded, shown, strict=True):
        header = b"\0\0\1\xe0\0\0\x80\xc0\x0a" + _time(3, pts + CLOCK) + _time(1, dts + CLOCK)
        out += b"".join(_packets(VIDEO, header + b"\0\0\0\1" + coding[1] + picture))
    return out


def _section(table: int, body: bytes) -> bytes:
    return bytes([table]) + struct.pack(">H", 0xB000 | len(body) + 9) + b"\0\1\xc1\0\0" + body + bytes(4)


def _time(mark: int, ticks: int) -> bytes:
    return struct.pack(
        ">BHH", mark << 4 | (ticks >> 30 & 7) << 1 | 1, (ticks >> 15 & 0x7FFF) << 1 | 1, (ticks & 0x7FFF) << 1 | 1
    )


def _packets(pid: int, payload: bytes) -> Iterator[bytes]:
    begins = True
    while payload:
        part, payload = payload[:184], payload[184:]
        head = struct.pack(">BH", 0x47, (0x4000 if begins else 0) | pid)
        begins = False
        if len(part) == 184:
            yield head + b"\x10" + part
        else:
            room = 183 - len(part)
            yield head + b"\x30" + bytes([room]) + (b"\0" + b"\xff" * (room - 1) if room else b"") + part

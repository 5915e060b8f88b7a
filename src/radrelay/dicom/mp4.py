"""What an MP4 file says of its film: enough to describe it in a DICOM object (ISO/IEC 14496-12, 14496-15).

In: the bytes of an MP4. Out: size, frames, frame time, profile and level of its one H.264 track. Only boxes are
read, each bounded by the one around it; the film itself is not decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from radrelay.dicom.elements import Buffer
from radrelay.errors import Invalid

_BASELINE, _MAIN, _HIGH = 66, 77, 100
_PROFILES = frozenset({_BASELINE, _MAIN, _HIGH})
MAX_LEVEL = 42
_MOST_BOXES = 10_000


class UnreadableFilm(Invalid):
    """The file is no MP4 with a film in H.264."""

    code = "unreadable-film"


@dataclass(frozen=True, slots=True)
class Film:
    """One H.264 track. `level` times ten (41 is level 4.1); `ratio` is uncompressed size by size."""

    rows: int
    columns: int
    frames: int
    frame_ms: float
    profile: int
    level: int
    ratio: float


def read_film(data: Buffer) -> Film:
    """Read the video track of an MP4.

    A decoder of the High Profile, which the transfer syntaxes name, plays Baseline and Main as well (H.264 A.2).

    Raises
    ------
    UnreadableFilm
        When there is no such track, or its profile or level has no transfer syntax.
    """
    view = memoryview(data)
    try:
        moov = _only(view, b"moov")
        for kind, track in _boxes(moov):
            if kind == b"trak" and (film := _track(track, len(view))) is not None:
                return _checked(film)
    except (struct.error, IndexError) as fault:
        raise UnreadableFilm("The MP4 file is damaged.") from fault
    raise UnreadableFilm("The MP4 file holds no H.264 track.")


def _checked(film: Film) -> Film:
    if film.profile not in _PROFILES or film.level > MAX_LEVEL:
        raise UnreadableFilm(
            f"The film has H.264 profile {film.profile}, level {film.level / 10}; "
            "High Profile up to level 4.2 can be kept."
        )
    if film.rows < 1 or film.columns < 1 or film.frames < 1:
        raise UnreadableFilm("The film is empty.")
    return film


def _boxes(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > len(view):
            return
        size, kind = struct.unpack_from(">I4s", view, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", view, at + 8)[0], 16
        size = len(view) - at if size == 0 else size
        if size < head:
            return
        yield kind, view[at + head : at + size]
        at += size


def _only(view: memoryview, *path: bytes) -> memoryview:
    for wanted in path:
        found = next((body for kind, body in _boxes(view) if kind == wanted), None)
        if found is None:
            raise UnreadableFilm(f"The MP4 file has no box {wanted.decode('latin-1')}.")
        view = found
    return view


def _track(track: memoryview, size: int) -> Film | None:
    media = _only(track, b"mdia")
    if bytes(_only(media, b"hdlr")[8:12]) != b"vide":
        return None
    table = _only(media, b"minf", b"stbl")
    descriptions = _only(table, b"stsd")[8:]
    entry = next((body for kind, body in _boxes(descriptions) if kind in (b"avc1", b"avc3")), None)
    if entry is None:
        return None
    columns, rows = struct.unpack_from(">HH", entry, 24)
    settings = _only(entry[78:], b"avcC")
    frames = struct.unpack_from(">I", _only(table, b"stsz"), 8)[0]
    header = _only(media, b"mdhd")
    scale, duration = struct.unpack_from(">IQ", header, 20) if header[0] == 1 else struct.unpack_from(">II", header, 12)
    frame_ms = round(1000 * duration / max(scale, 1) / max(frames, 1), 4) or 40.0
    ratio = rows * columns * 1.5 * frames / max(size, 1)
    return Film(rows, columns, frames, frame_ms, settings[1], settings[3], ratio)

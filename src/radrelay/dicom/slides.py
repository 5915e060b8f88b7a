"""Levels of a whole slide: total pixel matrices that are cut into tiles (PS3.3 A.32.8, C.7.6.17, C.8.12.4).

In: the header of one object of a slide's series. Out: how large its matrix and its tiles are, which frame is which
tile, how large a pixel is, and which levels are of one pyramid. Of several focal planes and optical paths in one
object the first is taken.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from radrelay.dicom.elements import Attributes
from radrelay.dicom.header import Header

SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
MOST_TILES = 400_000

Member = TypeVar("Member", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Level:
    """One object of a slide. `tiles` is frame, column and row (from 0) of each tile where not every one is there.

    `labelled` says that the slide's label, which may bear a name, is in the picture; `pixel_mm` is the width and the
    height of a pixel, empty where it is not known. `pyramid` is the same for levels that may be of one pyramid.
    """

    kind: str
    pyramid: tuple[object, ...]
    columns: int
    rows: int
    tile_columns: int
    tile_rows: int
    pixel_mm: list[float]
    labelled: bool
    tiles: list[int] | None


def is_labelled(header: Header) -> bool:
    """Say whether the slide's label, which may bear a name, is in the picture."""
    return header.texts(0x00080008)[2:3] == ["LABEL"] or header.text(0x00480010) == "YES"


def read_level(header: Header, frames: int) -> Level | None:
    """Return what an object with `frames` frames is of its slide; none when it names no matrix of pixels."""
    columns, rows = header.integer(0x00480006) or 0, header.integer(0x00480007) or 0
    across, down = header.integer(0x00280011) or 0, header.integer(0x00280010) or 0
    if min(columns, rows, across, down) < 1:
        return None
    names = header.texts(0x00080008)
    kind = names[2] if len(names) > 2 else ""
    sparse = header.text(0x00209311) == "TILED_SPARSE" or -(-columns // across) * -(-rows // down) > frames
    return Level(
        kind=kind,
        pyramid=_pyramid(header),
        columns=columns,
        rows=rows,
        tile_columns=across,
        tile_rows=down,
        pixel_mm=_pixel_mm(header, columns, rows),
        labelled=is_labelled(header),
        tiles=_tiles(header, across, down, frames) if sparse else None,
    )


def pyramids(levels: Sequence[tuple[Member, Level]]) -> list[list[tuple[Member, Level]]]:
    """Return the levels of each pyramid, the finest first; pyramids stand as their first levels do.

    The levels of a pyramid have different sizes. Where two that could be of one are of the same size, nobody can tell
    which of the others belong to which: each stands by itself, so that two slides are never mixed.
    """
    alike: dict[tuple[object, ...], list[tuple[Member, Level]]] = {}
    for one in levels:
        alike.setdefault(one[1].pyramid, []).append(one)
    found = []
    for group in alike.values():
        sizes = {(level.columns, level.rows) for _, level in group}
        if len(sizes) < len(group):
            found += [[one] for one in group]
        else:
            found.append(sorted(group, key=lambda one: (one[1].columns, one[1].rows), reverse=True))
    return found


def _pyramid(header: Header) -> tuple[object, ...]:
    """Return what levels of one pyramid share: what was scanned and how (C.8.12.4, C.8.12.14), or Pyramid UID."""
    paths = tuple("".join(item.texts(0x00480106)[:1]) for item in _some(header, 0x00480105))
    way = (paths, header.integer(0x00280002))
    if uid := header.text(0x00080019):
        return (uid, *way)
    specimens = tuple(sorted("".join(item.texts(0x00400554)[:1]) for item in _some(header, 0x00400560)))
    return (header.text(0x00200052), header.text(0x00400512), specimens, header.text(0x0008002A), *way)


def _some(header: Attributes, sequence: int) -> Sequence[Attributes]:
    return list(header.items(sequence))[:64] if sequence in header else []


def _pixel_mm(header: Header, columns: int, rows: int) -> list[float]:
    for group in header.items(0x52009229):
        for measures in group.items(0x00289110):
            spacing = measures.numbers(0x00280030)
            if len(spacing) == 2 and min(spacing) > 0:
                return [spacing[1], spacing[0]]
    width, height = header.number(0x00480001), header.number(0x00480002)
    return [width / columns, height / rows] if width and height and min(width, height) > 0 else []


def _tiles(header: Header, across: int, down: int, frames: int) -> list[int]:
    """Return frame, column, row of each tile by its frame's position (C.8.12.6.1); of tiles in one place the first."""
    found: list[int] = []
    seen: set[tuple[int, int]] = set()
    for frame, group in enumerate(header.items(0x52009230)[: min(frames, MOST_TILES)], 1):
        for place in group.items(0x0048021A)[:1]:
            column, row = place.integer(0x0048021E), place.integer(0x0048021F)
            if column is None or row is None or min(column, row) < 1:
                continue
            at = (column - 1) // across, (row - 1) // down
            if at not in seen:
                seen.add(at)
                found += [frame, *at]
    return found

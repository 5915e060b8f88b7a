"""Overlay planes: groups 6000 to 601E of images and presentation states (PS3.3 C.9.2, PS3.5 8.1.2).

A plane's bits stand in its own element, or, in old objects, in bits of the pixel words that the image does not use.
Planes become masks on the image's grid; what lies outside the image is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.dicom.drawings.drawn import (
    Drawing,
    DrawingTooLarge,
    Group,
    MaskFrame,
    Masks,
    NotDrawing,
    Reference,
    numbered,
    short,
)
from radrelay.dicom.header import Header

GROUPS = range(0x6000, 0x6020, 2)
PIXEL_LIMIT = 1 << 26
PACKED_LIMIT = 64 << 20  # of all planes together, as bits on the image's grid
FRAME_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Plane:
    """One overlay group: its size and place, and where its bits stand. `bit` none: in its own element `data`.

    `left` and `top` are the image column and row, from 0, of its first pixel; `first_frame` from 1.
    """

    group: int
    rows: int
    columns: int
    left: int
    top: int
    frames: int
    first_frame: int
    label: str
    description: str
    roi: bool
    bit: int | None
    data: bytes

    def pixels(self, frame: int) -> NDArray[np.uint8]:
        """Return a frame (from 0) of a plane that has its own element, as zeros and ones; short ones end in zeros."""
        size = self.rows * self.columns
        first = frame * size
        part = np.frombuffer(self.data, np.uint8)[first // 8 : (first + size + 7) // 8]
        bits = np.unpackbits(part, bitorder="little")[first % 8 : first % 8 + size]
        if bits.size < size:
            bits = np.concatenate((bits, np.zeros(size - bits.size, np.uint8)))
        return bits.reshape(self.rows, self.columns)


def planes(header: Header) -> Iterator[Plane]:
    """Yield the overlay planes of a header that hold anything; raises `DrawingTooLarge` for absurd sizes."""
    for group in GROUPS:
        base = group << 16
        rows, columns = header.integer(base | 0x10), header.integer(base | 0x11)
        data = header.raw(base | 0x3000)
        bit = header.integer(base | 0x102) or 0
        if not rows or not columns or min(rows, columns) < 0 or (not data and not (bit and (base | 0x102) in header)):
            continue
        frames = max(1, header.integer(base | 0x15) or 1)
        if rows * columns > PIXEL_LIMIT or frames > FRAME_LIMIT:
            raise DrawingTooLarge(f"An overlay of {frames} × {columns} × {rows} pixels is too large to be shown.")
        origin = [*header.integers(base | 0x50), 1, 1]
        yield Plane(
            group=group,
            rows=rows,
            columns=columns,
            left=_offset(origin[1]) if len(origin) > 3 else 0,
            top=_offset(origin[0]) if len(origin) > 3 else 0,
            frames=frames,
            first_frame=max(1, numbered(header.integer(base | 0x51)) or 1),
            label=header.text(base | 0x1500),
            description=short(header.text(base | 0x22)),
            roi=header.text(base | 0x40).upper() == "R",
            bit=None if data else bit,
            data=data,
        )


def _offset(origin: int) -> int:
    """Return a column or row from 0 of one from 1 (60xx,0050)."""
    known = numbered(origin)
    return 0 if known is None else known - 1


def read(header: Header) -> Drawing:
    """Read the overlay planes of an image; raises `NotDrawing` if it has none.

    The mask frames of planes that stand in the pixel words are none in `Masks.planes`: they are read from the pixels.
    """
    rows, columns = header.integer(0x00280010) or 0, header.integer(0x00280011) or 0
    found = list(planes(header))
    if not found or rows <= 0 or columns <= 0:
        raise NotDrawing
    own = sum(plane.frames for plane in found if plane.bit is None)
    unpacked = sum(plane.frames * plane.rows * plane.columns for plane in found if plane.bit is None)
    if rows * columns > PIXEL_LIMIT or max(own * rows * columns, unpacked) > 8 * PACKED_LIMIT:
        raise DrawingTooLarge(f"{own} overlays over an image of {columns} × {rows} pixels are too large to be shown.")
    uid = header.text(0x00080018)
    groups: list[Group] = []
    frames: list[MaskFrame] = []
    bits: list[NDArray[np.uint8] | None] = []
    for number, plane in enumerate(found, 1):
        name = plane.label or plane.description
        groups.append(Group(number, name, plane.description if name != plane.description else ""))
        whole = (
            plane.frames == 1
            and max(1, header.integer(0x00280008) or 1) > 1
            and (plane.group << 16 | 0x15) not in header
        )
        for frame in range(plane.frames):
            image = Reference(uid) if whole else Reference(uid, plane.first_frame + frame)
            frames.append(MaskFrame(len(frames) + 1, number, (image,)))
            bits.append(None if plane.bit is not None else _on_grid(plane, frame, rows, columns))
    masks = Masks(rows, columns, "bits", 1, tuple(frames), planes=tuple(bits))
    return Drawing("overlay", groups=tuple(groups), masks=masks, images=(Reference(uid),))


def pasted(found: Sequence[tuple[Plane, int]], images: tuple[Reference, ...]) -> Masks:
    """Return the first frames of planes as masks of the groups beside them, on a grid that takes them all."""
    rows = max(plane.rows + max(0, plane.top) for plane, _ in found)
    columns = max(plane.columns + max(0, plane.left) for plane, _ in found)
    if rows * columns > PIXEL_LIMIT or len(found) * rows * columns > 8 * PACKED_LIMIT:
        raise DrawingTooLarge(f"Overlays that reach over {columns} × {rows} pixels are too large to be shown.")
    kept = [(plane, group) for plane, group in found if plane.bit is None]
    bits = tuple(_on_grid(plane, 0, rows, columns) for plane, _ in kept)
    frames = tuple(MaskFrame(number, group, images) for number, (_, group) in enumerate(kept, 1))
    return Masks(rows, columns, "bits", 1, frames, planes=bits)


def _on_grid(plane: Plane, frame: int, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return a frame of a plane on the image's grid, packed into bits."""
    return np.packbits(placed(plane.pixels(frame), plane.top, plane.left, rows, columns))


def placed(bits: NDArray[np.uint8], top: int, left: int, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return `bits` with their first pixel at (`top`, `left`) of a grid; what lies outside is cut off."""
    grid = np.zeros((rows, columns), np.uint8)
    height = min(bits.shape[0] + min(0, top), rows - max(0, top))
    width = min(bits.shape[1] + min(0, left), columns - max(0, left))
    if height > 0 and width > 0:
        part = bits[max(0, -top) :, max(0, -left) :][:height, :width]
        grid[max(0, top) : max(0, top) + height, max(0, left) : max(0, left) + width] = part
    return grid


def embedded(header: Header, words: NDArray[np.integer], group: int) -> NDArray[np.uint8]:
    """Return the mask that stands in a bit of the pixel words of a frame, shape (rows, columns)."""
    plane = list(planes(header))[group - 1]
    bits = (words >> (plane.bit or 0) & 1).astype(np.uint8)
    return placed(bits, 0, 0, words.shape[0], words.shape[1])

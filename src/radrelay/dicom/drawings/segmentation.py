"""Segmentations (PS3.3 A.51, C.8.20) and label maps (A.96): what each segment is, and where each frame of it lies.

The frames' pixels stay where they are: they are decoded and packed when somebody looks at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from radrelay.dicom.drawings.colours import from_cielab, from_grey, from_rgb
from radrelay.dicom.drawings.content_tree import code_of
from radrelay.dicom.drawings.drawn import (
    Draft,
    Drawing,
    DrawingBroken,
    DrawingTooLarge,
    Group,
    MaskFrame,
    Masks,
    finite,
    moment,
    numbered,
    short,
)
from radrelay.dicom.drawings.references import of_series, references
from radrelay.dicom.header import Header

LABELMAP_CLASS = "1.2.840.10008.5.1.4.1.1.66.7"
SHARED, PER_FRAME = 0x52009229, 0x52009230
FRAME_LIMIT = 100_000
PIXEL_LIMIT = 1 << 26


def read(header: Header, sop_class: str = "") -> Drawing:
    """Read a segmentation's segments and frames; raises `DrawingBroken` or `DrawingTooLarge`."""
    draft = Draft()
    draft.refuse_cut(header)
    rows, columns = header.integer(0x00280010) or 0, header.integer(0x00280011) or 0
    if rows <= 0 or columns <= 0:
        raise DrawingBroken("The segmentation names no rows and columns.")
    if rows * columns > PIXEL_LIMIT:
        raise DrawingTooLarge(f"Frames of {columns} × {rows} pixels are too large to be shown as masks.")
    kind = header.text(0x00620001).upper() or ("LABELMAP" if sop_class == LABELMAP_CLASS else "BINARY")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise DrawingBroken(f"The segmentation is of the type {kind[:16]!r}, which is none.")
    groups = tuple(_segments(header, labels=kind == "LABELMAP"))
    frames = tuple(_counted(draft, _frames(header, groups, rows, columns, labels=kind == "LABELMAP")))
    measures = _first(_first(header, SHARED), 0x00289110)
    thickness = _thickness(measures) or _thickness(_first(_first(header, PER_FRAME), 0x00289110))
    space = header.text(0x00200052)
    masks = Masks(
        rows,
        columns,
        {"BINARY": "bits", "FRACTIONAL": "shares", "LABELMAP": "numbers"}[kind],  # type: ignore[arg-type]
        min(max(1, header.integer(0x0062000E) or 255), 0xFFFF) if kind == "FRACTIONAL" else 1,
        frames,
        thickness,
        space,
    )
    return Drawing(
        kind="segmentation",
        label=short(header.text(0x0008103E)) or header.text(0x00700080),
        description=short(header.text(0x00700081)),
        creator=header.person_name(0x00700084) or header.text(0x00080070),
        made_at=moment(header, 0x00080023, 0x00080033),
        groups=groups,
        masks=masks,
        images=of_series(header)[1],
        frames_of_reference=(space,) if space else (),
    )


def _first(header: Header | None, tag: int) -> Header | None:
    """Return the first item of a sequence, without keeping the others."""
    return next(iter(header.items(tag)), None) if header is not None else None


def _thickness(measures: Header | None) -> float | None:
    """Return what a frame covers across its plane: the way to the next one where that is told, else its thickness."""
    if measures is None:
        return None
    found = measures.number(0x00180088) or measures.number(0x00180050)
    return abs(found) if found and finite([found]) else None


def _segments(header: Header, *, labels: bool) -> Iterator[Group]:
    palette = _Palette(header) if labels else None
    for item in header.items(0x00620002):
        number = numbered(item.integer(0x00620004))
        if number is None or (labels and number == 0):  # label 0 is the background
            continue
        colour = from_cielab(item.numbers(0x0062000D)) or from_grey(item.number(0x0062000C))
        colour = (palette.colour(number) if palette is not None else "") or colour
        kind = code_of(item, 0x0062000F).meaning
        algorithm = " ".join(filter(None, (item.text(0x00620009), item.text(0x00620008).lower())))
        name = short(item.text(0x00620005)) or kind
        detail = ", ".join(filter(None, (kind if kind != name else "", algorithm)))
        yield Group(number, name, detail, colour, coded=kind)


class _Palette:
    """The colours that a label map shows its numbers in (PS3.3 C.7.6.3.1.5), as 8 or 16 bits."""

    def __init__(self, header: Header) -> None:
        self._described = [header.integers(tag) for tag in (0x00281101, 0x00281102, 0x00281103)]
        self._tables = [header.raw(tag) for tag in (0x00281201, 0x00281202, 0x00281203)]

    def colour(self, number: int) -> str:
        parts = []
        for described, table in zip(self._described, self._tables, strict=True):
            if len(described) != 3 or not table:
                return ""
            count, first, bits = described[0] or 1 << 16, described[1], described[2]
            place = min(max(0, number - first), count - 1)
            wide = bits == 16 or len(table) >= 2 * count
            entry = table[2 * place : 2 * place + 2] if wide else table[place : place + 1]
            if not entry:
                return ""
            parts.append(float(int.from_bytes(entry, "little") >> (8 if bits == 16 else 0)))
        return from_rgb(parts)


def _frames(header: Header, groups: tuple[Group, ...], rows: int, columns: int, *, labels: bool) -> Iterator[MaskFrame]:
    shared = _first(header, SHARED)
    items = header.items(PER_FRAME)
    if len(items) > FRAME_LIMIT:
        raise DrawingTooLarge(f"The segmentation has more than {FRAME_LIMIT} frames.")
    if not items:
        yield from _tiles(header, groups, rows, columns, labels=labels)
        return
    # why: the number of frames that the header names costs a liar nothing; the items are there
    count = min(len(items), max(1, header.integer(0x00280008) or 1))
    for number, item in enumerate(islice(items, count), 1):
        yield _frame(item, shared, number, labels=labels)


def _counted(draft: Draft, frames: Iterable[MaskFrame]) -> Iterator[MaskFrame]:
    """Yield frames as long as they do not name images too often in all."""
    for frame in frames:
        draft.mention(frame.images)
        yield frame


def _frame(item: Header, shared: Header | None, number: int, *, labels: bool) -> MaskFrame:
    def part(tag: int) -> Header | None:
        return _first(item, tag) or _first(shared, tag)

    place, turned, measures = part(0x00209113), part(0x00209116), part(0x00289110)
    derived, named, slide = part(0x00089124), part(0x0062000A), part(0x0048021A)
    position = place.numbers(0x00200032) if place is not None else []
    orientation = turned.numbers(0x00200037) if turned is not None else []
    spacing = measures.numbers(0x00280030) if measures is not None else []
    tile = None
    if slide is not None:
        left, top = slide.integer(0x0048021E), slide.integer(0x0048021F)
        known = numbered(left) is not None and numbered(top) is not None
        tile = (left - 1, top - 1) if left is not None and top is not None and known else None
    sound = (len(position), len(orientation), len(spacing)) == (3, 6, 2) and min(spacing) > 0
    sound = sound and finite([*position, *orientation, *spacing])
    return MaskFrame(
        number,
        0 if labels or named is None else numbered(named.integer(0x0062000B)) or 0,
        references(derived.items(0x00082112)) if derived is not None else (),
        tuple(position) if sound else (),
        tuple(orientation) if sound else (),
        tuple(spacing) if sound else (),
        tile,
    )


def _tiles(header: Header, groups: tuple[Group, ...], rows: int, columns: int, *, labels: bool) -> Iterator[MaskFrame]:
    """Yield frames that lie by rule: segment by segment, focal plane by plane, row by row of tiles (C.7.6.17.3).

    A segmentation without any rule is one frame, of the only segment there is.
    """
    width, height = header.integer(0x00480006) or 0, header.integer(0x00480007) or 0
    if not width or not height:
        yield MaskFrame(1, groups[0].number if len(groups) == 1 and not labels else 0)
        return
    across, down = -(-width // columns), -(-height // rows)
    depth = max(1, header.integer(0x00480303) or 1)
    named = [0] if labels else [group.number for group in groups]
    count = across * down * depth * len(named)
    if count > FRAME_LIMIT:
        raise DrawingTooLarge(f"The segmentation has more than {FRAME_LIMIT} frames.")
    for number in range(min(count, max(1, header.integer(0x00280008) or count))):
        rest, column = divmod(number, across)
        rest, row = divmod(rest, down)
        yield MaskFrame(number + 1, named[rest // depth], tile=(column * columns, row * rows))

"""Region templates: which rectangles of a device's pictures hold text, read from TOML that a site can write itself.

In: a file and an object's header. Out: the rectangles to black out. For ultrasound without a template the regions that
the object itself declares (Sequence of Ultrasound Regions, PS3.3 C.8.5.5) may serve: everything outside of them goes.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from radrelay.dicom.deidentify.options import Device, Project
from radrelay.dicom.elements import DataElements
from radrelay.errors import Invalid

Rectangle = tuple[int, int, int, int]
_ULTRASOUND_REGIONS = 0x00186011
_BOUNDS = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)


def read_devices(text: str) -> tuple[Device, ...]:
    """Return the templates of a TOML text in the form of `regions.toml`.

    Raises
    ------
    Invalid
        When it is no TOML, or an entry lacks its size or rectangles or has others than four numbers in one.
    """
    try:
        tables = tomllib.loads(text).get("device", [])
        return tuple(_device(table) for table in tables)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Invalid(f"The region templates cannot be read: {fault}") from fault


def _device(table: dict[str, object]) -> Device:
    columns, rows = (int(str(number)) for number in table["size"])  # type: ignore[attr-defined]
    cover = []
    for rectangle in table["cover"]:  # type: ignore[attr-defined]
        left, top, width, height = (int(number) for number in rectangle)
        if min(left, top) < 0 or min(width, height) < 1 or left + width > columns or top + height > rows:
            raise ValueError(f"{rectangle} does not lie within {columns} × {rows}")
        cover.append((left, top, width, height))
    texts = {name: str(table.get(name, "")) for name in ("name", "modality", "manufacturer", "model", "image_type")}
    return Device(columns=columns, rows=rows, cover=tuple(cover), **texts)


@cache
def known_devices() -> tuple[Device, ...]:
    """Return the templates that come along."""
    return read_devices(files(__package__).joinpath("regions.toml").read_text(encoding="utf-8"))


def template_of(header: DataElements, project: Project) -> Device | None:
    """Return the first template that a picture matches: the project's own, those that come along, its own regions."""
    columns, rows = header.integers(0x00280011)[:1], header.integers(0x00280010)[:1]
    if not columns or not rows:
        return None
    for device in (*project.devices, *known_devices()):
        if (device.columns, device.rows) == (columns[0], rows[0]) and _agrees(device, header):
            return device
    return _outside_of_regions(header, columns[0], rows[0])


def _agrees(device: Device, header: DataElements) -> bool:
    asked = ((0x00080070, device.manufacturer), (0x00081090, device.model), (0x00080008, device.image_type))
    if device.modality and header.texts(0x00080060)[:1] != [device.modality]:
        return False
    return all(wanted.upper() in "\\".join(header.decoded(tag)).upper() for tag, wanted in asked)


def _outside_of_regions(header: DataElements, columns: int, rows: int) -> Device | None:
    """Return a template that blacks out all that lies outside of an ultrasound object's own regions."""
    boxes = []
    for region in header.items(_ULTRASOUND_REGIONS):
        bounds = [region.integers(tag)[:1] for tag in _BOUNDS]
        if not all(bounds):
            return None
        left, top, right, bottom = (bound[0] for bound in bounds)
        if not (0 <= left < right < columns and 0 <= top < bottom < rows):
            return None
        boxes.append((left, top, right, bottom))
    if not boxes:
        return None
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes) + 1, max(box[3] for box in boxes) + 1
    cover: tuple[Rectangle, ...] = tuple(
        rectangle
        for rectangle in (
            (0, 0, columns, top), (0, bottom, columns, rows - bottom),
            (0, top, left, bottom - top), (right, top, columns - right, bottom - top),
        )
        if rectangle[2] > 0 and rectangle[3] > 0
    )  # fmt: skip
    return Device("outside of the ultrasound regions", columns, rows, cover) if cover else None

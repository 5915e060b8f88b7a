"""Private attributes known to be safe (PS3.15 E.3.10): the standard's list, and blocks that their creator calls safe.

In: the private elements of a data set or item. Out: the tags that may stay under Retain Safe Private, with the creators
that define them. Table E.3.10-1 as in the standard's text; vendors do not vouch for it, so that what is kept is
searched for the patient's own values all the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from radrelay.dicom.elements import DataElements, Element

CHARACTERISTICS = 0x00080300
_GROUP, _CREATOR, _STATUS, _SAFE_ELEMENTS = 0x00080301, 0x00080302, 0x00080303, 0x00080304


@cache
def safe_attributes() -> dict[tuple[int, int, str], bytes]:
    """Return the VR of safe attributes by group, element within the block, and creator."""
    text = files(__package__).joinpath("safe_private.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return {(int(group, 16), int(element, 16), creator): vr.encode() for group, element, creator, vr in rows}


def safe_tags(view: memoryview, places: Iterable[Element], declared: DataElements | None) -> dict[int, bytes]:
    """Return VRs of the private tags that may stay, their creators' among them.

    `declared` are the elements of the top level, whose (0008,0300) may call blocks or elements safe.
    """
    table = safe_attributes()
    blocks: set[tuple[int, str]] = set()
    elements: set[tuple[int, str, int]] = set()
    for item in declared.items(CHARACTERISTICS) if declared is not None else ():
        owners = list(zip(item.integers(_GROUP)[:1], item.texts(_CREATOR)[:1], strict=False))
        if item.texts(_STATUS)[:1] == ["SAFE"]:
            blocks.update(owners)
        raw = item.raw(_SAFE_ELEMENTS)
        lows = [low & 0xFF for (low,) in struct.iter_unpack("<H", raw[: len(raw) & ~1])]
        elements.update((*owner, low) for owner in owners for low in lows)
    creators: dict[int, str] = {}
    found: dict[int, bytes] = {}
    for place in places:
        tag = place.tag
        if not tag & 0x10000:
            continue
        group, element = tag >> 16, tag & 0xFFFF
        if 0x10 <= element <= 0xFF:
            name = bytes(view[place.value : place.end]).decode("latin-1").strip("\0 ")
            creators[group << 16 | element] = name
            continue
        owner = group << 16 | element >> 8
        creator_name = creators.get(owner)
        if creator_name is None:
            continue
        low = element & 0xFF
        vr = table.get((group, low, creator_name))
        if vr is None and ((group, creator_name) in blocks or (group, creator_name, low) in elements):
            vr = b"UN"
        if vr is not None:
            found[tag] = vr
            found[owner] = b"LO"
    return found

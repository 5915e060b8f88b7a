"""How a picture was taken: its view, the side of the body, the direction of its first plane.

In: an object's header. Out: short texts as the index keeps them, by which viewers arrange pictures (PS3.3 C.8.11.7 for
mammography, C.8.11.5 for other radiographs, PS3.16 CID 4010 and 4014 for coded views).
"""

from __future__ import annotations

import re

from radrelay.dicom.header import Header

MODIFIED = " modified"
LARGEST_GROUPS = 1 << 20  # bytes of per-frame groups that are looked through for the first plane
_VIEW_CODES, _MODIFIERS, _VIEW_POSITION = 0x00540220, 0x00540222, 0x00185101
_SHARED, _PER_FRAME, _PLANE_ORIENTATION, _ORIENTATION = 0x52009229, 0x52009230, 0x00209116, 0x00200037
_ANATOMY, _DETECTORS = 0x00209071, 0x00540022
_BY_CODE = {
    "R-10242": "CC", "399162004": "CC", "R-10226": "MLO", "399368009": "MLO", "R-10224": "ML", "399260004": "ML",
    "R-10228": "LM", "399352003": "LM",
}  # fmt: skip
_BY_MEANING = {
    "craniocaudal": "CC", "mediolateraloblique": "MLO", "mediolateral": "ML", "lateromedial": "LM",
    "lateromedialoblique": "LMO", "exaggeratedcraniocaudal": "XCC", "exaggeratedcraniocaudallaterally": "XCCL",
    "exaggeratedcraniocaudalmedially": "XCCM", "caudocranial": "FB", "anteroposterior": "AP", "posteroanterior": "PA",
    "leftlateral": "LL", "rightlateral": "RL", "lateral": "LAT",
}  # fmt: skip
_LETTERS = re.compile("[^a-z]")


def view_of(header: Header) -> str:
    """Return the view, such as CC, MLO, PA or LL; with `MODIFIED` behind it if modifiers make it a special one."""
    for item in header.items(_VIEW_CODES)[:1]:
        code, meaning = item.text(0x00080100), _LETTERS.sub("", item.text(0x00080104).lower())
        view = _BY_CODE.get(code) or _BY_MEANING.get(meaning, "")
        if view:
            return view + (MODIFIED if item.items(_MODIFIERS) else "")
    return header.text(_VIEW_POSITION).upper()[:16]


def side_of(header: Header) -> str:
    """Return the side that is shown: R, L or B (both), of the image or of a paired part; empty if none is named."""
    for tag in (0x00200062, 0x00200060):
        side = header.text(tag)[:1].upper()
        if side in ("R", "L", "B"):
            return side
    for shared in header.items(_SHARED)[:1]:
        for anatomy in shared.items(_ANATOMY)[:1]:
            side = anatomy.text(0x00209072)[:1].upper()
            return side if side in ("R", "L", "B") else ""
    return ""


def orientation_of(header: Header) -> str:
    """Return Image Orientation (Patient) of the object's first plane as it stands, empty if there is none."""
    sources = [header, *_planes(header), *header.items(_DETECTORS)[:1]]
    found = next((source.text(_ORIENTATION) for source in sources if _ORIENTATION in source), "")
    return found if len(found) <= 120 and found.count("\\") == 5 else ""


def _planes(header: Header) -> list[Header]:
    shared = [plane for groups in header.items(_SHARED)[:1] for plane in groups.items(_PLANE_ORIENTATION)[:1]]
    place = header.place(_PER_FRAME)
    if shared or place is None or place[2] > LARGEST_GROUPS:
        return shared
    return [plane for groups in header.items(_PER_FRAME)[:1] for plane in groups.items(_PLANE_ORIENTATION)[:1]]

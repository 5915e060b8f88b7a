"""The order in which an object's frames are looked at: along the patient where they lie apart (PS3.3 C.7.6.16.2.3).

In: the metadata of an object whose frames have planes of their own, which may stand in any order (C.7.6.16). Out: the
numbers of its frames in display order; nothing where that is their own. Where several lie at one place (phases,
b-values, segments), or along several ways, they stay as they are.
"""

from __future__ import annotations

from radrelay.dicom.planes import MOST_PLANES, planes_of
from radrelay.web.ordering import Plane, display_order

_PER_FRAME = b'"52009230"'


def frame_order(metadata: bytes, frames: int) -> list[int] | None:
    """Return the numbers of the frames, from 1, in the order in which they lie; none where they do already."""
    if not 2 < frames <= MOST_PLANES or _PER_FRAME not in metadata:
        return None
    planes = planes_of(metadata, frames).planes
    if len(planes) != frames:
        return None
    in_stack = [plane.stack_position for plane in planes]
    counted = None not in in_stack and len(set(in_stack)) == frames
    placed = [
        Plane(in_stack[at] if counted else at + 1, plane.position, plane.orientation or ())
        for at, plane in enumerate(planes)
    ]
    if len({(plane.position, plane.orientation) for plane in placed}) != frames or not _one_way(placed):
        return None
    order = [place + 1 for place in display_order(placed)]
    return None if order == list(range(1, frames + 1)) else order


def _one_way(planes: list[Plane]) -> bool:
    """Tell whether all lie one behind the other."""
    return all(plane.position is not None and plane.orientation == planes[0].orientation for plane in planes)

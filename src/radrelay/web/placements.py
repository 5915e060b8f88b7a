"""Where a series' instances lie, when they were acquired, how they play: read from their ready-made metadata.

In: instances and their DICOM JSON. Out: a `Placement` for each, their display order, their times. What cannot be
understood of one instance takes nothing from the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from radrelay.archive.instances import InstanceRef
from radrelay.archive.metadata import MetadataReader
from radrelay.dicom.diffusion import DiffusionAttributes
from radrelay.dicom.json_values import Values
from radrelay.dicom.picture_kinds import further_values, kinds_of
from radrelay.dicom.plane_attributes import is_mosaic
from radrelay.dicom.planes import moment_s
from radrelay.web.ordering import Plane, display_order

DAY_S = 86400
_NONE = Values()


class Placement(DiffusionAttributes, frozen=True, gc=False, rename={
    "image_type": "00080008",
    "position": "00200032", "orientation": "00200037", "spacing": "00280030", "cine_rate": "00180040",
    "display_rate": "00082144", "frame_time": "00181063", "bits_allocated": "00280100", "pixel_data": "7FE00010",
    "thickness": "00180050", "frame_of_reference": "00200052", "acquisition": "0008002A",
    "acquisition_date": "00080022", "acquisition_time": "00080032", "content_date": "00080023",
    "content_time": "00080033", "trigger_time": "00181060", "temporal_position": "00200100",
    "acquisition_number": "00200012", "echo_time": "00180081",
    "echo_number": "00180086", "component": "00089208", "frame_times": "00181065",
}):  # fmt: skip
    """The part of an instance's metadata (DICOM JSON) that says where and when it is, how it plays, what it holds."""

    image_type: Values = _NONE
    position: Values = _NONE
    orientation: Values = _NONE
    spacing: Values = _NONE
    cine_rate: Values = _NONE
    display_rate: Values = _NONE
    frame_time: Values = _NONE
    bits_allocated: Values = _NONE
    pixel_data: msgspec.Raw = msgspec.Raw()
    thickness: Values = _NONE
    frame_of_reference: Values = _NONE
    acquisition: Values = _NONE
    acquisition_date: Values = _NONE
    acquisition_time: Values = _NONE
    content_date: Values = _NONE
    content_time: Values = _NONE
    trigger_time: Values = _NONE
    temporal_position: Values = _NONE
    acquisition_number: Values = _NONE
    echo_time: Values = _NONE
    echo_number: Values = _NONE
    component: Values = _NONE
    frame_times: Values = _NONE

    @property
    def image_type_text(self) -> str:
        """Return Image Type from its third value on."""
        return "\\".join(further_values(self.image_type))

    def placed(self) -> Placement:
        """Return it without a place in the patient where the picture has none: a mosaic's is that of no one slice."""
        return msgspec.structs.replace(self, position=_NONE) if is_mosaic(self.image_type) else self

    @property
    def plain_pixels(self) -> bool:
        """Return whether there is pixel data of a depth that is shown; all else needs a look at the header."""
        return bool(bytes(self.pixel_data)) and self.bits_allocated.Value[:1] in ((1,), (8,), (16,), (32,), (64,))

    def frames_per_second(self) -> float | None:
        """Return the rate that the object asks for (PS3.3 C.7.6.5), if any; of frames unevenly apart their mean."""
        rate = self.display_rate.number or self.cine_rate.number
        if rate:
            return rate
        steps = self.frame_times.numbers[1:]  # in ms from the frame before; the first frame has none
        frame_time = self.frame_time.number or (sum(steps) / len(steps) if steps else None)
        return 1000 / frame_time if frame_time and frame_time > 0 else None

    def moment(self) -> tuple[float | None, str]:
        """Return when it was acquired, else when its content came to be: seconds after the year 0, and which it is."""
        whole = self.acquisition.text
        found = moment_s(whole[:8], whole[8:]) if whole else None
        if found is None and self.acquisition_time.Value:
            found = moment_s(self.acquisition_date.text, self.acquisition_time.text)
        if found is not None:
            return found, "acquisition"
        if self.content_time.Value:
            found = moment_s(self.content_date.text, self.content_time.text)
        return (found, "content") if found is not None else (None, "")


_placements = msgspec.json.Decoder(list[Placement])
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_placement = msgspec.json.Decoder(Placement)


def placements(metadata: MetadataReader, refs: Sequence[InstanceRef]) -> list[Placement]:
    """Return where each instance lies; nothing of one whose metadata is beyond understanding."""
    text = metadata.array(refs)
    try:
        found = _placements.decode(text)
    except msgspec.MsgspecError:
        found = _one_by_one(text)
    return [one.placed() for one in found] if len(found) == len(refs) else [Placement()] * len(refs)


def _one_by_one(text: bytes) -> list[Placement]:
    try:
        return [_lenient(raw) for raw in _raw.decode(text)]
    except msgspec.MsgspecError:
        return []


def _lenient(raw: msgspec.Raw) -> Placement:
    try:
        return _placement.decode(raw)
    except msgspec.MsgspecError:
        return Placement()


def in_display_order(refs: Sequence[InstanceRef], placed: Sequence[Placement]) -> list[int]:
    """Return the places of `refs` in display order."""
    planes = []
    several = image_types_differ(placed)
    for ref, placement in zip(refs, placed, strict=True):
        position = placement.position.numbers
        at = (position[0], position[1], position[2]) if len(position) == 3 else None
        kinds = kinds_of(ref.sop_class_uid, placement.image_type, placement.component) if several else ()
        turn = (
            placement.temporal_position.number,
            placement.echo_time.number,
            placement.echo_number.number,
            placement.diffusion_b_value,
        )
        planes.append(Plane(ref.number, at, placement.orientation.numbers, kinds, turn))
    return display_order(planes)


def times(placed: Sequence[Placement], *, clear: bool) -> list[tuple[float | None, str]]:
    """Return each instance's time in seconds, and whether it is that of its acquisition or of its content.

    They count from the midnight before the earliest, so that a series may last beyond midnight; where the patient is
    not shown in the clear, from the earliest itself, so that they tell no time of day.
    """
    moments = [placement.moment() for placement in placed]
    earliest = min((moment for moment, _ in moments if moment is not None), default=0.0)
    zero = earliest - earliest % DAY_S if clear else earliest
    return [(None if moment is None else round(moment - zero, 6), which) for moment, which in moments]


def image_types_differ(placed: Sequence[Placement]) -> bool:
    """Tell whether a series holds pictures of several types."""
    return len({(placement.image_type, placement.component) for placement in placed}) > 1


def shared_frame_of_reference(placed: Sequence[Placement]) -> str:
    """Return the Frame of Reference UID that all instances name, an empty text where they differ or name none."""
    named = {placement.frame_of_reference.text for placement in placed}
    return named.pop() if len(named) == 1 else ""

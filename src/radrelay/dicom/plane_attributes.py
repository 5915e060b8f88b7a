"""The attributes that tell where an object's frames lie, read lean from its metadata as DICOM JSON (PS3.18 Annex F).

Only these are decoded of metadata that may have many thousands of frames: the top level of a single image (PS3.3
C.7.6.2), functional groups (C.7.6.16.2), vectors of nuclear medicine (C.8.4.8), offsets of a dose grid (C.8.8.3.2).
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from radrelay.dicom.diffusion import DiffusionAttributes
from radrelay.dicom.json_values import NONE, Values

Item = TypeVar("Item")


def is_mosaic(image_type: Values) -> bool:
    """Say whether a picture is made of many slices side by side, so that no plane is that of all (Image Type)."""
    return any(isinstance(one, str) and one.strip().upper() == "MOSAIC" for one in image_type.Value)


class Items(msgspec.Struct, Generic[Item], frozen=True):
    """The items of a sequence."""

    Value: tuple[Item, ...] = ()

    @property
    def first(self) -> Item | None:
        """Return the first item."""
        return self.Value[0] if self.Value else None


class Content(msgspec.Struct, frozen=True, rename={
    "acquired": "00189074", "reference": "00189151", "stack": "00209056", "in_stack": "00209057",
    "temporal": "00209128", "dimensions": "00209157",
}):  # fmt: skip
    """Frame Content: when a frame was acquired, and its place in stack, time and dimensions."""

    acquired: Values = NONE
    reference: Values = NONE
    stack: Values = NONE
    in_stack: Values = NONE
    temporal: Values = NONE
    dimensions: Values = NONE


class Position(msgspec.Struct, frozen=True, rename={"position": "00200032"}):
    """Plane Position (C.7.6.16.2.3)."""

    position: Values = NONE


class Orientation(msgspec.Struct, frozen=True, rename={"orientation": "00200037"}):
    """Plane Orientation (C.7.6.16.2.4)."""

    orientation: Values = NONE


class Measures(msgspec.Struct, frozen=True, rename={"thickness": "00180050", "spacing": "00280030"}):
    """Pixel Measures (C.7.6.16.2.1), in mm."""

    thickness: Values = NONE
    spacing: Values = NONE


class Echo(msgspec.Struct, frozen=True, rename={"time": "00189082"}):
    """MR Echo: its time in ms (C.8.13.5.4)."""

    time: Values = NONE


class Diffusion(msgspec.Struct, frozen=True, rename={"b_value": "00189087"}):
    """MR Diffusion: its b-value in s/mm² (C.8.13.5.9)."""

    b_value: Values = NONE


class Trigger(msgspec.Struct, frozen=True, rename={"delay": "00209153"}):
    """Cardiac Synchronization: the delay in ms (C.7.6.16.2.7)."""

    delay: Values = NONE


class Offset(msgspec.Struct, frozen=True, rename={"offset": "0020930D"}):
    """Temporal Position by its offset in s (C.7.6.16.2.23)."""

    offset: Values = NONE


class Contrast(msgspec.Struct, frozen=True, rename={"administered": "00189342", "phase": "00189344"}):
    """Contrast/Bolus Usage (C.7.6.16.2.12)."""

    administered: Values = NONE
    phase: Values = NONE


class FrameType(msgspec.Struct, frozen=True, rename={"type": "00089007", "component": "00089208"}):
    """MR Image Frame Type (C.8.13.5.1): what kind of picture the frame is."""

    type: Values = NONE
    component: Values = NONE


class Groups(msgspec.Struct, frozen=True, rename={
    "content": "00209111", "position": "00209113", "orientation": "00209116", "measures": "00289110",
    "echo": "00189114", "diffusion": "00189117", "trigger": "00189118", "offset": "00209310", "contrast": "00189341",
    "frame_type": "00189226",
}):  # fmt: skip
    """The functional groups of one frame, or those that all frames share."""

    content: Items[Content] = Items()
    position: Items[Position] = Items()
    orientation: Items[Orientation] = Items()
    measures: Items[Measures] = Items()
    echo: Items[Echo] = Items()
    diffusion: Items[Diffusion] = Items()
    trigger: Items[Trigger] = Items()
    offset: Items[Offset] = Items()
    contrast: Items[Contrast] = Items()
    frame_type: Items[FrameType] = Items()


class Detector(msgspec.Struct, frozen=True, rename={"position": "00200032", "orientation": "00200037"}):
    """One detector of a nuclear medicine image (C.8.4.11)."""

    position: Values = NONE
    orientation: Values = NONE


class Dimension(msgspec.Struct, frozen=True, rename={"pointer": "00209165", "label": "00209421"}):
    """One Dimension Index: the attribute, and its name (C.7.6.17)."""

    pointer: Values = NONE
    label: Values = NONE


class Top(DiffusionAttributes, frozen=True, gc=True, rename={
    "image_type": "00080008", "sop_class": "00080016", "frames": "00280008", "reference": "00200052",
    "position": "00200032", "orientation": "00200037", "spacing": "00280030", "thickness": "00180050",
    "between": "00180088", "shared": "52009229", "per_frame": "52009230", "dimensions": "00209222",
    "offsets": "3004000C",
    "detectors": "00540022", "slice_vector": "00540080", "slot_vector": "00540070", "time_slice_vector": "00540100",
    "slices": "00540081", "echo_time": "00180081", "temporal": "00200100",
    "trigger": "00181060", "component": "00089208",
}):  # fmt: skip
    """What stands at the top level of the data set."""

    image_type: Values = NONE
    sop_class: Values = NONE
    frames: Values = NONE
    reference: Values = NONE
    position: Values = NONE
    orientation: Values = NONE
    spacing: Values = NONE
    thickness: Values = NONE
    between: Values = NONE
    shared: Items[Groups] = Items()
    per_frame: Items[msgspec.Raw] = Items()
    dimensions: Items[Dimension] = Items()
    offsets: Values = NONE
    detectors: Items[Detector] = Items()
    slice_vector: Values = NONE
    slot_vector: Values = NONE
    time_slice_vector: Values = NONE
    slices: Values = NONE
    echo_time: Values = NONE
    temporal: Values = NONE
    trigger: Values = NONE
    component: Values = NONE

"""The planes of an object's frames: where each lies, and by what it differs from its neighbours."""

from __future__ import annotations

import uuid

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from radrelay.access import Right
from radrelay.archive.instances import InstanceRef
from radrelay.dicom.errors import Malformed
from radrelay.dicom.pixels import BrokenPixels, NotViewable, PixelsTooLarge
from radrelay.dicom.planes import MOST_PLANES, Plane, planes_of
from radrelay.web import trail
from radrelay.web.aliases import reference_of
from radrelay.web.answering import encoded, packed
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/instances", tags=["instances"])


class FramePlane(BaseModel):
    """One frame: centre of its first pixel, directions along a row and down a column, lengths in mm.

    `time` is in seconds after the midnight before the first frame (from the first frame, where the patient's identity
    is not shown) or after the reference that the object names; `trigger_time` and `echo_time` are ms, `b_value` s/mm².
    `contrast` is YES or NO, with a bolus' phase behind a space. `dimensions` are the frame's indices, `kinds` what an
    MR picture is, such as magnitude, phase, water, fat, adc.
    """

    position: list[float] | None
    orientation: list[float] | None
    spacing: list[float] | None
    thickness: float | None
    time: float | None
    stack_id: str
    stack_position: int | None
    temporal_position: int | None
    trigger_time: float | None
    echo_time: float | None
    b_value: float | None
    contrast: str
    dimensions: list[int]
    kinds: list[str]


class InstancePlanes(BaseModel):
    """The planes of the frames, by frame number; none at all where the object lies nowhere in the patient.

    `frames` is how many can be read; `complete` says whether there is a plane for each of them. `dimensions` names
    the attribute (as eight hex digits) that each number of a plane's `dimensions` stands for.
    """

    instance_id: uuid.UUID
    frame_of_reference: str | None
    frames: int
    complete: bool
    dimensions: list[str]
    planes: list[FramePlane]


@router.get("/{instance_id}/planes", response_model=InstancePlanes)
def planes(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Show where each frame of an instance lies; of very many frames only the first ones."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).instance(instance_id)
    record = trail.event(request, principal, "study.open", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)
    clear = found.study.identity == "clear"
    mark = (instance_id, "planes", clear)  # an instance never changes
    listed = services.listings.get(mark)
    if listed is None:
        listed = _listed(services, principal.organisation_id, found.ref, clear=clear)
        services.listings.put(mark, listed)
    return packed(request, listed)


def _listed(services: WebServices, organisation_id: uuid.UUID, ref: InstanceRef, *, clear: bool) -> bytes:
    frames = _frames(services, ref)
    found = planes_of(services.metadata.one(ref), frames)
    shown = found.planes if clear else _without_time_of_day(found.planes)
    return encoded(
        {
            "instance_id": ref.id,
            "frame_of_reference": reference_of(services, organisation_id, found.frame_of_reference, clear=clear),
            "frames": frames,
            "complete": len(shown) == frames or not shown,
            "dimensions": found.dimensions,
            "planes": shown,
        }
    )


def _frames(services: WebServices, ref: InstanceRef) -> int:
    """Return how many frames can be read; where none can, how many are named, within the limit."""
    try:
        return services.reader.frame_count(ref)
    except (NotViewable, BrokenPixels, PixelsTooLarge, Malformed):
        return min(ref.frames, MOST_PLANES)


def _without_time_of_day(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    earliest = min((plane.time for plane in planes if plane.time is not None), default=0.0)
    return tuple(
        plane if plane.time is None else msgspec.structs.replace(plane, time=round(plane.time - earliest, 6))
        for plane in planes
    )

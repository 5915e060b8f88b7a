"""Drawings of other systems over a study's images: which there are, what one draws, the masks of its segments."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from radrelay.access import Principal, Right
from radrelay.archive.cited import cited_instances, series_in_space
from radrelay.archive.instances import InstanceRef
from radrelay.archive.tables import INSTANCE, SERIES
from radrelay.dicom.drawings import Drawing
from radrelay.errors import Invalid
from radrelay.marks.filing import filed_uids
from radrelay.web import drawing_list, drawn, trail
from radrelay.web.answering import json_answer
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.drawing_answers import Content, DrawingList
from radrelay.web.problems import answers
from radrelay.web.reach import Reach, ReachedInstance
from radrelay.web.services import WebServices

studies_router = APIRouter(prefix="/studies", tags=["studies"])
instances_router = APIRouter(prefix="/instances", tags=["instances"])
FRAMES_AT_ONCE = 256
SegmentNumber = Annotated[int, Path(ge=0, le=65535)]
FrameList = Annotated[str, Query(max_length=2_000, pattern=r"^\d{1,7}(-\d{1,7})?(,\d{1,7}(-\d{1,7})?)*$")]


@studies_router.get("/{study_id}/drawings", response_model=DrawingList)
def drawings(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Response:
    """List what other systems drew over a study's images; what was filed of our own marks is shown by those."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        study = reach.study(study_id)
        ours = filed_uids(session, study_id)
        refs = [ref for ref in reach.study_instances(study_id) if ref.sop_uid not in ours]
    record = trail.event(request, principal, "study.open", ("study", study_id), patient=study.patient)
    trail.seen(services.database, principal, record)
    return json_answer(drawing_list.listed(services, study_id, refs, clear=study.identity == "clear"))


def _reached(request: Request, services: WebServices, principal: Principal, instance_id: uuid.UUID) -> ReachedInstance:
    """Find an instance within reach; that its study is looked at is on record before anything leaves."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).instance(instance_id)
    record = trail.event(request, principal, "study.view", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)
    return found


@instances_router.get("/{instance_id}/drawing", response_model=Content)
def drawing(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Give what an object draws over images: of a presentation state, a report, …, or an image's overlay planes."""
    reached = _reached(request, services, principal, instance_id)
    content = services.drawings.read(reached.ref)
    with services.database.read() as session:
        found = _cited(Reach.of(services, session, principal, Right.SEE), reached.ref, content)
    return json_answer(drawn.told(instance_id, content, found, clear=reached.study.identity == "clear"))


def _cited(reach: Reach, ref: InstanceRef, content: Drawing) -> drawn.Found:
    """Find what of a drawing's references is within reach; an image's own overlay planes are on itself."""
    session, now = reach.session, reach.now
    uids = {one.sop_uid for one in content.references()} - {ref.sop_uid}
    within = reach.scope.series_filter(INSTANCE.c.study_id, INSTANCE.c.series_id)
    images = cited_instances(session, now, ref.study_id, uids, within)
    images[ref.sop_uid] = ref.id, ref.series_id
    series = reach.scope.series_filter(SERIES.c.study_id, SERIES.c.id)
    spaces = series_in_space(session, now, ref.study_id, series) if content.frames_of_reference else {}
    return drawn.Found(images, spaces)


@instances_router.get(
    "/{instance_id}/drawing/masks/{segment}",
    response_class=Response,
    responses=answers("application/octet-stream"),
)
def masks(
    request: Request,
    services: Services,
    principal: Authenticated,
    instance_id: uuid.UUID,
    segment: SegmentNumber,
    frames: FrameList,
) -> Response:
    """Give masks of a segment (0: of all) in those of `frames` that are its, such as `3,7-12`, as runs.

    Little endian: how many masks, then number and length in bytes of each as uint32, then each as runs (LEB128): of
    bits, lengths of not set and set in turn, row by row; of shares and numbers, pairs of a value and a length. What
    would be too much at once is left out, and asked for again.
    """
    reached = _reached(request, services, principal, instance_id)
    body = services.drawings.masks(reached.ref, segment, _numbers(frames))
    return Response(body, media_type="application/octet-stream")


def _numbers(frames: str) -> list[int]:
    """Return the frames that a list names; raises `Invalid` beyond `FRAMES_AT_ONCE`."""
    found: list[int] = []
    for part in frames.split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), min(int(last or first), int(first) + FRAMES_AT_ONCE) + 1))
        if len(found) > FRAMES_AT_ONCE:
            raise Invalid(f"at most {FRAMES_AT_ONCE} frames at once")
    return sorted(set(found))

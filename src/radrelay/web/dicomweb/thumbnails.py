"""Thumbnails of studies, series, instances and frames (PS3.18 10.4.1.1.4)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from itertools import groupby

from fastapi import APIRouter, Request
from starlette.responses import Response

from radrelay.access import Principal, Right
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import FrameNotThere
from radrelay.dicom.errors import Malformed
from radrelay.dicom.pixels import BrokenPixels, DecoderKilled, NotViewable
from radrelay.errors import NotFound
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb.frames import parse_numbers
from radrelay.web.dicomweb.negotiation import NotAcceptable, accepted, best_media
from radrelay.web.dicomweb.reaching import Target, note_view, reach
from radrelay.web.dicomweb.rendering import FORMS, Rendering, parse_rendering
from radrelay.web.services import WebServices

router = APIRouter(tags=["dicomweb"])

TRIES = 8
EDGE = 256


class NoThumbnail(NotFound):
    """Nothing here can be shown as a picture."""

    code = "no-thumbnail"


@router.get("/studies/{study}/thumbnail")
def study_thumbnail(study: str, request: Request, services: Services, principal: Authenticated) -> Response:
    """Give a small picture of a study."""
    return _thumbnail(request, services, principal, Target(study))


@router.get("/studies/{study}/series/{series}/thumbnail")
def series_thumbnail(
    study: str, series: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give a small picture from the middle of a series."""
    return _thumbnail(request, services, principal, Target(study, series))


@router.get("/studies/{study}/series/{series}/instances/{instance}/thumbnail")
def instance_thumbnail(
    study: str, series: str, instance: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give a small picture of an instance."""
    return _thumbnail(request, services, principal, Target(study, series, instance))


@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{numbers}/thumbnail")
def frame_thumbnail(
    study: str, series: str, instance: str, numbers: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give a small picture of a frame; of several the first."""
    target = Target(study, series, instance)
    return _thumbnail(request, services, principal, target, parse_numbers(numbers)[0])


def _thumbnail(
    request: Request, services: WebServices, principal: Principal, target: Target, frame: int = 0
) -> Response:
    media = best_media(accepted(request), tuple(FORMS))
    if media is None:
        raise NotAcceptable(f"thumbnails are {', '.join(FORMS)}")
    wanted = parse_rendering(request.query_params)
    reached = reach(services, principal, Right.SEE, target)
    note_view(services, request, principal, reached)
    harmful: set[uuid.UUID] = set()
    for tried, ref in enumerate(_candidates(reached.refs)):
        if tried == TRIES:
            break
        if ref.series_id in harmful:
            continue
        try:
            return Response(_small(services, wanted, ref, frame, media), media_type=media, headers=wanted.headers)
        except FrameNotThere:
            if frame:
                raise
        except DecoderKilled:
            if len(reached.refs) == 1 or harmful:
                raise
            harmful.add(ref.series_id)  # the others of its series may take as long
        except (NotViewable, BrokenPixels, Malformed):
            continue  # another one may have a picture
    raise NoThumbnail


def _small(services: WebServices, wanted: Rendering, ref: InstanceRef, frame: int, media: str) -> bytes:
    if wanted == Rendering(unmet=wanted.unmet) and media == "image/jpeg":
        return services.renditions.thumbnail(ref, frame)
    number = frame or max(1, (max(1, ref.frames) + 1) // 2)
    size = wanted.size or (EDGE, EDGE)
    return Rendering(wanted.window, wanted.region, size, wanted.quality).picture(
        services.renditions, ref, number, media
    )


def _candidates(refs: Sequence[InstanceRef]) -> Iterator[InstanceRef]:
    """Yield the middle instance of each series, then its neighbours."""
    groups = [list(group) for _, group in groupby(refs, key=lambda ref: ref.series_id)]
    for distance in range(TRIES):
        for group in groups:
            place = len(group) // 2 + (-(distance // 2) if distance % 2 else distance // 2)
            if distance != 1 and 0 <= place < len(group):
                yield group[place]

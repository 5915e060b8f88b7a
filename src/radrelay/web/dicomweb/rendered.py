"""Rendered resources: pictures and documents of studies, series, instances and frames (PS3.18 10.4.1.1.3, 8.3.5).

The query parameters window, viewport and quality are followed; annotation and iccprofile are answered by a warning,
since the pictures carry neither. A document (PDF) is given as it is, a film as the stream that it holds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from radrelay.access import Principal, Right
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import FrameNotThere
from radrelay.dicom.errors import Malformed
from radrelay.dicom.multipart import Part
from radrelay.dicom.pixels import BrokenPixels, DecoderKilled, NotViewable
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.viewability import describe_viewability
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb import films
from radrelay.web.dicomweb.answering import multipart, ranged
from radrelay.web.dicomweb.bulk import bulk_value
from radrelay.web.dicomweb.frames import parse_numbers
from radrelay.web.dicomweb.negotiation import NotAcceptable, Range, accepted
from radrelay.web.dicomweb.reaching import Target, note_view, reach
from radrelay.web.dicomweb.rendering import FORMS, Rendering, parse_rendering
from radrelay.web.services import WebServices

router = APIRouter(tags=["dicomweb"])

REPRESENTATIVE_FRAME = 0x00286010
ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
DOCUMENT_PATH = "00420011"
_FAULTS = (NotViewable, BrokenPixels, Malformed, FrameNotThere)


@router.get("/studies/{study}/rendered")
def rendered_study(study: str, request: Request, services: Services, principal: Authenticated) -> Response:
    """Give a picture of every instance of a study that has one."""
    return _several(request, services, principal, Target(study))


@router.get("/studies/{study}/series/{series}/rendered")
def rendered_series(
    study: str, series: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give a picture of every instance of a series that has one."""
    return _several(request, services, principal, Target(study, series))


@router.get("/studies/{study}/series/{series}/instances/{instance}/rendered")
def rendered_instance(
    study: str, series: str, instance: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give an instance as a picture, a document or a film; all its frames where multipart is asked for."""
    ranges = accepted(request)
    wanted = parse_rendering(request.query_params)
    ref = _seen(request, services, principal, Target(study, series, instance))
    if ref.sop_class_uid.startswith(ENCAPSULATED):
        return _document(request, services, ref, ranges)
    if syntax_of(ref.transfer_syntax_uid).codec == "video":
        return films.answer(request, services.reader, ref, ranges)
    range_, media = _picture_media(ranges)
    _require_picture(services, ref)
    if not range_.multipart:
        number = services.renditions.header(ref).integer(REPRESENTATIVE_FRAME) or 1
        number = number if 1 <= number <= services.reader.frame_count(ref) else 1
        return Response(
            wanted.picture(services.renditions, ref, number, media), media_type=media, headers=wanted.headers
        )
    numbers = range(1, services.reader.frame_count(ref) + 1)
    return _pictures(services, wanted, ((ref, number) for number in numbers), media)


@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{numbers}/rendered")
def rendered_frames(
    study: str, series: str, instance: str, numbers: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give frames of an instance as pictures."""
    ranges = accepted(request)
    wanted = parse_rendering(request.query_params)
    listed = parse_numbers(numbers)
    ref = _seen(request, services, principal, Target(study, series, instance))
    range_, media = _picture_media(ranges)
    _require_picture(services, ref)
    if max(listed) > services.reader.frame_count(ref):
        raise FrameNotThere
    if range_.multipart or len(listed) > 1:
        return _pictures(services, wanted, ((ref, number) for number in listed), media)
    picture = wanted.picture(services.renditions, ref, listed[0], media)
    return Response(picture, media_type=media, headers=wanted.headers)


def _seen(request: Request, services: WebServices, principal: Principal, target: Target) -> InstanceRef:
    reached = reach(services, principal, Right.SEE, target)
    note_view(services, request, principal, reached)
    return reached.one


def _several(request: Request, services: WebServices, principal: Principal, target: Target) -> Response:
    ranges = accepted(request)
    wanted = parse_rendering(request.query_params)
    range_, media = _picture_media(ranges)
    reached = reach(services, principal, Right.SEE, target)
    note_view(services, request, principal, reached)
    shown = [ref for ref in reached.refs if ref.sop_class_uid and _may_show(ref)]
    first = next((ref for ref in shown if services.renditions.why_not(ref) is None), None)
    if first is None:
        raise NotAcceptable("nothing here can be shown as a picture")
    if not range_.multipart and range_.exactness and len(shown) > 1:
        raise NotAcceptable(f'several pictures are given as multipart/related; type="{media}"')
    if not range_.multipart and range_.exactness:
        picture = wanted.picture(services.renditions, first, 1, media)
        return Response(picture, media_type=media, headers=wanted.headers)
    return _pictures(services, wanted, ((ref, 1) for ref in shown), media)


def _may_show(ref: InstanceRef) -> bool:
    """Say whether an instance has a picture as far as its class and transfer syntax tell."""
    return describe_viewability(ref.sop_class_uid, ref.transfer_syntax_uid) is None


def _picture_media(ranges: Sequence[Range]) -> tuple[Range, str]:
    for range_ in ranges:
        for media in FORMS:
            if range_.names(media):
                return range_, media
    raise NotAcceptable(f"pictures are {', '.join(FORMS)}")


def _require_picture(services: WebServices, ref: InstanceRef) -> None:
    why_not = services.renditions.why_not(ref)
    if why_not is not None:
        raise NotAcceptable(why_not)


def _pictures(
    services: WebServices, wanted: Rendering, frames: Iterator[tuple[InstanceRef, int]], media: str
) -> Response:
    """Return pictures as they are made; a frame that cannot be shown is left out, as its neighbours still can.

    Once a frame has cost a decoder, the others of its instance are left out, too: each could take as long.
    """

    def parts() -> Iterator[Part]:
        harmful: set[uuid.UUID] = set()
        for ref, number in frames:
            if ref.id in harmful:
                continue
            try:
                picture = wanted.picture(services.renditions, ref, number, media)
            except DecoderKilled:
                harmful.add(ref.id)
                continue
            except _FAULTS:
                continue
            yield Part((("Content-Type", media),), (picture,))

    return multipart(parts(), media, headers=wanted.headers)


def _document(request: Request, services: WebServices, ref: InstanceRef, ranges: Sequence[Range]) -> Response:
    value, media = bulk_value(services.reader, ref, DOCUMENT_PATH)
    range_ = next((range_ for range_ in ranges if range_.names(media)), None)
    if range_ is None:
        raise NotAcceptable(f"this document is {media}")
    if range_.multipart:
        return multipart([Part((("Content-Type", media),), (value,))], media)
    return ranged(request, value, media, {"Content-Security-Policy": "default-src 'none'; sandbox"})

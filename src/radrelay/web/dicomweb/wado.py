"""WADO-RS: studies, series, instances, frames and bulk data (PS3.18 10.4); metadata and pictures stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from radrelay.access import Principal, Right
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import FrameNotThere
from radrelay.archive.renditions import told
from radrelay.dicom.multipart import Part
from radrelay.dicom.pixels import DecoderKilled
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb import frames as frame_bodies
from radrelay.web.dicomweb.answering import multipart, ranged
from radrelay.web.dicomweb.bulk import bulk_value, is_pixel_data
from radrelay.web.dicomweb.negotiation import DICOM, OCTETS, ZIP, NotAcceptable, Range, accepted, best_media
from radrelay.web.dicomweb.objects import UNFIT, choose_all, part_of, parts_of
from radrelay.web.dicomweb.reaching import Target, note_view, reach
from radrelay.web.downloads import still_allowed, zip_response
from radrelay.web.services import WebServices
from radrelay.web.streaming import in_pieces

Result = TypeVar("Result")

router = APIRouter(tags=["dicomweb"])
_executor = ThreadPoolExecutor(4, thread_name_prefix="wado")
PARTIAL = '299 radrelay "some instances cannot be given in the accepted transfer syntaxes and are left out"'


@router.get("/studies/{study}")
def retrieve_study(study: str, request: Request, services: Services, principal: Authenticated) -> Response:
    """Give every instance of a study."""
    return _objects(request, services, principal, Target(study))


@router.get("/studies/{study}/series/{series}")
def retrieve_series(
    study: str, series: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give every instance of a series."""
    return _objects(request, services, principal, Target(study, series))


@router.get("/studies/{study}/series/{series}/instances/{instance}")
def retrieve_instance(
    study: str, series: str, instance: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give one instance."""
    return _objects(request, services, principal, Target(study, series, instance))


@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{numbers}")
def retrieve_frames(
    study: str, series: str, instance: str, numbers: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give frames of an instance, a comma list counted from 1, in that order."""
    ranges = accepted(request)
    reached = reach(services, principal, Right.SEE, Target(study, series, instance))
    wanted = frame_bodies.parse_numbers(numbers)
    note_view(services, request, principal, reached)
    return _frames(request, services, reached.one, wanted, ranges)


@router.get("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}")
def retrieve_bulk_data(
    study: str, series: str, instance: str, path: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give the value of one attribute that metadata names by address."""
    ranges = accepted(request)
    reached = reach(services, principal, Right.SEE, Target(study, series, instance))
    note_view(services, request, principal, reached)
    if is_pixel_data(path):
        return _pixel_data(request, services, reached.one, ranges)
    value, media = bulk_value(services.reader, reached.one, path)
    chosen = next((r for r in ranges if r.names(media) or r.names(OCTETS)), None)
    if chosen is None:
        raise NotAcceptable(f"this value is {media}")
    media = media if chosen.names(media) else OCTETS
    if chosen.multipart:
        return multipart([Part((("Content-Type", media),), (value,))], media)
    return ranged(request, value, media, {"Content-Security-Policy": "default-src 'none'; sandbox"})


def _frames(
    request: Request, services: WebServices, ref: InstanceRef, wanted: Sequence[int], ranges: Sequence[Range]
) -> Response:
    if max(wanted) > services.reader.frame_count(ref):
        raise FrameNotThere
    first = services.reader.frame(ref, wanted[0])
    kind = frame_bodies.choose(ranges, first.descriptor, ref.transfer_syntax_uid, len(wanted))
    with told(ref, wanted[0]):
        begun = _unfit_is_not_acceptable(lambda: frame_bodies.body(first, kind.syntax))
    if not kind.multipart:
        return ranged(request, begun, kind.content_type)
    headers = (("Content-Type", kind.content_type),)

    def parts() -> Iterator[Part]:
        yield Part(headers, (begun,))
        for frame in services.reader.frames(ref, wanted[1:]):
            yield Part(headers, (frame_bodies.body(frame, kind.syntax),))

    return multipart(parts(), kind.media)


def _pixel_data(request: Request, services: WebServices, ref: InstanceRef, ranges: Sequence[Range]) -> Response:
    """Give pixel data: a part for each frame of compressed data, all frames as one value of uncompressed."""
    count = services.reader.frame_count(ref)
    first = services.reader.frame(ref, 1)
    kind = frame_bodies.choose(ranges, first.descriptor, ref.transfer_syntax_uid, 1)
    numbers = range(1, count + 1)
    bodies = (frame_bodies.body(frame, kind.syntax) for frame in services.reader.frames(ref, numbers))
    headers = (("Content-Type", kind.content_type),)
    if kind.media != OCTETS:
        return multipart((Part(headers, (one,)) for one in bodies), kind.media)
    if kind.multipart:
        return multipart([Part(headers, bodies)], OCTETS)
    if request.headers.get("range") and ref.size <= frame_bodies.RANGED_LIMIT:
        return ranged(request, b"".join(bodies), kind.content_type)
    return in_pieces(bodies, media_type=kind.content_type)


def _objects(request: Request, services: WebServices, principal: Principal, target: Target) -> Response:
    ranges = accepted(request)
    as_zip = best_media(ranges, (DICOM, ZIP)) == ZIP
    reached = reach(services, principal, Right.DOWNLOAD, target)
    if as_zip:
        return zip_response(request, services, principal, reached.study, reached.refs)
    services.reader.require(reached.refs)
    chosen = choose_all(ranges, reached.refs)
    single = _wants_single(ranges)
    if single and len(chosen) > 1:
        raise NotAcceptable('several instances are given as multipart/related; type="application/dicom"')
    note_view(services, request, principal, reached, "study.download")
    if single:
        part = _unfit_is_not_acceptable(lambda: part_of(services.reader, *chosen[0]))
        return in_pieces(part.content, 200, {"Vary": "Accept"}, part.headers[0][1])
    partial = len(chosen) < len(reached.refs)
    status, headers = (206, {"Warning": PARTIAL}) if partial else (200, {})
    if len(chosen) == 1:
        part = _unfit_is_not_acceptable(lambda: part_of(services.reader, *chosen[0]))
        return multipart([part], DICOM, status=status, headers=headers)
    parts = parts_of(services.reader, chosen, _executor)
    still = still_allowed(request, services, reached.study.id)
    return multipart(parts, DICOM, status=status, headers=headers, require_still=still)


def _wants_single(ranges: Sequence[Range]) -> bool:
    """Say whether the client would have one object bare rather than as multipart."""
    best = next((r for r in ranges if r.names(DICOM)), None)
    if best is None or best.multipart or best.media == "*/*":
        return False
    return not any(r.multipart and r.names(DICOM) and r.quality == best.quality for r in ranges)


def _unfit_is_not_acceptable(make: Callable[[], Result]) -> Result:
    """Return what `make` makes; that an object cannot be had in what the client accepts is 406, not a fault.

    That it cost its decoder is said as such.
    """
    try:
        return make()
    except DecoderKilled:
        raise
    except UNFIT as error:
        raise NotAcceptable(error.message) from error

"""WADO-RS: studies, series, instances, frames, metadata and bulk data (PS3.18 10.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from radrelay.access import Principal, Right
from radrelay.archive.metadata import BULK_BASE
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb import frames as frame_bodies
from radrelay.web.dicomweb.bulk import bulk_value
from radrelay.web.dicomweb.multipart import Part, new_boundary, write_parts
from radrelay.web.dicomweb.negotiation import (
    DICOM,
    DICOM_JSON,
    MULTIPART,
    OCTETS,
    NotAcceptable,
    Range,
    parse_accept,
    wants_json,
)
from radrelay.web.dicomweb.objects import choose_syntax, part_of, parts_of
from radrelay.web.dicomweb.reaching import Reached, Target, base_url, note_view, reach
from radrelay.web.services import WebServices

router = APIRouter(tags=["dicomweb"])

_executor = ThreadPoolExecutor(4, thread_name_prefix="wado")

PIECE = 1 << 20


def accepted(request: Request) -> list[Range]:
    """Return what the client accepts; the query parameter wins over the header (PS3.18 8.3.3.1)."""
    return parse_accept(request.query_params.get("accept") or request.headers.get("accept", ""))


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


@router.get("/studies/{study}/metadata")
def study_metadata(study: str, request: Request, services: Services, principal: Authenticated) -> Response:
    """Give the metadata of every instance of a study."""
    return _metadata(request, services, principal, Target(study))


@router.get("/studies/{study}/series/{series}/metadata")
def series_metadata(
    study: str, series: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give the metadata of every instance of a series."""
    return _metadata(request, services, principal, Target(study, series))


@router.get("/studies/{study}/series/{series}/instances/{instance}/metadata")
def instance_metadata(
    study: str, series: str, instance: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give the metadata of one instance."""
    return _metadata(request, services, principal, Target(study, series, instance))


@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{numbers}")
def retrieve_frames(
    study: str, series: str, instance: str, numbers: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give frames of an instance, a comma list counted from 1."""
    ranges = accepted(request)
    reached = reach(services, principal, Right.SEE, Target(study, series, instance))
    wanted = frame_bodies.parse_numbers(numbers)
    note_view(services, request, principal, reached)
    kind = frame_bodies.choose(ranges, services.reader.frame(reached.one, wanted[0]), len(wanted))
    if not kind.multipart:
        body = frame_bodies.body(services.reader.frame(reached.one, wanted[0]), kind.syntax)
        return ranged(request, body, frame_bodies.content_type(kind))
    headers = (("Content-Type", frame_bodies.content_type(kind)),)
    parts = (
        Part(headers, (frame_bodies.body(frame, kind.syntax),)) for frame in services.reader.frames(reached.one, wanted)
    )
    return _multipart(parts, kind.media)


@router.get("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}")
def retrieve_bulk_data(
    study: str, series: str, instance: str, path: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Give the value of one attribute that metadata names by address."""
    ranges = accepted(request)
    reached = reach(services, principal, Right.SEE, Target(study, series, instance))
    note_view(services, request, principal, reached)
    value, media = bulk_value(services.reader, reached.one, path)
    multipart = any(r.multipart and (r.allows(media) or r.allows(OCTETS)) for r in ranges)
    single = any(not r.multipart and (r.allows(media) or r.allows(OCTETS)) for r in ranges)
    if multipart and not single:
        return _multipart([Part((("Content-Type", media),), (value,))], media)
    if not single:
        raise NotAcceptable
    return ranged(request, value, media)


def ranged(request: Request, body: bytes, media: str) -> Response:
    """Return a body whole, or the one byte range that is asked for (RFC 9110 14)."""
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600", "Vary": "Accept"}
    header = request.headers.get("range", "")
    if not header.startswith("bytes=") or "," in header:
        return Response(body, media_type=media, headers=headers)
    first_text, _, last_text = header[6:].strip().partition("-")
    try:
        if first_text:
            first, last = int(first_text), int(last_text) if last_text else len(body) - 1
        else:
            first, last = max(0, len(body) - int(last_text)), len(body) - 1
    except ValueError:
        return Response(body, media_type=media, headers=headers)
    last = min(last, len(body) - 1)
    if first > last or first < 0:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{len(body)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Response(body[first : last + 1], 206, media_type=media, headers=headers)


def _objects(request: Request, services: WebServices, principal: Principal, target: Target) -> Response:
    ranges = accepted(request)
    reached = reach(services, principal, Right.DOWNLOAD, target)
    syntax = choose_syntax(ranges, reached.refs[0])
    note_view(services, request, principal, reached, "study.download")
    if target.sop_uid is not None and _wants_single(ranges):
        part = part_of(services.reader, reached.one, syntax)
        return StreamingResponse(part.content, media_type=f"{DICOM}; transfer-syntax={syntax}")
    return _multipart(parts_of(services.reader, reached.refs, ranges, _executor), DICOM)


def _wants_single(ranges: list[Range]) -> bool:
    best = next((r for r in ranges if r.allows(DICOM)), None)
    return best is not None and not best.multipart and best.media != "*/*"


def _metadata(request: Request, services: WebServices, principal: Principal, target: Target) -> Response:
    if not wants_json(accepted(request)):
        raise NotAcceptable("metadata is given as application/dicom+json")
    reached = reach(services, principal, Right.SEE, target)
    note_view(services, request, principal, reached)
    body = _with_addresses(services, reached, base_url(request))
    return Response(body, media_type=DICOM_JSON, headers={"Cache-Control": "private, no-cache"})


def _with_addresses(services: WebServices, reached: Reached, base: str) -> bytes:
    own, asked = f'"BulkDataURI":"{BULK_BASE}/'.encode(), f'"BulkDataURI":"{base}/'.encode()
    return services.metadata.array(reached.refs).replace(own, asked)


def _multipart(parts: Iterable[Part], media: str) -> StreamingResponse:
    boundary = new_boundary()
    content_type = f'{MULTIPART}; type="{media}"; boundary={boundary}'
    return StreamingResponse(_larger(write_parts(parts, boundary)), headers={"Content-Type": content_type})


def _larger(pieces: Iterator[bytes | memoryview]) -> Iterator[bytes]:
    """Join small pieces, since each one costs a turn of the event loop."""
    waiting: list[bytes | memoryview] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)

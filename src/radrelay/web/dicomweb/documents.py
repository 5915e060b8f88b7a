"""Metadata as WADO-RS gives it: DICOM JSON (or the Native DICOM Model) of every instance (PS3.18 10.4.1.1.2).

A study's or series' metadata is ready-made but for the address that its bulk data has here; what was put together
last is kept under its version, so that many viewers of one series cost one.
"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from radrelay.access import Principal, Right
from radrelay.archive.metadata import BULK_BASE
from radrelay.archive.recent import Recent
from radrelay.dicom.multipart import Part
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb.answering import compressed, multipart, takes_gzip, unchanged
from radrelay.web.dicomweb.native_model import Json, to_xml
from radrelay.web.dicomweb.negotiation import DICOM_JSON, DICOM_XML, accepted, wants_xml
from radrelay.web.dicomweb.reaching import Reached, Target, base_url, note_view, reach
from radrelay.web.services import WebServices

router = APIRouter(tags=["dicomweb"])

READY_BYTES = 24 << 20
_ready: Recent[tuple[str, str, bool], tuple[bytes, str]] = Recent(READY_BYTES, lambda kept: len(kept[0]))


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


def _metadata(request: Request, services: WebServices, principal: Principal, target: Target) -> Response:
    as_xml = wants_xml(accepted(request))
    reached = reach(services, principal, Right.SEE, target)
    note_view(services, request, principal, reached)
    if as_xml:
        found: list[Json] = msgspec.json.decode(_with_addresses(services, reached, base_url(request)))
        headers = (("Content-Type", DICOM_XML),)
        return multipart((Part(headers, (to_xml(one),)) for one in found), DICOM_XML)
    mark = reached.found.version()
    tag = f'W/"{mark}"'
    answer = unchanged(request, tag)
    return answer or _ready_made(request, services, reached, mark)


def _ready_made(request: Request, services: WebServices, reached: Reached, mark: str) -> Response:
    base = base_url(request)
    headers = {"ETag": f'W/"{mark}"'}
    zipped = takes_gzip(request)
    kept = _ready.get((mark, base, zipped))
    if kept is None:
        body = compressed(request, _with_addresses(services, reached, base), headers)
        kept = body, headers.get("Content-Encoding", "")
        _ready.put((mark, base, zipped), kept)
    if kept[1]:
        headers["Content-Encoding"] = kept[1]
    headers["Vary"] = "Accept, Accept-Encoding"
    return Response(kept[0], media_type=DICOM_JSON, headers=headers)


def _with_addresses(services: WebServices, reached: Reached, base: str) -> bytes:
    own, asked = f'"BulkDataURI":"{BULK_BASE}/'.encode(), f'"BulkDataURI":"{base}/'.encode()
    return services.metadata.array(reached.refs).replace(own, asked)

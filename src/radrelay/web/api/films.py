"""Films as browsers play them: MP4 as it is kept, H.264 in other wrappings put into MP4, in ranges as players ask."""

from __future__ import annotations

import threading
import uuid
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from radrelay.access import Right
from radrelay.archive.instances import InstanceRef
from radrelay.archive.recent import Recent
from radrelay.dicom.errors import UnplayableFilm
from radrelay.dicom.film_streams import Container, as_mp4, container_of
from radrelay.dicom.header import Header
from radrelay.dicom.syntaxes import syntax_of
from radrelay.errors import NotFound
from radrelay.web.answering import json_answer
from radrelay.web.api.contents import seen
from radrelay.web.api.documents import KEPT_S
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb.answering import ranged
from radrelay.web.dicomweb.films import as_kept, pieces_of
from radrelay.web.downloads import note_download, streamed
from radrelay.web.problems import answers
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/instances", tags=["contents"])
LARGEST_WRAPPED = 192 << 20
_wrapped: Recent[uuid.UUID, bytes] = Recent(LARGEST_WRAPPED, len, KEPT_S)
_wrapping = threading.Lock()  # one at a time: it takes a film's size twice
_MEDIA: dict[Container, str] = {
    "mp4": "video/mp4",
    "transport": "video/mp2t",
    "h264": "video/h264",
    "hevc": "video/h265",
    "program": "video/mpeg",
    "mpeg2": "video/mpeg",
    "unknown": "application/octet-stream",
}


_ENDINGS: dict[Container, str] = {
    "mp4": ".mp4",
    "transport": ".ts",
    "h264": ".h264",
    "hevc": ".h265",
    "program": ".mpg",
    "mpeg2": ".m2v",
    "unknown": ".bin",
}
Family = Literal["h264", "h265", "mpeg2"]
_WRAPPED: tuple[Family, ...] = ("h264", "h265")


class NoFilm(NotFound):
    """This object holds no film."""

    code = "no-film"


class Film(BaseModel):
    """What a film is kept as (`media_type`), and whether browsers that know its coding (`family`) can play it.

    `frames` and `rate` (1/s, none where it is not known) are what the header says.
    """

    media_type: str
    codec: str
    family: Family
    playable: bool
    frames: int
    rate: float | None
    bytes: int


@router.get("/{instance_id}/film", response_model=Film)
def film(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Say what film an object holds."""
    ref = _film(seen(request, services, principal, instance_id).ref)
    size = services.reader.film_bytes(ref)
    container = container_of(services.reader.film(ref, 0, 1024))
    header = services.renditions.header(ref)
    return json_answer(
        {
            "media_type": _MEDIA[container],
            "codec": syntax_of(ref.transfer_syntax_uid).name,
            "family": _family(ref),
            "playable": container == "mp4" or _wraps(ref, container, size),
            "frames": ref.frames,
            "rate": _rate(header),
            "bytes": size,
        }
    )


@router.get("/{instance_id}/video", response_class=Response, responses=answers("video/mp4"))
def video(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Give an object's film as MP4, whole or the range that is asked for."""
    ref = _film(seen(request, services, principal, instance_id).ref)
    size = services.reader.film_bytes(ref)
    container = container_of(services.reader.film(ref, 0, 1024))
    if container == "mp4":
        return as_kept(request, services.reader, ref, size, "video/mp4")
    if not _wraps(ref, container, size):
        raise UnplayableFilm
    return ranged(request, _in_mp4(services, ref, size), "video/mp4")


@router.get(
    "/{instance_id}/film/file",
    response_class=StreamingResponse,
    responses=answers("video/mp4", "video/mp2t", "video/mpeg", "video/h264", "video/h265", "application/octet-stream"),
)
def film_file(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Download an object's film as it is kept, without the DICOM object around it, for players of films."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.DOWNLOAD).instance(instance_id)
    found.study.require_clear()
    ref = _film(found.ref)
    size = services.reader.film_bytes(ref)
    container = container_of(services.reader.film(ref, 0, 1024))
    note_download(request, services, principal, found.study, ("instance", instance_id), 1)
    pieces = pieces_of(services.reader, ref, 0, size - 1)
    return streamed(pieces, _MEDIA[container], f"{ref.sop_uid}{_ENDINGS[container]}", size)


def _family(ref: InstanceRef) -> Family:
    name = syntax_of(ref.transfer_syntax_uid).name
    return "h264" if "H.264" in name else "h265" if "H.265" in name else "mpeg2"


def _film(ref: InstanceRef) -> InstanceRef:
    if syntax_of(ref.transfer_syntax_uid).codec != "video":
        raise NoFilm
    return ref


def _wraps(ref: InstanceRef, container: Container, size: int) -> bool:
    """Say whether a film can be put into MP4 here: bare or in a transport stream, of a size that memory takes."""
    return _family(ref) in _WRAPPED and container in ("transport", "h264", "hevc") and size <= LARGEST_WRAPPED


def _rate(header: Header) -> float | None:
    """Return the frames a second that a header names: cine rate, frame time (ms), recommended rate (PS3.3 C.7.6.5)."""
    time_ms = header.number(0x00181063)
    rate = header.number(0x00180040) or (1000 / time_ms if time_ms and time_ms > 0 else None)
    rate = rate or header.number(0x00082144)
    return rate if rate and 0 < rate <= 1000 else None


def _in_mp4(services: WebServices, ref: InstanceRef, size: int) -> bytes:
    made = _wrapped.get(ref.id)
    if made is None:
        with _wrapping:
            made = _wrapped.get(ref.id)
            if made is None:
                header = services.renditions.header(ref)
                columns, rows = header.integer(0x00280011) or 640, header.integer(0x00280010) or 480
                made = as_mp4(services.reader.film(ref, 0, size), columns, rows, _rate(header) or 25.0)
                _wrapped.put(ref.id, made)
    return made

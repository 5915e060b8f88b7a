"""One instance: its pixels for the viewer, pictures of it, its file, the document that it may hold."""

from __future__ import annotations

import base64
import json
import uuid
from itertools import chain
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from radrelay.access import Principal, Right
from radrelay.archive.errors import IdentityHidden
from radrelay.archive.frame_facts import FrameInfo
from radrelay.archive.renditions import FramePixels
from radrelay.dicom.greyscale import Window
from radrelay.dicom.header import parse
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.voi import NamedTable
from radrelay.errors import Invalid, NotFound, TooLarge
from radrelay.web import trail
from radrelay.web.answering import encoded, packed
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.downloads import disposition, note_download, still_allowed, streamed
from radrelay.web.labels import names_patient
from radrelay.web.problems import answers
from radrelay.web.reach import Reach, ReachedInstance
from radrelay.web.services import WebServices
from radrelay.web.streaming import as_long_as

router = APIRouter(prefix="/instances", tags=["instances"])
FRAME_HEADER = "X-Radrelay-Frame"
ENCAPSULATED_DOCUMENT, MEDIA_TYPE = 0x00420011, 0x00420012
LARGEST_DOCUMENT = 512 << 20
LARGEST_TABLE_BYTES = 32 << 10  # of a VOI LUT within a header: browsers take some 200 kB of headers
INLINE = frozenset({"application/pdf"})
PICTURES = {"jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
FrameNumber = Annotated[int, Path(ge=1, le=1 << 24)]
Edge = Annotated[int | None, Query(ge=1, le=8192)]


class NoDocument(NotFound):
    """This object holds no document."""

    code = "no-document"


def _seen(request: Request, services: WebServices, principal: Principal, instance_id: uuid.UUID) -> ReachedInstance:
    """Find an instance within reach; that it is looked at is on record before its first pixel leaves."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).instance(instance_id)
    if names_patient(services, found.study, found.ref):
        raise IdentityHidden
    record = trail.event(request, principal, "study.view", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)
    return found


@router.get(
    "/{instance_id}/frames/{number}/pixels", response_class=Response, responses=answers("application/octet-stream")
)
def pixels(
    request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID, number: FrameNumber
) -> Response:
    """Give a frame's decoded samples, little endian; X-Radrelay-Frame says as JSON what they are."""
    found = _seen(request, services, principal, instance_id)
    return _frame(services.renditions.pixels(found.ref, number))


@router.get(
    "/{instance_id}/frames/{number}/stream", response_class=Response, responses=answers("application/octet-stream")
)
def stream(
    request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID, number: FrameNumber
) -> Response:
    """Give a frame in the form that is quickest to have: as lossless HTJ2K where it is kept so, else its samples.

    X-Radrelay-Frame says which. A client on a slow link says `?coded` to have the rest encoded, too.
    """
    found = _seen(request, services, principal, instance_id)
    coded = "coded" in request.query_params
    return _frame(services.renditions.stream(found.ref, number, coded=coded))


def facts_header(info: FrameInfo) -> str:
    """Return what a frame is as the value of a header field: JSON in ASCII."""
    text = msgspec.json.encode(info)
    return text.decode("ascii") if text.isascii() else json.dumps(json.loads(text))


def _frame(frame: FramePixels) -> Response:
    info = frame.info
    if info.voi_lut is not None and len(info.voi_lut.data) > LARGEST_TABLE_BYTES:
        info = msgspec.structs.replace(info, voi_lut=None)
    headers = {FRAME_HEADER: facts_header(info)}
    return Response(frame.data, media_type="application/octet-stream", headers=headers)


class VoiTable(BaseModel):
    """A VOI table: its first input (a rescaled value), its bits, and base64 of little-endian uint16 entries.

    All three are null where the object's table is broken.
    """

    name: str
    first: int | None
    bits: int | None
    data: str | None


class VoiTables(BaseModel):
    """The tables that a frame brings, in the order in which X-Radrelay-Frame names them."""

    tables: list[VoiTable]


@router.get("/{instance_id}/frames/{number}/tables", response_model=VoiTables)
def tables(
    request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID, number: FrameNumber
) -> Response:
    """Give the VOI tables (PS3.3 C.11.2.1.1) that a frame may be looked at with."""
    found = _seen(request, services, principal, instance_id)
    listed = services.renditions.voi_tables(found.ref, number)
    return packed(request, encoded({"tables": [_table(one) for one in listed]}))


def _table(one: NamedTable) -> dict[str, object]:
    if one.table is None:
        return {"name": one.name, "first": None, "bits": None, "data": None}
    data = base64.b64encode(one.table.entries.astype("<u2").tobytes()).decode("ascii")
    return {"name": one.name, "first": one.table.first, "bits": one.table.bits, "data": data}


@router.get("/{instance_id}/frames/{number}/rendered", response_class=Response, responses=answers(*PICTURES.values()))
def rendered(
    request: Request,
    services: Services,
    principal: Authenticated,
    instance_id: uuid.UUID,
    number: FrameNumber,
    form: Literal["jpeg", "png", "gif"] = "jpeg",
    width: Edge = None,
    height: Edge = None,
    center: float | None = None,
    window: Annotated[float | None, Query(gt=0)] = None,
) -> Response:
    """Give a frame as a picture, with the given window (`center`, `window`) or its own."""
    if (center is None) != (window is None):
        raise Invalid("a window needs both its centre and its width")
    found = _seen(request, services, principal, instance_id)
    picture = services.renditions.picture(
        found.ref,
        number,
        window=Window(center, window) if center is not None and window is not None else None,
        size=(width or 8192, height or 8192) if width or height else None,
        form=form,
    )
    return Response(picture, media_type=PICTURES[form])


@router.get("/{instance_id}/thumbnail", response_class=Response, responses=answers("image/jpeg"))
def thumbnail(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Show a small picture of the instance."""
    found = _seen(request, services, principal, instance_id)
    return Response(services.renditions.thumbnail(found.ref), media_type="image/jpeg")


def _downloaded(
    request: Request, services: WebServices, principal: Principal, instance_id: uuid.UUID
) -> ReachedInstance:
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.DOWNLOAD).instance(instance_id)
    found.study.require_clear()
    note_download(request, services, principal, found.study, ("instance", instance_id), 1)
    return found


@router.get(
    "/{instance_id}/file",
    response_class=StreamingResponse,
    responses=answers("application/dicom"),
)
def file(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Download the instance as a DICOM file (PS3.10); the data set is as it was received, or corrected."""
    found = _downloaded(request, services, principal, instance_id)
    ref = found.ref
    meta = file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid)
    size, pieces = services.reader.measured(ref)
    first = next(pieces, b"")  # before the answer begins, so that what cannot be read is still an error
    watched = as_long_as(chain((meta, first), pieces), still_allowed(request, services, found.study.id))
    return streamed(watched, "application/dicom", f"{ref.sop_uid}.dcm", len(meta) + size)


@router.get("/{instance_id}/document", response_class=Response, responses=answers("application/octet-stream"))
def document(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Give the document that the instance encapsulates (PS3.3 A.45), such as a PDF."""
    found = _downloaded(request, services, principal, instance_id)
    ref = found.ref
    if ref.size > LARGEST_DOCUMENT:
        raise TooLarge("this document is too large to be shown; download the file")
    header = parse(services.reader.data_set(ref), ref.transfer_syntax_uid)
    if ENCAPSULATED_DOCUMENT not in header:
        raise NoDocument
    media_type = header.text(MEDIA_TYPE).strip().lower()
    shown = media_type in INLINE
    name = f"{ref.sop_uid}.pdf" if shown else f"{ref.sop_uid}.bin"
    return Response(
        header.raw(ENCAPSULATED_DOCUMENT),
        media_type=media_type if shown else "application/octet-stream",
        headers={"Content-Disposition": disposition(name, "inline" if shown else "attachment")},
    )

"""Pages of documents that instances encapsulate (PS3.3 A.45), drawn here so that every device shows them."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from radrelay.access import Principal
from radrelay.archive.recent import Recent
from radrelay.dicom import decoder_pool
from radrelay.dicom.header import parse
from radrelay.errors import TooLarge
from radrelay.web.answering import json_answer
from radrelay.web.api.contents import seen_clear
from radrelay.web.api.instances import ENCAPSULATED_DOCUMENT, MEDIA_TYPE, NoDocument
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import answers
from radrelay.web.services import WebServices

router = APIRouter(prefix="/instances", tags=["contents"])
LARGEST_DRAWN = 128 << 20
WIDEST = 4096
KEPT_BYTES = 96 << 20
KEPT_S = 30.0  # pages, and ranges of films, are asked for one after the other; what was deleted is not kept longer
_opened: Recent[uuid.UUID, bytes] = Recent(KEPT_BYTES, len, KEPT_S)
PageNumber = Annotated[int, Path(ge=1, le=5000)]


class PageSize(BaseModel):
    """A page's size in points (1/72 inch)."""

    width: float
    height: float


class PagesAnswer(BaseModel):
    """A document's pages; `shortened` says that it has more."""

    pages: list[PageSize]
    shortened: bool


class PageText(BaseModel):
    """What stands on a page."""

    text: str


@router.get("/{instance_id}/pages", response_model=PagesAnswer)
def pages(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Say which pages the encapsulated PDF has."""
    return json_answer(decoder_pool.pool().pages(_pdf(request, services, principal, instance_id)))


@router.get("/{instance_id}/pages/{number}", response_class=Response, responses=answers("image/png", "image/jpeg"))
def page(
    request: Request,
    services: Services,
    principal: Authenticated,
    instance_id: uuid.UUID,
    number: PageNumber,
    width: Annotated[int, Query(ge=16, le=WIDEST)] = 1200,
) -> Response:
    """Give a page of the encapsulated PDF as a picture about `width` pixels wide."""
    drawn = decoder_pool.pool().page(_pdf(request, services, principal, instance_id), number, width)
    return Response(drawn, media_type="image/png" if drawn.startswith(b"\x89PNG") else "image/jpeg")


@router.get("/{instance_id}/pages/{number}/text", response_model=PageText)
def page_text(
    request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID, number: PageNumber
) -> Response:
    """Give the text of a page of the encapsulated PDF, to be read aloud, searched and copied."""
    data = _pdf(request, services, principal, instance_id)
    return json_answer({"text": decoder_pool.pool().page_text(data, number)})


def _pdf(request: Request, services: WebServices, principal: Principal, instance_id: uuid.UUID) -> bytes:
    """Return an instance's PDF; who may see it is asked each time, its bytes are read once for a while."""
    found = seen_clear(request, services, principal, instance_id)
    if found.ref.size > LARGEST_DRAWN:
        raise TooLarge("this document is too large to be shown; download the file")
    kept = _opened.get(found.ref.id)
    if kept is None:
        header = parse(services.reader.data_set(found.ref), found.ref.transfer_syntax_uid)
        if header.text(MEDIA_TYPE).strip().lower() != "application/pdf":
            raise NoDocument
        kept = header.raw(ENCAPSULATED_DOCUMENT)
        _opened.put(found.ref.id, kept)
    return kept

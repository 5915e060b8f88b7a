"""A paper of an import as it came: a person reads it before it is filed, for nobody else can tell whose it is.

In: its file in the parcel. Out: PDFs, pictures and plain texts (as UTF-8) to be shown by the browser; all else to be
saved. It is told by its bytes, and is read where it lies.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import chain

import sqlalchemy as sa
from starlette.responses import Response

from radrelay.access import Principal
from radrelay.importer.checking import open_parcel
from radrelay.importer.import_errors import ImportUnknown
from radrelay.importer.models import ImportPaper
from radrelay.importer.plain_texts import LARGEST_TEXT, text_of
from radrelay.importer.raw_parcel import RawParcel
from radrelay.intake.file_kinds import PREFIX_BYTES, sniff
from radrelay.web import importing
from radrelay.web.downloads import disposition
from radrelay.web.services import WebServices
from radrelay.web.streaming import in_pieces

SHOWN = frozenset(["application/pdf", "image/jpeg", "image/png"])
"""What browsers show without running anything of it."""


def paper_answer(services: WebServices, principal: Principal, case_id: uuid.UUID, name: str) -> Response:
    """Return a paper; raises `ImportUnknown` where there is none of that name, `RawFileGone` once it is erased."""
    with services.database.read() as session:
        case = importing.reached_case(services, session, principal, case_id)
        asked = sa.select(ImportPaper).where(ImportPaper.case_id == case_id, ImportPaper.file_name == name)
        paper = session.scalars(asked).first()
        if paper is None:
            raise ImportUnknown
        if paper.person_number is not None:
            importing.require_seen(services, session, principal, case_id, paper.person_number)
        is_text = paper.kind == "text"
        parcel = open_parcel(session, services.segments, services.settings, case)
    pieces = _pieces(parcel, name)
    if is_text:
        told = text_of(_first(pieces, LARGEST_TEXT + 1)) or ""
        return Response(told, media_type="text/plain", headers=_headers(name, shown=True))
    first = _first(pieces, PREFIX_BYTES)
    media_type = sniff(name, first[:PREFIX_BYTES]).media_type
    shown = media_type in SHOWN
    kind = media_type if shown else "application/octet-stream"
    return in_pieces(chain([first], pieces), 200, _headers(name, shown=shown), kind)


def _headers(name: str, *, shown: bool) -> dict[str, str]:
    return {"Content-Disposition": disposition(name, "inline" if shown else "attachment"), "Cache-Control": "no-store"}


def _pieces(parcel: RawParcel, name: str) -> Iterator[bytes]:
    """Yield a file of a parcel; raises `ImportUnknown` where it is not there, `ArchiveRefused` where it is not read."""
    for one in parcel:
        if one.path == name:
            yield from one.open_pieces()
            return
    raise ImportUnknown


def _first(pieces: Iterator[bytes], size: int) -> bytes:
    """Return what comes first, at least `size` bytes of it where there are so many."""
    found = b""
    while len(found) < size and (piece := next(pieces, b"")):
        found += piece
    return found

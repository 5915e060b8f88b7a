"""Files of an import that somebody brings: announced, taken one by one, and that no more follow; papers to look at."""

from __future__ import annotations

import json
import uuid
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from radrelay.access import Principal
from radrelay.archive.locking import lock_archive
from radrelay.importer import announced, beginning, cases, late_files
from radrelay.importer.announced import MOST_FILES, Place
from radrelay.importer.import_errors import FileLate
from radrelay.intake.envelope import Origin
from radrelay.intake.files import FileLander, LandedFile
from radrelay.web import importing, trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.import_paper_files import paper_answer
from radrelay.web.import_shapes import Import
from radrelay.web.import_wishes import Announcement, Brought
from radrelay.web.importing import reached_case
from radrelay.web.problems import answers
from radrelay.web.services import WebServices
from radrelay.web.uploads import BodyPieces, announced_bytes

router = APIRouter(prefix="/imports", tags=["imports"])
_FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.put("/{case_id}/files", openapi_extra=_FILE_BODY)
async def put_import_file(
    request: Request,
    services: Services,
    principal: Authenticated,
    case_id: uuid.UUID,
    name: Annotated[str, Query(min_length=1, max_length=1024)],
    upload: Annotated[str, Query(max_length=64)] = "",
    number: Annotated[int | None, Query(ge=0, lt=MOST_FILES)] = None,
) -> Import:
    """Bring one file of an import: a ZIP, or a file of a disc by its path there. Durable when the answer comes.

    `upload` is the key of the upload that announced it, and `number` its place there: sent again, it counts once.
    One that ends after somebody has said that no more follow is not part of it (`import-file-late`).
    """
    limit = services.settings.web.upload_limit_bytes
    announced_bytes(request, limit)
    pieces = BodyPieces(request, limit)
    file = await services.upload_threads.run(partial(_land, services, principal, case_id, name, pieces))
    services.measurements.uploaded_bytes.inc(pieces.taken)
    came = partial(_note_came, services, principal, case_id, file, Place(upload, number), pieces.taken)
    return await services.upload_threads.run(came)


@router.put("/{case_id}/uploads/{key}")
def announce_upload(
    services: Services, principal: Authenticated, case_id: uuid.UUID, key: Annotated[str, Path(max_length=64)],
    told: Announcement,
) -> Import:  # fmt: skip
    """Say what an upload is to bring, before it does: what of it lacks is told when somebody says that no more follow.

    `key` names the list of files: the same ones brought again, because a browser was closed, count once.
    """
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.RECEIVING,), lock=True)
        announced.announce(session, row, key, told.files, told.bytes)
        return importing.listed(services, session, principal, [row])[0]


@router.post("/{case_id}/done", status_code=202)
def close_import(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: Brought | None = None
) -> Import:
    """Say that no more files follow; what came is checked, and what is `lacking` is told for somebody to look at.

    What is on its way still is refused when it ends, and told likewise.
    """
    now = services.clock.now()
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.RECEIVING,), lock=True)
        beginning.require_brought(row)
        services.landing.end(importing.raw_origin(session, row, principal.peer))
        row.fetched_at, row.sealed = now, None
        told = told or Brought()
        row.lacking = json.dumps(told.lacking)
        announced.note_named(session, row, told.upload, len(told.lacking))
        cases.move(session, row, cases.CHECKING, now)
        detail = {"bytes": row.bytes_received, "lacking": len(json.loads(row.lacking)) or None}
        record = trail.event(request, principal, "import.brought", ("import", row.id), detail=detail)
        trail.write(session, record)
        return importing.listed(services, session, principal, [row])[0]


@router.get(
    "/{case_id}/papers",
    response_class=Response,
    responses=answers("application/pdf", "image/jpeg", "image/png", "text/plain", "application/octet-stream"),
)
def show_paper(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID,
    name: Annotated[str, Query(min_length=1, max_length=1024)],
) -> Response:  # fmt: skip
    """Show a document, picture or text beside the images as it came; that somebody has seen it is on record."""
    answer = paper_answer(services, principal, case_id, name)
    record = trail.event(request, principal, "import.view", ("import", case_id))
    trail.seen(services.database, principal, record, name)
    return answer


def _note_came(
    services: WebServices, principal: Principal, case_id: uuid.UUID, file: LandedFile, place: Place, size: int
) -> Import:  # fmt: skip
    """Count a file that has landed; raises `FileLate` where no more were to follow."""
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, lock=True)
        in_time = row.state == cases.RECEIVING
        if in_time:
            cases.add_bytes(session, row, size, services.clock.now())
            announced.note_came(session, row, place, size)
    if not in_time:
        _refuse(services, principal, case_id, file, place)
        raise FileLate
    with services.database.read() as session:
        row = reached_case(services, session, principal, case_id)
        return importing.listed(services, session, principal, [row])[0]


def _refuse(
    services: WebServices, principal: Principal, case_id: uuid.UUID, file: LandedFile, place: Place
) -> None:  # fmt: skip
    """Have a file go that came too late, and be told by name."""
    with services.database.write() as session:
        lock_archive(session)
        row = reached_case(services, session, principal, case_id, lock=True)
        if file.landed is not None:
            late_files.refuse(session, row, file.landed.location.record_id, file.name, services.clock.now(), place)


def _origin(services: WebServices, principal: Principal, case_id: uuid.UUID) -> Origin:
    with services.database.read() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.RECEIVING,))
        return importing.raw_origin(session, row, principal.peer)


def _land(services: WebServices, principal: Principal, case_id: uuid.UUID, name: str, pieces: BodyPieces) -> LandedFile:
    return FileLander(services.landing, _origin(services, principal, case_id)).land(name, pieces)

"""Files that came with a study and are not DICOM: download, and conversion into objects of the study."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from radrelay.access import Right
from radrelay.errors import Unavailable
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.downloads import note_download, streamed
from radrelay.web.problems import answers, correlation_of
from radrelay.web.reach import Reach
from radrelay.web.services import Conversion

router = APIRouter(prefix="/attachments", tags=["attachments"])


class Converted(BaseModel):
    """The objects that an attachment has become; they appear in the study within moments."""

    sop_uids: list[str]


@router.get(
    "/{attachment_id}/file",
    response_class=StreamingResponse,
    responses=answers("application/octet-stream"),
)
def file(request: Request, services: Services, principal: Authenticated, attachment_id: uuid.UUID) -> Response:
    """Download an attachment as it was sent."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.DOWNLOAD).attachment(attachment_id)
        name, size = found.row.file_name, found.row.file_size
    found.study.require_clear()
    if services.attachments is None:
        raise Unavailable("this process reads no attachments")
    pieces = services.attachments.stream(principal.organisation_id, attachment_id)
    note_download(request, services, principal, found.study, ("attachment", attachment_id), 0)
    return streamed(pieces, "application/octet-stream", name, size)


@router.post("/{attachment_id}/dicom", status_code=202)
def convert(request: Request, services: Services, principal: Authenticated, attachment_id: uuid.UUID) -> Converted:
    """Make DICOM objects of the study from an attachment: an encapsulated PDF, a secondary capture, a video."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.ANNOTATE).attachment(attachment_id)
    found.study.require_clear()
    if services.attachments is None:
        raise Unavailable("this process converts no attachments")
    account_id = uuid.UUID(principal.id) if principal.kind == "account" else None
    with services.database.write() as session:
        subject = ("attachment", attachment_id)
        record = trail.event(
            request, principal, "attachment.convert", subject, detail={"study": found.study.id},
            patient=found.study.patient,
        )  # fmt: skip
        trail.write(session, record)
    conversion = Conversion(
        principal.organisation_id, found.study.id, attachment_id, account_id, principal.peer, correlation_of(request)
    )
    return Converted(sop_uids=list(services.attachments.convert(conversion)))

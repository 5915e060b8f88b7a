"""Downloads: names that are safe everywhere, ZIPs and files that stream, each on record before the first byte."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from urllib.parse import quote

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from radrelay.access import Principal, Right
from radrelay.archive.export import ExtraFile, stream_copies, stream_zip
from radrelay.archive.instances import InstanceRef
from radrelay.identity import SessionEnded
from radrelay.pseudonyms import NothingHandedOut, refused_of
from radrelay.web import study_rows, trail
from radrelay.web.authentication import caller_of
from radrelay.web.reach import PartOnly, Reach, ReachedStudy
from radrelay.web.services import WebServices
from radrelay.web.standing import BY_ITSELF
from radrelay.web.streaming import Piece, as_long_as, in_pieces

SANDBOX = "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def disposition(name: str, kind: str = "attachment") -> str:
    """Return a Content-Disposition for any file name (RFC 6266): an ASCII form and the exact one."""
    leaf = name.replace("\\", "/").rpartition("/")[2].strip() or "file"
    plain = _UNSAFE.sub("_", leaf).strip("._") or "file"
    return f"{kind}; filename=\"{plain[:150]}\"; filename*=UTF-8''{quote(leaf[:150], safe='')}"


def streamed(pieces: Iterable[Piece], media_type: str, name: str, size: int | None = None) -> Response:
    """Return a download that is sent piece by piece; the name holds no patient data unless the sender's did."""
    headers = {"Content-Disposition": disposition(name), "Content-Security-Policy": SANDBOX}
    if size is not None:
        headers["Content-Length"] = str(size)
    return in_pieces(pieces, 200, headers, media_type)


def note_download(
    request: Request,
    services: WebServices,
    principal: Principal,
    study: ReachedStudy,
    subject: tuple[str, uuid.UUID],
    instances: int,
    project: str = "",
    by: str = "",
) -> None:
    """Write that something leaves; durable before it does."""
    with services.database.write() as session:
        told = {"project": project, "by": by}
        detail = {"instances": instances, "study": study.id} | {name: value for name, value in told.items() if value}
        record = trail.event(request, principal, "study.download", subject, detail=detail, patient=study.patient)
        trail.write(session, record)
        trail.note_by_link(session, request, principal, services.clock.now())


def still_allowed(request: Request, services: WebServices, study_id: uuid.UUID) -> Callable[[], None]:
    """Return what raises as soon as who asked may not download a study any more: a large one is long under way.

    A login that ends by itself breaks nothing off that was begun in it, as `standing` has it.
    """

    def require() -> None:
        try:
            principal = caller_of(request).principal
        except SessionEnded as error:
            if error.facts.get("why") in BY_ITSELF:
                return
            raise
        with services.database.read() as session:
            Reach.of(services, session, principal, Right.DOWNLOAD).study(study_id)

    return require


def zip_response(
    request: Request,
    services: WebServices,
    principal: Principal,
    study: ReachedStudy,
    refs: Sequence[InstanceRef],
    *,
    series_id: uuid.UUID | None = None,
    extras: Sequence[ExtraFile] = (),
) -> Response:
    """Return a streamed ZIP of `refs` with DICOMDIR, a whole study or one series."""
    services.reader.require(refs)
    subject = ("study", study.id) if series_id is None else ("series", series_id)
    note_download(request, services, principal, study, subject, len(refs))
    pieces = stream_zip(services.reader, refs, services.workers, services.clock.now(), extras=extras)
    watched = as_long_as(pieces, still_allowed(request, services, study.id))
    return streamed(watched, "application/zip", f"{subject[0]}-{subject[1]}.zip")


def copies_response(
    request: Request,
    services: WebServices,
    principal: Principal,
    study: ReachedStudy,
    refs: Sequence[InstanceRef],
    project_id: uuid.UUID,
) -> Response:
    """Return a streamed ZIP of a study's de-identified copies; its name tells nothing of the study.

    Raises `NothingHandedOut` where not one object can be made safe.
    """
    services.reader.require(refs)
    handout = services.copies.begin(principal.organisation_id, project_id, study.id, "export", principal.name)
    copies = services.copies.copies(handout, refs)
    first = next(copies, None)
    if first is None:
        with services.database.read() as session:
            reasons = refused_of(session, handout.id)
        raise NothingHandedOut(n=len(refs), reasons=reasons)
    note_download(request, services, principal, study, ("study", study.id), len(refs), handout.project.name)
    pieces = stream_copies(chain((first,), copies), services.workers, services.clock.now())
    watched = as_long_as(pieces, still_allowed(request, services, study.id))
    return streamed(watched, "application/zip", f"deidentified-{handout.id}.zip")


def files_beside(services: WebServices, session: Session, reach: Reach, study_id: uuid.UUID) -> list[ExtraFile]:
    """Return the files that came with a study, for who may have all studies there are, and all of this one."""
    attachments = services.attachments
    if attachments is None or not reach.scope.whole:
        return []
    try:
        reach.study(study_id, whole=True)
    except PartOnly:
        return []
    rows = study_rows.attachment_rows(session, study_id, reach.now)
    return [
        ExtraFile(row.file_name, row.file_size, partial(attachments.stream, row.organisation_id, row.id))
        for row in rows
    ]

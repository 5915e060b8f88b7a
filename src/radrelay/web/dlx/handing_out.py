"""What a program takes away that a link let in: a list of studies, each as a medium (IHE PDI with XDM) in a ZIP.

The rights, the record and the marks for the link's maker are those of a browser's download by the same link. A transfer
that broke off goes on by `Range` with the ETag; what is asked for in parts is on record once in a visit.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from radrelay import access
from radrelay.access import Principal, Right, Visit
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.instances import InstanceRef
from radrelay.archive.medium import BESIDE, is_report, medium_of
from radrelay.archive.models import Study
from radrelay.errors import Invalid, Unauthenticated
from radrelay.importer.dlx import contract
from radrelay.web import study_rows, trail
from radrelay.web.authentication import Caller, Services, caller_of
from radrelay.web.dicomweb.answering import byte_range
from radrelay.web.dlx.asking import Spoken
from radrelay.web.downloads import SANDBOX, disposition, note_download, still_allowed
from radrelay.web.problems import answers
from radrelay.web.reach import Reach, ReachedStudy
from radrelay.web.services import WebServices
from radrelay.web.streaming import as_long_as, in_pieces

router = APIRouter()
DATE = "%Y%m%d"


class TicketWanted(Unauthenticated):
    """Give the link's answers first."""

    code = "ticket-wanted"


class NoSuchItem(Invalid):
    """This link hands out no such item."""

    code = "dlx-item"


class Item(Spoken):
    """A study as it is handed out."""

    id: str
    mime_type: str = contract.ZIP
    description: str
    study_instance_uid: str = Field(alias="studyInstanceUID")
    date: str
    modalities: list[str]
    patients_name: str
    patients_birthdate: str
    patients_sex: str
    file_count: int


class Items(Spoken):
    """What a link hands out."""

    data_item: list[Item]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A study, and what of it a link hands out."""

    study: ReachedStudy
    refs: tuple[InstanceRef, ...]


async def require_ticket(caller: Annotated[Caller, Depends(caller_of)]) -> Visit:
    """Return the visit of the program that asks; raises `TicketWanted` for everybody else."""
    if caller.visit is None or not caller.ticket:
        raise TicketWanted
    return caller.visit


Ticketed = Annotated[Visit, Depends(require_ticket)]


@router.get("/list")
def items(services: Services, visit: Ticketed) -> Items:
    """List what the link hands out, each study as one ZIP."""
    with services.database.read() as session:
        reach = handed_out(services, session, visit.principal)
        rows = reach.newest_studies((), access.MOST_TARGETS) if reach.scope.identity == "clear" else []
        return Items(data_item=[_item(session, reach, row) for row in rows])


def handed_out(services: WebServices, session: Session, principal: Principal) -> Reach:
    """Return what a link lets take away."""
    return Reach.of(services, session, principal, Right.DOWNLOAD)


def _item(session: Session, reach: Reach, row: Study) -> Item:
    refs = reach.study_instances(row.id)
    modalities = {one.modality for one in study_rows.series_rows(session, row.id, reach.scope) if one.modality}
    return Item(
        id=row.id.hex,
        description=row.description or "\\".join(sorted(modalities)) or "Study",
        study_instance_uid=row.study_uid,
        date=_day(row.study_date),
        modalities=sorted(modalities),
        patients_name=row.patient_name.partition("=")[0],
        patients_birthdate=_day(row.patient_birth_date),
        patients_sex=row.patient_sex,
        file_count=len(refs) + sum(map(is_report, refs)) + BESIDE,
    )


def _day(day: date | None) -> str:
    return day.strftime(DATE) if day else ""


@router.get("/download/{id}", response_class=StreamingResponse, responses=answers(contract.ZIP))
def download(
    request: Request, services: Services, visit: Ticketed, item_id: Annotated[str, Path(alias="id", max_length=64)]
) -> Response:
    """Hand out a study as a ZIP; a part of it where `Range` asks for one."""
    with services.database.read() as session:
        reach = handed_out(services, session, visit.principal)
        try:
            found = [_wanted(reach, uuid.UUID(item_id))]
        except (ValueError, StudyNotFound) as error:
            raise NoSuchItem from error
    return medium_answer(request, services, visit, found)


@router.get("/downloadall", response_class=StreamingResponse, responses=answers(contract.ZIP))
def download_all(request: Request, services: Services, visit: Ticketed) -> Response:
    """Hand out all studies in one ZIP."""
    with services.database.read() as session:
        reach = handed_out(services, session, visit.principal)
        found = [_wanted(reach, row.id) for row in reach.newest_studies((), access.MOST_TARGETS)]
    if not found:
        raise NoSuchItem
    return medium_answer(request, services, visit, found)


def _wanted(reach: Reach, study_id: uuid.UUID) -> Wanted:
    """Return a study; raises `StudyNotFound`, `IdentityHidden`."""
    study = reach.study(study_id)
    study.require_clear()
    return Wanted(study, reach.study_instances(study_id))


def medium_answer(request: Request, services: WebServices, visit: Visit, wanted: Sequence[Wanted]) -> Response:
    """Return studies as a medium, or the part of it that is asked for, on record before its first byte."""
    refs = [ref for one in wanted for ref in one.refs]
    services.reader.require(refs)
    medium = medium_of(services.reader, refs, services.workers, visit.link.created_at)
    tag = f'"{medium.tag}"'
    part = byte_range(request, medium.size, tag)
    headers = {"Accept-Ranges": "bytes", "ETag": tag, "Content-Security-Policy": SANDBOX}
    if part is not None and part[0] > part[1]:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{medium.size}"})
    _note(request, services, visit.principal, wanted, whole=part is None)
    first, last = part or (0, medium.size - 1)
    name = f"study-{wanted[0].study.id}.zip" if len(wanted) == 1 else "studies.zip"
    headers |= {"Content-Length": str(last - first + 1), "Content-Disposition": disposition(name)}
    if part is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{medium.size}"
    pieces = as_long_as(medium.stream(services.workers, first, last + 1), _still(request, services, wanted))
    return in_pieces(pieces, 200 if part is None else 206, headers, contract.ZIP)


def _still(request: Request, services: WebServices, wanted: Sequence[Wanted]) -> Callable[[], None]:
    asked = [still_allowed(request, services, one.study.id) for one in wanted]

    def require() -> None:
        for one in asked:
            one()

    return require


def _note(
    request: Request, services: WebServices, principal: Principal, wanted: Sequence[Wanted], *, whole: bool
) -> None:
    """Write that studies leave; of those that are asked for in parts, once in a visit."""
    for one in wanted:
        subject = ("study", one.study.id)
        if whole:
            note_download(request, services, principal, one.study, subject, len(one.refs), by="dlx")
            continue
        detail = {"instances": len(one.refs), "study": one.study.id, "by": "dlx"}
        record = trail.event(request, principal, "study.download", subject, detail=detail, patient=one.study.patient)
        trail.seen(services.database, principal, record, distinct=f"part {one.study.id}")

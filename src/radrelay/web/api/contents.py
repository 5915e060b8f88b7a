"""What an instance holds beyond a plain picture, as its parts are shown: reports, headers.

Each is looked at like a picture (the right to see, a view on record). What may name a patient is refused to whom
patients are shown by alias.
"""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from radrelay.access import Principal, Right
from radrelay.dicom.report_text import Report, is_report, read_report
from radrelay.errors import NotFound
from radrelay.web import trail
from radrelay.web.answering import json_answer
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import Reach, ReachedInstance
from radrelay.web.services import WebServices

router = APIRouter(prefix="/instances", tags=["contents"])
MOST_LINKS = 2000


class NoReport(NotFound):
    """This object holds no structured report."""

    code = "no-report"


class LinkedInstance(BaseModel):
    """An object that is here and within reach, with where it stands."""

    id: uuid.UUID
    series_id: uuid.UUID
    study_id: uuid.UUID
    number: int | None


class ReportAnswer(BaseModel):
    """A report, and those of the objects that it points at which can be opened, by SOP Instance UID."""

    report: Report
    instances: dict[str, LinkedInstance]


def seen(request: Request, services: WebServices, principal: Principal, instance_id: uuid.UUID) -> ReachedInstance:
    """Find an instance within reach; that it is looked at is on record before anything of it leaves."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).instance(instance_id)
    note(request, services, principal, found)
    return found


def seen_clear(
    request: Request, services: WebServices, principal: Principal, instance_id: uuid.UUID
) -> ReachedInstance:
    """Find an instance whose patient may be shown, too; raises `IdentityHidden` before anything is read."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).instance(instance_id)
    found.study.require_clear()
    note(request, services, principal, found)
    return found


def note(request: Request, services: WebServices, principal: Principal, found: ReachedInstance) -> None:
    """Write that the instance's study is looked at, once per login."""
    record = trail.event(request, principal, "study.view", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)


@router.get("/{instance_id}/report", response_model=ReportAnswer)
def report(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Give a structured report as a tree of names and values, with links to what it points at."""
    found = seen_clear(request, services, principal, instance_id)
    header = services.renditions.header(found.ref)
    if not is_report(header):
        raise NoReport
    read = read_report(header)
    uids = list(dict.fromkeys(one.sop_uid for one in read.references()))[:MOST_LINKS]
    return json_answer({"report": read, "instances": _links(services, principal, uids)})


def _links(services: WebServices, principal: Principal, uids: list[str]) -> dict[str, dict[str, Any]]:
    if not uids:
        return {}
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).links(uids)
    return {
        one.sop_uid: {"id": one.id, "series_id": one.series_id, "study_id": one.study_id, "number": one.number}
        for one in found
    }

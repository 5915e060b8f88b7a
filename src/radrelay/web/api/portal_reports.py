"""Reports of failed portals: made by staff, sent to the service address, listed until an administrator solves them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.importer import reporting
from radrelay.importer.models import ImportReport
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.importing import reached_case
from radrelay.web.problems import Trouble
from radrelay.web.report_letters import post_report, service_address
from radrelay.web.services import WebServices

router = APIRouter(tags=["imports"])


class WantedReport(BaseModel):
    """What goes along: staff's words, and what they agree to. `with_link`: the letter names the link, too."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", max_length=reporting.LONGEST_TEXT)
    with_link: bool = False
    with_birth_date: bool = False
    with_answers: bool = False


class Reportable(BaseModel):
    """How a failed portal can be reported: whether a letter goes out, and what there is to agree to."""

    by_mail: bool
    birth_date: bool
    answers: bool
    reported_at: datetime | None


class PortalReport(BaseModel):
    """An open report, without what opens the link."""

    id: uuid.UUID
    host: str
    connector: str
    step: str
    error: Trouble | None
    text: str
    mailed: bool
    reported_by: str
    reported_at: datetime


class PortalReportDetail(PortalReport):
    """An open report with the link, and what staff agreed to."""

    link: str
    birth_date: str
    answers: dict[str, str]


class PortalReports(BaseModel):
    """Open reports, the oldest first."""

    reports: list[PortalReport]


@router.get("/imports/{case_id}/report")
def show_reportable(services: Services, principal: Authenticated, case_id: uuid.UUID) -> Reportable:
    """Say what a report of a failed portal can hold."""
    with services.database.read() as session:
        row = reached_case(services, session, principal, case_id)
        entered = reporting.entered_of(row, services.link_seal)
        made = reporting.report_of(session, case_id)
        return Reportable(
            by_mail=service_address(services) is not None, birth_date=row.birth_date is not None,
            answers=bool(entered.answers), reported_at=made.reported_at if made is not None else None,
        )  # fmt: skip


@router.post("/imports/{case_id}/report", status_code=201)
def report_portal(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, wanted: WantedReport
) -> PortalReport:
    """Report a failed portal: into the list, and to the service address. The import stays as it is."""
    agreed = reporting.Agreed(wanted.text, wanted.with_birth_date, wanted.with_answers)
    seals = (services.link_seal, services.report_seal)
    with services.database.write() as session:
        case = reached_case(services, session, principal, case_id)
        row, told = reporting.report(session, case, seals, agreed, principal.name, services.clock.now())
        row.mailed = post_report(services, session, row, told, with_link=wanted.with_link)
        detail = {
            "report": row.id, "host": row.host or None, "mailed": row.mailed, "link": case.fingerprint or None,
            "agreed": ", ".join(name for name in ("link", "birth_date", "answers") if getattr(wanted, f"with_{name}")),
        }  # fmt: skip
        trail.write(session, trail.event(request, principal, "import.report", ("import", case_id), detail=detail))
        return PortalReport(**_shown(services, row))


@router.get("/portal-reports")
def list_portal_reports(services: Services, principal: Administrator) -> PortalReports:
    """List open reports of failed portals."""
    with services.database.read() as session:
        found = reporting.list_reports(session, principal.organisation_id)
        return PortalReports(reports=[PortalReport(**_shown(services, row)) for row in found])


@router.get("/portal-reports/{report_id}")
def show_portal_report(
    request: Request, services: Services, principal: Administrator, report_id: uuid.UUID
) -> PortalReportDetail:
    """Show a report with the link and what staff agreed to; that is on record."""
    with services.database.write() as session:
        row = reporting.get_report(session, principal.organisation_id, report_id)
        told = services.report_seal.open(row.id, row.sealed)
        _write(session, request, principal, "portal.report-view", row)
        return PortalReportDetail(
            **_shown(services, row), link=told.link, birth_date=told.birth_date, answers=dict(told.answers)
        )


@router.post("/portal-reports/{report_id}/solved", status_code=204)
def solve_portal_report(request: Request, services: Services, principal: Administrator, report_id: uuid.UUID) -> None:
    """Say that a report is solved: it is deleted, with all that it holds."""
    with services.database.write() as session:
        row = reporting.get_report(session, principal.organisation_id, report_id)
        _write(session, request, principal, "portal.report-solved", row)
        session.delete(row)


def _write(session: Session, request: Request, principal: Principal, action: str, row: ImportReport) -> None:
    detail = {"host": row.host or None, "code": row.error_code or None}
    trail.write(session, trail.event(request, principal, action, ("portal", row.id), detail=detail))


def _shown(services: WebServices, row: ImportReport) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in PortalReport.model_fields if name not in ("error", "text")}
    error = Trouble.shown(reporting.trouble_of(row))
    return told | {"error": error, "text": services.report_seal.open(row.id, row.sealed).text}

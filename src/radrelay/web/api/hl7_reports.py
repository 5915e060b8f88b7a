"""Reports of studies sent on by HL7: a PDF, a structured report's text, and a link that opens the study here."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session

from radrelay.access import Right
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.models import Instance, Study
from radrelay.dicom.header import Header, parse
from radrelay.errors import TooLarge
from radrelay.errors import Trouble as Told
from radrelay.hl7 import Outgoing, Seal, connections
from radrelay.hl7.models import Hl7Message
from radrelay.hl7.reports import Addressee, ReceiverUnknown, about_study, link_to, note_sent, report_message, report_of
from radrelay.hl7.reports.composing import ENCAPSULATED_PDF, REPORTS
from radrelay.hl7.reports.passing import LARGEST
from radrelay.settings import Hl7Receiver
from radrelay.storage.ids import new_id
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import Trouble
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/hl7", tags=["hl7"])
studies_router = APIRouter(prefix="/studies", tags=["hl7"])
MOST_TOLD = 50


class WantedReport(BaseModel):
    """What is to be sent where: an object that is a PDF or a structured report, or words of one's own about a study.

    With a `link` that opens the study, which may be all that is sent of it.
    """

    model_config = ConfigDict(extra="forbid")

    receiver: str = Field(min_length=1, max_length=64)
    instance_id: uuid.UUID | None = None
    study_id: uuid.UUID | None = None
    text: str = Field("", max_length=100_000)
    link: bool = False

    @model_validator(mode="after")
    def _one_subject(self) -> WantedReport:
        if (self.instance_id is None) == (self.study_id is None):
            raise ValueError("either instance_id or study_id")
        if self.instance_id is not None and self.text:
            raise ValueError("text: of a study, not beside an object")
        if self.study_id is not None and not self.text.strip() and not self.link:
            raise ValueError("text or link: one of them")
        return self


class SentReport(BaseModel):
    """The message that tells of it, which goes out by itself."""

    message_id: uuid.UUID


class ReportObject(BaseModel):
    """An object of a study that can be sent as a report."""

    instance_id: uuid.UUID
    kind: Literal["pdf", "report"]
    series: str


class ReportState(BaseModel):
    """A report on its way: `answer` is the receiver's (AA, CA …), `error` why it is not there."""

    id: uuid.UUID
    receiver: str
    type: str
    state: str
    answer: str
    attempts: int
    next_attempt_at: datetime | None
    at: datetime
    sent_at: datetime | None
    error: Trouble | None


class StudyReports(BaseModel):
    """What of a study can be sent as a report, and what was, newest first."""

    objects: list[ReportObject]
    sent: list[ReportState]


class Receivers(BaseModel):
    """Names of receivers that reports can be sent to."""

    receivers: list[str]


@router.get("/receivers")
def list_receivers(services: Services, principal: Authenticated) -> Receivers:
    """List where reports can be sent to."""
    with services.database.read() as session:
        found = connections.receivers(
            session, services.settings.hl7, services.organisation_id, principal.organisation_id
        )
    return Receivers(receivers=[one.name for one in found])


@router.post("/reports", status_code=201)
def send_report(request: Request, services: Services, principal: Authenticated, wanted: WantedReport) -> SentReport:
    """Send a report of a study that the caller may send on; the work is durable and goes on by itself."""
    outgoing = Outgoing(services.database, services.clock, Seal(services.metadata_key))
    with services.database.write() as session:
        reach = Reach.of(services, session, principal, Right.FORWARD)
        found = reach.instance(wanted.instance_id) if wanted.instance_id is not None else None
        reached = found.study if found is not None else reach.study(wanted.study_id or uuid.UUID(int=0))
        reached.require_clear()
        to = _receiver(services, session, principal.organisation_id, wanted.receiver)
        study = session.get_one(Study, reached.id)
        link, now = link_to(services.settings.web.site, study) if wanted.link else "", services.clock.now()
        if found is None:
            report = replace(about_study(study, now), text=wanted.text.strip(), link=link, author=principal.name)
        else:
            report = report_of(study, _header(services, found.ref), link, found.ref.sop_uid, now)
        addressee = Addressee(to.application, to.facility, to.reports, to.character_set)
        message = report_message(report, addressee, new_id().hex[:20], services.clock.now())
        key = (report.issuer, report.patient_id)
        message_id = outgoing.enqueue(
            session, principal.organisation_id, to.name, message, key, report.accession_number, study.id
        )
        if found is not None:
            note_sent(session, study, found.ref.sop_uid, to.name)
        detail = {"receiver": to.name, "link": wanted.link}
        record = trail.event(
            request, principal, "hl7.send", ("study", study.id), detail=detail, patient=reached.patient
        )
        trail.write(session, record)
    return SentReport(message_id=message_id)


@studies_router.get("/{study_id}/reports")
def study_reports(services: Services, principal: Authenticated, study_id: uuid.UUID) -> StudyReports:
    """Tell what of a study can be sent as a report by HL7, and what came of those that were sent."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.FORWARD)
        found = reach.study(study_id)
        found.require_clear()
        of_reports = sa.or_(Instance.sop_class_uid == ENCAPSULATED_PDF, Instance.sop_class_uid.startswith(REPORTS))
        within = sa.and_(of_reports, reach.scope.series_filter(Instance.study_id, Instance.series_id))
        owner = principal.organisation_id
        refs = find_instances(session, reach.now, organisation_id=owner, study_id=found.id, within=within)
        rows = reach.series_rows(ref.series_id for ref in refs)
        messages = session.scalars(
            sa.select(Hl7Message)
            .where(Hl7Message.organisation_id == owner, Hl7Message.study_id == found.id)
            .order_by(Hl7Message.id.desc())
            .limit(MOST_TOLD)
        )
        return StudyReports(
            objects=[
                ReportObject(
                    instance_id=ref.id,
                    kind="pdf" if ref.sop_class_uid == ENCAPSULATED_PDF else "report",
                    series=rows[ref.series_id].description if ref.series_id in rows else "",
                )
                for ref in refs[:MOST_TOLD]
            ],
            sent=[_state(row) for row in messages],
        )


def _state(row: Hl7Message) -> ReportState:
    trouble = Told(row.error_code, row.error, json.loads(row.error_facts)) if row.error_code else None
    return ReportState(
        id=row.id, receiver=row.port, type=row.type, state=row.state, answer=row.answer, attempts=row.attempts,
        next_attempt_at=row.next_attempt_at, at=row.received_at, sent_at=row.processed_at, error=Trouble.shown(trouble),
    )  # fmt: skip


def _header(services: WebServices, ref: InstanceRef) -> Header:
    if ref.size > LARGEST:
        raise TooLarge(f"reports of more than {LARGEST} bytes are not sent by HL7")
    return parse(services.reader.data_set(ref), ref.transfer_syntax_uid)


def _receiver(services: WebServices, session: Session, owner: uuid.UUID, name: str) -> Hl7Receiver:
    there = connections.receivers(session, services.settings.hl7, services.organisation_id, owner)
    found = next((one for one in there if one.name == name), None)
    if found is None:
        raise ReceiverUnknown
    return found

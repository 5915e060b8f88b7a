"""Reports of studies sent on by HL7: a PDF, a structured report's text, and a link that opens the study here."""

from __future__ import annotations

import uuid
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Right
from radrelay.archive.models import Study
from radrelay.dicom.header import Header, parse
from radrelay.dicom.report_text import Item, is_report, read_report
from radrelay.errors import NotFound, TooLarge
from radrelay.hl7 import Outgoing, Seal, connections
from radrelay.hl7.reports import Addressee, OutgoingReport, report_message
from radrelay.settings import Hl7Receiver
from radrelay.storage.ids import new_id
from radrelay.web import trail
from radrelay.web.api.instances import ENCAPSULATED_DOCUMENT, MEDIA_TYPE
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/hl7", tags=["hl7"])
LARGEST = 32 << 20


class ReceiverUnknown(NotFound):
    """There is no HL7 receiver by this name."""

    code = "hl7-receiver-unknown"


class NothingToSend(NotFound):
    """This object is neither a PDF nor a report."""

    code = "hl7-nothing-to-send"


class WantedReport(BaseModel):
    """What is to be sent where: an object that is a PDF or a structured report; with a `link` that opens the study."""

    model_config = ConfigDict(extra="forbid")

    receiver: str = Field(min_length=1, max_length=64)
    instance_id: uuid.UUID
    link: bool = False


class SentReport(BaseModel):
    """The message that tells of it, which goes out by itself."""

    message_id: uuid.UUID


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
        found = Reach.of(services, session, principal, Right.FORWARD).instance(wanted.instance_id)
        found.study.require_clear()
        to = _receiver(services, session, principal.organisation_id, wanted.receiver)
        if found.ref.size > LARGEST:
            raise TooLarge(f"reports of more than {LARGEST} bytes are not sent by HL7")
        header = parse(services.reader.data_set(found.ref), found.ref.transfer_syntax_uid)
        study = session.get_one(Study, found.study.id)
        link = _link(services, study) if wanted.link else ""
        report = _report(study, header, link, found.ref.sop_uid, services.clock.now())
        addressee = Addressee(to.application, to.facility, to.reports, to.character_set)
        message = report_message(report, addressee, new_id().hex[:20], services.clock.now())
        key = (report.issuer, report.patient_id)
        message_id = outgoing.enqueue(
            session, principal.organisation_id, to.name, message, key, report.accession_number
        )
        detail = {"receiver": to.name, "link": wanted.link}
        record = trail.event(
            request, principal, "hl7.send", ("study", study.id), detail=detail, patient=found.study.patient
        )
        trail.write(session, record)
    return SentReport(message_id=message_id)


def _receiver(services: WebServices, session: Session, owner: uuid.UUID, name: str) -> Hl7Receiver:
    there = connections.receivers(session, services.settings.hl7, services.organisation_id, owner)
    found = next((one for one in there if one.name == name), None)
    if found is None:
        raise ReceiverUnknown
    return found


def _report(study: Study, header: Header, link: str, sop_uid: str, now: datetime) -> OutgoingReport:
    """Return what goes out of an object; raises `NothingToSend`."""
    text, pdf = "", b""
    if ENCAPSULATED_DOCUMENT in header and header.text(MEDIA_TYPE).strip().lower() == "application/pdf":
        pdf = bytes(header.raw(ENCAPSULATED_DOCUMENT))
    elif is_report(header):
        text = "\n".join(_lines(read_report(header).items)).strip()
    if not text and not pdf:
        raise NothingToSend
    day, at = header.date(0x00080023), header.time(0x00080033)
    return OutgoingReport(
        patient_id=study.patient_id_value,
        issuer=study.patient_issuer,
        patient_name=study.patient_name,
        birth_date=study.patient_birth_date,
        sex=study.patient_sex,
        accession_number=study.accession_number,
        study_uid=study.study_uid,
        title=header.text(0x00420010) or header.text(0x0008103E) or study.description or "Report",
        at=datetime.combine(day, at) if day is not None and at is not None else now,
        is_final=header.text(0x0040A496) != "PRELIMINARY",
        text=text,
        pdf=pdf,
        link=link,
        document_number=sop_uid,
    )


def _lines(items: list[Item], depth: int = 0) -> list[str]:
    """Return a report's content as lines: what is named and what it says, inner items behind outer ones."""
    found = []
    for item in items:
        said = f"{item.value} {item.unit.value if item.unit else ''}".strip()
        name = item.name.meaning or item.name.value
        if said or item.items:
            found.append(f"{'  ' * depth}{name}: {said}" if said and name else f"{'  ' * depth}{said or name}")
        found += _lines(item.items, depth + 1)
    return found


def _link(services: WebServices, study: Study) -> str:
    """Return the address that opens a study here, for whoever may see it."""
    return f"{services.settings.web.site.rstrip('/')}/view?" + urlencode(
        {"requestType": "STUDY", "studyUID": study.study_uid}
    )

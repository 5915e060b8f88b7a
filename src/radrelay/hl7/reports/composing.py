"""What of a study can be sent as a report: an encapsulated PDF, or a structured report as text, with a link to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from radrelay.archive.models import Study
from radrelay.dicom.header import Header
from radrelay.dicom.report_text import Item, is_report, read_report
from radrelay.errors import NotFound
from radrelay.hl7.reports.writing import OutgoingReport

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_MEDIA_TYPE, _DOCUMENT = 0x00420012, 0x00420011


class NothingToSend(NotFound):
    """This object is neither a PDF nor a report."""

    code = "hl7-nothing-to-send"


def about_study(study: Study, at: datetime) -> OutgoingReport:
    """Return a report of nothing yet about a study."""
    return OutgoingReport(
        patient_id=study.patient_id_value,
        issuer=study.patient_issuer,
        patient_name=study.patient_name,
        birth_date=study.patient_birth_date,
        sex=study.patient_sex,
        accession_number=study.accession_number,
        study_uid=study.study_uid,
        title=study.description or "Report",
        at=at,
    )


def report_of(study: Study, header: Header, link: str, sop_uid: str, now: datetime) -> OutgoingReport:
    """Return what goes out of an object; raises `NothingToSend`."""
    text, pdf = "", b""
    if _DOCUMENT in header and header.text(_MEDIA_TYPE).strip().lower() == "application/pdf":
        pdf = bytes(header.raw(_DOCUMENT))
    elif is_report(header):
        text = "\n".join(_lines(read_report(header).items)).strip()
    if not text and not pdf:
        raise NothingToSend
    day, at = header.date(0x00080023), header.time(0x00080033)
    return replace(
        about_study(study, datetime.combine(day, at) if day is not None and at is not None else now),
        title=header.text(0x00420010) or header.text(0x0008103E) or study.description or "Report",
        is_final=header.text(0x0040A496) != "PRELIMINARY",
        text=text,
        pdf=pdf,
        link=link,
        document_number=sop_uid,
    )


def link_to(site: str, study: Study) -> str:
    """Return the address that opens a study here, for whoever may see it."""
    return f"{site.rstrip('/')}/view?" + urlencode({"requestType": "STUDY", "studyUID": study.study_uid})


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

"""Reports made into messages: ORU^R01 or MDM^T02 (HL7 v2.5 7.3.1, 9.6.3), as text, PDF (ED, base64) and link (RP)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from radrelay.hl7.message import STANDARD, Encoding, Message, Segment, segment_of, write_time
from radrelay.hl7.message.charsets import codec_of
from radrelay.hl7.message.model import Written

Form = Literal["ORU", "MDM"]
APPLICATION = "RADRELAY"
VERSION = "2.5.1"


@dataclass(frozen=True, slots=True)
class Addressee:
    """To whom a message goes, how it is written: application and facility (MSH-5, MSH-6), form, character set."""

    application: str = ""
    facility: str = ""
    form: Form = "ORU"
    character_set: str = "UNICODE UTF-8"

    @property
    def encoding(self) -> Encoding:
        """Return the delimiters and the codec."""
        return STANDARD._replace(codec=codec_of(self.character_set) or "utf_8")


@dataclass(frozen=True, slots=True)
class OutgoingReport:
    """A report that goes out: whose, about which study, and what of it there is."""

    patient_id: str
    issuer: str
    patient_name: str
    birth_date: date | None
    sex: str
    accession_number: str
    study_uid: str
    title: str
    at: datetime
    is_final: bool = True
    author: str = ""
    text: str = ""
    pdf: bytes = field(default=b"", repr=False)
    link: str = ""
    document_number: str = ""


def report_message(report: OutgoingReport, to: Addressee, control_id: str, now: datetime) -> Message:
    """Return the message of a report."""
    kind = ("ORU", "R01", "ORU_R01") if to.form == "ORU" else ("MDM", "T02", "MDM_T02")
    encoding = to.encoding
    header: list[Written] = [
        APPLICATION, "", to.application, to.facility, write_time(now), "", kind, control_id, "P", VERSION,
        "", "", "", "", "", to.character_set,
    ]  # fmt: skip
    segments = [segment_of("MSH", header, encoding)]
    if to.form == "MDM":
        segments.append(segment_of("EVN", ["T02", write_time(now)], encoding))
    segments.append(_patient(report, encoding))
    if to.form == "MDM":
        segments += [segment_of("PV1", ["1", "O"], encoding), *_order(report, encoding), _document(report, encoding)]
    else:
        segments += _order(report, encoding)
    return Message((*segments, *_observations(report, encoding)))


def _patient(report: OutgoingReport, encoding: Encoding) -> Segment:
    born = "" if report.birth_date is None else f"{report.birth_date:%Y%m%d}"
    known = [report.patient_id, "", "", report.issuer, "PI"]
    return segment_of("PID", ["1", "", known, "", _name(report.patient_name), "", born, report.sex], encoding)


def _name(name: str) -> list[str]:
    """Return a DICOM person name as XPN: family, given, middle, suffix, prefix."""
    parts = [*name.partition("=")[0].split("^"), "", "", "", ""][:5]
    return [parts[0], parts[1], parts[2], parts[4], parts[3]]


def _order(report: OutgoingReport, encoding: Encoding) -> Iterator[Segment]:
    number = report.accession_number or report.study_uid
    yield segment_of("ORC", ["RE", number], encoding)
    fields: list[Written] = [""] * 32
    fields[0], fields[1], fields[3] = "1", number, ["", report.title]
    fields[6] = write_time(report.at)
    fields[17] = report.accession_number
    fields[21] = write_time(report.at)
    fields[24] = "F" if report.is_final else "P"
    if report.author:
        fields[31] = [["", *_name(report.author)]]
    yield segment_of("OBR", fields, encoding)


def _document(report: OutgoingReport, encoding: Encoding) -> Segment:
    fields: list[Written] = [""] * 17
    fields[0], fields[1], fields[2] = "1", ["DI", report.title], "PDF" if report.pdf else "FT"
    fields[3], fields[11] = write_time(report.at), report.document_number
    fields[13] = report.accession_number
    fields[16] = "AU" if report.is_final else "PR"
    return segment_of("TXA", fields, encoding)


def _observations(report: OutgoingReport, encoding: Encoding) -> Iterator[Segment]:
    status = "F" if report.is_final else "P"
    found: list[tuple[str, tuple[str, str, str], Written]] = [
        ("ST", ("113014", "DICOM Study", "DCM"), report.study_uid)
    ]
    if report.text:
        found.append(("FT", ("18748-4", "Diagnostic imaging report", "LN"), report.text))
    if report.pdf:
        data = base64.b64encode(report.pdf).decode()
        found.append(
            ("ED", ("18748-4", "Diagnostic imaging report", "LN"), [APPLICATION, "application", "pdf", "Base64", data])
        )
    if report.link:
        found.append(("RP", ("18748-4", "Images", "LN"), [report.link, APPLICATION, "text", "html"]))
    for place, (kind, name, value) in enumerate(found, 1):
        yield segment_of("OBX", [str(place), kind, list(name), "", value, "", "", "", "", "", status], encoding)

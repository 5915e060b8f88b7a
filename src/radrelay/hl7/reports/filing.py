"""Reports that came become objects of their study: a PDF encapsulated, a text as structured report.

A report is filed only if its study is known beyond doubt: by its UID, or by accession number, and by the patient's
issuer and ID, and the study names the person whom the report names. What is in doubt stays a message, with the reason.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.archive.models import Holding, Study
from radrelay.clock import Clock
from radrelay.dicom.encapsulate import Placing, StudyContext, pdf_file
from radrelay.dicom.text_report import WrittenReport, text_report_file
from radrelay.dicom.writing import derived_uid
from radrelay.errors import RadrelayError
from radrelay.hl7.content import Content, Patient, Report
from radrelay.hl7.errors import (
    ReportEmpty,
    ReportNotLanded,
    ReportOfAnother,
    ReportPartsLeft,
    ReportWithdrawn,
    StudyAmbiguous,
    StudyUnknown,
)
from radrelay.hl7.patients.coercing import study_names
from radrelay.hl7.patients.keeping import ever_told, find_patient, survivor
from radrelay.hl7.patients.policy import Policy
from radrelay.hl7.processing import KeptMessage
from radrelay.hl7.reports.passing import note_come
from radrelay.intake.landing import Landing
from radrelay.intake.sources import get_source

PDF = "application/pdf"
WITHDRAWN = ("X", "D", "W", "CA")
"""OBR-25 and TXA-17 of what was taken back (tables 0123, 0271)."""
PRELIMINARY = ("P", "R", "A", "S", "I", "O", "PR", "IP", "DI", "DO", "IN")
SERIES_NUMBER = 9200


@dataclass(frozen=True, slots=True)
class _File:
    kind: str
    content: bytes
    sop_uid: str


class ReportBook:
    """The handler of reports."""

    def __init__(self, clock: Clock, landing: Landing) -> None:
        self._clock = clock
        self._landing = landing

    def __call__(self, session: Session, kept: KeptMessage, content: Content) -> RadrelayError | None:
        """File a message's reports; returns `ReportPartsLeft` where some documents are of kinds that are not filed.

        Raises `IssuerMissing`, `StudyUnknown`, `StudyAmbiguous`, `ReportOfAnother`, `ReportEmpty`, `ReportWithdrawn`;
        then nothing of the message is filed.
        """
        if content.patient is None:
            return None
        Policy().require(content.patient)
        filed, left = [], 0
        for report in content.reports:
            if report.status.upper() in WITHDRAWN:
                raise ReportWithdrawn(status=report.status)
            others = [one for one in report.documents if one.media_type != PDF]
            if not report.text and len(others) == len(report.documents):
                raise ReportEmpty(documents=len(others))
            left += len(others)
            study = _study_of(session, kept.organisation_id, content.patient, report)
            filed.append((study, list(_files(study, report, _made_at(content, kept, report)))))
        for study, files in filed:
            self._land(session, kept, study, files)
        return ReportPartsLeft(documents=left) if left else None

    def _land(self, session: Session, kept: KeptMessage, study: Study, files: Sequence[_File]) -> None:
        for file in files:
            audit.record(
                session,
                audit.AuditRecord(
                    "hl7.file",
                    system_principal(kept.organisation_id),
                    "study",
                    study.id,
                    detail={"port": kept.port, "kind": file.kind},
                    patient=(study.patient_issuer, study.patient_id_value, study.patient_name),
                ),
            )
        note_come(session, study, [file.sop_uid for file in files], kept.id)
        session.flush()
        holding = _longest(session, study)
        source = get_source(session, kept.organisation_id, holding.source_id)
        origin = source.origin(correlation_id=kept.id.hex, account_id=holding.account_id)
        origin = msgspec.structs.replace(origin, joins=holding.id)
        for file in files:
            made = self._landing.land_file(origin, f"{file.kind}.dcm", [file.content])
            if made.outcome != "object":
                raise ReportNotLanded(reason=made.code)


def _study_of(session: Session, organisation_id: uuid.UUID, patient: Patient, report: Report) -> Study:
    """Return the one study that a report is about, its patient's beyond doubt."""
    mine = Study.organisation_id == organisation_id
    if report.study_uids:
        found = session.scalars(sa.select(Study).where(mine, Study.study_uid.in_(report.study_uids))).all()
    elif report.accession_number:
        found = session.scalars(sa.select(Study).where(mine, Study.accession_number == report.accession_number)).all()
    else:
        raise StudyUnknown
    if not found:
        raise StudyUnknown
    theirs = [study for study in found if _is_theirs(session, study, patient)]
    if not theirs:
        raise ReportOfAnother
    if len(theirs) > 1 or (report.study_uids and len(found) > 1):
        raise StudyAmbiguous(studies=len(found))
    return theirs[0]


def _is_theirs(session: Session, study: Study, patient: Patient) -> bool:
    """Say whether a study is of the patient whom a report names: by issuer and ID, and by the person."""
    row = find_patient(session, study.organisation_id, patient.key)
    now_is = survivor(session, row) if row is not None else None
    keys = {patient.key, *([(now_is.issuer, now_is.patient_id)] if now_is is not None else [])}
    if (study.patient_issuer, study.patient_id_value) not in keys:
        return False
    born = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    known: list[Mapping[str, str]] = [{"name": patient.name, "birth_date": born, "sex": patient.sex}]
    for one in (row, now_is):
        known += ever_told(one) if one is not None else []
    return study_names(study, known)


def _files(study: Study, report: Report, made_at: datetime) -> Iterator[_File]:
    """Yield a report as DICOM files: its PDFs, or, where there are none, its text. The same again is the same bytes."""
    context = StudyContext(
        study.study_uid, study.patient_name, study.patient_id_value, study.patient_issuer, study.patient_birth_date,
        study.patient_sex, study.study_date, study.study_time, study.accession_number, study.study_id_value,
        study.description, study.referring_physician,
    )  # fmt: skip
    title = (report.title or "Report")[:64]
    number = report.document_number or report.filler_number or report.placer_number or report.accession_number
    series = derived_uid("hl7 reports", study.id, number)
    documents = [("pdf", one.content) for one in report.documents if one.media_type == PDF]
    parts = documents or [("text", report.text.encode())]
    for place, (kind, content) in enumerate(parts, 1):
        digest = hashlib.sha256(content).hexdigest()
        uid = derived_uid("hl7 report", study.id, number, report.status, made_at.isoformat(), title, digest)
        placing = Placing(made_at, series, uid, SERIES_NUMBER, place, title)
        if kind == "pdf":
            yield _File(kind, pdf_file(content, context, placing), uid)
        else:
            final = report.status.upper() not in PRELIMINARY
            yield _File(kind, text_report_file(WrittenReport(report.text, report.author, final), context, placing), uid)


def _made_at(content: Content, kept: KeptMessage, report: Report) -> datetime:
    """Return when a report was made, to the second, as its sender wrote it."""
    return (report.at or content.header.at or kept.received_at).replace(microsecond=0)


def _longest(session: Session, study: Study) -> Holding:
    """Return the holding of a study that lasts longest: what joins it goes with it."""
    held = session.scalars(sa.select(Holding).where(Holding.study_id == study.id)).all()
    if not held:
        raise StudyUnknown
    endless = [one for one in held if one.ends_at is None]
    return endless[0] if endless else max(held, key=lambda one: (one.ends_at, one.id))

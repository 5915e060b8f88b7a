"""Failed portals, reported by staff to who looks after fetching; kept until they are solved, then deleted."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Trouble
from radrelay.importer.cases import FAILED, FETCHING
from radrelay.importer.import_errors import ImportElsewhere, ImportReported, ReportUnknown
from radrelay.importer.models import ImportCase, ImportReport
from radrelay.importer.sealing import Entered, LinkSeal, Reported, ReportSeal
from radrelay.storage.ids import new_id

LONGEST_TEXT = 2000
MOST_LISTED = 500
BIRTH_DATE = "birth-date"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What goes along with a report: staff agree to each."""

    text: str = ""
    with_birth_date: bool = False
    with_answers: bool = False


def entered_of(row: ImportCase, seal: LinkSeal) -> Entered:
    """Return what was entered for a fetch that failed, birth dates left out of its answers; raises `ImportElsewhere`.

    A failure after fetching is none of the portal's.
    """
    if row.state != FAILED or row.resumes != FETCHING or row.sealed is None:
        raise ImportElsewhere(state=row.state)
    return without_birth_date(row, seal.open(row.id, row.sealed))


def without_birth_date(row: ImportCase, entered: Entered) -> Entered:
    """Return what was entered without the answers that are the birth date."""
    born = {one["id"] for one in json.loads(row.questions or "[]") if one["kind"] == BIRTH_DATE}
    left = {key: told for key, told in entered.answers.items() if key not in born and not _says(told, row.birth_date)}
    return Entered(entered.link, left)


def report_of(session: Session, case_id: uuid.UUID) -> ImportReport | None:
    """Return the open report of an import, if there is one."""
    return session.scalar(sa.select(ImportReport).where(ImportReport.case_id == case_id))


def report(
    session: Session, case: ImportCase, seals: tuple[LinkSeal, ReportSeal], agreed: Agreed, by: str, now: datetime
) -> tuple[ImportReport, Reported]:
    """Report a failed portal; raises `ImportElsewhere`, `ImportReported`. The import stays as it is."""
    entered = entered_of(case, seals[0])
    session.execute(sa.select(ImportCase.id).where(ImportCase.id == case.id).with_for_update())  # one after the other
    if report_of(session, case.id) is not None:
        raise ImportReported
    born = case.birth_date.isoformat() if agreed.with_birth_date and case.birth_date is not None else ""
    told = Reported(agreed.text[:LONGEST_TEXT], entered.link, born, entered.answers if agreed.with_answers else {})
    report_id = new_id()
    row = ImportReport(
        id=report_id, organisation_id=case.organisation_id, case_id=case.id, host=case.host, connector=case.connector,
        error=case.error, error_code=case.error_code, error_facts=case.error_facts, step=case.resumes,
        sealed=seals[1].close(report_id, told), mailed=False, reported_by=by[:200], reported_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row, told


def list_reports(session: Session, organisation_id: uuid.UUID) -> list[ImportReport]:
    """Return an organisation's open reports, the oldest first."""
    asked = sa.select(ImportReport).where(ImportReport.organisation_id == organisation_id)
    return list(session.scalars(asked.order_by(ImportReport.reported_at, ImportReport.id).limit(MOST_LISTED)))


def get_report(session: Session, organisation_id: uuid.UUID, report_id: uuid.UUID) -> ImportReport:
    """Return an open report; raises `ReportUnknown`."""
    row = session.get(ImportReport, report_id)
    if row is None or row.organisation_id != organisation_id:
        raise ReportUnknown
    return row


def trouble_of(row: ImportReport) -> Trouble | None:
    """Return what the portal failed by."""
    return Trouble(row.error_code, row.error, json.loads(row.error_facts)) if row.error_code else None


def _says(answer: str, born: date | None) -> bool:
    """Say whether an answer is the birth date, in any order of its parts."""
    if born is None:
        return False
    digits = "".join(char for char in answer if char.isdigit())
    return digits in (f"{born:%Y%m%d}", f"{born:%d%m%Y}", f"{born:%m%d%Y}", f"{born:%d%m%y}", f"{born:%y%m%d}")

"""What came of an import of which something is filed ends with the time that every import has, and names nobody then.

As long as what was filed is here it can be taken back: for that UIDs and digests stay, and under which numbers. What
came goes, whom it named, whom it was matched with and chosen for, file names, dates and descriptions; and whoever in it
was not filed by then.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer import broken_off, cases
from radrelay.importer.arrived import NOBODY, ArrivedObject
from radrelay.importer.cases import FILED, FILING, FILING_LEFT, OVER, PAGE
from radrelay.importer.import_errors import ImportHeld
from radrelay.importer.matching import Matched
from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.parting import ArrivedPerson, ArrivedStudy
from radrelay.importer.standing import Standing
from radrelay.importer.written_down import CheckedObject
from radrelay.intake.raw_files import discard_raw

_UNTRACKED = {"synchronize_session": False}
_NAMELESS = {
    "patient_name": "", "patient_id_value": "", "patient_issuer": "", "patient_birth_date": None, "patient_sex": "",
}  # fmt: skip


def due(session: Session, now: datetime, filed_until: datetime) -> list[uuid.UUID]:
    """Return imports whose names have to go though they go on; one that is being filed has some more time.

    What was filed until a moment needs them no more.
    """
    hung = sa.or_(ImportCase.state != FILING, ImportCase.names_end_at <= now - FILING_LEFT)
    settled = sa.and_(ImportCase.state == FILED, ImportCase.finished_at <= filed_until)
    over = (ImportCase.names_end_at.is_not(None), sa.or_(ImportCase.names_end_at <= now, settled))
    ended = (*over, ImportCase.ends_at > now, ImportCase.state != OVER, hung)
    return list(session.scalars(sa.select(ImportCase.id).where(*ended).limit(PAGE)))


def are_due(row: ImportCase, now: datetime, filed_until: datetime) -> bool:
    """Say whether the names of an import have to go."""
    settled = row.state == FILED and row.finished_at is not None and row.finished_at <= filed_until
    return row.names_end_at is not None and (row.names_end_at <= now or settled)


def forget_names(session: Session, row: ImportCase, now: datetime) -> None:
    """Have an import, which is locked as is the archive, name nobody any more."""
    filed = [one.number for one in cases.people_of(session, row.id) if one.state == FILED]
    if row.error_code != ImportHeld.code:
        broken_off.drop(session, row, now, "expired")
    discard_raw(session, [row.parcel_id], "expired", now)
    forget_others(session, row, filed)
    person = _NAMELESS | {"matched": "[]", "chosen": "", "import_order": "", "confirmed": "{}"}
    one = {"file_name": "", "modality": "", "study_date": None, "description": "", "accession": ""}
    for table, values in ((ImportPerson, person), (ImportObject, _NAMELESS | one), (ImportPaper, {"file_name": ""})):
        session.execute(sa.update(table).where(table.case_id == row.id).values(**values), execution_options=_UNTRACKED)
    row.names_end_at = None
    trouble = cases.trouble_of(row) if row.state == FILED else None
    finished = row.finished_at
    cases.move(session, row, FILED, now, trouble)
    row.finished_at = finished or now


def forget_others(session: Session, row: ImportCase, filed: Collection[int]) -> None:
    """Forget whoever in an import is not filed, and what was found about the parcel."""
    for table in (ImportObject, ImportPaper):
        others = sa.or_(table.person_number.is_(None), table.person_number.not_in(filed))
        session.execute(sa.delete(table).where(table.case_id == row.id, others), execution_options=_UNTRACKED)
    gone = sa.delete(ImportPerson).where(ImportPerson.case_id == row.id, ImportPerson.number.not_in(filed))
    session.execute(gone, execution_options=_UNTRACKED)
    row.birth_date, row.listed, row.questions, row.findings, row.confirmed = None, "", "[]", "[]", "{}"
    row.lacking, row.came = "[]", ""


def nameless(objects: Iterable[CheckedObject]) -> Standing:
    """Return how it stands with somebody who was filed, and whose name is gone, by their objects."""
    studies: dict[str, list[ArrivedObject]] = {}
    for one in objects:
        studies.setdefault(one.arrived.study_uid, []).append(one.arrived)
    arrived = tuple(ArrivedStudy(uid, (NOBODY,), tuple(some), mixed=False) for uid, some in sorted(studies.items()))
    return Standing(ArrivedPerson(NOBODY, (NOBODY,), arrived), Matched((), None), (), frozenset())

"""Files whose upload ends after somebody has said that no more follow: they are not part of the import.

Their senders hear so, a finding names them, and nothing of them is left in the raw parcel. One may come into its rows a
moment later only; it is kept in mind until then. What a check has read of one is looked at anew; of a filing that is
under way it is no part, and goes when that has come to its end, which reads the files one after the other.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer import announced, cases, findings
from radrelay.importer.announced import Place
from radrelay.importer.cases import CHECKING, FILING, OPEN, OVER, PAGE
from radrelay.importer.models import ImportCase
from radrelay.importer.written_down import findings_of, findings_text, refused_of
from radrelay.intake.models import RawFile
from radrelay.intake.raw_files import discard_files

CODES = frozenset({"files-not-brought", "upload-broken-off"})
NOWHERE = Place()


def refuse(
    session: Session, row: ImportCase, record_id: uuid.UUID, name: str, now: datetime, place: Place = NOWHERE
) -> None:
    """Have a file not be part of an import, which is locked, as is the archive."""
    if row.state == OVER:  # all that comes of it goes (`cases.late`)
        return
    row.refused = json.dumps([*refused_of(row), str(record_id)])
    if announced.note_refused(session, row, place):
        row.lacking = json.dumps([*json.loads(row.lacking), name])
    if row.checked_at is not None:
        _tell(session, row)
    undecided = row.state == OPEN and all(one.state == "open" for one in cases.people_of(session, row.id))
    if _drop(session, row, now) and undecided:
        cases.move(session, row, CHECKING, now)


def _tell(session: Session, row: ImportCase) -> None:
    """Have the findings about the parcel tell of what lacks, as it stands now."""
    others = [one for one in findings_of(row) if one.code not in CODES]
    lacking = json.loads(row.lacking)
    named = (findings.not_brought(lacking),) if lacking else ()
    row.findings = findings_text([*others, *named, *announced.findings_of(session, row.id)])


def waiting(session: Session) -> list[uuid.UUID]:
    """Return imports of which a refused file has come into its rows since."""
    refused = sa.select(ImportCase.id).where(ImportCase.refused != "", ImportCase.state.not_in((FILING, OVER)))
    return list(session.scalars(refused.limit(PAGE)))


def drop(session: Session, case_id: uuid.UUID, now: datetime) -> None:
    """Erase what has come of the refused files of an import, with the archive locked."""
    row = session.get(ImportCase, case_id, populate_existing=True, with_for_update=True)
    if row is not None and row.refused:
        _drop(session, row, now)


def _drop(session: Session, row: ImportCase, now: datetime) -> int:
    if row.state == FILING:
        return 0
    asked = sa.select(RawFile.id).where(RawFile.id.in_([uuid.UUID(one) for one in refused_of(row)]))
    here = list(session.scalars(asked))
    discard_files(session, row.organisation_id, here, "refused", now)
    left = [one for one in refused_of(row) if uuid.UUID(one) not in here]
    row.refused = json.dumps(left) if left else ""
    return len(here)

"""What others count on: of what an import filed, the objects that another one found here and so did not file again.

They stay when that import's filing is taken back, and are from then on what the other one filed, so that its own
take-back finds them. The archive's lock is held by whoever asks: one that is being filed looks at what is here only
after that (`filing_turn`). It may not have written down yet what it found: what it brings too is handed to it before.
Who is filed under another patient counts on nothing: the study of this one only stands in the way.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.reconciling import LocalPatient
from radrelay.importer.written_down import chosen_of

CHUNK = 500
COUNTING = ("filing", "filed")


def hand_over(
    session: Session, case: ImportCase, number: int, objects: Mapping[str, ImportObject],
    papers: Mapping[str, Mapping[str, str]],
) -> set[str]:  # fmt: skip
    """Return the SOP Instance UIDs that others count on, of what was filed of somebody: it is theirs from now on.

    `objects`: what was written of it, by UID; `papers`: SHA-256 by UID, by study.
    """
    return _objects(session, case, number, objects) | _papers(session, case, number, papers)


def _objects(session: Session, case: ImportCase, number: int, objects: Mapping[str, ImportObject]) -> set[str]:
    found: set[str] = set()
    whose = _chosen(session, case, number)
    counts = sa.or_(ImportPerson.state == "filing", ImportObject.action.in_(("file", "skip")))
    uids = sorted(objects)
    for start in range(0, len(uids), CHUNK):
        asked = (
            sa.select(ImportObject, ImportPerson)
            .join(ImportPerson, _whose(ImportObject))
            .where(ImportObject.sop_uid.in_(uids[start : start + CHUNK]), counts, *_others(ImportObject, case, number))
            .order_by(ImportPerson.filed_at, ImportObject.id)
        )
        for row, person in session.execute(asked):
            if person.state == "filing" and _is_another(chosen_of(person), whose):
                continue
            mine = objects[row.sop_uid]
            if row.sop_uid not in found and (row.action == "skip" or (not row.action and _is_same(row, mine))):
                row.written = mine.written
            found.add(row.sop_uid)
    return found


def _papers(session: Session, case: ImportCase, number: int, papers: Mapping[str, Mapping[str, str]]) -> set[str]:
    found: set[str] = set()
    whose = _chosen(session, case, number)
    for study_uid, written in papers.items():
        asked = (
            sa.select(ImportPaper, ImportPerson)
            .join(ImportPerson, _whose(ImportPaper))
            .where(ImportPaper.study_uid == study_uid, *_others(ImportPaper, case, number))
            .order_by(ImportPerson.filed_at, ImportPaper.id)
        )
        for row, person in session.execute(asked):
            if person.state == "filing" and _is_another(chosen_of(person), whose):
                continue
            told: dict[str, str] = json.loads(row.written) if row.written else {}
            mine = written.keys() if person.state == "filing" else written.keys() & told.keys()
            row.written = json.dumps(told | _unowned(told, written, mine - found)) if mine - found else row.written
            found |= mine
    return found


def _unowned(told: Mapping[str, str], written: Mapping[str, str], uids: Collection[str]) -> dict[str, str]:
    """Return what of `uids` another one found here and did not write itself, as it was written."""
    return {uid: written[uid] for uid in uids if not told.get(uid)}


def _chosen(session: Session, case: ImportCase, number: int) -> LocalPatient | None:
    mine = sa.select(ImportPerson).where(ImportPerson.case_id == case.id, ImportPerson.number == number)
    person = session.scalar(mine)
    return chosen_of(person) if person is not None else None


def _is_another(one: LocalPatient | None, other: LocalPatient | None) -> bool:
    """Tell whether two are two for sure; of one whose name is gone by now nobody knows."""
    return one is not None and other is not None and one.patient_id != other.patient_id


def _is_same(row: ImportObject, other: ImportObject) -> bool:
    """Tell whether an object on which nobody has decided is left out where the other one is here."""
    if row.digest == other.digest:
        return True
    if row.study_uid != other.study_uid or row.pixels != other.pixels:
        return False
    return bool(row.pixels) or "" != row.header == other.header


def _others(table: type[ImportObject | ImportPaper], case: ImportCase, number: int) -> Sequence[sa.ColumnElement[bool]]:
    elsewhere = sa.or_(table.case_id != case.id, table.person_number != number)
    return table.organisation_id == case.organisation_id, elsewhere, ImportPerson.state.in_(COUNTING)


def _whose(table: type[ImportObject | ImportPaper]) -> sa.ColumnElement[bool]:
    return sa.and_(ImportPerson.case_id == table.case_id, ImportPerson.number == table.person_number)

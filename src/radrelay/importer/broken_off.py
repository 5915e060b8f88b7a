"""Filings that broke off: what had landed by then goes, for half a study in a patient's record is worse than none.

Some of it may land in the index a moment later still. An import that ends keeps in mind what to look for; no clock of
another machine is asked. What was filed to its end stays, and what another import counts on.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive import deletion
from radrelay.archive.models import Study
from radrelay.archive.of_study import of_studies
from radrelay.archive.tables import INSTANCE
from radrelay.importer import put_aside
from radrelay.importer.counted_on import COUNTING
from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.papers import paper_uid

PAGE, CHUNK = 100, 500
SETTLED = ("filed", "over")
LOOKED_FOR = timedelta(days=2)
"""So long after an import's end something of it may land: whoever writes the index may have been down."""


def drop(session: Session, case: ImportCase, now: datetime, reason: str) -> int:
    """Delete what landed of people who are not filed, with the archive locked; returns how many objects went.

    What lands late of them is looked for from now on, whenever nothing of the import is under way.
    """
    before = _remembered(case)
    studies = _begun(session, case).union(before["studies"])
    if not studies:
        return 0
    kept = set(before["filed"]) | filed_of(session, case)
    case.late = json.dumps({"studies": sorted(studies), "filed": sorted(kept)})
    return _delete(session, case, now, reason)


def is_begun(session: Session, case: ImportCase) -> bool:
    """Tell whether something may have landed of somebody who is not filed, or may yet land late."""
    return bool(case.late) or bool(_begun(session, case))


def keep_filed(session: Session, case: ImportCase) -> None:
    """Have what was filed to its end stay, whatever of an import is looked for since a filing of it broke off."""
    if case.late:
        told = _remembered(case)
        case.late = json.dumps(told | {"filed": sorted(filed_of(session, case).union(told["filed"]))})


def late(session: Session) -> list[uuid.UUID]:
    """Return imports of which something may land late, and nothing else does."""
    waiting = (ImportCase.late != "", ImportCase.state.in_(SETTLED))
    return list(session.scalars(sa.select(ImportCase.id).where(*waiting).limit(PAGE)))


def drop_late(session: Session, case_id: uuid.UUID, now: datetime) -> int:
    """Delete what landed late of an import, with the archive locked; returns how many objects went."""
    case = session.get(ImportCase, case_id, populate_existing=True, with_for_update=True)
    if case is None or not case.late or case.state not in SETTLED:
        return 0
    count = _delete(session, case, now, "withdrawn")
    if case.changed_at < now - LOOKED_FOR:
        case.late = ""
    return count


def spare(session: Session, case: ImportCase) -> None:
    """Have what was filed of an import that ends now stay, whatever others look for: nothing tells so afterwards.

    Others are those that look for what lands late, and those whose filing may break off yet, or has.
    """
    filed = filed_of(session, case)
    if not filed:
        return
    decided = sa.exists().where(_whose(), ImportObject.action != "").correlate(ImportPerson)
    unfiled = (ImportPerson.case_id == ImportCase.id, ImportPerson.state != "filed")
    begun = sa.exists().where(*unfiled, decided)  # of those who are filed there are many, and of their objects
    others = session.scalars(
        sa.select(ImportCase)
        .where(ImportCase.organisation_id == case.organisation_id, ImportCase.id != case.id)
        .where(sa.or_(ImportCase.late != "", begun))
        .order_by(ImportCase.id)
        .with_for_update(of=ImportCase)
        .execution_options(populate_existing=True)
    ).all()
    for one in others:
        told = _remembered(one)
        one.late = json.dumps(told | {"filed": sorted(filed.union(told["filed"]))})


def _remembered(case: ImportCase) -> dict[str, list[str]]:
    told: dict[str, list[str]] = json.loads(case.late) if case.late else {"studies": [], "filed": []}
    return told


def _begun(session: Session, case: ImportCase) -> set[str]:
    """Return the studies of people whose filing was begun and never came to its end."""
    asked = sa.select(ImportObject.study_uid).join(ImportPerson, _whose()).distinct()
    mine = (ImportObject.case_id == case.id, ImportObject.action != "", ImportPerson.state != "filed")
    return set(session.scalars(asked.where(*mine)))


def filed_of(session: Session, case: ImportCase) -> set[str]:
    """Return the SOP Instance UIDs of what was filed of an import, or is of somebody who was."""
    asked = sa.select(ImportObject.sop_uid).join(ImportPerson, _whose())
    found = set(session.scalars(asked.where(ImportObject.case_id == case.id, ImportPerson.state == "filed")))
    papers = sa.select(ImportPaper.written).where(ImportPaper.case_id == case.id, ImportPaper.written != "")
    return found.union(*(json.loads(one) for one in session.scalars(papers)))


def _delete(session: Session, case: ImportCase, now: datetime, reason: str) -> int:
    told = _remembered(case)
    found = _landed(session, case, told["studies"], set(told["filed"]))
    if found:
        deletion.delete_instances(session, found, now, reason)
    return len(found) + put_aside.drop_of(session, case, told["studies"], now, reason, but=told["filed"])


def _landed(session: Session, case: ImportCase, studies: list[str], filed: Collection[str]) -> list[uuid.UUID]:
    """Return the instances that an import brought into studies, without what is filed.

    What another import has filed, found here or is filing, papers too, counts as well; a study whose processing is
    restricted stays.
    """
    elsewhere = sa.and_(ImportObject.case_id != case.id, ImportPerson.state == "filing")
    wanted = sa.exists().where(
        ImportObject.organisation_id == INSTANCE.c.organisation_id, ImportObject.sop_uid == INSTANCE.c.sop_uid,
        _whose(), sa.or_(ImportPerson.state == "filed", elsewhere),
    )  # fmt: skip
    found: list[uuid.UUID] = []
    for start in range(0, len(studies), CHUNK):
        mine = (Study.organisation_id == case.organisation_id, Study.study_uid.in_(studies[start : start + CHUNK]))
        asked = sa.select(INSTANCE.c.id, INSTANCE.c.study_id, INSTANCE.c.sop_uid).where(
            of_studies(sa.select(Study.id).where(*mine)), INSTANCE.c.correlation_id == case.correlation_id, ~wanted
        )
        rows = [one for one in session.execute(asked) if one.sop_uid not in filed]
        papers = _papers_elsewhere(session, case, studies[start : start + CHUNK]) if rows else set[str]()
        rows = [one for one in rows if one.sop_uid not in papers]
        barred = {one for one in {row.study_id for row in rows} if access.is_barred(session, one)}
        found += [row.id for row in rows if row.study_id not in barred]
    return sorted(found)


def _papers_elsewhere(session: Session, case: ImportCase, studies: Sequence[str]) -> set[str]:
    """Return the SOP Instance UIDs of papers of some studies that other imports have filed, or found here, or may."""
    whose = sa.and_(ImportPerson.case_id == ImportPaper.case_id, ImportPerson.number == ImportPaper.person_number)
    asked = (
        sa.select(ImportPaper.study_uid, ImportPaper.digest, ImportPaper.written)
        .join(ImportPerson, whose)
        .where(ImportPaper.organisation_id == case.organisation_id, ImportPaper.study_uid.in_(studies))
        .where(ImportPaper.case_id != case.id, ImportPaper.digest != "", ImportPerson.state.in_(COUNTING))
    )
    found: set[str] = set()
    for one in session.execute(asked):
        found |= json.loads(one.written).keys() if one.written else {paper_uid(one.study_uid, one.digest)}
    return found


def _whose() -> sa.ColumnElement[bool]:
    return sa.and_(ImportPerson.case_id == ImportObject.case_id, ImportPerson.number == ImportObject.person_number)

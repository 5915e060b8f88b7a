"""What an import put into the quarantine: it goes with the import, and when its filing is taken back.

It is known by the import's own correlation ID. What somebody has released is part of a record by then and stays; so
does what falls under a restriction.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.importer.models import ImportCase, ImportObject, ImportPerson
from radrelay.intake.diversion import AWAITS_RELEASE, WAITING
from radrelay.intake.models import Quarantined
from radrelay.intake.quarantine import remove

ON_ITS_WAY = frozenset({AWAITS_RELEASE, *WAITING})
"""Filed, and let in a little later: by a person, or when it is written anew."""


def drop_all(session: Session, case: ImportCase, now: datetime, reason: str) -> int:
    """Delete all of an import, with the archive locked, but what was filed and is on its way into the archive."""
    return _remove(session, going(session, case), now, reason)


def drop_of(
    session: Session, case: ImportCase, study_uids: Collection[str], now: datetime, reason: str, *,
    but: Collection[str] = (),
) -> int:  # fmt: skip
    """Delete what is of some studies, with the archive locked, `but` some SOP Instance UIDs; returns how many."""
    found = [one for one in _put_aside(session, case) if one.study_uid in study_uids and one.sop_uid not in but]
    return _remove(session, found, now, reason)


def going(session: Session, case: ImportCase) -> list[Quarantined]:
    """Return what goes with an import."""
    found = _put_aside(session, case)
    if not any(one.code in ON_ITS_WAY for one in found):
        return found
    whose = sa.and_(ImportPerson.case_id == ImportObject.case_id, ImportPerson.number == ImportObject.person_number)
    filed = sa.select(ImportObject.study_uid).join(ImportPerson, whose).distinct()
    studies = set(session.scalars(filed.where(ImportObject.case_id == case.id, ImportPerson.state == "filed")))
    return [one for one in found if one.code not in ON_ITS_WAY or one.study_uid not in studies]


def _put_aside(session: Session, case: ImportCase) -> list[Quarantined]:
    if not case.correlation_id:
        return []
    mine = (
        Quarantined.organisation_id == case.organisation_id, Quarantined.source_id == case.source_id,
        Quarantined.correlation_id == case.correlation_id, Quarantined.released_at.is_(None),
    )  # fmt: skip
    return list(session.scalars(sa.select(Quarantined).where(*mine, sa.not_(access.kept_aside(Quarantined)))))


def _remove(session: Session, rows: list[Quarantined], now: datetime, reason: str) -> int:
    remove(session, rows, reason, now)
    session.flush()
    return len(rows)

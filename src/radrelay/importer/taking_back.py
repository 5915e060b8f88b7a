"""Filing taken back: what an import filed of somebody goes, and they are open again, as they came.

The raw parcel has everything as it was received. Once that is erased it is taken back only for good: it cannot be filed
anew from here. What was filed by another way, or was here before, stays, and so does what another import counts on.
"""

from __future__ import annotations

import json
import uuid
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive import deletion
from radrelay.archive.tables import INSTANCE
from radrelay.importer import cases, counted_on, put_aside
from radrelay.importer.cases import FILED, OPEN
from radrelay.importer.import_errors import ImportElsewhere, ImportUnknown, TakeBackHeld
from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.papers import LEFT_OUT
from radrelay.intake.raw_files import RawFileGone, located

CHUNK = 500
_Instance = sa.Row[Any, Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Gone:
    """How many objects went, and how many stay because another import counts on them."""

    objects: int = 0
    stay: int = 0

    def __add__(self, other: Gone) -> Gone:
        """Return both together."""
        return Gone(self.objects + other.objects, self.stay + other.stay)


def take_back(
    session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, number: int, now: datetime, *,
    for_good: bool = False,
) -> tuple[ImportCase, Gone]:  # fmt: skip
    """Take back what was filed of somebody, in the caller's transaction with the archive locked.

    Raises `ImportElsewhere` where nothing is filed of them, `TakeBackHeld`, and `RawFileGone` when what came is no
    more, unless it is to go `for_good`.
    """
    case = cases.get_case(session, organisation_id, case_id, states=(OPEN, FILED), lock=True)
    asked = sa.select(ImportPerson).where(ImportPerson.case_id == case_id, ImportPerson.number == number)
    person = session.scalar(asked)
    if person is None:
        raise ImportUnknown
    if person.state != "filed":
        raise ImportElsewhere(state=person.state)
    again = bool(located(session, case.parcel_id))
    if not again and not for_good:
        raise RawFileGone
    gone = delete_filed(session, case, number, now, "taken-back")
    person.state, person.filing_at, person.filed_at, person.filed_by = "open" if again else "taken-back", None, None, ""
    person.confirmed, person.unsent = "{}", ""
    if again:  # whoever was chosen may be why it is taken back
        person.chosen, person.import_order = "", ""
    _carry_on(session, case, now, again=again)
    return case, gone


def delete_filed(session: Session, case: ImportCase, number: int, now: datetime, reason: str) -> Gone:
    """Delete what an import filed of somebody, but for what another one counts on. Raises `TakeBackHeld`."""
    mine = (ImportObject.case_id == case.id, ImportObject.person_number == number)
    rows = list(session.scalars(sa.select(ImportObject).where(*mine)))
    papers = (ImportPaper.case_id == case.id, ImportPaper.person_number == number)
    objects = {row.sop_uid: row.written for row in rows if row.written}
    beside: dict[str, dict[str, str]] = {}
    for told in session.scalars(sa.select(ImportPaper).where(*papers, ImportPaper.written != "")):
        written = {uid: sha256 for uid, sha256 in json.loads(told.written).items() if sha256}
        beside.setdefault(told.study_uid, {}).update(written)
    found = _filed(session, case.organisation_id, dict(ChainMap(objects, *beside.values())))
    stay = counted_on.hand_over(session, case, number, {row.sop_uid: row for row in rows if row.written}, beside)
    going = [one for one in found if one.sop_uid not in stay]
    if any(access.is_barred(session, study_id) for study_id in {one.study_id for one in going}):
        raise TakeBackHeld
    deletion.delete_instances(session, sorted(one.id for one in going), now, reason)
    put_aside.drop_of(session, case, {row.study_uid for row in rows}, now, reason)
    for row in rows:
        row.action, row.why, row.written = "", "", ""
    again = sa.update(ImportPaper).where(*papers, ImportPaper.study_uid != "")
    why = sa.case((ImportPaper.why == LEFT_OUT, LEFT_OUT), else_="")  # what a person left out stays so
    session.execute(again.values(filed=False, written="", why=why))
    return Gone(len(going), len(found) - len(going))


def _carry_on(session: Session, case: ImportCase, now: datetime, *, again: bool) -> None:
    """Have an import be decided anew; one of which nothing is left is over."""
    session.flush()
    if again:
        case.finished_at = None
        cases.move(session, case, OPEN, now)
    elif all(one.state == "taken-back" for one in cases.people_of(session, case.id)):
        cases.end(session, case, "taken-back", now)
    else:
        case.changed_at = now


def _filed(session: Session, organisation_id: uuid.UUID, written: Mapping[str, str]) -> list[_Instance]:
    """Return the instances that are what an import wrote, byte for byte: their ids, studies and UIDs."""
    found: list[_Instance] = []
    uids = sorted(written)
    for start in range(0, len(uids), CHUNK):
        asked = sa.select(INSTANCE.c.id, INSTANCE.c.study_id, INSTANCE.c.sop_uid, INSTANCE.c.sha256).where(
            INSTANCE.c.organisation_id == organisation_id, INSTANCE.c.sop_uid.in_(uids[start : start + CHUNK])
        )
        found += [one for one in session.execute(asked) if one.sha256.hex() == written[one.sop_uid]]
    return found

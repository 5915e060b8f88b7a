"""What was filed and not sent on, for its destination had gone: asked for again, to the same one or another.

Who asks may do what they may at filing. Of two who ask at once the first is heard; the second finds it done.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.archive.tables import STUDY
from radrelay.importer import brought, cases
from radrelay.importer.cases import FILED, FILING, OPEN
from radrelay.importer.filing_noted import studies_of
from radrelay.importer.import_errors import ImportElsewhere, ImportUnknown, NothingToSendOn, NotSentOn
from radrelay.importer.models import ImportCase, ImportObject, ImportPerson
from radrelay.importer.reconciling import LocalPatient
from radrelay.importer.surroundings import Surroundings
from radrelay.importer.written_down import chosen_of


def send_again(
    session: Session, here: Surroundings, case: ImportCase, number: int, destination_id: uuid.UUID, by: Principal
) -> None:
    """Send on what was filed of somebody in an import, which is locked as is the archive; all of it, or nothing.

    Raises `ImportElsewhere` where nothing is filed of them, or it goes elsewhere by now; `NotSentOn`,
    `NothingToSendOn`.
    """
    if case.state not in (OPEN, FILING, FILED):
        raise ImportElsewhere(state=case.state)
    brought.require_decided(session, case)
    mine = (ImportPerson.case_id == case.id, ImportPerson.number == number)
    person = session.scalar(sa.select(ImportPerson).where(*mine).execution_options(populate_existing=True))
    if person is None:
        raise ImportUnknown
    if person.state != "filed":
        raise ImportElsewhere(state=person.state)
    if not person.unsent:
        if person.destination_id == destination_id:
            return
        raise ImportElsewhere(state=person.state)
    asked = sa.select(ImportObject).where(ImportObject.case_id == case.id, ImportObject.person_number == number)
    rows = session.scalars(asked).all()
    studies = studies_of(session, rows, chosen_of(person) or _patient_here(session, rows))
    person.destination_id = destination_id
    sent = here.send_on(session, case, person, studies, by)
    if person.unsent:
        raise NotSentOn
    if not sent:
        raise NothingToSendOn
    session.flush()
    unsent = any(one.state == "filed" and one.unsent for one in cases.people_of(session, case.id))
    if case.error_code == NotSentOn.code and not unsent:
        cases.tell(case, None)


def _patient_here(session: Session, rows: Sequence[ImportObject]) -> LocalPatient | None:
    """Return whose it is here by what was filed, where the import names nobody any more."""
    filed = {row.study_uid: row.organisation_id for row in rows if row.action == "file" and row.written}
    for study_uid, organisation_id in filed.items():
        mine = (STUDY.c.organisation_id == organisation_id, STUDY.c.study_uid == study_uid)
        found = session.execute(sa.select(STUDY.c.patient_id_value, STUDY.c.patient_issuer).where(*mine)).first()
        if found is not None:
            return LocalPatient("", found.patient_id_value, found.patient_issuer)
    return None

"""What a person decides of an import: whose it is here, under which order, that findings are seen; then it is filed.

A decision is never taken twice for another state of things: what was found when it is filed is found anew, and a
finding that nobody has confirmed, or that stops, stops it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import RadrelayError, Trouble
from radrelay.importer import cases
from radrelay.importer.cases import OPEN
from radrelay.importer.findings import FLAWS
from radrelay.importer.import_errors import (
    ImportChosenOtherwise,
    ImportElsewhere,
    ImportStopped,
    ImportUnconfirmed,
    ImportUndecided,
    ImportUnknown,
)
from radrelay.importer.local_values import written, written_order
from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.papers import LEFT_OUT, PERHAPS_VIEWERS
from radrelay.importer.reconciling import LocalPatient, Order
from radrelay.importer.standing import UNFILED, Standing, key_of, standing_of
from radrelay.importer.surroundings import Candidates, Known
from radrelay.importer.written_down import (
    Parted,
    chosen_of,
    chosen_text,
    findings_of,
    order_of,
    order_text,
)

OF_WHAT_CAME = frozenset({
    "names-differ", "birth-date-not-entered", "accession-taken", "same-pixels", "content-unknown", "other-pixels",
    "other-encoding", "other-content", "other-study", "differs-in-parcel", "no-identity",
})  # fmt: skip
"""Findings that are the same whoever it is here: about what came, and the same objects here."""

NOT_ASKED = Candidates()
Grounds = tuple[object, ...]


class Outdated(Exception):
    """Something has been changed since it was judged: it is judged anew."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether somebody may be filed (`trouble`: why not), and on what that was found."""

    grounds: Grounds
    trouble: RadrelayError | None = None


def choose(
    session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, number: int, patient: LocalPatient | None,
    order: Order | None, now: datetime, elsewhere: Candidates = NOT_ASKED,
) -> ImportPerson:  # fmt: skip
    """Say whose somebody's studies are here, or that nobody has said; what was confirmed of another is open again.

    `elsewhere` is whom archives elsewhere know by the patient's ID; the same patient and order once more changes that
    alone. Raises `PatientUnusable`, `ValueTooLong` and `ValueUnwritable` for what no object can hold.
    """
    case, person = _open_person(session, organisation_id, case_id, number)
    patient = written(patient) if patient is not None else None
    order = written_order(order) if order is not None else None
    again = patient is not None and (patient, order) == (chosen_of(person), order_of(person))
    confirmed = _still_confirmed(person, patient)
    person.chosen = chosen_text(patient, elsewhere.found, elsewhere.silent) if patient is not None else ""
    case.changed_at = now
    if again:
        return person
    person.confirmed = confirmed
    person.import_order = order_text(order) if patient is not None else ""
    tried = (ImportObject.case_id == case_id, ImportObject.person_number == number)  # under whom was chosen before
    session.execute(sa.update(ImportObject).where(*tried).values(why=""))
    return person


def _still_confirmed(person: ImportPerson, patient: LocalPatient | None) -> str:
    """Return what of the findings that were confirmed holds for whom is chosen now: of another, what only came."""
    same = patient is not None and chosen_of(person) == patient
    done = {
        key: one for key, one in json.loads(person.confirmed).items()
        if (code := key.partition(" ")[0]) not in FLAWS and (same or code in OF_WHAT_CAME)
    }  # fmt: skip
    return json.dumps(done)


def take_papers(
    session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, number: int, files: Collection[str],
    now: datetime, *, filed: bool,
) -> int:  # fmt: skip
    """Have papers left out that would join somebody's studies, or filed with them after all; returns how many of them.

    A paper says whose it is to who reads it alone: it may be a viewer's own, or somebody else's.
    """
    case, _ = _open_person(session, organisation_id, case_id, number)
    mine = (ImportPaper.case_id == case_id, ImportPaper.person_number == number, ImportPaper.filed.is_(False))
    as_now = (LEFT_OUT,) if filed else ("", PERHAPS_VIEWERS)
    papers = session.scalars(sa.select(ImportPaper).where(*mine, ImportPaper.why.in_(as_now)))
    meant = [one for one in papers if one.study_uid and one.file_name in files]
    for one in meant:
        one.why = "" if filed else LEFT_OUT
    case.changed_at = now
    return len(meant)


def confirm(
    session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, number: int | None, keys: Iterable[str], by: str,
    now: datetime, *, seen: bool = True,
) -> None:  # fmt: skip
    """Put on record that a person has looked at findings: at those of the parcel, or of somebody in it.

    With `seen` false that is taken back: they are open again.
    """
    row: ImportCase | ImportPerson
    if number is None:
        row = case = cases.get_case(session, organisation_id, case_id, states=(OPEN,), lock=True)
    else:
        case, row = _open_person(session, organisation_id, case_id, number)
    told = {key: {"by": by, "at": now.isoformat()} for key in keys}
    left = {key: one for key, one in json.loads(row.confirmed).items() if key not in told}
    row.confirmed = json.dumps(left | told if seen else left)
    case.changed_at = now


def judge(
    case: ImportCase, person: ImportPerson, everything: Parted, known: Known
) -> Judgement:  # fmt: skip
    """Work out whether somebody's studies may be filed, before the transaction in which that is asked for."""
    try:
        require_decided(case, person, everything, known)
    except (ImportUndecided, ImportStopped, ImportUnconfirmed, ImportElsewhere) as error:
        return Judgement(grounds_of(case, person), error)
    return Judgement(grounds_of(case, person))


def grounds_of(case: ImportCase, person: ImportPerson | None = None) -> Grounds:
    """Return on what a judgement rests: a check makes other rows, and whoever decides something says so in them."""
    parcel = (
        case.state, case.changed_at, case.checked_at, case.birth_date, case.findings, case.confirmed, case.error_code,
    )  # fmt: skip
    if person is None:
        return parcel
    of_person = (person.matched, person.chosen, person.import_order, person.confirmed)
    return (*parcel, person.id, person.state, *of_person)


def require_same(session: Session, case: ImportCase, number: int | None, grounds: Grounds) -> None:
    """Raise `Outdated` where something has been changed since it was judged; the import is locked."""
    person = None if number is None else _person(session, case.id, number)
    if grounds_of(case, person) != grounds:
        raise Outdated


def file(
    session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, number: int, destination_id: uuid.UUID | None,
    by: str, judged: Judgement, now: datetime, under: tuple[str, str] | None = None,
) -> ImportCase:  # fmt: skip
    """Have somebody's studies filed as it was judged; raises `ImportUndecided`, `ImportStopped`, `ImportUnconfirmed`.

    Raises `Outdated` where something has been changed since. `under` is the issuer and ID of whom who asks sees as
    chosen; raises `ImportChosenOtherwise` where it is another.
    """
    case, person = _open_person(session, organisation_id, case_id, number)
    chosen = chosen_of(person)
    if under is not None and (chosen is None or (chosen.issuer, chosen.patient_id) != under):
        raise ImportChosenOtherwise
    if judged.grounds != grounds_of(case, person):
        raise Outdated
    if judged.trouble is not None:
        raise judged.trouble
    person.state, person.filing_at, person.filed_by = "filing", now, by[:200]
    person.destination_id = destination_id
    cases.move(session, case, cases.FILING, now)
    return case


def require_decided(case: ImportCase, person: ImportPerson, everything: Parted, known: Known) -> Standing:
    """Raise `ImportUndecided`, `ImportStopped` or `ImportUnconfirmed` unless somebody's studies may be filed now."""
    if chosen_of(person) is None:
        raise ImportUndecided
    standing = standing_of(case, person, everything, known)
    parcel = findings_of(case)
    stops = [one.code for one in (*parcel, *standing.stops) if one.level == "stop"]
    if stops:
        raise ImportStopped(finding=stops[0])
    done = json.loads(case.confirmed)
    left = [one.code for one in parcel if one.level == "look" and key_of(one) not in done]
    left += [one.code for one in standing.open]
    if left:
        raise ImportUnconfirmed(finding=left[0], count=len(left))
    return standing


def objects_of(session: Session, case_id: uuid.UUID) -> list[ImportObject]:
    """Return an import's objects, by their files."""
    asked = sa.select(ImportObject).where(ImportObject.case_id == case_id).order_by(ImportObject.file_name)
    return list(session.scalars(asked))


def reopen(session: Session, case: ImportCase, trouble: Trouble, now: datetime) -> None:
    """Have a person decide again on whom is not filed: what was found meanwhile stands against it."""
    for person in cases.people_of(session, case.id):
        if person.state == "filing":
            person.state, person.filing_at, person.filed_by = "open", None, ""
    cases.move(session, case, OPEN, now, trouble)


def require_unfiled(session: Session, case: ImportCase) -> None:
    """Raise `ImportElsewhere` once somebody's studies are filed: what was decided for them would be lost."""
    if any(one.state != "open" for one in cases.people_of(session, case.id)):
        raise ImportElsewhere(state=cases.FILED)


def is_undecided(session: Session, case: ImportCase) -> bool:
    """Say whether nobody of an import has been filed, or was and is taken back: all of it can be looked at anew."""
    return all(one.state in UNFILED for one in cases.people_of(session, case.id))


def _open_person(
    session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, number: int
) -> tuple[ImportCase, ImportPerson]:
    case = cases.get_case(session, organisation_id, case_id, states=(OPEN,), lock=True)
    person = _person(session, case_id, number)
    if person.state != "open":
        raise ImportElsewhere(state=person.state)
    return case, person


def _person(session: Session, case_id: uuid.UUID, number: int) -> ImportPerson:
    asked = sa.select(ImportPerson).where(ImportPerson.case_id == case_id, ImportPerson.number == number)
    person = session.scalar(asked)
    if person is None:
        raise ImportUnknown
    return person

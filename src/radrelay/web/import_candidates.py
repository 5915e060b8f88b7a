"""Who somebody in a parcel may be here, as the page is told: what tells patients apart, and who came to be known since.

A patient here is known by studies as well: the newest ones that who looks may see stand beside each of several who may
be meant. What this house knows by itself is asked anew whenever an import is opened; other systems are not.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import Session

from radrelay.access import Principal, Right
from radrelay.archive.models import Source, Study
from radrelay.importer import cases
from radrelay.importer.arrived import Person
from radrelay.importer.folding import compare
from radrelay.importer.matching import Candidate, Compared
from radrelay.importer.surroundings import Site
from radrelay.importer.waiting import arrived_in
from radrelay.importer.written_down import candidates_of, candidates_text
from radrelay.web.reach import PartOnly, Reach
from radrelay.web.services import WebServices

MOST_TOLD_APART = 8
"""So many of those who may be meant are told with their studies."""
MOST_STUDIES = 3
MOST_ASKED_ANEW = 20
"""Of so many people in a parcel it is asked anew who they may be, each time it is opened."""
PatientKey = tuple[str, str]
"""Issuer and ID."""


class PersonShown(BaseModel):
    """Whom something names; what it does not say is empty. The name as DICOM has it."""

    name: str
    patient_id: str
    issuer: str
    birth_date: date | None
    sex: str

    @classmethod
    def of(cls, person: Person) -> PersonShown:
        """Return somebody as they are shown."""
        return cls(
            name=person.name, patient_id=person.patient_id, issuer=person.issuer, birth_date=person.birth_date,
            sex=person.sex,
        )  # fmt: skip


class RowShown(BaseModel):
    """One attribute side by side."""

    field: str
    parcel: str
    entered: str
    local: str
    verdict: str
    reason: str


class StudyHere(BaseModel):
    """A study of a patient here."""

    study_id: uuid.UUID
    study_date: date | None
    modalities: list[str]
    description: str


class CandidateShown(BaseModel):
    """A local patient beside somebody in the parcel.

    `twin`: another one has the same name, birth date and sex. `studies` are the newest that who asks may see; none
    where it was not looked for, for nobody else may be meant.
    """

    person: PersonShown
    origins: list[str]
    rows: list[RowShown]
    fit: str
    at_odds: bool
    proposed: bool
    twin: bool
    studies: list[StudyHere] | None


def candidates_shown(
    compared: Sequence[Compared], proposed: Compared | None, studies: Mapping[PatientKey, list[StudyHere]]
) -> list[CandidateShown]:
    """Return who may be meant, in their order."""
    return [
        CandidateShown(
            person=PersonShown.of(one.person), origins=list(one.origins),
            rows=[
                RowShown(
                    field=row.field, parcel=row.parcel, entered=row.entered, local=row.local, verdict=row.verdict,
                    reason=row.reason,
                )
                for row in one.rows
            ],
            fit=one.fit, at_odds=one.at_odds, proposed=one is proposed,
            twin=any(other is not one and _are_alike(one.person, other.person) for other in compared),
            studies=studies.get((one.person.issuer, one.person.patient_id)),
        )
        for one in compared
    ]  # fmt: skip


def _are_alike(one: Person, other: Person) -> bool:
    alike = (one.birth_date, one.sex) == (other.birth_date, other.sex)
    return alike and compare(one.name, other.name).degree == "same"


def studies_apart(
    services: WebServices, session: Session, principal: Principal, source_id: uuid.UUID,
    people: Sequence[Sequence[Compared]],
) -> dict[PatientKey, list[StudyHere]]:  # fmt: skip
    """Return the newest studies of local patients by whom several may be meant; only such as who asks may see whole."""
    wanted = dict.fromkeys(
        (one.person.issuer, one.person.patient_id)
        for compared in people
        if len(possible := [one for one in compared if one.fit != "not" and one.person.patient_id]) > 1
        for one in possible[:MOST_TOLD_APART]
    )
    if not wanted:
        return {}
    reach = Reach.of(services, session, principal, Right.SEE)
    if reach.scope.identity != "clear":  # whose a study is, is not for them
        return {}
    of_source = sa.select(Source.issuer_of_patient_id).where(Source.id == source_id)
    own = session.scalar(of_source.where(Source.organisation_id == principal.organisation_id)) or ""
    return {key: _newest(reach, *key, own) for key in list(wanted)[:MOST_TOLD_APART]}


def _newest(reach: Reach, issuer: str, patient_id: str, own: str) -> list[StudyHere]:
    issuers = {issuer, ""} if issuer == own else {issuer}  # a study that names no issuer is the house's own
    theirs = (Study.patient_id_value == patient_id, Study.patient_issuer.in_(sorted(issuers)))
    return [
        StudyHere(
            study_id=row.id, study_date=row.study_date, description=row.description,
            modalities=[one for one in row.modalities.split("\\") if one],
        )
        for row in reach.newest_studies(theirs, MOST_STUDIES)
        if _is_whole(reach, row.id)
    ]  # fmt: skip


def _is_whole(reach: Reach, study_id: uuid.UUID) -> bool:
    """Say whether all of a study is within reach: what its row says is said of all of it."""
    try:
        reach.study(study_id, whole=True)
    except PartOnly:
        return False
    return True


def ask_anew(services: WebServices, organisation_id: uuid.UUID, case_id: uuid.UUID) -> None:
    """Have whoever came to be known here since an import was checked stand beside it, and leave who no longer is.

    Whoever was chosen stays chosen, and what other systems told stays as it was.
    """
    if services.importing is None:
        return
    with services.database.read() as session:
        case = cases.get_case(session, organisation_id, case_id)
        people = [one for one in cases.people_of(session, case_id) if one.state == "open"]
        told = [(one.number, arrived_in(session, one), candidates_of(one)) for one in people[:MOST_ASKED_ANEW]]
        of, entered, is_open = Site.of(case), case.birth_date, case.state == cases.OPEN
    found: dict[int, tuple[tuple[Candidate, ...], tuple[Candidate, ...]]] = {}
    for number, arrived, before in told if is_open else ():
        near = services.importing.near(of, arrived, entered)
        after = (*near.found, *(one for one in before if one.origin == "pacs"))
        if set(after) != set(before):
            found[number] = before, after
    if not found:
        return
    with services.database.write() as session:
        case = cases.get_case(session, organisation_id, case_id, lock=True)
        for one in cases.people_of(session, case_id) if case.state == cases.OPEN else ():
            before, after = found.get(one.number, ((), ()))
            if one.number in found and one.state == "open" and candidates_of(one) == before:
                one.matched, case.changed_at = candidates_text(after), services.clock.now()

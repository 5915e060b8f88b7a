"""Imports as one person is told of them, on record; and what that person may say of what was found."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from fastapi import Request
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.importer import cases
from radrelay.importer.cases import OPEN
from radrelay.importer.deciding import Grounds, Judgement, Outdated, grounds_of, judge
from radrelay.importer.findings import Finding
from radrelay.importer.import_errors import FindingGone, ImportElsewhere, PatientUnseen
from radrelay.importer.matching import Matched, match
from radrelay.importer.models import ImportPerson
from radrelay.importer.standing import UNFILED, Standing, key_of, standing_of
from radrelay.importer.surroundings import Known
from radrelay.importer.written_down import candidates_of, checked_in, findings_of, parted_of
from radrelay.web import importing, trail
from radrelay.web.import_shapes import ImportDetail, ImportedPerson
from radrelay.web.import_sight import UNSEEN, Sight, key_chosen, possible, seen_by, told_of, touched
from radrelay.web.services import WebServices

TELL_WHOSE = frozenset({"id-of-another", "id-perhaps-of-another", "id-told-otherwise"})
"""Findings that name who has an ID here."""
NOBODY = Matched((), None)
MOST_JUDGED = 5
"""So often it is worked out anew what others change meanwhile."""


def detail_told(
    request: Request, services: WebServices, principal: Principal, case_id: uuid.UUID
) -> ImportDetail:  # fmt: skip
    """Return an import with how it stands; that somebody was told of patients here is on record with each of them."""
    found = importing.detail_of(services, principal, case_id)
    named = dict.fromkeys(one for person in found.persons for one in _named(person))
    subject = "import", case_id
    trail.all_seen(
        services.database,
        principal,
        ((trail.event(request, principal, "import.view", subject, patient=one), f"named {one}") for one in named),
    )
    return found


def _named(person: ImportedPerson) -> Iterator[tuple[str, str, str]]:
    """Yield the patients here whom it names: issuer, ID, name."""
    for one in person.candidates:
        yield one.person.issuer, one.person.patient_id, one.person.name
    if person.chosen is not None:
        yield person.chosen.issuer, person.chosen.patient_id, person.chosen.name
        for finding in person.findings:
            if finding.code in TELL_WHOSE:
                yield person.chosen.issuer, person.chosen.patient_id, str(finding.facts["names"])


class Looks(NamedTuple):
    """The keys that a person may confirm, or take back, and on what that was found."""

    keys: set[str]
    grounds: Grounds


def looks_of(services: WebServices, principal: Principal, case_id: uuid.UUID, number: int | None) -> Looks:
    """Return what is found now, to be looked at, and told to somebody; no session may be open."""
    with services.database.read() as session:
        if number is None:
            case = importing.reached_case(services, session, principal, case_id)
            confirmed: dict[str, dict[str, str]] = json.loads(case.confirmed)
            return Looks(_keys(findings_of(case)) | set(confirmed), grounds_of(case))
        looked = importing.looked_at(services, session, principal, case_id)
    person = looked.person(number)
    standing = _standing(services, principal, looked, person, importing.known_of(services, looked))
    return Looks(_keys(standing.findings), grounds_of(looked.case, person))


def judged_of(services: WebServices, principal: Principal, case_id: uuid.UUID, number: int) -> Judgement:
    """Work out whether somebody's studies may be filed by who asks; no session may be open.

    Raises `PatientUnseen` where somebody may be meant, or has the ID, who is kept from who asks.
    """
    with services.database.read() as session:
        looked = importing.looked_at(services, session, principal, case_id)
    person, known = looked.person(number), importing.known_of(services, looked)
    with services.database.read() as session:
        hidden = Sight.of(services, session, principal, touched(person, known)).hidden
    if hidden:
        standing = _standing(services, principal, looked, person, known)
        if any(one.code == UNSEEN for one in standing.findings):
            raise PatientUnseen
    return judge(looked.case, person, parted_of(looked.objects), known)


def as_judged(act: Callable[[], None]) -> None:
    """Do what works something out and then rests on it, anew where somebody has changed something in between.

    Raises `ImportElsewhere` where that does not end.
    """
    for _ in range(MOST_JUDGED):
        with suppress(Outdated):
            return act()
    raise ImportElsewhere(state=OPEN)


def _keys(findings: Iterable[Finding]) -> set[str]:
    return {key_of(one) for one in findings if one.level == "look"}


def require_found(keys: Iterable[str], looks: Collection[str]) -> None:
    """Raise `FindingGone` for what is not to be looked at: nothing is confirmed before it is found."""
    if any(one not in looks for one in keys):
        raise FindingGone


def require_all_decidable(services: WebServices, session: Session, principal: Principal, case_id: uuid.UUID) -> None:
    """Raise `PatientUnseen` where somebody is kept from who asks who was chosen in an import, or may be meant.

    What came of them is not theirs to erase.
    """
    case = importing.reached_case(services, session, principal, case_id)
    people = cases.people_of(session, case_id)
    sight = Sight.of(services, session, principal, {key for one in people for key in touched(one, Known())})
    if not sight.hidden:
        return
    named = parted_of(checked_in(session, case_id)).people
    for one in people:
        arrived = named.get(one.number) if one.state in UNFILED else None
        matched = match(arrived, case.birth_date, candidates_of(one)) if arrived is not None else NOBODY
        sight.require(key_chosen(one), *possible(matched))


def _standing(
    services: WebServices, principal: Principal, looked: importing.Looked, person: ImportPerson, known: Known
) -> Standing:
    """Return how it stands with somebody, as it is told to who asks."""
    standing = standing_of(looked.case, person, parted_of(looked.objects), known)
    with services.database.read() as session:
        sight = Sight.of(services, session, principal, told_of(person, standing))
    return seen_by(sight, person, standing)

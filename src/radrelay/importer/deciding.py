"""What a person decides of an import: whose it is here, under which order, that findings are seen; then it is filed.

A decision is never taken twice for another state of things: what was found when it is filed is found anew, and a
finding that nobody has confirmed, or that stops, stops it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import RadrelayError, Trouble
from radrelay.importer import cases, findings
from radrelay.importer.cases import OPEN
from radrelay.importer.duplicates import decide
from radrelay.importer.findings import FLAWS, NOT_WRITABLE, Finding, Local, LocalKey
from radrelay.importer.holding import Holder, is_among, of_holders, person_of
from radrelay.importer.import_errors import (
    ImportChosenOtherwise,
    ImportElsewhere,
    ImportStopped,
    ImportUnconfirmed,
    ImportUndecided,
    ImportUnknown,
)
from radrelay.importer.local_values import written, written_order
from radrelay.importer.matching import Candidate, Matched, match
from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.papers import LEFT_OUT, PERHAPS_VIEWERS
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.reconciling import LocalPatient, Order
from radrelay.importer.surroundings import Candidates, Known
from radrelay.importer.written_down import (
    Parted,
    candidates_of,
    chosen_of,
    chosen_text,
    findings_of,
    held_elsewhere,
    order_of,
    order_text,
)

CHOICE = frozenset({"several-fit", "nobody-fits", "nobody-here"})
"""Stops and looks that a person answers by choosing somebody; another finding says how well the choice fits."""

OF_WHAT_CAME = frozenset({
    "names-differ", "birth-date-not-entered", "accession-taken", "same-pixels", "content-unknown", "other-pixels",
    "other-encoding", "other-content", "other-study", "differs-in-parcel", "no-identity",
})  # fmt: skip
"""Findings that are the same whoever it is here: about what came, and the same objects here."""

NOT_ASKED = Candidates()
UNFILED = ("open", "filing")
"""The states of somebody on whom is still decided."""

ASIDE = frozenset({
    "other-pixels", "other-encoding", "other-content", "other-study", "differs-in-parcel", "no-identity", NOT_WRITABLE,
})  # fmt: skip
"""What stops single objects alone: they are left out or put in the quarantine, and the rest is filed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with somebody in a parcel: who may be meant, what is found, and which of it is confirmed."""

    arrived: ArrivedPerson
    matched: Matched
    findings: tuple[Finding, ...]
    confirmed: frozenset[str]

    @property
    def stops(self) -> tuple[Finding, ...]:
        """Return what stops it."""
        return tuple(one for one in self.findings if one.level == "stop")

    @property
    def open(self) -> tuple[Finding, ...]:
        """Return what is still to be looked at."""
        return tuple(one for one in self.findings if one.level == "look" and key_of(one) not in self.confirmed)


Grounds = tuple[object, ...]


class Outdated(Exception):
    """Something has been changed since it was judged: it is judged anew."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether somebody may be filed (`trouble`: why not), and on what that was found."""

    grounds: Grounds
    trouble: RadrelayError | None = None


def key_of(one: Finding) -> str:
    """Return what a finding is confirmed by: of other facts, or of another local patient, it is another one."""
    facts = json.dumps(dict(one.facts), sort_keys=True)
    whose = f" {hashlib.sha256(json.dumps(one.about).encode()).hexdigest()[:16]}" if one.about else ""
    return f"{one.code} {one.study_uid} {facts}{whose}"


def standing_of(
    case: ImportCase, person: ImportPerson, everything: Parted, known: Known
) -> Standing:  # fmt: skip
    """Return how it stands with somebody, by what is known now; `everything` are all who are in the parcel."""
    arrived, objects = everything.people.get(person.number), everything.objects.get(person.number, ())
    if arrived is None or sum(len(study.objects) for study in arrived.studies) != len(objects):
        raise ImportElsewhere(state=case.state)
    matched = match(arrived, case.birth_date, candidates_of(person))
    patient = chosen_of(person)
    proposed = matched.proposed.person if matched.proposed is not None else None
    key = (patient.issuer, patient.patient_id) if patient else None
    if key is None and proposed is not None:
        key = (proposed.issuer, proposed.patient_id)
    decisions = decide((one.arrived for one in objects), known.objects, known.patients, key) if key else ()
    flawed = {one.arrived.file: one.why for one in objects if one.why in FLAWS}
    local = Local(matched, decisions, known.accessions, tuple(flawed.items()))
    found = findings.of_person(person.number, arrived, case.birth_date, local)
    if any(one.action in ("file", "skip") and one.arrived.file not in flawed for one in decisions):
        found = tuple(replace(one, level="look") if one.code in ASIDE else one for one in found)
    if patient is not None:
        found = tuple(_answered(one, patient, matched) for one in found)
        chosen = (*_chosen(case, arrived, person, patient, matched), *_held(case, arrived, person, patient, known))
        chosen = (*chosen, *_ordered(arrived, person, patient, known))
        found = findings.each_once((*found, *chosen))
    return Standing(arrived, matched, found, frozenset(json.loads(person.confirmed)))


def _answered(one: Finding, patient: LocalPatient, matched: Matched) -> Finding:
    """Return a finding that a person's choice has answered as one that is to be looked at."""
    if one.code not in CHOICE or one.level != "stop":
        return one
    facts = {**one.facts, "chosen": patient.patient_id, "among": int(is_among(patient, matched.compared))}
    return Finding("look", "chosen-by-hand", facts, one.person, one.study_uid, (_key(patient),))


def _key(patient: LocalPatient) -> LocalKey:
    return patient.issuer, patient.patient_id


def _chosen(
    case: ImportCase, arrived: ArrivedPerson, person: ImportPerson, patient: LocalPatient, matched: Matched
) -> Iterator[Finding]:
    """Yield how the patient who was chosen goes together with the parcel: another birth date or sex stops.

    One who was typed in is looked at as closely as one whom a place here tells of.
    """
    here = Candidate("archive", person_of(patient))
    (compared,) = match(arrived, case.birth_date, [here]).compared
    name, born, sex = compared.rows[:3]
    if born.verdict == "other" or sex.verdict == "other":
        field = "birth-date" if born.verdict == "other" else "sex"
        yield Finding("stop", "chosen-contradicts", {"field": field}, person.number, about=(_key(patient),))
    elif name.verdict == "other":
        yield Finding("look", "chosen-named-otherwise", {}, person.number, about=(_key(patient),))
    else:
        rows = (name,) if is_among(patient, matched.compared) else (name, born, sex)
        yield from (replace(one, person=person.number) for one in findings.of_rows(rows, _key(patient)))


def _held(
    case: ImportCase, arrived: ArrivedPerson, person: ImportPerson, patient: LocalPatient, known: Known
) -> Iterator[Finding]:
    """Yield who else has the ID of whom was chosen: here, and where systems elsewhere were asked who may be meant."""
    if person.state not in UNFILED:
        return
    told, silent = held_elsewhere(person)
    elsewhere = (Holder(one) for one in dict.fromkeys((*candidates_of(person), *told)))
    found = of_holders(patient, arrived, case.birth_date, (*known.who_has(patient.patient_id), *elsewhere))
    yield from (replace(one, person=person.number) for one in found)
    if silent:
        yield Finding(
            "look", "id-not-asked", {"chosen": patient.patient_id, "places": ", ".join(silent)}, person.number,
            about=(_key(patient),),
        )  # fmt: skip


def _ordered(
    arrived: ArrivedPerson, person: ImportPerson, patient: LocalPatient, known: Known
) -> Iterator[Finding]:  # fmt: skip
    """Yield that the order which was chosen is none of the patient's: of another, or not to be filed under any more.

    Its accession number is one study's: a person looks at it where several are to get it, or another here has it.
    """
    order = order_of(person)
    if order is None or person.state not in UNFILED:
        return
    facts, about = {"order": order.accession}, (_key(patient),)
    if order_among(order, known.orders_of(patient.issuer, patient.patient_id)) is None:
        yield Finding("stop", "order-of-another", facts, person.number, about=about)
    uids = {one.study_uid for one in arrived.studies}
    if len(uids) > 1:
        yield Finding("look", "order-of-several-studies", {**facts, "studies": len(uids)}, person.number, about=about)
    if others := set(known.studies_of(order.accession)) - uids:
        yield Finding("look", "order-taken", {**facts, "studies": len(others)}, person.number, about=about)


def order_among(order: Order, orders: Iterable[Order]) -> Order | None:
    """Return which of a patient's orders is meant, as it stands now; none where it is none of them."""
    key = (order.accession, order.procedure_id, order.step_id)
    return next((one for one in orders if (one.accession, one.procedure_id, one.step_id) == key), None)


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
    """Have papers that may be a viewer's own filed with somebody's studies, or left out; returns how many of them."""
    case, _ = _open_person(session, organisation_id, case_id, number)
    mine = (ImportPaper.case_id == case_id, ImportPaper.person_number == number, ImportPaper.filed.is_(False))
    papers = session.scalars(sa.select(ImportPaper).where(*mine, ImportPaper.why.in_((PERHAPS_VIEWERS, LEFT_OUT))))
    meant = [one for one in papers if one.file_name in files]
    for one in meant:
        one.why = PERHAPS_VIEWERS if filed else LEFT_OUT
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

"""How it stands with somebody in a parcel: who may be meant here, how who was chosen fits, and what is found.

In: an import's rows and what is known here now. Out: findings, of which a person confirms what is to be looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from radrelay.importer import findings
from radrelay.importer.duplicates import decide
from radrelay.importer.findings import FLAWS, NOT_WRITABLE, Finding, Local, LocalKey
from radrelay.importer.holding import Holder, is_among, of_holders, person_of
from radrelay.importer.import_errors import ImportElsewhere
from radrelay.importer.matching import Candidate, Compared, Matched, match
from radrelay.importer.models import ImportCase, ImportPerson
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.reconciling import LocalPatient, Order
from radrelay.importer.surroundings import Known
from radrelay.importer.written_down import Parted, candidates_of, chosen_of, held_elsewhere, order_of

CHOICE = frozenset({"several-fit", "nobody-fits", "nobody-here"})
"""Stops and looks that a person answers by choosing somebody; another finding says how well the choice fits."""

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
    if matched.proposed is not None and not _is_same_id(matched.proposed.key, _key(patient)):
        yield _instead_of(matched.proposed, patient, person.number)
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


def _is_same_id(one: LocalKey, other: LocalKey) -> bool:
    """Say whether two keys have one ID, whose issuer one of them may leave unsaid."""
    return one[1] == other[1] and (one[0] == other[0] or "" in (one[0], other[0]))


def _instead_of(proposed: Compared, patient: LocalPatient, number: int) -> Finding:
    """Return the finding that somebody else than who fits in all was chosen: one wrong digit makes an ID of nobody."""
    whose, born = proposed.person, proposed.person.birth_date
    facts = {
        "chosen": patient.patient_id, "proposed": whose.patient_id, "names": whose.name,
        "born": born.isoformat() if born else "",
    }  # fmt: skip
    return Finding("look", "chosen-not-proposed", facts, number, about=(_key(patient), proposed.key))


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

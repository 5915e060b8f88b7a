"""Whom of the patients here somebody who imports is told of: nobody whom a restriction keeps from them.

Who may be meant is judged with everybody who is known here, so that nobody else is proposed and nobody is filed under
the ID of another. What is told of a patient is told to those alone who may see them; everybody else is told that there
is somebody whom they may not see, and leaves it to a colleague who may.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal, Right
from radrelay.access.models import Restricted
from radrelay.archive.models import Study
from radrelay.importer.cases import FILED
from radrelay.importer.findings import Finding, LocalKey
from radrelay.importer.import_errors import PatientUnseen
from radrelay.importer.matching import Matched
from radrelay.importer.models import ImportObject, ImportPerson
from radrelay.importer.standing import UNFILED, Standing, key_of
from radrelay.importer.surroundings import Known
from radrelay.importer.written_down import candidates_of, chosen_of, held_elsewhere
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

UNSEEN = "somebody-unseen"
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Sight:
    """Says of some patients here whether somebody may be told of them: not of those who are `hidden`."""

    hidden: frozenset[LocalKey] = frozenset()

    @classmethod
    def of(cls, services: WebServices, session: Session, principal: Principal, asked: Iterable[LocalKey]) -> Sight:
        """Return what a principal may be told of some patients: by restrictions of the ID, and by studies here.

        Who has no ID is told apart from nobody else without one: they are hidden where one study of those is. An ID of
        which nobody says who issued it may be of any issuer.
        """
        keys = set(asked)
        if not keys:
            return cls()
        named = access.kept_from(session, principal, now=services.clock.now())
        by_studies = _known_by_restricted(session, principal.organisation_id, {one[1] for one in keys})
        if by_studies:
            reach = Reach.of(services, session, principal, Right.SEE)
            by_studies = {key for key in by_studies if not (_sees_any(reach, key) if key[1] else _sees_all(reach, key))}
        ids = {patient_id for _, patient_id in by_studies}
        hidden = {
            (issuer, patient_id)
            for issuer, patient_id in keys
            if named("", patient_id)
            or not by_studies.isdisjoint(((issuer, patient_id), ("", patient_id)))
            or (not issuer and patient_id in ids)
        }
        return cls(frozenset(hidden))

    def hides(self, one: LocalKey) -> bool:
        """Say whether a patient is kept from them."""
        return one in self.hidden

    def require(self, *keys: LocalKey | None) -> None:
        """Raise `PatientUnseen` where one of some patients is kept from them."""
        if any(one is not None and self.hides(one) for one in keys):
            raise PatientUnseen


def key_chosen(person: ImportPerson) -> LocalKey | None:
    """Return who somebody is here, by issuer and ID; none while nobody has said."""
    chosen = chosen_of(person)
    return None if chosen is None else (chosen.issuer, chosen.patient_id)


def keys_filed(session: Session, person: ImportPerson) -> set[LocalKey]:
    """Return who somebody is here; once names have ended, whose what was filed of them is."""
    chosen = key_chosen(person)
    if chosen is not None or person.state != FILED:
        return set() if chosen is None else {chosen}
    mine = (ImportObject.case_id == person.case_id, ImportObject.person_number == person.number)
    filed = sa.select(ImportObject.study_uid).where(*mine)
    whose = sa.select(Study.patient_issuer, Study.patient_id_value).distinct()
    asked = whose.where(Study.organisation_id == person.organisation_id, Study.study_uid.in_(filed))
    return {(issuer, patient_id) for issuer, patient_id in session.execute(asked)}


def told_of(person: ImportPerson, standing: Standing) -> set[LocalKey]:
    """Return all patients here of whom it is told how it stands with somebody."""
    found = {one.key for one in standing.matched.compared} | {key for one in standing.findings for key in one.about}
    chosen = key_chosen(person)
    return found if chosen is None else found | {chosen}


def touched(person: ImportPerson, known: Known) -> set[LocalKey]:
    """Return all patients here of whom it may be told how it stands with somebody, before that is judged."""
    told, _ = held_elsewhere(person)
    found = {(one.person.issuer, one.person.patient_id) for one in (*candidates_of(person), *told)}
    chosen = key_chosen(person)
    if chosen is None:
        return found
    return found | {chosen} | {key for one in known.who_has(chosen[1]) for key in one.about}


def possible(matched: Matched) -> set[LocalKey]:
    """Return who may be meant."""
    return {one.key for one in matched.compared if one.fit != "not"}


def seen_by(sight: Sight, person: ImportPerson, standing: Standing) -> Standing:
    """Return how it stands as it is told to somebody: of who is kept from them no more than that there is somebody.

    That stops whoever may not see them, until a colleague who may has decided.
    """
    chosen, decided = key_chosen(person), person.state not in UNFILED
    kept = [one for one in standing.findings if any(map(sight.hides, one.about))]
    candidates = [one for one in standing.matched.compared if sight.hides(one.key)]
    if not kept and not candidates and not (chosen and sight.hides(chosen)):
        return standing
    shown = [one for one in standing.findings if one not in kept]
    left = any(one.level != "look" or key_of(one) not in standing.confirmed for one in kept)
    meant = {*possible(standing.matched), *((chosen,) if chosen else ())}
    if left or any(map(sight.hides, meant)):
        shown.insert(0, Finding("passed" if decided else "stop", UNSEEN))
    matched = Matched(
        tuple(one for one in standing.matched.compared if one not in candidates),
        None if standing.matched.proposed in candidates else standing.matched.proposed,
    )
    return replace(standing, matched=matched, findings=tuple(shown))


def _known_by_restricted(session: Session, organisation_id: uuid.UUID, ids: Collection[str]) -> set[LocalKey]:
    """Return the patients with some IDs who have studies here, all of them restricted; without an ID: some of them."""
    restricted = _restricted(organisation_id)
    whose = (Study.patient_issuer, Study.patient_id_value)
    asked = sa.select(*whose, restricted).where(Study.organisation_id == organisation_id).distinct()
    told: dict[LocalKey, set[bool]] = {}
    ordered = sorted(ids)
    for start in range(0, len(ordered), CHUNK):
        chunk = Study.patient_id_value.in_(ordered[start : start + CHUNK])
        for issuer, patient_id, is_restricted in session.execute(asked.where(chunk)):
            told.setdefault((issuer, patient_id), set()).add(bool(is_restricted))
    return {key for key, found in told.items() if found == {True} or (not key[1] and True in found)}


def _sees_any(reach: Reach, key: LocalKey) -> bool:
    return bool(reach.newest_studies(_of(key), 1))


def _sees_all(reach: Reach, key: LocalKey) -> bool:
    """Say whether no restricted study of theirs that is still here is out of reach."""
    organisation_id = reach.scope.organisation_id
    lives = sa.or_(Study.expires_at.is_(None), Study.expires_at > reach.now)
    kept = sa.select(Study.id).where(
        Study.organisation_id == organisation_id, lives, *_of(key), _restricted(organisation_id), ~reach.holds(Study.id)
    )
    return reach.session.scalar(kept.limit(1)) is None


def _restricted(organisation_id: uuid.UUID) -> sa.Exists:
    return sa.exists().where(Restricted.study_id == Study.id, Restricted.organisation_id == organisation_id)


def _of(key: LocalKey) -> tuple[sa.ColumnElement[bool], ...]:
    issuer, patient_id = key
    return Study.patient_issuer == issuer, Study.patient_id_value == patient_id

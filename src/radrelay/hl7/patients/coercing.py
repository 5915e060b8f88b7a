"""Studies that follow what is said of their patient: corrected as a person would, with what they said kept.

A study is changed only if its issuer and ID are the patient's, and the person that it names is the one who was known
by that ID: whoever has got somebody else's ID by a slip at the device is left for people to look at.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.archive import corrections
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Study
from radrelay.archive.persons import SEXES, compare_names, likeness
from radrelay.hl7.models import Hl7Patient
from radrelay.hl7.patients.keeping import Key, ever_told, find_patient, survivor, told
from radrelay.hl7.patients.policy import NONE, Policy

VALUES = {"name": "patient_name", "birth_date": "birth_date", "sex": "sex"}


_UNDER = sa.select(Study).where(
    Study.organisation_id == sa.bindparam("organisation"), Study.patient_issuer == sa.bindparam("issuer"),
    Study.patient_id_value == sa.bindparam("patient"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Person:
    """Whom somebody names, as `persons` compares; under one ID."""

    patient_name: str
    patient_birth_date: date | None
    patient_sex: str
    patient_id: str = "compared"
    patient_id_value: str = "compared"
    patient_issuer: str = "compared"


@dataclass(frozen=True, slots=True)
class Follower:
    """Lets studies follow, by what is set for each port."""

    policies: Mapping[str, Policy]

    def follow(
        self, session: Session, organisation_id: uuid.UUID, keys: Iterable[Key], now: datetime, reason: str,
        also: Mapping[Key, str] | None = None,
    ) -> int:  # fmt: skip
        """Change what is under these IDs, in the caller's transaction; returns how many studies were left.

        `also` names who somebody was by a message alone, such as the name in a merge.
        """
        if not any(one.coerce for one in self.policies.values()):
            return 0
        lock_archive(session)
        left = 0
        for key in dict.fromkeys(keys):
            row = find_patient(session, organisation_id, key) if key[0] else None
            if row is None:
                continue
            studies = _under(session, organisation_id, key)
            if studies:
                left += self._change(session, row, studies, now, reason, (also or {}).get(key, ""))
        return left

    def follow_studies(self, session: Session, study_ids: Sequence[uuid.UUID], now: datetime) -> None:
        """Change studies that have come since their patients were spoken of."""
        if not any(one.coerce for one in self.policies.values()):
            return
        asked = sa.select(Study.organisation_id, Study.patient_issuer, Study.patient_id_value).where(
            Study.id.in_(study_ids), Study.patient_issuer != "", Study.patient_id_value != ""
        )
        for organisation_id, issuer, patient_id in session.execute(asked.distinct()).all():
            self.follow(session, organisation_id, [(issuer, patient_id)], now, "as it was said before it came")

    def _change(
        self, session: Session, row: Hl7Patient, studies: Sequence[Study], now: datetime, reason: str, also: str
    ) -> int:
        now_is = survivor(session, row)
        merged = now_is.id != row.id
        port = row.into_port if merged else row.port
        if ("merges" if merged else "demographics") not in self.policies.get(port, NONE).coerce:
            return 0
        wanted = {VALUES[name]: value for name, value in told(now_is).items() if value}
        if merged:
            wanted |= {"patient_id": now_is.patient_id, "patient_issuer": now_is.issuer}
        known = [*ever_told(row), *(ever_told(now_is) if merged else ())]
        people = [_person(one) for one in known] + ([_Person(also, None, "")] if also else [])
        theirs = [study for study in studies if any(_is_person(study, one) for one in people)]
        if not merged:
            theirs = [study for study in theirs if _goes_on(study, _person(told(now_is)))]
        made = corrections.correct(
            session, row.organisation_id, [one.id for one in theirs], wanted, by=f"HL7, {port}", reason=reason,
            request_id=None, now=now, follows=True,
        )  # fmt: skip
        _note(session, row.organisation_id, made, port)
        return len(studies) - len(theirs)


def study_names(study: Study, known: Iterable[Mapping[str, str]]) -> bool:
    """Say whether a study names one of those who are `known` by its patient ID."""
    return any(_is_person(study, _person(one)) for one in known)


def names_the_same(row: Hl7Patient, said: Mapping[str, str]) -> bool:
    """Say whether a name, birth date and sex are those of a patient, now or before."""
    study = _person(said)
    return any(_is_person(study, _person(one)) for one in ever_told(row))


def _under(session: Session, organisation_id: uuid.UUID, key: Key) -> Sequence[Study]:
    return session.scalars(_UNDER, {"organisation": organisation_id, "issuer": key[0], "patient": key[1]}).all()


def _person(said: Mapping[str, str]) -> _Person:
    born = date.fromisoformat(said["birth_date"]) if said["birth_date"] else None
    return _Person(said["name"], born, said["sex"])


def _is_person(study: Study | _Person, known: _Person) -> bool:
    """Say whether a study names the one who is known by its ID.

    Beyond what is the same for `persons` only a name that may be a slip or another family name, and then the birth
    date and the sex agree.
    """
    of_study = _Person(study.patient_name, study.patient_birth_date, study.patient_sex)
    found = likeness(of_study, known)
    if found != "doubtful":
        return found == "same"
    born = known.patient_birth_date is not None and study.patient_birth_date == known.patient_birth_date
    return born and study.patient_sex == known.patient_sex and known.patient_sex in SEXES


def _goes_on(study: Study, known: _Person) -> bool:
    """Say whether name or birth date stay alike: where neither does, an ID may have been given to somebody else."""
    born = study.patient_birth_date is not None and study.patient_birth_date == known.patient_birth_date
    return born or compare_names(study.patient_name, known.patient_name) != "apart"


def _note(session: Session, organisation_id: uuid.UUID, made: corrections.Plan, port: str) -> None:
    """Put on record what was changed, each study under the patient that it is of now."""
    rows = {row.id: row for row in session.scalars(sa.select(Study).where(Study.id.in_([o.id for o in made.studies])))}
    audit.record_many(
        session,
        [
            audit.AuditRecord(
                "study.coerce",
                system_principal(organisation_id),
                "study",
                one.id,
                detail={"port": port, "changed": sorted(one.after)},
                patient=(rows[one.id].patient_issuer, rows[one.id].patient_id_value, rows[one.id].patient_name),
            )
            for one in made.studies
        ],
    )

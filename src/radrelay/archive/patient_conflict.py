"""Whether what arrives contradicts whose its study is: the study keeps its patient.

A study whose patient another system has changed since (HL7: a merge, another name) is still sent to under the values
before by devices that do not know of it yet: those agree, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from sqlalchemy.orm import Session

from radrelay.archive.arrivals import Arrival
from radrelay.archive.corrections import ATTRIBUTES
from radrelay.archive.folding import identity_keys
from radrelay.archive.index_rows import patient_identity
from radrelay.archive.index_state import StudyState
from radrelay.archive.uncorrected import followed

NAME, BIRTH_DATE = ATTRIBUTES["patient_name"].tag, ATTRIBUTES["birth_date"].tag
PATIENT_ID, ISSUER = ATTRIBUTES["patient_id"].tag, ATTRIBUTES["patient_issuer"].tag


def patient_conflict(session: Session, study: StudyState, arrival: Arrival) -> str:
    """Return how the arrival contradicts its study's patient, empty if it does not.

    One that says what the study said before is the study's, and has its corrections done to it (`uncorrected.reopen`).
    """
    reason = _conflict(study, arrival)
    if not reason or study.fresh:
        return reason
    before = (_conflict(_as_before(study, said), arrival) for said in followed(session, study.id))
    return reason if all(before) else ""


def _as_before(study: StudyState, said: Mapping[int, str]) -> StudyState:
    """Return a study's patient as it was before what was `said` of it was changed."""
    born = said.get(BIRTH_DATE)
    return replace(
        study,
        patient_id_value=said.get(PATIENT_ID, study.patient_id_value),
        issuer=said.get(ISSUER, study.issuer),
        birth_date=study.birth_date if born is None else date.fromisoformat(born) if born else None,
        name_keys=frozenset(identity_keys(said[NAME])) if NAME in said else study.name_keys,
    )


def _conflict(study: StudyState, arrival: Arrival) -> str:
    """Return how the arrival contradicts its study's patient, empty if it does not."""
    attributes = arrival.attributes
    if attributes.patient_id != study.patient_id_value:
        return "Its patient ID is not the study's."
    issuer = patient_identity(arrival)
    if issuer and study.issuer and issuer != study.issuer:
        return "Its issuer of patient ID is not the study's."
    if attributes.birth_date and study.birth_date and attributes.birth_date != study.birth_date:
        return "Its patient's birth date is not the study's."
    keys = frozenset(identity_keys(attributes.patient_name))
    if keys and study.name_keys and not keys & study.name_keys:
        return "Its patient's name is not the study's."
    return ""

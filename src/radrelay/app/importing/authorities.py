"""By which universal ID the issuer of a patient ID is known, as HL7 and the worklist here tell of it (PID-3.4)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.hl7.message.datatypes import Authority as Told
from radrelay.hl7.models import Hl7Patient, WorklistItem
from radrelay.importer.reconciling import Authority


def authority_of(
    session: Session, organisation_id: uuid.UUID, patient_id: str, issuer: str, own_issuer: str
) -> Authority:
    """Return who issued a patient ID beside its name; empty where nobody here says it, or not all the same.

    What is told of this very ID counts first, then what is told of all IDs of the issuer.
    """
    issuers = {issuer, ""} if issuer == own_issuer else {issuer}
    for found in _told(session, organisation_id, patient_id, issuers):
        if len(found) == 1:
            return authority(found.pop())
    return Authority()


def authority(text: str) -> Authority:
    """Return what is kept of an authority (`Told.text`)."""
    told = Told.of(text)
    return Authority(told.universal_id, told.universal_type, told.namespace)


def _told(session: Session, organisation_id: uuid.UUID, patient_id: str, issuers: set[str]) -> Iterator[set[str]]:
    h, w = Hl7Patient, WorklistItem
    issued = (h.organisation_id == organisation_id, h.issuer.in_(issuers), h.authority != "")
    ordered = (w.organisation_id == organisation_id, w.patient_issuer.in_(issuers), w.patient_authority != "")
    for asked in (
        sa.select(h.authority).where(*issued, h.patient_id == patient_id),
        sa.select(w.patient_authority).where(*ordered, w.patient_id == patient_id),
        sa.select(h.authority).where(*issued),
    ):
        yield set(session.scalars(asked.distinct().limit(2)))

"""To whom a patient's data went: accounting of disclosures (45 CFR 164.528, GDPR Art. 15 (1) c); who saw a study.

A disclosure is what left this installation: sent to another system, downloaded, exported, shared. Looking is not one;
who looked is told per study. Both read the record, so they still tell when the studies are gone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from radrelay.audit.search import AuditEntry, AuditQuery, every
from radrelay.storage.database import Database

PERIOD = timedelta(days=6 * 365 + 2)  # six years, whatever leap days are in them
DISCLOSING = {
    "delivery.end": "forward",
    "delivery.part": "forward",
    "delivery.step": "forward",
    "hl7.send": "forward",
    "study.download": "download",
    "study.export": "export",
    "marks.download": "download",
    "quarantine.download": "download",
    "link.make": "share",
}
"""Actions that let data out, and what kind of disclosure each is.

A delivery ends as one by whatever way it went (C-STORE, DICOMweb, folder, e-mail notice, through a gateway); a letter
that a rule has met a study (`study.notify`) names no patient.
"""
LOOKING = ("study.open", "study.view", "study.priors")
"""Actions by which somebody sees a study: a disclosure, too, where it is somebody with a link."""
SEEING = (*LOOKING, *DISCLOSING)
"""Actions by which somebody has seen a study, or has it."""
_LEFT = AuditQuery(actions=tuple(DISCLOSING), actions_of_links=LOOKING, outcome="success")


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One time that data of a patient left: when, to whom, what, why, and by whose act."""

    at: datetime
    kind: str
    action: str
    recipient: str
    address: str
    by: str
    by_kind: str
    purpose: str
    patient_id: str
    patient_issuer: str
    patient_name: str
    study_uid: str
    accession_number: str
    study_date: str
    description: str

    def row(self) -> dict[str, str | int]:
        """Return it as one row of a table."""
        return {name: getattr(self, name) for name in COLUMNS} | {"at": self.at.isoformat()}


COLUMNS = tuple(Disclosure.__slots__)


def left_of(
    database: Database, organisation_id: uuid.UUID, issuer: str, patient_id: str, studies: Iterable[uuid.UUID],
    now: datetime,
) -> list[AuditEntry]:  # fmt: skip
    """Return what left under a patient's ID in the six years before `now`, newest first.

    And what left of `studies`, under whatever ID they were then: they may have been corrected since.
    """
    whole = replace(_LEFT, since=now - PERIOD)
    queries = [replace(whole, patient=(issuer, patient_id)), *(replace(whole, study=study) for study in studies)]
    found = {entry.id: entry for query in queries for entry in every(database, organisation_id, query)}
    return sorted(found.values(), key=lambda entry: (entry.at, entry.id), reverse=True)


def seen_by(database: Database, organisation_id: uuid.UUID, study: uuid.UUID | str) -> Iterator[AuditEntry]:
    """Yield who has seen a study (its row id or Study Instance UID) or taken it away, newest first."""
    return every(database, organisation_id, AuditQuery(actions=SEEING, outcome="success", study=study))


def disclosure_of(entry: AuditEntry) -> Disclosure:
    """Return what an event says that left, and to whom."""
    kind = DISCLOSING.get(entry.action, "share")
    detail = {name: str(value) for name, value in entry.detail.items() if value not in (None, "")}
    named = detail.get("destination") or detail.get("recipient") or detail.get("receiver")
    study, patient = entry.study, entry.patient
    return Disclosure(
        at=entry.at,
        kind=kind,
        action=entry.action,
        recipient=named or entry.actor_name,
        address=entry.peer if named is None else detail.get("address", ""),
        by=entry.actor_name,
        by_kind=entry.actor_kind,
        purpose=detail.get("purpose") or detail.get("reason") or "",
        patient_id=patient.patient_id if patient else "",
        patient_issuer=patient.issuer if patient else "",
        patient_name=patient.name if patient else "",
        study_uid=study.study_uid if study else "",
        accession_number=study.accession_number if study else "",
        study_date=study.study_date if study else "",
        description=" ".join(filter(None, (study.modalities.replace("\\", "/"), study.description))) if study else "",
    )

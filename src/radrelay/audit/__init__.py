"""What happened, who did it, to what: append-only events in hash chains.

`record` writes in the caller's transaction: what cannot be recorded is not done.
"""

from radrelay.audit.chain import ChainBroken, ChainReport, sign_roots, verify
from radrelay.audit.patients import PatientIdentity, erase_patient
from radrelay.audit.proofs import prove
from radrelay.audit.record import (
    ADDRESS_BY,
    Actor,
    AuditRecord,
    NotRecorded,
    Recorder,
    install,
    record,
    record_each_once,
    record_many,
    record_once,
)
from radrelay.audit.search import (
    AuditEntry,
    AuditPage,
    AuditQuery,
    every,
    issuers_of,
    known_patient,
    known_study,
    latest_of_studies,
    search,
    studies_of_patient,
)
from radrelay.audit.studies import StudyNamed

__all__ = [
    "ADDRESS_BY",
    "Actor",
    "AuditEntry",
    "AuditPage",
    "AuditQuery",
    "AuditRecord",
    "ChainBroken",
    "ChainReport",
    "NotRecorded",
    "PatientIdentity",
    "Recorder",
    "StudyNamed",
    "erase_patient",
    "every",
    "install",
    "issuers_of",
    "known_patient",
    "known_study",
    "latest_of_studies",
    "prove",
    "record",
    "record_each_once",
    "record_many",
    "record_once",
    "search",
    "sign_roots",
    "studies_of_patient",
    "verify",
]

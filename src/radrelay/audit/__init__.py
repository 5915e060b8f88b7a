"""What happened, who did it, to what: append-only events in one hash chain per writer.

`record` writes in the caller's transaction: what cannot be recorded is not done.
"""

from radrelay.audit.chain import ChainBroken, ChainReport, sign_roots, verify
from radrelay.audit.patients import PatientIdentity, erase_patient
from radrelay.audit.record import Actor, AuditRecord, Recorder, install, record, record_once
from radrelay.audit.search import AuditEntry, AuditPage, AuditQuery, search

__all__ = [
    "Actor",
    "AuditEntry",
    "AuditPage",
    "AuditQuery",
    "AuditRecord",
    "ChainBroken",
    "ChainReport",
    "PatientIdentity",
    "Recorder",
    "erase_patient",
    "install",
    "record",
    "record_once",
    "search",
    "sign_roots",
    "verify",
]

"""Which SOP classes and transfer syntaxes the listener serves, as tables.

A presentation context whose abstract syntax is a service of ours is that service; any other that is not
known to be something else than storage is taken as a storage SOP class, private and future ones included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from radrelay.dicom.dictionary import uid_registry
from radrelay.network.ports import Model


class Service(Enum):
    """What a presentation context is for."""

    VERIFICATION = "Verification"
    STORAGE = "Storage"
    FIND = "Query/Retrieve, FIND"
    MOVE = "Query/Retrieve, MOVE"
    GET = "Query/Retrieve, GET"
    COMMITMENT = "Storage Commitment"
    WORKLIST = "Modality Worklist"
    PERFORMED_STEP = "Modality Performed Procedure Step"


@dataclass(frozen=True, slots=True)
class SopClass:
    """A SOP class that is served; `model` is the information model of a query service."""

    uid: str
    name: str
    service: Service
    model: Model | None = None


VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT_PUSH = "1.2.840.10008.1.20.1"
COMMITMENT_PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"

SERVED = (
    SopClass(VERIFICATION, "Verification", Service.VERIFICATION),
    SopClass(PATIENT_ROOT_FIND, "Patient Root Query/Retrieve Information Model - FIND", Service.FIND, "patient"),
    SopClass(
        "1.2.840.10008.5.1.4.1.2.1.2", "Patient Root Query/Retrieve Information Model - MOVE", Service.MOVE, "patient"
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.2.1.3", "Patient Root Query/Retrieve Information Model - GET", Service.GET, "patient"
    ),
    SopClass(STUDY_ROOT_FIND, "Study Root Query/Retrieve Information Model - FIND", Service.FIND, "study"),
    SopClass(STUDY_ROOT_MOVE, "Study Root Query/Retrieve Information Model - MOVE", Service.MOVE, "study"),
    SopClass(STUDY_ROOT_GET, "Study Root Query/Retrieve Information Model - GET", Service.GET, "study"),
    SopClass(COMMITMENT_PUSH, "Storage Commitment Push Model", Service.COMMITMENT),
    SopClass(PERFORMED_STEP, "Modality Performed Procedure Step", Service.PERFORMED_STEP),
    SopClass(MODALITY_WORKLIST, "Modality Worklist Information Model - FIND", Service.WORKLIST),
)
SERVED_BY_UID = {sop_class.uid: sop_class for sop_class in SERVED}

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
IDENTIFIER_SYNTAXES = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, DEFLATED_LITTLE, EXPLICIT_BIG)
"""Transfer syntaxes of the services other than storage, the most wanted first."""

NOT_STORAGE = frozenset(
    {
        "1.2.840.10008.1.3.10",  # Media Storage Directory: a file of media, never sent
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull, retired
    }
)
UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
STANDARD_ROOT = "1.2.840.10008."
STANDARD_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."


def is_uid(text: str) -> bool:
    """Tell whether a text has the form of a UID (PS3.5 9.1); leading zeros are let pass, as peers send them."""
    return 0 < len(text) <= 64 and UID.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def service_of(abstract_syntax: str) -> Service | None:
    """Return what an abstract syntax stands for, or None when it is not served."""
    served = SERVED_BY_UID.get(abstract_syntax)
    if served:
        return served.service
    if abstract_syntax in NOT_STORAGE or not is_uid(abstract_syntax):
        return None
    if not abstract_syntax.startswith(STANDARD_ROOT):
        return Service.STORAGE
    known = uid_registry().get(abstract_syntax)
    if known is None or (known[1] == "SOP Class" and not known[0]):
        return Service.STORAGE if abstract_syntax.startswith(STANDARD_STORAGE_ROOT) else None
    is_storage = known[1] == "SOP Class" and "Storage" in known[0] and "Commitment" not in known[0]
    return Service.STORAGE if is_storage else None


@lru_cache(maxsize=1024)
def is_known_transfer_syntax(uid: str) -> bool:
    """Tell whether a UID is one of the standard's transfer syntaxes."""
    known = uid_registry().get(uid)
    return known is not None and known[1] == "Transfer Syntax"


def name_of(uid: str) -> str:
    """Return the standard's name of a UID, or the UID itself."""
    known = uid_registry().get(uid)
    return known[0] if known and known[0] else uid

"""Principals and rights: who asks, and for what.

A face (web page, DICOMweb, DICOM listener, command line) makes the principal from what the other side proved;
everything behind it decides by the principal alone.
"""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from typing import Literal

PrincipalKind = Literal["account", "token", "ae", "link", "patient", "system"]
SYSTEM_NAME = "Radrelay"
GUEST = "guest"
"""Who signed up by themselves: they are told no more of the house than what is theirs."""


class Right(enum.StrEnum):
    """What may be done with a study."""

    SEE = "see"
    DOWNLOAD = "download"
    SHARE = "share"
    FORWARD = "forward"
    ANNOTATE = "annotate"
    DELETE = "delete"
    REIDENTIFY = "reidentify"
    FETCH = "fetch"  # to search the archives whose studies come to a source, and fetch from them
    WORKLIST = "worklist"  # of a modality: to be told which examinations are scheduled
    ADMIT = "admit"  # to see what a source wants released by hand, and release or reject it
    BREAK_GLASS = "break-glass"  # to open, for a reason and a time, a restricted study that one does not see


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone or something that asks.

    `id` is the account's, token's or link's id, the calling AE title, or of a patient at their page the import's;
    `role` is admin, user, or empty for a device.
    `peer` is the network address. `session_key` groups what belongs to one login (a view is one audit event per
    principal, study and session). A link sees nothing that its `sharer` may not see and share any more.
    `only` are the studies beyond which nothing is within reach, of who was brought here by another program.
    """

    kind: PrincipalKind
    id: str
    name: str
    organisation_id: uuid.UUID
    role: str = ""
    peer: str = ""
    session_key: str = ""
    sharer: Principal | None = None
    only: frozenset[uuid.UUID] | None = None


def system_principal(organisation_id: uuid.UUID) -> Principal:
    """Return the principal of Radrelay's own durable work (expiry, routing), which sees everything."""
    return Principal("system", "system", SYSTEM_NAME, organisation_id, role="system")

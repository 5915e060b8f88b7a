"""What the index is handed for each landed object, and what it answers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from radrelay.archive.models import Source
    from radrelay.dicom.index import IndexAttributes
    from radrelay.storage.segments import RecordLocation

VerdictKind = Literal["new", "duplicate", "superseded", "kept-both", "quarantine", "too-late"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a source promises for what it brings, taken from its row once per batch."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    issuer_of_patient_id: str = ""
    retention_s: int | None = None
    max_age_s: int | None = None
    quiet_s: float = 30
    duplicate_policy: str = "quarantine"
    release_by_hand: str = ""

    @classmethod
    def of(cls, source: Source) -> Terms:
        """Read the terms of a source's row."""
        return cls(
            source.id,
            source.organisation_id,
            source.issuer_of_patient_id,
            source.retention_s,
            source.max_age_s,
            source.quiet_s,
            source.duplicate_policy,
            source.release_by_hand,
        )


@dataclass(frozen=True, slots=True)
class Arrival:
    """A landed object on its way into the index. `size` and `sha256` are of the data set as received.

    One that a person released from quarantine is `recorded` (its landing record has its row already), and
    `overlook` names the verdict codes that do not send it back there. What Radrelay made of a study itself `joins` one
    of its holdings: it renews nothing, and is too late once that holding is gone. What `corrects` a version takes its
    place while that is current, and is too late once it is not.
    """

    source: Terms
    attributes: IndexAttributes
    location: RecordLocation
    transfer_syntax_uid: str
    sha256: bytes
    size: int
    received_at: datetime
    file_name: str = ""
    file_size: int | None = None
    file_type: str = ""
    parcel_id: uuid.UUID | None = None
    correlation_id: str = ""
    account_id: uuid.UUID | None = None
    recorded: bool = False
    overlook: frozenset[str] = frozenset()
    joins: uuid.UUID | None = None
    corrects: uuid.UUID | None = None
    correction: int = 0
    calling_ae: str = ""
    called_ae: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an arrival.

    For `quarantine`, `code` is malformed, patient-mismatch, series-elsewhere, instance-elsewhere or
    other-content, and `reason` a sentence for a person. `instance_id` is the row that now stands for the
    object, or for a quarantined one of other content the row that it contradicts.
    """

    kind: VerdictKind
    code: str = ""
    reason: str = ""
    instance_id: uuid.UUID | None = None
    study_id: uuid.UUID | None = None

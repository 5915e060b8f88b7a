"""How far a sender is believed: for which issuers it speaks, and what of studies follows from what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radrelay.hl7.content import Patient
from radrelay.hl7.errors import IssuerForeign, IssuerMissing

Coerced = Literal["merges", "demographics"]
LONGEST_ISSUER = 64
"""An issuer of patient ID is no longer than this in DICOM (LO)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Of one port: `coerce` names what studies follow in, `issuers` whose IDs it speaks for (empty: each it names)."""

    coerce: frozenset[Coerced] = frozenset()
    issuers: frozenset[str] = frozenset()

    def require(self, patient: Patient) -> None:
        """Raise `IssuerMissing` or `IssuerForeign` for a patient of whom nothing may follow."""
        if not patient.issuer:
            raise IssuerMissing(patient=patient.patient_id)
        if (self.issuers and patient.issuer not in self.issuers) or len(patient.issuer) > LONGEST_ISSUER:
            raise IssuerForeign(issuer=patient.issuer[:200])


NONE = Policy()

"""Patients as the hospital's system names them (ADT): kept, joined, and what follows for their studies."""

from radrelay.hl7.patients.handling import PatientBook, note_ahead
from radrelay.hl7.patients.keeping import find_patient, forget_patients, survivor
from radrelay.hl7.patients.policy import Coerced, Policy

__all__ = ["Coerced", "PatientBook", "Policy", "find_patient", "forget_patients", "note_ahead", "survivor"]

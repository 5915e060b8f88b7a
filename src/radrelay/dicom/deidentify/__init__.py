"""De-identification by PS3.15 Annex E, pseudonyms, and the way back: pure functions over data sets."""

from radrelay.dicom.deidentify.engine import Alias, Deidentified, Refused, deidentify, refusal_of, subject_of
from radrelay.dicom.deidentify.keyed import Subject, derived_alias, new_uid, shift_days
from radrelay.dicom.deidentify.options import Device, Option, Project
from radrelay.dicom.deidentify.pseudonyms import AliasNotWritable, Pattern, Vault, read_pattern
from radrelay.dicom.deidentify.regions import read_devices
from radrelay.dicom.deidentify.report import Change, Outcome, Reason, Report, StudyReport, Warned
from radrelay.dicom.deidentify.returning import Original, turn_back
from radrelay.dicom.deidentify.screening import shows_face

__all__ = [
    "Alias",
    "AliasNotWritable",
    "Change",
    "Deidentified",
    "Device",
    "Option",
    "Original",
    "Outcome",
    "Pattern",
    "Project",
    "Reason",
    "Refused",
    "Report",
    "StudyReport",
    "Subject",
    "Vault",
    "Warned",
    "deidentify",
    "derived_alias",
    "new_uid",
    "read_devices",
    "read_pattern",
    "refusal_of",
    "shift_days",
    "shows_face",
    "subject_of",
    "turn_back",
]

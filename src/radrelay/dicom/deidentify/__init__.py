"""De-identification by PS3.15 Annex E, pseudonyms, and the way back: pure functions over data sets."""

from radrelay.dicom.deidentify.engine import Alias, Deidentified, Refused, deidentify
from radrelay.dicom.deidentify.options import Device, Option, Project
from radrelay.dicom.deidentify.regions import read_devices
from radrelay.dicom.deidentify.report import Change, Outcome, Reason, Report, StudyReport, Warned

__all__ = [
    "Alias",
    "Change",
    "Deidentified",
    "Device",
    "Option",
    "Outcome",
    "Project",
    "Reason",
    "Refused",
    "Report",
    "StudyReport",
    "Warned",
    "deidentify",
    "read_devices",
]

"""Which DICOM audit message each action is (PS3.15 A.5.3), by the codes of PS3.16 CID 400 to 405."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Code(NamedTuple):
    """A coded value: PS3.15 A.5.1's CodedValueType."""

    value: str
    scheme: str
    meaning: str


def dcm(value: str, meaning: str) -> Code:
    """Return a code of the DICOM controlled terminology."""
    return Code(value, "DCM", meaning)


ACTIVITY = dcm("110100", "Application Activity")
AUDIT_LOG_USED = dcm("110101", "Audit Log Used")
BEGIN_TRANSFERRING = dcm("110102", "Begin Transferring DICOM Instances")
ACCESSED = dcm("110103", "DICOM Instances Accessed")
TRANSFERRED = dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED = dcm("110105", "DICOM Study Deleted")
EXPORT = dcm("110106", "Export")
IMPORT = dcm("110107", "Import")
PATIENT_RECORD = dcm("110110", "Patient Record")
QUERY = dcm("110112", "Query")
SECURITY_ALERT = dcm("110113", "Security Alert")
USER_AUTHENTICATION = dcm("110114", "User Authentication")

LOGIN = dcm("110122", "Login")
LOGOUT = dcm("110123", "Logout")
EMERGENCY_OVERRIDE = dcm("110127", "Emergency Override Started")
NETWORK_CONFIGURATION = dcm("110128", "Network Configuration")
SECURITY_CONFIGURATION = dcm("110129", "Security Configuration")
SOFTWARE_CONFIGURATION = dcm("110131", "Software Configuration")
RESTRICTED_FUNCTION = dcm("110132", "Use of Restricted Function")
OBJECT_ATTRIBUTES = dcm("110135", "Object Security Attributes Changed")
ROLES_CHANGED = dcm("110136", "Security Roles Changed")
USER_ATTRIBUTES = dcm("110137", "User Security Attributes Changed")

APPLICATION = dcm("110150", "Application")
DESTINATION = dcm("110152", "Destination Role ID")
SOURCE = dcm("110153", "Source Role ID")
DESTINATION_MEDIA = dcm("110154", "Destination Media")
SOURCE_MEDIA = dcm("110155", "Source Media")
MEDIA_URI = dcm("110037", "URI")
STUDY_UID = dcm("110180", "Study Instance UID")
SOP_CLASS_UID = dcm("110181", "SOP Class UID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
URI = Code("12", "RFC-3881", "URI")

ActionCode = Literal["C", "R", "U", "D", "E"]


@dataclass(frozen=True, slots=True)
class Told:
    """How an action is told: event, what was done (create, read, update, delete, execute), and the event's type."""

    event: Code
    action: ActionCode
    type: Code | None = None


_ALERTS: dict[str, Code] = {
    "account": USER_ATTRIBUTES,
    "password": USER_ATTRIBUTES,
    "token": USER_ATTRIBUTES,
    "session": USER_ATTRIBUTES,
    "factor": USER_ATTRIBUTES,
    "grant": OBJECT_ATTRIBUTES,
    "release": OBJECT_ATTRIBUTES,
    "access": OBJECT_ATTRIBUTES,
    "owner": OBJECT_ATTRIBUTES,
    "device": SECURITY_CONFIGURATION,
    "release-rule": OBJECT_ATTRIBUTES,
    "routing-rule": OBJECT_ATTRIBUTES,
    "link": OBJECT_ATTRIBUTES,
    "group": ROLES_CHANGED,
    "directory": SECURITY_CONFIGURATION,
    "keys": SECURITY_CONFIGURATION,
    "source": NETWORK_CONFIGURATION,
    "destination": NETWORK_CONFIGURATION,
    "pacs": NETWORK_CONFIGURATION,
    "node": NETWORK_CONFIGURATION,
    "gateway": NETWORK_CONFIGURATION,
    "certificate": SECURITY_CONFIGURATION,
    "preferences": SOFTWARE_CONFIGURATION,
    "display": SOFTWARE_CONFIGURATION,
    "expiry": SOFTWARE_CONFIGURATION,
    "mail": SOFTWARE_CONFIGURATION,
    "installation": SOFTWARE_CONFIGURATION,
    "backup": SOFTWARE_CONFIGURATION,
    "privacy": SOFTWARE_CONFIGURATION,
    "promises": SECURITY_CONFIGURATION,
    "organisation": SECURITY_CONFIGURATION,
    "agreement": SOFTWARE_CONFIGURATION,
    "portal": SECURITY_CONFIGURATION,
}
_FAMILIES: dict[str, Told] = {  # by what stands before the dot
    "login": Told(USER_AUTHENTICATION, "E", LOGIN),
    "launch": Told(USER_AUTHENTICATION, "E", LOGIN),
    "logout": Told(USER_AUTHENTICATION, "E", LOGOUT),
    "audit": Told(AUDIT_LOG_USED, "R"),
    "import": Told(IMPORT, "C"),
    "study": Told(ACCESSED, "U"),
    "series": Told(ACCESSED, "U"),
    "instance": Told(ACCESSED, "U"),
    "mark": Told(ACCESSED, "U"),
    "marks": Told(ACCESSED, "U"),
    "attachment": Told(ACCESSED, "C"),
    "quarantine": Told(ACCESSED, "R"),
    "waiting": Told(ACCESSED, "R"),
    "request": Told(ACCESSED, "R"),
    "consent": Told(ACCESSED, "R"),
    "incident": Told(AUDIT_LOG_USED, "R"),
    "volume": Told(AUDIT_LOG_USED, "R"),
    "delivery": Told(ACTIVITY, "E"),
    "worklist": Told(QUERY, "E"),
    "hl7": Told(PATIENT_RECORD, "R"),
    "fetch": Told(ACTIVITY, "E"),
    "schedule": Told(ACTIVITY, "E"),
    "analysis": Told(ACTIVITY, "E"),
    "pseudonym": Told(PATIENT_RECORD, "R"),
} | {family: Told(SECURITY_ALERT, "E", kind) for family, kind in _ALERTS.items()}
_ACTIONS: dict[str, Told] = {
    "factor.use": Told(USER_AUTHENTICATION, "E", LOGIN),
    "access.unusual": Told(SECURITY_ALERT, "E", USER_ATTRIBUTES),
    "access.unusual-settled": Told(SECURITY_ALERT, "E", USER_ATTRIBUTES),
    "access.suspend": Told(SECURITY_ALERT, "E", USER_ATTRIBUTES),
    "access.let-in": Told(SECURITY_ALERT, "E", USER_ATTRIBUTES),
    "access.break-glass": Told(SECURITY_ALERT, "E", EMERGENCY_OVERRIDE),
    "link.open": Told(USER_AUTHENTICATION, "E", LOGIN),
    "link.leave": Told(USER_AUTHENTICATION, "E", LOGOUT),
    "hl7.file": Told(ACCESSED, "C"),
    "hl7.search": Told(QUERY, "E"),
    "hl7.replay": Told(PATIENT_RECORD, "E"),
    "study.search": Told(QUERY, "E"),
    "study.open": Told(ACCESSED, "R"),
    "study.view": Told(ACCESSED, "R"),
    "study.priors": Told(ACCESSED, "R"),
    "study.download": Told(EXPORT, "R"),
    "study.export": Told(EXPORT, "R"),
    "marks.download": Told(EXPORT, "R"),
    "quarantine.download": Told(EXPORT, "R"),
    "quarantine.release": Told(ACCESSED, "U"),
    "waiting.release": Told(ACCESSED, "U"),
    "waiting.reject": Told(ACCESSED, "U"),
    "quarantine.delete": Told(ACCESSED, "D"),
    "study.forward": Told(BEGIN_TRANSFERRING, "E"),
    "delivery.end": Told(TRANSFERRED, "R"),
    "delivery.part": Told(TRANSFERRED, "R"),
    "delivery.step": Told(TRANSFERRED, "R"),
    "pacs.search": Told(QUERY, "E"),
    "pacs.worklist": Told(QUERY, "E"),
    "pseudonym.create": Told(SECURITY_ALERT, "E", SECURITY_CONFIGURATION),
    "pseudonym.change": Told(SECURITY_ALERT, "E", SECURITY_CONFIGURATION),
    "pseudonym.delete": Told(SECURITY_ALERT, "E", SECURITY_CONFIGURATION),
    "pseudonym.find": Told(QUERY, "E"),
    "pseudonym.return": Told(IMPORT, "C"),
    "pseudonym.release": Told(ACCESSED, "U"),
    "analysis.set": Told(SECURITY_ALERT, "E", SOFTWARE_CONFIGURATION),
    "fetch.end": Told(TRANSFERRED, "C"),
    "import.list": Told(ACCESSED, "R"),
    "import.view": Told(ACCESSED, "R"),
    "import.guide": Told(ACCESSED, "R"),
    "recipe.record": Told(ACCESSED, "R"),
    "worklist.view": Told(ACCESSED, "R"),
    "import.take-back": Told(ACCESSED, "D"),
    "import.consent-withdraw": Told(ACCESSED, "D"),
    "import.after-withdrawal": Told(ACCESSED, "D"),
    "study.rules": Told(ACCESSED, "R"),
    "study.delete": Told(STUDY_DELETED, "D"),
    "series.delete": Told(ACCESSED, "D"),
    "instance.delete": Told(ACCESSED, "D"),
    "request.export": Told(EXPORT, "R"),
    "request.erase": Told(ACCESSED, "D"),
    "consent.withdraw": Told(ACCESSED, "D"),
    "consent.erase": Told(ACCESSED, "D"),
}
_OTHERS = Told(SECURITY_ALERT, "E", RESTRICTED_FUNCTION)


def told_as(action: str) -> Told:
    """Return how an action is told; one that is not known here is the use of a restricted function."""
    return _ACTIONS.get(action) or _FAMILIES.get(action.partition(".")[0]) or _OTHERS

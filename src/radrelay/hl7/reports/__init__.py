"""Reports: those that come (ORU, MDM) become part of their study, those that go are made into messages."""

from radrelay.hl7.reports.composing import NothingToSend, about_study, link_to, report_of
from radrelay.hl7.reports.filing import ReportBook
from radrelay.hl7.reports.passing import ReceiverUnknown, ReportsOut, note_sent
from radrelay.hl7.reports.writing import Addressee, OutgoingReport, report_message

__all__ = [
    "Addressee",
    "NothingToSend",
    "OutgoingReport",
    "ReceiverUnknown",
    "ReportBook",
    "ReportsOut",
    "about_study",
    "link_to",
    "note_sent",
    "report_message",
    "report_of",
]

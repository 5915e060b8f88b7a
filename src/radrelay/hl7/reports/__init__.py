"""Reports: those that come (ORU, MDM) become part of their study, those that go are made into messages."""

from radrelay.hl7.reports.filing import ReportBook
from radrelay.hl7.reports.writing import Addressee, OutgoingReport, report_message

__all__ = ["Addressee", "OutgoingReport", "ReportBook", "report_message"]

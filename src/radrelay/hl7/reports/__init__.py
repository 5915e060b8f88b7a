"""Reports: those that come (ORU, MDM) become part of their study, those that go are made into messages."""

from radrelay.hl7.reports.filing import ReportBook

__all__ = ["ReportBook"]

"""What can go wrong with HL7 messages: each says how it is answered (HL7 table 0357) and where in the message it is.

`answer` tells the three ways apart that HL7 has (v2.5 2.9.2): AA, AE for what the sender has to mend before it sends
again, AR for what is not for us, or for what has nothing to do with the message (it may be sent again as it is).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from radrelay.errors import Conflict, Invalid, NotFound, RadrelayError, Unavailable

Answer = Literal["AA", "AE", "AR"]


class MessageRefused(RadrelayError):
    """This HL7 message cannot be taken."""

    code = "hl7-refused"
    http_status: ClassVar[int] = 400
    answer: ClassVar[Answer] = "AE"
    condition: ClassVar[tuple[str, str]] = ("207", "Application internal error")

    def __init__(self, message: str = "", at: str = "", **facts: object) -> None:
        """`at` is the place as `PID-3.1`, or the number of a line."""
        super().__init__(message, **({"at": at} if at else {}), **facts)
        self.at = at


class HeaderMissing(MessageRefused):
    """This does not begin with the segment MSH: it is no HL7 message."""

    code = "hl7-no-header"
    answer = "AR"
    condition = ("100", "Segment sequence error")


class HeaderBroken(MessageRefused):
    """The segment MSH does not say which characters part the fields."""

    code = "hl7-header-broken"
    answer = "AR"
    condition = ("102", "Data type error")


class SegmentBroken(MessageRefused):
    """A line of the message does not begin with the name of a segment."""

    code = "hl7-segment-broken"
    condition = ("100", "Segment sequence error")


class SegmentMissing(MessageRefused):
    """The message lacks a segment that it must have."""

    code = "hl7-segment-missing"
    condition = ("100", "Segment sequence error")


class FieldMissing(MessageRefused):
    """The message lacks a field that it must have."""

    code = "hl7-field-missing"
    condition = ("101", "Required field missing")


class FieldBroken(MessageRefused):
    """A field of the message holds what it may not hold."""

    code = "hl7-field-broken"
    condition = ("102", "Data type error")


class CharactersUnknown(MessageRefused):
    """The message names a character set that is not known (MSH-18)."""

    code = "hl7-characters-unknown"
    answer = "AR"
    condition = ("103", "Table value not found")


class CharactersBroken(MessageRefused):
    """The message is not in the character set that it names (MSH-18), or that is set for its sender."""

    code = "hl7-characters-broken"
    condition = ("102", "Data type error")


class TypeUnsupported(MessageRefused):
    """Messages of this type are not taken here (MSH-9.1)."""

    code = "hl7-type"
    answer = "AR"
    condition = ("200", "Unsupported message type")


class EventUnsupported(MessageRefused):
    """Messages of this event are not taken here (MSH-9.2)."""

    code = "hl7-event"
    answer = "AR"
    condition = ("201", "Unsupported event code")


class VersionUnsupported(MessageRefused):
    """This version of HL7 is not spoken here (MSH-12)."""

    code = "hl7-version"
    answer = "AR"
    condition = ("203", "Unsupported version id")


class NotProcessed(MessageRefused):
    """The message could not be kept just now; it may be sent again as it is."""

    code = "hl7-not-kept"
    answer = "AR"


class MessageTooLarge(MessageRefused):
    """The message is larger than hl7.max_message_bytes allows."""

    code = "hl7-too-large"
    http_status = 413
    answer = "AR"


class MessageNotFound(NotFound):
    """There is no such HL7 message."""

    code = "hl7-not-found"


class NothingToReplay(Conflict):
    """This HL7 message waits already: it is worked on without being asked for again."""

    code = "hl7-waits"


class ContentDamaged(Conflict):
    """What the HL7 message says cannot be read: it was sealed under other keys, or changed."""

    code = "hl7-sealed"


class MappingInvalid(Invalid):
    """The mapping of HL7 fields cannot be used."""

    code = "hl7-mapping"


class ReceiverAway(Unavailable):
    """The HL7 receiver cannot be reached, or closed the connection."""

    code = "hl7-receiver-away"


class ReceiverSilent(Unavailable):
    """The HL7 receiver did not acknowledge the message in time."""

    code = "hl7-receiver-silent"


class AnswerBroken(Unavailable):
    """What the HL7 receiver answered is no acknowledgement of the message."""

    code = "hl7-answer-broken"


class ReceiverRefused(Conflict):
    """The HL7 receiver does not take the message."""

    code = "hl7-receiver-refused"


class IssuerMissing(Conflict):
    """The message does not say who issued the patient ID, and nothing says it for its sender: it may be anyone's."""

    code = "hl7-issuer-missing"


class IssuerForeign(Conflict):
    """This sender does not speak for the issuer of this patient ID."""

    code = "hl7-issuer-foreign"


class IssuersDiffer(Conflict):
    """The two patient IDs are of different issuers: they are not joined."""

    code = "hl7-issuers-differ"


class MergeOlder(Conflict):
    """A newer message says otherwise: nothing was joined."""

    code = "hl7-merge-older"


class StudiesLeft(Conflict):
    """Studies under this patient ID name another person: they were left as they are."""

    code = "hl7-studies-left"


class ControlUnknown(Conflict):
    """What is to be done with the order (ORC-1) has no meaning here."""

    code = "hl7-control"


class OrderOfAnother(Conflict):
    """This order's number, or its patient ID, is another patient's."""

    code = "hl7-order-of-another"


class OrderNumberTooLong(Conflict):
    """The accession number has more than 16 characters, which DICOM cannot carry; let the mapping choose another."""

    code = "hl7-order-number"


class NameShortened(Conflict):
    """The patient's name is longer than DICOM carries: worklists show less of it."""

    code = "hl7-name-shortened"


class StudyUnknown(Conflict):
    """The study that the report is about is not here."""

    code = "hl7-study-unknown"


class StudyAmbiguous(Conflict):
    """Several studies could be the one that the report is about."""

    code = "hl7-study-ambiguous"


class ReportOfAnother(Conflict):
    """The study that the report names is of another patient, or it is in doubt whether it is of this one."""

    code = "hl7-report-of-another"


class ReportEmpty(Conflict):
    """The report has neither a text nor a PDF."""

    code = "hl7-report-empty"


class ReportWithdrawn(Conflict):
    """The report is taken back by its sender: what was filed of it is for a person to look at."""

    code = "hl7-report-withdrawn"


class ReportPartsLeft(Conflict):
    """The report was filed, but documents of it that are no PDF were left in the message."""

    code = "hl7-report-parts"


class ReportNotLanded(Unavailable):
    """The report could not be kept as part of its study just now."""

    code = "hl7-report-not-kept"


class TimesAhead(Conflict):
    """The message's times lie in the future: its sender's clock is wrong, or the time zone of this port."""

    code = "hl7-times-ahead"

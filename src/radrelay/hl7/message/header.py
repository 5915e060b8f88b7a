"""What a message says of itself: MSH (HL7 v2.5 2.15.9), typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from radrelay.hl7.message.model import Message, Segment
from radrelay.hl7.message.times import parse_time


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a message; `sender` and the others are application and facility, as the message names them."""

    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    at: datetime | None
    type: str
    event: str
    structure: str
    control_id: str
    processing_id: str
    version: str
    accept_acknowledgement: str
    application_acknowledgement: str
    character_set: str

    @property
    def kind(self) -> str:
        """Return type and event: ADT^A01."""
        return f"{self.type}^{self.event}" if self.event else self.type

    @property
    def sender(self) -> str:
        """Return who sent it: application and facility."""
        return f"{self.sending_application}|{self.sending_facility}"

    @property
    def is_enhanced(self) -> bool:
        """Say whether it asks for acknowledgements in enhanced mode (2.9.3)."""
        return bool(self.accept_acknowledgement or self.application_acknowledgement)


def header_of(message: Message, zone: tzinfo = UTC) -> Header:
    """Return the message's header; the event comes from EVN-1 where MSH-9 has none."""
    segment = message.header
    found = segment.value
    event = found(9, 2)
    if not event and (told := message.first("EVN")) is not None:
        event = told.value(1)
    return Header(
        found(3), found(4), found(5), found(6), parse_time(found(7), zone), found(9), event, found(9, 3),
        found(10), found(11), found(12), found(15).upper(), found(16).upper(), _declared(segment),
    )  # fmt: skip


def _declared(segment: Segment) -> str:
    """Return the first repetition of MSH-18 as it stands; a slash in it is no escape sequence."""
    found = segment.repetitions(18)
    return found[0].strip() if found else ""

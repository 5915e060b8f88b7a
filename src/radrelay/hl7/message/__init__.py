"""HL7 v2 messages, and nothing else: parsed, read, written. No sockets, no database."""

from radrelay.hl7.message.acknowledging import Acknowledgement, acknowledge, read_acknowledgement
from radrelay.hl7.message.datatypes import Authority, Coded, Identifier, PersonName, dicom_name
from radrelay.hl7.message.encoding import STANDARD, Encoding
from radrelay.hl7.message.header import Header, header_of
from radrelay.hl7.message.model import NULL, Field, Message, Segment, segment_of
from radrelay.hl7.message.parsing import PLAIN, Parcel, Reading, batch_of, parse, unpack, write
from radrelay.hl7.message.times import parse_date, parse_time, write_time

__all__ = [
    "NULL",
    "PLAIN",
    "STANDARD",
    "Acknowledgement",
    "Authority",
    "Coded",
    "Encoding",
    "Field",
    "Header",
    "Identifier",
    "Message",
    "Parcel",
    "PersonName",
    "Reading",
    "Segment",
    "acknowledge",
    "batch_of",
    "dicom_name",
    "header_of",
    "parse",
    "parse_date",
    "parse_time",
    "read_acknowledgement",
    "segment_of",
    "unpack",
    "write",
    "write_time",
]

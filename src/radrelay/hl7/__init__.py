"""HL7 v2: messages read and answered, received and sent by MLLP, kept, and worked on in each patient's order.

What follows from a message is another room's: it is given as a `Handler` by what the message is about (`Change`).
"""

from radrelay.hl7.content import Adt, Change, Content, Document, Merge, Order, Patient, Report, Visit
from radrelay.hl7.keeping import Inbox, Keeping
from radrelay.hl7.mapping import Mapping, load_mapping, read_mapping, shipped
from radrelay.hl7.message import Message, Reading, parse, segment_of, write
from radrelay.hl7.mllp import Limits, MllpListener, MllpSender, Port, Receiver
from radrelay.hl7.patients import PatientBook, Policy, forget_patients, note_ahead
from radrelay.hl7.processing import Handler, KeptMessage, Processor
from radrelay.hl7.sealing import Seal
from radrelay.hl7.sending import Outgoing
from radrelay.hl7.service import (
    ListedMessage,
    MessageQuery,
    forget_old,
    forget_patient,
    message_bytes,
    replay,
    search_messages,
)
from radrelay.hl7.trying import Trial, try_text

__all__ = [
    "Adt",
    "Change",
    "Content",
    "Document",
    "Handler",
    "Inbox",
    "Keeping",
    "KeptMessage",
    "Limits",
    "ListedMessage",
    "Mapping",
    "Merge",
    "Message",
    "MessageQuery",
    "MllpListener",
    "MllpSender",
    "Order",
    "Outgoing",
    "Patient",
    "PatientBook",
    "Policy",
    "Port",
    "Processor",
    "Reading",
    "Receiver",
    "Report",
    "Seal",
    "Trial",
    "Visit",
    "forget_old",
    "forget_patient",
    "forget_patients",
    "load_mapping",
    "message_bytes",
    "note_ahead",
    "parse",
    "read_mapping",
    "replay",
    "search_messages",
    "segment_of",
    "shipped",
    "try_text",
    "write",
]

"""HL7's minimal lower layer (MLLP): a listener that answers what is durable, and a sender that waits for the answer."""

from radrelay.hl7.mllp.framing import Frames, framed
from radrelay.hl7.mllp.listener import MllpListener, Totals
from radrelay.hl7.mllp.ports import Limits, MessageSink, Port, Received
from radrelay.hl7.mllp.sender import MllpSender, Receiver

__all__ = [
    "Frames",
    "Limits",
    "MessageSink",
    "MllpListener",
    "MllpSender",
    "Port",
    "Received",
    "Receiver",
    "Totals",
    "framed",
]

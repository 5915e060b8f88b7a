"""Limits of the DICOM listener, in one place so that the conformance statement can name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radrelay.settings import DicomSettings

KIB = 1 << 10

ASSOCIATE_REQUEST_BYTES = 256 * KIB
"""Largest A-ASSOCIATE-RQ taken: 128 contexts with some forty transfer syntaxes each."""
COMMAND_BYTES = 64 * KIB
"""Largest command set taken."""
COMMAND_ELEMENTS = 64
"""Most elements that a command set may have."""
IDENTIFIER_BYTES = 1024 * KIB
"""Largest identifier of a query taken; also the bound when a deflated one is inflated."""
ACTION_BYTES = 8192 * KIB
"""Largest data set of a storage commitment request: about 60,000 references."""
IDENTIFIER_DEPTH = 8
"""Deepest nesting of sequences in an identifier."""
PDU_TOLERANCE_BYTES = KIB
"""A P-DATA PDU may be so much longer than we asked for: some senders do not count their headers."""
ASSOCIATE_TIMEOUT_S = 30.0
"""A connection that has not sent a whole A-ASSOCIATE-RQ (and ended its TLS handshake) by then is closed."""
WAITING_CONNECTIONS = 256
"""Connections that have not asked for an association yet; the oldest gives way to one more."""
SLOWEST_BYTES = 4 * KIB
"""A message in transfer must bring at least so many bytes in every idle timeout."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that an installation sets."""

    max_pdu_bytes: int = 131072
    max_associations: int = 64
    max_associations_per_peer: int = 32
    idle_timeout_s: float = 120.0
    max_object_bytes: int = 8 << 30
    associate_timeout_s: float = ASSOCIATE_TIMEOUT_S
    waiting_connections: int = WAITING_CONNECTIONS

    @classmethod
    def of(cls, settings: DicomSettings) -> Limits:
        """Take the limits from the settings."""
        return cls(
            max_pdu_bytes=settings.max_pdu_bytes,
            max_associations=settings.max_associations,
            max_associations_per_peer=settings.max_associations_per_peer,
            idle_timeout_s=settings.idle_timeout_s,
            max_object_bytes=settings.max_object_bytes,
        )

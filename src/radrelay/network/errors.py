"""Errors of DICOM networking, all in the tree of `radrelay.errors`.

Those under `AssociationEnded` close the association that they happen in and nothing else;
`abort_reason` is what the A-ABORT PDU says (PS3.8 9.3.8), None when none is to be sent.
"""

from __future__ import annotations

from typing import ClassVar

from radrelay.errors import Forbidden, Invalid, RadrelayError, Unavailable

REASON_NOT_SPECIFIED = 0
UNRECOGNISED_PDU = 1
UNEXPECTED_PDU = 2
UNRECOGNISED_PARAMETER = 4
UNEXPECTED_PARAMETER = 5
INVALID_PARAMETER_VALUE = 6


class AssociationEnded(RadrelayError):
    """The association ended before its time."""

    code = "association-ended"
    abort_reason: int | None = REASON_NOT_SPECIFIED


class ProtocolViolation(AssociationEnded, Invalid):
    """The other side does not speak DICOM as the standard says."""

    code = "protocol-violation"
    http_status: ClassVar[int] = 400

    def __init__(self, message: str = "", abort_reason: int = INVALID_PARAMETER_VALUE) -> None:
        super().__init__(message)
        self.abort_reason = abort_reason


class PeerSilent(AssociationEnded):
    """The other side said nothing for too long."""

    code = "peer-silent"


class PeerTooSlow(AssociationEnded):
    """The other side sent a message too slowly."""

    code = "peer-too-slow"


class PeerGone(AssociationEnded):
    """The other side closed the connection without releasing the association."""

    code = "peer-gone"
    abort_reason = None


class PeerAborted(AssociationEnded):
    """The other side aborted the association."""

    code = "peer-aborted"
    abort_reason = None


class ReleaseRequested(AssociationEnded):
    """The other side asked to release the association."""

    code = "release-requested"
    abort_reason = None


class Stopping(AssociationEnded):
    """Radrelay is stopping."""

    code = "stopping"


class SourceFailed(AssociationEnded):
    """An object could not be read to its end while it was sent."""

    code = "source-failed"


class NodeUnreachable(Unavailable):
    """The node cannot be reached."""

    code = "node-unreachable"


class HostUnknown(NodeUnreachable):
    """Nobody knows the node's name."""

    code = "host-unknown"


class NobodyListens(NodeUnreachable):
    """Nothing listens at the node's address."""

    code = "nobody-listens"


class NodeSilent(NodeUnreachable):
    """The node does not answer in time."""

    code = "node-silent"


class NodeNotDicom(NodeUnreachable):
    """What listens there does not answer as a DICOM node."""

    code = "node-not-dicom"


class CertificateUntrusted(NodeUnreachable):
    """The node's certificate is not trusted."""

    code = "certificate-untrusted"


class TlsRefused(NodeUnreachable):
    """The node and we do not come to a TLS connection."""

    code = "tls-refused"


class ReportRefused(Unavailable):
    """The node does not take the storage commitment report."""

    code = "report-refused"


class CommitmentNotOffered(Unavailable):
    """The node does not offer storage commitment."""

    code = "commitment-not-offered"


class StepsNotOffered(Unavailable):
    """The node takes no performed procedure steps."""

    code = "steps-not-offered"


class CommitmentRefused(Unavailable):
    """The node refuses to be asked for storage commitment."""

    code = "commitment-refused"


class AssociationRejected(Forbidden):
    """The node refused the association."""

    code = "association-rejected"


class CallerUnknown(AssociationRejected):
    """The node does not know our AE title as a caller."""

    code = "caller-unknown"


class CalledUnknown(AssociationRejected):
    """The node does not answer to the AE title that we called."""

    code = "called-unknown"


class NodeBusy(AssociationRejected):
    """The node takes no further association just now."""

    code = "node-busy"


class EchoNotOffered(Unavailable):
    """The node does not offer verification (C-ECHO)."""

    code = "echo-not-offered"


class EchoRefused(Unavailable):
    """The node answered C-ECHO with a status that is no success."""

    code = "echo-refused"


class ContextRefused(Unavailable):
    """The node takes none of the transfer syntaxes that this object can be had in."""

    code = "context-refused"
    dimse_status = 0x0122


class RetrievalNotOffered(Unavailable):
    """The node does not offer retrieval by C-MOVE or C-GET."""

    code = "retrieval-not-offered"


class WebRefused(Unavailable):
    """The DICOMweb service does not accept our login."""

    code = "web-refused"


class WebTrouble(Unavailable):
    """The DICOMweb service does not answer as it should."""

    code = "web-trouble"

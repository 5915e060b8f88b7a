"""An association that Radrelay opens itself, over the same upper layer as the listener (PS3.8 7.1, PS3.7 9.1).

Objects are streamed in pieces, so a delivery's memory does not grow with its objects.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType

from radrelay import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from radrelay.network import command, pdu
from radrelay.network.command import CommandSet
from radrelay.network.errors import (
    AssociationEnded,
    AssociationRejected,
    CalledUnknown,
    CallerUnknown,
    CertificateUntrusted,
    ContextRefused,
    HostUnknown,
    NobodyListens,
    NodeBusy,
    NodeNotDicom,
    NodeSilent,
    NodeUnreachable,
    PeerSilent,
    ProtocolViolation,
    ReleaseRequested,
    SourceFailed,
    TlsRefused,
)
from radrelay.network.limits import COMMAND_BYTES
from radrelay.network.ports import Node, RetrieveItem, StoreOutcome
from radrelay.network.socket_options import set_timeout, tune
from radrelay.network.sop_classes import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from radrelay.network.tls import client_context
from radrelay.network.upper_layer import Channel

MAX_PDU_BYTES = 131072
MAX_CONTEXTS = 128

Proposal = tuple[str, tuple[str, ...]]
"""An abstract syntax and the transfer syntaxes proposed for it in one presentation context."""

REJECTIONS: dict[tuple[int, int], tuple[type[AssociationRejected], str]] = {
    (1, 1): (AssociationRejected, "it gives no reason"),
    (1, 2): (AssociationRejected, "it does not support the application context"),
    (1, 3): (CallerUnknown, "it does not know our AE title as a caller"),
    (1, 7): (CalledUnknown, "it does not answer to the AE title that we called"),
    (2, 1): (AssociationRejected, "it gives no reason"),
    (2, 2): (AssociationRejected, "it does not support the protocol version"),
    (3, 1): (NodeBusy, "it is congested just now"),
    (3, 2): (NodeBusy, "it has reached its limit of associations"),
}
"""What a rejection's source and reason mean (PS3.8 9.3.4)."""


def store_proposals(kept: Iterable[tuple[str, str]]) -> list[Proposal]:
    """Return proposals for objects of these (SOP class, transfer syntax): as kept, and both native syntaxes.

    Each transfer syntax has a context of its own, so that the answer tells exactly what the node takes.
    """
    proposals: dict[Proposal, None] = {}
    pairs = list(dict.fromkeys(kept))
    for sop_class_uid, syntax in pairs:
        proposals[sop_class_uid, (syntax,)] = None
    for sop_class_uid, _ in pairs:
        proposals[sop_class_uid, (EXPLICIT_LITTLE,)] = None
        proposals[sop_class_uid, (IMPLICIT_LITTLE,)] = None
    return list(proposals)


class OutgoingAssociation:
    """An open association to a node; a context manager that releases it, or aborts when an error passes."""

    def __init__(self, node: Node, proposals: Sequence[Proposal], provider_of: Sequence[str] = ()) -> None:
        """Connect and negotiate; `provider_of` names SOP classes that we are provider of.

        Raises `NodeUnreachable` or `AssociationRejected`, whose messages are plain words for a user.
        """
        if len(proposals) > MAX_CONTEXTS:
            raise ValueError(f"{len(proposals)} presentation contexts; an association has {MAX_CONTEXTS} at most")
        self.node = node
        self._message_id = 0
        self._sock = _connect(node)
        self._channel = Channel(self._sock, MAX_PDU_BYTES, node.response_timeout_s)
        self._contexts: dict[tuple[str, str], int] = {}
        try:
            self._negotiate(proposals, provider_of)
        except AssociationRejected:
            self._sock.close()
            raise
        except AssociationEnded as error:
            self._sock.close()
            kind = NodeSilent if isinstance(error, PeerSilent) else NodeNotDicom
            raise kind(f"{_address(node)} does not answer as a DICOM node: {error.message}", **_facts(node)) from error

    def __enter__(self) -> OutgoingAssociation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    @property
    def channel(self) -> Channel:
        """Return the channel, for reading responses that come one after another."""
        return self._channel

    @property
    def contexts(self) -> Mapping[tuple[str, str], int]:
        """Return the accepted presentation contexts: SOP class and transfer syntax to the context's number."""
        return self._contexts

    def accepted_syntaxes(self, sop_class_uid: str) -> list[str]:
        """Return the transfer syntaxes accepted for a SOP class, in the order proposed."""
        return [syntax for uid, syntax in self._contexts if uid == sop_class_uid]

    def context_id(self, sop_class_uid: str, transfer_syntax: str) -> int:
        """Return the presentation context for these; raises `ContextRefused`."""
        number = self._contexts.get((sop_class_uid, transfer_syntax))
        if number is None:
            raise ContextRefused
        return number

    def new_message_id(self) -> int:
        """Return the next message ID."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def request(self, context_id: int, values: dict[int, int | str], data_set: bytes | None = None) -> CommandSet:
        """Send a request without streaming and wait for its response."""
        kind = command.NO_DATA_SET if data_set is None else command.WITH_DATA_SET
        message = command.build({**values, command.DATA_SET_TYPE: kind})
        self._channel.send(self._channel.message(context_id, message, data_set))
        return self.read_response()[1]

    def read_response(self) -> tuple[int, CommandSet]:
        """Wait for the next command; return its context's number too."""
        channel = self._channel
        gathered = bytearray()
        while True:
            fragment = channel.next_fragment()
            if not channel.is_command:
                raise ProtocolViolation("a data set fragment without a command")
            gathered += fragment
            if len(gathered) > COMMAND_BYTES:
                raise ProtocolViolation("a command set that is too long")
            if channel.is_last:
                channel.message_ended()
                return channel.context_id, command.parse(bytes(gathered))

    def store(self, item: RetrieveItem, originator: tuple[str, int] | None = None) -> StoreOutcome:
        """Send one object and return the node's status; `originator` is the AE title and message ID of a C-MOVE.

        Raises `ContextRefused`, the item's own errors before anything was sent, or `AssociationEnded`.
        """
        accepted = self.accepted_syntaxes(item.sop_class_uid)
        if not accepted:
            raise ContextRefused
        syntax, pieces = item.open(accepted)
        context_id = self.context_id(item.sop_class_uid, syntax)
        request = store_request(item, self.new_message_id(), originator)
        try:
            self._channel.send_stream(context_id, request, pieces)
        except AssociationEnded:
            raise
        except Exception as error:  # why: whatever fails amid a data set, only an abort can end that
            raise SourceFailed from error
        _, answer = self.read_response()
        return StoreOutcome(answer.number(command.STATUS), answer.text(command.ERROR_COMMENT))

    def cancel(self, context_id: int, message_id: int) -> None:
        """Ask the node to stop answering a request (C-CANCEL); its last response is still to come."""
        values: dict[int, int | str] = {
            command.COMMAND_FIELD: command.C_CANCEL_RQ,
            command.MESSAGE_ID_RESPONDED: message_id,
            command.DATA_SET_TYPE: command.NO_DATA_SET,
        }
        self._channel.send(self._channel.message(context_id, command.build(values)))

    def release(self) -> None:
        """Release the association and close the connection."""
        with suppress(AssociationEnded):  # a node that hangs up instead of answering has released it too
            self._channel.send(pdu.RELEASE_REQUEST_PDU)
            with suppress(ReleaseRequested):
                self._channel.read_pdu(longest=64)
        self._sock.close()

    def abort(self) -> None:
        """Abort the association and close the connection."""
        with suppress(AssociationEnded):
            self._channel.send(pdu.encode_abort(pdu.SOURCE_USER, 0))
        self._sock.close()

    def _negotiate(self, proposals: Sequence[Proposal], provider_of: Sequence[str]) -> None:
        node = self.node
        proposed = [pdu.ProposedContext(2 * i + 1, uid, syntaxes) for i, (uid, syntaxes) in enumerate(proposals)]
        user = pdu.UserInformation(
            maximum_length=MAX_PDU_BYTES,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION_NAME,
            roles=tuple(pdu.Role(uid, scu=False, scp=True) for uid in provider_of),
        )
        both = pdu.titles(node.ae_title, node.calling_ae)
        request = pdu.AssociateRequest(1, both, pdu.APPLICATION_CONTEXT, tuple(proposed), user)
        self._channel.send(pdu.encode_request(request))
        kind, body = self._channel.read_pdu()
        if kind == pdu.ASSOCIATE_RJ:
            source_and_reason = (body[2], body[3]) if len(body) >= 4 else (1, 1)
            rejected, words = REJECTIONS.get(source_and_reason, (AssociationRejected, "for a reason unknown to us"))
            message = f"{node.ae_title} at {_address(node)} refused the association: {words}"
            raise rejected(message, **_facts(node), calling_ae=node.calling_ae)
        if kind != pdu.ASSOCIATE_AC:
            raise ProtocolViolation(
                "it aborted" if kind == pdu.ABORT else f"PDU type {kind:02X}H came instead of an answer"
            )
        accept = pdu.decode_accept(body)
        self._channel.message_ended()
        self._channel.peer_max_bytes = accept.user.maximum_length
        by_id = {context.context_id: context for context in proposed}
        for answer in accept.contexts:
            context = by_id.get(answer.context_id)
            if context and answer.result == pdu.ACCEPTANCE:
                self._contexts.setdefault((context.abstract_syntax, answer.transfer_syntax), answer.context_id)


def store_request(item: RetrieveItem, message_id: int, originator: tuple[str, int] | None = None) -> bytes:
    """Return the command set of a C-STORE-RQ."""
    values: dict[int, int | str] = {
        command.AFFECTED_SOP_CLASS: item.sop_class_uid,
        command.COMMAND_FIELD: command.C_STORE_RQ,
        command.MESSAGE_ID: message_id,
        command.PRIORITY: 0,
        command.DATA_SET_TYPE: command.WITH_DATA_SET,
        command.AFFECTED_SOP_INSTANCE: item.sop_uid,
    }
    if originator:
        values[command.MOVE_ORIGINATOR_AE], values[command.MOVE_ORIGINATOR_MESSAGE] = originator
    return command.build(values)


def _address(node: Node) -> str:
    return f"{node.host}:{node.port}"


def _facts(node: Node) -> dict[str, object]:
    """Return what the words of an error name, for those who say it in other words."""
    return {"address": _address(node), "host": node.host, "ae_title": node.ae_title}


def _connect(node: Node) -> socket.socket:
    try:
        sock = socket.create_connection((node.host, node.port), timeout=node.connect_timeout_s)
    except socket.gaierror as error:
        raise HostUnknown(f"the name {node.host} is not known: {error.strerror}", **_facts(node)) from error
    except TimeoutError as error:
        message = f"{_address(node)} does not answer within {node.connect_timeout_s:g} s"
        raise NodeSilent(message, **_facts(node)) from error
    except ConnectionRefusedError as error:
        raise NobodyListens(f"nothing listens at {_address(node)}", **_facts(node)) from error
    except OSError as error:
        message = f"{_address(node)} cannot be reached: {error.strerror or error}"
        raise NodeUnreachable(message, **_facts(node)) from error
    tune(sock)
    if node.tls:
        sock = _wrap(sock, node)
    set_timeout(sock, node.response_timeout_s)
    return sock


def _wrap(sock: socket.socket, node: Node) -> socket.socket:
    assert node.tls is not None  # noqa: S101 - narrows for the type checker; the caller has asked
    try:
        return client_context(node.tls).wrap_socket(sock, server_hostname=node.host)
    except ssl.SSLCertVerificationError as error:
        sock.close()
        message = f"the certificate of {_address(node)} is not trusted: {error.verify_message}"
        raise CertificateUntrusted(message, **_facts(node)) from error
    except OSError as error:
        sock.close()
        raise TlsRefused(f"no TLS with {_address(node)}: {error.strerror or error}", **_facts(node)) from error

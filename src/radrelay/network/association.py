"""One association from its request to its end: admission, negotiation, then command after command.

Runs in a thread of its own. Whatever goes wrong ends this association with the A-ABORT that fits and a log line,
and nothing else.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from time import monotonic

import structlog
from structlog.contextvars import bound_contextvars

from radrelay.network import command, pdu
from radrelay.network.command import CommandSet
from radrelay.network.commitment import CommitmentProvider
from radrelay.network.commitment_user import ReportReceiver
from radrelay.network.errors import (
    UNEXPECTED_PDU,
    AssociationEnded,
    PeerAborted,
    PeerGone,
    PeerSilent,
    ProtocolViolation,
    ReleaseRequested,
    Stopping,
)
from radrelay.network.limits import IDENTIFIER_BYTES, Limits
from radrelay.network.negotiation import Context, negotiate, refuse, served_by
from radrelay.network.performed import PerformedStepProvider
from radrelay.network.ports import Peer, Services
from radrelay.network.query_provider import QueryProvider
from radrelay.network.retrieve_provider import RetrieveProvider
from radrelay.network.session import Session, Tally
from radrelay.network.socket_options import set_timeout
from radrelay.network.statuses import SUCCESS, UNRECOGNISED_OPERATION
from radrelay.network.storage_provider import StorageProvider
from radrelay.network.upper_layer import Channel

log = structlog.get_logger(__name__)


class Association:
    """Serves one connection. `stop` may be called from another thread, everything else from its own."""

    def __init__(
        self,
        sock: socket.socket,
        host: str,
        port: int,
        association_id: str,
        services: Services,
        limits: Limits,
        *,
        initial: bytes = b"",
    ) -> None:
        self.host = host
        self.tally = Tally()
        self.busy = False
        self.quiet_since = monotonic()
        self._sock = sock
        self._origin = (host, port, association_id)
        self._tls_subject: str | None = None
        self._tls_fingerprint: str | None = None
        self._services = services
        self._limits = limits
        self._channel = Channel(sock, limits.max_pdu_bytes, limits.idle_timeout_s, initial)
        self._stopping = threading.Event()

    def use_tls(self, sock: ssl.SSLSocket, subject: str | None, fingerprint: str | None = None) -> None:
        """Go on over TLS, before `run`; `subject` is whom the client's certificate names, `fingerprint` its SHA-256."""
        self._sock, self._tls_subject, self._tls_fingerprint = sock, subject, fingerprint
        self._channel = Channel(sock, self._limits.max_pdu_bytes, self._limits.idle_timeout_s)

    def run(self) -> None:
        """Serve until the association ends; never raises."""
        with bound_contextvars(association_id=self._origin[2]):
            try:
                set_timeout(self._sock, self._limits.idle_timeout_s)
                session = self._open()
                if session:
                    self._serve(session)
            except AssociationEnded as end:
                self._end(end)
            except Exception:  # why: the outermost frame of a thread; a fault ends this association only
                log.exception("association failed")
                self._say(pdu.encode_abort(pdu.SOURCE_PROVIDER, 0))
            finally:
                self._sock.close()

    def stop(self, *, at_once: bool) -> None:
        """End the association: before its next command, or at once."""
        self._stopping.set()
        if at_once or not self.busy:
            self._channel.shut_down(both_ways=at_once)

    def _open(self) -> Session | None:
        """Read the request and answer it; None when it was rejected."""
        kind, body = self._channel.read_pdu()
        if kind != pdu.ASSOCIATE_RQ:
            raise ProtocolViolation(f"PDU type {kind:02X}H where A-ASSOCIATE-RQ is due", UNEXPECTED_PDU)
        request = pdu.decode_request(body)
        host, port, association_id = self._origin
        implementation = f"{request.user.implementation_class_uid} {request.user.implementation_version}".strip()
        peer = Peer(
            host,
            port,
            request.calling_ae,
            request.called_ae,
            self._tls_subject,
            association_id,
            implementation,
            self._tls_fingerprint,
        )
        rejection = refuse(request) or self._services.admission.admit(peer)
        if rejection:
            log.warning(
                "association rejected",
                reason=rejection.words,
                host=host,
                calling_ae=peer.calling_ae,
                called_ae=peer.called_ae,
            )
            self._say(pdu.encode_reject(rejection))
            return None
        agreement = negotiate(request, self._limits.max_pdu_bytes, served=served_by(self._services))
        self._channel.peer_max_bytes = agreement.peer_max_bytes
        self._channel.message_ended()
        self._channel.send(agreement.answer)
        log.info(
            "association accepted",
            host=host,
            calling_ae=peer.calling_ae,
            called_ae=peer.called_ae,
            implementation=implementation,
            contexts=len(agreement.contexts),
            contexts_refused=len(request.contexts) - len(agreement.contexts),
        )
        return Session(self._channel, peer, self._services, self._limits, agreement, self.tally)

    def _serve(self, session: Session) -> None:
        """Take one command after another until the association ends, which is always by an `AssociationEnded`."""
        handlers = self._handlers(session)
        read_command, stopping, channel = session.read_command, self._stopping, self._channel
        while not stopping.is_set():
            context, request = read_command()
            self.busy = True
            handler = handlers.get(request.field)
            if handler:
                handler(context, request)
            else:
                self._refuse(session, context, request)
            channel.message_ended()
            self.quiet_since = monotonic()
            self.busy = False
        raise Stopping

    def _handlers(self, session: Session) -> dict[int, Callable[[Context, CommandSet], None]]:
        handlers: dict[int, Callable[[Context, CommandSet], None]] = {
            command.C_STORE_RQ: StorageProvider(session).store,
            command.C_ECHO_RQ: lambda context, request: session.respond(context, request, SUCCESS),
            command.C_CANCEL_RQ: lambda context, request: None,  # came after the last response: nothing left to cancel
        }
        query = self._services.query
        if query:
            retrieve = RetrieveProvider(session, query)
            handlers[command.C_FIND_RQ] = QueryProvider(session, query).find
            handlers[command.C_MOVE_RQ] = retrieve.move
            handlers[command.C_GET_RQ] = retrieve.get
            if self._services.performed_steps:
                steps = PerformedStepProvider(session, self._services.performed_steps)
                handlers[command.N_CREATE_RQ], handlers[command.N_SET_RQ] = steps.create, steps.change
            commitments = self._services.commitments
            if commitments:
                handlers[command.N_ACTION_RQ] = CommitmentProvider(session, query, commitments).action
        reports = self._services.reports
        if reports:
            handlers[command.N_EVENT_REPORT_RQ] = ReportReceiver(session, reports).event
        return handlers

    def _refuse(self, session: Session, context: Context, request: CommandSet) -> None:
        if request.field & command.RESPONSE:
            raise ProtocolViolation(f"a response {request.field:04X}H that nothing waits for")
        if request.has_data_set:
            session.read_data_set(context, IDENTIFIER_BYTES)
        session.respond(context, request, UNRECOGNISED_OPERATION)

    def _end(self, end: AssociationEnded) -> None:
        tally = self.tally
        facts = {
            "host": self.host,
            "objects": tally.objects,
            "refused_objects": tally.refused_objects,
            "object_bytes": tally.object_bytes,
            "sent_objects": tally.sent_objects,
        }
        if isinstance(end, ReleaseRequested):
            self._say(pdu.RELEASE_REPLY_PDU)
            log.info("association released", **facts)
            return
        if self._stopping.is_set() and isinstance(end, (PeerGone, PeerSilent)):
            end = Stopping()
        if end.abort_reason is not None:
            source = pdu.SOURCE_USER if isinstance(end, Stopping) else pdu.SOURCE_PROVIDER
            self._say(pdu.encode_abort(source, end.abort_reason))
        report = log.info if isinstance(end, (Stopping, PeerAborted)) else log.warning
        report(
            "association ended", code=end.code, reason=end.message, aborted_by_us=end.abort_reason is not None, **facts
        )

    def _say(self, last_words: bytes) -> None:
        """Send a last PDU and half-close; what the peer still sends is read away, so that it gets to see it."""
        try:
            self._sock.settimeout(1.0)
            self._sock.sendall(last_words)
            self._sock.shutdown(socket.SHUT_WR)
            until = monotonic() + 2.0
            while monotonic() < until and self._sock.recv(65536):
                pass
        except OSError:
            return  # the peer is gone or takes no answer, and nothing is left to do for it

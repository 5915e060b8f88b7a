"""C-MOVE and C-GET as a provider: sub-operations, progress, cancel (PS3.4 C.4.2, C.4.3).

C-MOVE opens an association to the destination; C-GET sends on the association it came by, in the contexts
that the peer is storage provider of. One failed instance is counted and listed, and the rest go on; once the peer
may fetch nothing any more, none does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic

import structlog

from radrelay.errors import Forbidden, RadrelayError
from radrelay.network import command, identifier
from radrelay.network.command import CommandSet
from radrelay.network.errors import AssociationEnded, ContextRefused, NodeUnreachable, ProtocolViolation, SourceFailed
from radrelay.network.negotiation import Context
from radrelay.network.ports import Node, Query, QueryPort, RetrieveItem, StoreOutcome
from radrelay.network.query_provider import UNIQUE_KEYS, IdentifierMismatch, read_query
from radrelay.network.requestor import MAX_CONTEXTS, OutgoingAssociation, store_proposals, store_request
from radrelay.network.session import Session
from radrelay.network.sop_classes import Service
from radrelay.network.statuses import (
    CANCELLED,
    CANNOT_COUNT_MATCHES,
    CANNOT_PERFORM_SUBOPERATIONS,
    CANNOT_UNDERSTAND,
    MOVE_DESTINATION_UNKNOWN,
    OUT_OF_RESOURCES,
    PENDING,
    SUBOPERATIONS_FAILED,
    SUCCESS,
    is_warning,
)

log = structlog.get_logger(__name__)

FAILED_UIDS = 0x00080058
PROGRESS_S = 0.1
LOOK_EVERY_S = 1.0
"""How often it is asked, while objects are sent, whether the peer may still have them."""
RECONNECTS = 3


@dataclass(slots=True)
class Progress:
    """Counts of a retrieval's sub-operations."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warnings: int = 0
    failed_uids: list[str] = field(default_factory=list)

    def count(self, sop_uid: str, status: int) -> None:
        """Count one sub-operation by its status."""
        self.remaining -= 1
        if status == SUCCESS:
            self.completed += 1
        elif is_warning(status):
            self.warnings += 1
        else:
            self.failed += 1
            self.failed_uids.append(sop_uid)

    def refuse(self, sop_uids: Sequence[str]) -> None:
        """Count what is not sent any more as failed."""
        self.remaining -= len(sop_uids)
        self.failed += len(sop_uids)
        self.failed_uids.extend(sop_uids)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Return remaining, completed, failed and warning, as a response holds them (at most 65535 each)."""
        remaining, completed, failed, warnings = (
            min(count, 0xFFFF) for count in (self.remaining, self.completed, self.failed, self.warnings)
        )
        return remaining, completed, failed, warnings

    def final_status(self, *, cancelled: bool) -> int:
        """Return the last response's status (PS3.4 C.4.2.1.5)."""
        if cancelled:
            return CANCELLED
        if not self.failed and not self.warnings:
            return SUCCESS
        return SUBOPERATIONS_FAILED if self.completed or self.warnings else CANNOT_PERFORM_SUBOPERATIONS


Send = Callable[[RetrieveItem], StoreOutcome]


class RetrieveProvider:
    """Answers the C-MOVE and C-GET requests of one association."""

    def __init__(self, session: Session, query: QueryPort) -> None:
        self._session = session
        self._query = query

    def move(self, context: Context, request: CommandSet) -> None:
        """Serve one C-MOVE-RQ up to its last response."""
        self._answer(context, request, Service.MOVE, self._move)

    def get(self, context: Context, request: CommandSet) -> None:
        """Serve one C-GET-RQ up to its last response."""
        self._answer(context, request, Service.GET, self._get)

    def _answer(
        self,
        context: Context,
        request: CommandSet,
        service: Service,
        serve: Callable[[Context, CommandSet, Query], None],
    ) -> None:
        try:
            query = read_query(self._session, context, request, service)
            unique = query.values(UNIQUE_KEYS[query.level])
            if not all(unique) or not unique or any(mark in value for value in unique for mark in "*?"):
                raise IdentifierMismatch(f"the unique key of level {query.level} is missing")
            serve(context, request, query)
        except AssociationEnded:
            raise
        except RadrelayError as error:
            status = CANNOT_COUNT_MATCHES if error.dimse_status == OUT_OF_RESOURCES else error.dimse_status
            log.warning("retrieval refused", code=error.code, status=f"{status:04X}")
            self._session.respond(context, request, status, error.message)
        except Exception:  # why: a fault of one retrieval must not cost the association its others
            log.exception("retrieval failed")
            self._session.respond(context, request, CANNOT_UNDERSTAND, "unable to process")

    def _move(self, context: Context, request: CommandSet, query: Query) -> None:
        session = self._session
        destination = request.text(command.MOVE_DESTINATION)
        node = self._query.move_destination(session.peer, destination)
        if node is None:
            log.warning("move destination unknown", destination=destination)
            session.respond(context, request, MOVE_DESTINATION_UNKNOWN, "move destination unknown")
            return
        items = self._query.retrieve(session.peer, query, destination)
        sender = MoveSender(node, items, (session.peer.calling_ae, request.message_id))
        try:
            self._send_all(context, request, items, sender.send)
        finally:
            sender.close()

    def _get(self, context: Context, request: CommandSet, query: Query) -> None:
        items = self._query.retrieve(self._session.peer, query)
        self._send_all(context, request, items, lambda item: self._send_back(item, request))

    def _send_all(self, context: Context, request: CommandSet, items: Sequence[RetrieveItem], send: Send) -> None:
        session = self._session
        progress = Progress(len(items))
        comment, cancelled, shown = "", False, monotonic()
        looked = shown
        for place, item in enumerate(items):
            if session.channel.has_input() and session.was_cancelled(request):
                cancelled = True
                break
            if monotonic() - looked >= LOOK_EVERY_S:
                if refusal := self._refusal():
                    progress.refuse([one.sop_uid for one in items[place:]])
                    comment = refusal.message
                    break
                looked = monotonic()
            try:
                outcome = send(item)
            except SubOperationCancelled as stop:
                progress.count(item.sop_uid, stop.outcome.status)
                cancelled = True
                break
            progress.count(item.sop_uid, outcome.status)
            if outcome.status == SUCCESS or is_warning(outcome.status):
                session.tally.sent_objects += 1
            else:
                comment = outcome.comment or f"last failure {outcome.status:04X}H"
            if monotonic() - shown >= PROGRESS_S and progress.remaining:
                session.respond(context, request, PENDING, counts=progress.counts)
                shown = monotonic()
        self._finish(context, request, progress, comment, cancelled=cancelled)

    def _refusal(self) -> Forbidden | None:
        """Return why the peer may fetch nothing any more; where nobody can tell, it goes on."""
        try:
            self._query.require_retrieval(self._session.peer)
        except Forbidden as error:
            log.warning("retrieval broken off: the peer may fetch nothing any more", peer=self._session.peer.calling_ae)
            return error
        except RadrelayError as error:
            log.warning("whether a peer may still fetch is not known now", code=error.code)
        return None

    def _finish(
        self, context: Context, request: CommandSet, progress: Progress, comment: str, *, cancelled: bool
    ) -> None:
        status = progress.final_status(cancelled=cancelled)
        log.info(
            "retrieval answered",
            status=f"{status:04X}",
            completed=progress.completed,
            failed=progress.failed,
            warnings=progress.warnings,
            comment=comment,
        )
        listed = None
        if progress.failed_uids:
            listed = identifier.encode([(FAILED_UIDS, "UI", "\\".join(progress.failed_uids))], context.transfer_syntax)
        self._session.respond(context, request, status, comment, data_set=listed, counts=progress.counts)

    def _send_back(self, item: RetrieveItem, request: CommandSet) -> StoreOutcome:
        """Send one object on this association and wait for its response, in between which a cancel may come."""
        session = self._session
        contexts = {
            context.transfer_syntax: context
            for context in session.agreement.contexts.values()
            if context.peer_stores and context.abstract_syntax == item.sop_class_uid
        }
        try:
            if not contexts:
                raise ContextRefused
            syntax, pieces = item.open(list(contexts))
            context = contexts[syntax]
        except RadrelayError as error:
            return StoreOutcome(error.dimse_status, error.message)
        message_id = session.new_message_id()
        session.channel.send_stream(context.context_id, store_request(item, message_id), unbroken(pieces))
        cancelled = False
        while True:
            _, answer = session.read_command()
            if answer.field == command.C_CANCEL_RQ:
                cancelled = cancelled or answer.number(command.MESSAGE_ID_RESPONDED) == request.message_id
                continue
            if answer.field != command.C_STORE_RSP or answer.number(command.MESSAGE_ID_RESPONDED) != message_id:
                raise ProtocolViolation("a command that is no answer to the sub-operation")
            session.channel.message_ended()
            outcome = StoreOutcome(answer.number(command.STATUS), answer.text(command.ERROR_COMMENT))
            if cancelled:
                raise SubOperationCancelled(outcome)
            return outcome


class SubOperationCancelled(Exception):
    """The peer cancelled while a sub-operation was under way; the operation's own outcome is kept."""

    def __init__(self, outcome: StoreOutcome) -> None:
        super().__init__()
        self.outcome = outcome


def unbroken(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield an object's pieces; a fault in between becomes `SourceFailed`: half a data set is ended by abort only."""
    try:
        yield from pieces
    except Exception as error:  # why: whatever the port's iterator raises has the one consequence
        raise SourceFailed from error


class MoveSender:
    """Sends a retrieval's objects to a node, in as many associations as their presentation contexts need."""

    def __init__(self, node: Node, items: Sequence[RetrieveItem], originator: tuple[str, int]) -> None:
        self._node = node
        self._pairs = list(dict.fromkeys((item.sop_class_uid, item.transfer_syntax) for item in items))
        self._originator = originator
        self._association: OutgoingAssociation | None = None
        self._proposed: set[tuple[str, str]] = set()
        self._connects = 0
        self._unreachable = ""

    def send(self, item: RetrieveItem) -> StoreOutcome:
        """Send one object; what goes wrong becomes the outcome's status and comment."""
        try:
            return self._connected_for(item).store(item, self._originator)
        except AssociationEnded as error:
            self._drop()
            return StoreOutcome(CANNOT_PERFORM_SUBOPERATIONS, error.message)
        except RadrelayError as error:
            return StoreOutcome(error.dimse_status, error.message)

    def close(self) -> None:
        """Release the association that is open."""
        if self._association:
            self._association.release()
            self._association = None

    def _connected_for(self, item: RetrieveItem) -> OutgoingAssociation:
        pair = (item.sop_class_uid, item.transfer_syntax)
        if self._association and pair in self._proposed:
            return self._association
        self.close()
        if self._unreachable:
            raise NodeUnreachable(self._unreachable)
        wanted = [pair, *(other for other in self._pairs if other != pair)]
        while len(store_proposals(wanted)) > MAX_CONTEXTS:
            wanted = wanted[: len(wanted) // 2]
        try:
            self._association = OutgoingAssociation(self._node, store_proposals(wanted))
        except RadrelayError as error:
            self._unreachable = error.message
            log.warning("move destination not reached", reason=error.message)
            raise
        self._proposed = set(wanted)
        return self._association

    def _drop(self) -> None:
        """Forget a broken association; after a few of them the rest of the objects fail without trying."""
        if self._association:
            self._association.abort()
            self._association = None
        self._connects += 1
        if self._connects > RECONNECTS:
            self._unreachable = "the destination broke off several times"

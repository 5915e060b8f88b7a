"""Storage commitment, push model, as a provider: N-ACTION in, N-EVENT-REPORT out (PS3.4 J.3).

A request is durable before it is answered. The report goes out on the same association; when the peer has hung up by
then, or does not take it, who keeps the request (`CommitmentPort`) sends it to the node that its AE title stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from radrelay.errors import RadrelayError
from radrelay.network import command, identifier
from radrelay.network.command import CommandSet
from radrelay.network.errors import ProtocolViolation, ReportRefused
from radrelay.network.limits import ACTION_BYTES
from radrelay.network.negotiation import Context
from radrelay.network.ports import CommitmentPort, Element, Key, Node, QueryPort, Reference
from radrelay.network.requestor import OutgoingAssociation
from radrelay.network.session import Session
from radrelay.network.sop_classes import (
    COMMITMENT_PUSH,
    COMMITMENT_PUSH_INSTANCE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Service,
)
from radrelay.network.statuses import (
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT_INSTANCE,
    NO_SUCH_SOP_CLASS,
    PROCESSING_FAILURE,
    SUCCESS,
)

log = structlog.get_logger(__name__)

TRANSACTION_UID, RETRIEVE_AE = 0x00081195, 0x00080054
REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE = 0x00081199, 0x00081198
REFERENCED_CLASS, REFERENCED_INSTANCE, FAILURE_REASON = 0x00081150, 0x00081155, 0x00081197
REQUEST_COMMITMENT = 1
ALL_COMMITTED, SOME_FAILED = 1, 2
UID_LIMIT = 64


class CommitmentProvider:
    """Answers the N-ACTION requests of one association."""

    def __init__(self, session: Session, query: QueryPort, commitments: CommitmentPort) -> None:
        self._session = session
        self._query = query
        self._commitments = commitments

    def action(self, context: Context, request: CommandSet) -> None:
        """Serve one N-ACTION-RQ: made durable, answered, then reported."""
        session = self._session
        data = session.read_data_set(context, ACTION_BYTES) if request.has_data_set else b""
        session.channel.message_ended()
        status, asked = self._accept(context, request, data)
        log.info("commitment answered", status=f"{status:04X}", references=len(asked.references) if asked else 0)
        try:
            session.respond(context, request, status)
            if asked is not None and self._report(context, asked):
                self._note(asked.key, self._commitments.reported)
                return
        except BaseException:
            if asked is not None:
                self._note(asked.key, self._commitments.unreported)
            raise
        if asked is not None:
            self._note(asked.key, self._commitments.unreported)

    def _accept(self, context: Context, request: CommandSet, data: bytes) -> tuple[int, _Asked | None]:
        """Return the response's status, and the request if it was accepted and is durable."""
        status = _refusal(context, request)
        if status != SUCCESS:
            return status, None
        try:
            transaction, references = read_request(identifier.decode(data, context.transfer_syntax, ACTION_BYTES))
        except RadrelayError as error:
            log.warning("commitment request refused", reason=error.message)
            return INVALID_ARGUMENT, None
        if not (transaction and references) or len(transaction) > UID_LIMIT:
            return INVALID_ARGUMENT, None
        try:
            key = self._commitments.remember(self._session.peer, transaction, references)
        except RadrelayError as error:
            return error.dimse_status, None
        except Exception:  # why: a fault of one request must not cost the association its others
            log.exception("commitment failed")
            return PROCESSING_FAILURE, None
        return SUCCESS, _Asked(key, transaction, references)

    def _note(self, key: UUID, note: Callable[[UUID], None]) -> None:
        """Take note of a report; without that it is sent again, which does no harm."""
        try:
            note(key)
        except Exception as error:  # why: the request stays as it is written, and falls due by itself
            log.warning("a commitment report could not be noted", error=type(error).__name__)

    def _report(self, context: Context, asked: _Asked) -> bool:
        """Report on this association; tell whether the peer took it. Raises `AssociationEnded`."""
        session = self._session
        try:
            committed = frozenset(self._query.committed(session.peer, asked.references))
        except Exception as error:  # why: it was promised; the report follows when the archive answers again
            log.warning("commitment report waits", error=type(error).__name__)
            return False
        retrieve_ae = session.services.retrieve_ae(session.peer.called_ae)
        event, elements = make_report(asked.transaction, asked.references, committed, retrieve_ae)
        body = identifier.encode(elements, context.transfer_syntax)
        message = command.build(_event_values(session.new_message_id(), event))
        session.channel.send(session.channel.message(context.context_id, message, body))
        _, answer = session.read_command()
        if answer.field != command.N_EVENT_REPORT_RSP:
            raise ProtocolViolation("a command that is no answer to the event report")
        session.channel.message_ended()
        status = answer.number(command.STATUS)
        if status != SUCCESS:
            log.warning("commitment report refused", status=f"{status:04X}")
        return status == SUCCESS


@dataclass(frozen=True, slots=True)
class _Asked:
    """An accepted request."""

    key: UUID
    transaction: str
    references: tuple[Reference, ...]


def read_request(keys: Sequence[Key]) -> tuple[str, tuple[Reference, ...]]:
    """Return transaction UID and references of a request's data set."""
    by_tag = {key.tag: key for key in keys}
    transaction = by_tag.get(TRANSACTION_UID)
    sequence = by_tag.get(REFERENCED_SOP_SEQUENCE)
    references = []
    for item in sequence.items if sequence else ():
        values = {key.tag: key.text for key in item}
        references.append(Reference(values.get(REFERENCED_CLASS, ""), values.get(REFERENCED_INSTANCE, "")))
    return (transaction.text if transaction else ""), tuple(references)


def make_report(
    transaction: str, references: Sequence[Reference], committed: Collection[str], retrieve_ae: str
) -> tuple[int, list[Element]]:
    """Return event type and data set of a report (PS3.4 J.3.3)."""
    kept: list[list[Element]] = []
    missing: list[list[Element]] = []
    for reference in references:
        item: list[Element] = [
            (REFERENCED_CLASS, "UI", reference.sop_class_uid),
            (REFERENCED_INSTANCE, "UI", reference.sop_uid),
        ]
        if reference.sop_uid in committed:
            kept.append(item)
        else:
            missing.append([*item, (FAILURE_REASON, "US", str(NO_SUCH_OBJECT_INSTANCE))])
    elements: list[Element] = [(TRANSACTION_UID, "UI", transaction)]
    if retrieve_ae:
        elements.append((RETRIEVE_AE, "AE", retrieve_ae))
    if kept:
        elements.append((REFERENCED_SOP_SEQUENCE, "SQ", kept))
    if missing:
        elements.append((FAILED_SOP_SEQUENCE, "SQ", missing))
    return (SOME_FAILED if missing else ALL_COMMITTED), elements


def deliver_report(node: Node, event: int, elements: Sequence[Element]) -> None:
    """Send a report on an association of its own, where we are provider (PS3.4 J.3.3.1.1).

    Raises `NodeUnreachable` and its kin, and `ReportRefused` when the peer does not take it.
    """
    proposals = [(COMMITMENT_PUSH, (EXPLICIT_LITTLE,)), (COMMITMENT_PUSH, (IMPLICIT_LITTLE,))]
    with OutgoingAssociation(node, proposals, provider_of=[COMMITMENT_PUSH]) as association:
        syntax = next(iter(association.accepted_syntaxes(COMMITMENT_PUSH)), "")
        context_id = association.context_id(COMMITMENT_PUSH, syntax)
        values = _event_values(association.new_message_id(), event)
        answer = association.request(context_id, values, identifier.encode(elements, syntax))
    status = answer.number(command.STATUS)
    if answer.field != command.N_EVENT_REPORT_RSP or status != SUCCESS:
        raise ReportRefused(f"{node.ae_title} answers the commitment report with status {status:04X}H")


def _event_values(message_id: int, event: int) -> dict[int, int | str]:
    return {
        command.AFFECTED_SOP_CLASS: COMMITMENT_PUSH,
        command.COMMAND_FIELD: command.N_EVENT_REPORT_RQ,
        command.MESSAGE_ID: message_id,
        command.DATA_SET_TYPE: command.WITH_DATA_SET,
        command.AFFECTED_SOP_INSTANCE: COMMITMENT_PUSH_INSTANCE,
        command.EVENT_TYPE: event,
    }


def _refusal(context: Context, request: CommandSet) -> int:
    if context.service is not Service.COMMITMENT:
        return NO_SUCH_SOP_CLASS
    if request.text(command.REQUESTED_SOP_INSTANCE) != COMMITMENT_PUSH_INSTANCE:
        return NO_SUCH_INSTANCE
    return SUCCESS if request.number(command.ACTION_TYPE, 0) == REQUEST_COMMITMENT else NO_SUCH_ACTION

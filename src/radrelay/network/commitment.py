"""Storage commitment, push model, as a provider: N-ACTION in, N-EVENT-REPORT out (PS3.4 J.3).

The report goes out on the same association. When the peer has hung up by then, it goes to the node that its AE
title stands for, in a thread of its own and with a few tries; a peer that misses it asks again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence

import structlog

from radrelay.errors import RadrelayError
from radrelay.network import command, identifier
from radrelay.network.command import CommandSet
from radrelay.network.errors import AssociationEnded, ProtocolViolation
from radrelay.network.limits import ACTION_BYTES
from radrelay.network.negotiation import Context
from radrelay.network.ports import Element, Key, Node, QueryPort, Reference
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
REPORT_TRIES_S = (0.0, 5.0, 30.0)
"""Waits before each try to deliver a report on an association of its own."""


class CommitmentProvider:
    """Answers the N-ACTION requests of one association."""

    def __init__(self, session: Session, query: QueryPort) -> None:
        self._session = session
        self._query = query

    def action(self, context: Context, request: CommandSet) -> None:
        """Serve one N-ACTION-RQ: its response, then the report."""
        session = self._session
        data = session.read_data_set(context, ACTION_BYTES) if request.has_data_set else b""
        session.channel.message_ended()
        status = _refusal(context, request)
        transaction = ""
        references: tuple[Reference, ...] = ()
        if status == SUCCESS:
            try:
                transaction, references = read_request(identifier.decode(data, context.transfer_syntax, ACTION_BYTES))
            except RadrelayError as error:
                log.warning("commitment request refused", reason=error.message)
                status = INVALID_ARGUMENT
        if status == SUCCESS and not (transaction and references):
            status = INVALID_ARGUMENT
        committed: Collection[str] = ()
        if status == SUCCESS:
            try:
                committed = frozenset(self._query.committed(session.peer, references))
            except RadrelayError as error:
                status = error.dimse_status
            except Exception:  # why: a fault of one request must not cost the association its others
                log.exception("commitment failed")
                status = PROCESSING_FAILURE
        log.info("commitment answered", status=f"{status:04X}", references=len(references), committed=len(committed))
        session.respond(context, request, status)
        if status == SUCCESS:
            self._report(context, transaction, references, committed)

    def _report(
        self, context: Context, transaction: str, references: Sequence[Reference], committed: Collection[str]
    ) -> None:
        session = self._session
        event, elements = make_report(transaction, references, committed, session.services.retrieve_ae)
        body = identifier.encode(elements, context.transfer_syntax)
        message = command.build(_event_values(session.new_message_id(), event))
        try:
            session.channel.send(session.channel.message(context.context_id, message, body))
            _, answer = session.read_command()
            if answer.field != command.N_EVENT_REPORT_RSP:
                raise ProtocolViolation("a command that is no answer to the event report")
        except ProtocolViolation:
            raise
        except AssociationEnded:
            node = self._query.move_destination(session.peer, session.peer.calling_ae)
            if node is None:
                log.warning("commitment report not delivered", calling_ae=session.peer.calling_ae)
            else:
                arguments = (node, event, elements)
                threading.Thread(target=deliver_report, args=arguments, name="commitment-report", daemon=True).start()
            raise


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


def deliver_report(node: Node, event: int, elements: Sequence[Element]) -> bool:
    """Send a report on an association of its own, where we are provider; tell whether it arrived."""
    for wait_s in REPORT_TRIES_S:
        time.sleep(wait_s)
        try:
            proposals = [(COMMITMENT_PUSH, (EXPLICIT_LITTLE,)), (COMMITMENT_PUSH, (IMPLICIT_LITTLE,))]
            with OutgoingAssociation(node, proposals, provider_of=[COMMITMENT_PUSH]) as association:
                syntax = next(iter(association.accepted_syntaxes(COMMITMENT_PUSH)), "")
                context_id = association.context_id(COMMITMENT_PUSH, syntax)
                values = _event_values(association.new_message_id(), event)
                association.request(context_id, values, identifier.encode(elements, syntax))
        except RadrelayError as error:
            log.warning("commitment report not delivered", ae_title=node.ae_title, reason=error.message)
        else:
            return True
    return False


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

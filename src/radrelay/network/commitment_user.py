"""Storage commitment, push model, as a user: N-ACTION out, N-EVENT-REPORT in (PS3.4 J.3).

A node may report on the association that it was asked on, or later on one of its own; then the listener takes the
report and hands it to `ReportPort`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from radrelay.errors import RadrelayError
from radrelay.network import command, identifier
from radrelay.network.command import CommandSet
from radrelay.network.commitment import (
    FAILED_SOP_SEQUENCE,
    FAILURE_REASON,
    REFERENCED_CLASS,
    REFERENCED_INSTANCE,
    REFERENCED_SOP_SEQUENCE,
    REQUEST_COMMITMENT,
    TRANSACTION_UID,
)
from radrelay.network.errors import (
    AssociationEnded,
    CommitmentNotOffered,
    CommitmentRefused,
    NodeUnreachable,
    ProtocolViolation,
)
from radrelay.network.limits import ACTION_BYTES
from radrelay.network.negotiation import Context
from radrelay.network.ports import CommitmentReport, Element, Key, Node, Reference, ReportPort
from radrelay.network.requestor import OutgoingAssociation
from radrelay.network.session import Session
from radrelay.network.sop_classes import (
    COMMITMENT_PUSH,
    COMMITMENT_PUSH_INSTANCE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Service,
)
from radrelay.network.statuses import INVALID_ARGUMENT, NO_SUCH_SOP_CLASS, PROCESSING_FAILURE, SUCCESS

log = structlog.get_logger(__name__)

PROPOSALS = [(COMMITMENT_PUSH, (EXPLICIT_LITTLE,)), (COMMITMENT_PUSH, (IMPLICIT_LITTLE,))]


def ask_commitment(
    node: Node, transaction_uid: str, references: Sequence[Reference], wait_s: float = 2.0
) -> CommitmentReport | None:
    """Ask a node to commit to instances; returns its report if that comes within `wait_s`, else it comes to us later.

    Raises `NodeUnreachable` and its kin, `CommitmentNotOffered`, `CommitmentRefused`.
    """
    try:
        with OutgoingAssociation(node, PROPOSALS) as association:
            syntax = next(iter(association.accepted_syntaxes(COMMITMENT_PUSH)), None)
            if syntax is None:
                raise CommitmentNotOffered(f"{node.ae_title} does not offer storage commitment", ae_title=node.ae_title)
            context_id = association.context_id(COMMITMENT_PUSH, syntax)
            values: dict[int, int | str] = {
                command.REQUESTED_SOP_CLASS: COMMITMENT_PUSH,
                command.COMMAND_FIELD: command.N_ACTION_RQ,
                command.MESSAGE_ID: association.new_message_id(),
                command.REQUESTED_SOP_INSTANCE: COMMITMENT_PUSH_INSTANCE,
                command.ACTION_TYPE: REQUEST_COMMITMENT,
            }
            body = identifier.encode(_action(transaction_uid, references), syntax)
            status = association.request(context_id, values, body).number(command.STATUS)
            if status != SUCCESS:
                shown = f"{status:04X}H"
                message = f"{node.ae_title} answers the storage commitment request with status {shown}"
                raise CommitmentRefused(message, ae_title=node.ae_title, status=shown)
            return _report_on(association, syntax, wait_s)
    except AssociationEnded as error:
        raise NodeUnreachable(f"{node.ae_title} broke the connection off: {error.message}") from error


def _report_on(association: OutgoingAssociation, syntax: str, wait_s: float) -> CommitmentReport | None:
    """Take the report that comes on the association it was asked on, if it does; a break there loses nothing."""
    channel = association.channel
    if not channel.has_input(wait_s):
        return None
    try:
        context_id, request = association.read_response()
        if request.field != command.N_EVENT_REPORT_RQ or not request.has_data_set:
            return None
        gathered = bytearray()
        while True:
            gathered += channel.next_fragment()
            if channel.is_command or len(gathered) > ACTION_BYTES:
                raise ProtocolViolation("a commitment report that is too long or cut short")
            if channel.is_last:
                break
        channel.message_ended()
        report = read_report(identifier.decode(bytes(gathered), syntax, ACTION_BYTES))
        channel.send(channel.message(context_id, command.response(request, SUCCESS)))
    except AssociationEnded:
        return None
    except RadrelayError as error:
        log.warning("a commitment report cannot be read", reason=error.message)
        return None
    return report


def read_report(keys: Sequence[Key]) -> CommitmentReport:
    """Return what a report's data set says; an instance that stands in both lists counts as failed."""
    by_tag = {key.tag: key for key in keys}
    transaction = by_tag.get(TRANSACTION_UID)
    failed = dict(_items(by_tag.get(FAILED_SOP_SEQUENCE)))
    kept = {uid for uid, _ in _items(by_tag.get(REFERENCED_SOP_SEQUENCE))} - failed.keys()
    return CommitmentReport(transaction.text if transaction else "", frozenset(kept), failed)


def _items(sequence: Key | None) -> list[tuple[str, int]]:
    """Return SOP Instance UID and failure reason of each item."""
    found = []
    for item in sequence.items if sequence else ():
        values: Mapping[int, str] = {key.tag: key.text for key in item}
        reason = values.get(FAILURE_REASON, "")
        number = int(reason) if reason.isascii() and reason.isdigit() else PROCESSING_FAILURE
        if uid := values.get(REFERENCED_INSTANCE, ""):
            found.append((uid, number))
    return found


def _action(transaction_uid: str, references: Sequence[Reference]) -> list[Element]:
    items: list[list[Element]] = [
        [(REFERENCED_CLASS, "UI", one.sop_class_uid), (REFERENCED_INSTANCE, "UI", one.sop_uid)] for one in references
    ]
    return [(TRANSACTION_UID, "UI", transaction_uid), (REFERENCED_SOP_SEQUENCE, "SQ", items)]


@dataclass(frozen=True, slots=True)
class ReportReceiver:
    """Answers the N-EVENT-REPORT requests of one association that a node has opened to report."""

    session: Session
    reports: ReportPort

    def event(self, context: Context, request: CommandSet) -> None:
        """Serve one N-EVENT-REPORT-RQ: written down, then answered."""
        session = self.session
        data = session.read_data_set(context, ACTION_BYTES) if request.has_data_set else b""
        session.channel.message_ended()
        session.respond(context, request, self._take(context, data))

    def _take(self, context: Context, data: bytes) -> int:
        if context.service is not Service.COMMITMENT:
            return NO_SUCH_SOP_CLASS
        try:
            report = read_report(identifier.decode(data, context.transfer_syntax, ACTION_BYTES))
            taken = self.reports.report(self.session.peer, report)
        except RadrelayError as error:
            log.warning("commitment report not taken", reason=error.message)
            return error.dimse_status
        except Exception:  # why: a fault of one report must not cost the association its others
            log.exception("commitment report failed")
            return PROCESSING_FAILURE
        log.info("commitment reported to us", known=taken, kept=len(report.committed), failed=len(report.failed))
        return SUCCESS if taken else INVALID_ARGUMENT

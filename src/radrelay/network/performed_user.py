"""Modality Performed Procedure Step as a user: N-CREATE and N-SET out, as they came in (PS3.4 F.7).

A data set is sent byte for byte where the node takes the transfer syntax that it came in, else its elements are
written anew, with their values as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from radrelay.dicom.errors import Malformed
from radrelay.dicom.rewrite import Rules, rewrite
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.transcode import inflate
from radrelay.network import command, identifier
from radrelay.network.command import CommandSet
from radrelay.network.errors import AssociationEnded, NodeUnreachable, StepsNotOffered
from radrelay.network.limits import ACTION_BYTES
from radrelay.network.ports import Element, Key, Node
from radrelay.network.requestor import OutgoingAssociation
from radrelay.network.sop_classes import EXPLICIT_LITTLE, IMPLICIT_LITTLE, PERFORMED_STEP

PROPOSALS = [(PERFORMED_STEP, (EXPLICIT_LITTLE,)), (PERFORMED_STEP, (IMPLICIT_LITTLE,))]


@dataclass(frozen=True, slots=True)
class StepMessage:
    """An N-CREATE (`begins`) or N-SET of a step, with its data set as it was received."""

    sop_uid: str
    begins: bool
    data_set: bytes
    transfer_syntax: str


def tell_steps(node: Node, messages: Iterable[StepMessage]) -> Iterator[tuple[int, str]]:
    """Send messages one after the other, and yield status and comment of each answer before the next is asked for.

    Raises `NodeUnreachable` and its kin, `StepsNotOffered`.
    """
    try:
        with OutgoingAssociation(node, PROPOSALS) as association:
            offered = association.accepted_syntaxes(PERFORMED_STEP)
            if not offered:
                words = f"{node.ae_title} takes no performed procedure steps"
                raise StepsNotOffered(words, ae_title=node.ae_title)
            for message in messages:
                answer = _tell(association, offered, message)
                yield answer.number(command.STATUS), answer.text(command.ERROR_COMMENT)
    except AssociationEnded as error:
        raise NodeUnreachable(f"{node.ae_title} broke the connection off: {error.message}") from error


def _tell(association: OutgoingAssociation, offered: Iterable[str], message: StepMessage) -> CommandSet:
    syntax, body = _as_taken(message, list(offered))
    class_tag, uid_tag, field = (
        (command.AFFECTED_SOP_CLASS, command.AFFECTED_SOP_INSTANCE, command.N_CREATE_RQ)
        if message.begins
        else (command.REQUESTED_SOP_CLASS, command.REQUESTED_SOP_INSTANCE, command.N_SET_RQ)
    )
    values: dict[int, int | str] = {
        class_tag: PERFORMED_STEP,
        command.COMMAND_FIELD: field,
        command.MESSAGE_ID: association.new_message_id(),
        uid_tag: message.sop_uid,
    }
    answer = association.request(association.context_id(PERFORMED_STEP, syntax), values, body)
    if answer.has_data_set:  # PS3.7 10.1.5.1.4: the attributes as the node keeps them
        _skip_data_set(association)
    return answer


def _skip_data_set(association: OutgoingAssociation) -> None:
    channel = association.channel
    while True:
        channel.next_fragment()
        if channel.is_last:
            break
    channel.message_ended()


def _as_taken(message: StepMessage, offered: list[str]) -> tuple[str, bytes]:
    """Return a data set in a transfer syntax that the node takes: as it came, or written anew."""
    if message.transfer_syntax in offered:
        return message.transfer_syntax, message.data_set
    source, target = syntax_of(message.transfer_syntax), syntax_of(offered[0])
    try:
        data = inflate(message.data_set, ACTION_BYTES) if source.deflated else message.data_set
        written = Rules(source.explicit, source.little_endian)
        return offered[0], b"".join(rewrite(data, written, Rules(target.explicit), {}))
    except Malformed:  # it was taken: what could be read of it then goes on
        keys = identifier.decode(message.data_set, message.transfer_syntax, ACTION_BYTES)
        return offered[0], identifier.encode([_element(key) for key in keys], offered[0])


def _element(key: Key) -> Element:
    if key.vr == "SQ":
        return key.tag, key.vr, [[_element(inner) for inner in item] for item in key.items]
    return key.tag, key.vr, key.text

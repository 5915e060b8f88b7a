"""Radrelay fetches from other nodes: C-MOVE and C-GET as a user, with progress and cancel (PS3.4 C.4.2, C.4.3).

C-MOVE has the node send to whoever the destination's AE title names; C-GET brings the objects over this very
association, and they are taken by the same hot path as those that others push to the listener.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from types import TracebackType
from typing import Self
from uuid import uuid4

import structlog

from radrelay.network import command, identifier
from radrelay.network.command import CommandSet
from radrelay.network.errors import NodeSilent, ProtocolViolation, RetrievalNotOffered
from radrelay.network.identifier import QUERY_LEVEL
from radrelay.network.limits import IDENTIFIER_BYTES, Limits
from radrelay.network.negotiation import Agreement, Context
from radrelay.network.ports import (
    CALLING_AE_UNKNOWN,
    Element,
    Level,
    Model,
    Node,
    Peer,
    Rejection,
    Services,
    StoragePort,
    StoreWriter,
)
from radrelay.network.requestor import MAX_CONTEXTS, OutgoingAssociation, Proposal
from radrelay.network.session import Session
from radrelay.network.sop_classes import EXPLICIT_LITTLE, IMPLICIT_LITTLE, SERVED, Service, service_of
from radrelay.network.statuses import CANCELLED, SUCCESS, is_pending, is_warning
from radrelay.network.storage_provider import StorageProvider

log = structlog.get_logger(__name__)

FAILED_UIDS = 0x00080058
LOOK_S = 0.25  # how often somebody's wish to stop is looked at while the node says nothing
COMPRESSED = (
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order: what most archives keep
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K lossless, RPCL
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS, near lossless
    "1.2.840.10008.1.2.4.57",  # JPEG lossless, any selection
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    "1.2.840.10008.1.2.4.102",  # MPEG-4 AVC high
    "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.100",  # MPEG-2
    "1.2.840.10008.1.2.4.107",  # HEVC
    "1.2.840.10008.1.2.1.99",  # deflated
    "1.2.840.10008.1.2.2",  # big endian, retired
)
"""Transfer syntaxes that are asked for beside the two native ones, the most usual first."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Where a retrieval stands, or how it ended: counts of sub-operations, and the objects that the node failed at.

    `remaining` is none where the node does not tell; `status` is `None` until the last response.
    """

    completed: int = 0
    failed: int = 0
    warnings: int = 0
    remaining: int | None = None
    status: int | None = None
    comment: str = ""
    failed_uids: tuple[str, ...] = ()

    @property
    def cancelled(self) -> bool:
        """Tell whether the node stopped because it was asked to."""
        return self.status == CANCELLED

    @property
    def is_whole(self) -> bool:
        """Tell whether the node says that it has sent everything."""
        return self.status is not None and not self.failed and (self.status == SUCCESS or is_warning(self.status))


Tell = Callable[[Retrieved], None]
Stop = Callable[[], bool]


def silent(so_far: Retrieved) -> None:
    """Tell nobody."""


def never() -> bool:
    """Never stop."""
    return False


class Retriever:
    """What C-MOVE and C-GET have in common: one request, responses until the last, a wish to stop in between."""

    def __init__(self, node: Node, service: Service, model: Model, storage: Sequence[Proposal] = ()) -> None:
        """Connect; raises `NodeUnreachable`, `AssociationRejected` or `RetrievalNotOffered`."""
        self._sop_class = next(one.uid for one in SERVED if one.service is service and one.model == model)
        proposals = [(self._sop_class, (EXPLICIT_LITTLE, IMPLICIT_LITTLE)), *storage]
        provider_of = list(dict.fromkeys(uid for uid, _ in storage))
        self._association = OutgoingAssociation(node, proposals, provider_of)
        syntaxes = self._association.accepted_syntaxes(self._sop_class)
        if not syntaxes:
            self._association.release()
            message = f"{node.ae_title} does not offer {service.value} ({model} root)"
            raise RetrievalNotOffered(message, ae_title=node.ae_title, service=service.name)
        self._syntax = syntaxes[0]
        self._node = node

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._association.__exit__(kind, error, trace)

    def _ask(self, field: int, level: Level, keys: Sequence[Element], destination: str = "") -> int:
        """Send the request; return its message ID."""
        association, channel = self._association, self._association.channel
        number = association.new_message_id()
        values: dict[int, int | str] = {
            command.AFFECTED_SOP_CLASS: self._sop_class,
            command.COMMAND_FIELD: field,
            command.MESSAGE_ID: number,
            command.PRIORITY: 0,
            command.DATA_SET_TYPE: command.WITH_DATA_SET,
        }
        if destination:
            values[command.MOVE_DESTINATION] = destination
        body = identifier.encode([*keys, (QUERY_LEVEL, "CS", level)], self._syntax)
        context_id = association.context_id(self._sop_class, self._syntax)
        channel.send(channel.message(context_id, command.build(values), body))
        return number

    def _until_answered(
        self, session: Session, number: int, tell: Tell, stop: Stop, store: StorageProvider | None
    ) -> Retrieved:
        """Take what the node sends until its last response; raises `AssociationEnded` when that never comes."""
        so_far, asked_to_stop, channel = Retrieved(), False, session.channel
        context_id = self._association.context_id(self._sop_class, self._syntax)
        quiet_since = monotonic()
        while so_far.status is None:
            if not asked_to_stop and stop():
                self._association.cancel(context_id, number)
                asked_to_stop = True
            if not channel.has_input(LOOK_S):
                if monotonic() - quiet_since > self._node.response_timeout_s:
                    raise NodeSilent(f"{self._node.ae_title} has said nothing for {self._node.response_timeout_s:g} s")
                continue
            context, received = session.read_command()
            if store is not None and received.field == command.C_STORE_RQ:
                store.store(context, received)
            else:
                so_far = self._answer(session, context, received, number)
                tell(so_far)
            channel.message_ended()
            quiet_since = monotonic()
        return so_far

    def _answer(self, session: Session, context: Context, answer: CommandSet, number: int) -> Retrieved:
        if not answer.field & command.RESPONSE or answer.number(command.MESSAGE_ID_RESPONDED) != number:
            raise ProtocolViolation(f"a command {answer.field:04X}H where an answer to the retrieval is due")
        status = answer.number(command.STATUS)
        failed: tuple[str, ...] = ()
        if answer.has_data_set:
            data = session.read_data_set(context, IDENTIFIER_BYTES)
            keys = identifier.decode(data, context.transfer_syntax)
            failed = next((key.values for key in keys if key.tag == FAILED_UIDS), ())
        counted = Retrieved(
            completed=answer.number(command.COMPLETED, 0),
            failed=answer.number(command.FAILED, 0),
            warnings=answer.number(command.WARNINGS, 0),
            remaining=answer.number(command.REMAINING, 0) if command.REMAINING in answer.values else None,
            failed_uids=failed,
        )
        if is_pending(status):
            return counted
        return replace(counted, status=status, comment=answer.text(command.ERROR_COMMENT))

    def _session(self, storage: StoragePort, limits: Limits) -> Session:
        """Return this association as the providers of ours see one."""
        node, channel = self._node, self._association.channel
        contexts = {
            number: Context(
                context_id=number,
                abstract_syntax=uid,
                transfer_syntax=syntax,
                service=service_of(uid) or Service.STORAGE,
                model=None,
                relational=False,
                peer_stores=False,
            )
            for (uid, syntax), number in self._association.contexts.items()
        }
        peer = Peer(node.host, node.port, node.ae_title, node.calling_ae, None, uuid4().hex)
        agreement = Agreement(contexts, channel.peer_max_bytes, b"")
        return Session(channel, peer, Services(storage, CLOSED), limits, agreement)


class MoveClient(Retriever):
    """Has a node send what it holds to where an AE title leads; a context manager."""

    def __init__(self, node: Node, model: Model = "study") -> None:
        """Connect; raises `NodeUnreachable`, `AssociationRejected` or `RetrievalNotOffered`."""
        super().__init__(node, Service.MOVE, model)

    def move(
        self, level: Level, keys: Sequence[Element], destination: str, tell: Tell = silent, stop: Stop = never
    ) -> Retrieved:
        """Ask for what the unique `keys` name; `tell` hears of progress, `stop` is asked whether to cancel.

        Raises `AssociationEnded` when the connection is lost before the last response.
        """
        number = self._ask(command.C_MOVE_RQ, level, keys, destination)
        return self._until_answered(self._session(CLOSED, Limits()), number, tell, stop, None)


class GetClient(Retriever):
    """Fetches what a node holds over one association, into `storage`; a context manager."""

    def __init__(
        self,
        node: Node,
        sop_class_uids: Sequence[str],
        storage: StoragePort,
        limits: Limits | None = None,
        model: Model = "study",
    ) -> None:
        """Connect, ready to take these SOP classes; raises as `MoveClient` does."""
        super().__init__(node, Service.GET, model, get_proposals(sop_class_uids))
        self._serving = self._session(storage, limits or Limits())
        self._store = StorageProvider(self._serving)

    @property
    def taken(self) -> int:
        """Return how many objects came and were made durable."""
        return self._serving.tally.objects

    def get(self, level: Level, keys: Sequence[Element], tell: Tell = silent, stop: Stop = never) -> Retrieved:
        """Ask for what the unique `keys` name; what comes is durable before it is acknowledged.

        `tell` hears of progress, `stop` is asked whether to cancel. Raises `AssociationEnded` as `MoveClient.move`.
        """
        number = self._ask(command.C_GET_RQ, level, keys)
        return self._until_answered(self._serving, number, tell, stop, self._store)


def get_proposals(sop_class_uids: Sequence[str]) -> list[Proposal]:
    """Return one context per SOP class and transfer syntax, so that a node can send each object as it keeps it.

    An association has room for 127 beside the service itself: the more classes, the fewer compressed syntaxes of each.
    """
    classes = list(dict.fromkeys(sop_class_uids))[: MAX_CONTEXTS // 2 - 1]
    each = (MAX_CONTEXTS - 1) // max(1, len(classes))
    syntaxes = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, *COMPRESSED)[:each]
    return [(uid, (syntax,)) for uid in classes for syntax in syntaxes]


class Closed:
    """Admits nobody and takes nothing: on an association of our own nobody asks, and C-MOVE brings nothing by it."""

    def admit(self, peer: Peer) -> Rejection | None:
        """Refuse."""
        return CALLING_AE_UNKNOWN

    def open_writer(self, peer: Peer) -> StoreWriter:
        """Refuse; never called, for no storage context was proposed."""
        raise ProtocolViolation("an object on an association that takes none")


CLOSED = Closed()

"""Radrelay as a DICOM client: is a node there, send it objects, ask it what it has (PS3.4 A, B, C).

Over the same upper layer as the listener. Data sets are sent as they are kept, piece by piece, without being
decoded; every failure is told in plain words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from types import TracebackType

from radrelay.errors import RadrelayError
from radrelay.network import command, identifier
from radrelay.network.errors import (
    AssociationEnded,
    ContextRefused,
    EchoNotOffered,
    EchoRefused,
    ProtocolViolation,
)
from radrelay.network.identifier import QUERY_LEVEL
from radrelay.network.limits import IDENTIFIER_BYTES
from radrelay.network.ports import Element, Key, Level, Model, Node, RetrieveItem, StoreOutcome
from radrelay.network.requestor import MAX_CONTEXTS, OutgoingAssociation, store_proposals
from radrelay.network.sop_classes import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    MODALITY_WORKLIST,
    SERVED,
    VERIFICATION,
    Service,
)
from radrelay.network.statuses import CANCELLED, SUCCESS, is_pending, is_warning

NO_ANSWER = -1
STOPPING_S = 10.0  # a node that has more matches than wanted may take so long to stop


@dataclass(frozen=True, slots=True)
class EchoResult:
    """What came of a C-ECHO: no `error` if the node is there; `seconds` from the connection to the answer."""

    error: RadrelayError | None
    seconds: float

    @property
    def ok(self) -> bool:
        """Tell whether the node is there."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class SendResult:
    """What came of one object: the node's status (`NO_ANSWER`: none), its comment, the transfer syntax used.

    `error` says why we did not send it; the status and comment are then our own.
    """

    status: int
    comment: str
    transfer_syntax: str
    error: RadrelayError | None = None

    @property
    def is_kept(self) -> bool:
        """Tell whether the node has the object."""
        return self.status == SUCCESS or is_warning(self.status)


class QueryRefused(RadrelayError):
    """The node does not answer this query."""

    code = "query-refused"


def echo(node: Node) -> EchoResult:
    """Ask a node whether it is there (C-ECHO); never raises for what the node does."""
    began = monotonic()
    try:
        with OutgoingAssociation(node, [(VERIFICATION, (EXPLICIT_LITTLE, IMPLICIT_LITTLE))]) as association:
            syntaxes = association.accepted_syntaxes(VERIFICATION)
            if not syntaxes:
                message = f"{node.ae_title} does not offer verification (C-ECHO)"
                return EchoResult(EchoNotOffered(message, ae_title=node.ae_title), monotonic() - began)
            values: dict[int, int | str] = {
                command.AFFECTED_SOP_CLASS: VERIFICATION,
                command.COMMAND_FIELD: command.C_ECHO_RQ,
                command.MESSAGE_ID: association.new_message_id(),
            }
            status = association.request(association.context_id(VERIFICATION, syntaxes[0]), values).number(
                command.STATUS
            )
    except RadrelayError as error:
        return EchoResult(error, monotonic() - began)
    seconds = monotonic() - began
    if status != SUCCESS:
        message = f"{node.ae_title} answers with status {status:04X}H"
        return EchoResult(EchoRefused(message, ae_title=node.ae_title, status=f"{status:04X}H"), seconds)
    return EchoResult(None, seconds)


class StoreClient:
    """Sends objects to one node over one association; a context manager.

    `kept` lists (SOP class, transfer syntax) of what will be sent; an association holds 128 presentation contexts,
    so about 40 SOP classes: `StoreClient.fits` tells whether a list fits, and a longer one is sent in parts.
    """

    def __init__(self, node: Node, kept: Iterable[tuple[str, str]]) -> None:
        """Connect; raises `NodeUnreachable` or `AssociationRejected`."""
        self._association = OutgoingAssociation(node, store_proposals(kept))

    @staticmethod
    def fits(kept: Iterable[tuple[str, str]]) -> bool:
        """Tell whether one association can carry these."""
        return len(store_proposals(kept)) <= MAX_CONTEXTS

    def __enter__(self) -> StoreClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._association.__exit__(kind, error, trace)

    def accepted(self, sop_class_uid: str) -> list[str]:
        """Return the transfer syntaxes that the node takes for a SOP class, as kept first."""
        return self._association.accepted_syntaxes(sop_class_uid)

    def send(self, item: RetrieveItem) -> SendResult:
        """Send one object.

        What concerns this object alone comes back as a status (0122H when the node takes no transfer syntax that
        it can be had in). Raises `AssociationEnded` when the connection is lost: nothing more can be sent on it.
        """
        chosen = _Chosen(item)
        try:
            outcome: StoreOutcome = self._association.store(chosen)
        except AssociationEnded:
            raise
        except RadrelayError as error:
            return SendResult(error.dimse_status, error.message, "", error)
        return SendResult(outcome.status, outcome.comment, chosen.chosen)


class _Chosen:
    """An item that remembers which transfer syntax it was opened in."""

    def __init__(self, item: RetrieveItem) -> None:
        self._item = item
        self.sop_class_uid = item.sop_class_uid
        self.sop_uid = item.sop_uid
        self.transfer_syntax = item.transfer_syntax
        self.chosen = ""

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        self.chosen, pieces = self._item.open(accepted)
        return self.chosen, pieces


@dataclass(frozen=True, slots=True)
class BytesItem:
    """An object whose data set is at hand as bytes in one transfer syntax."""

    sop_class_uid: str
    sop_uid: str
    transfer_syntax: str
    data_set: bytes

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        """Return the data set as it is; raises `ContextRefused` when its transfer syntax is not accepted."""
        if self.transfer_syntax not in accepted:
            raise ContextRefused
        return self.transfer_syntax, (self.data_set,)


@dataclass(frozen=True, slots=True)
class Matches:
    """What a node has found: `more` where it was stopped, and how many matches could not be read."""

    found: tuple[tuple[Key, ...], ...]
    unreadable: int
    more: bool


class FindClient:
    """Asks one node what it has (C-FIND) over one association; a context manager."""

    def __init__(self, node: Node, model: Model = "study", sop_class: str = "") -> None:
        """Connect; raises `NodeUnreachable`, `AssociationRejected` or `QueryRefused`."""
        found = (one.uid for one in SERVED if one.service is Service.FIND and one.model == model)
        self._sop_class = sop_class or next(found)
        self._association = OutgoingAssociation(node, [(self._sop_class, (EXPLICIT_LITTLE, IMPLICIT_LITTLE))])
        syntaxes = self._association.accepted_syntaxes(self._sop_class)
        if not syntaxes:
            self._association.release()
            asked = "modality worklist" if sop_class else f"{model} root"
            raise QueryRefused(f"{node.ae_title} does not offer queries (C-FIND, {asked})")
        self._syntax = syntaxes[0]

    def __enter__(self) -> FindClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._association.__exit__(kind, error, trace)

    def find(self, level: Level, keys: Sequence[Element]) -> Iterator[tuple[Key, ...]]:
        """Yield the node's matches, text decoded; raises `QueryRefused` when it does not answer, `AssociationEnded`."""
        _, answers = self._ask(level, keys)
        for data in answers:
            yield identifier.decode(data, self._syntax)

    def find_some(self, level: Level | None, keys: Sequence[Element], most: int) -> Matches:
        """Return at most so many matches; the node is asked to stop when it has more. Raises as `find`.

        A worklist has no `level`.

        A match that cannot be read costs none of the others: it is counted.
        """
        message_id, answers = self._ask(level, keys)
        found: list[tuple[Key, ...]] = []
        unreadable, cut, until = 0, False, 0.0
        for data in answers:
            if cut:
                if monotonic() > until:
                    raise QueryRefused("the node goes on answering though it was asked to stop")
                continue
            if len(found) + unreadable == most:
                self._association.cancel(self._context_id, message_id)
                cut, until = True, monotonic() + STOPPING_S
                continue
            try:
                found.append(identifier.decode(data, self._syntax))
            except RadrelayError:
                unreadable += 1
        return Matches(tuple(found), unreadable, more=cut)

    @property
    def _context_id(self) -> int:
        return self._association.context_id(self._sop_class, self._syntax)

    def _ask(self, level: Level | None, keys: Sequence[Element]) -> tuple[int, Iterator[bytes]]:
        """Send a query; return its message ID and the node's matches, not yet read."""
        association, channel = self._association, self._association.channel
        message_id = association.new_message_id()
        values: dict[int, int | str] = {
            command.AFFECTED_SOP_CLASS: self._sop_class,
            command.COMMAND_FIELD: command.C_FIND_RQ,
            command.MESSAGE_ID: message_id,
            command.PRIORITY: 0,
            command.DATA_SET_TYPE: command.WITH_DATA_SET,
        }
        named: list[Element] = [(QUERY_LEVEL, "CS", level)] if level else []
        body = identifier.encode([*keys, *named], self._syntax)
        channel.send(channel.message(self._context_id, command.build(values), body))
        return message_id, self._answers()

    def _answers(self) -> Iterator[bytes]:
        while True:
            _, answer = self._association.read_response()
            data = self._read_data_set() if answer.has_data_set else b""
            status = answer.number(command.STATUS)
            if is_pending(status):
                yield data
            elif status in (SUCCESS, CANCELLED):
                return
            else:
                comment = answer.text(command.ERROR_COMMENT)
                raise QueryRefused(f"the node answers with status {status:04X}H {comment}".strip())

    def _read_data_set(self) -> bytes:
        channel = self._association.channel
        data = bytearray()
        while True:
            data += channel.next_fragment()
            if channel.is_command or len(data) > IDENTIFIER_BYTES:
                raise ProtocolViolation("an identifier that is too long or cut short")
            if channel.is_last:
                channel.message_ended()
                return bytes(data)


class WorklistClient(FindClient):
    """Asks one node for its modality worklist (PS3.4 K) over one association; a context manager."""

    def __init__(self, node: Node) -> None:
        """Connect; raises `NodeUnreachable`, `AssociationRejected` or `QueryRefused`."""
        super().__init__(node, sop_class=MODALITY_WORKLIST)

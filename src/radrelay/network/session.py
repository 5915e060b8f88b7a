"""An accepted association as its service providers see it: whole commands and data sets in, messages out.

Order of fragments is enforced here (PS3.7 6.3.1, PS3.8 annex E): a data set without a command, fragments of two
contexts mixed, or a context that was not accepted end the association.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from radrelay.network import command
from radrelay.network.command import CommandSet
from radrelay.network.errors import ProtocolViolation
from radrelay.network.limits import COMMAND_BYTES, Limits
from radrelay.network.negotiation import Agreement, Context
from radrelay.network.ports import Peer, Services
from radrelay.network.upper_layer import Channel


@dataclass(slots=True)
class Tally:
    """What went through one association, or through a listener; written by one thread, read by any."""

    objects: int = 0
    refused_objects: int = 0
    object_bytes: int = 0
    sent_objects: int = 0

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.objects += other.objects
        self.refused_objects += other.refused_objects
        self.object_bytes += other.object_bytes
        self.sent_objects += other.sent_objects


class DataSetTooLong(ProtocolViolation):
    """A data set is longer than this kind of message may bring."""

    code = "data-set-too-long"


@dataclass(slots=True)
class Session:
    """What a provider works with."""

    channel: Channel
    peer: Peer
    services: Services
    limits: Limits
    agreement: Agreement
    tally: Tally = field(default_factory=Tally)
    next_message_id: int = 0

    def read_command(self) -> tuple[Context, CommandSet]:
        """Wait for the next command; raises `AssociationEnded`, of which `ReleaseRequested` is the usual."""
        channel = self.channel
        fragment = channel.next_fragment()
        context = self.agreement.contexts.get(channel.context_id)
        if not channel.is_command:
            raise ProtocolViolation("a data set fragment without a command")
        if context is None:
            raise ProtocolViolation(f"presentation context {channel.context_id} was not accepted")
        if channel.is_last and len(fragment) <= COMMAND_BYTES:
            return context, command.parse(bytes(fragment))
        return context, command.parse(bytes(self._gather(context.context_id, fragment, COMMAND_BYTES, of_command=True)))

    def read_data_set(self, context: Context, longest: int) -> bytes:
        """Read the data set of the command just read; raises `ProtocolViolation` above `longest` bytes."""
        return bytes(self._gather(context.context_id, self.channel.next_fragment(), longest, of_command=False))

    def discard_data_set(self, context: Context) -> None:
        """Read the data set of the command just read and forget it."""
        channel = self.channel
        while True:
            channel.next_fragment()
            self.check_fragment(context.context_id, of_command=False)
            if channel.is_last:
                return

    def check_fragment(self, context_id: int, *, of_command: bool) -> None:
        """Raise `ProtocolViolation` unless the fragment just read continues this message."""
        channel = self.channel
        if channel.context_id != context_id or channel.is_command != of_command:
            raise ProtocolViolation("fragments of two messages are mixed")

    def respond(
        self,
        context: Context,
        request: CommandSet,
        status: int,
        comment: str = "",
        *,
        data_set: bytes | None = None,
        counts: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Send a response in one write."""
        answer = command.response(request, status, comment=comment, data_set=data_set is not None, counts=counts)
        self.channel.send(self.channel.message(context.context_id, answer, data_set))

    def new_message_id(self) -> int:
        """Return a message ID for a request of ours on this association."""
        self.next_message_id = self.next_message_id % 0xFFFF + 1
        return self.next_message_id

    def was_cancelled(self, request: CommandSet) -> bool:
        """Tell, without waiting, whether a C-CANCEL for this request has come; other commands are a violation."""
        while self.channel.has_input():
            _, received = self.read_command()
            if received.field != command.C_CANCEL_RQ:
                raise ProtocolViolation("a command while the one before is not answered")
            if received.number(command.MESSAGE_ID_RESPONDED) == request.message_id:
                return True
        return False

    def _gather(self, context_id: int, fragment: memoryview, longest: int, *, of_command: bool) -> bytearray:
        gathered = bytearray()
        while True:
            self.check_fragment(context_id, of_command=of_command)
            gathered += fragment
            if len(gathered) > longest:
                kind = "command set" if of_command else "data set"
                raise DataSetTooLong(f"a {kind} of more than {longest} bytes")
            if self.channel.is_last:
                return gathered
            fragment = self.channel.next_fragment()

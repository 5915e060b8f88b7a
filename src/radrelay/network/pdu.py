"""The PDUs of an association's beginning and end, both ways (PS3.8 9.3, annex D).

`decode_request` and `decode_accept` take the bytes after the six of a PDU's head and are bounded by them:
an item that claims more than what encloses it is a `ProtocolViolation`. P-DATA is read by `upper_layer`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, pack
from struct import error as StructError  # noqa: N812 - reads as the class it is

from radrelay.network.errors import ProtocolViolation
from radrelay.network.ports import Rejection

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
FIXED_BYTES = 68
ACCEPTANCE, USER_REJECTION, NO_REASON, ABSTRACT_SYNTAX_REFUSED, TRANSFER_SYNTAXES_REFUSED = range(5)
SOURCE_USER, SOURCE_PROVIDER = 0, 2

_ITEM = Struct(">BxH")
_U16 = Struct(">H")
_U32 = Struct(">I")

RELEASE_REQUEST_PDU = pack(">BxI4x", RELEASE_RQ, 4)
RELEASE_REPLY_PDU = pack(">BxI4x", RELEASE_RP, 4)


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context of a request."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnsweredContext:
    """A presentation context of an answer; the transfer syntax has no meaning unless `result` is 0."""

    context_id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Role:
    """SCP/SCU role selection of a SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Extended:
    """SOP class extended negotiation (PS3.7 D.3.3.5)."""

    sop_class_uid: str
    information: bytes


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item. `maximum_length` 0 means unlimited."""

    maximum_length: int = 0
    implementation_class_uid: str = ""
    implementation_version: str = ""
    async_window: tuple[int, int] | None = None
    roles: tuple[Role, ...] = ()
    extended: tuple[Extended, ...] = ()
    has_user_identity: bool = False


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ. `titles` are the 64 bytes of AE titles and reserve that an answer repeats."""

    protocol_version: int
    titles: bytes
    application_context: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation

    @property
    def called_ae(self) -> str:
        """Return the called AE title without padding."""
        return ae_text(self.titles[:16])

    @property
    def calling_ae(self) -> str:
        """Return the calling AE title without padding."""
        return ae_text(self.titles[16:32])


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """An A-ASSOCIATE-AC."""

    titles: bytes
    contexts: tuple[AnsweredContext, ...]
    user: UserInformation


def ae_text(raw: bytes) -> str:
    """Return an AE title without its padding; what is not ASCII is replaced."""
    return raw.decode("ascii", "replace").strip(" \0\r\n\t")


def ae_bytes(title: str) -> bytes:
    """Return an AE title padded to 16 bytes."""
    return title.encode("ascii", "replace")[:16].ljust(16)


def titles(called: str, calling: str) -> bytes:
    """Return the AE titles and the reserve of a request."""
    return ae_bytes(called) + ae_bytes(calling) + bytes(32)


def decode_request(body: bytes) -> AssociateRequest:
    """Read an A-ASSOCIATE-RQ (PS3.8 9.3.2); raises `ProtocolViolation`."""
    if len(body) < FIXED_BYTES:
        raise ProtocolViolation("an A-ASSOCIATE-RQ of fewer than 68 bytes")
    application, user = "", UserInformation()
    contexts: list[ProposedContext] = []
    for kind, value in _items(body, FIXED_BYTES):
        if kind == 0x10:
            application = _uid(value)
        elif kind == 0x20:
            contexts.append(_proposed(value))
        elif kind == 0x50:
            user = _user_information(value)
    numbers = [context.context_id for context in contexts]
    if len(set(numbers)) != len(numbers) or any(number % 2 == 0 for number in numbers):
        raise ProtocolViolation("presentation contexts whose numbers are even or not unique")
    return AssociateRequest(_U16.unpack_from(body)[0], body[4:FIXED_BYTES], application, tuple(contexts), user)


def decode_accept(body: bytes) -> AssociateAccept:
    """Read an A-ASSOCIATE-AC (PS3.8 9.3.3); raises `ProtocolViolation`."""
    if len(body) < FIXED_BYTES:
        raise ProtocolViolation("an A-ASSOCIATE-AC of fewer than 68 bytes")
    user = UserInformation()
    contexts: list[AnsweredContext] = []
    for kind, value in _items(body, FIXED_BYTES):
        if kind == 0x21:
            contexts.append(_answered(value))
        elif kind == 0x50:
            user = _user_information(value)
    return AssociateAccept(body[4:FIXED_BYTES], tuple(contexts), user)


def encode_request(request: AssociateRequest) -> bytes:
    """Return an A-ASSOCIATE-RQ as a whole PDU."""
    parts = [_item(0x10, request.application_context.encode())]
    for context in request.contexts:
        value = bytes((context.context_id, 0, 0, 0)) + _item(0x30, context.abstract_syntax.encode())
        value += b"".join(_item(0x40, syntax.encode()) for syntax in context.transfer_syntaxes)
        parts.append(_item(0x20, value))
    return _associate_pdu(ASSOCIATE_RQ, request.titles, parts, request.user)


def encode_accept(accept: AssociateAccept) -> bytes:
    """Return an A-ASSOCIATE-AC as a whole PDU."""
    parts = [_item(0x10, APPLICATION_CONTEXT.encode())]
    for context in accept.contexts:
        value = bytes((context.context_id, 0, context.result, 0)) + _item(0x40, context.transfer_syntax.encode())
        parts.append(_item(0x21, value))
    return _associate_pdu(ASSOCIATE_AC, accept.titles, parts, accept.user)


def encode_reject(rejection: Rejection) -> bytes:
    """Return an A-ASSOCIATE-RJ as a whole PDU (PS3.8 9.3.4)."""
    return pack(">BxIxBBB", ASSOCIATE_RJ, 4, rejection.result, rejection.source, rejection.reason)


def encode_abort(source: int, reason: int) -> bytes:
    """Return an A-ABORT as a whole PDU (PS3.8 9.3.8)."""
    return pack(">BxIxxBB", ABORT, 4, source, reason)


def _associate_pdu(kind: int, both_titles: bytes, parts: list[bytes], user: UserInformation) -> bytes:
    parts.append(_item(0x50, _encode_user_information(user)))
    body = b"".join(parts)
    return pack(">BxIHxx", kind, FIXED_BYTES + len(body), 1) + both_titles + body


def _encode_user_information(user: UserInformation) -> bytes:
    parts = [_item(0x51, _U32.pack(user.maximum_length)), _item(0x52, user.implementation_class_uid.encode())]
    if user.async_window:
        parts.append(_item(0x53, pack(">HH", *user.async_window)))
    parts.extend(_item(0x54, _counted(role.sop_class_uid) + bytes((role.scu, role.scp))) for role in user.roles)
    if user.implementation_version:
        parts.append(_item(0x55, user.implementation_version.encode("ascii", "replace")[:16]))
    parts.extend(_item(0x56, _counted(one.sop_class_uid) + one.information) for one in user.extended)
    return b"".join(parts)


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _counted(text: str) -> bytes:
    raw = text.encode()
    return _U16.pack(len(raw)) + raw


def _items(data: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    while position < len(data):
        if position + 4 > len(data):
            raise ProtocolViolation("an item's head is cut short")
        kind, length = _ITEM.unpack_from(data, position)
        position += 4
        if position + length > len(data):
            raise ProtocolViolation(f"item {kind:02X}H claims more bytes than its PDU or item has")
        yield kind, data[position : position + length]
        position += length


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")


def _proposed(value: bytes) -> ProposedContext:
    if len(value) < 4:
        raise ProtocolViolation("a presentation context item of fewer than 4 bytes")
    abstract: list[str] = []
    syntaxes: list[str] = []
    for kind, inner in _items(value, 4):
        if kind == 0x30:
            abstract.append(_uid(inner))
        elif kind == 0x40:
            syntaxes.append(_uid(inner))
    if len(abstract) != 1:
        raise ProtocolViolation("a presentation context without exactly one abstract syntax")
    return ProposedContext(value[0], abstract[0], tuple(syntaxes))


def _answered(value: bytes) -> AnsweredContext:
    if len(value) < 4:
        raise ProtocolViolation("a presentation context item of fewer than 4 bytes")
    syntax = next((_uid(inner) for kind, inner in _items(value, 4) if kind == 0x40), "")
    return AnsweredContext(value[0], value[2], syntax)


def _user_information(value: bytes) -> UserInformation:
    maximum, implementation, version = 0, "", ""
    window: tuple[int, int] | None = None
    roles: list[Role] = []
    extended: list[Extended] = []
    identity = False
    try:
        for kind, inner in _items(value, 0):
            if kind == 0x51:
                maximum = _U32.unpack_from(inner)[0]
            elif kind == 0x52:
                implementation = _uid(inner)
            elif kind == 0x53:
                window = (_U16.unpack_from(inner)[0], _U16.unpack_from(inner, 2)[0])
            elif kind == 0x54:
                uid, rest = _counted_uid(inner)
                roles.append(Role(uid, rest[0] == 1, rest[1] == 1))
            elif kind == 0x55:
                version = ae_text(inner)
            elif kind == 0x56:
                extended.append(Extended(*_counted_uid(inner)))
            elif kind == 0x58:
                identity = True
    except (StructError, IndexError) as error:
        raise ProtocolViolation("a user information item is cut short") from error
    return UserInformation(maximum, implementation, version, window, tuple(roles), tuple(extended), identity)


def _counted_uid(value: bytes) -> tuple[str, bytes]:
    length = _U16.unpack_from(value)[0]
    if 2 + length > len(value):
        raise ProtocolViolation("a SOP class UID claims more bytes than its item has")
    return _uid(value[2 : 2 + length]), value[2 + length :]

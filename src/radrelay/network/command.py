"""DIMSE command sets, read and written by own code (PS3.7 6.3, 9.3, 10.3).

A command set is little endian and implicit, of group 0000 only, so a short loop reads it; it is bounded in
bytes and elements before it comes here. `CommandSet` keeps the raw values by element number.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, pack
from struct import error as StructError  # noqa: N812 - reads as the class it is

from radrelay.network.errors import ProtocolViolation
from radrelay.network.limits import COMMAND_ELEMENTS

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
C_GET_RQ, C_FIND_RQ, C_MOVE_RQ, C_ECHO_RQ = 0x0010, 0x0020, 0x0021, 0x0030
C_ECHO_RSP = 0x8030
N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP = 0x0100, 0x8100
N_SET_RQ, N_ACTION_RQ, N_CREATE_RQ = 0x0120, 0x0130, 0x0140
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000
NO_DATA_SET = 0x0101
WITH_DATA_SET = 0x0001

AFFECTED_SOP_CLASS, REQUESTED_SOP_CLASS, COMMAND_FIELD = 0x0002, 0x0003, 0x0100
MESSAGE_ID, MESSAGE_ID_RESPONDED, MOVE_DESTINATION, PRIORITY = 0x0110, 0x0120, 0x0600, 0x0700
DATA_SET_TYPE, STATUS, OFFENDING_ELEMENT, ERROR_COMMENT = 0x0800, 0x0900, 0x0901, 0x0902
AFFECTED_SOP_INSTANCE, REQUESTED_SOP_INSTANCE, EVENT_TYPE, ACTION_TYPE = 0x1000, 0x1001, 0x1002, 0x1008
REMAINING, COMPLETED, FAILED, WARNINGS = 0x1020, 0x1021, 0x1022, 0x1023
MOVE_ORIGINATOR_AE, MOVE_ORIGINATOR_MESSAGE = 0x1030, 0x1031

_HEAD = Struct("<HHI")
_U16 = Struct("<H")


@dataclass(frozen=True, slots=True)
class CommandSet:
    """A received command: raw values by element number."""

    values: dict[int, bytes]

    def number(self, element: int, missing: int | None = None) -> int:
        """Return a US value; raises `ProtocolViolation` when it is missing and no default is given."""
        raw = self.values.get(element)
        if raw is not None and len(raw) >= 2:
            return int(_U16.unpack_from(raw)[0])
        if missing is None:
            raise ProtocolViolation(f"a command without (0000,{element:04X})")
        return missing

    def text(self, element: int) -> str:
        """Return a UI, AE or LO value without padding; empty when missing."""
        return self.values.get(element, b"").decode("ascii", "replace").strip(" \0")

    @property
    def field(self) -> int:
        """Return the command field, which says what is asked or answered."""
        return self.number(COMMAND_FIELD)

    @property
    def message_id(self) -> int:
        """Return the message ID of a request."""
        return self.number(MESSAGE_ID)

    @property
    def has_data_set(self) -> bool:
        """Tell whether a data set follows."""
        return self.number(DATA_SET_TYPE, NO_DATA_SET) != NO_DATA_SET

    @property
    def sop_class_uid(self) -> str:
        """Return the affected or requested SOP class."""
        return self.text(AFFECTED_SOP_CLASS) or self.text(REQUESTED_SOP_CLASS)


def parse(data: bytes) -> CommandSet:
    """Read a command set; raises `ProtocolViolation` for what is not one."""
    values: dict[int, bytes] = {}
    position, end = 0, len(data)
    unpack = _HEAD.unpack_from
    try:
        while position < end:
            group, element, length = unpack(data, position)
            start = position + 8
            position = start + length
            if group or position > end:
                raise ProtocolViolation(f"a command element ({group:04X},{element:04X}) that does not fit")
            values[element] = data[start:position]
    except StructError as error:
        raise ProtocolViolation("a command element's head is cut short") from error
    if len(values) > COMMAND_ELEMENTS:
        raise ProtocolViolation("a command set of too many elements")
    return CommandSet(values)


def build(values: dict[int, int | str]) -> bytes:
    """Return a command set from numbers (US) and texts, in the order of elements, with its group length."""
    body = bytearray()
    for element in sorted(values):
        value = values[element]
        if isinstance(value, int):
            raw = _U16.pack(value)
        else:
            raw = value.encode("ascii", "replace")
            if len(raw) & 1:
                raw += b" " if element in (ERROR_COMMENT, MOVE_DESTINATION, MOVE_ORIGINATOR_AE) else b"\0"
        body += _HEAD.pack(0, element, len(raw)) + raw
    return pack("<HHII", 0, 0, 4, len(body)) + body


def response(
    request: CommandSet,
    status: int,
    *,
    comment: str = "",
    data_set: bool = False,
    counts: tuple[int, int, int, int] | None = None,
) -> bytes:
    """Return the response to a request; `counts` are remaining, completed, failed, warning sub-operations."""
    values: dict[int, int | str] = {
        COMMAND_FIELD: request.field | RESPONSE,
        MESSAGE_ID_RESPONDED: request.message_id,
        DATA_SET_TYPE: WITH_DATA_SET if data_set else NO_DATA_SET,
        STATUS: status,
    }
    if request.sop_class_uid:
        values[AFFECTED_SOP_CLASS] = request.sop_class_uid
    instance = request.text(AFFECTED_SOP_INSTANCE) or request.text(REQUESTED_SOP_INSTANCE)
    if instance:
        values[AFFECTED_SOP_INSTANCE] = instance
    if ACTION_TYPE in request.values:
        values[ACTION_TYPE] = request.number(ACTION_TYPE)
    if comment:
        values[ERROR_COMMENT] = comment[:64]
    if counts:
        remaining, values[COMPLETED], values[FAILED], values[WARNINGS] = counts
        if status in (0xFF00, 0xFE00):  # only these two may tell what remains (PS3.4 C.4.2.1.6)
            values[REMAINING] = remaining
    return build(values)


def store_response(request: CommandSet, status: int, comment: str) -> bytes:
    """Return a C-STORE response: the same as `response`, laid out in one go for the hot path."""
    raw = request.values
    sop_class, instance = _even(raw.get(AFFECTED_SOP_CLASS, b"")), _even(raw.get(AFFECTED_SOP_INSTANCE, b""))
    remark = comment.encode("ascii", "replace")[:64]
    if len(remark) & 1:
        remark += b" "
    shown = _HEAD.pack(0, ERROR_COMMENT, len(remark)) + remark if remark else b""
    length = len(sop_class) + len(instance) + len(shown) + 56
    return b"".join(
        (
            _STORE_HEAD.pack(0, 0, 4, length, 0, AFFECTED_SOP_CLASS, len(sop_class)),
            sop_class,
            _STORE_MIDDLE.pack(
                *(0, COMMAND_FIELD, 2, C_STORE_RSP),
                *(0, MESSAGE_ID_RESPONDED, 2, request.message_id),
                *(0, DATA_SET_TYPE, 2, NO_DATA_SET),
                *(0, STATUS, 2, status),
            ),
            shown,
            _HEAD.pack(0, AFFECTED_SOP_INSTANCE, len(instance)),
            instance,
        )
    )


_STORE_HEAD = Struct("<HHIIHHI")
_STORE_MIDDLE = Struct("<HHIHHHIHHHIHHHIH")


def _even(raw: bytes) -> bytes:
    return raw + b"\0" if len(raw) & 1 else raw

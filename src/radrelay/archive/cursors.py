"""Where a page of studies ended, as text that a client gives back to go on from there."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from radrelay.archive.errors import CursorInvalid
from radrelay.archive.query import Window

MOST = (1 << 63) - 1  # that a sort key can be


@dataclass(frozen=True, slots=True)
class Place:
    """The sort value and sort key of a page's last study."""

    value: Any
    sort_key: int


class _Cursor(msgspec.Struct, array_like=True):
    sort: str
    descending: bool
    value: int | str | float | None
    sort_key: int


def write_cursor(window: Window, place: Place) -> str:
    """Return the cursor that goes on after `place`."""
    value = place.value.timestamp() if isinstance(place.value, datetime) else place.value
    packed = msgspec.msgpack.encode(_Cursor(window.sort, window.descending, value, place.sort_key))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(window: Window) -> Place:
    """Return the place of the window's cursor; raises `CursorInvalid` if it is not of this order."""
    try:
        raw = base64.urlsafe_b64decode(window.cursor + "=" * (-len(window.cursor) % 4))
        cursor = msgspec.msgpack.decode(raw, type=_Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise CursorInvalid from error
    if (cursor.sort, cursor.descending) != (window.sort, window.descending):
        raise CursorInvalid
    value: Any = cursor.value
    if not -MOST <= cursor.sort_key <= MOST:
        raise CursorInvalid
    if window.sort in ("received", "expires") and value is not None:
        value = _moment(value)
    elif window.sort == "name" and not isinstance(value, str):
        raise CursorInvalid
    return Place(value, cursor.sort_key)


def place_condition(
    window: Window, column: ColumnElement[Any], key: ColumnElement[int], place: Place
) -> ColumnElement[bool]:
    """Return the condition that a row lies after `place` in the window's order."""
    if window.sort == "date":
        return key < place.sort_key if window.descending else key > place.sort_key
    if place.value is None:
        return sa.and_(column.is_(None), key < place.sort_key if window.descending else key > place.sort_key)
    mark = sa.tuple_(sa.literal(place.value, column.type), sa.literal(place.sort_key, key.type))
    here = sa.tuple_(column, key)
    return here < mark if window.descending else here > mark


def _moment(value: object) -> datetime:
    if not isinstance(value, (int, float)):
        raise CursorInvalid
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise CursorInvalid from error

"""All attributes of a data set as rows to read and to search (PS3.5 7; names of PS3.6).

In: a header, and the file meta information. Out: rows in the order of the data set, each with its depth: elements,
and the items of sequences. Values are decoded and cut to a length; bulk is named by its size. The number of rows and
the length of all texts are bounded, however a data set is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from radrelay.dicom.dictionary import keyword_of, name_of, private_name_of, uid_name
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import PREAMBLE_BYTES
from radrelay.dicom.syntaxes import EXPLICIT_LE

MOST_ROWS = 60_000
MOST_TEXT = 8 << 20
LONGEST_VALUE = 400
LONGEST_WHOLE = 1 << 20
SHOWN_BYTES = 64
BULK_GROUP = 0x7FE0
_BINARY = frozenset(("OB", "OW", "OF", "OD", "OL", "OV", "UN"))
_WORDS = frozenset(("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "US or SS"))
_WORD_BYTES = 2


@dataclass(frozen=True, slots=True)
class Row:
    """An element, or an item of the sequence above it (then `tag` is empty and `value` its number from 1).

    `more` says that the value goes on; `bulk` that it is bytes that nobody reads; `mark` tells whether two values
    agree that are not written out. `count` is the number of a sequence's items.
    """

    depth: int
    tag: str
    vr: str
    name: str
    keyword: str
    length: int
    value: str
    more: bool = False
    bulk: bool = False
    mark: str = ""
    count: int | None = None
    creator: str = ""


@dataclass(frozen=True, slots=True)
class HeaderTree:
    """The rows of a data set; `shortened` says that there are more, `problems` what was odd about it."""

    rows: list[Row]
    shortened: bool
    problems: list[str]


def read_tree(header: Header, meta: bytes = b"") -> HeaderTree:
    """Return the rows of a file's meta information (with its preamble) and of its data set."""
    rows: list[Row] = []
    left = MOST_TEXT
    shortened = False
    for row in _all(header, meta):
        left -= len(row.value)
        if len(rows) >= MOST_ROWS or left < 0:
            shortened = True
            break
        rows.append(row)
    return HeaderTree(rows, shortened, list(header.problems))


def whole_value(header: Header, path: str) -> str | None:
    """Return the text of the value at `path` (`TAG/item from 0/TAG`), up to `LONGEST_WHOLE`; none if there is none."""
    *outer, last = path.split("/")
    if len(outer) % 2:
        return None
    try:
        for tag, index in zip(outer[::2], outer[1::2], strict=True):
            header = header.items(int(tag, 16))[int(index)]
        tag_number = int(last, 16)
    except (ValueError, IndexError):
        return None
    if tag_number not in header:
        return None
    if header.vr(tag_number) in _BINARY or header.encapsulated(tag_number):
        return header.raw(tag_number)[: LONGEST_WHOLE // 3].hex(" ")
    return header.text(tag_number)[:LONGEST_WHOLE]


def _all(header: Header, meta: bytes) -> Iterator[Row]:
    if meta:
        yield from _rows(parse(meta[PREAMBLE_BYTES + 4 :], EXPLICIT_LE), 0)
    yield from _rows(header, 0)
    bulk = header.bulk
    if bulk is not None and bulk[0] not in header:  # the head of a data set alone was read
        tag, _, length = bulk
        size = length if length != 0xFFFFFFFF else 0
        yield Row(0, f"{tag:08X}", header.bulk_vr, name_of(tag), keyword_of(tag), size, "", bulk=True)


def _rows(header: Header, depth: int) -> Iterator[Row]:
    for tag in header:
        vr = header.vr(tag)
        creator = _creator(header, tag)
        name = private_name_of(tag, creator) if creator else name_of(tag)
        place = header.place(tag)
        length = place[2] if place else 0
        if vr == "SQ":
            items = _items(header, tag)
            yield Row(depth, f"{tag:08X}", vr, name, keyword_of(tag), length, "", count=len(items), creator=creator)
            for number, item in enumerate(items, 1):
                yield Row(depth + 1, "", "", "", "", 0, str(number), count=len(item))
                yield from _rows(item, depth + 2)
        else:
            yield _valued(header, tag, Row(depth, f"{tag:08X}", vr, name, keyword_of(tag), length, "", creator=creator))


def _items(header: Header, tag: int) -> list[Header]:
    try:
        return header.items(tag)
    except Malformed:
        return []  # the header notes what is wrong among its problems


def _valued(header: Header, tag: int, row: Row) -> Row:
    """Return the row with its value: text, numbers, or bytes as hexadecimal digits where they are few."""
    binary = row.vr in _BINARY or header.encapsulated(tag)
    if binary and (row.length > SHOWN_BYTES or tag >> 16 >= BULK_GROUP or header.encapsulated(tag)):
        return _with(row, "", bulk=True, mark=_mark(header, tag))
    if binary:
        raw = header.raw(tag)
        bare = raw.rstrip(b"\0 ")
        readable = row.vr == "UN" and bare and all(32 <= byte < 127 for byte in bare)
        return _with(row, bare.decode("ascii") if readable else raw.hex(" "))
    if row.vr in _WORDS and row.length > _WORD_BYTES * LONGEST_VALUE:
        shown = "\\".join(header.texts(tag)[: LONGEST_VALUE // 4])
        return _with(row, shown, more=True, mark=_mark(header, tag))
    text = header.text(tag)
    if row.vr == "UI" and (known := uid_name(text)):
        text = f"{text} = {known}"
    if len(text) <= LONGEST_VALUE:
        return _with(row, text)
    return _with(row, text[:LONGEST_VALUE], more=True, mark=_mark(header, tag))


def _with(row: Row, value: str, *, more: bool = False, bulk: bool = False, mark: str = "") -> Row:
    return Row(
        row.depth, row.tag, row.vr, row.name, row.keyword, row.length, value, more, bulk, mark, creator=row.creator
    )


def _mark(header: Header, tag: int) -> str:
    place = header.place(tag)
    if place is None:
        return ""
    return hashlib.blake2b(memoryview(header.data)[place[1] : place[1] + place[2]], digest_size=8).hexdigest()


def _creator(header: Header, tag: int) -> str:
    """Return who reserved a private element's block (PS3.5 7.8.1)."""
    if not tag & 0x10000 or tag & 0xFFFF < 0x1000:
        return ""
    return header.text((tag & 0xFFFF0000) | (tag >> 8 & 0xFF))

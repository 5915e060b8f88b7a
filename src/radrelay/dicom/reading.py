"""Reading a data set's elements into places: tag → VR, offset, length (PS3.5 7).

In: bytes and a dialect. Out: `Block`s, one for the data set and one for each item that had to be read to find its
end; items of sequences with a length are read when somebody asks. No value is decoded or copied here. Depth and
number of elements are bounded, every offset is checked, each byte is passed at most once per level of nesting.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from radrelay.dicom import dialects, dictionary
from radrelay.dicom.dialects import (
    BULK_GROUP,
    DEPTH_LIMIT,
    ELEMENT_LIMIT,
    ITEM,
    ITEM_END,
    LONG_VRS,
    SEQUENCE_END,
    SHORT_VRS,
    UNDEFINED,
    Dialect,
    met_dialect,
)
from radrelay.dicom.errors import Malformed, tag_text

_PROBLEM_LIMIT = 50
_BULK_VRS = frozenset(("OB", "OW", "OF", "OD", "OL", "OV", "UN"))

Place = tuple[str, int, int]
"""(VR, offset of the value, length of the value); the VR is the dictionary's where the data set has none."""


@dataclass(slots=True)
class Source:
    """The bytes that blocks point into, and what was odd about them.

    `truncated` becomes true when an element runs beyond the end; `bulk_tag` is the first top-level element of a group
    from 7FE0 on, `bulk_offset` where its header begins, `bulk_length` as declared.
    """

    data: bytes
    problems: list[str] = field(default_factory=list)
    truncated: bool = False
    truncated_ok: bool = True
    elements_left: int = ELEMENT_LIMIT
    bulk_tag: int = 0
    bulk_offset: int = -1
    bulk_length: int = 0

    def problem(self, text: str) -> None:
        """Note what is wrong and was read all the same."""
        if len(self.problems) < _PROBLEM_LIMIT:
            self.problems.append(text)

    def cut(self, text: str) -> None:
        """Note that the data end too early, or raise `Malformed` where they must not."""
        if not self.truncated_ok:
            raise Malformed(text)
        self.truncated = True
        self.problem(text)


class Block:
    """The elements of a data set or of an item. `fragments` are tags whose value is encapsulated."""

    __slots__ = ("dialect", "fragments", "places", "sequences")

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.places: dict[int, Place] = {}
        self.sequences: dict[int, list[Block]] = {}
        self.fragments: set[int] = set()


def read_block(  # noqa: C901, PLR0912, PLR0915 - one loop on a hot path; a call per element would double its time
    source: Source, position: int, end: int, declared: Dialect, depth: int, *, delimited: bool
) -> tuple[Block, int]:
    """Read elements from `position` to `end`, or to the item's delimiter if it is `delimited`.

    Returns the block and the offset after it. Raises `Malformed` on a structure that cannot be followed.
    """
    if depth > DEPTH_LIMIT:
        raise Malformed(f"sequences are nested deeper than {DEPTH_LIMIT} at byte {position}")
    data = source.data
    dialect = met_dialect(declared, data, position)
    block = Block(dialect)
    places = block.places
    known = dialect.headers.get
    read_header = _explicit_header if dialect.explicit else _implicit_header
    while position + 8 <= end:
        header = data[position : position + 8]
        met = known(header)
        if met is None:
            group = dialect.tag(data, position) >> 16
            if group == 0xFFFE:
                tag = dialect.tag(data, position)
                if delimited and tag == ITEM_END:
                    source.elements_left -= len(places)
                    return block, position + 8
                if delimited and tag == SEQUENCE_END:
                    return block, position  # the item forgot its own end
                if depth:
                    raise Malformed(f"{tag_text(tag)} at byte {position} stands outside of its sequence")
                source.problem(f"{tag_text(tag)} at byte {position} stands outside of a sequence; reading ends there")
                break
            if position + 12 > end and dialect.explicit and header[4:6] not in SHORT_VRS:
                break
            tag, vr, value, length = read_header(dialect, data, position)
            if not depth and group >= BULK_GROUP and not source.bulk_tag:
                source.bulk_tag, source.bulk_offset, source.bulk_length = tag, position, length
            if length == UNDEFINED:
                position = _read_undefined(source, block, (tag, vr, value), end, depth)
                continue
            if value == position + 8 and vr != "SQ" and length < 4096 and group < BULK_GROUP:
                dialect.learn_element(header, (tag, vr, length))
        else:
            tag, vr, length = met
            value = position + 8
        stop = value + length
        if stop > end:
            if not depth and source.truncated_ok and (tag == source.bulk_tag or tag >> 16 == BULK_GROUP):
                return block, end  # the head of a data set: its bulk stays elsewhere
            source.cut(f"{tag_text(tag)} at byte {position} runs {stop - end} bytes beyond the end")
            return block, end
        if tag in places:
            source.problem(f"{tag_text(tag)} stands twice; the first one counts")
        else:
            places[tag] = (vr, value, length)
            if len(places) > source.elements_left:
                raise Malformed(f"the data set has more than {ELEMENT_LIMIT} elements")
        position = stop
    source.elements_left -= len(places)
    if delimited:
        source.cut(f"an item that began before byte {position} does not end")
        return block, end
    if position < end and any(data[position:end]):
        source.problem(f"{end - position} bytes at byte {position} are no element")
    return block, end


def _explicit_header(dialect: Dialect, data: bytes, position: int) -> tuple[int, str, int, int]:
    """Return (tag, VR, offset of the value, length) of an element with explicit VR (PS3.5 7.1.2)."""
    tag = dialect.tag(data, position)
    vr = data[position + 4 : position + 6]
    if vr in SHORT_VRS:
        return tag, vr.decode("ascii"), position + 8, dialect.u16(data, position + 6)[0]
    if vr in LONG_VRS or (vr.isalpha() and vr.isupper()):
        name = vr.decode("ascii") if vr in LONG_VRS else "UN"
        (length,) = dialect.u32(data, position + 8)
        if name == "UN":
            name = _settled(dictionary.vr_of(tag), dialect, data, position + 12, length)
        return tag, name, position + 12, length
    name = _settled(dictionary.vr_of(tag), dialect, data, position + 8, 0)
    return tag, name, position + 8, dialect.u16(data, position + 6)[0]


def _implicit_header(dialect: Dialect, data: bytes, position: int) -> tuple[int, str, int, int]:
    """Return (tag, the dictionary's VR, offset of the value, length) of an element with implicit VR."""
    tag = dialect.tag(data, position)
    (length,) = dialect.u32(data, position + 4)
    return tag, _settled(dictionary.vr_of(tag), dialect, data, position + 8, length), position + 8, length


def _settled(vr: str, dialect: Dialect, data: bytes, value: int, length: int) -> str:
    """Return one VR for the dictionary's ambiguous ones; `US or SS` is settled when the value is read.

    An unknown element of undefined length is a sequence (PS3.5 6.2.2 note 4).
    """
    if length == UNDEFINED and vr != "SQ" and vr not in ("OB or OW", "OB", "OW"):
        return "SQ"
    if len(vr) == 2 or vr == "US or SS":
        return vr
    return "OW" if "OW" in vr else "US or SS" if "SS" in vr else "UN"


def _read_undefined(source: Source, block: Block, element: tuple[int, str, int], end: int, depth: int) -> int:
    """Read a value of undefined length and return the offset after its delimiter (PS3.5 7.5, A.4)."""
    tag, vr, value = element
    if (vr in _BULK_VRS and tag & 0xFFFF == 0x0010 and tag >> 24 == 0x7F) or vr in ("OB", "OW"):
        # why: a head ends where its bulk begins, whose fragments then stay elsewhere; that cuts nothing off
        apart = not depth and tag >> 16 == BULK_GROUP and source.truncated_ok
        stop, after = _skip_fragments(source, value, end, block.dialect, apart=apart)
        block.fragments.add(tag)
    else:
        inner = block.dialect
        if inner.explicit and source.data[value - 8 : value - 6] == b"UN":
            inner = dialects.IMPLICIT_LITTLE
        items, after = read_items(source, value, end, inner, depth + 1, delimited=True)
        block.sequences.setdefault(tag, items)
        vr, stop = "SQ", after
    if tag in block.places:
        source.problem(f"{tag_text(tag)} stands twice; the first one counts")
    else:
        block.places[tag] = (vr, value, stop - value)
    return after


def _skip_fragments(source: Source, position: int, end: int, dialect: Dialect, *, apart: bool) -> tuple[int, int]:
    """Return (end of the last fragment, offset after the delimiter) of an encapsulated value (PS3.5 A.4).

    `apart` says that the rest may stand elsewhere than in the bytes at hand: what is wrong with it is the bulk's own.
    """
    data = source.data
    while position + 8 <= end:
        tag = dialect.tag(data, position)
        (length,) = dialect.u32(data, position + 4)
        if tag == SEQUENCE_END:
            return position, position + 8
        if tag != ITEM or length == UNDEFINED:
            broken = f"{tag_text(tag)} at byte {position} is no fragment"
            (source.problem if apart else source.cut)(broken)
            return position, end
        position += 8 + length
    if not apart:
        source.cut(f"the fragments before byte {min(position, end)} have no end")
    return end, end


def read_items(
    source: Source, position: int, end: int, dialect: Dialect, depth: int, *, delimited: bool
) -> tuple[list[Block], int]:
    """Read a sequence's items from `position` to `end`, or to the sequence's delimiter if it is `delimited`."""
    if depth > DEPTH_LIMIT:
        raise Malformed(f"sequences are nested deeper than {DEPTH_LIMIT} at byte {position}")
    data = source.data
    items: list[Block] = []
    while position + 8 <= end:
        tag = dialect.tag(data, position)
        (length,) = dialect.u32(data, position + 4)
        if tag == SEQUENCE_END:
            return items, position + 8
        if tag != ITEM:
            if delimited:
                raise Malformed(f"{tag_text(tag)} at byte {position} stands where an item must begin")
            source.problem(f"{tag_text(tag)} at byte {position} stands where an item must begin")
            return items, end
        source.elements_left -= 1
        if source.elements_left < 0:
            raise Malformed(f"the data set has more than {ELEMENT_LIMIT} elements")
        if length == UNDEFINED:
            block, position = read_block(source, position + 8, end, dialect, depth, delimited=True)
        else:
            stop = position + 8 + length
            if stop > end:
                source.cut(f"an item at byte {position} runs {stop - end} bytes beyond the end")
            block, _ = read_block(source, position + 8, min(stop, end), dialect, depth, delimited=False)
            position = min(stop, end)
        items.append(block)
    if delimited:
        source.cut(f"a sequence that began before byte {position} does not end")
    return items, end

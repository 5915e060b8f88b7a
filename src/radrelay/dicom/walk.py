"""The structural walk before a data set is acknowledged (PS3.5 7): its UIDs, and where its bulk data begin.

Everything that arrives passes here while its sender waits, so the walk does the least that lets the archive promise
to index the object: each top-level element is stepped over, sequences of undefined length are followed with a
bounded depth, and nothing is decoded but four UIDs.
"""

from __future__ import annotations

import zlib

import msgspec

from radrelay.dicom import dialects
from radrelay.dicom.dialects import (
    BULK_GROUP,
    DEPTH_LIMIT,
    ITEM,
    ITEM_END,
    LONG_VRS,
    SEQUENCE_END,
    SHORT_VRS,
    UNDEFINED,
    Dialect,
)
from radrelay.dicom.errors import Malformed, Unidentified, beyond_end, tag_text
from radrelay.dicom.syntaxes import Syntax, syntax_of

SOP_CLASS_UID = 0x00080016
SOP_UID = 0x00080018
STUDY_UID = 0x0020000D
SERIES_UID = 0x0020000E
_IN_ORDER = (SOP_CLASS_UID, SOP_UID, STUDY_UID, SERIES_UID)
_WANTED = frozenset(_IN_ORDER)

HEAD_BYTES = 256 << 10
"""Most bytes that a head has, unless the attributes of the index lie beyond."""
HEAD_LIMIT = 4 << 20
"""Attributes of the index that begin beyond this are not looked for."""
_LAST_INDEXED_GROUP = 0x0028
_WINDOWS = (16 << 10, HEAD_BYTES + 4096, HEAD_LIMIT)
_UID_BYTES = b"0123456789.-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UID_LIMIT = 64
_LEARN_BYTES = 4096  # larger elements are looked at each time, so that the walk knows where it crossed a window

Buffer = bytes | bytearray | memoryview
Bulk = tuple[int, int, Dialect]
_Found = tuple[dict[int, bytes], int, Bulk | None]


class Survey(msgspec.Struct, frozen=True):
    """What is known of a data set before it is acknowledged.

    `head_length` counts bytes as received, up to the value of PixelData or what else of group 7FE0 and above comes
    first, its tag, VR and length included. `bulk` is that element where it was come to: the byte at which it begins,
    that at which its value ends (0 for fragments), and the dialect around it.
    """

    sop_class_uid: str
    sop_uid: str
    study_uid: str
    series_uid: str
    head_length: int
    bulk: Bulk | None = None


def survey(
    data: Buffer,
    length: int,
    transfer_syntax_uid: str,
    *,
    sop_class_uid: str = "",
    sop_uid: str = "",
    total: int | None = None,
) -> Survey:
    """Walk the first `length` bytes of `data` and return the UIDs and the length of the head.

    Parameters
    ----------
    data, length
        A buffer and how many of its bytes are the data set (or its beginning, when `total` is larger).
    transfer_syntax_uid
        As negotiated or as the file meta information says.
    sop_class_uid, sop_uid
        What the association or the file meta information names, for a data set that names none itself.
    total
        Length of the whole data set in bytes, when `data` holds only its beginning.

    Raises
    ------
    Malformed
        The structure breaks, ends too early, or a UID is missing or is none; the message names tag and offset.
    """
    syntax = syntax_of(transfer_syntax_uid)
    total = length if total is None else total
    if syntax.deflated:
        return _survey_deflated(data, length, syntax, sop_class_uid, sop_uid)
    uids, head_length, bulk = _first_walk(data, length, total, syntax)
    return _checked(uids, head_length, bulk, sop_class_uid, sop_uid)


def _first_walk(data: Buffer, length: int, total: int, syntax: Syntax) -> _Found:
    """Walk growing windows of `data`, so that a usual header costs one small copy."""
    for size in _WINDOWS:
        window = bytes(memoryview(data)[: min(length, size)])
        try:
            found = _walk(window, length, total, syntax, learned=True)
        except Malformed:
            # the first walk trusts what it learned; this one takes each header apart and so names the tag
            found = _walk(window, length, total, syntax, learned=False)
        if found is not None:
            return found
    raise Malformed(f"the data set's UIDs do not stand in its first {HEAD_LIMIT} bytes")


def _survey_deflated(data: Buffer, length: int, syntax: Syntax, sop_class_uid: str, sop_uid: str) -> Survey:
    """Survey the beginning of a deflated data set (PS3.5 A.5); its head is deflated too."""
    head = bytes(memoryview(data)[: min(length, HEAD_BYTES)])
    window = inflate(head, HEAD_BYTES)
    whole = len(window) if len(window) < HEAD_BYTES and len(head) == length else 1 << 62
    uids, *_ = _first_walk(window, len(window), whole, syntax)
    return _checked(uids, len(head), None, sop_class_uid, sop_uid)


def inflate(data: bytes, limit: int) -> bytes:
    """Return at most `limit` bytes of what `data` (raw deflate, RFC 1951) inflates to, as far as it goes.

    Raises `Malformed` when not even a beginning can be inflated. A zlib or gzip wrapper, which some senders add
    against PS3.5 A.5, is taken off.
    """
    for bits in (-zlib.MAX_WBITS, zlib.MAX_WBITS | 32):
        engine = zlib.decompressobj(bits)
        parts: list[bytes] = []
        room = limit
        try:
            for start in range(0, len(data), 16384):
                parts.append(engine.decompress(data[start : start + 16384], room))
                room -= len(parts[-1])
                if room <= 0 or engine.eof:
                    break
        except zlib.error as broken:
            if not any(parts):
                failure = broken
                continue
        return b"".join(parts)
    raise Malformed("the data set is not deflated, as its transfer syntax says it is") from failure


def _checked(uids: dict[int, bytes], head_length: int, bulk: Bulk | None, sop_class_uid: str, sop_uid: str) -> Survey:
    """Make the answer of UIDs as encoded: at most 64 characters (PS3.5 9.1).

    Letters, which de-identifying programs write against the standard, are let through; what could mean something
    in a path, an address or a page is not.
    """
    sop_class, sop, study, series = [uids.get(tag, b"").rstrip(b"\0 ") for tag in _IN_ORDER]
    longest = max(len(sop_class), len(sop), len(study), len(series))
    if sop_class and sop and study and series and longest <= _UID_LIMIT:
        # the usual case at once: digits and dots only, none begins with a dot
        together = b"".join((sop_class, sop, study, series))
        if not together.translate(None, b"0123456789.") and 46 not in (sop_class[0], sop[0], study[0], series[0]):
            return Survey(sop_class.decode(), sop.decode(), study.decode(), series.decode(), head_length, bulk)
    return _checked_singly(uids, head_length, bulk, sop_class_uid, sop_uid)


def _checked_singly(
    uids: dict[int, bytes], head_length: int, bulk: Bulk | None, sop_class_uid: str, sop_uid: str
) -> Survey:
    """Check UID by UID, so that the message names the one that is wrong."""
    texts: list[str] = []
    for tag, otherwise in ((SOP_CLASS_UID, sop_class_uid), (SOP_UID, sop_uid), (STUDY_UID, ""), (SERIES_UID, "")):
        value = uids.get(tag, b"").strip(b"\0 ")
        if value and not usable_uid(value):
            raise Unidentified(f"{_NAMES[tag]} {tag_text(tag)} is not a UID")
        if not value and not otherwise:
            raise Unidentified(f"{_NAMES[tag]} {tag_text(tag)} is missing or empty")
        texts.append(value.decode("ascii") or otherwise)
    return Survey(texts[0], texts[1], texts[2], texts[3], head_length, bulk)


def usable_uid(value: bytes) -> bool:
    """Return whether a UID's value, stripped of padding, can name something here (PS3.5 9.1, and letters)."""
    return bool(value) and not value.translate(None, _UID_BYTES) and len(value) <= _UID_LIMIT and value[0] != 46


_NAMES = {
    SOP_CLASS_UID: "SOPClassUID",
    SOP_UID: "SOPInstanceUID",
    STUDY_UID: "StudyInstanceUID",
    SERIES_UID: "SeriesInstanceUID",
}


def _walk(  # noqa: C901, PLR0912, PLR0915 - one loop on the hot path; a call per element would double its time
    window: bytes, length: int, total: int, syntax: Syntax, *, learned: bool
) -> _Found | None:
    """Return (UIDs, length of the head, the bulk element if there is one), or none when `window` is too short to say.

    `window` is the beginning of `length` bytes at hand of a data set of `total` bytes.
    """
    now = dialects.met_dialect(dialects.dialect(explicit=syntax.explicit, little=syntax.little_endian), window, 0)
    known = now.steps.get if learned else _nothing.get
    uids: dict[int, bytes] = {}
    outer: list[tuple[int, Dialect]] = []  # of each open sequence or item: the tag that ends it, the dialect around it
    position = top_tag = 0
    size = len(window)
    while True:
        while step := known(window[position : position + 8]):
            position += step
        if position + 8 > size:
            return _out_of_window(uids, position, top_tag, (size, length, total), closed=not outer)
        wanted = now.uids.get(window[position : position + 8])
        if wanted is not None and not outer:
            tag, value_length = wanted
            end = position + 8 + value_length
            if end <= size and tag not in uids:
                uids[tag] = window[position + 8 : end]
                position = end
                continue
        tag = now.tag(window, position)
        group = tag >> 16
        if group == 0xFFFE:
            (value_length,) = now.u32(window, position + 4)
            position += 8
            if tag == ITEM and outer and outer[-1][0] == SEQUENCE_END:
                if value_length == UNDEFINED:
                    outer.append((ITEM_END, now))
                    now = dialects.met_dialect(now, window, position)
                else:
                    position += value_length
            elif outer and tag == outer[-1][0]:
                now = outer.pop()[1]
            elif tag == SEQUENCE_END and len(outer) > 1:
                outer.pop()  # an item that forgot its own end closes with its sequence
                now = outer.pop()[1]
            else:
                raise Malformed(f"{tag_text(tag)} at byte {position - 8} stands outside of its sequence")
            if len(outer) > 2 * DEPTH_LIMIT:
                raise Malformed(f"sequences are nested deeper than {DEPTH_LIMIT} at byte {position - 8}")
            known = now.steps.get if learned else _nothing.get
            continue
        if not outer:
            top_tag = tag
        value = position + 8
        if not now.explicit:
            (value_length,) = now.u32(window, position + 4)
        else:
            vr = window[position + 4 : position + 6]
            if vr in SHORT_VRS or not (vr in LONG_VRS or (vr.isalpha() and vr.isupper())):
                (value_length,) = now.u16(window, position + 6)
            else:
                value += 4
                if value > size:
                    return _out_of_window(uids, position, top_tag, (size, length, total), closed=False)
                (value_length,) = now.u32(window, position + 8)
        if group >= BULK_GROUP and not outer:
            if value_length == UNDEFINED:
                return uids, value, (position, 0, now)
            if value + value_length > total:
                raise Malformed(beyond_end(tag_text(tag), position, value_length))
            return uids, value, (position, value + value_length, now)
        if value_length == UNDEFINED:
            outer.append((SEQUENCE_END, now))
            if now.explicit and window[position + 4 : position + 6] == b"UN":
                now = dialects.IMPLICIT_LITTLE  # PS3.5 6.2.2 note 4
                known = now.steps.get if learned else _nothing.get
            position = value
            continue
        end = value + value_length
        if end > total:
            raise Malformed(beyond_end(tag_text(tag), position, value_length))
        if tag in _WANTED:
            if not outer and tag not in uids:
                if end > size:
                    return _out_of_window(uids, end, top_tag, (size, length, total), closed=False)
                uids[tag] = window[value:end]
                if value == position + 8 and learned:
                    now.learn_uid(window[position:value], (tag, value_length))
        elif value == position + 8 and value_length < _LEARN_BYTES and group < BULK_GROUP:
            now.learn(window[position:value], 8 + value_length)
        position = end


_nothing: dict[bytes, int] = {}


def _out_of_window(
    uids: dict[int, bytes], position: int, top_tag: int, sizes: tuple[int, int, int], *, closed: bool
) -> _Found | None:
    """Decide what it means that the next header at `position` lies beyond the window.

    `sizes` are those of the window, of what is at hand and of the whole; `closed` is whether no sequence is open.
    """
    size, length, total = sizes
    if size == total:
        if position > total or not closed:
            raise Malformed(f"the data set ends at byte {total} within an element or a sequence")
        return uids, total, None  # fewer than eight bytes may be left: padding that some senders add
    if SERIES_UID in uids and size > HEAD_BYTES and top_tag >> 16 > _LAST_INDEXED_GROUP:
        return uids, HEAD_BYTES, None
    if size == length or size >= HEAD_LIMIT:
        return uids, min(position, size), None
    return None

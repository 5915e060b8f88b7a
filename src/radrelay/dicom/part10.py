"""DICOM files (PS3.10 7): reading the preamble and file meta information, and writing our own.

In: the first bytes of a file, with or without preamble and meta information, as senders write them. Out: where the
data set begins and how it is encoded. What a sender put into the 128 bytes before DICM is never passed on: it may
be another file format's head (CVE-2019-11687).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from radrelay.dicom.dialects import EXPLICIT_LITTLE, KNOWN_VRS, LONG_VRS, UNDEFINED
from radrelay.dicom.errors import Malformed, tag_text
from radrelay.dicom.syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE

PREAMBLE_BYTES = 128
IMPLEMENTATION_CLASS_UID = "2.25.151488300848592806295593288920292640150"
IMPLEMENTATION_VERSION = "RADRELAY_01"

_META_LIMIT = 1 << 20
_CLASS = 0x00020002
_SOP = 0x00020003
_SYNTAX = 0x00020010


@dataclass(frozen=True, slots=True)
class FileHead:
    """What stands before a file's data set.

    `dataset_offset` counts from the file's first byte. `meta` holds the values of group 0002 as encoded, by tag.
    UIDs are empty when the file does not say. `guessed` is true when the file names no transfer syntax.
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_uid: str
    dataset_offset: int
    meta: dict[int, bytes] = field(default_factory=dict)
    guessed: bool = False


def looks_like_dicom(prefix: bytes) -> bool:
    """Return whether a file that begins with `prefix` (at least 144 bytes, if it has them) may be DICOM."""
    if prefix[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM" or prefix[:4] == b"DICM":
        return True
    return _plausible_start(prefix, 0)


def parse_preamble(prefix: bytes) -> FileHead:
    """Read what stands before the data set of a file that begins with `prefix`.

    Preamble, prefix DICM and meta information may each be missing: then the encoding of the data set is told from
    its first element. 4 KiB are enough for every file that is not hostile.

    Raises
    ------
    Malformed
        The file is empty or is no DICOM file.
    """
    prefix = bytes(prefix)
    if prefix[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM":
        start = PREAMBLE_BYTES + 4
    elif prefix[:4] == b"DICM":
        start = 4
    elif _plausible_start(prefix, 0):
        start = 0
    elif _plausible_start(prefix, PREAMBLE_BYTES):
        start = PREAMBLE_BYTES
    else:
        raise Malformed("the file is empty" if not prefix else "the file is no DICOM file")
    meta, offset = _read_meta(prefix, start)
    if offset >= len(prefix):
        raise Malformed("the file ends before its data set begins")
    syntax = _text(meta, _SYNTAX)
    guess = "" if syntax else _guess_syntax(prefix, offset)
    return FileHead(syntax or guess, _text(meta, _CLASS), _text(meta, _SOP), offset, meta, guessed=not syntax)


def _text(meta: dict[int, bytes], tag: int) -> str:
    return meta.get(tag, b"").rstrip(b"\0 ").decode("ascii", "replace")


def _plausible_start(data: bytes, at: int) -> bool:
    """Return whether a first element of group 0002 or 0008 (or a command's) may stand at `at`."""
    if len(data) < at + 8:
        return False
    group = data[at : at + 2]
    if group not in (b"\x02\0", b"\x08\0", b"\0\x08", b"\0\x02"):
        return False
    if data[at + 4 : at + 6] in KNOWN_VRS:
        return True
    element = int.from_bytes(data[at + 2 : at + 4], "little" if group[0] else "big")
    length = int.from_bytes(data[at + 4 : at + 8], "little" if group[0] else "big")
    return element < 0x0100 and length < 1 << 16


def _read_meta(data: bytes, start: int) -> tuple[dict[int, bytes], int]:
    """Return group 0002 and the offset of the first element after it.

    The group's elements are followed rather than its length, which senders get wrong. Meta information is Explicit
    VR Little Endian (PS3.10 7.1); some write it implicit.
    """
    meta: dict[int, bytes] = {}
    at = start
    while data[at : at + 2] == b"\x02\0" and at + 8 <= len(data):
        tag = EXPLICIT_LITTLE.tag(data, at)
        vr = data[at + 4 : at + 6]
        if vr in LONG_VRS:
            if at + 12 > len(data):
                break
            (length,) = EXPLICIT_LITTLE.u32(data, at + 8)
            value = at + 12
        elif vr in KNOWN_VRS:
            (length,) = EXPLICIT_LITTLE.u16(data, at + 6)
            value = at + 8
        else:
            (length,) = EXPLICIT_LITTLE.u32(data, at + 4)
            value = at + 8
        if length == UNDEFINED or length > _META_LIMIT or value + length > len(data):
            raise Malformed(f"{tag_text(tag)} at byte {at} of the file meta information is longer than the file")
        meta.setdefault(tag, data[value : value + length])
        at = value + length
    return meta, at


def _guess_syntax(data: bytes, at: int) -> str:
    """Tell the transfer syntax of a data set from its first element."""
    if not _plausible_start(data, at):
        try:
            begun = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[at : at + 4096], 16)
        except zlib.error:
            begun = b""
        if _plausible_start(begun, 0):
            return DEFLATED_LE
    if data[at : at + 1] == b"\0" and data[at + 1 : at + 2] != b"\0":
        return EXPLICIT_BE
    if data[at + 4 : at + 6] in KNOWN_VRS:
        return EXPLICIT_LE
    return IMPLICIT_LE


def file_meta(sop_class_uid: str, sop_uid: str, transfer_syntax_uid: str, source_ae: str = "") -> bytes:
    """Return 128 zero bytes, DICM and the file meta information of Radrelay (PS3.10 7.1)."""
    elements = [
        b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01",
        _element(0x0002, "UI", sop_class_uid),
        _element(0x0003, "UI", sop_uid),
        _element(0x0010, "UI", transfer_syntax_uid),
        _element(0x0012, "UI", IMPLEMENTATION_CLASS_UID),
        _element(0x0013, "SH", IMPLEMENTATION_VERSION),
    ]
    if source_ae:
        elements.append(_element(0x0016, "AE", source_ae[:16]))
    group = b"".join(elements)
    return bytes(PREAMBLE_BYTES) + b"DICM\x02\0\0\0UL\x04\0" + len(group).to_bytes(4, "little") + group


def _element(number: int, vr: str, value: str) -> bytes:
    encoded = value.encode("ascii", "replace")
    if len(encoded) % 2:
        encoded += b"\0" if vr == "UI" else b" "
    return b"\x02\0" + number.to_bytes(2, "little") + vr.encode() + len(encoded).to_bytes(2, "little") + encoded

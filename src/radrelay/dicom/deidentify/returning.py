"""Results that come back under an alias turned into the patient's again.

In: a data set, and what the vault knows of its alias. Out: the data set with the patient's own attributes, the UIDs of
the original objects wherever they are referenced, and dates moved back; what it was called stands in its Original
Attributes Sequence (`reidentify`). A result of another alias or study is refused: nothing is mixed up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from radrelay.dicom.deidentify.moments import moved
from radrelay.dicom.deidentify.options import Option
from radrelay.dicom.deidentify.profile_table import profile
from radrelay.dicom.dialects import DEPTH_LIMIT
from radrelay.dicom.elements import PIXEL_TAGS, Buffer, DataElements, Element, implicit_vr, item_places, walk
from radrelay.dicom.errors import Malformed
from radrelay.dicom.reidentify import Modification, reidentify
from radrelay.dicom.rewrite import Rules, element_header
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import deflate, inflate, transcode
from radrelay.dicom.writing import pad
from radrelay.errors import Conflict

PATIENT_ID, STUDY, SOP = 0x00100020, 0x0020000D, 0x00080018
_MARKS = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
_OF_STUDY = frozenset({0x00080020, 0x00080022, 0x0008002A, 0x00181078, 0x00181079, 0x00189074, 0x00189151})
"""Dates that a result takes over from the pictures it was made of: of the study, of acquisition, of injection."""


@dataclass(frozen=True, slots=True)
class Original:
    """What turns one alias's results back.

    Attributes
    ----------
    patient_id
        The alias: what the result has to be called.
    values
        The patient's own values by tag, of `reidentify.VRS`.
    uids
        Original UIDs by the new ones.
    days
        By how many days dates had moved, none where they had not.
    """

    patient_id: str
    values: Mapping[int, str]
    uids: Mapping[str, str]
    days: int | None


def turn_back(data_set: Buffer, ts: str, original: Original, change: Modification) -> tuple[bytes, str]:
    """Return a result as the patient's own, and its transfer syntax.

    Raises
    ------
    Conflict
        When it is of another alias, or of a study that was never handed out under this one.
    Malformed, NotWritable, NotTranscodable
        When it cannot be followed, or its character set lacks letters of the patient's name.
    """
    syntax = syntax_of(ts)
    if syntax.deflated:
        data_set = inflate(data_set)
    elif not syntax.little_endian:
        data_set, ts, syntax = transcode(data_set, ts, EXPLICIT_LE), EXPLICIT_LE, syntax_of(EXPLICIT_LE)
    header = DataElements.of(data_set, syntax)
    if header.decoded(PATIENT_ID)[:1] != [original.patient_id]:
        raise Conflict("The result is of another alias.")
    if not header.texts(STUDY) or header.texts(STUDY)[0] not in original.uids:
        raise Conflict("The result belongs to a study that was not handed out under this alias.")
    handed_out = (header.texts(SOP) or [""])[0] in original.uids
    way = _Way(memoryview(data_set), original, every_date=handed_out)
    back = b"".join(way.elements(header.places.values(), Rules(header.explicit), 0))
    if syntax.deflated:
        back = deflate(back)
    return reidentify(back, ts, original.values, change)


@dataclass(frozen=True, slots=True)
class _Way:
    """One data set on its way back; `every_date` says that it is an object that was handed out itself."""

    view: memoryview
    original: Original
    every_date: bool

    def elements(self, places: Iterable[Element], rules: Rules, depth: int) -> Iterator[Buffer]:
        if depth > DEPTH_LIMIT:
            raise Malformed(f"Sequences nest deeper than {DEPTH_LIMIT}.")
        for place in places:
            tag, vr = place.tag, place.vr if place.vr not in (b"", b"UN") else implicit_vr(place.tag)
            if tag & 0xFFFF == 0 or (tag in _MARKS and not depth):
                continue
            if tag not in PIXEL_TAGS and (vr == b"SQ" or (place.undefined and vr not in (b"OB", b"OW"))):
                yield from self._sequence(place, rules, depth)
                continue
            value = self._value(place, vr)
            if value is None:
                yield self.view[place.start : place.end]
            else:
                yield element_header(tag, vr, len(value), rules)
                yield value

    def _sequence(self, place: Element, rules: Rules, depth: int) -> Iterator[Buffer]:
        if place.vr == b"UN" and rules.explicit:
            yield self.view[place.start : place.end]  # a private one of somebody else's
            return
        items = []
        for start, stop, _ in item_places(self.view, place, rules.explicit, little_endian=True):
            inner = walk(self.view, rules.explicit, True, start, stop)
            body = b"".join(self.elements(inner, rules, depth + 1))
            items.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body)
        whole = b"".join(items)
        yield element_header(place.tag, b"SQ", len(whole), rules)
        yield whole

    def _value(self, place: Element, vr: bytes) -> bytes | None:
        """Return the value that takes the place of this one, none where it stays."""
        if vr not in (b"UI", b"DA", b"DT") or not place.length:
            return None
        values = bytes(self.view[place.value : place.end]).decode("latin-1").strip("\0 ").split("\\")
        if vr == b"UI":
            back = [self.original.uids.get(value.strip("\0 "), value) for value in values]
        elif self.original.days is not None and self._had_moved(place.tag):
            back = [moved(value.strip(), vr.decode(), -self.original.days) or value for value in values]
        else:
            return None
        return None if back == values else pad("\\".join(back).encode("latin-1"), vr.decode())

    def _had_moved(self, tag: int) -> bool:
        if not self.every_date:
            return tag in _OF_STUDY
        row = profile().get(tag)
        return row is not None and Option.MODIFIED_DATES in row.options

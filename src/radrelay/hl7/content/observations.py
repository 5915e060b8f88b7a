"""Observations of a report (OBX): its text, and documents that came as ED (HL7 v2.5 7.4.2, 2.A.24)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from radrelay.hl7.content.views import Document
from radrelay.hl7.errors import FieldBroken
from radrelay.hl7.message.escapes import unescape
from radrelay.hl7.message.model import Segment, parts, picked

TEXT_TYPES = ("TX", "FT", "ST")
DOCUMENT_TYPES = ("ED",)
MEDIA_TYPES = {
    "PDF": "application/pdf", "AP": "application/pdf", "RTF": "application/rtf", "HTML": "text/html",
    "XML": "text/xml", "JPEG": "image/jpeg", "JPG": "image/jpeg", "TIFF": "image/tiff", "DICOM": "application/dicom",
}  # fmt: skip
STUDY = ("113014", "110180")
UID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


def text_of(observations: Iterable[Segment]) -> str:
    """Return the text of a report: each repetition of each textual observation from a new line on."""
    lines = [
        unescape(one, segment.encoding).rstrip()
        for segment in observations
        if segment.value(2) in TEXT_TYPES and not _names_object(segment)
        for one in segment.repetitions(5) or [""]
    ]
    return "\n".join(lines).strip("\n")


def documents_of(observations: Iterable[Segment]) -> tuple[Document, ...]:
    """Return the documents of a report; raises `FieldBroken` for one that cannot be decoded."""
    found = []
    for place, segment in enumerate(observations, 1):
        if segment.value(2) in DOCUMENT_TYPES:
            found += [_document(one, segment, place) for one in segment.repetitions(5)]
    return tuple(found)


def study_uids_of(observations: Iterable[Segment]) -> tuple[str, ...]:
    """Return the Study Instance UIDs that observations name (113014, DCM)."""
    named = (one.value(5) for one in observations if one.value(3) in STUDY)
    return tuple(dict.fromkeys(uid for uid in named if UID.fullmatch(uid) and len(uid) <= 64))


def _names_object(segment: Segment) -> bool:
    return segment.value(3) in STUDY or segment.value(3, 2) in ("Series Instance UID", "SR Instance UID")


def _document(raw: str, segment: Segment, place: int) -> Document:
    encoding = segment.encoding
    found = parts(raw, encoding.component)
    if len(found) < 5:  # senders exist that leave out the application
        raise FieldBroken("a document (ED) has no data in its fifth component", f"OBX[{place}]-5.5")
    kind, subkind, how = (picked(raw, encoding, number) for number in (2, 3, 4))
    data = encoding.component.join(found[4:])
    return Document(_media_type(kind, subkind), _decoded(data, how, segment, place), segment.value(3, 2))


def _media_type(kind: str, subkind: str) -> str:
    for given in (kind, subkind):
        if "/" in given:
            return given.lower()
    if subkind:
        return MEDIA_TYPES.get(subkind.upper(), f"{kind or 'application'}/{subkind}".lower())
    return MEDIA_TYPES.get(kind.upper(), "application/octet-stream")


def _decoded(data: str, how: str, segment: Segment, place: int) -> bytes:
    text = unescape(data, segment.encoding)
    if how.upper() == "BASE64":
        packed = _NOT_BASE64.sub(b"", text.encode("ascii", "ignore"))
        try:
            return base64.b64decode(packed + b"=" * (-len(packed) % 4))
        except (binascii.Error, ValueError) as error:
            raise FieldBroken("a document's base64 is broken off", f"OBX[{place}]-5.5") from error
    if how.upper() == "HEX":
        try:
            return bytes.fromhex(text)
        except ValueError as error:
            raise FieldBroken("a document's hexadecimal data are broken", f"OBX[{place}]-5.5") from error
    return text.encode(segment.encoding.codec, "replace")

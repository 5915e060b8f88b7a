"""DICOM JSON as the Native DICOM Model in XML (PS3.19 A.1), for clients that ask for application/dicom+xml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from radrelay.dicom.dictionary import keyword_of

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_NAMES = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Json = Mapping[str, Any]


def to_xml(found: Json) -> bytes:
    """Return one DICOM JSON object as a document in UTF-8; characters that XML cannot hold are left out."""
    body = "".join(_attributes(found))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
        f"{body}</NativeDicomModel>"
    ).encode()


def _attributes(found: Json) -> Iterator[str]:
    for tag, attribute in sorted(found.items()):
        names = f'tag="{tag}" vr="{attribute.get("vr", "UN")}"'
        keyword = keyword_of(int(tag, 16))
        if keyword:
            names += f' keyword="{keyword}"'
        creator = _creator(found, tag)
        if creator:
            names += f" privateCreator={quoteattr(_clean(creator))}"
        yield f"<DicomAttribute {names}>{''.join(_content(attribute))}</DicomAttribute>"


def _content(attribute: Json) -> Iterator[str]:
    if "BulkDataURI" in attribute:
        yield f"<BulkData uri={quoteattr(_clean(attribute['BulkDataURI']))}/>"
    elif "InlineBinary" in attribute:
        yield f"<InlineBinary>{attribute['InlineBinary']}</InlineBinary>"
    else:
        vr = attribute.get("vr")
        for number, value in enumerate(attribute.get("Value", ()), 1):
            if vr == "SQ":
                yield f'<Item number="{number}">{"".join(_attributes(value or {}))}</Item>'
            elif vr == "PN":
                yield f'<PersonName number="{number}">{"".join(_person(value or {}))}</PersonName>'
            else:
                yield f'<Value number="{number}">{"" if value is None else escape(_clean(str(value)))}</Value>'


def _person(value: Json) -> Iterator[str]:
    for group in _GROUPS:
        if value.get(group):
            parts: Sequence[str] = str(value[group]).split("^")
            named = zip(_NAMES, parts, strict=False)
            inner = "".join(f"<{name}>{escape(_clean(part))}</{name}>" for name, part in named if part)
            yield f"<{group}>{inner}</{group}>"


def _creator(found: Json, tag: str) -> str:
    """Return who a private element's block belongs to (PS3.5 7.8.1)."""
    if not int(tag[3], 16) & 1 or tag[4:6] == "00":
        return ""
    values = found.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value", [])
    return str(values[0]) if values else ""


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)

"""Hints in the METADATA.XML of an XDM (IHE ITI TF-1 16, TF-3 4.2; ebRIM 3): which documents it names, and of whom.

In: the bytes of the file. Out: its documents with path, type, title, and the patient as the sender knows them
(sourcePatientInfo, written as HL7's PID). Nothing is believed of it. It is read by expat without a document type, so
that no entity is ever expanded, and within limits of size, depth and number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from radrelay.dicom.elements import Buffer
from radrelay.dicom.errors import Malformed
from radrelay.dicom.values import parse_date
from radrelay.importer.arrived import NOBODY, Person

MAX_BYTES = 16 << 20
MAX_DEPTH = 64
MAX_DOCUMENTS = 20_000
_LONGEST = 4096
_PATIENT_INFO, _PATIENT_ID = "sourcePatientInfo", "sourcePatientId"
_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"  # XDSDocumentEntry.uniqueId


@dataclass(frozen=True, slots=True)
class XdmDocument:
    """A document that the metadata name: its path beside them, its type, and what they say of its bytes."""

    path: str
    media_type: str = ""
    title: str = ""
    unique_id: str = ""
    size: int | None = None
    sha1: str = ""
    person: Person = NOBODY


def read_xdm(content: Buffer) -> tuple[XdmDocument, ...]:
    """Return the documents that the metadata name, in their order; raises `Malformed`."""
    if len(content) > MAX_BYTES:
        raise Malformed(f"The metadata of the XDM are larger than {MAX_BYTES} bytes.")
    reading = _Reading()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refused
    parser.EntityDeclHandler = _refused
    parser.StartElementHandler = reading.begins
    parser.EndElementHandler = reading.ends
    parser.CharacterDataHandler = reading.text
    try:
        parser.Parse(bytes(content), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Malformed(f"The metadata of the XDM cannot be read: {error}") from error
    return tuple(_document(one) for one in reading.entries)


def _refused(*_: object) -> None:
    raise Malformed("The metadata of the XDM declare a document type or entities, which are never read.")


@dataclass(slots=True)
class _Entry:
    media_type: str
    title: str = ""
    unique_id: str = ""
    slots: dict[str, list[str]] = field(default_factory=dict)


class _Reading:
    """What expat meets, gathered for each ExtrinsicObject."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self._path: list[str] = []
        self._open: _Entry | None = None
        self._slot: list[str] | None = None
        self._value: list[str] | None = None

    def begins(self, name: str, attributes: Mapping[str, str]) -> None:
        local, above = name.rpartition(" ")[2], self._path[-1] if self._path else ""
        self._path.append(local)
        if len(self._path) > MAX_DEPTH:
            raise Malformed(f"The metadata of the XDM are nested deeper than {MAX_DEPTH}.")
        if local == "ExtrinsicObject":
            if len(self.entries) >= MAX_DOCUMENTS:
                raise Malformed(f"The metadata of the XDM name more than {MAX_DOCUMENTS} documents.")
            self._open = _Entry(attributes.get("mimeType", "")[:100])
            self.entries.append(self._open)
        elif self._open is None:
            return
        elif local == "Slot" and above == "ExtrinsicObject":
            self._slot = self._open.slots.setdefault(attributes.get("name", ""), [])
        elif local == "Value" and self._slot is not None:
            self._value = []
        elif local == "LocalizedString" and self._path[-3:-1] == ["ExtrinsicObject", "Name"]:
            self._open.title = self._open.title or attributes.get("value", "")[:_LONGEST]
        elif local == "ExternalIdentifier" and attributes.get("identificationScheme") == _UNIQUE_ID:
            self._open.unique_id = attributes.get("value", "")[:_LONGEST]

    def text(self, data: str) -> None:
        if self._value is not None and sum(map(len, self._value)) < _LONGEST:
            self._value.append(data)

    def ends(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        self._path.pop()
        if local == "Value" and self._slot is not None and self._value is not None:
            self._slot.append("".join(self._value).strip()[:_LONGEST])
            self._value = None
        elif local == "Slot":
            self._slot = None
        elif local == "ExtrinsicObject":
            self._open = None


def _document(entry: _Entry) -> XdmDocument:
    def first(name: str) -> str:
        return next((value for value in entry.slots.get(name, ()) if value), "")

    size = first("size")
    return XdmDocument(
        path=_path(entry.slots.get("URI", [])),
        media_type=entry.media_type,
        title=entry.title,
        unique_id=entry.unique_id.partition("^")[0],
        size=int(size) if size.isascii() and size.isdigit() else None,
        sha1=first("hash").lower(),
        person=_person(entry.slots.get(_PATIENT_INFO, []), first(_PATIENT_ID)),
    )


def _path(values: list[str]) -> str:
    """Return a URI slot: long ones come in pieces `1|…`, `2|…` (ITI TF-3 4.2.3.2.27)."""
    pieces = [value.split("|", 1) for value in values]
    if len(pieces) > 1 and all(len(one) == 2 and one[0].isdigit() for one in pieces):
        return "".join(text for _, text in sorted(pieces, key=lambda one: int(one[0])))
    return values[0].removeprefix("1|") if values else ""


def _person(info: list[str], source_id: str) -> Person:
    """Return whom the sender names: fields of HL7's PID; without PID-3, sourcePatientId."""
    said = {key.strip().upper(): value.strip() for key, _, value in (one.partition("|") for one in info)}
    number, issuer = _identifier(said.get("PID-3", "") or source_id)
    return Person(
        _name(said.get("PID-5", "")), number, issuer, parse_date(said.get("PID-7", "")[:8]), said.get("PID-8", "")[:1]
    )


def _identifier(value: str) -> tuple[str, str]:
    """Return ID and issuer of a CX: `id^^^namespace&universal ID&type`."""
    parts = [*value.partition("~")[0].split("^"), "", "", "", ""]
    return parts[0], parts[3].partition("&")[0]


def _name(value: str) -> str:
    """Return an XPN as a person name of DICOM: prefix and suffix stand the other way round."""
    family, given, middle, suffix, prefix = [*value.partition("~")[0].split("^"), "", "", "", "", ""][:5]
    return "^".join((family.partition("&")[0], given, middle, prefix, suffix)).rstrip("^")

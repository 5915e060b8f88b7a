"""Whom an object names within: as whom it came before, the subject of a report, the patient of a document in it.

In: an object's header, and the clinical document (CDA) that it encapsulates. Out: who is plainly somebody else than
whom its header names, for a person to look at: it may have been put under the wrong name before it came. What is
written within stays as it is when the object is filed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from xml.parsers import expat

from radrelay.dicom.elements import Buffer
from radrelay.dicom.encapsulate import document_in
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header
from radrelay.dicom.reidentify import ORIGINAL_ATTRIBUTES
from radrelay.dicom.values import parse_date
from radrelay.importer.arrived import Person
from radrelay.importer.folding import compare, is_nobody
from radrelay.importer.parting import contradict
from radrelay.importer.placeholders import is_no_birth_date

ENCAPSULATED_CDA = "1.2.840.10008.5.1.4.1.1.104.2"
_NAME, _BIRTH_DATE, _MODIFIED = 0x00100010, 0x00100030, 0x04000550
_CONTENT, _CONCEPT, _PERSON_NAME, _DATE, _CODE = 0x0040A730, 0x0040A043, 0x0040A123, 0x0040A121, 0x00080100
_SUBJECT_NAME, _SUBJECT_BIRTH_DATE = "121029", "121031"  # PS3.16 TID 1007
_MOST_ITEMS, _MOST_DEPTH = 5000, 100
_PATIENT = ("recordTarget", "patientRole", "patient")


def another_within(header: Header) -> str:
    """Return whom an object names within who is plainly another one, nothing for nobody."""
    said = Person.of(header)
    for told in _told(header):
        named = compare(said.name, told.name)
        other = named.degree == "other" and named.reason == "names" and not is_nobody(told.name)
        if other or contradict(said, told):
            born = f" ({told.birth_date:%Y%m%d})" if told.birth_date else ""
            return f"{told.name}{born}"[:200]
    return ""


def _told(header: Header) -> Iterator[Person]:
    for change in header.items(ORIGINAL_ATTRIBUTES):
        for before in change.items(_MODIFIED):
            born = before.date(_BIRTH_DATE)
            filled_in = born is not None and is_no_birth_date(born)  # and has been put right
            yield Person(before.person_name(_NAME), birth_date=None if filled_in else born)
    if _CONTENT in header:
        yield from _subjects(header)
    if header.text(0x00080016) == ENCAPSULATED_CDA:
        with suppress(Malformed):
            yield from patients_in(document_in(header))


def _subjects(header: Header) -> Iterator[Person]:
    """Yield whom the content of a structured report names as its subject."""
    left, looked_at = [header], 0
    while left and looked_at < _MOST_ITEMS:
        for one in left.pop().items(_CONTENT):
            looked_at += 1
            left.append(one)
            concept = next(iter(one.items(_CONCEPT)), None)
            code = concept.text(_CODE) if concept is not None else ""
            if code == _SUBJECT_NAME:
                yield Person(one.person_name(_PERSON_NAME))
            elif code == _SUBJECT_BIRTH_DATE:
                yield Person(birth_date=one.date(_DATE))


def patients_in(document: Buffer) -> list[Person]:
    """Return the patients of a clinical document (HL7 CDA R2, recordTarget); raises `Malformed`."""
    reading = _Reading()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refused
    parser.StartElementHandler, parser.EndElementHandler = reading.begins, reading.ends
    parser.CharacterDataHandler = reading.text
    try:
        parser.Parse(bytes(document).rstrip(b"\0"), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Malformed(f"The document cannot be read: {error}") from error
    return reading.found


def _refused(*_: object) -> None:
    raise Malformed("The document declares a document type or entities, which are never read.")


class _Reading:
    """What expat meets of each patient."""

    def __init__(self) -> None:
        self.found: list[Person] = []
        self._path: list[str] = []
        self._parts: dict[str, list[str]] = {}
        self._born = ""

    def begins(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        if len(self._path) > _MOST_DEPTH:
            raise Malformed("The document is nested too deeply.")
        if self._path[-3:] == [*_PATIENT]:
            self._parts, self._born = {"family": [], "given": []}, ""
        elif self._path[-4:] == [*_PATIENT, "birthTime"]:
            self._born = attributes.get("value", "")[:8]
        elif self._path[-5:-1] == [*_PATIENT, "name"] and self._path[-1] in self._parts:
            self._parts[self._path[-1]].append("")

    def ends(self, name: str) -> None:
        if self._path[-3:] == [*_PATIENT]:
            family, given = (" ".join(self._parts[one]).strip() for one in ("family", "given"))
            self.found.append(Person(f"{family}^{given}".strip("^"), birth_date=parse_date(self._born)))
        self._path.pop()

    def text(self, text: str) -> None:
        if self._path[-5:-1] == [*_PATIENT, "name"] and self._path[-1] in self._parts:
            self._parts[self._path[-1]][-1] += text.strip("^=\\")[:200]

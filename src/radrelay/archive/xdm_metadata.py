"""The METADATA.XML of an IHE XDM: one submission set, which documents it has, and of whom (ITI TF-3 4.2, ebRIM 3).

Metadata-Limited (ITI TF-3 4.2.3.2.29): how the receiver's affinity domain codes documents is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from xml.sax.saxutils import quoteattr

from radrelay.dicom.part10 import IMPLEMENTATION_CLASS_UID
from radrelay.dicom.writing import derived_uid

STABLE_DOCUMENT = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
DOCUMENT_UNIQUE_ID, DOCUMENT_PATIENT_ID = (
    "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
)  # fmt: skip
DOCUMENT_LIMITED = "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"
SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
SET_UNIQUE_ID, SET_SOURCE_ID = (
    "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
)  # fmt: skip
SET_LIMITED = "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707"
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
MOST_IN_VALUE = 128  # a longer URI stands in several values (ITI TF-3 4.2.3.2.27)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose a document is, as DICOM has it."""

    name: str
    patient_id: str
    issuer: str
    birth_date: date | None
    sex: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document: `path` from the metadata on, `sop_uid` of the object that it came of."""

    path: str
    media_type: str
    title: str
    size: int
    sha1: str
    sop_uid: str = ""
    person: Person | None = None


def metadata(documents: Sequence[Document], made_at: datetime, name: str) -> bytes:
    """Return the file; `name` tells this submission from others, and the same makes the same bytes."""
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"'
        ' xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">',
        "<rim:RegistryObjectList>",
        *(part for number, one in enumerate(documents, 1) for part in _document(one, number, made_at, name)),
        *_submission_set(made_at, name),
        *(
            f'<rim:Association id="member{number}" associationType="{HAS_MEMBER}" sourceObject="submission"'
            f' targetObject="document{number}">{_slot("SubmissionSetStatus", "Original")}</rim:Association>'
            for number, _ in enumerate(documents, 1)
        ),
        "</rim:RegistryObjectList>",
        "</lcm:SubmitObjectsRequest>",
    ]
    return "\n".join([*parts, ""]).encode()


def _document(one: Document, number: int, made_at: datetime, name: str) -> Iterator[str]:
    own = f"document{number}"
    yield f'<rim:ExtrinsicObject id="{own}" mimeType={quoteattr(one.media_type)} objectType="{STABLE_DOCUMENT}">'
    yield _slot("creationTime", f"{made_at:%Y%m%d%H%M%S}")
    yield _slot("hash", one.sha1)
    yield _slot("size", str(one.size))
    yield _slot("URI", *_uri(one.path))
    if one.person is not None:
        yield from _person_slots(one.person)
    yield f"<rim:Name><rim:LocalizedString value={quoteattr(_plain(one.title))}/></rim:Name>"
    yield f'<rim:Classification id="{own}-limited" classifiedObject="{own}" classificationNode="{DOCUMENT_LIMITED}"/>'
    if one.person is not None and one.person.patient_id:
        yield _identifier(own, "XDSDocumentEntry.patientId", DOCUMENT_PATIENT_ID, _cx(one.person))
    unique = derived_uid("xdm document", name, one.path, one.sop_uid)
    yield _identifier(own, "XDSDocumentEntry.uniqueId", DOCUMENT_UNIQUE_ID, unique)
    yield "</rim:ExtrinsicObject>"


def _submission_set(made_at: datetime, name: str) -> Iterator[str]:
    yield '<rim:RegistryPackage id="submission">'
    yield _slot("submissionTime", f"{made_at:%Y%m%d%H%M%S}")
    yield (
        '<rim:Classification id="submission-limited" classifiedObject="submission"'
        f' classificationNode="{SET_LIMITED}"/>'
    )
    yield _identifier("submission", "XDSSubmissionSet.uniqueId", SET_UNIQUE_ID, derived_uid("xdm submission", name))
    yield _identifier("submission", "XDSSubmissionSet.sourceId", SET_SOURCE_ID, IMPLEMENTATION_CLASS_UID)
    yield "</rim:RegistryPackage>"
    yield (
        f'<rim:Classification id="submission-set" classifiedObject="submission" classificationNode="{SUBMISSION_SET}"/>'
    )


def _person_slots(person: Person) -> Iterator[str]:
    """Yield whom a document is of as its source knows them: fields of HL7's PID."""
    if person.patient_id:
        yield _slot("sourcePatientId", _cx(person))
    family, given, middle, prefix, suffix = [*person.name.partition("=")[0].split("^"), "", "", "", "", ""][:5]
    name = "^".join(map(_field, (family, given, middle, suffix, prefix))).rstrip("^")
    said = {
        "PID-3": _cx(person) if person.patient_id else "",
        "PID-5": name,
        "PID-7": f"{person.birth_date:%Y%m%d}" if person.birth_date else "",
        "PID-8": person.sex[:1],
    }
    yield _slot("sourcePatientInfo", *(f"{field}|{value}" for field, value in said.items() if value))


def _cx(person: Person) -> str:
    """Return a patient's ID as HL7's CX: `id^^^issuer`."""
    return f"{_field(person.patient_id)}^^^{_field(person.issuer)}".rstrip("^")


def _field(text: str) -> str:
    """Return a text without what HL7 parts fields by."""
    return " ".join("".join(" " if char in "|^&~\\" else char for char in _plain(text)).split())


def _uri(path: str) -> list[str]:
    if len(path) <= MOST_IN_VALUE:
        return [path]
    step = MOST_IN_VALUE - 2
    return [f"{at // step + 1}|{path[at : at + step]}" for at in range(0, len(path), step)]


def _slot(name: str, *values: str) -> str:
    listed = "".join(f"<rim:Value>{_escaped(value)}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{listed}</rim:ValueList></rim:Slot>'


def _identifier(owner: str, name: str, scheme: str, value: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="{owner}-{name.rpartition(".")[2]}" registryObject="{owner}"'
        f' identificationScheme="{scheme}" value={quoteattr(_plain(value))}>'
        f'<rim:Name><rim:LocalizedString value="{name}"/></rim:Name></rim:ExternalIdentifier>'
    )


def _escaped(text: str) -> str:
    return _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    """Return a text without what XML does not take."""
    return "".join(char if char.isprintable() else " " for char in text)

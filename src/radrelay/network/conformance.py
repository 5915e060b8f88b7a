"""The rows of the DICOM conformance statement (PS3.2), from the tables that the code itself works by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from radrelay import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from radrelay.dicom.dictionary import uid_registry
from radrelay.network import limits
from radrelay.network.query_provider import LEVELS, UNIQUE_KEYS
from radrelay.network.requestor import MAX_CONTEXTS, MAX_PDU_BYTES
from radrelay.network.retriever import COMPRESSED
from radrelay.network.sop_classes import IDENTIFIER_SYNTAXES, SERVED, Service, name_of, service_of
from radrelay.network.statuses import STATUSES
from radrelay.network.tls import CIPHERS

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the statement: its title, the names of its columns, a sentence before it, and its rows."""

    title: str
    columns: Row
    rows: tuple[Row, ...]
    text: str = ""


def tables() -> Iterator[Table]:
    """Yield the statement's tables in order."""
    yield from _what_is_spoken()
    yield from _how_it_is_coded()
    yield from _how_it_is_answered()


def _what_is_spoken() -> Iterator[Table]:
    """Yield who speaks, and of which SOP classes."""
    yield Table("Implementation", ("Item", "Value"), tuple(_implementation()))
    yield Table(
        "SOP classes as provider",
        ("SOP class", "UID", "Service"),
        tuple((one.name, one.uid, one.service.value) for one in SERVED),
    )
    asked = (Service.VERIFICATION, Service.FIND, Service.MOVE, Service.GET, Service.COMMITMENT, Service.WORKLIST,
             Service.PERFORMED_STEP)  # fmt: skip
    yield Table(
        "SOP classes as user",
        ("SOP class", "UID", "Service"),
        tuple((one.name, one.uid, one.service.value) for one in SERVED if one.service in asked),
        "Beside storage, towards destinations. Queries and retrievals are sent where `retrieve.enabled` is set, to the "
        "archives and worklists that are entered; storage commitment is asked of destinations that are set up so, and "
        "its report is taken on the same association or on one that the destination opens. What modalities say of "
        "performed procedure steps (N-CREATE, N-SET) is passed on to destinations that are set up so, byte for byte "
        "where they take the transfer syntax that it came in, each step's messages in their order. By C-GET, objects "
        "are taken natively or in these transfer syntaxes, as far as an "
        f"association has contexts: {', '.join(name_of(uid) for uid in COMPRESSED)}.",
    )
    yield Table(
        "DICOMweb services as user",
        ("Service", "Resource", "Use"),
        (
            ("QIDO-RS", "studies", "a search, page by page, for each modality that is looked for"),
            ("QIDO-RS", "series of a study, instances of a series", "what is to be fetched, page by page"),
            ("WADO-RS", "study, series, instance", "fetching; in the transfer syntax that an object is kept in"),
            ("STOW-RS", "studies", "deliveries to DICOMweb destinations, one object in each request"),
        ),
        "Searched and fetched from where `retrieve.enabled` is set. Answers are taken as `application/dicom+json` and "
        "as `multipart/related` of `application/dicom`, not packed; redirects are not followed, certificates are "
        "verified. Signed in by Basic or Bearer, or not at all.",
    )
    yield Table(
        "Storage SOP classes",
        ("SOP class", "UID"),
        tuple(_storage()),
        "Every private SOP class is taken too, and whatever the standard adds below 1.2.840.10008.5.1.4.1.1.",
    )


def _how_it_is_coded() -> Iterator[Table]:
    """Yield the transfer syntaxes."""
    yield Table(
        "Transfer syntaxes of storage",
        ("Transfer syntax", "UID"),
        tuple((name, uid) for uid, (name, kind, *_) in uid_registry().items() if kind == "Transfer Syntax"),
        "Objects are kept in the transfer syntax that they come in. Of those proposed for one presentation context the "
        "first is accepted, except that Explicit VR Little Endian is preferred to Implicit VR Little Endian. A private "
        "transfer syntax is accepted where no standard one is proposed.",
    )
    yield Table(
        "Transfer syntaxes of the other services",
        ("Transfer syntax", "UID"),
        tuple((name_of(uid), uid) for uid in IDENTIFIER_SYNTAXES),
        "The first of this list that is proposed is accepted.",
    )


def _how_it_is_answered() -> Iterator[Table]:
    """Yield what queries may ask for, what is answered, and within which limits."""
    yield Table(
        "Query levels and their unique keys",
        ("Information model", "Level", "Unique key"),
        tuple(
            (f"{model} root", level, _tag(UNIQUE_KEYS[level])) for model, levels in LEVELS.items() for level in levels
        ),
        "Relational queries are supported when negotiated. Responses are in ISO_IR 192.",
    )
    yield Table(
        "Statuses",
        ("Service", "Code", "Category", "Meaning", "When"),
        tuple((one.service, f"{one.code:04X}", one.category, one.meaning, one.when) for one in STATUSES),
    )
    yield Table("Limits", ("Limit", "Value"), tuple(_limits()))
    yield Table(
        "TLS",
        ("Item", "Value"),
        (
            ("Profile", "Non-Downgrading BCP 195 TLS Secure Transport Connection Profile (PS3.15 B.12)"),
            ("Versions", "TLS 1.2, TLS 1.3"),
            ("Cipher suites of TLS 1.2", ", ".join(CIPHERS)),
            ("Client certificates", "demanded when authorities for them are configured"),
        ),
    )


def _implementation() -> Iterator[Row]:
    yield "Implementation class UID", IMPLEMENTATION_CLASS_UID
    yield "Implementation version name", IMPLEMENTATION_VERSION_NAME
    yield "Application context", "1.2.840.10008.3.1.1.1"
    yield "Asynchronous operations window", "1, 1"
    yield "SCP/SCU role selection", "as proposed for storage SOP classes (C-GET) and storage commitment (reports)"
    yield "Extended negotiation", "relational queries; storage level 2 (full), no coercion"
    yield "User identity", "ignored"
    yield "Presentation contexts proposed", f"at most {MAX_CONTEXTS}"


def _storage() -> Iterator[Row]:
    for uid, (name, *_) in uid_registry().items():
        if name and service_of(uid) is Service.STORAGE:
            yield name, uid


def _limits() -> Iterator[Row]:
    values = limits.Limits()
    yield "Longest P-DATA PDU taken", f"{values.max_pdu_bytes} bytes (setting dicom.max_pdu_bytes)"
    yield "Longest P-DATA PDU sent", f"{MAX_PDU_BYTES} bytes"
    yield "Associations at once", f"{values.max_associations} (dicom.max_associations)"
    yield (
        "Associations at once from one address",
        f"{values.max_associations_per_peer} (dicom.max_associations_per_peer)",
    )
    yield "Idle time", f"{values.idle_timeout_s:g} s (dicom.idle_timeout_s)"
    yield "Time for an A-ASSOCIATE-RQ", f"{limits.ASSOCIATE_TIMEOUT_S:g} s"
    yield "Slowest transfer", f"{limits.SLOWEST_BYTES} bytes in each idle time"
    yield "Largest object", f"{values.max_object_bytes} bytes (dicom.max_object_bytes)"
    yield "Largest A-ASSOCIATE-RQ", f"{limits.ASSOCIATE_REQUEST_BYTES} bytes"
    yield "Largest command set", f"{limits.COMMAND_BYTES} bytes, {limits.COMMAND_ELEMENTS} elements"
    yield "Largest identifier", f"{limits.IDENTIFIER_BYTES} bytes, nested {limits.IDENTIFIER_DEPTH} deep"
    yield "Largest commitment request", f"{limits.ACTION_BYTES} bytes"


def _tag(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"

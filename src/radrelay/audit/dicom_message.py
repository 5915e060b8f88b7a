"""An event of the record as a DICOM audit message: the XML of PS3.15 A.5.1, its contents after A.5.2 and A.5.3.

What cannot stand in XML is left out of texts; values that may hold anything travel in base64.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC
from xml.etree import ElementTree

from radrelay.audit import dicom_codes as codes
from radrelay.audit.dicom_codes import Code, Told, told_as
from radrelay.audit.search import AuditEntry

OWN_SCHEME = "99RADRELAY"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
APPLICATION_SERVER = "4"
SUCCESS, MINOR_FAILURE = "0", "4"
LONGEST = 400  # characters of a text: many a repository takes no message beyond 8 KiB (RFC 5425 4.3.1)
_UNTOLD = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class AuditSource:
    """Who reports: this machine's name, its AE title, and the organisation's name."""

    machine: str
    ae_title: str
    site: str = ""


def message(entry: AuditEntry, writer: str, source: AuditSource) -> bytes:
    """Return the XML of one event in UTF-8, without declaration; `writer` is the chain that it stands in."""
    told = told_as(entry.action)
    root = ElementTree.Element("AuditMessage")
    _event(root, entry, told)
    _requestor(root, entry, told)
    _application(root, writer, source, told)
    _other_side(root, entry, told)
    reporting = _element(root, "AuditSourceIdentification", AuditSourceID=source.machine)
    if source.site:
        reporting.set("AuditEnterpriseSiteID", _clean(source.site))
    _element(reporting, "AuditSourceTypeCode", **{"csd-code": APPLICATION_SERVER})
    _objects(root, entry, told)
    return str(ElementTree.tostring(root, encoding="unicode")).encode()


def _event(root: ElementTree.Element, entry: AuditEntry, told: Told) -> None:
    success = entry.outcome == "success"
    event = _element(
        root,
        "EventIdentification",
        EventActionCode=told.action,
        EventDateTime=entry.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        EventOutcomeIndicator=SUCCESS if success else MINOR_FAILURE,
    )
    _coded(event, "EventID", told.event)
    if told.type is not None:
        _coded(event, "EventTypeCode", told.type)
    _coded(event, "EventTypeCode", Code(entry.action, OWN_SCHEME, entry.action))
    if not success:
        reason = str(entry.detail.get("reason") or entry.detail.get("code") or entry.outcome)
        ElementTree.SubElement(event, "EventOutcomeDescription").text = _clean(reason)


def _requestor(root: ElementTree.Element, entry: AuditEntry, told: Told) -> None:
    who = _element(root, "ActiveParticipant", UserID=entry.actor_id or entry.actor_kind, UserIsRequestor="true")
    if entry.actor_name:
        who.set("UserName", _clean(entry.actor_name))
    if entry.actor_kind == "ae":
        who.set("AlternativeUserID", _clean(f"AETITLES={entry.actor_id}"))
    if entry.peer:
        who.set("NetworkAccessPointID", _clean(entry.peer))
        who.set("NetworkAccessPointTypeCode", "2" if re.fullmatch(r"[0-9a-fA-F:.]+", entry.peer) else "1")
    if told.event == codes.IMPORT:
        _coded(who, "RoleIDCode", codes.SOURCE_MEDIA)
        _media(who)


def _application(root: ElementTree.Element, writer: str, source: AuditSource, told: Told) -> None:
    roles = {
        codes.IMPORT: codes.DESTINATION,
        codes.EXPORT: codes.SOURCE,
        codes.TRANSFERRED: codes.SOURCE,
        codes.BEGIN_TRANSFERRING: codes.SOURCE,
        codes.QUERY: codes.DESTINATION,
    }
    own = _element(
        root,
        "ActiveParticipant",
        UserID=writer.partition(".")[0],
        AlternativeUserID=f"AETITLES={source.ae_title}",
        UserIsRequestor="false",
        NetworkAccessPointID=source.machine,
        NetworkAccessPointTypeCode="1",
    )
    _coded(own, "RoleIDCode", roles.get(told.event, codes.APPLICATION))


def _other_side(root: ElementTree.Element, entry: AuditEntry, told: Told) -> None:
    """Tell where data went: the receiving node, or whoever took them."""
    if told.event in (codes.TRANSFERRED, codes.BEGIN_TRANSFERRING):
        node = _element(
            root,
            "ActiveParticipant",
            UserID=str(entry.detail.get("destination") or "unknown"),
            UserIsRequestor="false",
        )
        _coded(node, "RoleIDCode", codes.DESTINATION)
    elif told.event == codes.EXPORT:
        taken = _element(root, "ActiveParticipant", UserID=entry.peer or entry.actor_id, UserIsRequestor="false")
        _coded(taken, "RoleIDCode", codes.DESTINATION_MEDIA)
        _media(taken)


def _media(participant: ElementTree.Element) -> None:
    _coded(ElementTree.SubElement(participant, "MediaIdentifier"), "MediaType", codes.MEDIA_URI)


def _objects(root: ElementTree.Element, entry: AuditEntry, told: Told) -> None:
    if told.event == codes.AUDIT_LOG_USED:
        _object(root, "urn:radrelay:audit", codes.URI, "Security Audit Log", kind="2", role="13")
    elif told.event == codes.QUERY:
        query = json.dumps(entry.detail, ensure_ascii=False, sort_keys=True)
        _object(root, STUDY_ROOT_FIND, codes.SOP_CLASS_UID, None, kind="2", role="3", query=query)
    elif entry.subject_kind and entry.subject_kind not in ("study", "patient"):
        role = "11" if entry.subject_kind in ("account", "token") else "4"
        address = f"urn:radrelay:{entry.subject_kind}:{entry.subject_id}"
        _object(root, address, codes.URI, entry.subject_kind, kind="2", role=role, detail=entry.detail)
    _study(root, entry)
    if entry.patient is not None:
        issuer = f"^^^{entry.patient.issuer}" if entry.patient.issuer else ""
        _object(root, entry.patient.patient_id + issuer, codes.PATIENT_NUMBER, entry.patient.name, kind="1", role="1")


def _study(root: ElementTree.Element, entry: AuditEntry) -> None:
    study = entry.study
    detail = entry.detail if entry.subject_kind == "study" else None
    if study is None:
        if entry.subject_kind == "study":
            address = f"urn:radrelay:study:{entry.subject_id}"
            _object(root, address, codes.URI, "study", kind="2", role="3", detail=detail)
        return
    name = study.description or "study"
    made = _object(root, study.study_uid, codes.STUDY_UID, name, kind="2", role="3", detail=detail)
    if study.accession_number:
        described = ElementTree.SubElement(made, "ParticipantObjectDescription")
        _element(described, "Accession", Number=study.accession_number)


def _object(
    root: ElementTree.Element,
    identifier: str,
    id_type: Code,
    name: str | None,
    *,
    kind: str,
    role: str,
    query: str | None = None,
    detail: dict[str, object] | None = None,
) -> ElementTree.Element:
    made = _element(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=identifier,
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    _coded(made, "ParticipantObjectIDTypeCode", id_type)
    if query is not None:
        ElementTree.SubElement(made, "ParticipantObjectQuery").text = _base64(query)
    else:
        ElementTree.SubElement(made, "ParticipantObjectName").text = _clean(name or "")[:LONGEST]
    for key, value in sorted((detail or {}).items()):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        _element(made, "ParticipantObjectDetail", type=key, value=_base64(text))
    return made


def _coded(parent: ElementTree.Element, name: str, code: Code) -> None:
    given = {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    _element(parent, name, **given)


def _element(parent: ElementTree.Element, name: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, name, {key: _clean(value) for key, value in attributes.items()})


def _clean(text: str) -> str:
    return _UNTOLD.sub("", text)


def _base64(text: str) -> str:
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return base64.b64encode(text.encode("utf-8", "replace")).decode()

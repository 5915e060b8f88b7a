"""A site's own checklist: who has to be told of us, and which ways through firewalls are needed, from what is set here.

For the page of the gateway and for `radrelay gateway checklist`; nothing of it is asked of the network.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel
from sqlalchemy.orm import Session

from radrelay.gateway.acme_files import plan_in
from radrelay.gateway.credentials import RelayAddress
from radrelay.gateway.standing import LinkState
from radrelay.hl7 import connections as hl7_connections
from radrelay.identity import organisations
from radrelay.intake import sources
from radrelay.retrieve.nodes import every_pacs
from radrelay.routing.destinations import list_destinations
from radrelay.settings import Settings

End = Literal["server", "relay", "anywhere", "partners", "devices", "senders", "people", "pacs", "destination",
              "worklist", "directory", "mail", "sign-on", "authority", "repository"]  # fmt: skip


class Node(BaseModel):
    """A DICOM node that has to know us, as what, and how we reach it."""

    kind: Literal["pacs", "worklist", "destination"]
    name: str
    ae_title: str
    host: str
    port: int
    tls: bool
    calls_us: str
    """The AE title that it has to have entered for us; empty: it never calls."""


class Door(BaseModel):
    """A port of ours that devices or systems send to."""

    kind: Literal["dicom", "dicom-tls", "hl7", "hl7-tls", "pages"]
    host: str
    port: int
    ae_titles: list[str] = []
    name: str = ""
    is_loopback: bool
    """It answers this machine alone, until told otherwise."""


class Way(BaseModel):
    """One way through a firewall; all others stay closed."""

    source: End
    target: End
    host: str
    """Of the target, or its name here."""
    port: int
    purpose: Literal[
        "agents", "browsers", "dicom", "dicom-tls", "dicomweb", "hl7", "pages", "directory", "mail", "sign-on",
        "certificates", "audit",
    ]  # fmt: skip


class Checklist(BaseModel):
    """All of it."""

    nodes: list[Node]
    doors: list[Door]
    ways: list[Way]


def checklist(
    session: Session, settings: Settings, organisation_id: uuid.UUID, relays: Sequence[LinkState], *, whole: bool
) -> Checklist:
    """Return an organisation's checklist; `whole`: with what belongs to the installation, not to it alone."""
    nodes = list(_nodes(session, settings, organisation_id))
    titles = [one.ae_title for one in sources.list_sources(session, organisation_id) if one.kind == "dicom"]
    doors = list(_doors(settings, sorted({title or settings.dicom.ae_title for title in titles})))
    ways = [*_inward(doors, relays, whole=whole), *_to_nodes(nodes), *_to_services(session, settings, organisation_id)]
    if whole:
        ways.extend(_elsewhere(settings))
    return Checklist(nodes=nodes, doors=doors, ways=ways)


def _nodes(session: Session, settings: Settings, organisation_id: uuid.UUID) -> Iterator[Node]:
    own = settings.dicom.ae_title
    for pacs in every_pacs(session, organisation_id):
        if pacs.kind == "dicomweb":
            continue
        yield Node(
            kind="worklist" if pacs.kind == "worklist" else "pacs", name=pacs.name, ae_title=pacs.ae_title,
            host=pacs.host, port=pacs.port, tls=pacs.tls, calls_us=pacs.calling_ae_title or own,
        )  # fmt: skip
    for one in list_destinations(session, organisation_id):
        if one.kind != "dicom":
            continue
        yield Node(
            kind="destination", name=one.name, ae_title=one.ae_title, host=one.host, port=one.port, tls=one.tls,
            calls_us=one.calling_ae_title or own,
        )  # fmt: skip


def _doors(settings: Settings, titles: list[str]) -> Iterator[Door]:
    dicom = settings.dicom
    ports = [("dicom", port) for port in (dicom.port, *dicom.more_ports)]
    if dicom.tls_port is not None:
        ports.append(("dicom-tls", dicom.tls_port))
    for kind, port in ports:
        yield Door.model_validate(
            {
                "kind": kind,
                "host": dicom.host,
                "port": port,
                "ae_titles": titles,
                "is_loopback": _is_loopback(dicom.host),
            }
        )
    for one in settings.hl7.ports:
        kind = "hl7-tls" if one.tls else "hl7"
        yield Door.model_validate(
            {"kind": kind, "host": one.host, "port": one.port, "name": one.name, "is_loopback": _is_loopback(one.host)}
        )
    web = settings.web
    yield Door(kind="pages", host=web.host, port=web.port, is_loopback=_is_loopback(web.host))


def _inward(doors: Sequence[Door], relays: Sequence[LinkState], *, whole: bool) -> Iterator[Way]:
    for relay in relays if whole else ():
        address = RelayAddress.parse(relay.relay)
        yield Way(source="server", target="relay", host=address.host, port=address.port, purpose="agents")
        if relay.public_port:
            yield Way(source="anywhere", target="relay", host=address.host, port=relay.public_port, purpose="browsers")
        for port in relay.ports:
            yield Way(source="partners", target="relay", host=address.host, port=port, purpose="dicom-tls")
    inward: dict[str, tuple[End, Literal["dicom", "dicom-tls", "hl7", "pages"]]] = {
        "dicom": ("devices", "dicom"), "dicom-tls": ("devices", "dicom-tls"), "hl7": ("senders", "hl7"),
        "hl7-tls": ("senders", "hl7"), "pages": ("people", "pages"),
    }  # fmt: skip
    for door in doors:
        source, purpose = inward[door.kind]
        if not door.is_loopback:
            yield Way(source=source, target="server", host="", port=door.port, purpose=purpose)


def _to_nodes(nodes: Sequence[Node]) -> Iterator[Way]:
    for node in nodes:
        yield Way(
            source="server", target=node.kind, host=node.host, port=node.port,
            purpose="dicom-tls" if node.tls else "dicom",
        )  # fmt: skip


def _to_services(session: Session, settings: Settings, organisation_id: uuid.UUID) -> Iterator[Way]:
    """Yield the ways to what is no DICOM node: DICOMweb by its URL, receivers of HL7; folders and mail need none."""
    for pacs in every_pacs(session, organisation_id):
        if pacs.kind == "dicomweb":
            yield _to_url("pacs", pacs.address, "dicomweb")
    for one in list_destinations(session, organisation_id):
        if one.kind == "dicomweb":
            yield _to_url("destination", one.address, "dicomweb")
        elif one.kind == "hl7":
            yield Way(source="server", target="destination", host=one.host, port=one.port, purpose="hl7")
    first = organisations.every(session)[0].id
    for receiver in hl7_connections.receivers(session, settings.hl7, first, organisation_id):
        yield Way(source="server", target="destination", host=receiver.host, port=receiver.port, purpose="hl7")


def _to_url(target: End, url: str, purpose: Literal["dicomweb", "sign-on", "certificates"]) -> Way:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Way(source="server", target=target, host=parts.hostname or "", port=port, purpose=purpose)


def _elsewhere(settings: Settings) -> Iterator[Way]:
    for url in settings.directory.urls:
        parts = urlsplit(url)
        port = parts.port or (636 if parts.scheme == "ldaps" else 389)
        yield Way(source="server", target="directory", host=parts.hostname or "", port=port, purpose="directory")
    mail = settings.mail
    if mail.host is not None:
        port = mail.port or {"starttls": 587, "tls": 465}.get(mail.security, 25)
        yield Way(source="server", target="mail", host=mail.host, port=port, purpose="mail")
    if settings.oidc.issuer is not None:
        yield _to_url("sign-on", settings.oidc.issuer, "sign-on")
    authority = plan_in(settings.gateway_dir) if settings.agent.onward is None else None
    if authority is not None:
        yield _to_url("authority", authority.directory, "certificates")
    repository = settings.audit.repository
    if repository.host is not None:
        yield Way(source="server", target="repository", host=repository.host, port=repository.port, purpose="audit")


def _is_loopback(host: str) -> bool:
    return host in ("127.0.0.1", "::1", "localhost")

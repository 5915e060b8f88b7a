"""The ports and receivers of the settings: whose they are, how each reads, and how it goes with them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Misconfigured
from radrelay.hl7.errors import MappingInvalid
from radrelay.hl7.keeping import FAILED, REFUSED, WAITING, Inbox
from radrelay.hl7.mapping import load_mapping
from radrelay.hl7.message import Reading
from radrelay.hl7.models import Hl7Message
from radrelay.identity import organisations
from radrelay.identity.organisations import OrganisationUnknown
from radrelay.settings import Hl7Receiver, Hl7Settings
from radrelay.settings.zones import MACHINE, zone_of

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Health:
    """How it goes with a port or receiver: messages of the last day, those that wait, and those that failed in it."""

    name: str
    last_at: datetime | None = None
    of_day: int = 0
    waiting: int = 0
    failed: int = 0
    error: str = ""
    error_code: str = ""
    error_facts: str = "{}"


def inboxes(session: Session, settings: Hl7Settings, first: uuid.UUID, zone: str = "") -> dict[str, Inbox]:
    """Return how each port's messages are taken; `first` is whose they are where no organisation is named.

    `zone` is the site's (`work.zone`), of times without one where neither the port nor its mapping names it. Raises
    `Misconfigured`, which names the port.
    """
    found = {}
    site = zone_of(zone) or MACHINE
    for port in settings.ports:
        owner = _owner(session, port.organisation, first, f"hl7.ports, {port.name}")
        try:
            mapping = load_mapping(port.mapping, site)
        except MappingInvalid as error:
            raise Misconfigured(f"hl7.ports, {port.name}: {error.message}") from error
        own = zone_of(port.zone, f"hl7.ports, {port.name}, zone")
        mapping = mapping if own is None else replace(mapping, zone=own)
        reading = Reading(port.character_set, port.trust_character_set, port.senders)
        found[port.name] = Inbox(owner, mapping, reading, port.acknowledge)
    return found


def receivers(
    session: Session, settings: Hl7Settings, first: uuid.UUID, organisation_id: uuid.UUID
) -> list[Hl7Receiver]:
    """Return where an organisation's messages may be sent."""
    return [
        one
        for one in settings.receivers
        if _owner(session, one.organisation, first, f"hl7.receivers, {one.name}") == organisation_id
    ]


def health(session: Session, organisation_id: uuid.UUID, direction: str, name: str, now: datetime) -> Health:
    """Return how it goes with a port (`in`) or a receiver (`out`)."""
    mine = (
        Hl7Message.organisation_id == organisation_id, Hl7Message.direction == direction, Hl7Message.port == name,
    )  # fmt: skip
    recent = Hl7Message.received_at >= now - DAY

    def count(*asked: sa.ColumnElement[bool]) -> int:
        return session.scalar(sa.select(sa.func.count()).select_from(Hl7Message).where(*mine, *asked)) or 0

    last = session.scalar(sa.select(sa.func.max(Hl7Message.received_at)).where(*mine))
    blamed = session.scalars(
        sa.select(Hl7Message)
        .where(*mine, Hl7Message.error_code != "", sa.or_(Hl7Message.state == WAITING, recent))
        .order_by(Hl7Message.id.desc())
        .limit(1)
    ).first()
    told = (blamed.error, blamed.error_code, blamed.error_facts) if blamed is not None else ("", "", "{}")
    failed = count(recent, Hl7Message.state.in_((FAILED, REFUSED)))
    return Health(name, last, count(recent), count(Hl7Message.state == WAITING), failed, *told)


def _owner(session: Session, name: str, first: uuid.UUID, where: str) -> uuid.UUID:
    if not name:
        return first
    try:
        return organisations.named(session, name).id
    except OrganisationUnknown as error:
        raise Misconfigured(f"{where}: no organisation {name!r}") from error

"""Destinations: the DICOM nodes that studies are sent to, and by whose AE title C-MOVE finds its way."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.network.titles import AE_TITLE
from radrelay.routing.errors import DestinationExists, DestinationInUse, DestinationInvalid, DestinationNotFound
from radrelay.routing.models import Delivery, Destination
from radrelay.storage.ids import new_id

OPEN_STATES = ("waiting", "sending", "confirming", "held")


@dataclass(frozen=True)
class DestinationDraft:
    """What a person enters for a destination."""

    name: str
    ae_title: str
    host: str
    port: int
    calling_ae_title: str = ""
    tls: bool = False
    enabled: bool = True

    def check(self) -> None:
        """Raise `DestinationInvalid`, naming the field, unless every field can be right."""
        if not self.name.strip() or len(self.name) > 100:
            raise DestinationInvalid("name: 1 to 100 characters", field="name")
        for field, title in (("ae_title", self.ae_title), ("calling_ae_title", self.calling_ae_title)):
            if (title or field == "ae_title") and not AE_TITLE.fullmatch(title):
                raise DestinationInvalid(f"{field}: an AE title has 1 to 16 printable characters", field=field)
        if not self.host.strip() or len(self.host) > 255 or any(c.isspace() for c in self.host):
            raise DestinationInvalid("host: a name or an address without spaces", field="host")
        if not 1 <= self.port <= 65535:
            raise DestinationInvalid("port: 1 to 65535", field="port")


def list_destinations(session: Session, organisation_id: uuid.UUID) -> list[Destination]:
    """Return the organisation's destinations by name."""
    return list(
        session.scalars(
            sa.select(Destination).where(Destination.organisation_id == organisation_id).order_by(Destination.name)
        )
    )


def get_destination(session: Session, organisation_id: uuid.UUID, destination_id: uuid.UUID) -> Destination:
    """Return one destination; raises `DestinationNotFound`."""
    found = session.get(Destination, destination_id)
    if found is None or found.organisation_id != organisation_id:
        raise DestinationNotFound
    return found


def find_by_ae_title(session: Session, organisation_id: uuid.UUID, ae_title: str) -> Destination | None:
    """Return the enabled destination with this AE title, the oldest if there are several."""
    return session.scalars(
        sa.select(Destination)
        .where(
            Destination.organisation_id == organisation_id,
            Destination.ae_title == ae_title,
            Destination.enabled.is_(True),
        )
        .order_by(Destination.id)
    ).first()


def create_destination(
    session: Session, clock: Clock, organisation_id: uuid.UUID, draft: DestinationDraft
) -> Destination:
    """Add a destination; raises `DestinationInvalid` for a bad field or a name that is taken."""
    draft.check()
    row = Destination(id=new_id(), organisation_id=organisation_id, created_at=clock.now())
    session.add(row)
    return _write(session, row, draft)


def update_destination(
    session: Session, organisation_id: uuid.UUID, destination_id: uuid.UUID, draft: DestinationDraft
) -> Destination:
    """Replace a destination's fields."""
    draft.check()
    return _write(session, get_destination(session, organisation_id, destination_id), draft)


def delete_destination(session: Session, organisation_id: uuid.UUID, destination_id: uuid.UUID) -> None:
    """Remove a destination that no open delivery goes to."""
    row = get_destination(session, organisation_id, destination_id)
    waiting = sa.select(Delivery.id).where(Delivery.destination_id == row.id, Delivery.state.in_(OPEN_STATES)).limit(1)
    if session.scalar(waiting) is not None:
        raise DestinationInUse
    session.delete(row)


def _write(session: Session, row: Destination, draft: DestinationDraft) -> Destination:
    row.name = draft.name.strip()
    row.ae_title = draft.ae_title
    row.host = draft.host
    row.port = draft.port
    row.calling_ae_title = draft.calling_ae_title
    row.tls = draft.tls
    row.enabled = draft.enabled
    try:
        session.flush()
    except IntegrityError as error:
        raise DestinationExists("name: another destination has this name", field="name") from error
    return row

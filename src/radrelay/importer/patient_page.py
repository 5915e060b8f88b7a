"""The page on which patients enter their links before a visit: an organisation's own, off until it is switched on.

Its address ends in a door drawn at random, so that nobody tries out which organisations are here; the first
organisation's is found without one, too.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.source_names import PORTALS
from radrelay.importer.cases import FILED, OVER
from radrelay.importer.import_errors import PageClosed, PageFull
from radrelay.importer.models import ImportCase, ImportPage
from radrelay.intake.sources import PORTAL, SourceView, add_source, default_spec, free_name, list_sources
from radrelay.settings import Settings

BY_PATIENT = "patient"
"""`asked_kind` of an import that a patient began."""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DOOR_SIGNS = 10
NO_DOOR = ""


def page_of(session: Session, organisation_id: uuid.UUID) -> ImportPage | None:
    """Return an organisation's page, none if it was never switched on."""
    return session.get(ImportPage, organisation_id)


def switch(session: Session, organisation_id: uuid.UUID, *, is_open: bool, by: str, now: datetime) -> ImportPage:
    """Switch an organisation's page on or off; its address stays."""
    row = session.get(ImportPage, organisation_id, with_for_update=True)
    if row is None:
        row = ImportPage(organisation_id=organisation_id, door=_new_door())
        session.add(row)
    row.is_open, row.changed_at, row.changed_by = is_open, now, by[:200]
    session.flush()
    return row


def opened_by(session: Session, door: str, first: uuid.UUID) -> uuid.UUID:
    """Return whose page a door leads to; raises `PageClosed`, for one that is off as for one that never was."""
    named = ImportPage.door == door[:DOOR_SIGNS].upper() if door else ImportPage.organisation_id == first
    found = session.scalar(sa.select(ImportPage.organisation_id).where(named, ImportPage.is_open.is_(True)))
    if found is None or len(door) > DOOR_SIGNS:
        raise PageClosed
    return found


def require_room(session: Session, organisation_id: uuid.UUID, most: int) -> None:
    """Raise `PageFull` where as many imports of patients wait as may."""
    waiting = sa.select(sa.func.count()).where(
        ImportCase.organisation_id == organisation_id, ImportCase.asked_kind == BY_PATIENT,
        ImportCase.state.not_in((FILED, OVER)),
    )  # fmt: skip
    if (session.scalar(waiting) or 0) >= most:
        raise PageFull


def source_of(session: Session, organisation_id: uuid.UUID, settings: Settings, now: datetime) -> SourceView:
    """Return the source that an organisation's imports come by; one is made where all were removed.

    Raises `PageClosed` where all are switched off.
    """
    found = [one for one in list_sources(session, organisation_id) if one.kind == PORTAL]
    if not found:
        name = free_name(session, organisation_id, PORTALS)
        return add_source(session, organisation_id, default_spec(name, PORTAL, settings), now)
    enabled = next((one for one in found if one.enabled), None)
    if enabled is None:
        raise PageClosed
    return enabled


def _new_door() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(DOOR_SIGNS))

"""Who may search which archives elsewhere: whoever was granted fetching into the source that their studies come to."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import GUEST, Principal, Right
from radrelay.retrieve.errors import PacsDisabled, PacsNotFound, RetrieveOff
from radrelay.retrieve.models import Pacs
from radrelay.retrieve.nodes import every_pacs, get_pacs
from radrelay.retrieve.ports import Connector
from radrelay.web.services import WebServices

ARCHIVES = ("dicom", "dicomweb")
WORKLIST = ("worklist",)


def archives_of(services: WebServices) -> Connector:
    """Return what asks archives elsewhere; raises `RetrieveOff` where a site has not switched that on."""
    if services.archives is None:
        raise RetrieveOff
    return services.archives


def within_reach(services: WebServices, session: Session, principal: Principal) -> list[Pacs]:
    """Return the archives that a principal may search, switched off ones among them."""
    if principal.role == GUEST:
        return []
    reach = access.reach_of_sources(session, principal, Right.FETCH, now=services.clock.now())
    return [row for row in every_pacs(session, principal.organisation_id) if reach.holds(row.source_id)]


def reached(
    services: WebServices,
    session: Session,
    principal: Principal,
    pacs_id: uuid.UUID,
    kinds: Collection[str] = ARCHIVES,
) -> Pacs:
    """Return one of those that is of these kinds; raises `PacsNotFound`, `PacsDisabled`."""
    row = get_pacs(session, principal.organisation_id, pacs_id)
    reach = access.reach_of_sources(session, principal, Right.FETCH, now=services.clock.now())
    if principal.role == GUEST or row.kind not in kinds or not reach.holds(row.source_id):
        raise PacsNotFound
    if not row.enabled:
        raise PacsDisabled
    return row

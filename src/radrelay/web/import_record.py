"""What is done with an import, noted for colleagues who look at it, and put on record."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.importer import acts
from radrelay.importer.models import ImportCase
from radrelay.web import trail
from radrelay.web.services import WebServices


def note_act(
    services: WebServices, row: ImportCase, principal: Principal, what: acts.What, number: int | None = None
) -> None:
    """Note who did something, for the pages of colleagues who look at the same import."""
    acts.note(row, what, principal.name, principal.id, services.clock.now(), number)


def put_on_record(
    session: Session, request: Request, principal: Principal, action: str, row: ImportCase, detail: Mapping[str, object]
) -> None:
    """Put what was done with an import on record, in the caller's transaction."""
    trail.write(session, trail.event(request, principal, action, ("import", row.id), detail=detail))

"""Leaving what links opened in a browser: all of its visits end, and each is on record under its own link."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.web import trail
from radrelay.web.connection import peer_address
from radrelay.web.services import WebServices
from radrelay.web.visitors import LINK_COOKIE


def leave_links(session: Session, request: Request, services: WebServices) -> None:
    """End what links opened in this browser, in the caller's writing transaction; none is no error."""
    cookie = request.cookies.get(LINK_COOKIE, "")
    if not cookie:
        return
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    for visitor in access.end_visits(session, cookie, peer, services.clock.now()):
        trail.write(session, trail.event(request, visitor, "link.leave", ("link", visitor.id)))

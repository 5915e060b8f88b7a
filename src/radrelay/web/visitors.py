"""Where somebody comes with a link: the addresses that show what was shared, and none besides.

A new address is closed to links until it is written down here, whatever its route would find for them.
"""

from __future__ import annotations

import hmac
import re

from fastapi import Request

from radrelay import access
from radrelay.access import Visit
from radrelay.errors import Forbidden
from radrelay.web.services import WebServices
from radrelay.web.tickets import secret_of

LINK_COOKIE = "radrelay_link"
_ID = r"[0-9a-fA-F-]{36}"
OPEN_TO_LINKS: dict[str, tuple[str, ...]] = {
    "GET": (
        r"/api/session",
        r"/api/shared",
        r"/api/events",  # that the link is over, and nothing else
        rf"/api/studies/{_ID}(/opening|/glimpse|/archive\.zip|/drawings)?",
        rf"/api/series/{_ID}(/thumbnail|/archive\.zip|/slide)?",
        rf"/api/instances/{_ID}/(planes|thumbnail|file|document|report|header|header/value|drawing|drawing/masks/[0-9]+)",
        rf"/api/instances/{_ID}/(waveform|waveform/[0-9]+/(samples|sound)|pages|pages/[0-9]+(/text)?|film|film/file|video)",
        rf"/api/instances/{_ID}/frames/[0-9]+/(pixels|stream|rendered|tables)",
    ),
    "POST": (rf"/api/studies/{_ID}/exports",),
    "DELETE": (r"/api/shared",),
}
_UID = r"[0-9.]{1,64}"
OPEN_TO_PROGRAMS = (
    r"/dlx/v1/(list|download/[^/]+|downloadall)",
    rf"/dicom-web/studies/{_UID}(/series(/{_UID}(/instances/{_UID})?)?|/instances)?",
)
"""What a program may ask for that a link let in: with its ticket alone, and only by GET."""
_PATTERNS = {method: re.compile("|".join(paths)) for method, paths in OPEN_TO_LINKS.items()}
_PROGRAMS = re.compile("|".join(OPEN_TO_PROGRAMS))


class NotByLink(Forbidden):
    """A link shows what was shared with it, and opens nothing else."""

    code = "not-by-link"


def visit_of(request: Request, services: WebServices, cookie: str, peer: str) -> Visit:
    """Return the visit of a cookie where links may come; raises `LinkOver` or `NotByLink`."""
    with services.database.read() as session:
        visit = access.visit_of(session, cookie, peer, services.clock.now())
    pattern = _PATTERNS.get(request.method)
    if pattern is None or pattern.fullmatch(request.scope["path"]) is None:
        raise NotByLink
    return visit


def visit_of_ticket(request: Request, services: WebServices, ticket: str, peer: str) -> Visit:
    """Return the visit of a program's ticket where such may come; raises `TicketRefused`, `LinkOver`, `NotByLink`.

    A ticket that counted when an answer was begun does so until that ends, as long as the visit lasts.
    """
    kept: dict[str, str] = request.scope["state"].setdefault("tickets", {})
    if ticket not in kept:
        kept[ticket] = secret_of(services.link_keys, ticket, services.clock.now())
    with services.database.read() as session:
        visit = access.visit_of(session, kept[ticket], peer, services.clock.now())
    if request.method != "GET" or _PROGRAMS.fullmatch(request.scope["path"]) is None:
        raise NotByLink
    return visit


def is_own(visit: Visit, csrf_token: str) -> bool:
    """Say whether a request carries the visit's CSRF token."""
    return hmac.compare_digest(csrf_token.encode(), visit.csrf_token.encode())

"""Where somebody comes whom another program has brought: to the viewer and what it asks for, and nowhere else.

A new address is closed to them until it is written down here, whatever its route would find. What they find is theirs,
within the studies that the program asked for.
"""

from __future__ import annotations

import re

from fastapi import Request

from radrelay import access
from radrelay.access import Launched
from radrelay.errors import Forbidden
from radrelay.identity import OpenSession, SessionEnded
from radrelay.web.services import WebServices
from radrelay.web.visitors import OPEN_TO_LINKS

_ID = r"[0-9a-fA-F-]{36}"
_MORE: dict[str, tuple[str, ...]] = {
    "GET": (
        r"/api/view",
        rf"/api/studies/{_ID}/(marks|priors|marks/(report|key-objects|presentation)\.dcm)",
        r"/api/(me/)?preferences/[a-z-]+",
        r"/api/displays/(rules|here)",
        r"/api/privacy/owed",
    ),
    "POST": (r"/api/session/use", r"/api/privacy/acceptances", rf"/api/studies/{_ID}/marks/file"),
    "PUT": (rf"/api/studies/{_ID}/marks/{_ID}", r"/api/me/preferences/[a-z-]+"),
    "DELETE": (r"/api/session", rf"/api/studies/{_ID}/marks/{_ID}"),
}
_OF_LINKS_ALONE = r"/api/shared"
OPEN_TO_LAUNCHES: dict[str, tuple[str, ...]] = {
    method: tuple(path for path in (*OPEN_TO_LINKS.get(method, ()), *_MORE.get(method, ())) if path != _OF_LINKS_ALONE)
    for method in {*OPEN_TO_LINKS, *_MORE}
}
_PATTERNS = {method: re.compile("|".join(paths)) for method, paths in OPEN_TO_LAUNCHES.items()}


class NotByLaunch(Forbidden):
    """Another program has opened these images for you, and nothing else; log in to see more."""

    code = "not-by-launch"


def launched_of(request: Request, services: WebServices, login: OpenSession) -> Launched:
    """Return what a login reaches that a program opened; raises `SessionEnded` or `NotByLaunch`."""
    with services.database.read() as session:
        found = access.launched_of(session, login.account.organisation_id, login.id, services.clock.now())
    if found is None:
        raise SessionEnded(why="withdrawn")
    pattern = _PATTERNS.get(request.method)
    if pattern is None or pattern.fullmatch(request.scope["path"]) is None:
        raise NotByLaunch
    return found

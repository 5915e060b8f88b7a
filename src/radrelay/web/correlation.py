"""The outer layer of a request: its correlation id, its line in the log and the metrics, and its last errors.

Pure ASGI, so that streamed bodies pass through piece by piece. The log names the route's template, never the path or
the query, which may hold UIDs and names; of an unforeseen error it names the class and the places, not the message.
"""

from __future__ import annotations

import re
import time
import traceback

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radrelay.access import Principal
from radrelay.privacy.volume.counting import KINDS, SentTally, Subject
from radrelay.storage.ids import new_id
from radrelay.web.measurements import Measurements
from radrelay.web.problems import unforeseen_problem

HEADER = "x-correlation-id"
CALLER, SUBJECT = "caller", "subject"
NOTED_BYTES = 64 << 20
REFUSED = frozenset({401, 403, 404, 429})  # what somebody may not see is not found
GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
log = structlog.get_logger(__name__)


class ResponseBroken(Exception):
    """A response broke off after it had begun; the connection is closed so that the other side notices."""


class Correlation:
    """Gives each request an id (or takes the caller's), measures it and catches what nobody else did."""

    def __init__(self, app: ASGIApp, measurements: Measurements, tally: SentTally) -> None:
        self.app = app
        self.measurements = measurements
        self.tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        correlation_id = given if GIVEN.fullmatch(given) else new_id().hex
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        status = sent = 0
        began = time.perf_counter()

        async def send_named(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = correlation_id
            else:
                sent += len(message.get("body", b""))
                if sent > NOTED_BYTES:  # a disc of many GiB is under way for long
                    self._note_sent(scope, sent)
                    sent = 0
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
            try:
                await self.app(scope, receive, send_named)
            except ClientDisconnect:
                status = status or 499
            except ResponseBroken:  # on purpose, and told
                raise
            except Exception as error:  # why: the last place; what goes on from here is logged with patient data
                _log_error(error)
                if status:
                    raise ResponseBroken from None
                await unforeseen_problem(correlation_id)(scope, receive, send_named)
            finally:
                self._note_sent(scope, sent)
                self._note(scope, status, time.perf_counter() - began)

    def _note_sent(self, scope: Scope, size: int) -> None:
        subject = scope["state"].get(SUBJECT)
        if subject is not None and size:
            self.tally.add(subject, size)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope)
        self.measurements.request(scope["method"], route, status, seconds)
        asked = scope["state"].get(CALLER, {}) if status in REFUSED else {}
        log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1), **asked)


def note_caller(scope: Scope, peer: str, kind: str = "", own_id: object = "") -> None:
    """Keep who asks, by id, for the line in the log if the request is refused; others do not name anybody."""
    scope.setdefault("state", {})[CALLER] = {"peer": peer} | ({"who": f"{kind} {own_id}"} if kind else {})


def note_principal(scope: Scope, principal: Principal) -> None:
    """Keep whom the answer's bytes are counted for."""
    if principal.kind in KINDS:
        scope.setdefault("state", {})[SUBJECT] = Subject(principal.organisation_id, principal.kind, principal.id)


def route_of(scope: Scope) -> str:
    """Return the template of the route that matched, such as /api/studies/{study_id}, or `unknown`.

    A router that is included in another names its routes without the other's prefix, which holds no variable part.
    """
    template = str(getattr(scope.get("route"), "path", ""))
    if not template or ":path}" in template:
        return template or "unknown"
    parts = scope["path"].split("/")
    before = len(parts) - len(template.split("/"))
    return "/".join(parts[: before + 1]) + template


def _log_error(error: BaseException) -> None:
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 5:
        causes.append(type(cause).__qualname__)
        cause = cause.__cause__ or cause.__context__
    log.error("unforeseen error", error=causes, places=places)

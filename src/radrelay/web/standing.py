"""A long answer ends with the login, token or link that asked for it: who is suspended in mid-download gets no more.

Pure ASGI. What is begun within a login goes on when that ends for want of use or at its latest moment; what somebody
ends (suspension, logging out, a login or token or link that is revoked) breaks off within `LOOK_EVERY_S`.
"""

from __future__ import annotations

import time

import structlog
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radrelay.errors import RadrelayError, Unavailable
from radrelay.identity import SessionEnded
from radrelay.web.authentication import caller_of
from radrelay.web.correlation import SUBJECT, ResponseBroken

LOOK_EVERY_S = 1.0
BY_ITSELF = ("idle", "over")
EVENTS = "/api/events"  # they tell the page that it is over
log = structlog.get_logger(__name__)


class Standing:
    """Asks again, while an answer is under way, whether who asked for it may still do so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; raises `ResponseBroken` where the answer may not go on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        looked_at: float | None = None  # none before the first piece, which the request itself was let in for

        async def send_while_standing(message: Message) -> None:
            nonlocal looked_at
            if looked_at is not None and time.monotonic() - looked_at >= LOOK_EVERY_S:
                if not await run_in_threadpool(_stands, Request(scope)):
                    log.info("an answer was broken off: who asked for it is shut out")
                    raise ResponseBroken
                looked_at = time.monotonic()
            await send(message)
            if looked_at is None and message.get("more_body") and _is_watched(scope):
                looked_at = time.monotonic()

        await self.app(scope, receive, send_while_standing)


def _is_watched(scope: Scope) -> bool:
    return SUBJECT in scope["state"] and scope["path"] != EVENTS


def _stands(request: Request) -> bool:
    try:
        caller_of(request)
    except Unavailable:  # nobody can tell, which is no end of a login
        return True
    except SessionEnded as error:
        return error.facts.get("why") in BY_ITSELF
    except RadrelayError:
        return False
    return True

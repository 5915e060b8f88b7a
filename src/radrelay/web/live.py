"""Live events (/api/events, server-sent): the browser hears that a list has changed and asks again for it.

The index is written by other processes, so one task looks at a few indexed maxima once a second while anybody
listens. An event names a list, never what is in it: what the listener may see is decided when it asks. Who came with
a link hears nothing but that it is over, or that it shows other studies than before.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio.to_thread
import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from radrelay import access
from radrelay.access import Principal, Right
from radrelay.access.models import Grant, LinkAccess, Restriction, ShareLink
from radrelay.analysis.models import AnalysisRun
from radrelay.archive.models import Study, Tombstone
from radrelay.errors import RadrelayError, Unavailable
from radrelay.identity.models import Account, ApiToken
from radrelay.identity.models import Session as Login
from radrelay.importer.models import ImportCase
from radrelay.intake.models import Parcel, Quarantined
from radrelay.marks.models import MarkedStudy
from radrelay.retrieve.models import Fetch
from radrelay.routing.models import Delivery, StepDelivery
from radrelay.storage.models import OutboxEvent, RememberedAct
from radrelay.web.authentication import Authenticated, caller_of
from radrelay.web.problems import RESPONSES
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

LOOK_EVERY_S = 1.0
HEARTBEAT_S = 15.0
HERE = "event: here\ndata: {}\n\n"
ENDED = "event: ended\ndata: {}\n\n"
MOST_LISTENERS = 500
MOST_VISITORS = 200  # of them: whoever was given a link must not take the house its places
MOST_OF_ONE = 40  # of them by one person or token: nor may they take another organisation its places
OPEN_PARCELS = ("receiving", "scanning", "unpacking")
OPEN_DELIVERIES = ("waiting", "sending", "confirming")
OPEN_FETCHES = ("waiting", "fetching")
log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api", tags=["live"], responses=RESPONSES)


def signatures(session: Session, organisation_id: uuid.UUID, now: datetime) -> dict[str, str]:
    """Return for each list a text that differs once the list has changed; each part is one look into an index."""

    def one(*wanted: sa.ScalarSelect[Any]) -> str:
        return str(tuple(session.execute(sa.select(*wanted)).one()))

    def newest(column: sa.ColumnElement[object], owner: sa.ColumnElement[uuid.UUID]) -> sa.ScalarSelect[Any]:
        return sa.select(sa.func.max(column)).where(owner == organisation_id).scalar_subquery()

    parcels = sa.select(
        sa.func.count(), sa.func.sum(Parcel.files + Parcel.objects + Parcel.refused),
        sa.func.sum(Parcel.bytes_received), sa.func.min(Parcel.state), sa.func.max(Parcel.state),
    ).where(Parcel.organisation_id == organisation_id, Parcel.state.in_(OPEN_PARCELS))  # fmt: skip
    deliveries = sa.select(
        sa.func.count(),
        sa.func.sum(Delivery.sent + Delivery.failed + Delivery.attempts + Delivery.committed),
        sa.func.max(Delivery.state),
        sa.func.sum(Delivery.priority),
    ).where(Delivery.organisation_id == organisation_id, Delivery.state.in_(OPEN_DELIVERIES))
    fetches = sa.select(
        sa.func.count(), sa.func.sum(Fetch.here + Fetch.refused + Fetch.attempts), sa.func.max(Fetch.state)
    ).where(Fetch.organisation_id == organisation_id, Fetch.state.in_(OPEN_FETCHES))
    return {
        "studies": one(
            newest(Study.__table__.c.last_received_at, Study.__table__.c.organisation_id),
            newest(Tombstone.__table__.c.at, Tombstone.__table__.c.organisation_id),
            # not max(): PostgreSQL has none of UUIDs
            sa.select(OutboxEvent.id)
            .where(OutboxEvent.organisation_id == organisation_id)
            .order_by(OutboxEvent.id.desc())
            .limit(1)
            .scalar_subquery(),
        )
        + one(*_restrictions(organisation_id))
        + one(*_rights(organisation_id, now)),
        "parcels": str(tuple(session.execute(parcels).one()))
        + one(newest(Parcel.__table__.c.created_at, Parcel.__table__.c.organisation_id)),
        "deliveries": str(tuple(session.execute(deliveries).one()))
        + one(newest(Delivery.__table__.c.created_at, Delivery.__table__.c.organisation_id))
        + one(*_steps(organisation_id)),
        "fetches": str(tuple(session.execute(fetches).one()))
        + one(newest(Fetch.__table__.c.created_at, Fetch.__table__.c.organisation_id)),
        "imports": one(newest(ImportCase.__table__.c.changed_at, ImportCase.__table__.c.organisation_id)),
        "marks": one(newest(MarkedStudy.__table__.c.turn, MarkedStudy.__table__.c.organisation_id)),
        "analyses": one(newest(AnalysisRun.__table__.c.changed_at, AnalysisRun.__table__.c.organisation_id)),
        "links": one(newest(LinkAccess.__table__.c.at, LinkAccess.__table__.c.organisation_id)),
        "quarantine": one(newest(Quarantined.__table__.c.received_at, Quarantined.__table__.c.organisation_id)),
    }


def _steps(organisation_id: uuid.UUID) -> tuple[sa.ScalarSelect[Any], ...]:
    """Return what differs once a performed step is passed on, or gets further."""
    row = StepDelivery.__table__.c
    mine = row.organisation_id == organisation_id
    open_ones = sa.select(sa.func.count() + sa.func.coalesce(sa.func.sum(row.attempts), 0))
    return (
        open_ones.where(mine, row.state.in_(("waiting", "held"))).scalar_subquery(),
        sa.select(sa.func.max(row.created_at)).where(mine).scalar_subquery(),
    )


def _rights(organisation_id: uuid.UUID, now: datetime) -> tuple[sa.ScalarSelect[Any], ...]:
    """Return what differs once somebody may see more or less: a grant is given, changed, ended, or over by now."""
    given, taken, ends = Grant.__table__.c, RememberedAct.__table__.c, Grant.__table__.c.ends_at
    newest = (
        sa.select(one.id).where(one.organisation_id == organisation_id).order_by(one.id.desc()).limit(1)
        for one in (given, taken)
    )
    over = sa.select(sa.func.max(ends)).where(given.organisation_id == organisation_id, ends.is_not(None), ends <= now)
    return (*(one.scalar_subquery() for one in newest), over.scalar_subquery())


def _restrictions(organisation_id: uuid.UUID | None = None) -> tuple[sa.ScalarSelect[Any], sa.ScalarSelect[Any]]:
    """Return what differs once something was restricted, or a restriction lifted: a table of a few thousand rows."""
    mine = sa.true() if organisation_id is None else Restriction.__table__.c.organisation_id == organisation_id
    wanted = (sa.func.count(), sa.func.max(Restriction.__table__.c.created_at))
    counted, newest = (
        sa.select(one).select_from(Restriction.__table__).where(mine).scalar_subquery() for one in wanted
    )
    return counted, newest


_NEWEST_END = sa.select(
    *(
        sa.select(sa.func.max(column)).scalar_subquery()
        for column in (
            Login.__table__.c.ended_at, Account.__table__.c.disabled_at, ApiToken.__table__.c.revoked_at,
            ApiToken.__table__.c.closed_at, ApiToken.__table__.c.suspended_at, ShareLink.__table__.c.revoked_at,
            ShareLink.__table__.c.suspended_at,
        )
    )
)  # fmt: skip
"""When anybody was last shut out: tables of a few thousand rows, or an index's last entry."""


@dataclass(eq=False)
class Listener:
    """One browser; what changed since it was last told. A visitor's is told of no change but of what it is shown."""

    principal: Principal
    changed: set[str] = field(default_factory=set)
    doubtful: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def visitor(self) -> bool:
        """Say whether it came with a link."""
        return self.principal.kind == "link"


class LiveFeed:
    """Looks for changes while anybody listens, and tells them."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._listeners: set[Listener] = set()
        self._known: dict[uuid.UUID, dict[str, str]] = {}
        self._shut_out = ""
        self._hidden = ""
        self._somebody = asyncio.Event()
        self.closing = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look for changes until the block ends; then every listener's stream ends."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._look_forever())
        try:
            yield
        finally:
            self.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def close(self) -> None:
        """End every stream, so that a server that is told to stop does not wait for its listeners."""
        self.closing.set()
        for listener in self._listeners:
            listener.woken.set()

    def close_soon(self) -> None:
        """Do the same from another thread: a server that ends gracefully waits for streams before its lifespan ends."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close)

    def require_room(self, principal: Principal) -> None:
        """Raise `Unavailable` where 500 listen already, 200 of them visitors, 40 one person: while an answer can."""
        if principal.kind == "link":
            like, most = sum(listener.visitor for listener in self._listeners), MOST_VISITORS
        else:
            own = (principal.kind, principal.id)
            like = sum((one.principal.kind, one.principal.id) == own for one in self._listeners)
            most = MOST_OF_ONE
        if len(self._listeners) >= MOST_LISTENERS or like >= most:
            raise Unavailable("too many pages listen for changes")

    @asynccontextmanager
    async def listen(self, principal: Principal) -> AsyncIterator[Listener]:
        """Add a listener for the length of the block; raises as `require_room` does."""
        self.require_room(principal)
        listener = Listener(principal)
        self._listeners.add(listener)
        self._services.measurements.live_listeners.set(len(self._listeners))
        self._somebody.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            self._services.measurements.live_listeners.set(len(self._listeners))

    async def _look_forever(self) -> None:
        while True:
            if not self._listeners:
                self._somebody.clear()
                self._known.clear()
                await self._somebody.wait()
            try:
                await self._look()
            except RadrelayError as error:
                log.warning("no look for changes", code=error.code)
            except Exception as error:  # why: a feed that ended would leave every page as it is, in silence
                kind = type(error).__qualname__  # not the message: it may name patients
                log.error("looking for changes failed; it goes on", error=kind)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        await self._look_who_is_out()
        await self._look_what_is_hidden()
        for organisation_id in {one.principal.organisation_id for one in self._listeners if not one.visitor}:
            now = await anyio.to_thread.run_sync(self._signatures, organisation_id)
            before = self._known.get(organisation_id)
            self._known[organisation_id] = now
            if before is None:
                continue
            changed = {name for name, text in now.items() if before.get(name) != text}
            if changed:
                self._tell(organisation_id, changed)

    async def _look_who_is_out(self) -> None:
        """Let every stream ask whether it may go on, as soon as anybody was suspended, logged out or revoked."""
        now = await anyio.to_thread.run_sync(self._newest_end)
        before, self._shut_out = self._shut_out, now
        if now != before:
            for listener in self._listeners:
                listener.doubtful = True
                listener.woken.set()

    async def _look_what_is_hidden(self) -> None:
        """Let visitors' streams ask what their links show as soon as anything was restricted; all others are told."""
        visitors = [one for one in self._listeners if one.visitor]
        if not visitors:
            return
        now = await anyio.to_thread.run_sync(self._first_row, sa.select(*_restrictions()))
        before, self._hidden = self._hidden, now
        for listener in visitors if now != before else ():
            listener.doubtful = True
            listener.woken.set()

    def _newest_end(self) -> str:
        return self._first_row(_NEWEST_END)

    def _first_row(self, wanted: sa.Select[Any]) -> str:
        with self._services.database.read() as session:
            return str(tuple(session.execute(wanted).one()))

    def shown_to(self, principal: Principal) -> str:
        """Return a text that differs once a link shows other studies, or says less of whose they are."""
        with self._services.database.read() as session:
            reach = Reach.of(self._services, session, principal, Right.SEE)
            return str((reach.scope.identity, [row.id for row in reach.newest_studies((), access.MOST_TARGETS)]))

    def _signatures(self, organisation_id: uuid.UUID) -> dict[str, str]:
        with self._services.database.read() as session:
            return signatures(session, organisation_id, self._services.clock.now())

    def _tell(self, organisation_id: uuid.UUID, changed: set[str]) -> None:
        for listener in self._listeners:
            if listener.principal.organisation_id == organisation_id and not listener.visitor:
                listener.changed |= changed
                listener.woken.set()


@router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def events(request: Request, principal: Authenticated) -> StreamingResponse:
    """Stream `changed` events: {"lists": ["studies", "parcels", "deliveries", "imports", "quarantine",
    "marks", "analyses", "links"]}.

    `here` comes every 15 s where nothing else does. `ended` says that the login, token or link is over. Who came with a
    link hears that, and of studies when the link shows others than before.
    """
    feed = request.app.state.feed
    if not isinstance(feed, LiveFeed):
        raise Unavailable
    feed.require_room(principal)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(request, feed, principal), 200, headers, "text/event-stream")


async def _stream(request: Request, feed: LiveFeed, principal: Principal) -> AsyncIterator[str]:
    visitor = principal.kind == "link"
    async with feed.listen(principal) as listener:
        try:
            shown = await run_in_threadpool(feed.shown_to, principal) if visitor else ""
        except Unavailable:
            shown = "unknown"  # they are told once it is known
        yield "retry: 3000\nevent: ready\ndata: {}\n\n"
        while not feed.closing.is_set():
            heard = await _woken(listener)
            listener.woken.clear()
            if not heard or listener.doubtful:
                listener.doubtful = False  # before it is asked: what ends meanwhile raises another doubt
                try:
                    now = await run_in_threadpool(_standing, request, feed)
                except Unavailable:  # it is asked again with the next sign of life
                    listener.doubtful = True
                    now = shown
                if now is None:
                    yield ENDED
                    return
                if now != shown:
                    shown = now
                    listener.changed.add("studies")
            if not heard:
                yield HERE
            lists, listener.changed = sorted(listener.changed), set()
            if lists:
                yield f"event: changed\ndata: {json.dumps({'lists': lists})}\n\n"


async def _woken(listener: Listener) -> bool:
    """Wait until there is something to tell; says whether there is, or a sign of life is due."""
    try:
        await asyncio.wait_for(listener.woken.wait(), HEARTBEAT_S)
    except TimeoutError:
        return False
    return True


def _standing(request: Request, feed: LiveFeed) -> str | None:
    """Return what a visitor is shown, "" for all others, None for who may not go on.

    Raises `Unavailable` where nobody can tell, which is no end of a login.
    """
    try:
        principal = caller_of(request).principal
        return feed.shown_to(principal) if principal.kind == "link" else ""
    except Unavailable:
        raise
    except RadrelayError:
        return None

"""The directory that people come from, for administrators: whether it answers, what a run would do, and did."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import Principal
from radrelay.identity.directory import Directory as Source
from radrelay.identity.directory import service
from radrelay.identity.directory.errors import NoDirectory
from radrelay.settings import DirectorySettings
from radrelay.storage.nodes import alone_in
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services
from radrelay.web.problems import Trouble
from radrelay.web.services import WebServices

router = APIRouter(prefix="/directory", tags=["directory"])
RunKind = Literal["preview", "sync"]


class Run(BaseModel):
    """A run: what it did, would do, or why it did nothing.

    One that `asks` has changed nothing; a sync with its `digest` as `confirm` does what it says. `report` has `counts`,
    lists of names (500 at most) under `added`, `changed`, `disabled` and `enabled`, the `groups`, the `doubts` that
    it asks for, the `problems` that it left as they are; of a failed one `trouble`, with a code.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: RunKind
    state: Literal["waiting", "running", "done", "asks", "failed"]
    asked_by: str
    asked_at: datetime
    ended_at: datetime | None
    digest: str
    report: dict[str, Any]


class Directory(BaseModel):
    """What is set, whether accounts follow it yet, and the last runs, newest first.

    `elsewhere`: directory and single sign-on are the installation's first organisation's, and this is another.
    """

    set: bool
    elsewhere: bool
    urls: list[str]
    kind: str
    base: str
    groups: dict[str, str]
    every_s: int
    most_disabled_percent: float
    followed: bool
    next_at: datetime | None
    runs: list[Run]


class Server(BaseModel):
    """One of the directory's servers: what stands against it, nothing if it can be read."""

    url: str
    trouble: Trouble | None


class Reached(BaseModel):
    """Whether each of the directory's servers is there; none where no directory is set."""

    servers: list[Server]


class WantedRun(BaseModel):
    """A run to be done. `confirm` is the digest of the plan that is meant; `adopt`: own accounts it takes over."""

    model_config = ConfigDict(extra="forbid")

    kind: RunKind
    confirm: str = Field("", max_length=64)
    adopt: list[str] = Field([], max_length=1000)


class Checked(BaseModel):
    """The directory answered: which server, and how much was found."""

    server: str
    people: int
    suspended: int
    groups: int
    problems: int


@router.get("")
def directory(services: Services, principal: Administrator) -> Directory:
    """Say what is set and how the last runs went."""
    source = _own(services, principal)
    settings = DirectorySettings() if source is None else source.settings
    with services.database.read() as session:
        runs = service.runs(session, principal.organisation_id)
        followed = service.ran_before(session, principal.organisation_id)
        every = timedelta(seconds=settings.every_s if settings.urls else 0)
        next_at = service.next_at(session, principal.organisation_id, every)
    return Directory(
        set=bool(settings.urls),
        elsewhere=principal.organisation_id != services.organisation_id,
        urls=list(settings.urls),
        kind=settings.kind,
        base=settings.base,
        groups=settings.groups,
        every_s=settings.every_s,
        most_disabled_percent=settings.most_disabled_percent,
        followed=followed,
        next_at=next_at,
        runs=[Run.model_validate(run) for run in runs],
    )


@router.get("/reach")
def reach(services: Services, principal: Administrator) -> Reached:
    """Ask each server whether it is there, lets us in, and can be read; nobody is read."""
    source = _own(services, principal)
    states = [] if source is None else source.reach()
    return Reached(servers=[Server(url=one.url, trouble=Trouble.shown(one.trouble)) for one in states])


@router.post("/check")
def check(request: Request, services: Services, principal: Administrator) -> Checked:
    """Read the directory as a run would, and keep nothing."""
    source = _source(services, principal)
    with services.database.write() as session:
        trail.write(session, trail.event(request, principal, "directory.check"))
    snapshot, server = source.read()
    return Checked(
        server=server,
        people=len(snapshot.people),
        suspended=sum(person.suspended for person in snapshot.people),
        groups=len(snapshot.groups),
        problems=len(snapshot.problems),
    )


@router.post("/runs", status_code=202)
def ask_for_run(request: Request, services: Services, principal: Administrator, wanted: WantedRun) -> Run:
    """Have the directory read by the role `work`; ask for the run until it has ended."""
    _source(services, principal)
    with services.database.write() as session:
        alone_in(session)
        run = service.ask(
            session,
            principal.organisation_id,
            wanted.kind,
            now=services.clock.now(),
            asked_by=principal.name,
            confirmed=wanted.confirm,
            adopt=wanted.adopt,
        )
        detail = {"kind": wanted.kind, "confirmed": wanted.confirm, "adopted": wanted.adopt}
        detail = {name: value for name, value in detail.items() if value}
        trail.write(session, trail.event(request, principal, "directory.ask", ("directory_run", run.id), detail=detail))
    return Run.model_validate(run)


@router.get("/runs/{run_id}")
def run(services: Services, principal: Administrator, run_id: uuid.UUID) -> Run:
    """Return one run."""
    with services.database.read() as session:
        return Run.model_validate(service.run_of(session, principal.organisation_id, run_id))


def _own(services: WebServices, principal: Principal) -> Source | None:
    """Return the directory that one's own organisation's people come from: the installation's first has it."""
    return services.identity.directory if principal.organisation_id == services.organisation_id else None


def _source(services: WebServices, principal: Principal) -> Source:
    source = _own(services, principal)
    if source is None:
        raise NoDirectory
    return source

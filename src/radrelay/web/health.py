"""Is the process alive, is it ready, and its numbers: /healthz, /readyz, /metrics."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from radrelay.audit.repository import repository_state
from radrelay.errors import NotFound, RadrelayError, Unavailable
from radrelay.web.authentication import Services, caller_of
from radrelay.web.connection import is_from_this_machine
from radrelay.web.problems import RESPONSES
from radrelay.web.services import ReadinessCheck, WebServices

router = APIRouter(tags=["health"], responses=RESPONSES)


class Alive(BaseModel):
    """The process answers."""

    status: str


class Part(BaseModel):
    """One part that must work."""

    name: str
    ok: bool
    detail: str


class Ready(BaseModel):
    """Whether requests can be served, part by part."""

    status: str
    parts: list[Part]


@router.get("/healthz")
async def healthz() -> Alive:
    """Say that the process is alive; needs nothing but the process."""
    return Alive(status="ok")


@router.get("/readyz", responses={503: {"model": Ready}})
def readyz(response: Response, services: Services) -> Ready:
    """Say whether database, storage and keys answer, and whether the audit repository lags, which stops nothing."""
    checks = [
        ReadinessCheck("database", lambda: _database(services)),
        *services.readiness,
        *([] if services.settings.audit.repository.host is None else [_repository_check(services)]),
    ]
    parts = [_part(check) for check in checks]
    ready = all(part.ok for check, part in zip(checks, parts, strict=True) if check.needed)
    if not ready:
        response.status_code = 503
    return Ready(status="ready" if ready else "not ready", parts=parts)


def _database(services: WebServices) -> None:
    with services.database.read() as session:
        session.execute(sa.text("select 1"))


class RepositoryBehind(Unavailable):
    """The audit repository has not taken events for too long; they wait for it."""

    code = "audit-repository-behind"


def _repository_check(services: WebServices) -> ReadinessCheck:
    def run() -> None:
        with services.database.read() as session:
            state = repository_state(session)
        if state.is_behind(services.clock.now(), services.settings.audit.repository.alarm_s):
            raise RepositoryBehind

    return ReadinessCheck("audit repository", run, needed=False)


def _part(check: ReadinessCheck) -> Part:
    try:
        check.run()
    except RadrelayError as error:
        return Part(name=check.name, ok=False, detail=error.code)  # the message may name files; it is in the log
    return Part(name=check.name, ok=True, detail="")


@router.get("/metrics", response_class=Response)
def metrics(request: Request, services: Services) -> Response:
    """Prometheus metrics: for programs on this machine, or with an API token or a login.

    Numbers of the whole machine: of several organisations the first alone reads them.
    """
    if not is_from_this_machine(request.scope, services.settings.web.behind_proxy):
        caller = caller_of(request)
        if caller.principal.organisation_id != services.organisation_id:
            raise NotFound
    return Response(generate_latest(services.registry), media_type=CONTENT_TYPE_LATEST)

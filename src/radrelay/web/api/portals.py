"""Other institutions' portals: which hosts may be asked, confirmed once by an administrator, and how fetching goes."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.importer import brought, hosts
from radrelay.importer.going_out import is_listed, require_confirmable
from radrelay.importer.health import Health, healths
from radrelay.importer.models import PortalHost
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services
from radrelay.web.services import WebServices

router = APIRouter(prefix="/portals", tags=["imports"])


class Fares(BaseModel):
    """How fetching by a language or recipe goes: counts, median time and the step that fails most of 30 days.

    `share` of 1 went well. Steps of a recipe have its own names, others are ask, answer, list and download. What people
    got wrong, and what a link is, are not counted.
    """

    connector: str
    state: Literal["untried", "well", "failing"]
    fetched: int
    failed: int
    share: float | None
    median_s: float | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_failure_code: str
    last_failure_step: str
    worst_step: str
    worst_step_failures: int

    @classmethod
    def of(cls, connector: str, health: Health) -> Fares:
        """Return how something fares as it is shown."""
        return cls(
            connector=connector, state=health.state, fetched=health.fetched, failed=health.failed, share=health.share,
            median_s=health.median_s, last_success_at=health.last_success, last_failure_at=health.last_failure,
            last_failure_code=health.code, last_failure_step=health.step, worst_step=health.worst_step,
            worst_step_failures=health.worst_failures,
        )  # fmt: skip


class Portal(BaseModel):
    """A portal's host; `listed`: the settings allow it, so that nobody need confirm it. `seconds`: of a success.

    `led_how` is how it was met before anybody decided: the link's own host, or another one, to which `led_by` sends on
    or which its answer names (DLX: apiBasePath). Who asked for the import that met it, an account, a token or a patient
    by the page, and when; `import_id`: that import, while it is here. Its counts are of all time; `ways` tell how it
    fares of late.
    """

    host: str
    state: Literal["asked", "confirmed", "refused", "counted"]
    listed: bool
    led_how: Literal["", "link", "redirect", "answer"]
    led_by: str
    asked_kind: str
    asked_by: str
    asked_at: datetime | None
    import_id: uuid.UUID | None
    decided_by: str
    decided_at: datetime | None
    first_at: datetime
    successes: int
    failures: int
    seconds: float | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_failure_code: str
    ways: list[Fares]


class Portals(BaseModel):
    """Portals: those to be decided on first, then by name."""

    portals: list[Portal]


class Decision(BaseModel):
    """Whether a host may be asked."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(min_length=1, max_length=255, pattern=r"^[^\s/@?#]+$")
    confirm: bool


@router.get("")
def list_portals(services: Services, principal: Administrator) -> Portals:
    """List the portals that were met, or decided on."""
    with services.database.read() as session:
        found = hosts.list_hosts(session, principal.organisation_id)
        _, fares = healths(session, principal.organisation_id, services.clock.now())
        here = hosts.under_way(session, found)
        return Portals(portals=[_shown(services, row, fares.get(row.host, {}), here) for row in found])


@router.put("")
def decide_portal(request: Request, services: Services, principal: Administrator, decision: Decision) -> Portal:
    """Confirm or refuse a portal's host; what waits for it is fetched then.

    409 `portal-host-inside` for a host inside this house: it is no portal, and asked for nothing.
    """
    if decision.confirm:
        require_confirmable(services.settings, decision.host.lower())
    with services.database.write() as session:
        row = hosts.decide(
            session, principal.organisation_id, decision.host.lower(), confirm=decision.confirm, by=principal.name,
            now=services.clock.now(),
        )  # fmt: skip
        if decision.confirm:
            brought.go_on(session, principal.organisation_id, row.host, services.clock.now())
        action = "portal.confirm" if decision.confirm else "portal.refuse"
        trail.write(session, trail.event(request, principal, action, ("portal", row.id), detail={"host": row.host}))
        _, fares = healths(session, principal.organisation_id, services.clock.now())
        return _shown(services, row, fares.get(row.host, {}), hosts.under_way(session, [row]))


def _shown(services: WebServices, row: PortalHost, fares: Mapping[str, Health], here: Collection[uuid.UUID]) -> Portal:
    made = ("listed", "seconds", "ways", "import_id")
    told = {name: getattr(row, name) for name in Portal.model_fields if name not in made}
    seconds = row.seconds / row.successes if row.successes else None
    ways = [Fares.of(name, health) for name, health in fares.items()]
    return Portal(
        **told, listed=is_listed(row.host, services.settings.importer.hosts), seconds=seconds, ways=ways,
        import_id=row.case_id if row.case_id in here else None,
    )  # fmt: skip

"""What people set for themselves, and the organisation's defaults that administrators set for all."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import Principal
from radrelay.errors import Forbidden
from radrelay.identity import preferences
from radrelay.identity.preferences import Kept
from radrelay.web import trail
from radrelay.web.answering import json_answer
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.services import WebServices

router = APIRouter(tags=["preferences"])
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class PeopleOnly(Forbidden):
    """Only people have settings of their own, not tokens."""

    code = "people-only"


class Preference(BaseModel):
    """A setting: any JSON, null where there is none. `revision` is what a change of it has to be based on."""

    name: str
    value: Any
    revision: int
    changed_at: datetime | None


class OwnPreference(Preference):
    """A setting of one's own, and the organisation's default, which counts where the own one is null."""

    default: Preference


class Wanted(BaseModel):
    """A new value (null takes the setting away), and the revision that it is based on (0: there was none)."""

    model_config = ConfigDict(extra="forbid")

    value: Any
    revision: int = Field(ge=0)


@router.get("/me/preferences/{name}", response_model=OwnPreference)
def own_preference(services: Services, principal: Authenticated, name: Name) -> Response:
    """Show a setting of one's own, with the organisation's default."""
    owner = _person(principal)
    with services.database.read() as session:
        kept = preferences.read(session, principal.organisation_id, owner, name)
        default = preferences.read(session, principal.organisation_id, principal.organisation_id, name)
    return json_answer({**_shown(name, kept), "default": _shown(name, default)})


@router.put("/me/preferences/{name}", response_model=Preference)
def set_own_preference(services: Services, principal: Authenticated, name: Name, wanted: Wanted) -> Response:
    """Change a setting of one's own; 409 (preference-changed) if it is not the revision that was known."""
    return json_answer(_shown(name, _written(services, principal, _person(principal), name, wanted)))


@router.get("/preferences/{name}", response_model=Preference)
def preference(services: Services, principal: Authenticated, name: Name) -> Response:
    """Show the organisation's default."""
    with services.database.read() as session:
        kept = preferences.read(session, principal.organisation_id, principal.organisation_id, name)
    return json_answer(_shown(name, kept))


@router.put("/preferences/{name}", response_model=Preference)
def set_preference(
    request: Request, services: Services, principal: Administrator, name: Name, wanted: Wanted
) -> Response:
    """Change the organisation's default, for administrators."""
    record = trail.event(request, principal, "preferences.change", detail={"changed": name})
    with services.database.write() as session:
        kept = preferences.write(
            session, principal.organisation_id, principal.organisation_id, name, wanted.value, wanted.revision,
            now=services.clock.now(),
        )  # fmt: skip
        trail.write(session, record)
    return json_answer(_shown(name, kept))


def _written(services: WebServices, principal: Principal, owner: uuid.UUID, name: str, wanted: Wanted) -> Kept:
    with services.database.write() as session:
        return preferences.write(
            session, principal.organisation_id, owner, name, wanted.value, wanted.revision, now=services.clock.now()
        )


def _person(principal: Principal) -> uuid.UUID:
    if principal.kind != "account":
        raise PeopleOnly
    return uuid.UUID(principal.id)


def _shown(name: str, kept: Kept) -> dict[str, object]:
    return {
        "name": name,
        "value": msgspec.Raw(kept.value.encode("ascii")),
        "revision": kept.revision,
        "changed_at": kept.changed_at,
    }

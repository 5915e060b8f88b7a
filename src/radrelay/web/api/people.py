"""By what each account sees, for administrators: its own grants, those of its groups, and those of its role."""

from __future__ import annotations

import uuid
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from radrelay import access
from radrelay.web.authentication import Administrator, Services

router = APIRouter(prefix="/people", tags=["accounts"])


class Sight(BaseModel):
    """A reason why somebody sees: `id` is a group's id or a role; `whole` says that it is every study."""

    model_config = ConfigDict(from_attributes=True)

    kind: Literal["account", "group", "role"]
    id: str
    name: str
    whole: bool


class Person(BaseModel):
    """An account and by what it sees; nothing: it sees no study."""

    account_id: uuid.UUID
    sees_by: list[Sight]


class People(BaseModel):
    """All accounts."""

    people: list[Person]


@router.get("/sight")
def list_sight(services: Services, principal: Administrator) -> People:
    """List by what each account sees; a disabled one sees by nothing."""
    with services.database.read() as session:
        found, groups = access.sights(session, principal.organisation_id, services.clock.now())
        accounts = services.identity.accounts(session, principal.organisation_id)
    people = []
    for one in accounts:
        mine = [] if one.disabled_at else access.of_account(found, groups, str(one.id), one.role)
        people.append(Person(account_id=one.id, sees_by=[Sight.model_validate(sight) for sight in mine]))
    return People(people=people)

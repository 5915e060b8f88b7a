"""The organisation's accounts, for administrators."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.identity import AccountView
from radrelay.identity.errors import OwnAccount
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services

router = APIRouter(prefix="/accounts", tags=["accounts"])
Role = Literal["admin", "user", "dpo", "service"]


class Account(BaseModel):
    """A person who can log in."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    username: str
    full_name: str
    role: Role
    language: str
    must_change_password: bool
    created_at: datetime
    disabled_at: datetime | None
    directory_id: str | None


class Accounts(BaseModel):
    """All accounts, by name."""

    accounts: list[Account]


class NewAccount(BaseModel):
    """An account to be made; it gets a one-time password."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(min_length=1, max_length=200)
    full_name: str = Field("", max_length=200)
    role: Role = "user"


class AccountChange(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    full_name: str | None = Field(None, max_length=200)
    role: Role | None = None
    language: str | None = Field(None, max_length=8)
    disabled: bool | None = None


class AccountMade(BaseModel):
    """A new or reset account. The one-time password is seen here and never again."""

    account: Account
    one_time_password: str


def _shown(account: AccountView) -> Account:
    return Account.model_validate(account)


@router.get("")
def list_accounts(services: Services, principal: Administrator) -> Accounts:
    """List the accounts."""
    with services.database.read() as session:
        found = services.identity.accounts(session, principal.organisation_id)
    return Accounts(accounts=[_shown(account) for account in found])


@router.post("", status_code=201)
def create_account(request: Request, services: Services, principal: Administrator, wanted: NewAccount) -> AccountMade:
    """Make an account; its one-time password must be changed at the first login."""
    one_time, encoded = services.identity.new_one_time_password(wanted.username)
    with services.database.write() as session:
        made = services.identity.create_account(
            session,
            principal.organisation_id,
            username=wanted.username,
            full_name=wanted.full_name,
            role=wanted.role,
            encoded=encoded,
        )
        detail = {"role": made.role}
        trail.write(session, trail.event(request, principal, "account.create", ("account", made.id), detail=detail))
    return AccountMade(account=_shown(made), one_time_password=one_time)


@router.patch("/{account_id}")
def change_account(
    request: Request, services: Services, principal: Administrator, account_id: uuid.UUID, change: AccountChange
) -> Account:
    """Change an account; `disabled` ends its logins at once."""
    given = change.model_dump(exclude_none=True)
    with services.database.write() as session:
        changed = services.identity.change_account(
            session,
            principal.organisation_id,
            account_id,
            full_name=change.full_name,
            role=change.role,
            language=change.language,
            disabled=change.disabled,
        )
        detail = {name: value for name, value in given.items() if name in ("role", "disabled")}
        trail.write(session, trail.event(request, principal, "account.change", ("account", account_id), detail=detail))
    return _shown(changed)


@router.post("/{account_id}/password")
def reset_password(
    request: Request, services: Services, principal: Administrator, account_id: uuid.UUID
) -> AccountMade:
    """Give an account a new one-time password; its logins end."""
    with services.database.read() as session:
        username = services.identity.account(session, principal.organisation_id, account_id).username
    password, encoded = services.identity.new_one_time_password(username)
    with services.database.write() as session:
        changed = services.identity.reset_password(session, principal.organisation_id, account_id, encoded)
        trail.write(session, trail.event(request, principal, "password.reset", ("account", account_id)))
    return AccountMade(account=_shown(changed), one_time_password=password)


@router.delete("/{account_id}/password")
def leave_password_to_directory(
    request: Request, services: Services, principal: Administrator, account_id: uuid.UUID
) -> Account:
    """Forget the own password of somebody from the directory, whose password counts again; their logins end."""
    with services.database.write() as session:
        changed = services.identity.leave_password_to_directory(session, principal.organisation_id, account_id)
        trail.write(session, trail.event(request, principal, "password.forget", ("account", account_id)))
    return _shown(changed)


@router.delete("/{account_id}", status_code=204)
def disable_account(request: Request, services: Services, principal: Administrator, account_id: uuid.UUID) -> None:
    """Disable an account: it stays for the record, nobody logs in with it any more."""
    if str(account_id) == principal.id:
        raise OwnAccount
    with services.database.write() as session:
        services.identity.change_account(session, principal.organisation_id, account_id, disabled=True)
        trail.write(session, trail.event(request, principal, "account.disable", ("account", account_id)))

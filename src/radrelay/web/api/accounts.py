"""The organisation's accounts, for administrators."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.identity import AccountView
from radrelay.identity.errors import OwnAccount
from radrelay.web import newcomers, trail
from radrelay.web.api.me import Ended, Login, Logins
from radrelay.web.api.password_links import PasswordLink
from radrelay.web.authentication import Administrator, Services
from radrelay.web.connection import own_address
from radrelay.web.services import WebServices

router = APIRouter(prefix="/accounts", tags=["accounts"])
Role = Literal["admin", "user", "dpo", "service", "guest"]


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
    email: str | None
    lost_at: datetime | None
    affiliation: str
    awaits_since: datetime | None
    """They signed up, and wait to be let in."""


class Accounts(BaseModel):
    """All accounts, by name."""

    accounts: list[Account]


class NewAccount(BaseModel):
    """An account to be made: it gets a one-time password, or with `invite` a link by which to choose one.

    The link goes to `email` where there is one and a mail server is set, else to who asks, to be handed over.
    """

    model_config = ConfigDict(extra="forbid")

    username: str = Field(min_length=1, max_length=200)
    full_name: str = Field("", max_length=200)
    role: Role = "user"
    email: str = Field("", max_length=254)
    invite: bool = False


class AccountChange(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    full_name: str | None = Field(None, max_length=200)
    role: Role | None = None
    language: str | None = Field(None, max_length=8)
    disabled: bool | None = None
    email: str | None = Field(None, max_length=254)
    lost: Literal[False] | None = None
    """An account whose credentials were reported lost is opened again, with the password that it had."""


class LinkWanted(BaseModel):
    """How a link is to reach its person: by mail, or handed over by who asks; none: by mail where that is possible."""

    model_config = ConfigDict(extra="forbid")

    by_mail: bool | None = None


class LinkMade(BaseModel):
    """A new link. `address` is seen here and never again; null where it was sent to `mailed_to`."""

    link: PasswordLink
    address: str | None
    mailed_to: str | None


class AccountMade(BaseModel):
    """A new or reset account. The one-time password, or the link, is seen here and never again."""

    account: Account
    one_time_password: str | None
    invitation: LinkMade | None = None


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
    """Make an account, with a one-time password that must be changed at the first login, or with an invitation."""
    one_time, encoded = (None, None) if wanted.invite else services.identity.new_one_time_password(wanted.username)
    invitation = None
    with services.database.write() as session:
        made = services.identity.create_account(
            session,
            principal.organisation_id,
            username=wanted.username,
            full_name=wanted.full_name,
            role=wanted.role,
            encoded=encoded,
            email=wanted.email or None,
        )
        detail = {"role": made.role}
        trail.write(session, trail.event(request, principal, "account.create", ("account", made.id), detail=detail))
        if wanted.invite:
            invitation = _make_link(request, services, session, principal, made.id, None)
    return AccountMade(account=_shown(made), one_time_password=one_time, invitation=invitation)


def _make_link(
    request: Request, services: WebServices, session: Session, principal: Principal, account_id: uuid.UUID,
    by_mail: bool | None,
) -> LinkMade:  # fmt: skip
    links, web = services.password_links, services.settings.web
    if by_mail is None:
        account = services.identity.account(session, principal.organisation_id, account_id)
        by_mail = links.post.is_set and account.email is not None
    site = web.address or own_address(request.scope, web.behind_proxy)
    made = links.make(
        session, principal.organisation_id, account_id, site=site, made_by=principal.name, by_mail=by_mail
    )
    detail = {"kind": made.link.purpose, "by": "mail" if by_mail else "hand"}
    trail.write(session, trail.event(request, principal, "password.link", ("account", account_id), detail=detail))
    return LinkMade(link=PasswordLink.shown(made.link), address=made.address or None, mailed_to=made.mailed_to or None)


@router.post("/{account_id}/password-link", status_code=201)
def make_password_link(
    request: Request, services: Services, principal: Administrator, account_id: uuid.UUID, wanted: LinkWanted
) -> LinkMade:
    """Make a link by which somebody chooses a password, once: an invitation where there is none yet.

    The present password counts until the link is used. What administrators made for the account before is over.
    """
    with services.database.write() as session:
        return _make_link(request, services, session, principal, account_id, wanted.by_mail)


@router.get("/{account_id}/sessions")
def list_sessions(services: Services, principal: Administrator, account_id: uuid.UUID) -> Logins:
    """List where somebody is logged in."""
    with services.database.read() as session:
        found = services.identity.devices(session, principal.organisation_id, account_id)
    return Logins(sessions=[Login.shown(one) for one in found])


@router.delete("/{account_id}/sessions")
def end_sessions(request: Request, services: Services, principal: Administrator, account_id: uuid.UUID) -> Ended:
    """End all logins of somebody at once."""
    with services.database.write() as session:
        ended = services.identity.log_out(session, principal.organisation_id, account_id)
        trail.write(session, trail.event(request, principal, "session.end", ("account", account_id)))
    return Ended(ended=ended)


@router.delete("/{account_id}/sessions/{session_id}")
def end_session(
    request: Request, services: Services, principal: Administrator, account_id: uuid.UUID, session_id: uuid.UUID
) -> Ended:
    """End one login of somebody at once."""
    with services.database.write() as session:
        ended = services.identity.log_out(session, principal.organisation_id, account_id, only=session_id)
        trail.write(session, trail.event(request, principal, "session.end", ("account", account_id)))
    return Ended(ended=ended)


@router.patch("/{account_id}")
def change_account(
    request: Request, services: Services, principal: Administrator, account_id: uuid.UUID, change: AccountChange
) -> Account:
    """Change an account; `disabled` ends its logins at once. `false` lets in who waits for it, and tells them."""
    given = change.model_dump(exclude_none=True)
    with services.database.write() as session:
        before = services.identity.account(session, principal.organisation_id, account_id)
        changed = services.identity.change_account(
            session,
            principal.organisation_id,
            account_id,
            full_name=change.full_name,
            role=change.role,
            language=change.language,
            disabled=change.disabled,
            email=change.email,
            lost=change.lost,
        )
        if change.email is not None:
            services.password_links.end_all(session, account_id)  # they went to the address before
            if before.email and before.email != changed.email:
                services.password_links.tell(session, before, "address-changed", address=before.email)
        detail = {name: value for name, value in given.items() if name in ("role", "disabled", "lost")}
        detail |= {"changed": "email"} if change.email is not None else {}
        let_in = before.awaits_since is not None and change.disabled is False
        if let_in:
            joined = newcomers.join(services, session, changed)  # the group may not have been there when they signed up
            detail |= {"group": joined} if joined else {}
            services.password_links.tell(session, changed, "sign-up-opened")
        action = "account.let-in" if let_in else "account.change"
        trail.write(session, trail.event(request, principal, action, ("account", account_id), detail=detail))
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
        services.password_links.end_all(session, account_id)
        services.password_links.tell(session, changed, "password-changed")
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

"""One's own account: where one is logged in, the e-mail address, credentials that are lost."""

from __future__ import annotations

import uuid
from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from radrelay.identity.errors import LoginRefused
from radrelay.identity.values import Device
from radrelay.web import trail
from radrelay.web.api.session import ProofGiven, attempt_of, own_login
from radrelay.web.authentication import COOKIE, AnyCaller, Services

router = APIRouter(prefix="/me", tags=["own account"])


class Login(BaseModel):
    """A login on one device; `here` is the one that asks."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    user_agent: str
    peer: str
    created_at: datetime
    used_at: datetime
    idle_until: datetime
    here: bool = False

    @classmethod
    def shown(cls, device: Device, own_id: uuid.UUID | None = None) -> Login:
        """Return a login as answers show it."""
        return cls.model_validate(device).model_copy(update={"here": device.id == own_id})


class Logins(BaseModel):
    """Where an account is logged in, the last used first."""

    sessions: list[Login]


class Profile(BaseModel):
    """One's own account."""

    username: str
    full_name: str
    role: str
    email: str | None
    language: str
    from_directory: bool
    has_password: bool
    """Of one's own; otherwise the directory keeps it."""


class ProfileChange(BaseModel):
    """A new e-mail address (empty: none), with a proof of the present password where there is one of one's own."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(max_length=254)
    current: ProofGiven | None = None


class Ended(BaseModel):
    """How many logins were ended."""

    ended: int


@router.get("")
def profile(services: Services, caller: AnyCaller) -> Profile:
    """Describe one's own account."""
    account = own_login(caller).account
    return Profile(
        username=account.username,
        full_name=account.full_name,
        role=account.role,
        email=account.email,
        language=account.language,
        from_directory=account.directory_id is not None,
        has_password=services.identity.has_password(account),
    )


@router.patch("")
def change_profile(request: Request, services: Services, caller: AnyCaller, change: ProfileChange) -> Profile:
    """Change one's e-mail address. Links for a new password and PINs go there, so it takes a proof of who one is.

    That is the present password; where that is not kept here, a proof within five minutes (`fresh-proof-wanted`).
    """
    login = own_login(caller)
    account = login.account
    if services.identity.has_password(account):
        if change.current is None:
            raise LoginRefused("the present password is asked for")
        attempt = attempt_of(request, services, change.current)
        services.identity.check_own(account, attempt, change.current.proof())
    else:
        services.identity.factors.require_fresh(login)
    with services.database.write() as session:
        services.identity.change_account(session, account.organisation_id, account.id, email=change.email)
        services.password_links.end_all(session, account.id)
        if account.email:
            services.password_links.tell(session, account, "address-changed", address=account.email)
        trail.write(session, trail.event(request, caller.principal, "account.email", ("account", account.id)))
    with services.database.read() as session:
        now = services.identity.account(session, account.organisation_id, account.id)
    return profile(services, caller).model_copy(update={"email": now.email})


@router.get("/sessions")
def list_sessions(services: Services, caller: AnyCaller) -> Logins:
    """List where one is logged in."""
    login = own_login(caller)
    with services.database.read() as session:
        found = services.identity.devices(session, login.account.organisation_id, login.account.id)
    return Logins(sessions=[Login.shown(one, login.id) for one in found])


@router.delete("/sessions")
def end_other_sessions(request: Request, services: Services, caller: AnyCaller) -> Ended:
    """End all logins of one's own but this."""
    login = own_login(caller)
    account = login.account
    with services.database.write() as session:
        ended = services.identity.log_out(session, account.organisation_id, account.id, keep=login.id)
        trail.write(session, trail.event(request, caller.principal, "session.end", ("account", account.id)))
    return Ended(ended=ended)


@router.delete("/sessions/{session_id}")
def end_session(request: Request, services: Services, caller: AnyCaller, session_id: uuid.UUID) -> Ended:
    """End one login of one's own."""
    account = own_login(caller).account
    with services.database.write() as session:
        ended = services.identity.log_out(session, account.organisation_id, account.id, only=session_id)
        trail.write(session, trail.event(request, caller.principal, "session.end", ("account", account.id)))
    return Ended(ended=ended)


@router.post("/lost", status_code=204)
def report_lost(request: Request, response: Response, services: Services, caller: AnyCaller) -> None:
    """Report that one's credentials are lost: all logins end, this one too, and nobody gets in by them any more.

    An administrator, or a link for a new password, opens the account again. Administrators are told.
    """
    account = own_login(caller).account
    with services.database.write() as session:
        closed = services.identity.report_lost(session, account.organisation_id, account.id)
        services.password_links.end_all(session, account.id)
        services.password_links.tell(session, closed, "lost")
        services.password_links.tell_administrators(session, closed)
        trail.write(session, trail.event(request, caller.principal, "account.lost", ("account", account.id)))
    response.delete_cookie(COOKIE, path="/")

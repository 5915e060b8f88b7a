"""One's own account: profile, where one is logged in, the e-mail address, credentials that are lost."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.identity import OpenSession
from radrelay.identity.errors import KeptElsewhere, LoginRefused
from radrelay.identity.values import Device
from radrelay.web import trail
from radrelay.web.api.factors import write_factor
from radrelay.web.api.session import attempt_of, own_login
from radrelay.web.authentication import COOKIE, AnyCaller, Caller, Services
from radrelay.web.services import WebServices
from radrelay.web.session_shapes import ProofGiven

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
    affiliation: str
    """One's organisation, in one's own words."""
    email_waits: str | None
    """An address that counts once the link that was sent there has been opened."""
    name_kept_elsewhere: bool
    """By the directory or single sign-on, which would bring it back."""


class ProfileChange(BaseModel):
    """What is to change; what is left out stays.

    A new e-mail address (empty: none) comes with a proof of the present password where there is one of one's own.
    """

    model_config = ConfigDict(extra="forbid")

    full_name: str | None = Field(None, max_length=200)
    affiliation: str | None = Field(None, max_length=200)
    language: Literal["", "de", "en"] | None = None
    """In which letters come; empty: the installation's."""
    email: str | None = Field(None, max_length=254)
    current: ProofGiven | None = None


class Lost(BaseModel):
    """Which second factors are gone with the credentials: they are removed, and open nothing when the account does."""

    model_config = ConfigDict(extra="forbid")

    factors: list[uuid.UUID] = Field([], max_length=50)


class Ended(BaseModel):
    """How many logins were ended."""

    ended: int


@router.get("")
def profile(services: Services, caller: AnyCaller) -> Profile:
    """Describe one's own account."""
    own_id, organisation_id = own_login(caller).account.id, own_login(caller).account.organisation_id
    with services.database.read() as session:
        account = services.identity.account(session, organisation_id, own_id)
        waits = services.address_changes.pending(session, own_id)
        elsewhere = services.identity.is_kept_elsewhere(session, account)
    return Profile(
        username=account.username,
        full_name=account.full_name,
        role=account.role,
        email=account.email,
        language=account.language,
        from_directory=account.directory_id is not None,
        has_password=services.identity.has_password(account),
        affiliation=account.affiliation,
        email_waits=None if waits is None else waits.email,
        name_kept_elsewhere=elsewhere,
    )


@router.patch("")
def change_profile(request: Request, services: Services, caller: AnyCaller, change: ProfileChange) -> Profile:
    """Change one's name, organisation, language or e-mail address.

    Links for a new password and PINs go to the address, so it takes a proof of who one is: the present password; where
    that is not kept here, a proof within five minutes (`fresh-proof-wanted`). A new address counts once the link that
    is sent there has been opened; to have none counts at once.
    """
    login = own_login(caller)
    account = login.account
    if change.email is not None:
        require_own_proof(request, services, login, change.current)
    with services.database.write() as session:
        if change.full_name is not None and services.identity.is_kept_elsewhere(session, account):
            raise KeptElsewhere
        services.identity.change_account(
            session, account.organisation_id, account.id, full_name=change.full_name, language=change.language,
            affiliation=change.affiliation, email="" if change.email == "" else None,
        )  # fmt: skip
        if change.email is not None:
            _change_address(request, services, session, caller, change.email)
        given = [name for name in ("full_name", "affiliation", "language") if getattr(change, name) is not None]
        if given:
            detail = {"changed": ",".join(given)}
            record = trail.event(request, caller.principal, "account.profile", ("account", account.id), detail=detail)
            trail.write(session, record)
    return profile(services, caller)


def require_own_proof(request: Request, services: WebServices, login: OpenSession, given: ProofGiven | None) -> None:
    """Raise unless somebody proves anew that it is their login, by the password, or lately by a second factor."""
    if services.identity.has_password(login.account):
        if given is None:
            raise LoginRefused("the present password is asked for")
        services.identity.check_own(login.account, attempt_of(request, services, given), given.proof())
    else:
        services.identity.factors.require_fresh(login)


def _change_address(request: Request, services: WebServices, session: Session, caller: Caller, email: str) -> None:
    """Take the address away and tell it, or have a new one confirmed."""
    account = own_login(caller).account
    if email:
        services.address_changes.begin(session, account, email, services.settings.web.site)
        action = "account.email.ask"
    else:
        services.password_links.end_all(session, account.id)
        if account.email:
            services.password_links.tell(session, account, "address-changed", address=account.email)
        action = "account.email"
    trail.write(session, trail.event(request, caller.principal, action, ("account", account.id)))


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
def report_lost(
    request: Request, response: Response, services: Services, caller: AnyCaller, lost: Lost | None = None
) -> None:
    """Report that one's credentials are lost: all logins end, this one too, and nobody gets in by them any more.

    An administrator, or a link for a new password, opens the account again. Administrators are told. To name second
    factors that are gone asks for a proof within five minutes.
    """
    login = own_login(caller)
    account, factors = login.account, services.identity.factors
    gone = set(lost.factors) if lost is not None else set()
    if gone:
        factors.require_fresh(login)
    with services.database.write() as session:
        for factor_id in sorted(gone):
            write_factor(session, request, caller.principal, "factor.remove", factors.lose(session, login, factor_id))
        closed = services.identity.report_lost(session, account.organisation_id, account.id)
        services.password_links.end_all(session, account.id)
        services.password_links.tell(session, closed, "lost")
        services.password_links.tell_administrators(session, closed)
        trail.write(session, trail.event(request, caller.principal, "account.lost", ("account", account.id)))
    response.delete_cookie(COOKIE, path="/")

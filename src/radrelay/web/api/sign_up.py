"""Signing up, and confirming a new address: asked by people who are not logged in; tokens come in bodies alone.

Who asks for an account is answered the same, whether the address has one or not: nothing is looked up here. A site
offers it when the setting says so, mail is set and terms are published; what is accepted and who it was is on record
with the account that is made.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.identity.errors import SignUpClosed
from radrelay.identity.sign_ups import LONGEST_TOKEN, Applicant
from radrelay.mail import is_delayed
from radrelay.privacy import texts
from radrelay.privacy.notice import Language
from radrelay.privacy.texts import Acceptor
from radrelay.web import newcomers, trail
from radrelay.web.api.privacy_texts import AcceptedOne, PublicVersion
from radrelay.web.api.session import set_device
from radrelay.web.authentication import Administrator, Services, require_same_origin
from radrelay.web.connection import peer_address
from radrelay.web.services import WebServices
from radrelay.web.session_shapes import VerifierGiven

router = APIRouter(prefix="/sign-up", tags=["sign-up"])
address_router = APIRouter(tags=["own account"])
Token = Annotated[str, Field(min_length=1, max_length=LONGEST_TOKEN)]
Line = Annotated[str, Field(max_length=200)]


class SignUpOffer(BaseModel):
    """Whether people may sign up here. `mail_waits`: the mail server is away, letters come when it is back."""

    open: bool
    by_admin: bool
    mail_waits: bool


class SignUpWanted(BaseModel):
    """Who asks for an account; `organisation` is where they work, in their own words."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    email: Annotated[str, Field(min_length=3, max_length=254)]
    organisation: Line = ""
    language: Language


class SignUpAsked(BaseModel):
    """The answer to everybody."""

    mail_waits: bool


class TokenShown(BaseModel):
    """A link's token."""

    model_config = ConfigDict(extra="forbid")

    token: Token


class SignUpOpened(BaseModel):
    """Whose address is confirmed, and what is asked yet: texts, an age in years, a password.

    `identity` is what enters the password's verifier, with so many `iterations`.
    """

    name: str
    email: str
    organisation: str
    identity: str
    iterations: int
    least_age: int
    by_admin: bool
    texts: list[PublicVersion]
    expires_at: datetime


class SignUpUsed(BaseModel):
    """A link's token, what is accepted, that one is of age, and the verifier of the password."""

    model_config = ConfigDict(extra="forbid")

    token: Token
    new: VerifierGiven
    texts: Annotated[list[AcceptedOne], Field(max_length=4)]
    language: Language
    of_age: Literal[True]


class SignedUp(BaseModel):
    """The account that was made; `waits`: an administrator has to let its owner in; `told`: one was written to."""

    username: str
    waits: bool
    told: bool


class NewcomersGroup(BaseModel):
    """The group that whoever signs up is to join; `lacks`: there is none of this name, so they join none."""

    name: str
    lacks: bool


class AddressConfirmed(BaseModel):
    """Whose address was confirmed."""

    username: str
    email: str


def _is_open(services: WebServices, session: Session) -> bool:
    if not services.sign_ups.is_open:
        return False
    return texts.current(session, services.organisation_id, "terms") is not None


@router.get("")
def offer(services: Services) -> SignUpOffer:
    """Say whether people may sign up, and whether mail is delayed."""
    with services.database.read() as session:
        is_open = _is_open(services, session)
        waits = is_open and is_delayed(session)
    return SignUpOffer(open=is_open, by_admin=services.settings.sign_up.by_admin, mail_waits=waits)


@router.get("/group")
def group(services: Services, principal: Administrator) -> NewcomersGroup:
    """Say which group the settings name for who signs up, and whether it is there; none where nobody signs up here."""
    if principal.organisation_id != services.organisation_id or not services.sign_ups.is_open:
        return NewcomersGroup(name="", lacks=False)
    with services.database.read() as session:
        lacking = newcomers.lacking_group(services, session)
    return NewcomersGroup(name=services.settings.sign_up.group.strip(), lacks=bool(lacking))


@router.post("", status_code=202)
def ask(request: Request, services: Services, wanted: SignUpWanted) -> SignUpAsked:
    """Ask for an account: a letter goes to the address. Nothing is looked up here, so nothing tells who has one."""
    require_same_origin(request)
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    applicant = Applicant(wanted.name, wanted.email, wanted.organisation, wanted.language)
    with services.database.write() as session:
        if not _is_open(services, session):
            raise SignUpClosed
        services.sign_ups.ask(session, services.organisation_id, applicant, peer)
        waits = is_delayed(session)
    return SignUpAsked(mail_waits=waits)


@router.post("/open")
def open_link(request: Request, services: Services, shown: TokenShown) -> SignUpOpened:
    """Say whose address a link confirms, and what is asked of them yet."""
    require_same_origin(request)
    with services.database.write() as session:
        found = services.sign_ups.open(session, shown.token)
        asked = texts.asked_of_newcomers(session, services.organisation_id)
    own, settings = found.applicant, services.settings
    return SignUpOpened(
        name=own.name,
        email=own.email,
        organisation=own.affiliation,
        identity=services.identity.identity_of_name(own.email),
        iterations=settings.identity.password_iterations,
        least_age=settings.sign_up.least_age,
        by_admin=settings.sign_up.by_admin,
        texts=[PublicVersion.model_validate(one) for one in asked],
        expires_at=found.expires_at,
    )


@router.post("/use", status_code=201)
def use_link(request: Request, response: Response, services: Services, given: SignUpUsed) -> SignedUp:
    """Make the account: it sees what is granted to it or to the group that it joins, and nothing else."""
    require_same_origin(request)
    encoded = services.identity.verifier_taken(given.new.salt, given.new.iterations, given.new.verifier)
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    with services.database.write() as session:
        if not _is_open(services, session):
            raise SignUpClosed
        made = services.sign_ups.use(session, given.token, encoded)
        principal = Principal("account", str(made.id), made.username, made.organisation_id, made.role, peer=peer)
        detail = {"of_age": services.settings.sign_up.least_age, "group": newcomers.join(services, session, made)}
        detail |= {"waits": True} if made.awaits_since is not None else {}
        trail.write(session, trail.event(request, principal, "account.sign-up", ("account", made.id), detail=detail))
        _accept(request, services, session, principal, given)
        waits = made.awaits_since is not None
        told = waits and services.sign_ups.tell_administrators(session, made) > 0
    set_device(request, response, services, services.identity.known_device(made.id))
    return SignedUp(username=made.username, waits=waits, told=told)


def _accept(request: Request, services: WebServices, session: Session, principal: Principal, given: SignUpUsed) -> None:
    own_id, now = uuid.UUID(principal.id), services.clock.now()
    who = Acceptor(principal.organisation_id, own_id, principal.name, given.language, principal.peer)
    for text in texts.accept_all(session, who, [(one.id, one.sha256) for one in given.texts], now):
        detail = {"text": text.kind, "version": text.version, "sha256": text.sha256, "language": given.language}
        event = trail.event(request, principal, "privacy.accept", ("privacy_text", str(text.id)), detail=detail)
        trail.write(session, event)


@address_router.post("/address-confirmations")
def confirm_address(request: Request, services: Services, shown: TokenShown) -> AddressConfirmed:
    """Give an account its new e-mail address; the one before is told. The link proves the address, and no more."""
    require_same_origin(request)
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    with services.database.write() as session:
        changed = services.address_changes.confirm(session, shown.token)
        account, before = changed.account, changed.before
        services.password_links.end_all(session, account.id)
        if before.email and before.email != account.email:
            services.password_links.tell(session, before, "address-changed", address=before.email)
        principal = Principal(
            "account", str(account.id), account.username, account.organisation_id, account.role, peer=peer
        )
        trail.write(session, trail.event(request, principal, "account.email", ("account", account.id)))
    return AddressConfirmed(username=account.username, email=account.email or "")

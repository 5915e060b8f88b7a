"""Links by which somebody chooses a password: asked for, opened and used by nobody yet; listed and revoked by admins.

The token comes in a body, never in an address. Who asks for a link is answered the same, whoever that may be.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from radrelay.access import Principal
from radrelay.errors import NotFound
from radrelay.identity.password_links import LONGEST_TOKEN, LinkView
from radrelay.web import trail
from radrelay.web.api.session import set_device
from radrelay.web.authentication import Administrator, Services, require_same_origin
from radrelay.web.connection import peer_address
from radrelay.web.session_shapes import VerifierGiven

router = APIRouter(prefix="/password-links", tags=["password links"])
rules_router = APIRouter(tags=["password links"])
Token = Annotated[str, Field(min_length=1, max_length=LONGEST_TOKEN)]


class Forgotten(BaseModel):
    """Whose password is forgotten: a user name or an e-mail address."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=254)


class Asked(BaseModel):
    """The answer to everybody. `by_mail`: this installation sends mail; otherwise administrators make links."""

    by_mail: bool


class Shown(BaseModel):
    """A link's token."""

    model_config = ConfigDict(extra="forbid")

    token: Token


class Opened(BaseModel):
    """Whose password is chosen: `identity` is what enters the verifier, with at least so many iterations."""

    username: str
    name: str
    identity: str
    purpose: str
    expires_at: datetime
    iterations: int


class Chosen(BaseModel):
    """A link's token, and the verifier of the password that was chosen."""

    model_config = ConfigDict(extra="forbid")

    token: Token
    new: VerifierGiven


class PasswordLink(BaseModel):
    """A link that opens, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    account_id: uuid.UUID
    username: str
    purpose: str
    made_by: str
    mailed: bool
    created_at: datetime
    expires_at: datetime

    @classmethod
    def shown(cls, link: LinkView) -> PasswordLink:
        """Return a link as answers show it."""
        return cls.model_validate(link)


class PasswordLinksOpen(BaseModel):
    """The links that open, newest first."""

    links: list[PasswordLink]


class Rules(BaseModel):
    """What a password must be. With `breach_list` the browser asks whether it was found in a breach."""

    shortest: int
    longest: int
    breach_list: bool


class Suffixes(BaseModel):
    """What follows the five digits in the hashes of passwords that nobody may choose."""

    suffixes: list[str]


@router.post("/forgotten", status_code=202)
def forgotten(request: Request, services: Services, asked: Forgotten) -> Asked:
    """Ask for a link by mail. Nothing is looked up here, so nothing tells whether somebody is known by that name."""
    require_same_origin(request)
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    with services.database.write() as session:
        services.password_links.ask(session, services.organisation_id, asked.name, peer)
    return Asked(by_mail=services.password_links.post.is_set)


@router.post("/open")
def open_link(request: Request, services: Services, shown: Shown) -> Opened:
    """Say whose password a link lets choose."""
    require_same_origin(request)
    with services.database.write() as session:
        found = services.password_links.open(session, shown.token)
    account = found.account
    return Opened(
        username=account.username,
        name=account.full_name or account.username,
        identity=services.identity.identity_of(account),
        purpose=found.purpose,
        expires_at=found.expires_at,
        iterations=services.settings.identity.password_iterations,
    )


@router.post("/use", status_code=204)
def use_link(request: Request, response: Response, services: Services, chosen: Chosen) -> None:
    """Set the password that was chosen. All other logins end, a reported loss is over; this browser is known."""
    require_same_origin(request)
    encoded = services.identity.verifier_taken(chosen.new.salt, chosen.new.iterations, chosen.new.verifier)
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    with services.database.write() as session:
        used = services.password_links.use(session, chosen.token, encoded)
        account = used.account
        principal = Principal(
            "account", str(account.id), account.username, account.organisation_id, account.role, peer=peer
        )
        detail = {"kind": used.purpose}
        trail.write(session, trail.event(request, principal, "password.choose", ("account", account.id), detail=detail))
    set_device(request, response, services, services.identity.known_device(account.id))


@router.get("")
def list_links(services: Services, principal: Administrator) -> PasswordLinksOpen:
    """List invitations and reset links that open."""
    with services.database.read() as session:
        found = services.password_links.listed(session, principal.organisation_id)
    return PasswordLinksOpen(links=[PasswordLink.shown(one) for one in found])


@router.delete("/{link_id}", status_code=204)
def revoke_link(request: Request, services: Services, principal: Administrator, link_id: uuid.UUID) -> None:
    """Take a link back; it opens nothing from now on."""
    with services.database.write() as session:
        account_id = services.password_links.revoke(session, principal.organisation_id, link_id)
        trail.write(session, trail.event(request, principal, "password.link.revoke", ("account", account_id)))


@rules_router.get("/password-rules")
def rules(services: Services) -> Rules:
    """Say what a password must be."""
    own = services.identity.rules
    return Rules(shortest=own.shortest, longest=own.longest, breach_list=own.breaches is not None)


@rules_router.get("/password-breaches/{prefix}")
def breaches(services: Services, prefix: str) -> Suffixes:
    """Return the hashes (SHA-1) of passwords found in breaches that begin with five hexadecimal digits, without these.

    The browser compares by itself, so that the server learns nothing of the password but those digits' worth.
    """
    if len(prefix) != 5 or any(digit not in "0123456789abcdefABCDEF" for digit in prefix):
        raise NotFound("ask for five hexadecimal digits")
    found = services.identity.rules.breaches
    return Suffixes(suffixes=[] if found is None else found.suffixes(prefix))

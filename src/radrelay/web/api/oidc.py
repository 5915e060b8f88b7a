"""Single sign-on: what the login page offers, the way to the provider and back, and who came by it.

Browsers are led, not answered: the way back ends on a page, and on the login page with the code of what went wrong.
"""

from __future__ import annotations

import hmac
import re
import uuid
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from radrelay import access, errors
from radrelay.errors import RadrelayError
from radrelay.identity import LoginTry
from radrelay.identity.oidc import people
from radrelay.identity.oidc.begun import HOME, LASTS, Begun, own_path
from radrelay.identity.oidc.errors import LogoutRefused, SignOnOver
from radrelay.identity.oidc.people import SignOnView
from radrelay.web import sign_on, trail
from radrelay.web.api.session import set_cookies
from radrelay.web.authentication import DEVICE_COOKIE, Administrator, Services, require_same_origin
from radrelay.web.connection import is_secure, peer_address
from radrelay.web.problems import Trouble
from radrelay.web.services import WebServices

COOKIE = "radrelay_sign_on_"
PATH = "/api/oidc"
STATE = re.compile(r"[A-Za-z0-9_-]{20,200}")
NAMED_BY = 12
MOST_BEGUN = 8
"""Sign-ons under way in one browser, tabs that it opened again together."""
LED: dict[int | str, dict[str, Any]] = {303: {"description": "On to the provider, or to a page"}}
router = APIRouter(prefix="/oidc", tags=["single sign-on"])


class Offer(BaseModel):
    """What the login page shows: the button's name, and whether passwords are asked for beside it.

    `at_once`: who opens a page's address without a login goes on to the provider by itself.
    """

    set: bool
    name: str
    hide_password: bool
    at_once: bool = False


class Person(BaseModel):
    """Somebody at the provider, and the account that is theirs; without one they wait to be linked."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    issuer: str
    subject: str
    username: str
    full_name: str
    email: str
    seen_at: datetime | None
    linked_at: datetime | None
    account_id: uuid.UUID | None
    account_name: str


class People(BaseModel):
    """Who came by single sign-on: those who wait first, 500 at most."""

    people: list[Person]


class Link(BaseModel):
    """Which account is somebody's."""

    model_config = ConfigDict(extra="forbid")

    account_id: uuid.UUID


class NewLink(Link):
    """Which account is that of somebody who may not have come yet, by the provider's `sub`."""

    subject: str = Field(min_length=1, max_length=255)


class State(BaseModel):
    """Whether single sign-on is set and its provider answers: if not, why."""

    set: bool
    issuer: str = ""
    redirect_uri: str = ""
    logout_uri: str = ""
    reached: bool = False
    keys: int = 0
    logs_out: bool = False
    ends_logins: bool = False
    trouble: Trouble | None = None


@router.get("")
def offer(services: Services) -> Offer:
    """Say what the login page offers."""
    if services.single_sign_on is None:
        return Offer(set=False, name="", hide_password=False)
    settings = services.single_sign_on.settings
    return Offer(set=True, name=settings.name, hide_password=settings.hide_password, at_once=settings.at_once)


@router.get("/start", status_code=303, response_class=RedirectResponse, responses=LED)
def start(request: Request, services: Services, next: str = HOME) -> Response:  # noqa: A002 -- the address says so
    """Lead a browser to the provider, and back to `next`, an address of our own, when it is let in."""
    source = sign_on.source_of(services)
    require_same_origin(request)
    try:
        begun, address = source.begin(next)
    except RadrelayError as error:
        sign_on.note_refusal(request, services, _attempt(request, services), error)
        return _refused(error, own_path(next))
    response = RedirectResponse(address, 303)
    under_way = [name for name in request.cookies if name.startswith(COOKIE)]
    for name in under_way if len(under_way) >= MOST_BEGUN else ():
        response.delete_cookie(name, path=PATH)
    response.set_cookie(
        COOKIE + begun.state[:NAMED_BY], source.seals.seal(begun), path=PATH, max_age=int(LASTS.total_seconds()),
        secure=is_secure(request.scope, services.settings.web.behind_proxy), httponly=True, samesite="lax",
    )  # fmt: skip
    return response


@router.get("/callback", status_code=303, response_class=RedirectResponse, responses=LED)
def callback(
    request: Request, services: Services, state: str = "", code: str = "", error: str = "", iss: str = ""
) -> Response:
    """Take a browser that the provider sends back: log its person in, or say on the login page why not."""
    sign_on.source_of(services)
    attempt = _attempt(request, services)
    name, begun = COOKIE + state[:NAMED_BY], None
    try:
        begun = _begun(request, services, name, state)
    except SignOnOver as over:
        sign_on.note_refusal(request, services, attempt, over)
        return _refused(over, HOME)
    answer = {"code": code, "error": error, "iss": iss}
    try:
        opened = sign_on.come_back(request, services, begun, answer, attempt)
    except RadrelayError as refusal:
        response = _refused(refusal, begun.next)
    else:
        response = RedirectResponse(begun.next, 303)
        set_cookies(request, response, services, opened)
    response.delete_cookie(name, path=PATH)
    return response


def _begun(request: Request, services: WebServices, name: str, state: str) -> Begun:
    """Return the sign-on that this browser has begun; raises `SignOnOver`."""
    if not STATE.fullmatch(state):
        raise SignOnOver
    begun = sign_on.source_of(services).seals.open(request.cookies.get(name, ""), services.clock.now())
    if not hmac.compare_digest(begun.state, state):
        raise SignOnOver
    return begun


def _refused(error: RadrelayError, wanted: str) -> Response:
    query = {"sso": error.code} | ({} if wanted == HOME else {"next": wanted})
    return RedirectResponse(f"/login?{urlencode(query)}", 303)


def _attempt(request: Request, services: WebServices) -> LoginTry:
    return LoginTry(
        username="",
        address=peer_address(request.scope, services.settings.web.behind_proxy),
        device=request.cookies.get(DEVICE_COOKIE, ""),
        user_agent=request.headers.get("user-agent", ""),
    )


@router.post("/backchannel-logout", status_code=200)
def log_out_from_there(
    request: Request, services: Services, logout_token: Annotated[str, Form(max_length=65536)]
) -> None:
    """End what the provider says is over (OpenID Connect Back-Channel Logout 1.0)."""
    try:
        sign_on.log_out_from_there(request, services, logout_token)
    except LogoutRefused as error:
        attempt = _attempt(request, services)
        principal = access.system_principal(services.organisation_id)
        detail = {"reason": error.code, "what": str(error.facts.get("reason", "")), **sign_on.BY}
        record = trail.event(request, principal, "logout", ("account", ""), detail=detail, outcome="refused")
        minute = services.clock.now().strftime("%Y-%m-%dT%H:%M")
        trail.seen(services.database, principal, record, distinct=f"{attempt.address} {error.code} {minute}")
        raise


@router.get("/state")
def state(services: Services, principal: Administrator) -> State:
    """Say whether the provider answers."""
    source = services.single_sign_on
    if source is None or principal.organisation_id != services.organisation_id:
        return State(set=False)
    known = State(
        set=True,
        issuer=source.provider.issuer,
        redirect_uri=source.redirect_uri,
        logout_uri=source.logout_uri,
    )
    try:
        reached = source.reach()
    except RadrelayError as error:
        return known.model_copy(update={"trouble": Trouble.shown(errors.Trouble.of(error))})
    found = {"reached": True, "keys": reached.keys, "logs_out": reached.logs_out, "ends_logins": reached.ends_logins}
    return known.model_copy(update=found)


@router.get("/people")
def list_people(services: Services, principal: Administrator) -> People:
    """List who came by single sign-on."""
    with services.database.read() as session:
        found = people.listed(session, principal.organisation_id)
    return People(people=[_person(one) for one in found])


@router.post("/people", status_code=201)
def link_new(request: Request, services: Services, principal: Administrator, wanted: NewLink) -> Person:
    """Make an account that of somebody who may not have come yet."""
    return _person(sign_on.link(request, services, principal, wanted.subject, wanted.account_id))


@router.put("/people/{sign_on_id}")
def link(request: Request, services: Services, principal: Administrator, sign_on_id: uuid.UUID, wanted: Link) -> Person:
    """Make an account that of somebody who waits."""
    with services.database.read() as session:
        subject = people.of_id(session, principal.organisation_id, sign_on_id).subject
    return _person(sign_on.link(request, services, principal, subject, wanted.account_id))


@router.delete("/people/{sign_on_id}", status_code=204)
def unlink(request: Request, services: Services, principal: Administrator, sign_on_id: uuid.UUID) -> None:
    """Forget somebody; their logins that came by single sign-on end."""
    sign_on.unlink(request, services, principal, sign_on_id)


def _person(view: SignOnView) -> Person:
    return Person.model_validate(view)

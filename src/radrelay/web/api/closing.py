"""Closing an account, one's own or another's: what will go and what stays is told first, then it goes at once."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.identity.errors import OwnAccount
from radrelay.privacy import closing
from radrelay.web import trail
from radrelay.web.api.me import require_own_proof
from radrelay.web.api.session import own_login
from radrelay.web.authentication import COOKIE, Administrator, AnyCaller, Services
from radrelay.web.services import WebServices
from radrelay.web.session_shapes import ProofGiven

router = APIRouter(tags=["accounts"])


class Outlook(BaseModel):
    """What goes with an account, and what stays of it (`studies_kept`, `marks`, the record)."""

    model_config = ConfigDict(from_attributes=True)

    logins: int
    tokens: int
    factors: int
    settings: int
    letters: int
    links: int
    groups: int
    studies_ending: int
    """Nobody else owns them, nor does any source hold them."""
    studies_kept: int
    marks: int
    last_admin: bool
    """It cannot be closed."""
    comes_back: bool
    """The directory or single sign-on would make a new one."""


class Closing(BaseModel):
    """A proof of the present password, where there is one of one's own; otherwise a second factor counts (5 min)."""

    model_config = ConfigDict(extra="forbid")

    current: ProofGiven | None = None


@router.get("/me/closing")
def own_outlook(services: Services, caller: AnyCaller) -> Outlook:
    """Say what would go with one's own account."""
    account = own_login(caller).account
    return _outlook(services, account.organisation_id, account.id)


@router.post("/me/closing", status_code=204)
def close_own(request: Request, response: Response, services: Services, caller: AnyCaller, given: Closing) -> None:
    """Close one's own account for good; nothing brings it back. 409 `last-admin` for the last administrator."""
    login = own_login(caller)
    require_own_proof(request, services, login, given.current)
    with services.database.write() as session:
        _close(request, services, session, caller.principal, login.account.id)
    response.delete_cookie(COOKIE, path="/")


@router.get("/accounts/{account_id}/closing")
def outlook(services: Services, principal: Administrator, account_id: uuid.UUID) -> Outlook:
    """Say what would go with an account."""
    return _outlook(services, principal.organisation_id, account_id)


@router.post("/accounts/{account_id}/closing", status_code=204)
def close(request: Request, services: Services, principal: Administrator, account_id: uuid.UUID) -> None:
    """Close somebody's account for good; one's own is closed on its own page, with a proof."""
    if str(account_id) == principal.id:
        raise OwnAccount
    with services.database.write() as session:
        _close(request, services, session, principal, account_id)


def _outlook(services: WebServices, organisation_id: uuid.UUID, account_id: uuid.UUID) -> Outlook:
    with services.database.read() as session:
        account = services.identity.account(session, organisation_id, account_id)
        return Outlook.model_validate(closing.outlook(session, services.identity, account, services.clock.now()))


def _close(
    request: Request, services: WebServices, session: Session, principal: Principal, account_id: uuid.UUID
) -> None:
    before, ended = closing.close(session, principal.organisation_id, account_id, services.clock.now())
    services.password_links.tell_gone(session, before)
    detail = {"by": "self" if str(account_id) == principal.id else "admin", "studies": ended}
    trail.write(session, trail.event(request, principal, "account.close", ("account", account_id), detail=detail))

"""From a request to a principal: an API token, or the cookie of a login or of an opened link with its CSRF token.

Every route depends on `Authenticated` (or `Administrator`); a test walks them all without. A token comes as
`Authorization: Bearer rr_…`, or as the password of Basic, which is all that some DICOMweb clients speak; a program that
a link let in has a ticket instead (`tickets`). A cookie
alone changes nothing: unsafe methods need X-CSRF-Token and, where the browser names it, our own Origin. Basic needs the
latter, too: browsers keep it and send it by themselves.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal, Visit
from radrelay.errors import Forbidden, Unauthenticated
from radrelay.identity import AccountView, OpenSession, SessionEnded, TokenRefused, TokenView
from radrelay.identity.factors.errors import FactorSetUpWanted, FactorWanted
from radrelay.web.connection import is_own_origin, peer_address
from radrelay.web.correlation import note_caller, note_principal
from radrelay.web.launched import launched_of
from radrelay.web.services import WebServices
from radrelay.web.tickets import is_ticket
from radrelay.web.visitors import LINK_COOKIE, is_own, visit_of, visit_of_ticket

COOKIE = "radrelay_session"
DEVICE_COOKIE = "radrelay_device"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CsrfRefused(Forbidden):
    """This request did not come from Radrelay's own pages; reload the page and try again."""

    code = "csrf"


class PasswordChangeRequired(Forbidden):
    """Change the one-time password first."""

    code = "password-change-required"


class AcceptanceWanted(Forbidden):
    """Read and accept the terms or the privacy notice first."""

    code = "acceptance-wanted"


class AdministratorsOnly(Forbidden):
    """This is for administrators."""

    code = "administrators-only"


class AuditorsOnly(Forbidden):
    """This is for administrators and the data protection officer."""

    code = "auditors-only"


class OfficerOnly(Forbidden):
    """This is for the data protection officer."""

    code = "officer-only"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the principal, and the login or the opened link that it asks through, if any.

    `program` is the one that opened the login in the person's name; `ticket` says that a program came with a link.
    """

    principal: Principal
    login: OpenSession | None = None
    visit: Visit | None = None
    program: str = ""
    ticket: bool = False


def services_of(request: Request) -> WebServices:
    """Return what the application was created with."""
    services = request.app.state.services
    if not isinstance(services, WebServices):
        raise TypeError("the application was created without services")
    return services


def require_same_origin(request: Request) -> None:
    """Raise `CsrfRefused` if the browser says that another site's page sent this."""
    behind_proxy = services_of(request).settings.web.behind_proxy
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise CsrfRefused
    origin = request.headers.get("origin")
    if origin is not None and not is_own_origin(request.scope, origin, behind_proxy):
        raise CsrfRefused


def caller_of(request: Request) -> Caller:
    """Return who asks; raises as `entering_caller_of`, and for a login that has not come all the way.

    A one-time password is no hindrance here; an awaited second factor is (`FactorWanted`, `FactorSetUpWanted`).
    """
    caller = entering_caller_of(request)
    if caller.login is not None and caller.login.stage != "open":
        raise FactorWanted if caller.login.stage == "factor" else FactorSetUpWanted
    return caller


def settled_caller_of(request: Request) -> Caller:
    """Return who asks, who may have to set up a second factor yet; raises `FactorWanted` for who has to answer one."""
    caller = entering_caller_of(request)
    if caller.login is not None and caller.login.stage == "factor":
        raise FactorWanted
    return caller


def entering_caller_of(request: Request) -> Caller:
    """Return who asks, however far the login has come; raises `Unauthenticated` or `CsrfRefused`."""
    services = services_of(request)
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    note_caller(request.scope, peer)
    secret = _token_secret(request.headers.get("authorization", ""))
    if secret is not None and is_ticket(secret) and not _is_basic(request):
        return _program(request, services, secret, peer)
    if secret is not None:
        if request.method not in SAFE_METHODS and _is_basic(request):
            require_same_origin(request)  # a browser that was given it sends it for every site's pages
        principal = token_principal(services.identity.token_of(secret), peer, services.clock.now())
        note_caller(request.scope, peer, principal.kind, principal.id)
        note_principal(request.scope, principal)
        return Caller(principal)
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        return _visitor(request, services, peer)
    try:
        opened = services.identity.session_of(cookie)
    except SessionEnded:
        if LINK_COOKIE in request.cookies:
            return _visitor(request, services, peer)
        raise
    note_caller(request.scope, peer, "account", opened.account.id)
    if request.method not in SAFE_METHODS:
        require_same_origin(request)
        given = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), opened.csrf_token.encode()):
            raise CsrfRefused
    principal, program = account_principal(opened, peer), ""
    if opened.launched_by is not None:
        launched = launched_of(request, services, opened)
        principal, program = replace(principal, only=launched.studies), launched.program
    note_principal(request.scope, principal)
    return Caller(principal, opened, program=program)


def _visitor(request: Request, services: WebServices, peer: str) -> Caller:
    """Return who comes with a link; a login goes before it, so that a browser is one or the other."""
    cookie = request.cookies.get(LINK_COOKIE)
    if cookie is None:
        raise Unauthenticated
    visit = visit_of(request, services, cookie, peer)
    note_caller(request.scope, peer, "link", visit.link.id)
    note_principal(request.scope, visit.principal)
    if request.method not in SAFE_METHODS:
        require_same_origin(request)
        if not is_own(visit, request.headers.get(CSRF_HEADER, "")):
            raise CsrfRefused
    return Caller(visit.principal, visit=visit)


def _program(request: Request, services: WebServices, ticket: str, peer: str) -> Caller:
    """Return the program that a link let in."""
    visit = visit_of_ticket(request, services, ticket, peer)
    note_caller(request.scope, peer, "link", visit.link.id)
    note_principal(request.scope, visit.principal)
    return Caller(visit.principal, visit=visit, ticket=True)


def _is_basic(request: Request) -> bool:
    return request.headers.get("authorization", "").lower().startswith("basic ")


def _token_secret(authorization: str) -> str | None:
    scheme, _, rest = authorization.partition(" ")
    if not scheme:
        return None
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise TokenRefused from error
    raise TokenRefused


def account_principal(opened: OpenSession, peer: str) -> Principal:
    """Return the principal of a login."""
    account = opened.account
    return Principal(
        kind="account",
        id=str(account.id),
        name=account.full_name or account.username,
        organisation_id=account.organisation_id,
        role=account.role,
        peer=peer,
        session_key=opened.id.hex,
    )


def token_principal(token: TokenView, peer: str, now: datetime) -> Principal:
    """Return the principal of an API token; a token has no logins, so address and day (UTC) group what it does."""
    session_key = f"{peer} {now:%Y-%m-%d}"
    return Principal("token", str(token.id), token.name, token.organisation_id, token.role, peer, session_key)


def group_ids(session: Session, account: AccountView) -> frozenset[str]:
    """Return the ids of the groups that somebody is in, as rules of second factors name them."""
    found = access.groups_of(session, account.organisation_id, "account", str(account.id))
    return frozenset(str(group.id) for group in found)


def owes_password(login: OpenSession) -> bool:
    """Say whether a one-time password has to be changed first; not by whom a program has brought, without any."""
    return login.account.must_change_password and login.launched_by is None


def owes_acceptance(services: WebServices, login: OpenSession) -> bool:
    """Say whether whose login this is has to accept a text before anything else."""
    return services.acceptances.owes(login.account.organisation_id, login.account.id)


def require_caller(request: Request) -> Caller:
    """Return who asks, with a password of their own and the terms accepted.

    Raises `PasswordChangeRequired` or `AcceptanceWanted` otherwise.
    """
    caller = caller_of(request)
    if caller.login is not None and owes_password(caller.login):
        raise PasswordChangeRequired
    if caller.login is not None and owes_acceptance(services_of(request), caller.login):
        raise AcceptanceWanted
    return caller


async def require_principal(caller: Annotated[Caller, Depends(require_caller)]) -> Principal:
    """Return the principal that asks."""
    return caller.principal


async def require_administrator(caller: Annotated[Caller, Depends(require_caller)]) -> Principal:
    """Return the principal that asks if it is an administrator; raises `AdministratorsOnly`."""
    if caller.principal.role != "admin":
        raise AdministratorsOnly
    return caller.principal


async def require_auditor(caller: Annotated[Caller, Depends(require_caller)]) -> Principal:
    """Return the principal that asks if it may read the record; raises `AuditorsOnly`."""
    if caller.principal.role not in ("admin", "dpo"):
        raise AuditorsOnly
    return caller.principal


async def require_officer(caller: Annotated[Caller, Depends(require_caller)]) -> Principal:
    """Return the principal that asks if it is the data protection officer; raises `OfficerOnly`."""
    if caller.principal.role != "dpo":
        raise OfficerOnly
    return caller.principal


async def provide_services(request: Request) -> WebServices:
    """Return what the application was created with, as a dependency."""
    return services_of(request)  # a coroutine, as are the two above: what does not block needs no thread of its own


Services = Annotated[WebServices, Depends(provide_services)]
AnyCaller = Annotated[Caller, Depends(caller_of)]
SettledCaller = Annotated[Caller, Depends(settled_caller_of)]
EnteringCaller = Annotated[Caller, Depends(entering_caller_of)]
Authenticated = Annotated[Principal, Depends(require_principal)]
Administrator = Annotated[Principal, Depends(require_administrator)]
Auditor = Annotated[Principal, Depends(require_auditor)]
Officer = Annotated[Principal, Depends(require_officer)]

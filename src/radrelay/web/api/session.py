"""Logging in and out, and one's own password.

Login takes JSON or a form with `username` and `password`. A refused login says the same and takes the same time
whether the name exists or not; the audit names the account only if there is one.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from radrelay.access import Principal
from radrelay.errors import Invalid
from radrelay.identity import AccountView, LoginRefused, LoginTry, OpenSession, TooManyAttempts
from radrelay.identity.errors import PasswordUnchanged
from radrelay.web import trail
from radrelay.web.authentication import (
    COOKIE,
    DEVICE_COOKIE,
    AnyCaller,
    Caller,
    Services,
    account_principal,
    require_same_origin,
)
from radrelay.web.connection import is_secure, peer_address
from radrelay.web.services import WebServices

DEVICE_COOKIE_S = 400 * 24 * 3600  # the longest that browsers keep one
FORM = "application/x-www-form-urlencoded"
router = APIRouter(prefix="/session", tags=["session"])


class Credentials(BaseModel):
    """A user name and a password."""

    model_config = ConfigDict(extra="ignore")

    username: str = Field(max_length=200)
    password: str = Field(max_length=256)


class PasswordChange(BaseModel):
    """The present password and the new one."""

    model_config = ConfigDict(extra="forbid")

    current_password: str = Field(max_length=256)
    new_password: str = Field(max_length=256)


class SessionAccount(BaseModel):
    """Who is logged in."""

    id: uuid.UUID
    username: str
    name: str
    role: str
    language: str
    must_change_password: bool


class SessionAnswer(BaseModel):
    """A login: who, the token for X-CSRF-Token, and until when. A token's caller has neither of the latter two."""

    account: SessionAccount
    csrf_token: str
    expires_at: datetime | None
    idle_until: datetime | None


def _account(account: AccountView) -> SessionAccount:
    return SessionAccount(
        id=account.id,
        username=account.username,
        name=account.full_name or account.username,
        role=account.role,
        language=account.language,
        must_change_password=account.must_change_password,
    )


def _answer(opened: OpenSession) -> SessionAnswer:
    return SessionAnswer(
        account=_account(opened.account),
        csrf_token=opened.csrf_token,
        expires_at=opened.expires_at,
        idle_until=opened.idle_until,
    )


async def read_credentials(request: Request) -> Credentials:
    """Read the name and the password from JSON or a form; raises `Invalid`."""
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
            form = await request.form()
            return Credentials.model_validate({name: str(value) for name, value in form.items()})
        return Credentials.model_validate(json.loads(await request.body()))
    except (ValidationError, ValueError, RecursionError) as error:
        raise Invalid("a login needs username and password, as JSON or as a form") from error


_LOGIN_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Credentials.model_json_schema()},
            FORM: {"schema": Credentials.model_json_schema()},
        },
    }
}


@router.post("", openapi_extra=_LOGIN_BODY)
async def log_in(
    request: Request,
    response: Response,
    services: Services,
    credentials: Annotated[Credentials, Depends(read_credentials)],
) -> SessionAnswer:
    """Log in; sets the cookie `radrelay_session`."""
    require_same_origin(request)
    opened = await run_in_threadpool(_log_in, request, services, credentials)
    _set_cookies(request, response, services, opened)
    return _answer(opened)


def _log_in(request: Request, services: WebServices, credentials: Credentials) -> OpenSession:
    attempt = LoginTry(
        username=credentials.username,
        address=peer_address(request.scope, services.settings.web.behind_proxy),
        device=request.cookies.get(DEVICE_COOKIE, ""),
        user_agent=request.headers.get("user-agent", ""),
    )
    try:
        checked = services.identity.check_login(attempt, credentials.password)
    except (LoginRefused, TooManyAttempts) as error:
        _record_refusal(request, services, attempt, error.code)
        raise
    with services.database.write() as session:
        services.identity.end_secret(session, request.cookies.get(COOKIE, ""))
        opened = services.identity.open_session(session, checked)
        principal = account_principal(opened, attempt.address)
        trail.write(session, trail.event(request, principal, "login", ("account", opened.account.id)))
    return opened


def _record_refusal(request: Request, services: WebServices, attempt: LoginTry, reason: str) -> None:
    services.measurements.refused_logins.labels(reason).inc()
    account = services.identity.account_named(attempt.username)
    organisation_id = account.organisation_id if account else services.organisation_id
    principal = Principal(
        "account", str(account.id) if account else "", account.username if account else "unknown", organisation_id,
        peer=attempt.address,
    )  # fmt: skip
    record = trail.event(
        request, principal, "login", ("account", principal.id), detail={"reason": reason}, outcome="refused"
    )
    if reason == TooManyAttempts.code:  # once a minute tells the same as a thousand a second
        minute = services.clock.now().strftime("%Y-%m-%dT%H:%M")
        trail.seen(services.database, principal, record, distinct=f"{attempt.address} {minute}")
        return
    with services.database.write() as session:
        trail.write(session, record)


def _set_cookies(request: Request, response: Response, services: WebServices, opened: OpenSession) -> None:
    secure = is_secure(request.scope, services.settings.web.behind_proxy)
    response.set_cookie(COOKIE, opened.secret, path="/", secure=secure, httponly=True, samesite="lax")
    if opened.device:
        response.set_cookie(
            DEVICE_COOKIE, opened.device, max_age=DEVICE_COOKIE_S, path="/api/session", secure=secure, httponly=True,
            samesite="strict",
        )  # fmt: skip


@router.get("")
def present_session(caller: AnyCaller) -> SessionAnswer:
    """Say who is logged in."""
    if caller.login is not None:
        return _answer(caller.login)
    return SessionAnswer(account=_token_account(caller), csrf_token="", expires_at=None, idle_until=None)


def _token_account(caller: Caller) -> SessionAccount:
    principal = caller.principal
    return SessionAccount(
        id=uuid.UUID(principal.id),
        username=principal.name,
        name=principal.name,
        role=principal.role,
        language="",
        must_change_password=False,
    )


def _own_login(caller: Caller) -> OpenSession:
    if caller.login is None:
        raise Invalid("an API token has no login of its own")
    return caller.login


@router.delete("", status_code=204)
def log_out(request: Request, response: Response, services: Services, caller: AnyCaller) -> None:
    """Log out."""
    login = _own_login(caller)
    with services.database.write() as session:
        services.identity.end_session(session, login)
        trail.write(session, trail.event(request, caller.principal, "logout", ("account", login.account.id)))
    response.delete_cookie(COOKIE, path="/")


@router.post("/password")
def change_password(
    request: Request, response: Response, services: Services, caller: AnyCaller, change: PasswordChange
) -> SessionAnswer:
    """Set a new password of one's own; all other logins end, this one goes on under a new secret."""
    login = _own_login(caller)
    services.identity.check_password(login.account, caller.principal.peer, change.current_password)
    if change.new_password == change.current_password:
        raise PasswordUnchanged("the new password is the present one")
    encoded = services.identity.hash_new_password(login.account.username, change.new_password)
    with services.database.write() as session:
        opened = services.identity.change_password(session, login, encoded)
        trail.write(session, trail.event(request, caller.principal, "password.change", ("account", login.account.id)))
    _set_cookies(request, response, services, opened)
    return _answer(opened)

"""Logging in and out, and one's own password.

A login is a challenge and a proof (SRP-6a): the password never comes here. Who comes from the directory, and accounts
from before SRP, are asked for the password itself, as JSON or a form with `username` and `password`. A refused login
says the same and takes the same time whether the name exists or not; the audit names the account only if there is one.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from radrelay.access import Principal, Visit
from radrelay.errors import Invalid
from radrelay.identity import (
    SRP,
    AccountView,
    LoginRefused,
    LoginTry,
    OpenSession,
    ProofWanted,
    TooManyAttempts,
    organisations,
    to_text,
)
from radrelay.identity.directory.errors import DirectoryUnavailable
from radrelay.identity.errors import PasswordInTheClear
from radrelay.web import sign_on, trail
from radrelay.web.authentication import (
    COOKIE,
    DEVICE_COOKIE,
    AnyCaller,
    Caller,
    EnteringCaller,
    Services,
    SettledCaller,
    account_principal,
    group_ids,
    owes_acceptance,
    owes_password,
    require_same_origin,
)
from radrelay.web.connection import is_from_this_machine, is_secure, peer_address
from radrelay.web.leaving import leave_links
from radrelay.web.services import WebServices
from radrelay.web.session_shapes import (
    BroughtHere,
    ChallengeAnswer,
    Challenged,
    Credentials,
    FactorsReset,
    LoginAnswer,
    Onward,
    PasswordChange,
    ProofGiven,
    SessionAccount,
    SessionAnswer,
    SharedHere,
    Used,
)

DEVICE_COOKIE_S = 400 * 24 * 3600  # the longest that browsers keep one
REFUSED_S = 1.0
"""When a password is refused at the earliest, so that the directory's own time tells nothing of a name."""
FORM = "application/x-www-form-urlencoded"
router = APIRouter(prefix="/session", tags=["session"])


def _account(account: AccountView, *, must_accept: bool, must_change: bool) -> SessionAccount:
    return SessionAccount(
        id=account.id,
        username=account.username,
        name=account.full_name or account.username,
        role=account.role,
        language=account.language,
        must_change_password=must_change,
        must_accept=must_accept,
        from_directory=account.directory_id is not None,
    )


def session_answer(services: WebServices, opened: OpenSession, program: str = "") -> SessionAnswer:
    """Return a login as its owner sees it."""
    reset = (
        None
        if opened.stage == "factor" or opened.launched_by
        else services.identity.factors.unread_reset(opened.account.id)
    )
    now = services.clock.now()
    return SessionAnswer(
        account=_account(
            opened.account, must_accept=owes_acceptance(services, opened), must_change=owes_password(opened)
        ),
        csrf_token=opened.csrf_token,
        expires_at=opened.expires_at,
        idle_until=opened.idle_until,
        idle_left_s=(opened.idle_until - now).total_seconds(),
        left_s=(opened.expires_at - now).total_seconds(),
        stage=cast("Literal['open', 'factor', 'set-up']", opened.stage),
        reset=None if reset is None else FactorsReset.model_validate(reset),
        launched=BroughtHere(program=program) if opened.launched_by is not None else None,
    )


async def read_login(request: Request) -> Credentials | ProofGiven:
    """Read a proof, or a name and a password, from JSON or a form; raises `Invalid`."""
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
            form = await request.form()
            return Credentials.model_validate({name: str(value) for name, value in form.items()})
        given = json.loads(await request.body())
        kind = ProofGiven if isinstance(given, dict) and "challenge" in given else Credentials
        return kind.model_validate(given)
    except (ValidationError, ValueError, RecursionError) as error:
        raise Invalid("a login needs a proof, or username and password, as JSON or as a form") from error


_LOGIN_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [ProofGiven.model_json_schema(), Credentials.model_json_schema()]}
            },
            FORM: {"schema": Credentials.model_json_schema()},
        },
    }
}


@router.post("/challenge")
def challenge(services: Services, request: Request, wanted: Challenged) -> ChallengeAnswer:
    """Return what has to be proven for a user name, whether it exists or not."""
    require_same_origin(request)
    made = services.identity.challenge(wanted.username)
    public = to_text(SRP.group.pad(made.server_public)) if made.salt else ""
    return ChallengeAnswer(
        identity=made.identity,
        salt=to_text(made.salt),
        iterations=made.iterations,
        server_public=public,
        challenge=made.sealed,
        new_iterations=services.settings.identity.password_iterations,
    )


@router.post("", openapi_extra=_LOGIN_BODY)
async def log_in(
    request: Request,
    response: Response,
    services: Services,
    given: Annotated[Credentials | ProofGiven, Depends(read_login)],
) -> LoginAnswer:
    """Log in; sets the cookie `radrelay_session` (over TLS `__Host-radrelay_session`)."""
    require_same_origin(request)
    begun = time.monotonic()
    try:
        opened, server_proof = await run_in_threadpool(_log_in, request, services, given)
    except LoginRefused:
        if isinstance(given, Credentials) and services.identity.directory is not None:
            await asyncio.sleep(max(0.0, REFUSED_S - (time.monotonic() - begun)))
        raise
    set_cookies(request, response, services, opened)
    answer = await run_in_threadpool(session_answer, services, opened)
    return LoginAnswer(**answer.model_dump(), server_proof=to_text(server_proof))


def _log_in(request: Request, services: WebServices, given: Credentials | ProofGiven) -> tuple[OpenSession, bytes]:
    attempt = attempt_of(request, services, given)
    try:
        require_protection(request, services, given)
        answer = given.password if isinstance(given, Credentials) else given.proof()
        checked = services.identity.check_login(attempt, answer)
    except (LoginRefused, ProofWanted, PasswordInTheClear, TooManyAttempts, Invalid, DirectoryUnavailable) as error:
        record_refusal(request, services, attempt, error.code)
        raise
    with services.database.write() as session:
        services.identity.end_secret(session, request.cookies.get(COOKIE, ""))
        leave_links(session, request, services)
        groups = group_ids(session, checked.account)
        opened = services.identity.open_session(session, checked, groups)
        principal = account_principal(opened, attempt.address)
        detail = {} if opened.stage == "open" else {"stage": opened.stage}
        trail.write(session, trail.event(request, principal, "login", ("account", opened.account.id), detail=detail))
    return opened, checked.server_proof


def require_protection(request: Request, services: WebServices, given: Credentials | ProofGiven) -> None:
    """Raise `PasswordInTheClear` for a password that came from another machine without TLS."""
    behind = services.settings.web.behind_proxy
    if isinstance(given, Credentials) and not (
        is_secure(request.scope, behind) or is_from_this_machine(request.scope, behind)
    ):
        raise PasswordInTheClear


def attempt_of(request: Request, services: WebServices, given: Credentials | ProofGiven) -> LoginTry:
    """Return who tries to log in, from where, on which device."""
    named = given.username if isinstance(given, Credentials) else services.identity.name_of(given.challenge)
    return try_from(request, services, named)


def try_from(request: Request, services: WebServices, username: str) -> LoginTry:
    """Return a try of somebody, from where the request came."""
    return LoginTry(
        username=username,
        address=peer_address(request.scope, services.settings.web.behind_proxy),
        device=request.cookies.get(DEVICE_COOKIE, ""),
        user_agent=request.headers.get("user-agent", ""),
    )


def record_refusal(request: Request, services: WebServices, attempt: LoginTry, reason: str) -> None:
    """Write that a login was refused."""
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
    if reason != LoginRefused.code:  # no try that could be right; once a minute tells the same as a thousand a second
        minute = services.clock.now().strftime("%Y-%m-%dT%H:%M")
        trail.seen(services.database, principal, record, distinct=f"{attempt.address} {reason} {minute}")
        return
    with services.database.write() as session:
        trail.write(session, record)


def set_cookies(request: Request, response: Response, services: WebServices, opened: OpenSession) -> None:
    """Give a browser the cookie of its login, and the one by which it is known again."""
    secure = is_secure(request.scope, services.settings.web.behind_proxy)
    response.set_cookie(COOKIE, opened.secret, path="/", secure=secure, httponly=True, samesite="lax")
    if opened.device:
        set_device(request, response, services, opened.device)


def set_device(request: Request, response: Response, services: WebServices, device: str) -> None:
    """Let a browser be known: strangers' guesses do not slow it down."""
    secure = is_secure(request.scope, services.settings.web.behind_proxy)
    response.set_cookie(
        DEVICE_COOKIE, device, max_age=DEVICE_COOKIE_S, path="/api/session", secure=secure, httponly=True,
        samesite="strict",
    )  # fmt: skip


@router.get("")
def present_session(services: Services, caller: EnteringCaller) -> SessionAnswer:
    """Say who is logged in, or how far the login has come. To ask is not to use the login: its idle time goes on."""
    if caller.login is not None:
        return session_answer(services, caller.login, caller.program)
    if caller.visit is not None:
        return _visit_answer(services, caller.visit)
    return SessionAnswer(account=_token_account(caller), csrf_token="", expires_at=None, idle_until=None)


def _visit_answer(services: WebServices, visit: Visit) -> SessionAnswer:
    """Return who comes with a link: nobody by name."""
    with services.database.read() as session:
        organisation = organisations.name_of(session, visit.principal.organisation_id)
    nobody = SessionAccount(
        id=visit.link.id, username="", name="", role="link", language="", must_change_password=False
    )
    return SessionAnswer(
        account=nobody,
        csrf_token=visit.csrf_token,
        expires_at=visit.expires_at,
        idle_until=visit.expires_at,
        shared=SharedHere(
            may_download=visit.link.may_download,
            organisation=organisation,
            organisation_id=visit.principal.organisation_id,
        ),
    )


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


@router.post("/use")
def note_use(services: Services, caller: AnyCaller, used: Used) -> SessionAnswer:
    """Say that somebody uses the pages: the idle time begins anew then. What pages ask by themselves does not count."""
    login = own_login(caller)
    with services.database.write() as session:
        opened = services.identity.note_use(session, login, used.idle_s)
    return session_answer(services, opened, caller.program)


def own_login(caller: Caller) -> OpenSession:
    """Return the login that a caller comes by; raises `Invalid` for a machine or a link."""
    if caller.login is None:
        raise Invalid("an API token has no login of its own")
    return caller.login


@router.delete("", status_code=204, response_model=None, responses={200: {"model": Onward}})
def log_out(request: Request, services: Services, caller: EnteringCaller) -> Response:
    """Log out. Who came by single sign-on is told (200) where to go on to log out there, too."""
    login = own_login(caller)
    with services.database.write() as session:
        onward = sign_on.onward_of(session, services, login)
        services.identity.end_session(session, login)
        trail.write(session, trail.event(request, caller.principal, "logout", ("account", login.account.id)))
    response = JSONResponse({"onward": onward}) if onward else Response(status_code=204)
    response.delete_cookie(COOKIE, path="/")
    return response


@router.post("/password")
def change_password(
    request: Request, response: Response, services: Services, caller: SettledCaller, change: PasswordChange
) -> SessionAnswer:
    """Set a new password of one's own; all other logins end, this one goes on under a new secret."""
    login = own_login(caller)
    encoded = services.identity.verifier_taken(change.new.salt, change.new.iterations, change.new.verifier)
    attempt = attempt_of(request, services, change.current)
    checked = services.identity.check_own(login.account, attempt, change.current.proof())
    with services.database.write() as session:
        opened = services.identity.change_password(session, login, checked, encoded)
        trail.write(session, trail.event(request, caller.principal, "password.change", ("account", login.account.id)))
        services.password_links.tell(session, opened.account, "password-changed")
        services.password_links.end_all(session, opened.account.id)
    set_cookies(request, response, services, opened)
    return session_answer(services, opened)

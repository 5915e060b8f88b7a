"""A login's second step, and passkeys as the only one; proving again who one is.

What is refused here reads the same whatever was wrong; the record says what it was.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, Literal, cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from radrelay.access import Principal
from radrelay.audit import AuditRecord
from radrelay.errors import Invalid, RadrelayError
from radrelay.identity import AccountView, OpenSession
from radrelay.identity.errors import LoginRefused, TooManyAttempts
from radrelay.identity.factors import KINDS, Answer, AnswerKind, Kind, PasskeySite, Used
from radrelay.identity.factors.errors import FactorRefused, PasskeyRefused, PasskeysElsewhere, PasskeysNotHere
from radrelay.identity.factors.passkeys import account_of, site_of
from radrelay.identity.factors.service import Offered
from radrelay.identity.factors.values import Stage
from radrelay.identity.oidc import people
from radrelay.web import trail
from radrelay.web.api.session import (
    attempt_of,
    own_login,
    read_login,
    require_protection,
    session_answer,
    set_cookies,
    try_from,
)
from radrelay.web.authentication import (
    COOKIE,
    Caller,
    EnteringCaller,
    Services,
    SettledCaller,
    account_principal,
    group_ids,
    require_same_origin,
)
from radrelay.web.connection import own_address, peer_address
from radrelay.web.leaving import leave_links
from radrelay.web.services import WebServices
from radrelay.web.session_shapes import Credentials, ProofGiven, SessionAnswer

router = APIRouter(prefix="/session", tags=["session"])


class WrongAgain(FactorRefused):
    """The password is wrong."""

    code = "password-wrong"


class AnswerGiven(BaseModel):
    """A code of an app, a mailed PIN, a recovery code; of a passkey the sealed challenge and what the browser gave."""

    model_config = ConfigDict(extra="forbid")

    kind: AnswerKind
    code: str = Field("", max_length=40)
    challenge: str = Field("", max_length=1000)
    credential: dict[str, Any] = {}

    def answer(self) -> Answer:
        """Return the answer as identity takes it."""
        return Answer(self.kind, self.code, self.challenge, self.credential)


class PasskeyAsked(BaseModel):
    """What `navigator.credentials` is asked, as WebAuthn's JSON has it; `challenge` comes back beside the answer."""

    challenge: str
    options: dict[str, Any]


class PasskeyGiven(BaseModel):
    """What a browser gave for a passkey's challenge (AuthenticationResponseJSON)."""

    model_config = ConfigDict(extra="forbid")

    challenge: str = Field(max_length=1000)
    credential: dict[str, Any]


class Passkeys(BaseModel):
    """Whether passkeys can be used at the address that this page has; else why not, and where they can."""

    usable: bool
    code: str = ""
    address: str = ""


class SecondStep(BaseModel):
    """What a login waits for: which kinds may answer, and which may be set up where none is there.

    `mail` is where a PIN would go, as it is shown; `pin_sent`: one is on its way, or there.
    """

    stage: Literal["open", "factor", "set-up"]
    answers: list[Kind]
    recovery: bool
    may_set_up: list[Kind]
    mail: str | None
    pin_sent: bool
    passkeys: Passkeys


def site_here(request: Request, services: WebServices) -> PasskeySite:
    """Return where passkeys belong; raises `PasskeysNotHere`, or `PasskeysElsewhere` for a page elsewhere."""
    here = request.headers.get("origin") or own_address(request.scope, services.settings.web.behind_proxy)
    site = services.identity.factors.passkey_site(here)
    try:
        origin = site_of(here, site.name).origin
    except PasskeysNotHere:
        origin = ""
    if origin != site.origin:
        raise PasskeysElsewhere(address=site.origin)
    return site


def passkeys_here(request: Request, services: WebServices) -> Passkeys:
    """Say whether passkeys can be used at the address of this page."""
    try:
        site_here(request, services)
    except (PasskeysNotHere, PasskeysElsewhere) as error:
        return Passkeys(usable=False, code=error.code, address=str(error.facts.get("address", "")))
    return Passkeys(usable=True)


def asked(offered: Offered) -> PasskeyAsked:
    """Return what a browser is asked."""
    return PasskeyAsked(challenge=offered.challenge, options=dict(offered.options))


@router.get("/factor")
def second_step(request: Request, services: Services, caller: EnteringCaller) -> SecondStep:
    """Say which second factors may answer, or be set up."""
    login = own_login(caller)
    factors = services.identity.factors
    with services.database.read() as session:
        found = factors.standing(session, login.account, group_ids(session, login.account))
        pin_sent = factors.pin_waits(session, login)
    mail = factors.mail_address(login.account)
    passkeys = passkeys_here(request, services)
    can = factors.usable(login.account, passkeys_too=passkeys.usable)
    return SecondStep(
        stage=cast("Stage", login.stage),
        answers=[kind for kind in KINDS if kind in found.answers],
        recovery=bool(found.codes_left),
        may_set_up=[kind for kind in KINDS if kind in can and (found.needs is None or kind in found.needs)],
        mail=mail,
        pin_sent=pin_sent,
        passkeys=passkeys,
    )


@router.post("/factor/passkey")
def challenge_passkey(request: Request, services: Services, caller: EnteringCaller) -> PasskeyAsked:
    """Return what a browser is asked for one of the person's own passkeys."""
    return asked(services.identity.factors.offer(own_login(caller), site_here(request, services)))


@router.post("/factor/pin", status_code=204)
def send_pin(request: Request, services: Services, caller: EnteringCaller) -> None:
    """Send a PIN by e-mail to who has set that up; the last one ends."""
    login = own_login(caller)
    factors = services.identity.factors
    with services.database.write() as session:
        if "email" not in factors.standing(session, login.account, ()).have:
            raise FactorRefused("kind")
        factors.send_pin(session, login)
        trail.write(session, trail.event(request, caller.principal, "factor.send", ("account", login.account.id)))


@router.post("/factor")
def answer_factor(
    request: Request, response: Response, services: Services, caller: EnteringCaller, given: AnswerGiven
) -> SessionAnswer:
    """Answer with a second factor: the login goes on under a new secret, all the way or up to setting one up."""
    login = own_login(caller)
    if login.stage != "factor":
        raise FactorRefused("stage")
    attempt = try_from(request, services, login.account.username)
    with services.database.read() as session:
        groups = group_ids(session, login.account)
        allowed = services.identity.factors.standing(session, login.account, groups).answers
    used = checked(request, services, caller, given, allowed)
    try:
        with services.database.write() as session:
            opened = services.identity.factors.complete(session, login, attempt, used, groups)
            people.go_on_as(session, login.id, opened)
            principal = account_principal(opened, attempt.address)
            trail.write(session, used_event(request, principal, used))
    except FactorRefused as error:
        record_failure(request, services, caller.principal, given.kind, error)
        raise
    set_cookies(request, response, services, opened)
    return session_answer(services, opened)


def checked(
    request: Request, services: WebServices, caller: Caller, given: AnswerGiven, allowed: frozenset[Kind]
) -> Used:
    """Return what was right about an answer; what was wrong is on record when it is raised."""
    login = own_login(caller)
    attempt = try_from(request, services, login.account.username)
    try:
        site = site_here(request, services) if given.kind == "passkey" else None
        return services.identity.factors.answers.check(login, attempt, given.answer(), allowed, site)
    except (FactorRefused, TooManyAttempts) as error:
        record_failure(request, services, caller.principal, given.kind, error)
        raise


def used_event(request: Request, principal: Principal, used: Used) -> AuditRecord:
    """Return the event of a second factor that was right."""
    detail: dict[str, object] = {"kind": used.kind}
    if used.factor_id is not None:
        detail["factor"] = str(used.factor_id)
    return trail.event(request, principal, "factor.use", ("account", used.account_id), detail=detail)


def record_failure(
    request: Request, services: WebServices, principal: Principal, kind: str, error: RadrelayError
) -> None:
    """Write that a second factor was refused, and why; refusals unseen once a minute."""
    reason = error.reason if isinstance(error, FactorRefused) else error.code
    services.measurements.refused_logins.labels(error.code).inc()
    record = trail.event(
        request, principal, "factor.use", ("account", principal.id), detail={"kind": kind, "reason": reason},
        outcome="refused",
    )  # fmt: skip
    if isinstance(error, TooManyAttempts):
        minute = services.clock.now().strftime("%Y-%m-%dT%H:%M")
        trail.seen(services.database, principal, record, distinct=f"{kind} {reason} {minute}")
        return
    with services.database.write() as session:
        trail.write(session, record)


@router.post("/proof", status_code=204)
async def prove_again(request: Request, services: Services, caller: SettledCaller) -> None:
    """Prove again who one is, by password (as at the login) or by second factor; good for five minutes."""
    given = await _read_proof(request)
    if isinstance(given, AnswerGiven):
        await run_in_threadpool(_prove_by_factor, request, services, caller, given)
    else:
        await run_in_threadpool(_prove_by_password, request, services, caller, given)


async def _read_proof(request: Request) -> AnswerGiven | Credentials | ProofGiven:
    try:
        body = json.loads(await request.body())
        if isinstance(body, dict) and "kind" in body:
            return AnswerGiven.model_validate(body)
    except (ValidationError, ValueError, RecursionError) as error:
        raise Invalid("a proof is that of a login, or a second factor's answer, as JSON") from error
    return await read_login(request)


def _prove_by_factor(request: Request, services: WebServices, caller: Caller, given: AnswerGiven) -> None:
    login = own_login(caller)
    attempt = try_from(request, services, login.account.username)
    with services.database.read() as session:
        have = services.identity.factors.standing(session, login.account, ()).have
    used = checked(request, services, caller, given, have)
    try:
        with services.database.write() as session:
            services.identity.factors.prove(session, login, attempt, used)
            trail.write(session, used_event(request, caller.principal, used))
    except FactorRefused as error:
        record_failure(request, services, caller.principal, given.kind, error)
        raise


def _prove_by_password(
    request: Request, services: WebServices, caller: Caller, given: Credentials | ProofGiven
) -> None:
    login = own_login(caller)
    if isinstance(given, Credentials):
        given = given.model_copy(update={"username": login.account.username})
    attempt = attempt_of(request, services, given)
    try:
        require_protection(request, services, given)
        answer = given.password if isinstance(given, Credentials) else given.proof()
        services.identity.check_again(login.account, attempt, answer)
    except LoginRefused as error:
        record_failure(request, services, caller.principal, "password", error)
        raise WrongAgain from error
    with services.database.write() as session:
        services.identity.factors.prove(session, login, attempt, None)
        detail = {"kind": "password"}
        record = trail.event(request, caller.principal, "factor.use", ("account", login.account.id), detail=detail)
        trail.write(session, record)


@router.post("/passkey/challenge")
def challenge_entry(request: Request, services: Services) -> PasskeyAsked:
    """Return what a browser is asked for a passkey that is the only factor; no name is asked, and none is told."""
    require_same_origin(request)
    return asked(services.identity.factors.offer_entry(site_here(request, services)))


@router.post("/passkey")
def log_in_by_passkey(request: Request, response: Response, services: Services, given: PasskeyGiven) -> SessionAnswer:
    """Log in with a passkey that has verified who holds it; sets the cookie `radrelay_session`."""
    require_same_origin(request)
    attempt = try_from(request, services, "")
    answer = Answer("passkey", "", given.challenge, given.credential)
    factors = services.identity.factors
    try:
        used = factors.answers.check_alone(attempt, answer, site_here(request, services))
        with services.database.write() as session:
            groups = group_ids(session, factors.account_of(session, used))
            services.identity.end_secret(session, request.cookies.get(COOKIE, ""))
            leave_links(session, request, services)
            opened = factors.enter_by_passkey(session, attempt, used, groups)
            _record_entry(request, session, opened, attempt.address, used)
    except (PasskeyRefused, TooManyAttempts) as error:
        _record_refused_entry(request, services, given, error)
        raise
    set_cookies(request, response, services, opened)
    return session_answer(services, opened)


def _record_entry(request: Request, session: Session, opened: OpenSession, peer: str, used: Used) -> None:
    detail = {"by": "passkey", "factor": str(used.factor_id)}
    if opened.stage != "open":
        detail["stage"] = opened.stage
    principal = account_principal(opened, peer)
    trail.write(session, trail.event(request, principal, "login", ("account", opened.account.id), detail=detail))


def _record_refused_entry(
    request: Request, services: WebServices, given: PasskeyGiven, error: PasskeyRefused | TooManyAttempts
) -> None:
    reason = error.reason if isinstance(error, PasskeyRefused) else error.code
    services.measurements.refused_logins.labels(error.code).inc()
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    account = _claimed(services, given)
    principal = Principal(
        "account", str(account.id) if account else "", account.username if account else "unknown",
        account.organisation_id if account else services.organisation_id, peer=peer,
    )  # fmt: skip
    detail = {"by": "passkey", "reason": reason}
    record = trail.event(request, principal, "login", ("account", principal.id), detail=detail, outcome="refused")
    minute = services.clock.now().strftime("%Y-%m-%dT%H:%M")
    if reason in ("counter", "backup", "account"):  # somebody has the key, or a copy of it
        with services.database.write() as session:
            trail.write(session, record)
        return
    trail.seen(services.database, principal, record, distinct=f"{peer} {reason} {minute}")


def _claimed(services: WebServices, given: PasskeyGiven) -> AccountView | None:
    """Return whose account a refused passkey names, for the record."""
    named: uuid.UUID | None = account_of(given.credential)
    if named is None:
        return None
    with services.database.read() as session:
        return services.identity.account_anywhere(session, named)

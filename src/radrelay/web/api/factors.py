"""One's own second factors, and who needs one: set up, named, removed, required, reset.

Adding and removing asks for a fresh proof of who one is (`fresh-proof-wanted`: POST /api/session/proof, then again).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal
from radrelay.identity import OpenSession
from radrelay.identity.errors import TooManyAttempts
from radrelay.identity.factors import KINDS, FactorView, Kind, RuleView, rules
from radrelay.identity.factors.errors import FactorRefused, OwnFactors
from radrelay.identity.factors.service import Added
from radrelay.web import trail
from radrelay.web.api.factor_login import (
    PasskeyAsked,
    Passkeys,
    asked,
    passkeys_here,
    record_failure,
    site_here,
)
from radrelay.web.api.session import own_login, try_from
from radrelay.web.authentication import Administrator, Caller, Services, SettledCaller, group_ids
from radrelay.web.services import WebServices

router = APIRouter(tags=["factors"])
SubjectKind = Literal["role", "group"]


class Factor(BaseModel):
    """A second factor. `backed_up`: a passkey that its maker keeps copies of on the person's other devices."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: Kind
    name: str
    created_at: datetime
    used_at: datetime | None
    backed_up: bool


class OwnFactorsAnswer(BaseModel):
    """What one has, may add and needs; `needs` is null where nothing is needed."""

    factors: list[Factor]
    codes_left: int
    needs: list[Kind] | None
    may_add: list[Kind]
    mail: str | None
    passkeys: Passkeys


class AppWanted(BaseModel):
    """A code app to be set up, and what it is called here."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)


class AppBegun(BaseModel):
    """What the app is told: by the QR code (SVG), or typed."""

    id: uuid.UUID
    secret: str
    address: str
    qr_code: str


class MailBegun(BaseModel):
    """Where the first PIN went."""

    id: uuid.UUID
    address: str


class FirstCode(BaseModel):
    """The first code of a factor that is set up."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=40)


class NewPasskey(BaseModel):
    """What the browser made (RegistrationResponseJSON), and what it is called here."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    challenge: str = Field(max_length=1000)
    credential: dict[str, Any]


class FactorAdded(BaseModel):
    """A factor that counts from now on. `recovery_codes` come with the first, and are seen here alone."""

    factor: Factor
    recovery_codes: list[str]


class FactorName(BaseModel):
    """Another name."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)


class RecoveryCodes(BaseModel):
    """New recovery codes, seen here alone; the old ones are over."""

    recovery_codes: list[str]


class Rule(BaseModel):
    """Who needs a second factor, and of which kinds. `name`: of the group."""

    subject_kind: SubjectKind
    subject_id: str
    name: str
    kinds: list[Kind]
    changed_at: datetime


class AccountFactors(BaseModel):
    """Which kinds somebody has."""

    account_id: uuid.UUID
    kinds: list[Kind]


class FactorRules(BaseModel):
    """All rules, which kinds this site can ask for, and who has what."""

    rules: list[Rule]
    possible: list[Kind]
    accounts: list[AccountFactors]


class RuleWanted(BaseModel):
    """The kinds that fulfil a rule."""

    model_config = ConfigDict(extra="forbid")

    kinds: list[Kind] = Field(min_length=1, max_length=3)


class ResetWanted(BaseModel):
    """Why somebody's second factors are taken away; they will read it."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500)


def _fresh(services: WebServices, caller: Caller) -> OpenSession:
    """Return the login that asks, proved within five minutes."""
    login = own_login(caller)
    services.identity.factors.require_fresh(login)
    return login


def write_factor(session: Session, request: Request, principal: Principal, action: str, factor: FactorView) -> None:
    """Write what was done with a second factor."""
    detail = {"kind": factor.kind, "factor": str(factor.id)}
    trail.write(session, trail.event(request, principal, action, ("account", factor.account_id), detail=detail))


def _tell(services: WebServices, session: Session, principal: Principal, account_id: uuid.UUID, kind: str) -> None:
    account = services.identity.account(session, principal.organisation_id, account_id)
    services.password_links.tell(session, account, kind)


def _added(
    services: WebServices, session: Session, request: Request, principal: Principal, added: Added
) -> FactorAdded:
    write_factor(session, request, principal, "factor.add", added.factor)
    _tell(services, session, principal, added.factor.account_id, "factor-added")
    if added.codes:
        subject = ("account", added.factor.account_id)
        trail.write(session, trail.event(request, principal, "factor.codes", subject))
    return FactorAdded(factor=Factor.model_validate(added.factor), recovery_codes=list(added.codes))


@router.get("/me/factors")
def list_factors(request: Request, services: Services, caller: SettledCaller) -> OwnFactorsAnswer:
    """List one's own second factors."""
    login = own_login(caller)
    factors = services.identity.factors
    with services.database.read() as session:
        found = factors.standing(session, login.account, group_ids(session, login.account))
        listed = factors.listed(session, login.account.id)
    mail, passkeys = factors.mail_address(login.account), passkeys_here(request, services)
    can = factors.usable(login.account, passkeys_too=passkeys.usable) - ({"email"} & found.have)
    can = can if found.needs is None else can & found.needs
    return OwnFactorsAnswer(
        factors=[Factor.model_validate(one) for one in listed],
        codes_left=found.codes_left,
        needs=None if found.needs is None else [kind for kind in KINDS if kind in found.needs],
        may_add=[kind for kind in KINDS if kind in can],
        mail=mail,
        passkeys=passkeys,
    )


@router.post("/me/factors/totp", status_code=201)
def begin_app(services: Services, caller: SettledCaller, wanted: AppWanted) -> AppBegun:
    """Begin to set up a code app; it counts once a code of it is confirmed."""
    login = _fresh(services, caller)
    with services.database.write() as session:
        groups = group_ids(session, login.account)
        begun = services.identity.factors.begin_app(session, login, wanted.name, groups)
    return AppBegun(id=begun.factor.id, secret=begun.secret, address=begun.address, qr_code=begun.qr_code)


@router.post("/me/factors/email", status_code=201)
def begin_mail(request: Request, services: Services, caller: SettledCaller) -> MailBegun:
    """Begin to set up PINs by e-mail, by sending the first."""
    login = _fresh(services, caller)
    with services.database.write() as session:
        begun = services.identity.factors.begin_mail(session, login, group_ids(session, login.account))
        trail.write(session, trail.event(request, caller.principal, "factor.send", ("account", login.account.id)))
    return MailBegun(id=begun.id, address=begun.name)


@router.post("/me/factors/{factor_id}/confirm")
def confirm_factor(
    request: Request, services: Services, caller: SettledCaller, factor_id: uuid.UUID, given: FirstCode
) -> FactorAdded:
    """Confirm a code app or PINs by e-mail by a first code."""
    login = own_login(caller)
    factors = services.identity.factors
    attempt = try_from(request, services, login.account.username)
    try:
        used = factors.answers.check_new(login, attempt, factor_id, given.code)
        with services.database.write() as session:
            added = factors.confirm(session, login, attempt, used, group_ids(session, login.account))
            return _added(services, session, request, caller.principal, added)
    except (FactorRefused, TooManyAttempts) as error:
        record_failure(request, services, caller.principal, "first", error)
        raise


@router.post("/me/factors/passkey/challenge")
def challenge_new_passkey(request: Request, services: Services, caller: SettledCaller) -> PasskeyAsked:
    """Return what a browser is asked for a new passkey."""
    login, site = _fresh(services, caller), site_here(request, services)
    with services.database.read() as session:
        groups = group_ids(session, login.account)
        return asked(services.identity.factors.offer_passkey(session, login, site, groups))


@router.post("/me/factors/passkey", status_code=201)
def add_passkey(request: Request, services: Services, caller: SettledCaller, given: NewPasskey) -> FactorAdded:
    """Take a new passkey in, whose challenge was asked for with a fresh proof."""
    login, site = own_login(caller), site_here(request, services)
    with services.database.write() as session:
        added = services.identity.factors.add_passkey(
            session, login, site, given.challenge, given.name, given.credential, group_ids(session, login.account)
        )
        return _added(services, session, request, caller.principal, added)


@router.patch("/me/factors/{factor_id}")
def rename_factor(
    request: Request, services: Services, caller: SettledCaller, factor_id: uuid.UUID, wanted: FactorName
) -> Factor:
    """Give a second factor another name."""
    login = _fresh(services, caller)
    with services.database.write() as session:
        changed = services.identity.factors.rename(session, login, factor_id, wanted.name)
        write_factor(session, request, caller.principal, "factor.change", changed)
    return Factor.model_validate(changed)


@router.delete("/me/factors/{factor_id}", status_code=204)
def remove_factor(request: Request, services: Services, caller: SettledCaller, factor_id: uuid.UUID) -> None:
    """Remove a second factor; the recovery codes go with the last."""
    login = _fresh(services, caller)
    with services.database.write() as session:
        gone = services.identity.factors.remove(session, login, factor_id, group_ids(session, login.account))
        write_factor(session, request, caller.principal, "factor.remove", gone)


@router.post("/me/factors/codes")
def renew_codes(request: Request, services: Services, caller: SettledCaller) -> RecoveryCodes:
    """Make new recovery codes instead of the old."""
    login = _fresh(services, caller)
    with services.database.write() as session:
        codes = services.identity.factors.renew_codes(session, login)
        trail.write(session, trail.event(request, caller.principal, "factor.codes", ("account", login.account.id)))
    return RecoveryCodes(recovery_codes=list(codes))


@router.put("/me/factors/reset/read", status_code=204)
def read_reset(services: Services, caller: SettledCaller) -> None:
    """Say that one has read that an administrator took one's second factors away."""
    login = own_login(caller)
    with services.database.write() as session:
        services.identity.factors.read_resets(session, login.account.id)


# Administration


@router.get("/factors")
def list_rules(services: Services, principal: Administrator) -> FactorRules:
    """List who needs a second factor, and who has which."""
    factors = services.identity.factors
    with services.database.read() as session:
        names = {str(group.id): group.name for group in access.groups(session, principal.organisation_id)}
        listed = [_shown(one, names) for one in rules.listed(session, principal.organisation_id)]
        counts = factors.counts(session, principal.organisation_id)
    return FactorRules(
        rules=listed,
        possible=[kind for kind in KINDS if kind in factors.possible()],
        accounts=[AccountFactors(account_id=account, kinds=kinds) for account, kinds in counts.items()],
    )


def _shown(rule: RuleView, names: dict[str, str]) -> Rule:
    return Rule(
        subject_kind=rule.subject_kind,
        subject_id=rule.subject_id,
        name=names.get(rule.subject_id, "") if rule.subject_kind == "group" else rule.subject_id,
        kinds=list(rule.kinds),
        changed_at=rule.changed_at,
    )


@router.put("/factors/{subject_kind}/{subject_id}", status_code=204)
def require_factor(
    request: Request, services: Services, principal: Administrator, subject_kind: SubjectKind, subject_id: str,
    wanted: RuleWanted,
) -> None:  # fmt: skip
    """Let the people of a role, or the members of a group, need a second factor from their next login on."""
    with services.database.write() as session:
        if subject_kind == "group":
            subject_id = access.require_group(session, principal.organisation_id, subject_id)
        services.identity.factors.require(
            session, principal.organisation_id, subject_kind, subject_id, wanted.kinds
        )  # fmt: skip
        detail = {"subject": f"{subject_kind} {subject_id}", "kinds": ",".join(sorted(wanted.kinds))}
        trail.write(
            session, trail.event(request, principal, "factor.require", (subject_kind, subject_id), detail=detail)
        )


@router.delete("/factors/{subject_kind}/{subject_id}", status_code=204)
def release_from_factor(
    request: Request, services: Services, principal: Administrator, subject_kind: SubjectKind, subject_id: str
) -> None:
    """Take a rule back; who has a second factor keeps it."""
    with services.database.write() as session:
        gone = rules.release(session, principal.organisation_id, subject_kind, subject_id)
        detail = {"subject": f"{subject_kind} {subject_id}", "kinds": ",".join(gone.kinds)}
        trail.write(
            session, trail.event(request, principal, "factor.release", (subject_kind, subject_id), detail=detail)
        )


@router.post("/accounts/{account_id}/factors/reset", status_code=204)
def reset_factors(
    request: Request, services: Services, caller: SettledCaller, principal: Administrator, account_id: uuid.UUID,
    wanted: ResetWanted,
) -> None:  # fmt: skip
    """Take somebody's second factors and recovery codes away; their logins end, and they are told at the next."""
    if str(account_id) == principal.id:
        raise OwnFactors
    if caller.login is not None:
        services.identity.factors.require_fresh(caller.login)
    with services.database.write() as session:
        count = services.identity.factors.reset(
            session, principal.organisation_id, account_id, principal.name, wanted.reason
        )
        detail = {"count": count, "reason": wanted.reason}
        _tell(services, session, principal, account_id, "factors-reset")
        trail.write(session, trail.event(request, principal, "factor.reset", ("account", account_id), detail=detail))

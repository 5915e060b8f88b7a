"""Single sign-on joined with groups and the record: what happens when somebody comes, is linked, or leaves.

Issuer and subject say whose account it is (`identity.oidc.people`); groups here follow the provider's claims; all of it
stands in one transaction with its audit events, refusals too.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from fastapi import Request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal
from radrelay.errors import RadrelayError
from radrelay.identity import AccountView, LoginTry, OpenSession, TooManyAttempts, throttle
from radrelay.identity.oidc import SingleSignOn, people
from radrelay.identity.oidc.begun import Begun
from radrelay.identity.oidc.claims import Newcomer
from radrelay.identity.oidc.errors import LogoutRefused, NoSignOn, SignOnOver
from radrelay.identity.oidc.people import Arrival
from radrelay.web import trail
from radrelay.web.authentication import COOKIE, account_principal, group_ids
from radrelay.web.leaving import leave_links
from radrelay.web.services import WebServices

BY = {"by": "sign-on"}
TO_COME_ALL_THE_WAY = timedelta(hours=1)  # the longest that a login waits for its second factor
NOT_JUDGED = ("oidc-over", "oidc-declined", "too-many-attempts")
"""Refusals that anybody can cause without knowing anything; of these once a minute is told."""


def source_of(services: WebServices) -> SingleSignOn:
    """Return single sign-on; raises `NoSignOn`."""
    if services.single_sign_on is None:
        raise NoSignOn
    return services.single_sign_on


def own_source(services: WebServices, principal: Principal) -> SingleSignOn:
    """Return single sign-on for its people's administrator: the installation's first organisation has it.

    Raises `NoSignOn` for everybody else.
    """
    if principal.organisation_id != services.organisation_id:
        raise NoSignOn
    return source_of(services)


def come_back(
    request: Request, services: WebServices, begun: Begun, answer: dict[str, str], attempt: LoginTry
) -> OpenSession:  # fmt: skip
    """Open the login of somebody who comes back from the provider; whatever refuses them is on record."""
    source = source_of(services)
    try:
        _spend(services, begun, attempt)
        newcomer = source.finish(begun, source.code_of(begun, answer))
    except RadrelayError as error:
        note_refusal(request, services, attempt, error)
        raise
    try:
        with services.database.write() as session:
            arrival = people.arrive(
                session, services.organisation_id, newcomer, source.settings, services.clock.now()
            )  # fmt: skip
            opened = _let_in(session, request, services, source, newcomer, arrival, attempt)
    except IntegrityError as error:  # the same person came twice at once
        raise SignOnOver from error
    if opened is None:
        raise arrival.refusal or SignOnOver()
    return opened


def _spend(services: WebServices, begun: Begun, attempt: LoginTry) -> None:
    """Use a sign-on up, and count it by its address: each makes us ask the provider."""
    now = services.clock.now()
    with services.database.write() as session:
        throttle.begin(session, _counted(attempt), now)
        people.spend(session, begun.id, begun.expires_at, now)


def _counted(attempt: LoginTry) -> list[tuple[str, throttle.Limit]]:
    return [(f"address:{throttle.address_key(attempt.address)}", throttle.ADDRESS)]


def _let_in(
    session: Session, request: Request, services: WebServices, source: SingleSignOn, newcomer: Newcomer,
    arrival: Arrival, attempt: LoginTry,
) -> OpenSession | None:  # fmt: skip
    """Do what an arrival asks for, and open the login unless it is refused."""
    account, system = arrival.account, access.system_principal(services.organisation_id)
    subject = ("account", account.id if account is not None else "")
    if account is not None:
        wanted = newcomer.followed(source.settings.groups) if arrival.refusal is None else ()
        if arrival.created:
            detail = {"role": account.role, **BY}
            trail.write(session, trail.event(request, system, "account.create", subject, detail=detail))
        elif arrival.linked:
            trail.write(session, trail.event(request, system, "account.link", subject, detail=_told(newcomer)))
        if arrival.changes:
            detail = {**dict(arrival.changes), **BY}
            trail.write(session, trail.event(request, system, "account.change", subject, detail=detail))
        _follow_groups(session, request, services, account, wanted)
    if arrival.refusal is not None or account is None:
        principal = _principal(services, account, attempt)
        detail = {"reason": arrival.refusal.code if arrival.refusal else "", **_told(newcomer)}
        refused = trail.event(request, principal, "login", subject, detail=detail, outcome="refused")
        services.measurements.refused_logins.labels(detail["reason"]).inc()
        trail.write(session, refused)
        return None
    throttle.take_back(session, _counted(attempt))
    services.identity.end_secret(session, request.cookies.get(COOKIE, ""))
    leave_links(session, request, services)
    opened = services.identity.open_signed_on(
        session, account, attempt, group_ids(session, account), two_factors=newcomer.two_factors
    )
    lasts = timedelta(seconds=services.settings.web.session_absolute_s) + TO_COME_ALL_THE_WAY
    now = services.clock.now()
    people.note_login(session, opened, newcomer, source.sealed_hint(newcomer), now, now + lasts)
    own, waits = account_principal(opened, attempt.address), {} if opened.stage == "open" else {"stage": opened.stage}
    trail.write(session, trail.event(request, own, "login", subject, detail={**BY, **waits}))
    return opened


def _told(newcomer: Newcomer) -> dict[str, str]:
    return {"subject": newcomer.subject, "name": newcomer.username, **BY}


def _follow_groups(
    session: Session, request: Request, services: WebServices, account: AccountView, wanted: Collection[str]
) -> None:  # fmt: skip
    """Make groups here follow the provider's; one that is not here is made."""
    organisation_id, system = services.organisation_id, access.system_principal(services.organisation_id)
    here = {group.name.casefold(): group.id for group in access.groups(session, organisation_id)} if wanted else {}
    for name in sorted(wanted):
        if name.casefold() not in here:
            made = access.create_group(session, organisation_id, name, now=services.clock.now())
            here[name.casefold()] = made.id
            detail = {"name": made.name, **BY}
            trail.write(session, trail.event(request, system, "group.create", ("group", made.id), detail=detail))
    group_ids = {here[name.casefold()] for name in wanted}
    came, went = access.follow_sign_on(session, organisation_id, str(account.id), group_ids)
    for action, groups in (("group.join", came), ("group.leave", went)):
        for group_id in groups:
            detail = {"member": f"account {account.id}", **BY}
            trail.write(session, trail.event(request, system, action, ("group", group_id), detail=detail))


def note_refusal(request: Request, services: WebServices, attempt: LoginTry, error: RadrelayError) -> None:
    """Write down that nobody was let in."""
    services.measurements.refused_logins.labels(error.code).inc()
    principal = _principal(services, None, attempt)
    detail = {"reason": error.code, **BY}
    if isinstance(error.facts.get("reason"), str):
        detail["what"] = str(error.facts["reason"])[:200]
    record = trail.event(request, principal, "login", ("account", ""), detail=detail, outcome="refused")
    if error.code in NOT_JUDGED or isinstance(error, TooManyAttempts):
        minute = services.clock.now().strftime("%Y-%m-%dT%H:%M")
        trail.seen(services.database, principal, record, distinct=f"{attempt.address} {error.code} {minute}")
        return
    with services.database.write() as session:
        trail.write(session, record)


def _principal(services: WebServices, account: AccountView | None, attempt: LoginTry) -> Principal:
    return Principal(
        "account", str(account.id) if account else "", account.username if account else "unknown",
        services.organisation_id, peer=attempt.address,
    )  # fmt: skip


def onward_of(session: Session, services: WebServices, login: OpenSession) -> str:
    """Return where somebody who logs out goes on to log out at the provider; empty for everybody else."""
    if services.single_sign_on is None:
        return ""
    kept = people.token_of(session, login.id)
    return "" if kept is None else services.single_sign_on.onward(*kept)


def log_out_from_there(request: Request, services: WebServices, logout_token: str) -> int:
    """End the logins that a logout token names, and return how many; raises `LogoutRefused`.

    A token that was used before ends nothing more.
    """
    source = source_of(services)
    end = source.ended(logout_token)
    now = services.clock.now()
    with services.database.write() as session:
        _spend_logout(session, source.spent_id(end), now)
        ended = people.end_logins(
            session, services.organisation_id, source.provider.issuer, now, subject=end.subject, sid=end.session
        )
        system = access.system_principal(services.organisation_id)
        for account_id in dict.fromkeys(ended):
            trail.write(session, trail.event(request, system, "logout", ("account", account_id), detail=BY))
    return len(ended)


def _spend_logout(session: Session, spent: uuid.UUID, now: datetime) -> None:
    try:
        people.spend(session, spent, now + people.LOGOUT_KEPT, now)
    except SignOnOver as error:
        raise LogoutRefused("this logout was used before", reason="replay") from error


def link(request: Request, services: WebServices, principal: Principal, subject: str,
         account_id: uuid.UUID) -> people.SignOnView:  # fmt: skip
    """Make an account somebody's at the provider; raises `NotFound` or `AlreadyLinked`."""
    issuer = own_source(services, principal).provider.issuer
    with services.database.write() as session:
        found = people.link(
            session, services.organisation_id, issuer, subject, account_id, services.clock.now()
        )  # fmt: skip
        detail = {"subject": subject, "name": found.username, **BY}
        trail.write(session, trail.event(request, principal, "account.link", ("account", account_id), detail=detail))
    return found


def unlink(request: Request, services: WebServices, principal: Principal, sign_on_id: uuid.UUID) -> None:
    """Forget somebody at the provider: logins that came from there, and groups that follow it, end at once."""
    own_source(services, principal)
    with services.database.write() as session:
        gone = people.unlink(session, services.organisation_id, sign_on_id, services.clock.now())
        if gone.account_id is not None:
            account = services.identity.account(session, services.organisation_id, gone.account_id)
            _follow_groups(session, request, services, account, ())
        subject, detail = str(gone.account_id or ""), {"subject": gone.subject, "name": gone.username, **BY}
        trail.write(session, trail.event(request, principal, "account.unlink", ("account", subject), detail=detail))

"""Launches: a program asks for an address that opens studies in somebody's name, and a browser brings it.

How programs use it: docs/launch.md. The address holds its secret behind the #, which browsers send to nobody; the
page that it leads to gives it in a body.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import LaunchView, Principal, Right, WantedLaunch
from radrelay.access.errors import LaunchForNobody, LaunchLost, LaunchRefused, LaunchShut, MayNotLaunch
from radrelay.errors import RadrelayError
from radrelay.identity import AccountView, OpenSession, SessionEnded, TooManyAttempts, launching
from radrelay.web import trail
from radrelay.web.api.session import set_cookies, try_from
from radrelay.web.authentication import COOKIE, Authenticated, Services, account_principal, require_same_origin
from radrelay.web.connection import is_secure, own_address, peer_address
from radrelay.web.invocation import Address, Found, find
from radrelay.web.leaving import leave_links
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

PAGE = "/launch"
router = APIRouter(prefix="/launches", tags=["launches"])


class NewLaunch(BaseModel):
    """Whose viewer is to be opened, on what: a study by id or Study Instance UID, an accession number, or a patient.

    A patient ID may carry its issuer as HL7's CX does (`ID^^^issuer`). `series` names the series to begin with.
    """

    model_config = ConfigDict(extra="forbid")

    user: str = Field(min_length=1, max_length=200)
    study: str = Field("", max_length=64)
    series: str = Field("", max_length=64)
    accession: str = Field("", max_length=64)
    patient: str = Field("", max_length=400)


class LaunchMade(BaseModel):
    """An address that opens the viewer, once and until then; how many studies it opens."""

    address: str
    until: datetime
    lasts_s: float
    studies: list[uuid.UUID]


class Brought(BaseModel):
    """What a browser brings from its address. `framed`: its page stands in a frame of another site's page."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=200)
    framed: bool = False


class LaunchOpened(BaseModel):
    """Where the viewer is, and whose login it is shown in."""

    address: str
    account_id: uuid.UUID


@router.post("", status_code=201)
def make_launch(request: Request, services: Services, principal: Authenticated, wanted: NewLaunch) -> LaunchMade:
    """Make an address that opens the viewer in somebody's name, on studies that they may see."""
    now = services.clock.now()
    try:
        with services.database.write() as session:
            launch = _made(session, request, services, principal, wanted, now)
    except RadrelayError as error:
        _note_unmade(request, services, principal, wanted, error, now)
        raise
    web = services.settings.web
    site = web.address or own_address(request.scope, web.behind_proxy)
    return LaunchMade(
        address=f"{site}{PAGE}#{launch.secret}",
        until=launch.expires_at,
        lasts_s=(launch.expires_at - now).total_seconds(),
        studies=sorted(launch.studies),
    )


def _made(
    session: Session, request: Request, services: WebServices, principal: Principal, wanted: NewLaunch, now: datetime
) -> LaunchView:
    """Write a launch with its record; raises what the program is told of."""
    token_id = uuid.UUID(principal.id) if principal.kind == "token" else None
    if token_id is None or not launching.may_launch(session, token_id):
        raise MayNotLaunch
    account = launching.person_named(session, principal.organisation_id, wanted.user)
    if account is None:
        raise LaunchForNobody(user=wanted.user)
    asked = wanted.model_dump(include={"study", "series", "accession", "patient"})
    address = Address.model_validate(asked)
    found = find(Reach(session, _person(account, principal.peer), Right.SEE, now), address)
    studies = [row.id for row in found.studies]
    launch = access.make_launch(
        session,
        WantedLaunch(
            principal.organisation_id, token_id, principal.name, account.id, studies, _leads_to(found, address)
        ),
        timedelta(seconds=services.settings.launch.address_s),
        now,
    )  # fmt: skip
    patients = {(row.patient_issuer, row.patient_id_value, row.patient_name) for row in found.studies}
    detail = {"for": account.username, "account": account.id, "studies": studies}
    record = trail.event(
        request, principal, "launch.make", ("launch", launch.id), detail=detail,
        patient=patients.pop() if len(patients) == 1 else None,
    )  # fmt: skip
    trail.write(session, record)
    return launch


def _note_unmade(
    request: Request, services: WebServices, principal: Principal, wanted: NewLaunch, error: RadrelayError,
    now: datetime,
) -> None:  # fmt: skip
    """Write that a program was refused, and for whom it asked: once a minute tells the same as a thousand times."""
    detail = {"reason": error.code, "for": wanted.user}
    record = trail.event(request, principal, "launch.make", ("launch", ""), detail=detail, outcome="refused")
    trail.seen(services.database, principal, record, f"{error.code} {wanted.user} {now:%Y-%m-%dT%H:%M}")


def _person(account: AccountView, peer: str) -> Principal:
    name = account.full_name or account.username
    return Principal("account", str(account.id), name, account.organisation_id, account.role, peer)


def _leads_to(found: Found, address: Address) -> str:
    """Return the viewer's address: of the study itself where it is one, else of the choice between several."""
    if found.opens is None:
        return f"/view?{urlencode(address.model_dump(exclude_defaults=True, by_alias=True))}"
    named = {"study": str(found.opens), **({"series": str(found.series)} if found.series else {})}
    return f"/view?{urlencode(named)}"


@router.post("/open")
def open_launch(request: Request, response: Response, services: Services, brought: Brought) -> LaunchOpened:
    """Open what a program has asked for: sets the cookie `radrelay_session`. Refusals are on record."""
    require_same_origin(request)
    try:
        with services.database.write() as session:
            counted = access.count_launch(session, brought.token, _peer(request, services), services.clock.now())
        opened = _open(request, services, brought, counted=counted)
    except (TooManyAttempts, IntegrityError) as error:  # on PostgreSQL two may begin one counter
        _note_refusal(request, services, TooManyAttempts.code)
        raise TooManyAttempts(retry_after_s=1) from error
    if isinstance(opened, RadrelayError):
        raise opened
    launch, login = opened
    if login is not None:
        _set_cookie(request, response, services, login, framed=brought.framed)
    return LaunchOpened(address=launch.address, account_id=launch.account_id)


def _set_cookie(
    request: Request, response: Response, services: WebServices, login: OpenSession, *, framed: bool
) -> None:
    """Give a browser the cookie of a launch; in another site's frame one that is that frame's alone.

    A browser sends no other cookie of ours there (SameSite), and this one from no other site's page (CHIPS): whoever
    is logged in elsewhere in this browser is not in the frame.
    """
    web = services.settings.web
    if framed and web.frame_ancestors and is_secure(request.scope, web.behind_proxy):
        own = f"{COOKIE}={login.secret}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
        response.headers.append("set-cookie", own)
    else:
        set_cookies(request, response, services, login)


def _peer(request: Request, services: WebServices) -> str:
    return peer_address(request.scope, services.settings.web.behind_proxy)


def _open(
    request: Request, services: WebServices, brought: Brought, *, counted: bool
) -> tuple[LaunchView, OpenSession | None] | LaunchRefused:
    """Use a launch up and open its login, in one transaction; what refuses it is on record in the same."""
    now, peer = services.clock.now(), _peer(request, services)
    before = _login_of(request, services)
    with services.database.write() as session:
        taken = access.take_launch(session, brought.token, peer, now, counted=counted)
        if isinstance(taken, LaunchRefused):
            _record_refusal(session, request, services, taken)
            return taken
        account = launching.person_of(session, taken.organisation_id, taken.account_id)
        refusal = _refusal(session, taken, account, peer, now)
        if account is None or refusal is not None:
            refusal = (refusal or LaunchShut(program=taken.program)).of(taken.organisation_id)
            _record_refusal(session, request, services, refusal, taken)
            return refusal
        login = _login(session, request, services, taken, account, before)
        _record(session, request, services, taken, account, login or before)
    return taken, login


def _login_of(request: Request, services: WebServices) -> OpenSession | None:
    try:
        return services.identity.session_of(request.cookies.get(COOKIE, ""))
    except SessionEnded:
        return None


def _refusal(
    session: Session, launch: LaunchView, account: AccountView | None, peer: str, now: datetime
) -> LaunchRefused | None:
    if account is None:
        return LaunchShut(program=launch.program)
    reach = Reach(session, _person(account, peer), Right.SEE, now)
    return None if reach.studies(launch.studies) else LaunchLost(program=launch.program)


def _login(
    session: Session, request: Request, services: WebServices, launch: LaunchView, account: AccountView,
    before: OpenSession | None,
) -> OpenSession | None:  # fmt: skip
    """Open the login of a launch, unless the browser has one that shows the same: the person's own, or this program's.

    Anybody else's login in this browser ends, as does what a link opened: a browser is one person's at a time.
    """
    now = services.clock.now()
    if before is not None and before.account.id == account.id and before.stage == "open":
        if before.launched_by is None:
            return None
        if before.launched_by == launch.token_id:
            launching.go_on(session, before.id, services.settings, now)
            access.note_launched(session, launch.id, before.id)
            return None
    if before is not None:
        services.identity.end_session(session, before)
        gone = account_principal(before, _peer(request, services))
        trail.write(session, trail.event(request, gone, "logout", ("account", before.account.id), detail=_BY))
    leave_links(session, request, services)
    attempt = try_from(request, services, account.username)
    login = launching.open_login(session, account, attempt, launch.token_id, services.settings, now)
    access.note_launched(session, launch.id, login.id)
    return login


_BY = {"by": "launch"}


def _record(
    session: Session, request: Request, services: WebServices, launch: LaunchView, account: AccountView,
    login: OpenSession | None,
) -> None:  # fmt: skip
    """Write that a person's viewer was opened, by which program, on which studies."""
    peer = _peer(request, services)
    principal = _person(account, peer) if login is None else account_principal(login, peer)
    studies = sorted(launch.studies)
    reach = Reach(session, principal, Right.SEE, services.clock.now())
    patients = {reach.study(one).patient for one in reach.studies(studies)}
    detail = {"program": launch.program, "token": launch.token_id, "launch": launch.id, "studies": studies}
    record = trail.event(
        request, principal, "launch.open", ("account", account.id), detail=detail,
        patient=patients.pop() if len(patients) == 1 else None,
    )  # fmt: skip
    trail.write(session, record)


def _record_refusal(
    session: Session, request: Request, services: WebServices, refusal: LaunchRefused, launch: LaunchView | None = None
) -> None:
    detail: dict[str, object] = {"reason": refusal.code}
    program = refusal.facts.get("program")
    if isinstance(program, str):
        detail["program"] = program
    account = "" if launch is None else str(launch.account_id)
    whose = refusal.organisation_id or services.organisation_id
    principal = Principal("account", account, "unknown", whose, peer=_peer(request, services))
    record = trail.event(
        request, principal, "launch.open", ("account", account), detail=detail, outcome="refused"
    )  # fmt: skip
    trail.write(session, record)


def _note_refusal(request: Request, services: WebServices, reason: str) -> None:
    """Write that somebody tries again and again: once a minute tells the same as a thousand times a second."""
    peer = _peer(request, services)
    principal = Principal("account", "", "unknown", services.organisation_id, peer=peer)
    record = trail.event(
        request, principal, "launch.open", ("account", ""), detail={"reason": reason}, outcome="refused"
    )  # fmt: skip
    minute = services.clock.now().strftime("%Y-%m-%dT%H:%M")
    trail.seen(services.database, principal, record, distinct=f"{peer} {reason} {minute}")

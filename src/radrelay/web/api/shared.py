"""Coming with a link: opening it, what it shows, leaving. Asked by whoever has the link; nobody needs an account.

The token comes in the body of a POST alone: what fetches addresses by itself, such as the preview of a messenger,
opens nothing and uses up nothing. All tokens that open nothing are answered alike.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Asked, LinkTry, LinkView, Principal, Refused, Right, Visit
from radrelay.access.errors import LinkAnswerWrong, LinkClosed, LinkCodeOver, LinkRefused
from radrelay.archive.models import Study
from radrelay.errors import RadrelayError
from radrelay.identity import OpenSession, SessionEnded, TooManyAttempts, organisations
from radrelay.web import link_notices, study_rows, trail
from radrelay.web.api.studies import Patient, shown_patient
from radrelay.web.authentication import COOKIE, AnyCaller, Services, account_principal, require_same_origin
from radrelay.web.connection import is_secure, peer_address
from radrelay.web.leaving import leave_links
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices
from radrelay.web.visitors import LINK_COOKIE, NotByLink

router = APIRouter(prefix="/shared", tags=["links"])
Wants = Literal["", "pin", "birth-date", "email", "tap", "leave"]


class Opening(BaseModel):
    """A link to be opened. `answer` is its PIN or date of birth (ISO 8601), or the code that was sent by e-mail.

    `asked` is what asking for that code was answered with (POST /api/shared/code).
    `tapped` says that a person asked for it, `leave` that a login in this browser may end: it is one or the other.
    """

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=200)
    answer: str | None = Field(None, max_length=40)
    asked: str = Field("", max_length=100)
    tapped: bool = False
    leave: bool = False


class Opened(BaseModel):
    """What opening came to. With `wants` nothing is open yet: an answer, a tap, or leaving one's login comes first.

    `sends_to` is where a code would be sent by e-mail, as far as it is shown. `organisation` says then whose link it
    is, to nobody but who has it, and `organisation_id` whose privacy notice is to be read.
    """

    wants: Wants
    sends_to: str = ""
    organisation: str = ""
    organisation_id: uuid.UUID | None = None
    studies: list[uuid.UUID]


class SharedStudy(BaseModel):
    """A study, or what of it was shared."""

    id: uuid.UUID
    patient: Patient
    study_date: date | None
    description: str
    modalities: list[str]
    series_count: int
    instance_count: int


class Shared(BaseModel):
    """What a link shows, from whom, and until when it does in this browser."""

    organisation: str
    may_download: bool
    until: datetime
    studies: list[SharedStudy]


@router.post("")
def open_link(request: Request, response: Response, services: Services, wanted: Opening) -> Opened:
    """Open a link; sets the cookie `radrelay_link`. Refusals are on record, as is every opening.

    A browser shows what one link opened; what others opened in it before can be come back to.
    """
    require_same_origin(request)
    login = _login_of(request, services)
    if login is not None and not wanted.leave:
        return Opened(wants="leave", studies=[])
    attempt = replace(
        attempt_of(request, services, wanted.token),
        answer=wanted.answer,
        asked=wanted.asked,
        tapped=wanted.tapped,
        visit=request.cookies.get(LINK_COOKIE, ""),
    )
    try:
        judged = _judged(request, services, attempt, login)
    except TooManyAttempts as error:
        note_refusal(request, services, attempt, None, error.code)
        raise
    if isinstance(judged, Refused):
        raise refusal(request, services, attempt, judged)
    if isinstance(judged, Asked):
        return _wanting(services, judged)
    _set_cookie(request, response, services, judged)
    return _opened(services, judged.principal)


def _wanting(services: WebServices, asked: Asked) -> Opened:
    with services.database.read() as session:
        name = organisations.name_of(session, asked.organisation_id) if asked.organisation_id is not None else ""
    return Opened(
        wants=asked.wants,
        sends_to=asked.sends_to,
        organisation=name,
        organisation_id=asked.organisation_id,
        studies=[],
    )


def attempt_of(request: Request, services: WebServices, token: str) -> LinkTry:
    """Return who tries a link, from where."""
    address = peer_address(request.scope, services.settings.web.behind_proxy)
    return LinkTry(token, address, user_agent=request.headers.get("user-agent", ""))


def _judged(
    request: Request, services: WebServices, attempt: LinkTry, login: OpenSession | None
) -> Visit | Asked | Refused:
    """Judge a try and record it, in one transaction; once more where another one of its address was first just now."""
    for last in (False, True):
        try:
            with services.database.write() as session:
                now, reaches = services.clock.now(), reaches_of(services)
                judged = access.open_link(session, services.link_keys, attempt, now, reaches)
                record_try(session, request, services, judged, attempt)
                if login is not None and isinstance(judged, Visit):
                    _end_login(session, request, services, login)
            return judged
        except IntegrityError:  # PostgreSQL, where two may begin the same counter
            if last:
                raise
    raise AssertionError("unreachable")


def reaches_of(services: WebServices) -> access.Reaches:
    """Return what says whether a principal finds anything at all."""

    def reaches(session: Session, principal: Principal) -> bool:
        return bool(Reach.of(services, session, principal, Right.SEE).newest_studies((), 1))

    return reaches


def _login_of(request: Request, services: WebServices) -> OpenSession | None:
    try:
        return services.identity.session_of(request.cookies.get(COOKIE, ""))
    except SessionEnded:
        return None


def record_try(
    session: Session, request: Request, services: WebServices, judged: Visit | Asked | Refused, attempt: LinkTry,
    by: str = "",
) -> None:  # fmt: skip
    """Write, in the transaction of what it records, that a link was opened, tried with a wrong answer, or closed.

    `by` names the way that a program came.
    """
    way = {"by": by} if by else {}
    if isinstance(judged, Visit):
        if judged.secret in access.secrets_in(attempt.visit):
            return  # the same visit goes on
        detail = {"uses": judged.link.uses, "visit": judged.id, **_sent_to(judged.link), **way}
        trail.write(session, trail.event(request, judged.principal, "link.open", _subject(judged), detail=detail))
    elif isinstance(judged, Refused) and judged.link is not None and judged.why == "wrong":
        principal = _principal(services, judged, attempt)
        detail = {"reason": LinkAnswerWrong.code, **_sent_to(judged.link), **way}
        for action in ("link.open", *(("link.close",) if judged.closed else ())):
            record = trail.event(request, principal, action, _subject(judged), detail=detail, outcome="refused")
            trail.write(session, record)
        if judged.closed:
            link_notices.tell_maker(session, services, judged.link)


def _sent_to(link: LinkView) -> dict[str, object]:
    return {"email": link.email} if link.email else {}


def _end_login(session: Session, request: Request, services: WebServices, login: OpenSession) -> None:
    services.identity.end_session(session, login)
    principal = account_principal(login, peer_address(request.scope, services.settings.web.behind_proxy))
    trail.write(session, trail.event(request, principal, "logout", ("account", login.account.id)))


def _subject(judged: Visit | Refused) -> tuple[str, str | uuid.UUID]:
    return ("link", judged.link.id if judged.link is not None else "")


def _principal(services: WebServices, judged: Refused | None, attempt: LinkTry) -> Principal:
    """Return who tried a link: by name of the link where there is one."""
    link = judged.link if judged is not None else None
    if link is None:
        return access.unknown_principal(services.organisation_id, attempt.address)
    return Principal("link", str(link.id), f"Link: {link.maker_name}"[:128], link.organisation_id, peer=attempt.address)


def refusal(request: Request, services: WebServices, attempt: LinkTry, judged: Refused) -> RadrelayError:
    """Return the error of a refusal, which is on record by then."""
    link = judged.link
    if judged.closed or judged.why == "closed":
        until = link.closed_until if link is not None else None
        wait_s = max(1, round((until - services.clock.now()).total_seconds())) if until is not None else 1
        error: RadrelayError = LinkClosed(retry_after_s=wait_s)
    elif judged.why == "wrong":
        return LinkAnswerWrong(left=judged.left)
    elif judged.why == "over":
        return LinkCodeOver()
    else:
        error = LinkRefused()
    if not judged.closed:
        note_refusal(request, services, attempt, judged, error.code)
    return error


def note_refusal(
    request: Request, services: WebServices, attempt: LinkTry, judged: Refused | None, reason: str
) -> None:
    """Write that a link opened nothing: once a minute and address tells the same as a thousand times a second."""
    principal = _principal(services, judged, attempt)
    subject = ("link", principal.id)
    record = trail.event(request, principal, "link.open", subject, detail={"reason": reason}, outcome="refused")
    minute = services.clock.now().strftime("%Y-%m-%dT%H:%M")
    trail.seen(services.database, principal, record, distinct=f"{attempt.address} {reason} {minute}")


def _set_cookie(request: Request, response: Response, services: WebServices, visit: Visit) -> None:
    secure = is_secure(request.scope, services.settings.web.behind_proxy)
    cookie = access.cookie_with(request.cookies.get(LINK_COOKIE, ""), visit.secret)
    response.set_cookie(LINK_COOKIE, cookie, path="/", secure=secure, httponly=True, samesite="strict")


def _opened(services: WebServices, principal: Principal) -> Opened:
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        studies = [row.id for row in reach.newest_studies((), access.MOST_TARGETS)]
    return Opened(wants="", studies=studies)


@router.get("")
def shared(services: Services, caller: AnyCaller) -> Shared:
    """Say what a link shows."""
    if caller.visit is None:
        raise NotByLink("nothing is open here by a link")
    with services.database.read() as session:
        reach = Reach.of(services, session, caller.principal, Right.SEE)
        rows = reach.newest_studies((), access.MOST_TARGETS)
        listed = [_listed(session, reach, row) for row in rows]
        name = organisations.name_of(session, caller.principal.organisation_id)
    return Shared(
        organisation=name,
        may_download=caller.visit.link.may_download,
        until=caller.visit.expires_at,
        studies=listed,
    )


def _listed(session: Session, reach: Reach, row: Study) -> SharedStudy:
    series = study_rows.series_rows(session, row.id, reach.scope)
    return SharedStudy(
        id=row.id,
        patient=shown_patient(row, reach.scope),
        study_date=row.study_date,
        description=row.description,
        modalities=sorted({one.modality for one in series if one.modality}),
        series_count=len(series),
        instance_count=sum(one.instance_count for one in series),
    )


@router.delete("", status_code=204)
def leave(request: Request, response: Response, services: Services, caller: AnyCaller) -> None:
    """Close what links opened in this browser, what it may come back to as well; the links themselves last."""
    if caller.visit is None:
        raise NotByLink("nothing is open here by a link")
    with services.database.write() as session:
        leave_links(session, request, services)
    response.delete_cookie(LINK_COOKIE, path="/")

"""Codes by e-mail for who comes with a link: sent when a person asks, to the address that the link's maker named.

Nothing is sent by opening the page: what fetches addresses by itself writes to nobody.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError

from radrelay import access
from radrelay.access import LinkTry, NewCode, Principal, Refused
from radrelay.identity import TooManyAttempts
from radrelay.mail import masked
from radrelay.mail.errors import MailNotSet
from radrelay.web import trail
from radrelay.web.api.shared import attempt_of, note_refusal, reaches_of, refusal
from radrelay.web.authentication import Services, require_same_origin
from radrelay.web.services import WebServices

router = APIRouter(prefix="/shared/code", tags=["links"])
CodeStanding = Literal["waiting", "delayed", "sent", "failed", "over"]
ENDED: dict[str, CodeStanding] = {"sent": "sent", "failed": "failed", "late": "over"}


class CodeWanted(BaseModel):
    """For which link a code is to be sent, and in which language the letter is written."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=200)
    language: Literal["de", "en"] = "en"


class CodeAsked(BaseModel):
    """A code is on its way. `asked` goes back with it: it opens the link for who asked alone."""

    asked: str
    sends_to: str
    until: datetime
    lasts_s: float


class CodeOf(BaseModel):
    """Of which code it is asked how it stands."""

    model_config = ConfigDict(extra="forbid")

    asked: str = Field(max_length=100)


class CodeState(BaseModel):
    """How a code stands: on its way, `delayed` by a mail server that does not answer, sent, refused, or over."""

    state: CodeStanding


@router.post("", status_code=202)
def send_code(request: Request, services: Services, wanted: CodeWanted) -> CodeAsked:
    """Send a new code to the address that a link names; not twice in a minute, then ever more seldom."""
    require_same_origin(request)
    if not services.password_links.post.is_set:
        raise MailNotSet
    attempt = attempt_of(request, services, wanted.token)
    try:
        made = _sent(request, services, attempt, wanted.language)
    except TooManyAttempts as error:
        note_refusal(request, services, attempt, None, error.code)
        raise
    if isinstance(made, Refused):
        raise refusal(request, services, attempt, made)
    now = services.clock.now()
    return CodeAsked(
        asked=made.secret,
        sends_to=masked(made.email),
        until=made.expires_at,
        lasts_s=(made.expires_at - now).total_seconds(),
    )


def _sent(request: Request, services: WebServices, attempt: LinkTry, language: str) -> NewCode | Refused:
    """Make a code, its letter and its record in one transaction; once more where another was first just now."""
    for last in (False, True):
        try:
            with services.database.write() as session:
                made = access.ask_code(session, services.link_keys, attempt, services.clock.now(), reaches_of(services))
                if isinstance(made, NewCode):
                    post = services.password_links.post
                    house = post.house_of(session, made.organisation_id)
                    letter = post.enqueue(
                        session, made.organisation_id, made.email,
                        post.letter("link-code", language, house=house, code=made.code), expires_at=made.expires_at,
                    )  # fmt: skip
                    access.note_letter(session, made.id, letter)
                    name = f"Link: {made.maker_name}"[:128]
                    principal = Principal("link", str(made.link_id), name, made.organisation_id, peer=attempt.address)
                    detail = {"email": made.email}
                    record = trail.event(request, principal, "link.code", ("link", made.link_id), detail=detail)
                    trail.write(session, record)
            return made
        except IntegrityError:  # PostgreSQL, where two may begin the same counter
            if last:
                raise
    raise AssertionError("unreachable")


@router.post("/state")
def code_state(request: Request, services: Services, which: CodeOf) -> CodeState:
    """Say how the code stands that somebody asked for; of any other nothing is told but that it is over."""
    require_same_origin(request)
    with services.database.read() as session:
        letter_id = access.letter_of(session, which.asked, services.clock.now())
        found = None if letter_id is None else services.password_links.post.state_of(session, letter_id)
    if found is None:
        return CodeState(state="over")
    if found.state == "waiting":
        return CodeState(state="delayed" if found.troubled else "waiting")
    return CodeState(state=ENDED[found.state])

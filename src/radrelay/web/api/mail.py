"""Mail, for administrators: the server, what waits and why, a letter to try it by."""

from __future__ import annotations

import uuid
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.mail import MailServer, PostedLetter, require_address
from radrelay.mail.errors import AddressInvalid
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services
from radrelay.web.problems import Trouble

router = APIRouter(prefix="/mail", tags=["mail"])


class SentLetter(BaseModel):
    """A letter without its words: waiting, sent, refused for good (`failed`), or given up (`late`)."""

    id: uuid.UUID
    kind: str
    recipient: str
    state: str
    created_at: datetime
    due_at: datetime
    expires_at: datetime | None
    tried_at: datetime | None
    ended_at: datetime | None
    attempts: int
    trouble: Trouble | None


class Mail(BaseModel):
    """How mail stands. `trouble` is what waiting letters wait for; `given_up` counts those of the last 30 days."""

    configured: bool
    server: str
    security: str
    sender: str
    waiting: int
    waiting_since: datetime | None
    given_up: int
    last_sent_at: datetime | None
    trouble: Trouble | None
    letters: list[SentLetter]


class TestWanted(BaseModel):
    """Where a test goes; without, to one's own address."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field("", max_length=254)


class TestPosted(BaseModel):
    """A test that was posted: look for its id among the letters."""

    id: uuid.UUID
    recipient: str


def _shown(letter: PostedLetter) -> SentLetter:
    trouble = None
    if letter.trouble_code:
        trouble = Trouble(code=letter.trouble_code, detail=letter.trouble_detail, facts={})
    values = {name: getattr(letter, name) for name in SentLetter.model_fields if name != "trouble"}
    return SentLetter(**values, trouble=trouble)


@router.get("")
def mail(services: Services, principal: Administrator) -> Mail:
    """Say how mail stands."""
    settings, post = services.settings.mail, services.password_links.post
    with services.database.read() as session:
        state = post.state(session, principal.organisation_id)
    letters = [_shown(one) for one in state.letters]
    return Mail(
        configured=post.is_set,
        server=MailServer(settings, "").place if post.is_set else "",
        security=settings.security,
        sender=settings.sender,
        waiting=state.waiting,
        waiting_since=state.waiting_since,
        given_up=state.given_up,
        last_sent_at=state.last_sent_at,
        trouble=next((one.trouble for one in letters if one.state == "waiting" and one.trouble), None),
        letters=letters,
    )


@router.post("/test", status_code=202)
def test(request: Request, services: Services, principal: Administrator, wanted: TestWanted) -> TestPosted:
    """Post a letter that says that mail works, to oneself or to an address."""
    post = services.password_links.post
    with services.database.write() as session:
        recipient, language = wanted.address, ""
        if principal.kind == "account":
            account = services.identity.account(session, principal.organisation_id, uuid.UUID(principal.id))
            recipient, language = recipient or account.email or "", account.language
        if not recipient:
            raise AddressInvalid("your account has no e-mail address: name one", field="address")
        recipient = require_address(recipient)
        posted = post.enqueue(
            session, principal.organisation_id, recipient,
            post.letter("test", language, house=post.house_of(session, principal.organisation_id)),
        )  # fmt: skip
        trail.write(session, trail.event(request, principal, "mail.test", ("letter", posted)))
    return TestPosted(id=posted, recipient=recipient)

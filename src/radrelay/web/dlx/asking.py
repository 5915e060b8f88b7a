"""What a link asks of programs, and whether they answer right.

For every token there is a question, of tokens that are none one that stays the same, so that asking tells nobody which
links there are. What the link is protected by decides: the date of birth, the PIN as a password, and where it asks for
nothing the date of a study, for a token goes through more hands on this way. Links that ask for a code by e-mail are
answered as tokens that are none: a code counts in the browser that asked for it.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from radrelay import access
from radrelay.access import Door, Principal, Refused, Right, Target, Visit
from radrelay.access.errors import LinkEnded, LinkLooksOnly
from radrelay.archive.models import Series, Study
from radrelay.errors import Unauthenticated
from radrelay.identity import TooManyAttempts
from radrelay.importer.dlx import contract
from radrelay.web.api.shared import attempt_of, note_refusal, reaches_of, record_try, refusal
from radrelay.web.authentication import Services
from radrelay.web.connection import own_address
from radrelay.web.problems import answers
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices
from radrelay.web.tickets import ticket_for

router = APIRouter()
QUESTION = "1"
BIRTH_DATE, STUDY_DATE, PASSWORD = "PAT_BIRTH_DATE", "STUDY_DATE", "PASSWORD"  # the name of a kind
ASKS = {"birth-date": BIRTH_DATE, "pin": PASSWORD, "none": STUDY_DATE}
WORDS = {
    BIRTH_DATE: ("What is the patient's date of birth?",
                 "Wie lautet das Geburtsdatum der Patientin oder des Patienten?"),
    STUDY_DATE: ("On which day was the examination?", "An welchem Tag war die Untersuchung?"),
    PASSWORD: ("What is the PIN that was given to you with the link?",
               "Wie lautet die PIN, die Sie zu dem Link erhalten haben?"),
}  # fmt: skip
Value = Annotated[str, Path(description="The link's token.")]


class AnswersWrong(Unauthenticated):
    """These answers are wrong, or there is no such link."""

    code = "dlx-answers-wrong"


class Spoken(BaseModel):
    """What is said in this interface, whose names are written in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class ApiInfo(Spoken):
    """Which version of the interface is spoken, by whom, and where."""

    dlx_version: str
    vendor_information: str
    api_base_path: str


class QuestionText(Spoken):
    """A question in one language."""

    text: str
    language: str


class Question(Spoken):
    """What is asked, and in which form it is answered."""

    question: list[QuestionText]
    question_id: str
    question_type: str
    answer_format: str


class Questions(Spoken):
    """What has to be answered first."""

    api_info: list[ApiInfo]
    tfa_question: list[Question]


class GivenAnswer(Spoken):
    """An answer to one question."""

    question_id: str | int
    answer: str = Field(max_length=200)


class GivenAnswers(Spoken):
    """Answers to the questions of a link."""

    tfa_answer: Annotated[list[GivenAnswer], Field(max_length=20)]


@router.get("/api_info")
def api_info(request: Request, services: Services) -> ApiInfo:
    """Say which version of DICOM Link Exchange is spoken here."""
    web = services.settings.web
    site = web.address or own_address(request.scope, web.behind_proxy)
    return ApiInfo(dlx_version="v1", vendor_information="Radrelay", api_base_path=f"{site}{contract.BASE}")


@router.get("/token/{value}")
def questions(request: Request, services: Services, value: Value) -> Questions:
    """Say what a link asks; for what is no link, too. Nothing is counted, and nothing is on record."""
    return questions_for(request, services, value)


def questions_for(request: Request, services: WebServices, token: str) -> Questions:
    """Return what is asked for a token."""
    keys = services.link_keys
    with services.database.read() as session:
        protection = access.protection_of(session, keys, token)
    stands_in = tuple(ASKS.values())[keys.stand_in(token, len(ASKS))]
    kind = ASKS.get(protection or "", stands_in)
    english, german = WORDS[kind]
    asked = Question(
        question=[QuestionText(text=english, language="en"), QuestionText(text=german, language="de")],
        question_id=QUESTION,
        question_type=kind,
        answer_format="STRING" if kind == PASSWORD else "DATE",
    )
    return Questions(api_info=[api_info(request, services)], tfa_question=[asked])


@router.post("/tokentfa/{value}", response_class=Response, responses=answers(contract.JWT))
def enter(request: Request, services: Services, value: Value, given: GivenAnswers) -> Response:
    """Let a program in that answers right: it gets a JWT of ten minutes. Counted and on record as a browser's tries."""
    told = next((one.answer for one in given.tfa_answer if str(one.question_id) == QUESTION), "")
    try:
        here = attempt_of(request, services, value)
        visit = let_in(request, services, replace(here, answer=told))
    except TooManyAttempts as error:
        return busy(error)
    ticket = ticket_for(services.link_keys, visit.secret, services.clock.now())
    return Response(ticket, media_type=contract.JWT)


def busy(error: TooManyAttempts) -> Response:
    """Return in how many seconds a program may come again."""
    seconds = max(1, round(float(str(error.facts.get("retry_after_s", 60)))))
    headers = {"Retry-After": str(seconds)}
    return JSONResponse({"timeOutInSeconds": seconds}, contract.BUSY, headers=headers)


def let_in(request: Request, services: WebServices, attempt: access.LinkTry) -> Visit:
    """Return the visit that a right answer opens, which is on record by then.

    Raises `AnswersWrong` for whatever else (`left`: so many tries are left of a link that is there); `LinkEnded` and
    `LinkLooksOnly` to who answered right.
    """
    try:
        judged = _judged(request, services, attempt)
    except TooManyAttempts as error:
        note_refusal(request, services, attempt, None, error.code)
        raise
    if isinstance(judged, Visit):
        return judged
    if judged.why in ("ended", "looking"):
        refused = LinkEnded() if judged.why == "ended" else LinkLooksOnly()
        note_refusal(request, services, attempt, judged, refused.code)
        raise refused
    if judged.why == "wanting":
        raise AnswersWrong(left=judged.left)
    refusal(request, services, attempt, judged)  # which notes it
    if judged.why in ("wrong", "closed") and attempt.health:
        raise AnswersWrong(left=0 if judged.closed else judged.left)
    raise AnswersWrong


def _judged(request: Request, services: WebServices, attempt: access.LinkTry) -> Visit | Refused:
    """Judge a try and record it, in one transaction; once more where another one of its address was first just now."""
    for last in (False, True):
        try:
            with services.database.write() as session:
                now, keys, door = services.clock.now(), services.link_keys, _door(services, dated=not attempt.health)
                judged = access.open_by_program(session, keys, attempt, now, door)
                record_try(session, request, services, judged, attempt, "health-link" if attempt.health else "dlx")
            return judged
        except IntegrityError:  # PostgreSQL, where two may begin the same counter
            if last:
                raise
    raise AssertionError("unreachable")


def _door(services: WebServices, *, dated: bool) -> Door:
    def hands_out(session: Session, principal: Principal) -> bool:
        reach = Reach.of(services, session, principal, Right.DOWNLOAD)
        return reach.scope.identity == "clear" and bool(reach.newest_studies((), 1))

    return Door(reaches_of(services), hands_out, _dates if dated else None)


def _dates(session: Session, organisation_id: uuid.UUID, targets: tuple[Target, ...]) -> set[str]:
    of_series = sa.select(Series.study_id).where(Series.id.in_([one.id for one in targets if one.kind == "series"]))
    named = sa.or_(Study.id.in_([one.id for one in targets if one.kind == "study"]), Study.id.in_(of_series))
    mine = sa.and_(Study.organisation_id == organisation_id, Study.study_date.is_not(None))
    return {one.isoformat() for one in session.scalars(sa.select(Study.study_date).where(mine, named)) if one}

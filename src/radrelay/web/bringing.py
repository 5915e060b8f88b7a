"""How an import stands that a patient has brought, as they are told it: nothing of findings, nor of anybody here."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Literal, cast

import sqlalchemy as sa
from fastapi import Request
from pydantic import BaseModel
from sqlalchemy.orm import Session

from radrelay.identity import organisations
from radrelay.importer import hosts
from radrelay.importer.cases import ASKING, FAILED, FETCHING, FILED, OVER, RECEIVING
from radrelay.importer.models import ImportCase, ImportConsent
from radrelay.privacy import erasure, texts
from radrelay.privacy.contacts import contacts_of
from radrelay.privacy.erasure import ErasedStudy, Proof
from radrelay.privacy.notice import facts_of, names_nobody
from radrelay.web.connection import own_address
from radrelay.web.import_shapes import QuestionShown
from radrelay.web.services import WebServices

Step = Literal[
    "fetching", "asking", "host", "refused", "wrong", "link-ended", "spent", "trouble", "by-hand", "arrived", "filed",
    "withdrawn", "withdrawn-filed", "over",
]  # fmt: skip
Lacking = Literal["organisation", "controller", "notice", "text", "unnamed"]
Decision = Literal["", "deleted", "kept", "ended"]
_FAILED: dict[str, Step] = {
    "portal-not-allowed": "host",
    "portal-answer-wrong": "wrong",
    "portal-answer-unusable": "wrong",
    "portal-link-expired": "link-ended",
    "portal-attempts-spent": "spent",
    "portal-locked": "spent",
}
BIRTH_DATE = "birth-date"
MOST_GIVEN = 500
"""So many consents are listed."""


class Erased(BaseModel):
    """What a withdrawal has erased: files and bytes; `destroyed_at`: when the last key was found destroyed."""

    at: datetime
    files: int
    bytes: int
    destroyed_at: datetime | None


class BroughtShown(BaseModel):
    """How it stands with what a patient has brought.

    `left` is how many more answers are sent, none where nobody has counted; `pictures` how many pictures have come.
    `packs_since`: since then the portal is waited for, which packs or is busy; `next_try_at`: when it is asked again by
    itself. `decision`: what became of what had been filed before a withdrawal.
    """

    organisation: str
    organisation_id: uuid.UUID
    step: Step
    host: str
    code: str
    left: int | None
    questions: list[QuestionShown]
    bytes_received: int
    bytes_expected: int | None
    packs_since: datetime | None
    next_try_at: datetime | None
    pictures: int
    begun_at: datetime
    changed_at: datetime
    ends_at: datetime | None
    text_version: int
    withdrawn_at: datetime | None
    erased: Erased | None
    decision: Decision


class GivenByPatient(BaseModel):
    """A consent that was given on the patients' page, as the data protection officer is told: it names nobody.

    `kept`: something of the import is here still. `erased` is what the withdrawal has erased, `decision` what staff did
    with what had been filed by then.
    """

    id: uuid.UUID
    text_version: int
    text_sha256: str
    language: str
    given_at: datetime
    withdrawn_at: datetime | None
    kept: bool
    erased: Erased | None
    decision: Decision
    decided_by: str
    decided_at: datetime | None
    decided_why: str


def given_by_patients(services: WebServices, session: Session, organisation_id: uuid.UUID) -> list[GivenByPatient]:
    """Return the newest consents that were given on an organisation's page, those that are withdrawn among them."""
    kept = sa.exists().where(ImportCase.id == ImportConsent.case_id, ImportCase.state != OVER)
    asked = sa.select(ImportConsent, kept).where(ImportConsent.organisation_id == organisation_id)
    newest = asked.order_by(ImportConsent.given_at.desc(), ImportConsent.id).limit(MOST_GIVEN)
    plain = [name for name in GivenByPatient.model_fields if name not in ("kept", "erased")]
    return [
        GivenByPatient(
            **{name: getattr(one, name) for name in plain}, kept=is_kept, erased=erased_of(services, session, one)
        )
        for one, is_kept in session.execute(newest)
    ]  # fmt: skip


def page_address(services: WebServices, request: Request, door: str = "", number: str = "") -> str:
    """Return the address of the page; a number is a fragment, which browsers send to nobody."""
    web = services.settings.web
    base = (web.address or own_address(request.scope, web.behind_proxy)).rstrip("/")
    return f"{base}/bring" + (f"/{door}" if door else "") + (f"#{number}" if number else "")


def lacking_of(services: WebServices, session: Session, organisation_id: uuid.UUID) -> list[Lacking]:
    """Return what an organisation's page lacks before it may be open: nobody agrees to what is told by nobody."""
    text, notice = (texts.current(session, organisation_id, kind) for kind in ("consent", "notice"))
    facts = facts_of(session, organisation_id, services.settings.statistics)
    found: dict[Lacking, bool] = {
        "organisation": organisations.name_of(session, organisation_id) in ("", organisations.UNNAMED),
        "controller": not contacts_of(session, organisation_id).controller.strip(),
        "notice": notice is None,
        "text": text is None,
    }
    if text is not None:
        said = ((text.english, facts["en"]["controller"]), (text.german, facts["de"]["controller"]))
        found["unnamed"] = any(names_nobody(one) or controller not in one for one, controller in said)
    return [what for what, lacks in found.items() if lacks]


def told(services: WebServices, session: Session, consent: ImportConsent) -> BroughtShown:
    """Return how an import stands, for who has its number."""
    row = session.get(ImportCase, consent.case_id, populate_existing=True)
    step = _step(session, consent, row)
    by_portal = row is not None and row.state == FAILED and row.resumes == FETCHING
    facts = json.loads(row.error_facts) if row is not None and by_portal else {}
    left = facts.get("left")
    shown = row if row is not None and step not in ("withdrawn", "withdrawn-filed", "over") else None
    fetched = row if row is not None and step == "fetching" else None
    tries = json.loads(fetched.error_facts).get("next_attempt_at") if fetched and fetched.error_code else None
    return BroughtShown(
        organisation=organisations.name_of(session, consent.organisation_id), organisation_id=consent.organisation_id,
        step=step, host=shown.host if shown else "", code=row.error_code if row is not None and by_portal else "",
        left=left if isinstance(left, int) else None, questions=_questions(shown) if shown else [],
        bytes_received=shown.bytes_received if shown else 0, bytes_expected=shown.bytes_expected if shown else None,
        packs_since=fetched.packs_since if fetched else None, next_try_at=tries,
        pictures=shown.objects if shown else 0, begun_at=consent.given_at,
        changed_at=row.changed_at if row is not None else consent.given_at, ends_at=shown.ends_at if shown else None,
        text_version=consent.text_version, withdrawn_at=consent.withdrawn_at,
        erased=erased_of(services, session, consent), decision=cast("Decision", consent.decision),
    )  # fmt: skip


def _step(session: Session, consent: ImportConsent, row: ImportCase | None) -> Step:
    if consent.withdrawn_at is not None:
        return "withdrawn" if row is None or row.state == OVER else "withdrawn-filed"
    if row is None or row.state == OVER:
        return "over"
    if row.state in (FETCHING, ASKING):
        return "fetching" if row.state == FETCHING else "asking"
    if row.state == RECEIVING:
        return "by-hand"
    if row.state == FAILED and row.resumes == FETCHING:
        step, facts = _FAILED.get(row.error_code, "trouble"), json.loads(row.error_facts)
        if step == "wrong" and facts.get("left") == 0:
            step = "spent"  # no answer is sent any more: none is asked for
        host = str(facts.get("host") or row.host)
        return "refused" if step == "host" and hosts.is_refused(session, row.organisation_id, host) else step
    return "filed" if row.state == FILED else "arrived"


def _questions(row: ImportCase) -> list[QuestionShown]:
    """Return what the portal asks besides the birth date, which everybody enters at the beginning."""
    asked = [QuestionShown(**one) for one in json.loads(row.questions or "[]")]
    return [one for one in asked if one.kind != BIRTH_DATE]


def erased_of(services: WebServices, session: Session, consent: ImportConsent) -> Erased | None:
    """Return the proof of what a withdrawal has erased."""
    if not consent.proof:
        return None
    proof = json.loads(consent.proof)
    at = datetime.fromisoformat(proof["at"])
    keys = tuple(uuid.UUID(one) for one in proof["keys"])
    one = ErasedStudy(consent.case_id, "", proof["files"], proof["bytes"], keys)
    looked_for = Proof(at, "", (one,), 0, (), record_erased=False)
    gone = erasure.carried_out(session, services.house.keys, looked_for)
    return Erased(at=at, files=proof["files"], bytes=proof["bytes"], destroyed_at=gone)

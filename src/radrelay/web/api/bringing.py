"""The page on which patients enter link and birth date before a visit, without an account, and by a number come back.

Numbers come in bodies alone, never in an address. Who has none is told the same whatever is here: a page that is
switched off is like one that never was, and so is a number. Nothing of this house's patients stands in any answer.
A patient who tells staff withdraws by them, with the same proof.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.archive.locking import lock_archive
from radrelay.identity import organisations
from radrelay.identity.throttle import Limit, address_key
from radrelay.identity.throttle import begin as count_try
from radrelay.importer import brought, patient_page
from radrelay.importer.beginning import Asked
from radrelay.importer.brought import Agreed
from radrelay.importer.import_errors import ImportUnknown, NumberUnknown, PageClosed, PageUnnamed, TextLacking
from radrelay.importer.models import ImportConsent
from radrelay.importer.patient_page import BY_PATIENT
from radrelay.privacy import texts
from radrelay.privacy.notice import Language
from radrelay.privacy.texts import NotTheText
from radrelay.web import trail
from radrelay.web.api.links import qr_code
from radrelay.web.api.privacy_texts import AcceptedOne, PublicVersion
from radrelay.web.authentication import Administrator, Authenticated, Services, require_same_origin
from radrelay.web.bringing import BroughtShown, Erased, Lacking, erased_of, lacking_of, page_address, told
from radrelay.web.connection import peer_address
from radrelay.web.importing import reached_case
from radrelay.web.services import WebServices

router = APIRouter(prefix="/bringing", tags=["bringing"])
NAME = "Patient"
BEGINNING = Limit(free=10, cap_s=3600, forget_s=3600, first_s=60)
"""Of an address: a family, or a waiting room, enters several links in an hour; nobody fills the list alone."""
GUESSING = Limit(free=20, cap_s=300, forget_s=3600)
Door = Annotated[str, Field(max_length=40)]
Number = Annotated[str, Field(min_length=1, max_length=200)]


class PageOffer(BaseModel):
    """Whose page it is, and what one agrees to."""

    organisation: str
    organisation_id: uuid.UUID
    text: PublicVersion


class Bringing(BaseModel):
    """What a patient enters: what stands on their paper, their birth date, and what they agree to."""

    model_config = ConfigDict(extra="forbid")

    door: Door = ""
    link: str = Field(min_length=1, max_length=20_000)
    birth_date: date
    text: AcceptedOne
    language: Language
    agreed: Literal[True]


class Begun(BaseModel):
    """The patient's number, told this once, what leads back with it, that as a QR code (SVG), and how it stands."""

    number: str
    address: str
    qr: str
    brought: BroughtShown


class Shown(BaseModel):
    """A patient's number."""

    model_config = ConfigDict(extra="forbid")

    number: Number


class Told(Shown):
    """Answers to what the portal asks, by its questions' ids, and the birth date, where that was wrong."""

    answers: dict[str, Annotated[str, Field(max_length=500)]] = Field(default_factory=dict, max_length=20)
    birth_date: date | None = None


class Withdrawn(BaseModel):
    """Whether a patient withdrew, and what that has erased, as they are told it; `erased` is none while it waits."""

    withdrawn_at: datetime | None
    erased: Erased | None


class PageShown(BaseModel):
    """An organisation's page: whether it is open, its address, that as a QR code (SVG), and the text agreed to there.

    Before it is switched on for the first time it has no address. `address_told`: the settings say under which address
    this installation is reached (`web.address`); else it is the one that the caller used. `lacking` is what has to be
    there before it may be open.
    """

    is_open: bool
    address: str
    qr: str
    text_version: int | None
    address_told: bool
    lacking: list[Lacking]


class PageWanted(BaseModel):
    """Whether the page is open."""

    model_config = ConfigDict(extra="forbid")

    is_open: bool


@router.get("")
def offer(services: Services, door: str = "") -> PageOffer:
    """Say whose page this is, and what one agrees to; 404 where there is none."""
    with services.database.read() as session:
        organisation_id = patient_page.opened_by(session, door[:40], services.organisation_id)
        return PageOffer(
            organisation=organisations.name_of(session, organisation_id), organisation_id=organisation_id,
            text=PublicVersion.model_validate(_text(session, organisation_id)),
        )  # fmt: skip


@router.post("", status_code=201)
def begin(request: Request, services: Services, wanted: Bringing) -> Begun:
    """Begin to fetch what a patient's link leads to. Hosts that nobody has confirmed are asked for nothing before."""
    require_same_origin(request)
    now, settings = services.clock.now(), services.settings
    peer = peer_address(request.scope, settings.web.behind_proxy)
    with services.database.write() as session:
        organisation_id = patient_page.opened_by(session, wanted.door, services.organisation_id)
        count_try(session, [(f"bringing:{address_key(peer)}", BEGINNING)], now)
        text = _text(session, organisation_id)
        if (text.id, text.sha256) != (wanted.text.id, wanted.text.sha256.lower()) or text.id is None:
            raise NotTheText
        patient_page.require_room(session, organisation_id, settings.importer.most_by_patients)
        source = patient_page.source_of(session, organisation_id, settings, now)
        asked = Asked(BY_PATIENT, NAME, None, "consent", wanted.birth_date)
        agreed = Agreed(text.id, text.version, text.sha256, wanted.language)
        link = services.recipes.link_in(wanted.link)
        row, number = brought.begin(session, source, services.link_seal, asked, link, agreed, now)
        consent = brought.found_by(session, number)
        detail = {
            "source": source.id, "host": row.host or None, "link": row.fingerprint, "basis": row.basis,
            "version": text.version, "sha256": text.sha256, "language": wanted.language,
        }  # fmt: skip
        _write(session, request, consent, peer, "import.bring", detail)
        shown = told(services, session, consent)
    address = page_address(services, request, number=number)
    return Begun(number=number, address=address, qr=qr_code(address), brought=shown)


@router.post("/look")
def look(request: Request, services: Services, shown: Shown) -> BroughtShown:
    """Say how it stands with what was brought under a number."""
    require_same_origin(request)
    with services.database.read() as session:
        try:
            return told(services, session, brought.found_by(session, shown.number))
        except NumberUnknown:
            pass
    _count_guess(request, services)
    raise NumberUnknown


@router.post("/answers", status_code=202)
def answer(request: Request, services: Services, given: Told) -> BroughtShown:
    """Answer what the portal asks, or enter the birth date anew, and go on; wrong answers are counted for each link."""

    def act(session: Session, consent: ImportConsent, peer: str) -> None:
        row = brought.answer(
            session, consent, services.link_seal, given.answers, given.birth_date, services.clock.now()
        )
        _write(session, request, consent, peer, "import.answer", {"host": row.host or None})

    return _acted(request, services, given.number, act)


@router.post("/withdrawal")
def withdraw(request: Request, services: Services, shown: Shown) -> BroughtShown:
    """Withdraw: all that is kept for this alone is erased at once. Twice is no error."""

    def act(session: Session, consent: ImportConsent, peer: str) -> None:
        if brought.withdraw(session, consent, services.clock.now()):
            _write(session, request, consent, peer, "import.consent-withdraw", {"version": consent.text_version})

    return _acted(request, services, shown.number, act, archive=True)


@router.get("/imports/{case_id}")
def show_proof(services: Services, principal: Authenticated, case_id: uuid.UUID) -> Withdrawn:
    """Tell staff of an import that a patient has brought whether they withdrew, and what that has erased."""
    with services.database.read() as session:
        return _withdrawn(services, session, _consent(services, session, principal, case_id))


@router.post("/imports/{case_id}/withdrawal")
def withdraw_told(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> Withdrawn:
    """Withdraw for a patient who has told staff so, as they do by their number. Twice is no error."""
    with services.database.write() as session:
        lock_archive(session)
        found = _consent(services, session, principal, case_id)
        consent = session.get_one(ImportConsent, found.id, with_for_update=True, populate_existing=True)
        if brought.withdraw(session, consent, services.clock.now()):
            detail = {"version": consent.text_version}
            made = trail.event(request, principal, "import.consent-withdraw", ("import", case_id), detail=detail)
            trail.write(session, made)
        session.flush()
        return _withdrawn(services, session, consent)


@router.get("/page")
def show_page(request: Request, services: Services, principal: Administrator) -> PageShown:
    """Show one's own organisation's page for patients."""
    with services.database.read() as session:
        return _page(request, services, session, principal.organisation_id)


@router.put("/page")
def switch_page(request: Request, services: Services, principal: Administrator, wanted: PageWanted) -> PageShown:
    """Switch the page on or off.

    409 `bringing-text-lacking` before the text is published that patients agree to, `bringing-unnamed` before that, and
    a published privacy notice, name who is responsible.
    """
    with services.database.write() as session:
        if wanted.is_open and texts.current(session, principal.organisation_id, "consent") is None:
            raise TextLacking
        if wanted.is_open and lacking_of(services, session, principal.organisation_id):
            raise PageUnnamed
        patient_page.switch(
            session, principal.organisation_id, is_open=wanted.is_open, by=principal.name, now=services.clock.now()
        )
        subject, detail = ("organisation", principal.organisation_id), {"enabled": wanted.is_open}
        trail.write(session, trail.event(request, principal, "portal.page", subject, detail=detail))
        return _page(request, services, session, principal.organisation_id)


def _consent(services: WebServices, session: Session, principal: Principal, case_id: uuid.UUID) -> ImportConsent:
    """Return the consent to an import that staff may steer; raises `ImportUnknown`, where no patient brought it too."""
    consent = brought.consent_of(session, reached_case(services, session, principal, case_id).id)
    if consent is None:
        raise ImportUnknown
    return consent


def _withdrawn(services: WebServices, session: Session, consent: ImportConsent) -> Withdrawn:
    return Withdrawn(withdrawn_at=consent.withdrawn_at, erased=erased_of(services, session, consent))


def _page(request: Request, services: WebServices, session: Session, organisation_id: uuid.UUID) -> PageShown:
    row, text = patient_page.page_of(session, organisation_id), texts.current(session, organisation_id, "consent")
    door = row.door if row is not None and organisation_id != services.organisation_id else ""
    address = page_address(services, request, door) if row is not None else ""
    return PageShown(
        is_open=row is not None and row.is_open, address=address, qr=qr_code(address) if address else "",
        text_version=text.version if text is not None else None, address_told=bool(services.settings.web.address),
        lacking=lacking_of(services, session, organisation_id),
    )  # fmt: skip


def _text(session: Session, organisation_id: uuid.UUID) -> texts.TextView:
    text = texts.current(session, organisation_id, "consent")
    if text is None:
        raise PageClosed
    return text


def _acted(
    request: Request, services: WebServices, number: str, act: Callable[[Session, ImportConsent, str], None], *,
    archive: bool = False,
) -> BroughtShown:  # fmt: skip
    """Do something under a number; who guesses one must wait."""
    require_same_origin(request)
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    try:
        with services.database.write() as session:
            if archive:
                lock_archive(session)
            consent = brought.found_by(session, number, lock=True)
            act(session, consent, peer)
            session.flush()
            return told(services, session, consent)
    except NumberUnknown:
        _count_guess(request, services)
        raise


def _count_guess(request: Request, services: WebServices) -> None:
    """Count a number that leads nowhere; raises `TooManyAttempts`."""
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    with services.database.write() as session:
        count_try(session, [(f"bringing-number:{address_key(peer)}", GUESSING)], services.clock.now())


def _write(
    session: Session, request: Request, consent: ImportConsent, peer: str, action: str, detail: Mapping[str, object]
) -> None:
    who = Principal("patient", str(consent.case_id), NAME, consent.organisation_id, peer=peer)
    trail.write(session, trail.event(request, who, action, ("import", consent.case_id), detail=detail))

"""What is done for a request besides export and erasure: processing restricted and released again, requests passed on.

All of it is the data protection officer's alone: a restriction hides studies from everybody, administrators included.
"""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Bar, Principal
from radrelay.errors import NotFound
from radrelay.intake.sources import list_sources
from radrelay.privacy import correcting, passing, requests, restricting
from radrelay.privacy.contacts import contacts_of
from radrelay.privacy.correcting import Correcting
from radrelay.privacy.holdings_of import Held, held
from radrelay.privacy.notice import Language
from radrelay.privacy.requests import RequestView
from radrelay.privacy.restricting import Restricting
from radrelay.web import trail
from radrelay.web.api.privacy_requests import note, shown
from radrelay.web.authentication import Officer, Services
from radrelay.web.measure_shapes import (
    Bars,
    BarShown,
    Clinics,
    ClinicShown,
    ClinicWanted,
    CorrectionShown,
    CorrectionWanted,
    LetterShown,
    Lifting,
    PassingWanted,
    RestrictionWanted,
)
from radrelay.web.request_paper import read_name
from radrelay.web.request_shapes import RequestShown

router = APIRouter(prefix="/privacy", tags=["privacy"])


@router.get("/restrictions")
def list_restrictions(request: Request, services: Services, principal: Officer) -> Bars:
    """List of whom processing is restricted."""
    trail.seen(services.database, principal, trail.event(request, principal, "request.list", ("restriction", "")))
    with services.database.read() as session:
        return _bars(access.bars(session, principal.organisation_id))


@router.post("/requests/{request_id}/restriction", status_code=201)
def restrict(
    request: Request, services: Services, principal: Officer, request_id: uuid.UUID, wanted: RestrictionWanted
) -> Bars:
    """Restrict processing: the patient's studies stay, and nobody sees, finds, sends, shares or deletes them.

    That counts at once, for what arrives later too, and until it is lifted; expiry waits. The requester must have been
    verified. 409 `several-people` where the ID is of several, unless `person` is a study of the one who is meant.
    """
    organisation_id = principal.organisation_id
    with services.database.write() as session:
        one = requests.request_of(session, organisation_id, request_id)
        asked = Restricting(wanted.ground, wanted.reason, wanted.review_on, wanted.person)
        made = restricting.restrict(
            session, organisation_id, one, asked, revision=wanted.revision, by=principal.name,
            now=services.clock.now(),
        )  # fmt: skip
        detail = {"ground": wanted.ground, "studies": sum(each.studies for each in made), "kind": one.kind}
        note(session, request, principal, "request.restrict", one, detail)
    return _bars(made)


@router.post("/requests/{request_id}/correction")
def correct(
    request: Request, services: Services, principal: Officer, request_id: uuid.UUID, wanted: CorrectionWanted
) -> CorrectionShown:
    """Tell what a correction changes, or carry it out.

    What is shown and found says the new values at once. Objects are written anew within minutes, with what they said
    before in an Original Attributes Sequence (PS3.3 C.12.1.1.9); what was received is kept beside. The requester must
    have been verified, and the request be one for correction.
    """
    values = wanted.values.model_dump(exclude_none=True)
    asked = Correcting(tuple(wanted.studies), values, wanted.reason, wanted.carry_out)
    with services.database.write() as session:
        one = requests.request_of(session, principal.organisation_id, request_id)
        made = correcting.correct(
            session, principal.organisation_id, one, asked, revision=wanted.revision, by=principal.name,
            now=services.clock.now(),
        )  # fmt: skip
        if not wanted.carry_out:
            note(session, request, principal, "request.find", one, {"kind": one.kind})
        for change in made.studies if wanted.carry_out else ():
            detail = {"fields": ",".join(sorted(change.after)), "reason": wanted.reason, "request": str(one.id)}
            patient = (one.subject.issuer, one.subject.patient_id, "")
            event = trail.event(
                request, principal, "study.correct", ("study", change.id), detail=detail, patient=patient
            )
            trail.write(session, event)
    return CorrectionShown.model_validate(made)


@router.post("/restrictions/{restriction_id}/lifting")
def lift(
    request: Request, services: Services, principal: Officer, restriction_id: uuid.UUID, wanted: Lifting
) -> BarShown:
    """Lift a restriction of processing: grants count again, and what is over goes; the person was told before."""
    with services.database.write() as session:
        gone = restricting.lift(session, principal.organisation_id, restriction_id, wanted.reason, wanted.told_how)
        patient: trail.Patient | None = (gone.issuer, gone.value, "") if gone.kind == "patient" else None
        detail = {"ground": gone.ground, "studies": gone.studies, "reason": wanted.reason, "told": wanted.told_how}
        event = trail.event(
            request, principal, "request.lift", ("restriction", gone.id), detail=detail, patient=patient
        )  # fmt: skip
        trail.write(session, event)
    return BarShown.model_validate(gone)


@router.get("/clinics")
def list_clinics(services: Services, principal: Officer) -> Clinics:
    """List the sources, with the clinic whose patients each brings, where it is not the organisation itself."""
    with services.database.read() as session:
        known = passing.clinics(session, principal.organisation_id)
        sources = list_sources(session, principal.organisation_id)
    told = []
    for source in sources:
        one = known.get(source.id)
        words = (one.name, one.contact, one.address) if one is not None else ("", "", "")
        told.append(
            ClinicShown(source_id=source.id, source=source.name, name=words[0], contact=words[1], address=words[2])
        )
    return Clinics(clinics=told)


@router.put("/clinics/{source_id}")
def set_clinic(
    request: Request, services: Services, principal: Officer, source_id: uuid.UUID, wanted: ClinicWanted
) -> Clinics:
    """Say whose patients a source brings."""
    with services.database.write() as session:
        passing.set_clinic(
            session, principal.organisation_id, source_id, wanted.name, wanted.contact, wanted.address,
            services.clock.now(),
        )  # fmt: skip
        detail = {"name": wanted.name}
        trail.write(session, trail.event(request, principal, "privacy.clinic", ("source", source_id), detail=detail))
    return list_clinics(services, principal)


@router.get("/requests/{request_id}/letter")
def letter(
    request: Request, services: Services, principal: Officer, request_id: uuid.UUID, language: Language = "en"
) -> LetterShown:
    """Return the words of the letter by which a request is passed on to the clinic that decides."""
    with services.database.write() as session:
        one, found = _found(session, principal, request_id)
        note(session, request, principal, "request.find", one, {"kind": one.kind})
        name = read_name(found.studies[0].name) if found.people == 1 else ""
        house = contacts_of(session, principal.organisation_id)
    subject, text = passing.letter(one, name, house, language)
    return LetterShown(subject=subject, text=text)


@router.post("/requests/{request_id}/passing")
def pass_on(
    request: Request, services: Services, principal: Officer, request_id: uuid.UUID, wanted: PassingWanted
) -> RequestShown:
    """Note that a request was passed on to the clinic that decides.

    Where nothing that is held is the organisation's own to decide, the clock stops with the last clinic.
    """
    now, organisation_id = services.clock.now(), principal.organisation_id
    with services.database.write() as session:
        one, found = _found(session, principal, request_id)
        clinic = passing.clinics(session, organisation_id).get(wanted.source_id)
        if clinic is None:
            raise NotFound("this source brings no clinic's patients")
        passing.pass_on(session, organisation_id, one.id, clinic, wanted.how, by=principal.name, now=now)
        passed = passing.passings(session, organisation_id, one.id)
        told = ", ".join(dict.fromkeys(each.clinic for each in passed))
        made = requests.note_passed(
            session, organisation_id, one.id, revision=wanted.revision,
            wholly=told if _wholly(found, {each.source_id for each in passed}) else "", now=now,
        )  # fmt: skip
        detail = {"clinic": clinic.name, "state": made.state, "kind": made.kind}
        note(session, request, principal, "request.pass", made, detail)
    return shown(made, now, passed)


def _found(session: Session, principal: Principal, request_id: uuid.UUID) -> tuple[RequestView, Held]:
    """Return a request and all that is held of its patient; raises `RequestInvalid` for one about an account."""
    one = requests.request_of(session, principal.organisation_id, request_id)
    if one.subject.kind != "patient":
        raise requests.RequestInvalid("only requests about patients are passed on", field="subject")
    return one, held(session, principal.organisation_id, one.subject)


def _wholly(found: Held, passed: set[uuid.UUID]) -> bool:
    """Say whether something is held, and all of it for clinics that know by now."""
    kept = not any(study.own for study in found.studies) and not found.aside
    return bool(found.studies) and kept and found.clinic_sources <= passed


def _bars(found: list[Bar]) -> Bars:
    return Bars(restrictions=[BarShown.model_validate(one) for one in found])

"""Requests of data subjects: the officer's register, what is held of a person, an export, an erasure with its proof.

Administrators read it, too, for the export: the images in it are those that who makes it may download, by the one rule.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from msgspec.structs import replace
from sqlalchemy.orm import Session

from radrelay import audit, hl7
from radrelay.access import Principal
from radrelay.archive.locking import lock_archive
from radrelay.privacy import erasure, requests
from radrelay.privacy.erasure import Proof
from radrelay.privacy.holdings_of import HeldStudy, held
from radrelay.privacy.passing import Passing, all_passings, passings
from radrelay.privacy.people_on_record import on_record
from radrelay.privacy.reminders import officers
from radrelay.privacy.requests import (
    RequestChange,
    RequestDraft,
    RequestView,
    Subject,
)
from radrelay.routing.performed import forget_steps
from radrelay.web import trail
from radrelay.web.authentication import Auditor, Officer, Services
from radrelay.web.request_data import data_of
from radrelay.web.request_shapes import (
    Data,
    ErasureWanted,
    PassingShown,
    ProofShown,
    RequestChanged,
    Requests,
    RequestShown,
    RequestWanted,
)
from radrelay.web.services import WebServices

router = APIRouter(prefix="/privacy/requests", tags=["privacy"])


def shown(one: RequestView, now: datetime, passed: Sequence[Passing] = ()) -> RequestShown:
    """Return a request as it is told, with to whom it was passed on."""
    named = {
        name: getattr(one, name)
        for name in RequestShown.model_fields
        if name not in ("subject", "patient_issuer", "patient_id", "account_id", "clock", "proof", "passed")
    }
    proof = erasure.decoded(one.proof)
    return RequestShown(
        **named, subject=one.subject.kind, patient_issuer=one.subject.issuer, patient_id=one.subject.patient_id,
        account_id=one.subject.account_id, clock=one.clock(now),
        passed=[PassingShown.model_validate(each) for each in passed],
        proof=None if proof is None else ProofShown.model_validate(proof),
    )  # fmt: skip


def _patient(one: RequestView) -> trail.Patient | None:
    return (one.subject.issuer, one.subject.patient_id, "") if one.subject.kind == "patient" else None


@router.get("")
def list_requests(request: Request, services: Services, principal: Auditor) -> Requests:
    """List the register, and look whether erasures are proven by now."""
    trail.seen(services.database, principal, trail.event(request, principal, "request.list"))
    now = services.clock.now()
    with services.database.read() as session:
        known = requests.requests(session, principal.organisation_id)
        passed = all_passings(session, principal.organisation_id)
        reminded = services.password_links.post.is_set and bool(officers(session, principal.organisation_id))
    told = [shown(_looked_after(services, principal, one), now, passed.get(one.id, ())) for one in known]
    return Requests(requests=told, reminded=reminded)


def _looked_after(services: WebServices, principal: Principal, one: RequestView) -> RequestView:
    """Return a request, its proof completed if the last key was destroyed meanwhile."""
    proof = erasure.decoded(one.proof)
    if proof is None or proof.destroyed_at is not None:
        return one
    with services.database.read() as session:
        destroyed_at = erasure.carried_out(session, services.house.keys, proof)
    if destroyed_at is None:
        return one
    complete = replace(proof, destroyed_at=destroyed_at)
    with services.database.write() as session:
        return requests.keep_proof(session, principal.organisation_id, one.id, erasure.encoded(complete))


@router.post("", status_code=201)
def enter_request(request: Request, services: Services, principal: Officer, wanted: RequestWanted) -> RequestShown:
    """Enter a request; it is due in 30 days."""
    now = services.clock.now()
    subject = Subject(wanted.subject, wanted.patient_issuer, wanted.patient_id, wanted.account_id)
    draft = RequestDraft(
        wanted.kind, subject, wanted.requester, wanted.contact, wanted.note, wanted.received_at or now
    )  # fmt: skip
    with services.database.write() as session:
        made = requests.enter(session, principal.organisation_id, draft, by=principal.name, now=now)
        note(session, request, principal, "request.enter", made, {"kind": made.kind})
    return shown(made, now)


@router.put("/{request_id}")
def change_request(
    request: Request, services: Services, principal: Officer, request_id: uuid.UUID, wanted: RequestChanged
) -> RequestShown:
    """Write what is known by now: how the requester was verified, why it takes longer, what was answered."""
    now = services.clock.now()
    change = RequestChange(
        wanted.contact, wanted.note, wanted.extended_why, wanted.verified_how, wanted.state, wanted.answer,
        wanted.told_how, wanted.stops,
    )  # fmt: skip
    with services.database.write() as session:
        made = requests.change(
            session, principal.organisation_id, request_id, change, revision=wanted.revision, by=principal.name,
            now=now,
        )  # fmt: skip
        detail = {"kind": made.kind, "state": made.state, "verified": made.verified_at is not None}
        note(session, request, principal, "request.change", made, detail)
        passed = passings(session, principal.organisation_id, made.id)
    return shown(made, now, passed)


def note(
    session: Session, request: Request, principal: Principal, action: str, one: RequestView, detail: dict[str, Any]
) -> None:
    """Write what was done with a request, and whose it is."""
    event = trail.event(request, principal, action, ("request", one.id), detail=detail, patient=_patient(one))
    trail.write(session, event)


@router.get("/{request_id}/data")
def held_data(request: Request, services: Services, principal: Auditor, request_id: uuid.UUID) -> Data:
    """Find what is held of the person that a request is about; studies of several people are told apart."""
    with services.database.write() as session:
        one = requests.request_of(session, principal.organisation_id, request_id)
        note(session, request, principal, "request.find", one, {"kind": one.kind})
    return data_of(services, principal, one, lambda found: found).shown


@router.post("/{request_id}/erasure")
def erase(
    request: Request, services: Services, principal: Officer, request_id: uuid.UUID, wanted: ErasureWanted
) -> RequestShown:
    """Erase what is held of the patient, but for what a hold keeps, and return the proof; nothing brings it back.

    The requester must have been verified, and the request be one for erasure. Keys are destroyed within a minute;
    `proof.destroyed_at` says when that was found. 409 `several-people` where the ID is of several, unless `person` is a
    study of the one who is meant; `record-of-several` where the record, which is to be erased too, tells of several.
    """
    now = services.clock.now()
    with services.database.write() as session:
        one = requests.request_of(session, principal.organisation_id, request_id)
        one.require_verified()
        if one.revision != wanted.revision:
            raise requests.RequestChanged
        if one.kind != "erasure" or one.subject.kind != "patient":
            raise requests.RequestInvalid("only a request to erase a patient's data is carried out here", field="kind")
        proof = _erased(request, services, principal, session, one, wanted)
        note(session, request, principal, "request.erase", one, _told(proof))
        if wanted.record:
            subject = one.subject
            gone = audit.erase_patient(
                session, services.metadata_key, principal.organisation_id, subject.issuer, subject.patient_id
            )  # fmt: skip
            proof = replace(proof, record_erased=gone)
        kept = requests.keep_proof(session, principal.organisation_id, one.id, erasure.encoded(proof))
        passed = passings(session, principal.organisation_id, one.id)
    return shown(kept, now, passed)


def _erased(
    request: Request, services: WebServices, principal: Principal, session: Session, one: RequestView,
    wanted: ErasureWanted,
) -> Proof:  # fmt: skip
    """Erase in the caller's transaction; what an earlier erasure of this request proved stays in the proof."""

    def deletion_of(study: HeldStudy) -> audit.AuditRecord:
        patient = (one.subject.issuer, one.subject.patient_id, study.name)
        detail = {"reason": "erasure", "request": str(one.id)}
        return trail.event(request, principal, "study.delete", ("study", study.id), detail=detail, patient=patient)

    lock_archive(session)  # no hold is set between the look and the deletion
    found = held(session, principal.organisation_id, one.subject)
    people = on_record(session, principal.organisation_id, one.subject, found, found).people if wanted.record else 0
    if people > 1:
        raise requests.RecordOfSeveral(people=people)
    meant = found.of_one(wanted.person)
    ours = meant if wanted.instructed else meant.to_erase()
    made = erasure.erase(session, ours, deletion_of, by=principal.name, now=services.clock.now())
    if found.people <= 1:
        hl7.forget_patient(session, principal.organisation_id, one.subject.issuer, one.subject.patient_id)
        forget_steps(session, principal.organisation_id, one.subject.issuer, one.subject.patient_id)
        services.vault(principal.organisation_id).forget_patient(session, one.subject.issuer, one.subject.patient_id)
    made = replace(made, clinics=len(meant.studies) - len(ours.studies))
    before = erasure.decoded(one.proof)
    if before is None:
        return made
    return replace(made, studies=(*before.studies, *made.studies), record_erased=before.record_erased)


def _told(proof: Proof) -> dict[str, Any]:
    keys = sum(len(study.keys) for study in proof.studies)
    return {"studies": len(proof.studies), "kept": len(proof.kept), "keys": keys, "clinics": proof.clinics}

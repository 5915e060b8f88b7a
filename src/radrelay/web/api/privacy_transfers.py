"""Consents to a patient's transfer: entered, shown and withdrawn by the data protection officer, with the proof."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import Principal
from radrelay.privacy import erasure, transfers, withdrawing
from radrelay.privacy.transfers import Capacity, ShownBy, State, TransferDraft, TransferView
from radrelay.privacy.withdrawing import Hands
from radrelay.web import trail
from radrelay.web.authentication import Auditor, Officer, Services
from radrelay.web.bringing import GivenByPatient, given_by_patients
from radrelay.web.request_shapes import ProofShown
from radrelay.web.services import WebServices

router = APIRouter(prefix="/privacy/transfers", tags=["privacy"])
Line = Annotated[str, Field(max_length=200)]
PatientId = Annotated[str, Field(min_length=1, max_length=64)]
Issuer = Annotated[str, Field(max_length=64)]


class FindWanted(BaseModel):
    """Whose data are looked for; the ID stands in the body, since addresses are kept by browsers."""

    model_config = ConfigDict(extra="forbid")

    patient_id: PatientId


class BroughtShown(BaseModel):
    """A study as one source brought it; `others` hold it too, `transfer_id` is the consent that stands for it.

    `person` is the same number for studies that are beyond doubt of the same person.
    """

    model_config = ConfigDict(from_attributes=True)

    patient_issuer: str
    study_id: uuid.UUID
    study_uid: str
    source_id: uuid.UUID
    source_name: str
    received_at: datetime
    description: str
    modalities: str
    study_date: date | None
    patient_name: str
    hold_reason: str | None
    others: list[str]
    transfer_id: uuid.UUID | None
    person: int


class Found(BaseModel):
    """What is held under a patient ID, by study and source."""

    found: list[BroughtShown]


class Covers(BaseModel):
    """What a source brought of a study."""

    model_config = ConfigDict(extra="forbid")

    study_id: uuid.UUID
    source_id: uuid.UUID


class TransferWanted(BaseModel):
    """A consent: who gave it (`giver`, `capacity`), how that is shown, to which text, when, and for what."""

    model_config = ConfigDict(extra="forbid")

    patient_id: PatientId
    patient_issuer: Issuer = ""
    giver: Line
    capacity: Capacity = "patient"
    shown_by: ShownBy = "written"
    text_version: Annotated[str, Field(max_length=100)]
    note: Annotated[str, Field(max_length=5000)] = ""
    given_at: AwareDatetime | None = None
    studies: Annotated[list[Covers], Field(max_length=transfers.MOST_STUDIES)]


class WithdrawalWanted(BaseModel):
    """How and by whom the consent was withdrawn."""

    model_config = ConfigDict(extra="forbid")

    how: Annotated[str, Field(max_length=500)]
    revision: Annotated[int, Field(ge=1)]


class CoveredShown(BaseModel):
    """A study of a source: it stands, is held by a person for a reason, or is gone; `others` hold the study, too."""

    model_config = ConfigDict(from_attributes=True)

    study_id: uuid.UUID
    study_uid: str
    source_id: uuid.UUID
    source_name: str
    state: State
    others: list[str]


class TransferShown(BaseModel):
    """A consent in the register. `proof.destroyed_at` says since when no key of what was erased is there any more."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    patient_issuer: str
    patient_id: str
    giver: str
    capacity: Capacity
    shown_by: ShownBy
    text_version: str
    note: str
    given_at: datetime
    entered_at: datetime
    entered_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str
    withdrawn_how: str
    revision: int
    studies: list[CoveredShown]
    proof: ProofShown | None


class Transfers(BaseModel):
    """The register: consents that stand, then those that were withdrawn.

    `by_patients` were given on the patients' page, for an import each, and name nobody; the newest first.
    """

    transfers: list[TransferShown]
    by_patients: list[GivenByPatient]


def _shown(one: TransferView) -> TransferShown:
    named = {name: getattr(one, name) for name in TransferShown.model_fields if name not in ("proof", "studies")}
    proof = erasure.decoded(one.proof)
    return TransferShown(
        **named, studies=[CoveredShown.model_validate(study) for study in one.studies],
        proof=None if proof is None else ProofShown.model_validate(proof),
    )  # fmt: skip


def _note(
    session: Session, request: Request, principal: Principal, action: str, one: TransferView, **detail: object
) -> None:
    patient = (one.patient_issuer, one.patient_id, "")
    trail.write(session, trail.event(request, principal, action, ("consent", one.id), detail=detail, patient=patient))


@router.get("")
def list_transfers(request: Request, services: Services, principal: Auditor) -> Transfers:
    """List the register, and look whether erasures are proven by now."""
    trail.seen(services.database, principal, trail.event(request, principal, "consent.list"))
    with services.database.read() as session:
        known = transfers.transfers(session, principal.organisation_id)
        given = given_by_patients(services, session, principal.organisation_id)
    shown = [_shown(_looked_after(services, principal, one)) for one in known]
    return Transfers(transfers=shown, by_patients=given)


def _looked_after(services: WebServices, principal: Principal, one: TransferView) -> TransferView:
    """Return a consent, its proof completed if the last key was destroyed meanwhile."""
    proof = erasure.decoded(one.proof)
    if proof is None or proof.destroyed_at is not None:
        return one
    with services.database.read() as session:
        destroyed_at = erasure.carried_out(session, services.house.keys, proof)
    if destroyed_at is None:
        return one
    complete = msgspec.structs.replace(proof, destroyed_at=destroyed_at)
    with services.database.write() as session:
        return withdrawing.keep_proof(session, principal.organisation_id, one.id, complete)


@router.post("/find")
def find(request: Request, services: Services, principal: Officer, wanted: FindWanted) -> Found:
    """Find what is held under a patient ID, by study and source; that it was looked for is on record."""
    with services.database.write() as session:
        found = transfers.brought(session, principal.organisation_id, wanted.patient_id)
        for issuer in sorted({one.patient_issuer for one in found}):
            trail.write(
                session, trail.event(request, principal, "consent.find", patient=(issuer, wanted.patient_id, ""))
            )
    return Found(found=[BroughtShown.model_validate(one) for one in found])


@router.post("", status_code=201)
def enter_transfer(request: Request, services: Services, principal: Officer, wanted: TransferWanted) -> TransferShown:
    """Enter a consent for what sources brought; 409 `transfer-stands` where one stands for any of it already.

    409 `several-people` where the studies are of several people who have the ID.
    """
    now = services.clock.now()
    covered = [(one.study_id, one.source_id) for one in wanted.studies]
    draft = TransferDraft(
        wanted.patient_issuer, wanted.patient_id, wanted.giver, wanted.capacity, wanted.shown_by, wanted.text_version,
        wanted.note, wanted.given_at or now, covered,
    )  # fmt: skip
    with services.database.write() as session:
        made = transfers.enter(session, principal.organisation_id, draft, by=principal.name, now=now)
        _note(session, request, principal, "consent.enter", made, shown_by=made.shown_by, studies=len(made.studies))
    return _shown(made)


@router.post("/{transfer_id}/withdrawal")
def withdraw(
    request: Request, services: Services, principal: Officer, transfer_id: uuid.UUID, wanted: WithdrawalWanted
) -> TransferShown:
    """Withdraw a consent and delete what came by it, but for what a hold keeps; nothing brings it back.

    What another source holds too stays there. Keys are destroyed within a minute; `proof` says of what, and when.
    """

    def note(
        action: str, study_id: uuid.UUID, patient: tuple[str, str, str], detail: dict[str, object]
    ) -> audit.AuditRecord:
        return trail.event(request, principal, action, ("study", study_id), detail=detail, patient=patient)

    hands = Hands(principal.name, note, services.quarantine.delete)
    with services.database.write() as session:
        made = withdrawing.withdraw(
            session, principal.organisation_id, transfer_id, hands, how=wanted.how, revision=wanted.revision,
            now=services.clock.now(),
        )  # fmt: skip
        proof = erasure.decoded(made.proof)
        told = {} if proof is None else {"studies": len(proof.studies), "kept": len(proof.kept)}
        _note(session, request, principal, "consent.withdraw", made, **told)
    return _shown(made)

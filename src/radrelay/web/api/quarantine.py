"""What is kept aside: for who sees everything in the organisation. Looking into it is on record, as is what follows."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from radrelay.access import Principal, Right
from radrelay.dicom.dictionary import keyword_of
from radrelay.dicom.walk import usable_uid
from radrelay.intake import releasing
from radrelay.intake.identify import Identity, Into
from radrelay.intake.quarantine import QuarantinedView
from radrelay.web import trail
from radrelay.web.api.studies import Patient, shown_patient
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.problems import answers
from radrelay.web.reach import Reach, require_everything
from radrelay.web.services import WebServices

router = APIRouter(prefix="/quarantine", tags=["quarantine"])
CONTENT = ("application/octet-stream",)


class Kept(BaseModel):
    """An object that is kept aside, and why."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: uuid.UUID
    source_id: uuid.UUID
    source: str = ""
    parcel_id: uuid.UUID | None
    code: str
    reason: str
    study_uid: str
    sop_uid: str
    patient_name: str
    patient_id: str = Field(validation_alias="patient_id_value")
    file_name: str
    size: int
    received_at: datetime
    ends_at: datetime | None
    released_at: datetime | None
    instance_id: uuid.UUID | None
    releasable: bool
    identifiable: bool
    new_study_uid: str
    new_sop_uid: str


class StudyHere(BaseModel):
    """The study that an object's UIDs lead to, and whose it is."""

    id: uuid.UUID
    patient: Patient
    study_date: date | None
    description: str
    instance_count: int


class KeptDetail(Kept):
    """An object that is kept aside, beside the study that is here under its UIDs, if any."""

    here: StudyHere | None = None


class Quarantine(BaseModel):
    """What is kept aside, newest first."""

    quarantined: list[Kept]


class Release(BaseModel):
    """How an object is let in, and why.

    As it was received; or with a new identity: `into` a study of its own, a study that is here, or a new one of its
    patient (`study_id` names it). What was received is never changed, and stays beside what it became.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    as_: Literal["as-received", "new-identity"] = Field("as-received", alias="as")
    into: Into = "own"
    study_id: uuid.UUID | None = None
    reason: str = Field("", max_length=1000)


class Released(BaseModel):
    """What a released object has become, or (under another identity) will have within seconds."""

    model_config = ConfigDict(from_attributes=True)

    study_id: uuid.UUID | None
    instance_id: uuid.UUID | None
    attachment_id: uuid.UUID | None
    study_uid: str = ""
    sop_uid: str = ""
    changed: list[str] = Field([], description="keywords of the attributes that were given another value")


def _patient(kept: QuarantinedView) -> trail.Patient | None:
    return ("", kept.patient_id_value, kept.patient_name) if kept.patient_id_value or kept.patient_name else None


def _shown(services: WebServices, kept: QuarantinedView) -> Kept:
    names = {source.id: source.name for source in services.sources.sources()}
    return Kept.model_validate(kept).model_copy(update={"source": names.get(kept.source_id, "")})


@router.get("")
def list_quarantined(
    request: Request,
    services: Services,
    principal: Authenticated,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    *,
    released: bool = False,
) -> Quarantine:
    """List what is kept aside; or what was received of objects that were released with another identity."""
    restricted = require_everything(services, principal, Right.SEE)
    trail.seen(services.database, principal, trail.event(request, principal, "quarantine.list"))
    found = services.quarantine.list(principal.organisation_id, limit, offset, released=released, restricted=restricted)
    return Quarantine(quarantined=[_shown(services, kept) for kept in found])


@router.get("/{quarantined_id}")
def quarantined(
    request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID
) -> KeptDetail:
    """Show one object that is kept aside, beside the study that is here under its UIDs."""
    restricted = require_everything(services, principal, Right.SEE)
    found = services.quarantine.get(principal.organisation_id, quarantined_id, restricted=restricted)
    record = trail.event(
        request, principal, "quarantine.view", ("quarantined", quarantined_id), patient=_patient(found)
    )
    trail.seen(services.database, principal, record)
    return KeptDetail(**_shown(services, found).model_dump(by_alias=False), here=_here(services, principal, found))


def _here(services: WebServices, principal: Principal, kept: QuarantinedView) -> StudyHere | None:
    """Return the study that has the object's study UID, else the one that has its SOP instance UID."""
    with services.database.read() as session:
        ids = services.quarantine.studies_like(session, kept, principal.organisation_id)
        reach = Reach.of(services, session, principal, Right.SEE)
        rows = reach.study_rows(ids)
        row = next((rows[study_id] for study_id in ids if study_id in rows), None)
        if row is None:
            return None
        return StudyHere(
            id=row.id,
            patient=shown_patient(row, reach.scope),
            study_date=row.study_date,
            description=row.description,
            instance_count=row.instance_count,
        )


@router.get("/{quarantined_id}/header", response_class=Response, responses=answers("text/plain"))
def header(request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID) -> Response:
    """Show the object's header as text, as far as it can be read."""
    quarantined(request, services, principal, quarantined_id)
    text = services.quarantine.header_text(principal.organisation_id, quarantined_id)
    return Response(text, media_type="text/plain; charset=utf-8")


@router.get("/{quarantined_id}/picture", response_class=Response, responses=answers("image/jpeg"))
def picture(request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID) -> Response:
    """Show the object's first frame, where it has a picture."""
    quarantined(request, services, principal, quarantined_id)
    made = services.quarantine.picture(principal.organisation_id, quarantined_id)
    return Response(made, media_type="image/jpeg")


@router.get("/{quarantined_id}/content", response_class=StreamingResponse, responses=answers(*CONTENT))
def content(
    request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID
) -> StreamingResponse:
    """Download the object byte for byte as it was received: of a DICOM object, the data set without file meta."""
    restricted = require_everything(services, principal, Right.DOWNLOAD)
    found = services.quarantine.get(principal.organisation_id, quarantined_id, restricted=restricted)
    subject = ("quarantined", quarantined_id)
    record = trail.event(request, principal, "quarantine.download", subject, patient=_patient(found))
    with services.database.write() as session:
        trail.write(session, record)
    pieces = services.quarantine.content(principal.organisation_id, quarantined_id)
    headers = {"Content-Disposition": f'attachment; filename="{quarantined_id}.bin"'}
    return StreamingResponse(pieces, media_type=CONTENT[0], headers=headers)


@router.post("/{quarantined_id}/release")
def release(
    request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID, wanted: Release
) -> Released:
    """Let an object in after all, as it was received or with another identity: who may only look decides neither."""
    restricted = require_everything(services, principal, Right.REIDENTIFY)
    kept = services.quarantine.get(principal.organisation_id, quarantined_id, restricted=restricted)
    if wanted.study_id is not None:
        _require_study(services, principal, wanted.study_id)
    with services.database.write() as session:
        if wanted.as_ == "as-received":
            released = services.quarantine.release(session, principal.organisation_id, quarantined_id)
        else:
            released = services.quarantine.release_as(
                session, principal.organisation_id, quarantined_id, wanted.into, wanted.study_id
            )
        detail: dict[str, object] = {"code": kept.code, "study": released.study_id, "reason_given": bool(wanted.reason)}
        detail |= _new_identity(kept, released, wanted)
        subject = ("quarantined", quarantined_id)
        record = trail.event(request, principal, "quarantine.release", subject, detail=detail, patient=_patient(kept))
        trail.write(session, record)
    answer = Released.model_validate(released)
    identity = released.identity
    if identity is None:
        return answer
    return answer.model_copy(
        update={"study_uid": identity.study_uid, "sop_uid": identity.sop_uid, "changed": _changed(identity)}
    )


def _require_study(services: WebServices, principal: Principal, study_id: uuid.UUID) -> None:
    with services.database.read() as session:
        Reach.of(services, session, principal, Right.REIDENTIFY).study(study_id).require_clear()


def _said(uid: str) -> str:
    return uid if usable_uid(uid.encode()) else "none"  # what is no UID may be a patient's name


def _changed(identity: Identity) -> list[str]:
    return [keyword_of(tag) for tag in identity.values]


def _new_identity(kept: QuarantinedView, released: releasing.Released, wanted: Release) -> dict[str, object]:
    """Return what the audit says of another identity: UIDs as they were and are, names of what else was changed."""
    identity = released.identity
    if identity is None:
        return {}
    return {
        "as": wanted.as_,
        "into": wanted.into,
        "into_study": wanted.study_id,
        "changed": ", ".join(_changed(identity)),
        "study_uid": f"{_said(kept.study_uid)} > {identity.study_uid}",
        "sop_uid": f"{_said(kept.sop_uid)} > {identity.sop_uid}",
    }


@router.delete("/{quarantined_id}", status_code=204)
def delete(request: Request, services: Services, principal: Authenticated, quarantined_id: uuid.UUID) -> None:
    """Delete an object that is kept aside."""
    restricted = require_everything(services, principal, Right.DELETE)
    kept = services.quarantine.get(principal.organisation_id, quarantined_id, restricted=restricted)
    with services.database.write() as session:
        services.quarantine.delete(session, principal.organisation_id, quarantined_id)
        subject = ("quarantined", quarantined_id)
        record = trail.event(
            request, principal, "quarantine.delete", subject, detail={"code": kept.code}, patient=_patient(kept)
        )
        trail.write(session, record)

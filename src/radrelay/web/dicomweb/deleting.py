"""Deleting studies, series and instances by their DICOMweb address; nothing can bring them back."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from fastapi import APIRouter, Request
from sqlalchemy.orm import Session

from radrelay.access import Principal, Right
from radrelay.archive import deletion
from radrelay.archive.errors import InstanceNotFound, SeriesNotFound, StudyNotFound
from radrelay.archive.instances import find_instances
from radrelay.archive.models import Series, Study
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb.reaching import Target
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(tags=["dicomweb"])


@router.delete("/studies/{study}", status_code=204)
def delete_study(study: str, request: Request, services: Services, principal: Authenticated) -> None:
    """Delete a study with all it has."""
    _delete(request, services, principal, Target(study))


@router.delete("/studies/{study}/series/{series}", status_code=204)
def delete_series(study: str, series: str, request: Request, services: Services, principal: Authenticated) -> None:
    """Delete a series; its study goes with its last one."""
    _delete(request, services, principal, Target(study, series))


@router.delete("/studies/{study}/series/{series}/instances/{instance}", status_code=204)
def delete_instance(
    study: str, series: str, instance: str, request: Request, services: Services, principal: Authenticated
) -> None:
    """Delete an instance in all its versions."""
    _delete(request, services, principal, Target(study, series, instance))


def _delete(request: Request, services: WebServices, principal: Principal, target: Target) -> None:
    now = services.clock.now()
    with services.database.write() as session:
        within = Reach.of(services, session, principal, Right.DELETE)
        study_id = session.scalar(
            sa.select(Study.id).where(
                Study.organisation_id == principal.organisation_id, Study.study_uid == target.study_uid
            )
        )
        if study_id is None:
            raise StudyNotFound
        found = within.study(study_id, whole=target.series_uid is None)
        subject_id = study_id
        if target.series_uid is not None:
            subject_id = _series_id(session, within, study_id, target.series_uid)
        if target.sop_uid is not None:
            subject_id = _instance_id(session, within, subject_id, target.sop_uid)
        subject = (target.kind, subject_id)
        detail = {"study": study_id, "by": "dicomweb"}
        trail.write(
            session,
            trail.event(request, principal, f"{target.kind}.delete", subject, detail=detail, patient=found.patient),
        )
        {"study": deletion.delete_study, "series": deletion.delete_series, "instance": deletion.delete_instance}[
            target.kind
        ](session, subject_id, now)


def _series_id(session: Session, within: Reach, study_id: uuid.UUID, series_uid: str) -> uuid.UUID:
    found = session.scalar(
        sa.select(Series.id).where(
            Series.study_id == study_id,
            Series.series_uid == series_uid,
            within.scope.series_filter(Series.study_id, Series.id),
        )
    )
    if found is None:
        raise SeriesNotFound
    return found


def _instance_id(session: Session, within: Reach, series_id: uuid.UUID, sop_uid: str) -> uuid.UUID:
    refs = find_instances(session, within.now, organisation_id=within.scope.organisation_id, series_id=series_id)
    found = next((ref.id for ref in refs if ref.sop_uid == sop_uid), None)
    if found is None:
        raise InstanceNotFound
    return found

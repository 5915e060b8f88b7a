"""Rows by id, for a principal with a right: found within its scope, or not found at all.

What is out of reach and what is not there answer alike, so that an id tells a stranger nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal, Right, Scope
from radrelay.archive.errors import AttachmentNotFound, InstanceNotFound, SeriesNotFound, StudyNotFound
from radrelay.archive.models import Attachment, Instance, Series, Study
from radrelay.errors import Forbidden
from radrelay.web.trail import Patient


class IdentityHidden(Forbidden):
    """You may look at this study, but not at whom it is of: it cannot be handed out as it is."""

    code = "identity-hidden"


class PartOnly(Forbidden):
    """Only some series of this study are for you; ask for those."""

    code = "part-only"


@dataclass(frozen=True, slots=True)
class ReachedStudy:
    """A study within reach, with what the audit needs. `identity` says whether its patient may be shown."""

    id: uuid.UUID
    study_uid: str
    patient: Patient
    identity: Literal["clear", "alias"]

    def require_clear(self) -> None:
        """Raise `IdentityHidden` unless the patient may be shown."""
        if self.identity != "clear":
            raise IdentityHidden


@dataclass(frozen=True, slots=True)
class ReachedSeries:
    """A series within reach."""

    id: uuid.UUID
    series_uid: str
    modality: str
    study: ReachedStudy


@dataclass(frozen=True, slots=True)
class ReachedInstance:
    """An instance within reach."""

    id: uuid.UUID
    sop_uid: str
    sha256: bytes
    file_name: str
    series: ReachedSeries


_STUDY = (Study.id, Study.study_uid, Study.patient_issuer, Study.patient_id_value, Study.patient_name)


def _study(row: sa.Row[tuple[uuid.UUID, str, str, str, str]], scope: Scope) -> ReachedStudy:
    row_id, study_uid, issuer, patient_id, name = row
    return ReachedStudy(row_id, study_uid, (issuer, patient_id, name), scope.identity)


def require_study(
    session: Session, principal: Principal, right: Right, study_id: uuid.UUID, *, whole: bool = False
) -> ReachedStudy:
    """Return the study; raises `StudyNotFound`, or with `whole` `PartOnly` if some of its series are out of reach."""
    scope = access.scope(session, principal, right)
    row = session.execute(
        sa.select(*_STUDY).where(
            Study.organisation_id == scope.organisation_id, Study.id == study_id, scope.study_filter(Study.id)
        )
    ).one_or_none()
    if row is None:
        raise StudyNotFound
    if whole and not scope.everything:
        beyond = sa.select(Series.id).where(
            Series.study_id == study_id, sa.not_(scope.series_filter(Series.study_id, Series.id))
        )
        if session.scalar(beyond.limit(1)) is not None:
            raise PartOnly
    return _study(row, scope)


def require_series(session: Session, principal: Principal, right: Right, series_id: uuid.UUID) -> ReachedSeries:
    """Return the series; raises `SeriesNotFound`."""
    scope = access.scope(session, principal, right)
    row = session.execute(
        sa.select(Series.id, Series.series_uid, Series.modality, Series.study_id).where(
            Series.organisation_id == scope.organisation_id,
            Series.id == series_id,
            scope.series_filter(Series.study_id, Series.id),
        )
    ).one_or_none()
    if row is None:
        raise SeriesNotFound
    study = session.execute(sa.select(*_STUDY).where(Study.id == row.study_id)).one_or_none()
    if study is None:
        raise SeriesNotFound
    return ReachedSeries(row.id, row.series_uid, row.modality, _study(study, scope))


def require_instance(session: Session, principal: Principal, right: Right, instance_id: uuid.UUID) -> ReachedInstance:
    """Return the instance; raises `InstanceNotFound`."""
    row = session.execute(
        sa.select(Instance.id, Instance.sop_uid, Instance.sha256, Instance.file_name, Instance.series_id).where(
            Instance.organisation_id == principal.organisation_id, Instance.id == instance_id
        )
    ).one_or_none()
    if row is None:
        raise InstanceNotFound
    try:
        series = require_series(session, principal, right, row.series_id)
    except SeriesNotFound as error:
        raise InstanceNotFound from error
    return ReachedInstance(row.id, row.sop_uid, row.sha256, row.file_name, series)


@dataclass(frozen=True, slots=True)
class ReachedAttachment:
    """An attachment of a study within reach."""

    id: uuid.UUID
    file_name: str
    file_type: str
    study: ReachedStudy


def require_attachment(
    session: Session, principal: Principal, right: Right, attachment_id: uuid.UUID
) -> ReachedAttachment:
    """Return an attachment of a study within reach; raises `AttachmentNotFound`."""
    row = session.execute(
        sa.select(Attachment.id, Attachment.file_name, Attachment.file_type, Attachment.study_id).where(
            Attachment.organisation_id == principal.organisation_id, Attachment.id == attachment_id
        )
    ).one_or_none()
    if row is None or row.study_id is None:
        raise AttachmentNotFound
    try:
        study = require_study(session, principal, right, row.study_id)
    except StudyNotFound as error:
        raise AttachmentNotFound from error
    return ReachedAttachment(row.id, row.file_name, row.file_type, study)


def studies_within(session: Session, scope: Scope, study_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of `study_ids` are within reach and still here."""
    wanted = set(study_ids)
    if not wanted:
        return set()
    return set(
        session.scalars(
            sa.select(Study.id).where(
                Study.organisation_id == scope.organisation_id, Study.id.in_(wanted), scope.study_filter(Study.id)
            )
        )
    )

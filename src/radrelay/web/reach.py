"""Rows by id, for a principal with a right: found within its scope and its time, or not found at all.

What is out of reach and what is not there answer alike, so that an id tells a stranger nothing. What has expired
is out of reach from that moment, whether or not its bytes are gone yet.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal, Right, Scope
from radrelay.archive.errors import (
    AttachmentNotFound,
    IdentityHidden,
    InstanceNotFound,
    SeriesNotFound,
    StudyNotFound,
)
from radrelay.archive.instances import FoundInstances, InstanceRef, find_in_series, find_instance, find_instances
from radrelay.archive.links import Link, find_links
from radrelay.archive.models import Attachment, Series, Study
from radrelay.archive.tables import INSTANCE, SERIES, STUDY
from radrelay.errors import Forbidden
from radrelay.storage.columns import Instant
from radrelay.web.services import WebServices
from radrelay.web.trail import Patient

_STUDY = tuple(STUDY.c[name] for name in ("id", "study_uid", "patient_issuer", "patient_id_value", "patient_name"))
_TOLD = ("patient_id", "patient_id_value", "patient_issuer", "patient_name", "patient_birth_date", "patient_sex")
_LIVING = sa.and_(
    STUDY.c.organisation_id == sa.bindparam("organisation"),
    sa.or_(STUDY.c.expires_at.is_(None), STUDY.c.expires_at > sa.bindparam("now", type_=Instant)),
)
_LIVING_STUDY = sa.select(*_STUDY).where(STUDY.c.id == sa.bindparam("study"), _LIVING)  # built once, as is the next
_STUDY_OF_SERIES = (
    sa.select(*_STUDY)
    .join_from(SERIES, STUDY, STUDY.c.id == SERIES.c.study_id)
    .where(SERIES.c.id == sa.bindparam("series"), _LIVING)
)


class PartOnly(Forbidden):
    """Only some series of this study are for you; ask for those."""

    code = "part-only"


class OrganisationWide(Forbidden):
    """This needs the right to every study of the organisation."""

    code = "organisation-wide"


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
    """A series within reach, and those of its instances that live, in order."""

    id: uuid.UUID
    study: ReachedStudy
    found: FoundInstances

    @property
    def instances(self) -> tuple[InstanceRef, ...]:
        """Return the instances, made when they are first needed."""
        return self.found.refs


@dataclass(frozen=True, slots=True)
class ReachedInstance:
    """An instance within reach."""

    ref: InstanceRef
    study: ReachedStudy


@dataclass(frozen=True, slots=True)
class ReachedAttachment:
    """An attachment of a study within reach."""

    row: Attachment
    study: ReachedStudy


class Reach:
    """What one principal may reach with one right, now."""

    def __init__(
        self, session: Session, principal: Principal, right: Right, now: datetime, *, for_subject: bool = False
    ) -> None:
        self.session = session
        self.now = now
        self.scope: Scope = access.scope(session, principal, right, now=now, for_subject=for_subject)

    @classmethod
    def of(cls, services: WebServices, session: Session, principal: Principal, right: Right) -> Reach:
        """Return the reach of `principal` at the services' present moment."""
        return cls(session, principal, right, services.clock.now())

    def living_at(self, moment: datetime) -> Reach:
        """Return the same reach over what lived at an earlier moment, though it may be over now."""
        earlier = copy(self)
        earlier.now = moment
        return earlier

    def _living(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            Study.organisation_id == self.scope.organisation_id,
            sa.or_(Study.expires_at.is_(None), Study.expires_at > self.now),
            self.scope.study_filter(Study.id),
        )

    def holds(self, study_id: sa.ColumnElement[uuid.UUID] | Any) -> sa.ColumnElement[bool]:
        """Return the condition that the study with id `study_id` is within reach and still here."""
        found = sa.select(sa.literal(1)).where(Study.id == study_id, self._living())
        return found.limit(1).scalar_subquery().is_not(None)

    def _study(self, row: Any) -> ReachedStudy:
        row_id, study_uid, issuer, patient_id, name = row
        return ReachedStudy(row_id, study_uid, (issuer, patient_id, name), self.scope.identity)

    def study(self, study_id: uuid.UUID, *, whole: bool = False) -> ReachedStudy:
        """Return a study; raises `StudyNotFound`, or with `whole` `PartOnly` if series of it are out of reach."""
        statement = _LIVING_STUDY
        if not self.scope.everything:
            statement = statement.where(self.scope.study_filter(STUDY.c.id))
        asked = {"study": study_id, "organisation": self.scope.organisation_id, "now": self.now}
        row = self.session.execute(statement, asked).one_or_none()
        if row is None:
            raise StudyNotFound
        if whole and not self.scope.everything:
            beyond = sa.select(Series.id).where(
                Series.study_id == study_id, sa.not_(self.scope.series_filter(Series.study_id, Series.id))
            )
            if self.session.scalar(beyond.limit(1)) is not None:
                raise PartOnly
        return self._study(row)

    def studies(self, study_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
        """Return which of `study_ids` are within reach and still here."""
        wanted = set(study_ids)
        if not wanted:
            return set()
        return set(self.session.scalars(sa.select(Study.id).where(Study.id.in_(wanted), self._living())))

    def study_rows(self, study_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Study]:
        """Return the rows of those of `study_ids` that are within reach and still here, by id."""
        wanted = set(study_ids)
        if not wanted:
            return {}
        return {
            row.id: row for row in self.session.scalars(sa.select(Study).where(Study.id.in_(wanted), self._living()))
        }

    def newest_studies(self, conditions: Sequence[sa.ColumnElement[bool]], most: int) -> list[Study]:
        """Return the rows of up to `most` studies that fulfil `conditions`, are within reach and still here."""
        statement = sa.select(Study).where(*conditions, self._living()).order_by(Study.sort_key.desc()).limit(most)
        return list(self.session.scalars(statement))

    def newest_told(self, conditions: Sequence[sa.ColumnElement[bool]], most: int) -> Sequence[Any]:
        """Return, of up to `most` such studies, the newest first, their ids and what they tell of whom they are."""
        columns = (Study.id, *(getattr(Study, name) for name in _TOLD))
        statement = sa.select(*columns).where(*conditions, self._living()).order_by(Study.sort_key.desc()).limit(most)
        return self.session.execute(statement).all()

    def told(self, conditions: Sequence[sa.ColumnElement[bool]], most: int) -> Sequence[Any]:
        """Return up to `most` different things that such studies tell of whom they are."""
        columns = tuple(getattr(Study, name) for name in _TOLD)
        statement = sa.select(*columns).where(*conditions, self._living()).distinct().limit(most)
        return self.session.execute(statement).all()

    def series_rows(self, series_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Series]:
        """Return the rows of those of `series_ids` that are within reach, by id."""
        wanted = set(series_ids)
        if not wanted:
            return {}
        within = self.scope.series_filter(Series.study_id, Series.id)
        mine = Series.organisation_id == self.scope.organisation_id
        return {
            row.id: row for row in self.session.scalars(sa.select(Series).where(Series.id.in_(wanted), mine, within))
        }

    def series_study(self, series_id: uuid.UUID) -> ReachedStudy:
        """Return the study of a series that is within reach; raises `SeriesNotFound`."""
        statement = _STUDY_OF_SERIES
        if not self.scope.everything:
            statement = statement.where(
                self.scope.series_filter(SERIES.c.study_id, SERIES.c.id), self.scope.study_filter(STUDY.c.id)
            )
        asked = {"series": series_id, "organisation": self.scope.organisation_id, "now": self.now}
        row = self.session.execute(statement, asked).one_or_none()
        if row is None:
            raise SeriesNotFound
        return self._study(row)

    def series(self, series_id: uuid.UUID) -> ReachedSeries:
        """Return a series with its living instances; raises `SeriesNotFound`."""
        study = self.series_study(series_id)
        found = find_in_series(self.session, self.now, self.scope.organisation_id, series_id)
        return ReachedSeries(series_id, study, found)

    def study_instances(self, study_id: uuid.UUID) -> tuple[InstanceRef, ...]:
        """Return the living instances of a study's series that are within reach."""
        within = self.scope.series_filter(INSTANCE.c.study_id, INSTANCE.c.series_id)
        return tuple(
            find_instances(
                self.session,
                self.now,
                organisation_id=self.scope.organisation_id,
                study_id=study_id,
                within=within,
            )
        )

    def instance(self, instance_id: uuid.UUID) -> ReachedInstance:
        """Return an instance; raises `InstanceNotFound`."""
        found = find_instance(
            self.session,
            self.now,
            self.scope.series_filter(INSTANCE.c.study_id, INSTANCE.c.series_id),
            organisation_id=self.scope.organisation_id,
            instance_id=instance_id,
        )
        if found is None:
            raise InstanceNotFound
        ref = found.ref
        return ReachedInstance(ref, ReachedStudy(ref.study_id, ref.study_uid, found.patient, self.scope.identity))

    def links(self, sop_uids: Sequence[str]) -> list[Link]:
        """Return where those of the instances named by SOP Instance UID stand that are within reach."""
        within = self.scope.series_filter(INSTANCE.c.study_id, INSTANCE.c.series_id)
        return find_links(self.session, self.now, within, self.scope.organisation_id, sop_uids)

    def attachment(self, attachment_id: uuid.UUID) -> ReachedAttachment:
        """Return an attachment of a study that is wholly within reach; raises `AttachmentNotFound`."""
        row = self.session.scalar(
            sa.select(Attachment).where(
                Attachment.organisation_id == self.scope.organisation_id,
                Attachment.id == attachment_id,
                sa.or_(Attachment.ends_at.is_(None), Attachment.ends_at > self.now),
            )
        )
        if row is None or row.study_id is None:
            raise AttachmentNotFound
        try:
            return ReachedAttachment(row, self.study(row.study_id, whole=True))
        except (StudyNotFound, PartOnly) as error:
            raise AttachmentNotFound from error


def sees_everything(services: WebServices, principal: Principal, right: Right) -> bool:
    """Say whether `principal` has `right` to the whole organisation, its patients in the clear."""
    with services.database.read() as session:
        scope = access.scope(session, principal, right, now=services.clock.now())
    return scope.whole and scope.identity == "clear"


def require_everything(services: WebServices, principal: Principal, right: Right) -> bool:
    """Raise `OrganisationWide` unless `sees_everything`: for what no study's grant can cover.

    Says whether that is so of restricted studies, too (but for those that no grant opens).
    """
    with services.database.read() as session:
        scope = access.scope(session, principal, right, now=services.clock.now())
    if not scope.whole or scope.identity != "clear":
        raise OrganisationWide
    return scope.sees_restricted

"""What the index already knows of a batch's studies, series, instances, patients and holdings.

Read with one statement per table before a batch is judged, changed in memory while it is, written by
`index_writes` after it. `fresh` marks what the batch itself made.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.folding import identity_keys
from radrelay.archive.models import InstanceHolding
from radrelay.archive.tables import HOLDING, INSTANCE, PATIENT, SERIES, STUDY

_STUDY, _SERIES, _INSTANCE = STUDY.c, SERIES.c, INSTANCE.c
_HOLDING, _PATIENT = HOLDING.c, PATIENT.c


@dataclass(slots=True, eq=False)
class HoldingState:
    """A source's claim, with the moments that arrivals move."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    study_id: uuid.UUID
    source_id: uuid.UUID
    account_id: uuid.UUID | None
    received_at: datetime
    last_received_at: datetime
    expires_at: datetime | None
    ceiling_at: datetime | None
    hold_until: datetime | None
    hold_reason: str
    ends_at: datetime | None
    fresh: bool = False
    changed: bool = False


@dataclass(slots=True, eq=False)
class SeriesState:
    """A series and its counts."""

    id: uuid.UUID
    study_id: uuid.UUID
    series_uid: str
    instance_count: int
    frame_count: int
    bytes: int
    changed_at: datetime | None = None  # set when this batch changed it
    fresh: bool = False


@dataclass(slots=True, eq=False)
class StudyState:
    """A study: who it is of, its counts and its holdings."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    study_uid: str
    sort_key: int
    patient_id_value: str
    issuer: str
    birth_date: date | None
    name_keys: frozenset[str]
    modalities: set[str]
    series_count: int
    instance_count: int
    bytes: int
    last_received_at: datetime
    quiet_at: datetime | None
    state: str
    holdings: list[HoldingState] = field(default_factory=list)
    fresh: bool = False
    changed: bool = False


@dataclass(slots=True, eq=False)
class VersionState:
    """One version of a SOP instance."""

    id: uuid.UUID
    study_id: uuid.UUID
    series_id: uuid.UUID
    sop_uid: str
    version: int
    current: bool
    sha256: bytes
    size: int
    frames: int
    corrected: bool
    holdings: set[uuid.UUID]
    fresh: bool = False


@dataclass(slots=True)
class Known:
    """All that one organisation's index knows of a batch, by UID."""

    studies: dict[str, StudyState] = field(default_factory=dict)
    series: dict[str, list[SeriesState]] = field(default_factory=dict)
    versions: dict[str, list[VersionState]] = field(default_factory=dict)
    patients: dict[tuple[str, str], uuid.UUID] = field(default_factory=dict)
    by_id: dict[uuid.UUID, StudyState] = field(default_factory=dict)
    series_by_id: dict[uuid.UUID, SeriesState] = field(default_factory=dict)

    def add_study(self, study: StudyState) -> None:
        """Remember a study under its UID and its id."""
        self.studies[study.study_uid] = study
        self.by_id[study.id] = study

    def add_series(self, series: SeriesState) -> None:
        """Remember a series under its UID and its id."""
        self.series.setdefault(series.series_uid, []).append(series)
        self.series_by_id[series.id] = series


def load(
    session: Session,
    organisation_id: uuid.UUID,
    study_uids: Sequence[str],
    series_uids: Sequence[str],
    sop_uids: Sequence[str],
    patient_ids: Sequence[str],
) -> Known:
    """Read what the index knows of these UIDs and patient IDs."""
    known = Known()
    _load_studies(session, known, organisation_id, study_uids)
    _load_series(session, known, organisation_id, series_uids)
    _load_versions(session, known, organisation_id, sop_uids)
    _complete(session, known)
    _load_patients(session, known, organisation_id, patient_ids)
    return known


def _load_studies(session: Session, known: Known, organisation_id: uuid.UUID, uids: Sequence[str]) -> None:
    _add_studies(session, known, sa.and_(_STUDY.organisation_id == organisation_id, _STUDY.study_uid.in_(uids)))


def _add_studies(session: Session, known: Known, condition: sa.ColumnElement[bool]) -> None:
    columns = (
        _STUDY.id, _STUDY.organisation_id, _STUDY.study_uid, _STUDY.sort_key, _STUDY.patient_id_value,
        _STUDY.patient_issuer, _STUDY.patient_birth_date, _STUDY.patient_name, _STUDY.modalities,
        _STUDY.series_count, _STUDY.instance_count, _STUDY.bytes, _STUDY.last_received_at, _STUDY.quiet_at,
        _STUDY.state,
    )  # fmt: skip
    found: list[StudyState] = []
    for row in session.execute(sa.select(*columns).where(condition)):
        values = list(row)
        values[7] = frozenset(identity_keys(values[7]))
        values[8] = set(filter(None, values[8].split("\\")))
        found.append(StudyState(*values))
    for study in found:
        known.add_study(study)
    if found:
        _load_holdings(session, known, [study.id for study in found])


def _load_holdings(session: Session, known: Known, study_ids: Sequence[uuid.UUID]) -> None:
    columns = (
        _HOLDING.id, _HOLDING.organisation_id, _HOLDING.study_id, _HOLDING.source_id, _HOLDING.account_id,
        _HOLDING.received_at,
        _HOLDING.last_received_at, _HOLDING.expires_at, _HOLDING.ceiling_at, _HOLDING.hold_until,
        _HOLDING.hold_reason, _HOLDING.ends_at,
    )  # fmt: skip
    for row in session.execute(sa.select(*columns).where(_HOLDING.study_id.in_(study_ids))):
        holding = HoldingState(*list(row))
        known.by_id[holding.study_id].holdings.append(holding)


def _load_series(session: Session, known: Known, organisation_id: uuid.UUID, uids: Sequence[str]) -> None:
    condition = sa.and_(_SERIES.organisation_id == organisation_id, _SERIES.series_uid.in_(uids))
    _add_series(session, known, condition)


def _add_series(session: Session, known: Known, condition: sa.ColumnElement[bool]) -> None:
    columns = (
        _SERIES.id, _SERIES.study_id, _SERIES.series_uid, _SERIES.instance_count, _SERIES.frame_count, _SERIES.bytes,
    )  # fmt: skip
    for row in session.execute(sa.select(*columns).where(condition)):
        known.add_series(SeriesState(*list(row)))


def _load_versions(session: Session, known: Known, organisation_id: uuid.UUID, uids: Sequence[str]) -> None:
    columns = (
        _INSTANCE.id, _INSTANCE.study_id, _INSTANCE.series_id, _INSTANCE.sop_uid, _INSTANCE.version,
        _INSTANCE.current, _INSTANCE.sha256, _INSTANCE.size, _INSTANCE.frames, _INSTANCE.corrected,
        _INSTANCE.holding_id,
    )  # fmt: skip
    condition = sa.and_(_INSTANCE.organisation_id == organisation_id, _INSTANCE.sop_uid.in_(uids))
    found: dict[uuid.UUID, VersionState] = {}
    for row in session.execute(sa.select(*columns).where(condition)):
        version = VersionState(*row[:10], holdings={row[10]})
        found[version.id] = version
        known.versions.setdefault(version.sop_uid, []).append(version)
    if found:
        further = sa.select(InstanceHolding.instance_id, InstanceHolding.holding_id)
        for instance_id, holding_id in session.execute(further.where(InstanceHolding.instance_id.in_(list(found)))):
            found[instance_id].holdings.add(holding_id)


def _complete(session: Session, known: Known) -> None:
    """Add the studies and series of versions that were found elsewhere than the batch says."""
    versions = [version for found in known.versions.values() for version in found]
    studies = {version.study_id for version in versions} - known.by_id.keys()
    if studies:
        _add_studies(session, known, _STUDY.id.in_(list(studies)))
    series = {version.series_id for version in versions} - known.series_by_id.keys()
    if series:
        _add_series(session, known, _SERIES.id.in_(list(series)))


def _load_patients(session: Session, known: Known, organisation_id: uuid.UUID, patient_ids: Iterable[str]) -> None:
    wanted = list(patient_ids)
    if not wanted:
        return
    condition = sa.and_(_PATIENT.organisation_id == organisation_id, _PATIENT.patient_id.in_(wanted))
    for row_id, issuer, patient_id in session.execute(
        sa.select(_PATIENT.id, _PATIENT.issuer, _PATIENT.patient_id).where(condition)
    ):
        known.patients[issuer, patient_id] = row_id

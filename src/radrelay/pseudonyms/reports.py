"""Result reports: what was done to a study, by attribute and without any value, and what a person should look at."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.dicom.deidentify import Outcome, Reason, StudyReport, Warned
from radrelay.pseudonyms.models import PseudonymHandout, PseudonymProject
from radrelay.storage.ids import new_id

Purpose = Literal["export", "delivery", "intake"]
Key = TypeVar("Key", bound=str)


class Told(msgspec.Struct, frozen=True):
    """What a report says: attributes by outcome with how many there were, warnings, templates, reasons."""

    attributes: dict[Outcome, dict[str, int]] = {}
    warnings: dict[Warned, int] = {}
    templates: dict[str, int] = {}
    refused: dict[Reason, int] = {}


@dataclass(frozen=True, slots=True)
class HandoutView:
    """A study that was de-identified."""

    id: uuid.UUID
    project_id: uuid.UUID
    project: str
    study_id: uuid.UUID | None
    purpose: str
    made_by: str
    objects: int
    kept_back: int
    report: Told
    created_at: datetime
    ended_at: datetime | None


def begin_handout(
    session: Session, organisation_id: uuid.UUID, project_id: uuid.UUID, study_id: uuid.UUID, purpose: Purpose,
    by: str, now: datetime,
) -> uuid.UUID:  # fmt: skip
    """Note that a study is being handed out; returns the row's id."""
    row_id = new_id()
    session.add(
        PseudonymHandout(
            id=row_id, organisation_id=organisation_id, project_id=project_id, study_id=study_id, study_uid="",
            purpose=purpose, made_by=by[:128], objects=0, kept_back=0, report="{}", created_at=now, ended_at=None,
        )
    )  # fmt: skip
    session.flush()
    return row_id


def end_handout(
    session: Session, handout_id: uuid.UUID, report: StudyReport, kept_back: int, ended_at: datetime | None
) -> None:
    """Write what came of it; without `ended_at` it was broken off."""
    row = session.get(PseudonymHandout, handout_id)
    if row is not None:
        row.objects, row.kept_back, row.ended_at = report.objects, kept_back, ended_at
        row.report = msgspec.json.encode(told(report)).decode()
        session.flush()


def add_to_intake_report(
    session: Session, organisation_id: uuid.UUID, project_id: uuid.UUID, study_uid: str, report: StudyReport,
    now: datetime,
) -> None:  # fmt: skip
    """Add what was done to objects as they came in to the report of their study, named by its new UID."""
    mine = sa.select(PseudonymHandout).where(
        PseudonymHandout.organisation_id == organisation_id, PseudonymHandout.project_id == project_id,
        PseudonymHandout.study_uid == study_uid, PseudonymHandout.purpose == "intake",
    )  # fmt: skip
    row = session.scalar(mine.limit(1))
    if row is None:
        row = PseudonymHandout(
            id=new_id(), organisation_id=organisation_id, project_id=project_id, study_id=None, study_uid=study_uid,
            purpose="intake", made_by="", objects=0, kept_back=0, report="{}", created_at=now,
        )  # fmt: skip
        session.add(row)
    before, added = msgspec.json.decode(row.report, type=Told), told(report)
    row.objects += report.objects
    row.ended_at = now
    row.report = msgspec.json.encode(_together(before, added)).decode()
    session.flush()


def _together(one: Told, other: Told) -> Told:
    attributes = {
        outcome: _sum(one.attributes.get(outcome, {}), other.attributes.get(outcome, {}))
        for outcome in Outcome
        if outcome in one.attributes or outcome in other.attributes
    }
    return Told(
        attributes, _sum(one.warnings, other.warnings), _sum(one.templates, other.templates),
        _sum(one.refused, other.refused),
    )  # fmt: skip


def _sum(one: Mapping[Key, int], other: Mapping[Key, int]) -> dict[Key, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in sorted({*one, *other})}


def told(report: StudyReport) -> Told:
    """Return a report as it is kept."""
    attributes: dict[Outcome, dict[str, int]] = {}
    for change, number in report.changes.items():
        names = attributes.setdefault(change.outcome, {})
        names[change.name] = names.get(change.name, 0) + number
    ordered = {outcome: dict(sorted(attributes[outcome].items())) for outcome in Outcome if outcome in attributes}
    return Told(ordered, dict(report.warnings), dict(report.templates), dict(report.refused))


def list_handouts(
    session: Session, organisation_id: uuid.UUID, *, study: tuple[uuid.UUID, str] | None = None, limit: int = 100
) -> list[HandoutView]:
    """Return what was handed out, the newest first; of one study (its id and UID) if given."""
    wanted = (
        sa.select(PseudonymHandout, PseudonymProject.name)
        .join(PseudonymProject, PseudonymProject.id == PseudonymHandout.project_id)
        .where(PseudonymHandout.organisation_id == organisation_id)
    )
    if study is not None:
        mine = sa.or_(PseudonymHandout.study_id == study[0], PseudonymHandout.study_uid == study[1])
        wanted = wanted.where(mine)
    rows = session.execute(wanted.order_by(PseudonymHandout.created_at.desc(), PseudonymHandout.id.desc()).limit(limit))
    return [_view(row, name) for row, name in rows]


def refused_of(session: Session, handout_id: uuid.UUID) -> dict[str, int]:
    """Return why objects of a handout were kept back, and how many for each reason."""
    row = session.get(PseudonymHandout, handout_id)
    refused = msgspec.json.decode(row.report, type=Told).refused if row is not None else {}
    return {str(reason): count for reason, count in refused.items()}


def forget_handouts(session: Session, now: datetime, keep: timedelta) -> None:
    """Forget reports that are older than `keep`; the record still says that studies were taken."""
    session.execute(sa.delete(PseudonymHandout).where(PseudonymHandout.created_at < now - keep))


def _view(row: PseudonymHandout, project: str) -> HandoutView:
    return HandoutView(
        row.id, row.project_id, project, row.study_id, row.purpose, row.made_by, row.objects, row.kept_back,
        msgspec.json.decode(row.report, type=Told), row.created_at, row.ended_at,
    )  # fmt: skip

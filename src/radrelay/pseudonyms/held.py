"""Objects that a project could not make safe: kept back with the reason, until a person has looked and lets them pass.

What a person may decide by looking is text in pictures, documents and overlays; regions are covered on the way. What
cannot be read, or is of a kind that nobody knows, is never let pass.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Instance
from radrelay.dicom.deidentify import Device, Option, Project, Reason
from radrelay.pseudonyms.errors import CoverInvalid, HeldUnknown, NotReleasable
from radrelay.pseudonyms.models import PseudonymHeld, PseudonymProject
from radrelay.storage.ids import new_id

Rectangle = tuple[int, int, int, int]
MOST_RECTANGLES = 64
MOST_LISTED, MOST_WAITING = 500, 100_000
RELEASABLE = frozenset({
    Reason.BURNED_IN, Reason.MAYBE_BURNED_IN, Reason.SCREEN_CAPTURE, Reason.SLIDE_LABEL, Reason.DOCUMENT, Reason.FACE,
})  # fmt: skip
"""What looking at the object can answer."""


@dataclass(frozen=True, slots=True)
class HeldView:
    """An object that is, or was, kept back."""

    id: uuid.UUID
    project_id: uuid.UUID
    project: str
    study_id: uuid.UUID
    instance_id: uuid.UUID
    reasons: tuple[Reason, ...]
    held_at: datetime
    released_at: datetime | None
    released_by: str
    note: str
    cover: tuple[Rectangle, ...]
    alike: int = 1
    """How many objects of its study wait for the same reasons, itself among them."""

    @property
    def releasable(self) -> bool:
        """Say whether a person may let it pass."""
        return self.released_at is None and set(self.reasons) <= RELEASABLE


def keep_back(
    session: Session, organisation_id: uuid.UUID, project_id: uuid.UUID, study_id: uuid.UUID,
    reasons: Mapping[uuid.UUID, Sequence[Reason]], now: datetime,
) -> None:  # fmt: skip
    """Note that objects (by id) are kept back; one that was released before and is held again waits again."""
    if not reasons:
        return
    known = {
        row.instance_id: row
        for row in session.scalars(
            sa.select(PseudonymHeld).where(
                PseudonymHeld.project_id == project_id, PseudonymHeld.instance_id.in_(reasons)
            )
        )
    }
    for instance_id, found in reasons.items():
        row = known.get(instance_id)
        if row is None:
            row = PseudonymHeld(
                id=new_id(), organisation_id=organisation_id, project_id=project_id, study_id=study_id,
                instance_id=instance_id, held_at=now, note="", cover="[]", released_by="",
            )  # fmt: skip
            session.add(row)
        row.reasons = ",".join(found)
        row.released_at, row.released_by = None, ""
    session.flush()


def waiting_held(session: Session, organisation_id: uuid.UUID) -> list[HeldView]:
    """Return what waits for a person, the newest first: one for all that wait in a study for the same reasons."""
    lean = session.execute(
        sa.select(
            PseudonymHeld.id, PseudonymHeld.project_id, PseudonymHeld.study_id, PseudonymHeld.reasons
        )
        .where(PseudonymHeld.organisation_id == organisation_id, PseudonymHeld.released_at.is_(None))
        .order_by(PseudonymHeld.id.desc())
        .limit(MOST_WAITING)
    )  # fmt: skip
    groups: dict[tuple[uuid.UUID, uuid.UUID, str], list[uuid.UUID]] = {}
    for row in lean:
        groups.setdefault((row.project_id, row.study_id, row.reasons), []).append(row.id)
    first = {ids[-1]: len(ids) for ids in groups.values()}
    found = _views(session, PseudonymHeld.id.in_(list(first)[:MOST_LISTED]))
    return [replace(one, alike=first[one.id]) for one in found]


def study_held(session: Session, organisation_id: uuid.UUID, study_id: uuid.UUID) -> list[HeldView]:
    """Return what is, or was, kept back of a study, the newest first."""
    mine = sa.and_(PseudonymHeld.organisation_id == organisation_id, PseudonymHeld.study_id == study_id)
    return _views(session, mine)


def _views(session: Session, condition: sa.ColumnElement[bool]) -> list[HeldView]:
    wanted = (
        sa.select(PseudonymHeld, PseudonymProject.name)
        .join(PseudonymProject, PseudonymProject.id == PseudonymHeld.project_id)
        .where(condition)
        .order_by(PseudonymHeld.id.desc())
        .limit(MOST_LISTED)
    )
    return [_view(row, name) for row, name in session.execute(wanted)]


def get_held(session: Session, organisation_id: uuid.UUID, held_id: uuid.UUID) -> HeldView:
    """Return one; raises `HeldUnknown`."""
    row = _row(session, organisation_id, held_id)
    return _view(row, session.get_one(PseudonymProject, row.project_id).name)


def release_held(
    session: Session, organisation_id: uuid.UUID, held_id: uuid.UUID, cover: Sequence[Rectangle], note: str, by: str,
    now: datetime, *, alike: bool = False,
) -> tuple[HeldView, int]:  # fmt: skip
    """Let an object pass next time, `cover` black; the caller records who did. Returns how many pass by that.

    With `alike` all of its study that wait for the same reasons do, if their pictures have the same size.
    Raises `HeldUnknown`, `NotReleasable`, `CoverInvalid`.
    """
    row = _row(session, organisation_id, held_id)
    if not set(_view(row, "").reasons) <= RELEASABLE:
        raise NotReleasable
    size = _size(session, row.instance_id)
    _check(cover, size)
    rows = [row]
    if alike:
        others = sa.select(PseudonymHeld).where(
            PseudonymHeld.project_id == row.project_id, PseudonymHeld.study_id == row.study_id,
            PseudonymHeld.reasons == row.reasons, PseudonymHeld.released_at.is_(None), PseudonymHeld.id != row.id,
        )  # fmt: skip
        rows += [one for one in session.scalars(others) if _size(session, one.instance_id) == size]
    for one in rows:
        one.cover = json.dumps([list(rectangle) for rectangle in cover])
        one.note, one.released_at, one.released_by = note, now, by[:128]
    session.flush()
    return get_held(session, organisation_id, held_id), len(rows)


def _size(session: Session, instance_id: uuid.UUID) -> tuple[int, int] | None:
    found = session.get(Instance, instance_id)
    return (found.columns, found.rows) if found is not None and found.columns and found.rows else None


def forget_held(session: Session) -> None:
    """Forget what was kept back of objects that are gone."""
    here = sa.select(Instance.id).where(Instance.id == PseudonymHeld.instance_id)
    session.execute(sa.delete(PseudonymHeld).where(~here.exists()).execution_options(synchronize_session=False))


def kept_back_of(session: Session, project_id: uuid.UUID, study_id: uuid.UUID) -> dict[uuid.UUID, tuple[Reason, ...]]:
    """Return those objects of a study (by id) that a project keeps back, with the reasons."""
    rows = session.execute(
        sa.select(PseudonymHeld.instance_id, PseudonymHeld.reasons).where(
            PseudonymHeld.project_id == project_id,
            PseudonymHeld.study_id == study_id,
            PseudonymHeld.released_at.is_(None),
        )
    )
    return {instance_id: tuple(Reason(one) for one in reasons.split(",")) for instance_id, reasons in rows}


def released(
    session: Session, project_id: uuid.UUID, instance_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, tuple[Rectangle, ...]]:
    """Return those objects that a person lets pass, with what is covered on them."""
    rows = session.execute(
        sa.select(PseudonymHeld.instance_id, PseudonymHeld.cover).where(
            PseudonymHeld.project_id == project_id, PseudonymHeld.released_at.is_not(None)
        )
    )
    wanted = set(instance_ids)
    return {instance_id: _rectangles(cover) for instance_id, cover in rows if instance_id in wanted}


def passing(project: Project, cover: tuple[Rectangle, ...], columns: int, rows: int) -> Project:
    """Return the project as it holds for an object that a person looked at."""
    looked = replace(project, looked_at=True, keep_documents=True)
    if not cover:
        return looked
    device = Device("covered by hand", columns, rows, cover)
    return replace(looked, devices=(device, *project.devices), options=project.options | {Option.CLEAN_PIXELS})


def _check(cover: Sequence[Rectangle], size: tuple[int, int] | None) -> None:
    if len(cover) > MOST_RECTANGLES:
        raise CoverInvalid(f"At most {MOST_RECTANGLES} rectangles are covered.")
    for left, top, width, height in cover:
        if size is None or min(left, top) < 0 or min(width, height) < 1:
            raise CoverInvalid
        if left + width > size[0] or top + height > size[1]:
            raise CoverInvalid


def _row(session: Session, organisation_id: uuid.UUID, held_id: uuid.UUID) -> PseudonymHeld:
    row = session.get(PseudonymHeld, held_id)
    if row is None or row.organisation_id != organisation_id:
        raise HeldUnknown
    return row


def _rectangles(text: str) -> tuple[Rectangle, ...]:
    return tuple((one[0], one[1], one[2], one[3]) for one in json.loads(text))


def _view(row: PseudonymHeld, project: str) -> HeldView:
    return HeldView(
        row.id, row.project_id, project, row.study_id, row.instance_id,
        tuple(Reason(one) for one in row.reasons.split(",") if one), row.held_at, row.released_at, row.released_by,
        row.note, _rectangles(row.cover),
    )  # fmt: skip

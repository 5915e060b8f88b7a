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

from radrelay.dicom.deidentify import Device, Option, Project, Reason
from radrelay.pseudonyms.errors import CoverInvalid, HeldUnknown, NotReleasable
from radrelay.pseudonyms.models import PseudonymHeld, PseudonymProject
from radrelay.storage.ids import new_id

Rectangle = tuple[int, int, int, int]
MOST_RECTANGLES = 64
RELEASABLE = frozenset({
    Reason.BURNED_IN, Reason.MAYBE_BURNED_IN, Reason.SCREEN_CAPTURE, Reason.SLIDE_LABEL, Reason.DOCUMENT,
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


def list_held(
    session: Session, organisation_id: uuid.UUID, *, study_id: uuid.UUID | None = None, waiting: bool = False
) -> list[HeldView]:
    """Return what is kept back, the newest first; of one study if given, without what was released if `waiting`."""
    wanted = (
        sa.select(PseudonymHeld, PseudonymProject.name)
        .join(PseudonymProject, PseudonymProject.id == PseudonymHeld.project_id)
        .where(PseudonymHeld.organisation_id == organisation_id)
    )
    if study_id is not None:
        wanted = wanted.where(PseudonymHeld.study_id == study_id)
    if waiting:
        wanted = wanted.where(PseudonymHeld.released_at.is_(None))
    return [_view(row, name) for row, name in session.execute(wanted.order_by(PseudonymHeld.id.desc()).limit(500))]


def get_held(session: Session, organisation_id: uuid.UUID, held_id: uuid.UUID) -> HeldView:
    """Return one; raises `HeldUnknown`."""
    row = _row(session, organisation_id, held_id)
    return _view(row, session.get_one(PseudonymProject, row.project_id).name)


def release_held(
    session: Session, organisation_id: uuid.UUID, held_id: uuid.UUID, cover: Sequence[Rectangle], note: str, by: str,
    now: datetime, size: tuple[int, int] | None,
) -> HeldView:  # fmt: skip
    """Let an object pass next time, `cover` black; the caller records who did. `size` is columns and rows.

    Raises `HeldUnknown`, `NotReleasable`, `CoverInvalid`.
    """
    row = _row(session, organisation_id, held_id)
    shown = _view(row, "")
    if not set(shown.reasons) <= RELEASABLE:
        raise NotReleasable
    _check(cover, size)
    row.cover = json.dumps([list(one) for one in cover])
    row.note, row.released_at, row.released_by = note, now, by[:128]
    session.flush()
    return get_held(session, organisation_id, held_id)


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

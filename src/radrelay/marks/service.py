"""Marks as rows: listed, written, deleted; two at once are told of each other.

A change names the revision that it is based on. The same change twice is one; one that is based on what is no more
raises `MarkChanged` with what is there. What is within reach is decided by the caller, who hands in a scope's filter.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.errors import InstanceNotFound
from radrelay.archive.instances import alive
from radrelay.archive.locking import lock_archive
from radrelay.archive.tables import INSTANCE, table_of
from radrelay.marks.errors import MarkChanged, MarkDeleted, MarkInvalid, MarkNotFound, TooManyMarks
from radrelay.marks.models import Mark, MarkedStudy
from radrelay.marks.objects.shapes import KINDS, POINTS, Point
from radrelay.marks.objects.sheet import Author, Value

MOST_MARKS = 2_000  # of a study
MOST_BYTES = 16 << 20  # of all their contents
LONGEST_TEXT = 2_000
MOST_VALUES = 16
KEEP_DELETED_DAYS = 7

MARK, MARKED = table_of(Mark), table_of(MarkedStudy)
_DELETED = '{"points":[],"text":"","values":[]}'


class Content(msgspec.Struct, frozen=True):
    """What a mark holds beside its place."""

    points: list[Point]
    text: str
    values: list[Value]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mark as somebody wants it to be, and the revision that this is based on (0: it is new)."""

    id: uuid.UUID
    kind: str
    instance_id: uuid.UUID
    frame: int
    content: Content
    revision: int


@dataclass(frozen=True, slots=True)
class Place:
    """Whose study is written to, within which series, and when."""

    organisation_id: uuid.UUID
    study_id: uuid.UUID
    within: sa.ColumnElement[bool]
    """A scope's filter on `INSTANCE`."""
    now: datetime


class Person(msgspec.Struct, frozen=True):
    """Who, as marks show it."""

    id: str
    name: str


class StoredMark(msgspec.Struct, frozen=True):
    """A mark as it is kept and shown."""

    id: uuid.UUID
    kind: str
    instance_id: uuid.UUID
    frame: int
    points: list[Point]
    text: str
    values: list[Value]
    revision: int
    author: Person
    created_at: datetime
    changed_at: datetime
    changed_by: Person


def list_marks(session: Session, place: Place) -> list[StoredMark]:
    """Return the marks on the living instances of a study within reach, in the order in which they were made."""
    rows = session.execute(
        sa.select(MARK)
        .join(INSTANCE, INSTANCE.c.id == MARK.c.instance_id)
        .where(
            MARK.c.organisation_id == place.organisation_id,
            MARK.c.study_id == place.study_id,
            MARK.c.deleted_at.is_(None),
            alive(place.now),
            place.within,
        )
        .order_by(MARK.c.created_at, MARK.c.id)
    )
    return [stored(row) for row in rows]


def stored(row: Any) -> StoredMark:
    """Return a row as a mark."""
    content = msgspec.json.decode(row.content, type=Content)
    return StoredMark(
        row.id, row.kind, row.instance_id, row.frame, content.points, content.text, content.values, row.revision,
        Person(row.author_id, row.author_name), row.created_at, row.changed_at,
        Person(row.changed_by_id, row.changed_by_name),
    )  # fmt: skip


def put(session: Session, place: Place, wanted: Wanted, by: Author) -> tuple[StoredMark, bool]:
    """Write a mark in the caller's transaction; says also whether anything changed by it.

    Raises `InstanceNotFound` where its picture is not one of the study within reach, `MarkInvalid`, `MarkNotFound`
    where the id is another mark's that is out of reach, `MarkChanged`, `MarkDeleted`, `TooManyMarks`.
    """
    lock_archive(session)
    instance = _instance(session, place, wanted.instance_id)
    _check(wanted, instance)
    content = msgspec.json.encode(wanted.content).decode()
    found = session.execute(sa.select(MARK).where(MARK.c.id == wanted.id)).one_or_none()
    if found is None:
        if wanted.revision != 0:
            raise MarkNotFound
        _require_room(session, place, len(content), new=True)
        _insert(session, place, wanted, instance, content, by)
    else:
        _require_reach(session, place, found)
        if _is_same(found, wanted, content):
            return stored(found), False
        if found.revision != wanted.revision:
            raise _conflict(found)
        _require_room(session, place, len(content) - found.size, new=found.deleted_at is not None)
        _update(session, place, wanted, instance, content, by)
    _note_change(session, place)
    return stored(session.execute(sa.select(MARK).where(MARK.c.id == wanted.id)).one()), True


def delete(session: Session, place: Place, mark_id: uuid.UUID, revision: int, by: Author) -> bool:
    """Delete a mark in the caller's transaction; says whether it was not deleted before.

    Its place in the order of revisions stays for some days, so that it can be brought back by who has it still; what
    it held goes at once. Raises `MarkNotFound`, `MarkChanged`.
    """
    lock_archive(session)
    found = session.execute(sa.select(MARK).where(MARK.c.id == mark_id)).one_or_none()
    if found is None:
        raise MarkNotFound
    _require_reach(session, place, found)
    if found.deleted_at is not None:
        return False
    if found.revision != revision:
        raise _conflict(found)
    session.execute(
        sa.update(MARK)
        .where(MARK.c.id == mark_id)
        .values(
            content=_DELETED, size=0, revision=revision + 1, deleted_at=place.now, changed_at=place.now,
            changed_by_id=by.id, changed_by_name=by.name,
        )
    )  # fmt: skip
    _note_change(session, place)
    return True


def forget_deleted(session: Session, before: datetime) -> int:
    """Drop marks that were deleted before `before`; returns how many."""
    result = session.execute(sa.delete(MARK).where(MARK.c.deleted_at < before))
    return int(getattr(result, "rowcount", 0))


def _instance(session: Session, place: Place, instance_id: uuid.UUID) -> Any:
    columns = (INSTANCE.c.series_id, INSTANCE.c.rows, INSTANCE.c.columns, INSTANCE.c.frames)
    row = session.execute(
        sa.select(*columns).where(
            INSTANCE.c.id == instance_id,
            INSTANCE.c.organisation_id == place.organisation_id,
            INSTANCE.c.study_id == place.study_id,
            alive(place.now),
            place.within,
        )
    ).one_or_none()
    if row is None:
        raise InstanceNotFound
    return row


def _require_reach(session: Session, place: Place, found: Any) -> None:
    """Raise `MarkNotFound` where a mark is of another study, or lies on a picture that is out of reach."""
    if found.organisation_id != place.organisation_id or found.study_id != place.study_id:
        raise MarkNotFound
    try:
        _instance(session, place, found.instance_id)
    except InstanceNotFound as error:
        raise MarkNotFound from error


def _is_same(found: Any, wanted: Wanted, content: str) -> bool:
    place = (found.kind, found.instance_id, found.frame)
    alike = place == (wanted.kind, wanted.instance_id, wanted.frame) and found.content == content
    return alike and found.deleted_at is None and wanted.revision <= found.revision


def _conflict(found: Any) -> MarkChanged | MarkDeleted:
    if found.deleted_at is not None:
        return MarkDeleted(revision=found.revision)
    return MarkChanged(mark=msgspec.to_builtins(stored(found)), revision=found.revision)


def _require_room(session: Session, place: Place, more_bytes: int, *, new: bool) -> None:
    living = (MARK.c.study_id == place.study_id, MARK.c.deleted_at.is_(None))
    count, size = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(MARK.c.size), 0)).where(*living)
    ).one()
    if new and count >= MOST_MARKS:
        raise TooManyMarks(f"a study may have at most {MOST_MARKS} marks", most=MOST_MARKS, of="marks")
    if more_bytes > 0 and size + more_bytes > MOST_BYTES:
        raise TooManyMarks(f"the marks of a study may take at most {MOST_BYTES} bytes", most=MOST_BYTES, of="bytes")


def _insert(session: Session, place: Place, wanted: Wanted, instance: Any, content: str, by: Author) -> None:
    row = {
        **_values(place, wanted, instance, content, by),
        "id": wanted.id,
        "organisation_id": place.organisation_id,
        "study_id": place.study_id,
        "author_kind": by.kind,
        "author_id": by.id,
        "author_name": by.name[:200],
        "created_at": place.now,
    }
    session.execute(sa.insert(MARK), [row])


def _update(session: Session, place: Place, wanted: Wanted, instance: Any, content: str, by: Author) -> None:
    values = _values(place, wanted, instance, content, by)
    session.execute(sa.update(MARK).where(MARK.c.id == wanted.id).values(**values))


def _values(place: Place, wanted: Wanted, instance: Any, content: str, by: Author) -> dict[str, Any]:
    return {
        "series_id": instance.series_id,
        "instance_id": wanted.instance_id,
        "frame": wanted.frame,
        "kind": wanted.kind,
        "content": content,
        "size": len(content),
        "revision": wanted.revision + 1,
        "changed_by_id": by.id,
        "changed_by_name": by.name[:200],
        "changed_at": place.now,
        "deleted_at": None,
    }


def _note_change(session: Session, place: Place) -> None:
    """Give the study the next turn: listeners look for it, and filing begins once it has rested."""
    turn = session.scalar(
        sa.select(sa.func.max(MARKED.c.turn)).where(MARKED.c.organisation_id == place.organisation_id)
    )
    values = {"turn": (turn or 0) + 1, "changed_at": place.now, "open_since": place.now}
    done = session.execute(sa.update(MARKED).where(MARKED.c.study_id == place.study_id).values(**values))
    if not getattr(done, "rowcount", 0):
        row = {"study_id": place.study_id, "organisation_id": place.organisation_id, "filed_turn": 0, **values}
        session.execute(sa.insert(MARKED), [row])


def _check(wanted: Wanted, instance: Any) -> None:
    """Raise `MarkInvalid` naming what is wrong with a mark on its picture."""
    content = wanted.content
    if wanted.kind not in KINDS:
        raise MarkInvalid(f"there is no mark of the kind {wanted.kind[:40]!r}", field="kind")
    least, most = POINTS[wanted.kind]
    if not least <= len(content.points) <= most:
        amount = f"{least}" if least == most else f"{least} to {most}"
        raise MarkInvalid(
            f"a mark of the kind {wanted.kind} has {amount} points, not {len(content.points)}", field="points"
        )
    if content.points and not (instance.rows and instance.columns):
        raise MarkInvalid("this object holds no picture that could be drawn on", field="instance_id")
    if not 1 <= wanted.frame <= max(1, instance.frames):
        raise MarkInvalid(f"the picture has {instance.frames} frames, not {wanted.frame}", field="frame")
    _check_points(content.points, instance.columns, instance.rows)
    _check_words(content)


def _check_points(points: Sequence[Point], columns: int, rows: int) -> None:
    """Allow a point to lie outside its picture by as much as the picture is wide or high."""
    for number, point in enumerate(points, 1):
        for value, extent, name in zip(point, (columns, rows), ("column", "row"), strict=True):
            low, high = -float(extent), 2.0 * extent
            if not low <= value <= high:
                raise MarkInvalid(
                    f"the {name} of point {number} must lie between {low:g} and {high:g}, not at {value:g}",
                    field="points",
                )


def _check_words(content: Content) -> None:
    if len(content.text) > LONGEST_TEXT:
        raise MarkInvalid(f"a mark's text may have at most {LONGEST_TEXT} characters", field="text")
    if any((ord(sign) < 32 and sign not in "\n\t") or ord(sign) == 127 for sign in content.text):
        raise MarkInvalid("a mark's text holds a control character", field="text")
    names = [value.name for value in content.values]
    if len(names) > MOST_VALUES or len(set(names)) < len(names):
        raise MarkInvalid(f"a mark has each value once, and at most {MOST_VALUES}", field="values")

"""Marks as rows: listed, written, deleted; two at once are told of each other.

A change names the revision that it is based on. The same change twice is one; one that is based on what is no more
raises `MarkChanged` with what is there. What is within reach is decided by the caller, who hands in a scope's filter.
What somebody typed is told to those who may know the patient, and to who typed it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.cited import space_of
from radrelay.archive.errors import InstanceNotFound, SeriesNotFound
from radrelay.archive.instances import alive
from radrelay.archive.locking import lock_archive
from radrelay.archive.tables import INSTANCE, SERIES, table_of
from radrelay.marks.checking import Content, check_in_space, check_on_picture
from radrelay.marks.errors import MarkChanged, MarkDeleted, MarkInvalid, MarkNotFound, TooManyMarks
from radrelay.marks.models import Mark, MarkedStudy
from radrelay.marks.objects.shapes import Point, Point3
from radrelay.marks.objects.sheet import Author, Space, Value

MOST_MARKS = 2_000  # of a study
MOST_BYTES = 16 << 20  # of all their contents
KEEP_DELETED_DAYS = 7

MARK, MARKED = table_of(Mark), table_of(MarkedStudy)
_DELETED = '{"points":[],"text":"","values":[]}'


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mark as somebody wants it to be, and the revision that this is based on (0: it is new).

    It lies on a frame of an instance, or at its content's `space`, which was measured in `series_id`.
    """

    id: uuid.UUID
    kind: str
    instance_id: uuid.UUID | None
    frame: int | None
    content: Content
    revision: int
    series_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """To whom marks are told: whether he may know the patient, and as what he knows frames of reference."""

    id: str
    clear: bool
    told: Callable[[str], str | None]

    def may_read(self, text: str, by_id: str) -> bool:
        """Say whether he may read a text that `by_id` typed: it may hold a name."""
        return self.clear or not text or (by_id == self.id and by_id != "")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose study is read or written to, within which series, when, by whom."""

    organisation_id: uuid.UUID
    study_id: uuid.UUID
    within: sa.ColumnElement[bool]
    """A scope's filter on `INSTANCE`."""
    now: datetime
    reader: Reader


class Person(msgspec.Struct, frozen=True):
    """Who, as marks show it."""

    id: str
    name: str


class StoredSpace(msgspec.Struct, frozen=True):
    """Where a mark lies in the patient: mm, in a frame of reference that is told as its reader knows it."""

    series_id: uuid.UUID
    frame_of_reference: str | None
    points: list[Point3]


class StoredMark(msgspec.Struct, frozen=True):
    """A mark as it is kept and shown. `text_hidden`: it has a text that its reader must not see."""

    id: uuid.UUID
    kind: str
    series_id: uuid.UUID
    instance_id: uuid.UUID | None
    frame: int | None
    points: list[Point]
    space: StoredSpace | None
    text: str
    text_hidden: bool
    label: Point | None
    values: list[Value]
    revision: int
    author: Person
    created_at: datetime
    changed_at: datetime
    changed_by: Person


def list_marks(session: Session, place: Place) -> list[StoredMark]:
    """Return the marks on what lives of a study within reach, in the order in which they were made."""
    rows = session.execute(
        sa.select(MARK)
        .where(
            MARK.c.organisation_id == place.organisation_id,
            MARK.c.study_id == place.study_id,
            MARK.c.deleted_at.is_(None),
            lies_on(alive(place.now), place.within),
        )
        .order_by(MARK.c.created_at, MARK.c.id)
    )
    return [told(row, place.reader) for row in rows]


def lies_on(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return the condition that a mark's picture, or one of the series that it was measured in, meets `conditions`."""
    picture = sa.exists().where(INSTANCE.c.id == MARK.c.instance_id, *conditions)
    series = sa.exists().where(INSTANCE.c.series_id == MARK.c.series_id, *conditions)
    return sa.or_(picture, sa.and_(MARK.c.instance_id.is_(None), series))


def content_of(row: Any) -> Content:
    """Return what a row holds beside its place."""
    return msgspec.json.decode(row.content, type=Content)


def told(row: Any, reader: Reader) -> StoredMark:
    """Return a row as a mark, as far as its reader may know it."""
    content = content_of(row)
    readable = reader.may_read(content.text, row.text_by_id)
    space = content.space
    return StoredMark(
        id=row.id,
        kind=row.kind,
        series_id=row.series_id,
        instance_id=row.instance_id,
        frame=row.frame,
        points=content.points,
        space=StoredSpace(row.series_id, reader.told(space.frame_of_reference), space.points) if space else None,
        text=content.text if readable else "",
        text_hidden=not readable,
        label=content.label,
        values=content.values,
        revision=row.revision,
        author=Person(row.author_id, row.author_name),
        created_at=row.created_at,
        changed_at=row.changed_at,
        changed_by=Person(row.changed_by_id, row.changed_by_name),
    )


def put(session: Session, place: Place, wanted: Wanted, by: Author) -> tuple[StoredMark, bool]:
    """Write a mark in the caller's transaction; says also whether anything changed by it.

    Raises `InstanceNotFound` or `SeriesNotFound` where it lies on what is not the study's and within reach,
    `MarkInvalid`, `MarkNotFound` where the id is another mark's that is out of reach, `MarkChanged`, `MarkDeleted`,
    `TooManyMarks`.
    """
    lock_archive(session)
    wanted = replace(wanted, instance_id=_shown(session, place, wanted.instance_id))
    found = session.execute(sa.select(MARK).where(MARK.c.id == wanted.id)).one_or_none()
    kept = _kept(session, place, wanted, found, by)
    if found is None:
        if wanted.revision != 0:
            raise MarkNotFound
        _require_room(session, place, kept["size"], new=True)
        _insert(session, place, wanted, kept, by)
    else:
        _require_reach(session, place, found)
        _require_hidden_text_kept(found, wanted, place.reader)
        if _is_same(found, wanted, kept):
            return told(found, place.reader), False
        if found.revision != wanted.revision:
            raise _conflict(found, place.reader)
        _require_room(session, place, kept["size"] - found.size, new=found.deleted_at is not None)
        session.execute(sa.update(MARK).where(MARK.c.id == wanted.id).values(**_changed(place, wanted, by), **kept))
    _note_change(session, place)
    return told(session.execute(sa.select(MARK).where(MARK.c.id == wanted.id)).one(), place.reader), True


def _kept(session: Session, place: Place, wanted: Wanted, found: Any, by: Author) -> dict[str, Any]:
    """Return what a mark is to be, as columns, if it may be so; a text that its writer must not see stays as it is."""
    content, text_by = wanted.content, by.id if wanted.content.text else ""
    if wanted.instance_id is None:
        series_id, space = _space(session, place, wanted)
        content = msgspec.structs.replace(content, space=space)
    else:
        instance = _instance(session, place, wanted.instance_id)
        check_on_picture(wanted.kind, wanted.frame or 0, content, instance)
        series_id = instance.series_id
    if found is not None:
        text = content_of(found).text
        if not place.reader.may_read(text, found.text_by_id) and not content.text:
            content = msgspec.structs.replace(content, text=text)
        if content.text == text:
            text_by = found.text_by_id
    encoded = msgspec.json.encode(content).decode()
    return {
        "series_id": series_id,
        "instance_id": wanted.instance_id,
        "frame": wanted.frame,
        "kind": wanted.kind,
        "content": encoded,
        "size": len(encoded),
        "text_by_id": text_by,
    }


def _require_hidden_text_kept(found: Any, wanted: Wanted, reader: Reader) -> None:
    """Raise `MarkInvalid`, or that the mark has changed, where a text that its writer does not see would be replaced.

    It is not compared with what he sends either: that would tell whether he guessed it.
    """
    if wanted.content.text and not reader.may_read(content_of(found).text, found.text_by_id):
        if found.revision != wanted.revision:
            raise _conflict(found, reader)
        raise MarkInvalid("this mark has a text that is not for you to see: it stays", field="text")


def _space(session: Session, place: Place, wanted: Wanted) -> tuple[uuid.UUID, Space]:
    """Return the series that a mark was measured in, and where it lies; raises `SeriesNotFound`, `MarkInvalid`."""
    space, series_id = wanted.content.space, wanted.series_id
    if space is None or series_id is None:
        raise MarkInvalid("a mark lies on a picture or in the patient", field="instance_id")
    _require_series(session, place, series_id)
    attributes = session.scalar(sa.select(SERIES.c.attributes).where(SERIES.c.id == series_id))
    frame_of_reference = space_of(attributes or "{}")
    if not frame_of_reference:
        raise MarkInvalid("this series names no frame of reference", field="space")
    if space.frame_of_reference != place.reader.told(frame_of_reference):
        raise MarkInvalid("this series lies in another frame of reference", field="space")
    check_in_space(wanted.kind, wanted.content)
    return series_id, Space(frame_of_reference, space.points)


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
        raise _conflict(found, place.reader)
    session.execute(
        sa.update(MARK)
        .where(MARK.c.id == mark_id)
        .values(
            content=_DELETED, size=0, text_by_id="", revision=revision + 1, deleted_at=place.now, changed_at=place.now,
            changed_by_id=by.id, changed_by_name=by.name,
        )
    )  # fmt: skip
    _note_change(session, place)
    return True


def forget_deleted(session: Session, before: datetime) -> int:
    """Drop marks that were deleted before `before`; returns how many."""
    result = session.execute(sa.delete(MARK).where(MARK.c.deleted_at < before))
    return int(getattr(result, "rowcount", 0))


def _shown(session: Session, place: Place, instance_id: uuid.UUID | None) -> uuid.UUID | None:
    """Return the picture that stands in the place of one that was corrected while somebody drew on it."""
    corrected = sa.select(INSTANCE.c.sop_uid).where(INSTANCE.c.id == instance_id, INSTANCE.c.corrected.is_(True))
    instead = sa.select(INSTANCE.c.id).where(
        INSTANCE.c.organisation_id == place.organisation_id,
        INSTANCE.c.study_id == place.study_id,
        INSTANCE.c.sop_uid.in_(corrected),
        INSTANCE.c.current,
    )
    return session.scalar(instead) or instance_id


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


def _require_series(session: Session, place: Place, series_id: uuid.UUID) -> None:
    """Raise `SeriesNotFound` unless a picture of a series of the study is within reach."""
    found = sa.select(INSTANCE.c.id).where(
        INSTANCE.c.series_id == series_id,
        INSTANCE.c.organisation_id == place.organisation_id,
        INSTANCE.c.study_id == place.study_id,
        alive(place.now),
        place.within,
    )
    if session.scalar(found.limit(1)) is None:
        raise SeriesNotFound


def _require_reach(session: Session, place: Place, found: Any) -> None:
    """Raise `MarkNotFound` where a mark is of another study, or lies on what is out of reach."""
    if found.organisation_id != place.organisation_id or found.study_id != place.study_id:
        raise MarkNotFound
    try:
        if found.instance_id is None:
            _require_series(session, place, found.series_id)
        else:
            _instance(session, place, found.instance_id)
    except (InstanceNotFound, SeriesNotFound) as error:
        raise MarkNotFound from error


def _is_same(found: Any, wanted: Wanted, kept: dict[str, Any]) -> bool:
    names = ("kind", "series_id", "instance_id", "frame", "content")
    alike = all(getattr(found, name) == kept[name] for name in names)
    return alike and found.deleted_at is None and wanted.revision <= found.revision


def _conflict(found: Any, reader: Reader) -> MarkChanged | MarkDeleted:
    if found.deleted_at is not None:
        return MarkDeleted(revision=found.revision)
    return MarkChanged(mark=msgspec.to_builtins(told(found, reader)), revision=found.revision)


def _require_room(session: Session, place: Place, more_bytes: int, *, new: bool) -> None:
    living = (MARK.c.study_id == place.study_id, MARK.c.deleted_at.is_(None))
    count, size = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(MARK.c.size), 0)).where(*living)
    ).one()
    if new and count >= MOST_MARKS:
        raise TooManyMarks(f"a study may have at most {MOST_MARKS} marks", most=MOST_MARKS, of="marks")
    if more_bytes > 0 and size + more_bytes > MOST_BYTES:
        raise TooManyMarks(f"the marks of a study may take at most {MOST_BYTES} bytes", most=MOST_BYTES, of="bytes")


def _insert(session: Session, place: Place, wanted: Wanted, kept: dict[str, Any], by: Author) -> None:
    row = {
        **_changed(place, wanted, by),
        **kept,
        "id": wanted.id,
        "organisation_id": place.organisation_id,
        "study_id": place.study_id,
        "author_kind": by.kind,
        "author_id": by.id,
        "author_name": by.name[:200],
        "created_at": place.now,
    }
    session.execute(sa.insert(MARK), [row])


def _changed(place: Place, wanted: Wanted, by: Author) -> dict[str, Any]:
    return {
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

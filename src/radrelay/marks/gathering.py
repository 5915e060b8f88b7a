"""From rows to sheets: which objects a study's marks make, each with all that goes into it.

Marks are grouped by the holding that keeps their picture longest, so that an object never outlives, nor shows to
anybody, more than the pictures it is of. Of superseded instances nothing is made: their UID names other pixels now.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.archive.errors import StudyNotFound
from radrelay.archive.instances import InstanceRef, alive, find_instances
from radrelay.archive.models import Study
from radrelay.archive.tables import HOLDING, INSTANCE, INSTANCE_HOLDING, SERIES
from radrelay.dicom.encapsulate import StudyContext
from radrelay.dicom.greyscale import Presentation, presentation
from radrelay.dicom.header import Header
from radrelay.dicom.lookup import LookupTable
from radrelay.dicom.pixels import describe
from radrelay.errors import RadrelayError
from radrelay.marks.models import MarkedStudy
from radrelay.marks.objects.sheet import Author, DrawnMark, ObjectKind, Picture, Shown, Table
from radrelay.marks.service import MARK, content_of, lies_on

log = structlog.get_logger(__name__)

ISSUER = "00100021"


class Headers(Protocol):
    """Reads headers of instances; `archive.reader.InstanceReader` does."""

    def header(self, ref: InstanceRef) -> Header:
        """Return an instance's attributes."""
        ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A mark with where it lies; one that lies in the patient stands at a picture of the series it was measured in."""

    drawn: DrawnMark
    instance_id: uuid.UUID
    series_id: uuid.UUID
    holding_id: uuid.UUID


@dataclass(slots=True)
class Gathered:
    """A study's marks as of one moment. `turn` says whether anything has changed since."""

    study: StudyContext
    patient: tuple[str, str, str]
    turn: int
    changed_at: datetime
    marks: list[Placed]
    pictures: dict[uuid.UUID, Picture]
    refs: dict[uuid.UUID, InstanceRef]
    shown: dict[tuple[uuid.UUID, int], Shown] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """An object to be: of which kind, within which holding, of what."""

    kind: ObjectKind
    subject: str
    holding_id: uuid.UUID
    marks: Sequence[Placed]
    pictures: Sequence[Picture]

    @property
    def digest(self) -> bytes:
        """Return what tells this content from any other; times and revisions are no part of it."""
        content = ([placed.drawn for placed in self.marks], self.pictures)
        return hashlib.sha256(msgspec.json.encode(content)).digest()


def gather(
    session: Session,
    now: datetime,
    organisation_id: uuid.UUID,
    study_id: uuid.UUID,
    within: sa.ColumnElement[bool] | None = None,
    also: Iterable[uuid.UUID] = (),
) -> Gathered:
    """Read a study's marks, and of their pictures (and `also` those) what objects say of them.

    `within` is a scope's filter; none only where the system itself reads. Raises `StudyNotFound`.
    """
    study = session.scalar(sa.select(Study).where(Study.id == study_id, Study.organisation_id == organisation_id))
    if study is None:
        raise StudyNotFound
    conditions = [INSTANCE.c.current, alive(now), sa.true() if within is None else within]
    rows = session.execute(
        sa.select(MARK)
        .where(MARK.c.study_id == study_id, MARK.c.deleted_at.is_(None), lies_on(*conditions))
        .order_by(MARK.c.created_at, MARK.c.id)
    ).all()
    anchors = _anchors(session, {row.series_id for row in rows if row.instance_id is None}, conditions)
    wanted = sorted({row.instance_id or anchors[row.series_id] for row in rows} | set(also))
    pictures = {row.id: _picture(row) for row in _instances(session, wanted, conditions)}
    refs = find_instances(session, now, organisation_id=organisation_id, instance_ids=wanted) if wanted else []
    holdings = _holdings(session, wanted, now)
    marked = session.get(MarkedStudy, study_id)
    return Gathered(
        study=_context(study),
        patient=(study.patient_issuer, study.patient_id_value, study.patient_name),
        turn=marked.turn if marked else 0,
        changed_at=marked.changed_at if marked else now,
        marks=[
            Placed(_drawn(row, pictures[picture]), picture, row.series_id, holdings[picture])
            for row in rows
            for picture in [row.instance_id or anchors[row.series_id]]
        ],
        pictures=pictures,
        refs={ref.id: ref for ref in refs},
    )


def look(gathered: Gathered, headers: Headers) -> None:
    """Read how the marked frames become grey, from headers; outside any transaction."""
    for placed in gathered.marks:
        key = placed.instance_id, placed.drawn.frame
        ref = gathered.refs.get(placed.instance_id)
        if _is_on_picture(placed) and key not in gathered.shown and ref is not None:
            gathered.shown[key] = _shown(headers, ref, placed.drawn.frame)


def plans(gathered: Gathered) -> Iterator[Plan]:
    """Yield the objects that a study's marks make, holding by holding."""
    for holding_id in sorted({placed.holding_id for placed in gathered.marks}):
        yield from plans_of([p for p in gathered.marks if p.holding_id == holding_id], gathered, holding_id)


def plans_of(marks: Sequence[Placed], gathered: Gathered, holding_id: uuid.UUID) -> Iterator[Plan]:
    """Yield a report, presentation states and key objects of `marks`, as far as there is something for each."""
    drawn = [_without_label(placed) for placed in marks if placed.drawn.kind != "key"]
    keys = [placed for placed in marks if placed.drawn.kind == "key"]
    if drawn:
        yield Plan("report", "report", holding_id, drawn, _pictures(drawn, gathered))
    groups: dict[str, list[Placed]] = {}
    for placed in filter(_is_on_picture, marks):
        groups.setdefault(_presentation(placed, gathered), []).append(placed)
    for subject, group in sorted(groups.items()):
        yield Plan("presentation", subject, holding_id, group, _pictures(group, gathered, shown=True))
    if keys:
        yield Plan("key-objects", "key-objects", holding_id, keys, _pictures(keys, gathered))


def _is_on_picture(placed: Placed) -> bool:
    """Say whether a mark is drawn on its picture: key images are not, nor what lies in the patient."""
    return placed.drawn.kind != "key" and placed.drawn.space is None


def _without_label(placed: Placed) -> Placed:
    """Return a mark as reports know it: where its label stands is no part of them, and makes no new one."""
    return replace(placed, drawn=msgspec.structs.replace(placed.drawn, label=None))


def _presentation(placed: Placed, gathered: Gathered) -> str:
    """Return which presentation state a mark goes into: one per series and modality step."""
    shown = gathered.shown.get((placed.instance_id, placed.drawn.frame), Shown())
    step = hashlib.sha256(msgspec.json.encode(shown.modality)).hexdigest()[:16]
    return f"presentation/{placed.series_id.hex}/{step}"


def _pictures(marks: Sequence[Placed], gathered: Gathered, *, shown: bool = False) -> list[Picture]:
    found: dict[uuid.UUID, Picture] = {}
    for placed in marks:
        if placed.instance_id not in found:
            picture = gathered.pictures[placed.instance_id]
            seen = gathered.shown.get((placed.instance_id, placed.drawn.frame), Shown()) if shown else None
            found[placed.instance_id] = msgspec.structs.replace(picture, shown=seen)
    return list(found.values())


def _instances(session: Session, ids: Sequence[uuid.UUID], conditions: list[Any]) -> Sequence[Any]:
    c = INSTANCE.c
    columns = (c.id, c.sop_class_uid, c.sop_uid, c.frames, c.rows, c.columns, SERIES.c.series_uid, SERIES.c.modality)
    statement = sa.select(*columns).join(SERIES, SERIES.c.id == c.series_id)
    return session.execute(statement.where(c.id.in_(ids), *conditions)).all()


def _picture(row: Any) -> Picture:
    return Picture(
        row.id, row.sop_class_uid, row.sop_uid, row.series_uid, row.modality, max(1, row.frames), row.rows or 0,
        row.columns or 0,
    )  # fmt: skip


def _drawn(row: Any, picture: Picture) -> DrawnMark:
    content = content_of(row)
    author = Author(row.author_id, row.author_name, row.author_kind)
    return DrawnMark(
        row.id, row.kind, picture.sop_uid, row.frame or 1, content.points, content.text, content.values, author,
        content.space, content.label,
    )  # fmt: skip


def _anchors(session: Session, series_ids: Collection[uuid.UUID], conditions: list[Any]) -> dict[uuid.UUID, uuid.UUID]:
    """Return a picture of each series to stand for it: of those that are kept longest, the same one each time."""
    c, held = INSTANCE.c, HOLDING.alias()  # an alias, for conditions look for holdings, too
    statement = (
        sa.select(c.series_id, c.id)
        .join(held, held.c.id == c.holding_id)
        .where(c.series_id.in_(series_ids), *conditions)
        .order_by(held.c.ends_at.is_not(None), held.c.ends_at.desc(), c.sop_uid)
    )
    found: dict[uuid.UUID, uuid.UUID] = {}
    for series_id, instance_id in session.execute(statement) if series_ids else ():
        found.setdefault(series_id, instance_id)
    return found


def _holdings(session: Session, instance_ids: Sequence[uuid.UUID], now: datetime) -> dict[uuid.UUID, uuid.UUID]:
    """Return of each instance the holding that keeps it longest."""
    lasting = sa.or_(HOLDING.c.ends_at.is_(None), HOLDING.c.ends_at > now)
    own = sa.select(INSTANCE.c.id, INSTANCE.c.holding_id, HOLDING.c.ends_at).join(
        HOLDING, HOLDING.c.id == INSTANCE.c.holding_id
    )
    further = sa.select(INSTANCE_HOLDING.c.instance_id, INSTANCE_HOLDING.c.holding_id, HOLDING.c.ends_at).join(
        HOLDING, HOLDING.c.id == INSTANCE_HOLDING.c.holding_id
    )
    best: dict[uuid.UUID, tuple[bool, datetime | None, uuid.UUID]] = {}
    for statement, column in ((own, INSTANCE.c.id), (further, INSTANCE_HOLDING.c.instance_id)):
        for instance_id, holding_id, ends_at in session.execute(statement.where(column.in_(instance_ids), lasting)):
            candidate = (ends_at is None, ends_at, holding_id)
            if instance_id not in best or _lasts_longer(candidate, best[instance_id]):
                best[instance_id] = candidate
    return {instance_id: found[2] for instance_id, found in best.items()}


def _lasts_longer(one: tuple[bool, datetime | None, uuid.UUID], other: tuple[bool, datetime | None, uuid.UUID]) -> bool:
    if one[1] is None or other[1] is None or one[1] == other[1]:
        return (one[0], one[2]) > (other[0], other[2])
    return one[1] > other[1]


def _context(study: Study) -> StudyContext:
    """Return whom and what a study is of, as its first object said: what joins it must not contradict that."""
    attributes = msgspec.json.decode(study.attributes or "{}")
    issuer = (attributes.get(ISSUER, {}).get("Value") or [""])[0]
    return StudyContext(
        study_uid=study.study_uid,
        patient_name=study.patient_name,
        patient_id=study.patient_id_value,
        issuer=str(issuer or ""),
        birth_date=study.patient_birth_date,
        sex=study.patient_sex,
        study_date=study.study_date,
        study_time=study.study_time,
        accession=study.accession_number,
        study_id=study.study_id_value,
        study_description=study.description,
        referring=study.referring_physician,
    )


def _shown(headers: Headers, ref: InstanceRef, frame: int) -> Shown:
    """Read how a frame becomes grey; where its header does not tell, the presentation state changes nothing."""
    try:
        header = headers.header(ref)
        descriptor = describe(header, ref.transfer_syntax_uid)
        if descriptor.samples > 1 or descriptor.photometric == "PALETTE COLOR":
            return Shown(colour=True)
        return _grey(presentation(header, descriptor, frame - 1))
    except RadrelayError as error:
        log.warning("a marked picture's grey values are not known", instance_id=str(ref.id), reason=error.code)
        return Shown()


def _grey(seen: Presentation) -> Shown:
    window = seen.window
    return Shown(
        inverse=seen.inverse,
        slope=seen.slope,
        intercept=seen.intercept,
        modality_table=_table(seen.modality_table),
        window=(window.center, window.width, window.function) if window else None,
        voi_table=_table(seen.voi_table),
    )


def _table(table: LookupTable | None) -> Table | None:
    return Table(table.first, table.bits, table.entries.astype("<u2").tobytes()) if table is not None else None

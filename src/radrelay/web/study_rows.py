"""What the study pages show beside a study's own row: its sources, series, attachments, holdings, instances."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Scope
from radrelay.archive.models import Source
from radrelay.archive.query import IndexedStudy
from radrelay.archive.tables import ATTACHMENT, HOLDING, INSTANCE, SERIES, STUDY, table_of
from radrelay.dicom.json_values import Values
from radrelay.dicom.planes import directions
from radrelay.dicom.syntaxes import VIDEOS
from radrelay.dicom.values import parse_number
from radrelay.storage.columns import Instant


def _lasting(ends_at: sa.ColumnElement[datetime | None]) -> sa.ColumnElement[bool]:
    return sa.or_(ends_at.is_(None), ends_at > sa.bindparam("now", type_=Instant))


# Built once and of plain columns: to make a statement takes longer than to run it, and the mapper longer than both.
_H, _A, _S, _I = HOLDING.c, ATTACHMENT.c, SERIES.c, INSTANCE.c
_SOURCE: sa.FromClause = table_of(Source)
_NAMES = (
    sa.select(_H.study_id, _SOURCE.c.name)
    .join_from(HOLDING, _SOURCE, _SOURCE.c.id == _H.source_id)
    .where(_H.study_id.in_(sa.bindparam("studies", expanding=True)), _lasting(_H.ends_at))
    .distinct()
    .order_by(_SOURCE.c.name)
)
_STUDY = sa.select(STUDY).where(STUDY.c.id == sa.bindparam("study"))
_PICTURED = (
    sa.select(_I.id)
    .where(_I.series_id == _S.id, _I.current, _I.rows > 0, _I.columns > 0, _I.transfer_syntax_uid.not_in(VIDEOS))
    .exists()
)
_SERIES = (
    sa.select(
        *(_S[name] for name in ("id", "series_uid", "modality", "number", "description", "body_part", "laterality")),
        *(_S.instance_count, _S.frame_count, _S.bytes, _S.orientation, _S.attributes),
        _PICTURED.label("pictured"),
    )
    .where(_S.study_id == sa.bindparam("study"))
    .order_by(_S.number.is_(None), _S.number, _S.series_uid)
)
_ATTACHMENTS = (
    sa.select(_A.id, _A.file_name, _A.file_size, _A.file_type, _A.received_at, _A.organisation_id)
    .where(_A.study_id == sa.bindparam("study"), _lasting(_A.ends_at))
    .order_by(_A.file_name)
)
_HOLDINGS = (
    sa.select(
        _H.id,
        _SOURCE.c.name.label("source"),
        *(_H.received_at, _H.expires_at, _H.ceiling_at, _H.hold_until, _H.hold_reason),
    )
    .join_from(HOLDING, _SOURCE, _SOURCE.c.id == _H.source_id)
    .where(_H.study_id == sa.bindparam("study"), _lasting(_H.ends_at))
    .order_by(_H.received_at)
)
_SHAPES = sa.select(_I.id, _I.rows, _I.columns, _I.view, _I.side).where(_I.series_id == sa.bindparam("series"))
PROJECTIONS = frozenset({"CR", "DX", "IO", "MG", "PX", "RF", "RG", "XA"})  # modalities whose pictures have views
MOST_VIEWS = 200
_VIEWS = (
    sa.select(_I.series_id, _I.id, _I.view, _I.side)
    .where(_I.series_id.in_(sa.bindparam("series", expanding=True)), _I.current, sa.or_(_I.view != "", _I.side != ""))
    .order_by(_I.series_id, _I.number.is_(None), _I.number, _I.sop_uid)
    .limit(MOST_VIEWS)
)


def source_names(session: Session, study_ids: Iterable[uuid.UUID], now: datetime) -> dict[uuid.UUID, list[str]]:
    """Return the names of the sources that hold each study."""
    names: dict[uuid.UUID, list[str]] = {}
    for study_id, name in session.execute(_NAMES, {"studies": list(study_ids), "now": now}):
        names.setdefault(study_id, []).append(name)
    return names


def study_row(session: Session, study_id: uuid.UUID) -> IndexedStudy:
    """Return the columns of a study that was found within reach before."""
    row: Any = session.execute(_STUDY, {"study": study_id}).one()
    return row  # type: ignore[no-any-return]  # a row has its columns as attributes


def series_rows(session: Session, study_id: uuid.UUID, scope: Scope) -> Sequence[Any]:
    """Return the study's series within reach, by number.

    `pictured` says whether one holds an object with rows and columns of pixels, and no video.
    """
    statement = _SERIES if scope.everything else _SERIES.where(scope.series_filter(_S.study_id, _S.id))
    return session.execute(statement, {"study": study_id}).all()


def series_of_studies(session: Session, study_ids: Sequence[uuid.UUID], scope: Scope) -> dict[uuid.UUID, list[Any]]:
    """Return the series of several studies within reach, by number: what tells studies alike."""
    statement = (
        sa.select(_S.study_id, _S.id, _S.body_part, _S.description, _PICTURED.label("pictured"))
        .where(_S.study_id.in_(study_ids), scope.series_filter(_S.study_id, _S.id))
        .order_by(_S.number.is_(None), _S.number, _S.series_uid)
    )
    found: dict[uuid.UUID, list[Any]] = {}
    for row in session.execute(statement):
        found.setdefault(row.study_id, []).append(row)
    return found


def attachment_rows(session: Session, study_id: uuid.UUID, now: datetime) -> Sequence[Any]:
    """Return the study's attachments by name."""
    return session.execute(_ATTACHMENTS, {"study": study_id, "now": now}).all()


def holding_rows(session: Session, study_id: uuid.UUID, now: datetime) -> Sequence[Any]:
    """Return the study's living holdings with their sources' names, the oldest first."""
    return session.execute(_HOLDINGS, {"study": study_id, "now": now}).all()


@dataclass(frozen=True, slots=True)
class Shape:
    """What the index knows of an instance's picture: its size, its view, the side of the body."""

    rows: int | None = None
    columns: int | None = None
    view: str = ""
    side: str = ""


def shapes(session: Session, series_id: uuid.UUID) -> dict[uuid.UUID, Shape]:
    """Return the shapes of a series' instances."""
    return {row_id: Shape(*rest) for row_id, *rest in session.execute(_SHAPES, {"series": series_id})}


def views(session: Session, series: Sequence[Any]) -> dict[uuid.UUID, list[Any]]:
    """Return by series which of its pictures show which view and side; of radiographs alone, up to `MOST_VIEWS`."""
    ids = [one.id for one in series if one.modality in PROJECTIONS]
    found: dict[uuid.UUID, list[Any]] = {}
    for row in session.execute(_VIEWS, {"series": ids}) if ids else ():
        found.setdefault(row.series_id, []).append(row)
    return found


class _OfSeries(msgspec.Struct, frozen=True, rename={"protocol": "00181030", "reference": "00200052"}):
    protocol: Values = Values()
    reference: Values = Values()


_of_series = msgspec.json.Decoder(_OfSeries)


def series_texts(attributes: str) -> tuple[str, str]:
    """Return protocol name and Frame of Reference UID of a series' DICOM JSON, as its first instance had them."""
    try:
        found = _of_series.decode(attributes)
    except msgspec.MsgspecError:
        return "", ""
    return found.protocol.text, found.reference.text


def cosines(orientation: str) -> tuple[float, ...]:
    """Return the directions that a series' first plane has, none if they are none."""
    numbers = tuple(parse_number(part) for part in orientation.split("\\"))
    return directions(Values(numbers)) or ()

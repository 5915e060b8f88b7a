"""What the study pages show beside a study's own row: its sources, series, attachments, holdings, instances."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Scope
from radrelay.archive.instances import InstanceRef
from radrelay.archive.metadata import MetadataReader
from radrelay.archive.models import Attachment, Holding, Instance, Series, Source, Study
from radrelay.dicom.syntaxes import VIDEOS
from radrelay.web.ordering import Plane, display_order


class _Numbers(msgspec.Struct, frozen=True):
    Value: tuple[float | None, ...] = ()


class Placement(msgspec.Struct, frozen=True, rename={
    "position": "00200032", "orientation": "00200037", "spacing": "00280030", "cine_rate": "00180040",
    "display_rate": "00082144", "frame_time": "00181063", "bits_allocated": "00280100", "pixel_data": "7FE00010",
}):  # fmt: skip
    """The part of an instance's metadata (DICOM JSON) that says where it lies, how fast it plays, if it has pixels."""

    position: _Numbers = _Numbers()
    orientation: _Numbers = _Numbers()
    spacing: _Numbers = _Numbers()
    cine_rate: _Numbers = _Numbers()
    display_rate: _Numbers = _Numbers()
    frame_time: _Numbers = _Numbers()
    bits_allocated: _Numbers = _Numbers()
    pixel_data: msgspec.Raw = msgspec.Raw()

    @property
    def plain_pixels(self) -> bool:
        """Return whether there is pixel data of a depth that is shown; all else needs a look at the header."""
        return bool(bytes(self.pixel_data)) and self.bits_allocated.Value[:1] in ((1,), (8,), (16,), (32,), (64,))

    def frames_per_second(self) -> float | None:
        """Return the rate that the object asks for (PS3.3 C.7.6.5), if any."""
        for rate in (self.display_rate, self.cine_rate):
            if rate.Value and rate.Value[0]:
                return rate.Value[0]
        if self.frame_time.Value and self.frame_time.Value[0]:
            return 1000 / self.frame_time.Value[0]
        return None


_placements = msgspec.json.Decoder(list[Placement], strict=False)


def numbers(found: _Numbers) -> tuple[float, ...]:
    """Return the numbers of an attribute, without empty ones."""
    return tuple(number for number in found.Value if number is not None)


def source_names(session: Session, study_ids: Iterable[uuid.UUID], now: datetime) -> dict[uuid.UUID, list[str]]:
    """Return the names of the sources that hold each study."""
    names: dict[uuid.UUID, list[str]] = {}
    rows = session.execute(
        sa.select(Holding.study_id, Source.name)
        .join(Source, Source.id == Holding.source_id)
        .where(Holding.study_id.in_(list(study_ids)), _lasting(now))
        .distinct()
        .order_by(Source.name)
    )
    for study_id, name in rows:
        names.setdefault(study_id, []).append(name)
    return names


def _lasting(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(Holding.ends_at.is_(None), Holding.ends_at > now)


def study_row(session: Session, study_id: uuid.UUID) -> Study:
    """Return the row of a study that was found within reach before."""
    return session.get_one(Study, study_id)


def series_rows(session: Session, study_id: uuid.UUID, scope: Scope) -> Sequence[Series]:
    """Return the study's series within reach, by number."""
    return session.scalars(
        sa.select(Series)
        .where(Series.study_id == study_id, scope.series_filter(Series.study_id, Series.id))
        .order_by(Series.number.is_(None), Series.number, Series.series_uid)
    ).all()


def pictured(session: Session, study_id: uuid.UUID) -> set[uuid.UUID]:
    """Return the series of a study that hold an object with rows and columns of pixels, and no video."""
    drawn = (
        sa.select(Instance.id)
        .where(Instance.series_id == Series.id, Instance.current, Instance.rows > 0, Instance.columns > 0)
        .where(Instance.transfer_syntax_uid.not_in(VIDEOS))
        .exists()
    )
    return set(session.scalars(sa.select(Series.id).where(Series.study_id == study_id, drawn)))


def attachment_rows(session: Session, study_id: uuid.UUID, now: datetime) -> Sequence[Attachment]:
    """Return the study's attachments by name."""
    living = sa.or_(Attachment.ends_at.is_(None), Attachment.ends_at > now)
    return session.scalars(
        sa.select(Attachment).where(Attachment.study_id == study_id, living).order_by(Attachment.file_name)
    ).all()


def holding_rows(session: Session, study_id: uuid.UUID, now: datetime) -> Sequence[tuple[Holding, str]]:
    """Return the study's living holdings with their sources' names, the oldest first."""
    found = session.execute(
        sa.select(Holding, Source.name)
        .join(Source, Source.id == Holding.source_id)
        .where(Holding.study_id == study_id, _lasting(now))
        .order_by(Holding.received_at)
    )
    return [(holding, name) for holding, name in found]


def sizes(session: Session, series_id: uuid.UUID) -> dict[uuid.UUID, tuple[int | None, int | None]]:
    """Return rows and columns of each of a series' instances."""
    found = session.execute(
        sa.select(Instance.id, Instance.rows, Instance.columns).where(Instance.series_id == series_id)
    )
    return {row_id: (rows, columns) for row_id, rows, columns in found}


def placements(metadata: MetadataReader, refs: Sequence[InstanceRef]) -> list[Placement]:
    """Return where each instance lies; nothing for all if one's metadata is beyond understanding."""
    try:
        found = _placements.decode(metadata.array(refs))
    except msgspec.MsgspecError:
        found = []
    return found if len(found) == len(refs) else [Placement()] * len(refs)


def in_display_order(refs: Sequence[InstanceRef], placed: Sequence[Placement]) -> list[int]:
    """Return the places of `refs` in display order."""
    planes = []
    for ref, placement in zip(refs, placed, strict=True):
        position = numbers(placement.position)
        at = (position[0], position[1], position[2]) if len(position) == 3 else None
        planes.append(Plane(ref.number, at, numbers(placement.orientation)))
    return display_order(planes)

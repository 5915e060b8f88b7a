"""Until when something can be done about an import: its link, what was fetched, or the import itself ends.

Told is only what is known: what a link says of itself (a SMART Health Link's `exp`, or that of a JSON Web Token in the
address, RFC 7519 4.1.4; neither is a promise), when the files that came are erased, and when the source's time is over,
for those in it who are not filed.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer.cases import FILED, FILING, OVER, PAGE
from radrelay.importer.models import ImportCase
from radrelay.intake.models import Parcel, RawFile
from radrelay.storage.columns import Instant

What = Literal["link", "files", "import"]
SETTLED = (FILING, FILED, OVER)
"""States in which nothing can be missed any more."""
_TOKEN = re.compile(r"(?<![\w-])[\w-]{8,4000}\.([\w-]{8,8000})\.[\w-]{0,4000}(?![\w-])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ending:
    """When an import's time is up, and what ends then."""

    at: datetime
    what: What


def token_end(link: str) -> datetime | None:
    """Return when the first JSON Web Token in an address says that it ends; none where none says so."""
    ends = (_end_of(found[1]) for found in _TOKEN.finditer(link))
    return next((one for one in ends if one is not None), None)


def _end_of(payload: str) -> datetime | None:
    try:
        told = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        at = told.get("exp") if isinstance(told, dict) else None
        if isinstance(at, bool) or not isinstance(at, int | float):
            return None
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError, RecursionError, binascii.Error):
        return None


def ending_of(row: ImportCase, files_end: datetime | None) -> Ending | None:
    """Return what of an import ends first; `files_end`: when the first file that came is erased."""
    if row.state in SETTLED:
        return None
    first = Ending(row.names_end_at or row.ends_at, "import")
    own = Ending(files_end, "files") if row.fetched_at and files_end else None
    if row.fetched_at is None and row.link_ends_at is not None:
        own = Ending(row.link_ends_at, "link")
    return own if own is not None and own.at <= first.at else first


def as_it_came_until(row: ImportCase, files_end: datetime | None, keep_filed: timedelta) -> datetime | None:
    """Return until when what came is here, so that it can be taken back as it came; none where it is gone.

    `keep_filed`: so long it stays after all of it is filed.
    """
    if files_end is None:
        return None
    settled = row.finished_at + keep_filed if row.state == FILED and row.finished_at is not None else files_end
    return min(files_end, row.names_end_at or row.ends_at, settled)


def files_ends(session: Session, parcel_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, datetime]:
    """Return when the first file of each parcel is erased; looked up, however many files there are."""
    first = sa.select(sa.func.min(RawFile.ends_at, type_=Instant)).where(RawFile.parcel_id == Parcel.id)
    end = first.scalar_subquery()
    asked = sa.select(Parcel.id, end).where(Parcel.id.in_(parcel_ids), end.is_not(None))
    return {row[0]: row[1] for row in session.execute(asked)}


def list_ending(
    session: Session,
    organisation_id: uuid.UUID,
    source_ids: Sequence[uuid.UUID] | None,
    *,
    until: datetime | None = None,
    states: Sequence[str] = (),
    after: uuid.UUID | None = None,
    limit: int = PAGE,
) -> list[ImportCase]:
    """Return imports whose time runs, what ends first first; of some sources if given, up to a moment if given."""
    ends = _ends()
    asked = sa.select(ImportCase).where(ImportCase.organisation_id == organisation_id, ImportCase.state.not_in(SETTLED))
    if source_ids is not None:
        asked = asked.where(ImportCase.source_id.in_(source_ids))
    if states:
        asked = asked.where(ImportCase.state.in_(states))
    if until is not None:
        asked = asked.where(ends <= until)
    last = session.scalar(sa.select(ends).where(ImportCase.id == after)) if after is not None else None
    if last is not None:
        at = sa.literal(last, Instant)
        asked = asked.where(sa.or_(ends > at, sa.and_(ends == at, ImportCase.id > after)))
    return list(session.scalars(asked.order_by(ends, ImportCase.id).limit(limit)))


def _ends() -> sa.ColumnElement[datetime]:
    """Return the moment of `ending_of` as the database tells it."""
    files = (
        sa.select(sa.func.min(RawFile.ends_at, type_=Instant))
        .where(RawFile.parcel_id == ImportCase.parcel_id)
        .scalar_subquery()
    )
    own = sa.case((ImportCase.fetched_at.is_not(None), files), else_=ImportCase.link_ends_at)
    whole = sa.func.coalesce(ImportCase.names_end_at, ImportCase.ends_at)
    return sa.case((own <= whole, own), else_=whole)

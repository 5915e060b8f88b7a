"""What caches keep here of archives elsewhere, found as a search there would find it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.retrieve.asking import person
from radrelay.retrieve.models import FetchRunStudy
from radrelay.retrieve.ports import FoundStudy, Wanted


@dataclass(frozen=True, slots=True)
class Cached:
    """From where a cache has a study, and when it asked for it last."""

    pacs_id: uuid.UUID
    at: datetime | None


def cached_from(session: Session, organisation_id: uuid.UUID, pacs_ids: Collection[uuid.UUID]) -> dict[str, Cached]:
    """Return the studies that caches have fetched from these archives, and from which and when."""
    kept = sa.select(FetchRunStudy.study_uid, FetchRunStudy.pacs_id, FetchRunStudy.asked_at).where(
        FetchRunStudy.organisation_id == organisation_id,
        FetchRunStudy.kind == "cache",
        FetchRunStudy.state == "done",
        FetchRunStudy.pacs_id.in_(pacs_ids),
    )
    rows = session.execute(kept.order_by(FetchRunStudy.asked_at, FetchRunStudy.id))
    return {row.study_uid: Cached(row.pacs_id, row.asked_at) for row in rows}


def is_wanted(study: FoundStudy, wanted: Wanted) -> bool:
    """Say whether a study is what a search looks for."""
    first, last = (day.strftime("%Y%m%d") if day else "" for day in (wanted.since, wanted.until))
    born = wanted.birth_date.strftime("%Y%m%d") if wanted.birth_date else ""
    exact = (
        (wanted.patient_id, study.patient_id),
        (wanted.accession_number, study.accession_number),
        (wanted.study_uid, study.study_uid),
        (born, study.birth_date),
    )
    if any(asked.strip() and not _like(asked.strip(), told) for asked, told in exact):
        return False
    if (first and study.study_date < first) or (last and study.study_date > last):
        return False
    if wanted.modalities and not set(wanted.modalities) & set(study.modalities):
        return False
    if wanted.description.strip() and not _like(f"*{wanted.description.strip()}*", study.description):
        return False
    name = person(wanted.patient_name)
    return not name or _like(name, study.patient_name)


def _like(pattern: str, text: str) -> bool:
    return fnmatchcase(text.casefold(), pattern.casefold())

"""What a study is called, for the record: it says so still when the study is gone."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Study
from radrelay.audit import StudyNamed

_NAMED = sa.select(
    Study.study_uid, Study.accession_number, Study.study_date, Study.modalities, Study.description
).where(Study.id == sa.bindparam("study"))


def study_named(session: Session, study_id: uuid.UUID) -> StudyNamed | None:
    """Return what the study with this row id is called; none if it is not there."""
    row = session.execute(_NAMED, {"study": study_id}).one_or_none()
    if row is None:
        return None
    uid, accession, date, modalities, description = row
    return StudyNamed(uid, accession, "" if date is None else f"{date:%Y%m%d}", modalities, description)

"""What a study is called, for the record: it says so still when the study is gone."""

from __future__ import annotations

import uuid
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Study
from radrelay.audit import StudyNamed

_NAMED = sa.select(
    Study.study_uid,
    Study.accession_number,
    Study.study_date,
    Study.modalities,
    Study.description,
    Study.patient_issuer,
    Study.patient_id_value,
    Study.patient_name,
    Study.patient_birth_date,
    Study.patient_sex,
).where(Study.id == sa.bindparam("study"))


def study_named(session: Session, study_id: uuid.UUID) -> StudyNamed | None:
    """Return what the study with this row id is called; none if it is not there."""
    row = session.execute(_NAMED, {"study": study_id}).one_or_none()
    if row is None:
        return None
    uid, accession, made, modalities, description, issuer, patient_id, name, born, sex = row
    return StudyNamed(
        uid, accession, _day(made), modalities, description, issuer, patient_id, name, _day(born), sex
    )  # fmt: skip


def _day(day: date | None) -> str:
    return "" if day is None else f"{day:%Y%m%d}"

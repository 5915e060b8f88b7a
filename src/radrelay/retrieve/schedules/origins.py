"""What the priors of a study that is here are looked for by."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Series, Study
from radrelay.retrieve.ports import Person
from radrelay.retrieve.schedules.finding import Origin


def origin_of(session: Session, study_id: uuid.UUID) -> tuple[uuid.UUID, Origin] | None:
    """Return what the priors of a study are looked for by; none if it does not say whose it is."""
    study = session.get(Study, study_id)
    if study is None or not study.patient_id_value:
        return None
    parts = session.scalars(sa.select(Series.body_part).where(Series.study_id == study_id).distinct())
    person = Person(
        study.patient_issuer, study.patient_id_value, study.patient_name, study.patient_birth_date, study.patient_sex
    )
    known = tuple(sorted({part.upper() for part in parts if part}))
    modalities = tuple(one for one in study.modalities.split("\\") if one)
    return study.organisation_id, Origin(person, modalities, known, study.study_uid)

"""The objects of studies, found by their series: the largest table is never read whole for a few of its rows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from radrelay.archive.models import Instance, Series, Study


def of_studies(study_ids: Sequence[uuid.UUID] | sa.Select[uuid.UUID]) -> sa.ColumnElement[bool]:
    """Return the condition for the instances of studies, all versions."""
    within = sa.and_(Series.organisation_id == Study.organisation_id, Series.study_id == Study.id)
    series = sa.select(Series.id).join_from(Study, Series, within).where(Study.id.in_(study_ids))
    return Instance.series_id.in_(series)

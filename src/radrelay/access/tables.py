"""The tables that conditions are on; the archive's by their names and columns, without importing the archive."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.elements import ColumnClause

from radrelay.access.models import Grant, Restricted
from radrelay.storage.columns import Id, Instant

GRANT = Grant.__table__.c  # plain columns: the mapper takes longer than the database
RESTRICTED = Restricted.__table__.c
IdColumn = ColumnElement[Any] | Any  # a mapped attribute or a column that holds ids


def _id(name: str) -> ColumnClause[Any]:
    return sa.column(name, Id)


HOLDING = sa.table(
    "holding", _id("id"), _id("study_id"), _id("patient_id"), _id("source_id"), sa.column("ends_at", Instant)
)
SERIES = sa.table("series", _id("id"), _id("study_id"), _id("organisation_id"), sa.column("body_part", sa.String))
INSTANCE = sa.table("instance", _id("id"), _id("series_id"), _id("holding_id"))
INSTANCE_HOLDING = sa.table("instance_holding", _id("instance_id"), _id("holding_id"))
STUDY = sa.table(
    "study", _id("id"), _id("organisation_id"), _id("patient_id"), sa.column("patient_id_value", sa.String),
    sa.column("patient_issuer", sa.String), sa.column("patient_birth_date", sa.Date),
    sa.column("patient_sex", sa.String), sa.column("patient_spellings", sa.String), sa.column("study_date", sa.Date),
    sa.column("expires_at", Instant), sa.column("patient_telling", sa.BigInteger),
)  # fmt: skip

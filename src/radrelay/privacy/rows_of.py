"""The rows of a person, table by table, as `personal_data` decides: what their export tells beside the studies."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.models import Grant
from radrelay.archive.models import Series
from radrelay.privacy.holdings_of import Held
from radrelay.privacy.personal_data import KEPT, Told
from radrelay.privacy.requests import RequestView
from radrelay.privacy.row_ways import Whose
from radrelay.storage.columns import Base

Row = dict[str, Any]


def whose(
    session: Session, organisation_id: uuid.UUID, one: RequestView, found: Held, everything: Held, *, alone: bool
) -> Whose:
    """Return whose rows are meant: the studies that were `found` for a request, out of `everything` under its ID.

    `alone`: the record, too, knows nobody else by this ID.
    """
    if one.subject.kind == "account":
        return Whose(organisation_id, account_id=one.subject.account_id, request_id=one.id)
    studies = tuple(study.id for study in found.studies)
    series = tuple(session.scalars(sa.select(Series.id).where(Series.study_id.in_(studies))))
    return Whose(
        organisation_id, studies, tuple(study.study_uid for study in found.studies), series,
        tuple(_links(session, studies, series)), tuple(each.id for each in found.aside), one.subject.issuer,
        one.subject.patient_id, request_id=one.id,
        whole=alone and len(found.studies) == len(everything.studies) and everything.people <= 1,
    )  # fmt: skip


def rows_of(session: Session, own: Whose) -> dict[str, list[Row]]:
    """Return the rows of a person by table, tables without any left out; nothing is secret in them."""
    found = {}
    for name, kept in KEPT.items():
        told = kept.of_account if own.account_id is not None else kept.of_patient
        rows = [] if told is None else _rows(session, name, told, own)
        if rows:
            found[name] = rows
    return found


def _rows(session: Session, name: str, told: Told, own: Whose) -> list[Row]:
    table = Base.metadata.tables[name]
    chosen = [table.c[column] for column in ("id", *told.columns) if column in table.c]
    wanted = sa.select(*chosen).where(told.way(table.c, own))
    if "organisation_id" in table.c:
        wanted = wanted.where(table.c.organisation_id == own.organisation_id)
    order = sorted(column.name for column in table.primary_key)
    return [dict(row._mapping) for row in session.execute(wanted.order_by(*(table.c[one] for one in order)))]


def _links(session: Session, studies: Iterable[uuid.UUID], series: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Return the links that were made to studies, or to series of them."""
    named = sa.or_(
        sa.and_(Grant.target_kind == "study", Grant.target_id.in_(studies)),
        sa.and_(Grant.target_kind == "series", Grant.target_id.in_(series)),
    )
    ids = session.scalars(sa.select(Grant.grantee_id).where(Grant.grantee_kind == "link", named).distinct())
    return [uuid.UUID(one) for one in ids]

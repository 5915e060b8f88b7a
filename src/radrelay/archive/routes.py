"""Which way a study search goes to its rows.

On SQLite the way is pinned (`INDEXED BY`, a unary plus that keeps a join's direction), for its planner does not know
how rare a word or a modality is. PostgreSQL plans text conditions itself, by pg_trgm's indexes.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement, FromClause

from radrelay.archive.patterns import TextNeed
from radrelay.archive.query import Sort
from radrelay.archive.study_conditions import TEXT, StudyConditions, has_modality, has_token
from radrelay.archive.tables import MODALITY, STUDY, TOKEN

_BY_DATE = "INDEXED BY ix_study_date"
_WALKS = {
    "date": _BY_DATE,
    "received": "INDEXED BY ix_study_received",
    "name": "INDEXED BY ix_study_name",
    "expires": "INDEXED BY ix_study_end",
}


@dataclass(frozen=True, slots=True)
class Route:
    """Tables to go through, the column that gives the order of dates there, and what is left to check."""

    source: FromClause
    key: ColumnElement[int]
    conditions: tuple[ColumnElement[bool], ...]
    hint: str = ""  # SQLite's, for the table study
    sorts_itself: bool = False  # few rows: sort them, do not walk an index in their order
    scattered: bool = False  # its rows do not lie together
    alone: tuple[
        ColumnElement[bool], ...
    ] = ()  # conditions on study_modality that say all but who sees and what is over


def choose_route(
    session: Session, organisation_id: uuid.UUID, conditions: StudyConditions, few: bool, sort: Sort
) -> Route:
    """Return the shortest way to the studies that `conditions` leave."""
    dialect = session.get_bind().dialect.name
    key: ColumnElement[int] = STUDY.c.sort_key
    if few or conditions.selective:
        return Route(STUDY, key, tuple(_checks(conditions)), sorts_itself=True)
    led = dialect == "sqlite" and [need for need in conditions.texts if need.phrases]
    if led:
        return _by_text(conditions, led)
    for need in conditions.texts:
        if len(need.tokens) == 1:
            return _by_token(conditions, need, dialect)
    if conditions.texts and dialect != "sqlite":
        return Route(STUDY, key, tuple(conditions.in_place(dialect)), scattered=True)
    if len(conditions.modalities) == 1 and sort == "date":
        return _by_modality(conditions, organisation_id, dialect)
    return Route(STUDY, key, tuple(_checks(conditions)), _WALKS[sort])


def _by_text(conditions: StudyConditions, led: list[TextNeed]) -> Route:
    match = " AND ".join(f"({need.match})" for need in led)
    source = TEXT.join(STUDY, STUDY.c.sort_key == sa.literal_column("+study_text.rowid"))
    found: list[ColumnElement[bool]] = [TEXT.c.study_text.op("MATCH")(match)]
    found += conditions.key_bounds(TEXT.c.rowid)
    for need in conditions.texts:
        if need not in led and need.tokens:
            found.append(has_token(need.tokens))
        if not (need in led and need.exact):
            found.append(need.predicate)
    found += _modality_and_plain(conditions)
    return Route(source, TEXT.c.rowid, tuple(found), _BY_DATE, scattered=True)


def _by_token(conditions: StudyConditions, lead: TextNeed, dialect: str) -> Route:
    source, key = _joined(TOKEN, dialect)
    found: list[ColumnElement[bool]] = [TOKEN.c.token == lead.tokens[0], *conditions.key_bounds(key)]
    found += [need.predicate for need in conditions.texts if not (need is lead and lead.exact)]
    return Route(source, key, tuple(found + _modality_and_plain(conditions)), _BY_DATE, scattered=True)


def _by_modality(conditions: StudyConditions, organisation_id: uuid.UUID, dialect: str) -> Route:
    source, key = _joined(MODALITY, dialect)
    lead: tuple[ColumnElement[bool], ...] = (
        MODALITY.c.modality == conditions.modalities[0],
        MODALITY.c.organisation_id == organisation_id,
        *conditions.key_bounds(key),
    )
    checks = _checks(replace(conditions, modalities=(), keys=(None, None)))
    return Route(source, key, (*lead, *checks), _BY_DATE, alone=() if checks else lead)


def _joined(table: sa.Table, dialect: str) -> tuple[FromClause, ColumnElement[int]]:
    key: ColumnElement[int] = table.c.sort_key
    pinned: ColumnElement[Any] = sa.literal_column(f"+{table.name}.sort_key") if dialect == "sqlite" else key
    return table.join(STUDY, STUDY.c.sort_key == pinned), key


def _checks(conditions: StudyConditions) -> list[ColumnElement[bool]]:
    """Return all conditions as checks on the study's row."""
    found = [need.predicate for need in conditions.texts]
    return found + conditions.key_bounds(STUDY.c.sort_key) + _modality_and_plain(conditions)


def _modality_and_plain(conditions: StudyConditions) -> list[ColumnElement[bool]]:
    found = list(conditions.plain)
    if conditions.modalities:
        found.append(has_modality(conditions.modalities))
    return found

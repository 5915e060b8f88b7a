"""Which way a study search goes to its rows.

On SQLite the way is pinned (`INDEXED BY`, a unary plus that keeps a join's direction), for its planner does not know
how rare a word or a modality is. PostgreSQL plans text conditions itself, by pg_trgm's indexes.

By arrival, which is the list's own order, neither words nor modalities are found in order. What matches is counted, so
far as that is quick (`find_rare`): a few are gathered and sorted, more are taken along on a walk, and of what is common
enough are found on the way. Before that the newest are looked at (`tries`): what is common fills a page from these.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement, FromClause

from radrelay.access import count_up_to
from radrelay.archive.patterns import TextNeed
from radrelay.archive.query import Sort
from radrelay.archive.study_conditions import TEXT, StudyConditions, has_modality, has_token
from radrelay.archive.tables import MODALITY, STUDY, TOKEN

_BY_DATE = "INDEXED BY ix_study_date"
WALKS = {
    "date": _BY_DATE,
    "received": "INDEXED BY ix_study_received",
    "name": "INDEXED BY ix_study_name",
    "expires": "INDEXED BY ix_study_end",
}
BY_PATIENT = "INDEXED BY ix_study_patient_row"
TRIED = 1_500  # of the newest, before another way is taken
SORTED = 1_000  # that match: no more are gathered to be sorted, each from a page that SQLite has to decrypt
SORTED_ON_SERVER = 5_000  # the same on PostgreSQL
SORTED_OF_FEW = 8_000  # the same for who sees so little that a walk would be longer still
MOST_KNOWN = 30_000  # that match and are taken along on a walk
KNOWN_OF_FEW = 1_000  # the same for who sees few: each of theirs is looked at in the index as fast as counted


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
    tries: int = 0  # the newest that are looked at before another way is taken

    def by_patient(self) -> Route:
        """Return the way by the patients' index, where it is one through few studies anyway."""
        return self if self.hint or self.scattered or not self.sorts_itself else replace(self, hint=BY_PATIENT)


def choose_route(
    session: Session, organisation_id: uuid.UUID, conditions: StudyConditions, few: bool, sort: Sort
) -> Route:
    """Return the shortest way to the studies that `conditions` leave."""
    dialect = session.get_bind().dialect.name
    key: ColumnElement[int] = STUDY.c.sort_key
    if few and not conditions.selective and dialect == "sqlite" and (conditions.texts or conditions.modalities):
        return of_few_route(conditions, find_rare(session, organisation_id, conditions, KNOWN_OF_FEW))
    if few or conditions.selective:
        return Route(STUDY, key, tuple(_checks(conditions)), sorts_itself=True)
    if sort == "received" and (conditions.texts or conditions.modalities):
        return Route(STUDY, key, tuple(_checks_on_the_way(conditions)), WALKS[sort], tries=TRIED)
    if conditions.texts:
        by_text = _in_order_of_dates(conditions, dialect)
        if by_text is not None:
            return by_text
    if len(conditions.modalities) == 1 and sort == "date":
        return _by_modality(conditions, organisation_id, dialect)
    return Route(STUDY, key, tuple(_checks(conditions)), WALKS[sort])


def _in_order_of_dates(conditions: StudyConditions, dialect: str) -> Route | None:
    led = [need for need in conditions.texts if need.phrases] if dialect == "sqlite" else []
    if led:
        return _by_text(conditions, led)
    for need in conditions.texts:
        if len(need.tokens) == 1:
            return _by_token(conditions, need, dialect)
    if dialect != "sqlite":
        return Route(STUDY, STUDY.c.sort_key, tuple(conditions.in_place(dialect)), scattered=True)
    return None


@dataclass(frozen=True, slots=True)
class Rare:
    """What matches a text or has a modality: sort keys and how many, as far as they were counted, and the way to them.

    `few` says that to gather and sort them is the shortest way, `known` that they can be taken along on another, where
    `rest` is left to check.
    """

    keys: sa.Select[Any]
    count: int
    gathered: Route
    few: bool
    known: bool
    rest: tuple[ColumnElement[bool], ...]

    def of_studies(self, ids: sa.CompoundSelect[Any]) -> Route:
        """Return the way to what of a modality are some studies, in hand: the modalities' index holds their ids."""
        keys = self.keys.where(sa.func.coalesce(MODALITY.c.study_id.in_(ids), sa.false()))
        return replace(self.gathered, conditions=(STUDY.c.sort_key.in_(keys), *self.rest))


def find_rare(
    session: Session, organisation_id: uuid.UUID, conditions: StudyConditions, most: int | None = None
) -> Rare:
    """Return what leads to what matches where the order is not that of the list; it is counted up to `most`."""
    dialect = session.get_bind().dialect.name
    most = most or MOST_KNOWN
    indexed = True
    led = [need for need in conditions.texts if need.phrases]
    token = next((need for need in conditions.texts if len(need.tokens) == 1), None)
    rest = conditions
    if led and dialect == "sqlite":
        inexact = tuple(need for need in conditions.texts if not (need.phrases and need.exact))
        rest = replace(conditions, texts=inexact)
        keys = sa.select(TEXT.c.rowid).where(TEXT.c.study_text.op("MATCH")(_match(led)))
        way = _by_text(conditions, led)
    elif token is not None and not led:
        keys = sa.select(TOKEN.c.sort_key).where(TOKEN.c.token == token.tokens[0])
        way = _by_token(conditions, token, dialect)
    elif conditions.texts:
        most, indexed = SORTED_ON_SERVER if dialect == "postgresql" else 0, False
        texts = [need.predicate for need in conditions.texts]
        keys = sa.select(STUDY.c.sort_key).where(STUDY.c.organisation_id == organisation_id, *texts)
        way = Route(STUDY, STUDY.c.sort_key, tuple(conditions.in_place(dialect)))
    else:
        has = MODALITY.c.modality.in_(conditions.modalities)
        keys = sa.select(MODALITY.c.sort_key).where(MODALITY.c.organisation_id == organisation_id, has)
        rest = replace(conditions, modalities=())
        way = Route(STUDY, STUDY.c.sort_key, (STUDY.c.sort_key.in_(keys), *_checks(rest)))
    count = count_up_to(session, [keys], most) if most else 1
    few = most > 0 and count <= (SORTED_ON_SERVER if dialect == "postgresql" else SORTED)
    known = indexed and count <= most
    way = replace(way, sorts_itself=True, scattered=True)
    return Rare(keys, count, way, few, known, tuple(_checks_on_the_way(rest)))


def walked_route(conditions: StudyConditions, rare: Rare) -> Route:
    """Return the way by arrival, with what matches in hand where that is not too much."""
    return Route(STUDY, STUDY.c.sort_key, _with_matching(conditions, rare), WALKS["received"])


def of_few_route(conditions: StudyConditions, rare: Rare) -> Route:
    """Return the way from the few that are seen, with what matches in hand: not a row of theirs is read for that."""
    return Route(STUDY, STUDY.c.sort_key, _with_matching(conditions, rare), sorts_itself=True)


def _with_matching(conditions: StudyConditions, rare: Rare) -> tuple[ColumnElement[bool], ...]:
    if not rare.known:
        return tuple(_checks_on_the_way(conditions))
    return (sa.func.coalesce(STUDY.c.sort_key.in_(rare.keys), sa.false()), *rare.rest)


def _match(led: list[TextNeed]) -> str:
    return " AND ".join(f"({need.match})" for need in led)


def _by_text(conditions: StudyConditions, led: list[TextNeed]) -> Route:
    match = _match(led)
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


def _checks_on_the_way(conditions: StudyConditions) -> list[ColumnElement[bool]]:
    """Return the same, so that no planner leaves the way for the index of a text."""
    found = [sa.func.coalesce(need.predicate, sa.false()) for need in conditions.texts]
    return found + conditions.key_bounds(STUDY.c.sort_key) + _modality_and_plain(conditions)


def _modality_and_plain(conditions: StudyConditions) -> list[ColumnElement[bool]]:
    found = list(conditions.plain)
    if conditions.modalities:
        found.append(has_modality(conditions.modalities))
    return found

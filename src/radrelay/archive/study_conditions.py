"""A study query's conditions, sorted by what can lead to the rows and what can only be checked on them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from radrelay.archive import patterns
from radrelay.archive.models import MODALITIES_LENGTH
from radrelay.archive.patterns import TextNeed
from radrelay.archive.query import DateRange, StudyQuery
from radrelay.archive.sort_key import FIRST_DATED, first_key, last_key
from radrelay.archive.tables import MODALITY, STUDY, TOKEN

TEXT = sa.table("study_text", sa.column("rowid", sa.BigInteger), sa.column("study_text", sa.Text))
SELECTIVE_PREFIX = 4


@dataclass(frozen=True, slots=True)
class StudyConditions:
    """`texts` and `modalities` can lead; `keys` bounds sort keys; `plain` is checked on the study's row.

    `selective` says that one of the plain ones has an index of its own and leaves few studies.
    """

    texts: tuple[TextNeed, ...]
    modalities: tuple[str, ...]
    keys: tuple[int | None, int | None]
    plain: tuple[ColumnElement[bool], ...]
    selective: bool

    def in_place(self, dialect: str) -> list[ColumnElement[bool]]:
        """Return everything as conditions on the table study, whatever leads to it."""
        found = [*self.plain, *self.key_bounds(STUDY.c.sort_key)]
        if self.modalities:
            found.append(has_modality(self.modalities))
        for need in self.texts:
            if dialect == "sqlite" and need.phrases:
                matching = sa.select(TEXT.c.rowid).where(TEXT.c.study_text.op("MATCH")(need.match))
                found.append(STUDY.c.sort_key.in_(matching))
            elif need.tokens:
                found.append(has_token(need.tokens))
            if not (dialect == "sqlite" and need.phrases and need.exact):
                found.append(need.predicate)
        return found

    def key_bounds(self, key: ColumnElement[int]) -> list[ColumnElement[bool]]:
        """Return the range of dates as one of sort keys."""
        least, greatest = self.keys
        bounds: list[ColumnElement[bool]] = []
        if least is not None:
            bounds.append(key >= least)
        if greatest is not None:
            bounds.append(key <= greatest)
        return bounds


def has_modality(modalities: tuple[str, ...]) -> ColumnElement[bool]:
    """Return the condition that a study has one of `modalities`.

    The study's row tells it, which indexes hold; where its text may have been cut off, their own table does.
    """
    told = sa.literal("\\", sa.String) + STUDY.c.modalities + sa.literal("\\", sa.String)
    stands = [sa.func.replace(told, f"\\{one}\\", "") != told for one in modalities]
    listed = sa.exists().where(MODALITY.c.study_id == STUDY.c.id, MODALITY.c.modality.in_(modalities))
    return sa.or_(*stands, sa.and_(sa.func.length(STUDY.c.modalities) >= MODALITIES_LENGTH, listed))


def has_token(tokens: tuple[str, ...]) -> ColumnElement[bool]:
    """Return the condition that a study's name has one of `tokens`."""
    return sa.exists().where(TOKEN.c.sort_key == STUDY.c.sort_key, TOKEN.c.token.in_(tokens))


def conditions_of(query: StudyQuery) -> StudyConditions:
    """Return the conditions of `query`."""
    plain: list[ColumnElement[bool]] = []
    texts = [
        *patterns.name_needs(query.name),
        *patterns.name_word_needs(query.name_words),
        *patterns.text_needs(query.text),
        *patterns.description_needs(query.description),
        *patterns.description_word_needs(query.description_words),
    ]
    selective = bool(query.study_uids)
    if query.study_uids:
        plain.append(STUDY.c.study_uid.in_(query.study_uids))
    for column, pattern in (
        (STUDY.c.patient_id_value, query.patient_id),
        (STUDY.c.accession_number, query.accession),
    ):
        if pattern.strip("*"):
            plain.append(patterns.identifier(column, pattern))
            known = pattern.split("*")[0].split("?")[0]
            exact = not patterns.has_wildcard(pattern)
            selective = selective or exact or len(known) >= SELECTIVE_PREFIX
            need = None if exact or len(known) >= SELECTIVE_PREFIX else patterns.identifier_need(pattern)
            if need is not None:
                texts.append(need)
    if query.birth_date is not None:
        plain.extend(_between(STUDY.c.patient_birth_date, query.birth_date))
        selective = selective or query.birth_date.first == query.birth_date.last
    plain.extend(_rarely_asked(query))
    return StudyConditions(tuple(texts), query.modalities, _keys(query.dates), tuple(plain), selective)


def _rarely_asked(query: StudyQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.issuer:
        found.append(STUDY.c.patient_issuer == query.issuer)
    if query.sex:
        found.append(STUDY.c.patient_sex == query.sex)
    if query.times is not None:
        if query.times.first is not None:
            found.append(STUDY.c.study_time >= query.times.first)
        if query.times.last is not None:
            found.append(STUDY.c.study_time <= query.times.last)
    for column, pattern in (
        (STUDY.c.study_id_value, query.study_id),
        (STUDY.c.referring_physician, query.referring),
        (STUDY.c.institution, query.institution),
    ):
        if pattern.strip("*"):
            found.append(patterns.like(column, pattern))
    return found


def _between(column: ColumnElement[object], days: DateRange) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if days.first is not None:
        bounds.append(column >= days.first)
    if days.last is not None:
        bounds.append(column <= days.last)
    return bounds


def _keys(days: DateRange | None) -> tuple[int | None, int | None]:
    if days is None or (days.first is None and days.last is None):
        return None, None
    least = FIRST_DATED if days.first is None else first_key(days.first)
    return least, None if days.last is None else last_key(days.last)

"""What grants reach, as SQL: one study or series at a time, or all ids of somebody who sees few.

Two forms say the same. *Each* asks of a row by indexes (grants by target, holdings by study): for a single study, and
for a list that walks an index until a page is full, which of what somebody sees much of is soon. *Few* names the ids:
for who sees so few that a walk would go through everything. Which is shorter is `Scope.listed`'s to judge.

Subqueries of *each* are scalar, not EXISTS: of an EXISTS below an OR PostgreSQL may make a hash of the whole table.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.access.asked import Asked
from radrelay.access.placeholders import SOURCES
from radrelay.access.tables import GRANT, HOLDING, INSTANCE, INSTANCE_HOLDING, RESTRICTED, SERIES, IdColumn

TARGETS = frozenset({"source", "study", "series"})
"""What a grant may be on short of the whole."""
Counted = Literal["ids", "patients", "one by one"]
"""What is counted of a reach: studies, patients, or the studies and series that grants name one by one."""
_LEFT = sa.bindparam("left_to_count", type_=sa.Integer)


def count_up_to(session: Session, found: Sequence[sa.Select[Any]], most: int) -> int:
    """Return how many rows some statements find together, counted to one more than `most`."""
    left = most + 1
    for one in found:
        if left > 0:
            some = one.limit(left).subquery()
            left -= session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    return most + 1 - left


def there_is(found: sa.Select[Any]) -> ColumnElement[bool]:
    """Return the condition that a correlated statement finds a row, as no planner makes a hash of."""
    return found.limit(1).scalar_subquery().is_not(None)


def lasting(held: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that a holding has not ended: one that has gives nothing, though others keep the study."""
    return sa.or_(held.c.ends_at.is_(None), held.c.ends_at > now)


@dataclass(frozen=True, slots=True)
class Reached:
    """What grants on some kinds of targets reach, whether or not it is restricted; `whole`: the organisation.

    A list that is walked has read the grants before (`read`): the `sources` stand in the statement then, and what
    grants name one by one is `gathered` once for the statement, if it is not too much, instead of asked of each row.
    """

    asked: Asked
    kinds: frozenset[str]
    whole: bool = False
    sources: tuple[uuid.UUID, ...] | None = None
    gathered: bool = False
    held_too: bool = False  # what sources hold is gathered as well
    named: int | None = None  # so many grants name a study, each saying whose it is; none: to be counted

    def read(self, session: Session, *, gathered: bool = False) -> Reached:
        """Return the same with the sources of its grants read; `gathered`: what is named one by one is, too."""
        sources: tuple[uuid.UUID, ...] = ()
        if "source" in self.kinds:
            sources = tuple(session.scalars(self.asked.blanked().targets("source"), self.asked.values()))
        kinds = self.kinds if sources else self.kinds - {"source"}
        return replace(self, kinds=kinds, sources=sources, gathered=gathered)

    def count(self, session: Session, what: Counted, most: int) -> int:
        """Return how many ids of studies or of patients there are, counted to one more than `most`."""
        left, values = most + 1 - min(self.named or 0, most + 1), self.values()
        rest = self.kinds if self.named is None else self.kinds - {"study"}
        for one in _counting(replace(self.blanked(), kinds=rest), what):
            if left > 0:
                left -= session.scalar(one, {**values, _LEFT.key: left}) or 0
        return most + 1 - left

    def study(self, study_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that a study is at least in part within reach."""
        parts: list[ColumnElement[bool]] = [sa.true()] if self.whole else []
        named = (self.ids() if self.held_too else self._one_by_one()) if self.gathered else []
        if named:  # no planner turns a coalesce round, to begin at the ids and sort them all
            parts.append(sa.func.coalesce(study_id.in_(sa.union_all(*named)), sa.false()))
        if "source" in self.kinds and not (named and self.held_too):
            parts.append(self._held(study_id))
        if named:
            return sa.or_(*parts)
        if "study" in self.kinds:
            parts.append(self._named("study", study_id))
        if "series" in self.kinds:
            one = SERIES.alias()
            of_study = sa.and_(one.c.study_id == study_id, one.c.organisation_id == self._organisation)
            parts.append(there_is(sa.select(sa.literal(1)).where(of_study, self._named("series", one.c.id))))
        return sa.or_(*parts) if parts else sa.false()

    def series(self, study_id: IdColumn, series_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that a series of a study is within reach."""
        parts: list[ColumnElement[bool]] = [sa.true()] if self.whole else []
        if "study" in self.kinds:
            parts.append(self._named("study", study_id))
        if "series" in self.kinds:
            parts.append(self._named("series", series_id))
        if "source" in self.kinds:
            parts.append(self._brought(series_id))
        return sa.or_(*parts) if parts else sa.false()

    def ids(self) -> list[sa.Select[Any]]:
        """Return statements for the ids of all studies at least in part within reach, of what is not `whole`."""
        found = self._one_by_one()
        if "source" in self.kinds:
            held = HOLDING.alias()
            by_source = held.c.source_id.in_(self._sources())
            found.append(sa.select(held.c.study_id).where(by_source, lasting(held, self.asked.at)))
        return found

    def in_hand(self) -> Reached:
        """Return the same with all ids gathered for the statement; no more than some thousands."""
        return replace(self, gathered=True, held_too=True)

    def patients(self) -> list[sa.Select[Any]]:
        """Return statements for the patients of all studies within reach, of what is not `whole`: no study is read.

        They lead to rows that are then judged one by one: to nobody's study that is not within reach.
        """
        found = [one for kind in ("study", "series") if kind in self.kinds for one in self.asked.patients(kind)]
        if "source" in self.kinds:
            held = HOLDING.alias()
            by_source = held.c.source_id.in_(self._sources())
            found.append(sa.select(held.c.patient_id).where(by_source, lasting(held, self.asked.at)))
        return found

    def pairs(self) -> list[sa.Select[Any]]:
        """Return statements for the studies within reach, each with its patient, where what names it says that."""
        found: list[sa.Select[Any]] = []
        if "study" in self.kinds:
            study_id, whose = GRANT.target_id.label("study_id"), GRANT.patient_id
            found.append(self.asked.grants("study", whose, study_id).where(whose.is_not(None)))
        if "source" in self.kinds:
            held = HOLDING.alias()
            by_source = held.c.source_id.in_(self._sources())
            found.append(sa.select(held.c.patient_id, held.c.study_id).where(by_source, lasting(held, self.asked.at)))
        return found

    def unpaired(self) -> list[sa.Select[Any]]:
        """Return statements for the ids of all the others."""
        found: list[sa.Select[Any]] = []
        if "study" in self.kinds:
            found.append(self.asked.targets("study").where(GRANT.patient_id.is_(None)))
        if "series" in self.kinds:
            one = SERIES.alias()
            found.append(sa.select(one.c.study_id).where(one.c.id.in_(self.asked.targets("series"))))
        return found

    def _one_by_one(self) -> list[sa.Select[Any]]:
        found: list[sa.Select[Any]] = []
        if "study" in self.kinds:
            found.append(self.asked.targets("study"))
        if "series" in self.kinds:
            one = SERIES.alias()
            found.append(sa.select(one.c.study_id).where(one.c.id.in_(self.asked.targets("series"))))
        return found

    def _sources(self) -> Any:
        if self.sources is None:
            return self.asked.targets("source")
        return SOURCES[self.asked.which] if self.asked.blank else self.sources

    def blanked(self) -> Reached:
        """Return the same for whoever asks like this and has sources, or has none: equal for all of them."""
        sources = () if self.sources is not None else None
        return replace(self, asked=self.asked.blanked(), sources=sources, named=None)

    def values(self) -> dict[str, Any]:
        """Return the values of the names."""
        sources = {} if self.sources is None else {SOURCES[self.asked.which].key: self.sources}
        return {**self.asked.values(), **sources}

    @property
    def _organisation(self) -> Any:
        return self.asked.organisation

    def _named(self, kind: str, row_id: IdColumn) -> ColumnElement[bool]:
        found = sa.select(sa.literal(1)).where(GRANT.target_kind == kind, GRANT.target_id == row_id)
        return there_is(found.where(self.asked.matching()))

    def _held(self, study_id: IdColumn) -> ColumnElement[bool]:
        held = HOLDING.alias()
        found = sa.select(sa.literal(1)).where(held.c.study_id == study_id, lasting(held, self.asked.at))
        by = sa.func.coalesce(held.c.source_id, held.c.source_id)  # the study leads, not one source after the other
        return there_is(found.where(by.in_(self._sources())))

    def _brought(self, series_id: IdColumn) -> ColumnElement[bool]:
        instance, held, further = INSTANCE.alias(), HOLDING.alias(), INSTANCE_HOLDING.alias()
        ours = sa.and_(held.c.source_id.in_(self._sources()), lasting(held, self.asked.at))
        first = sa.select(sa.literal(1)).join_from(instance, held, held.c.id == instance.c.holding_id)
        also = sa.select(sa.literal(1)).join_from(instance, further, further.c.instance_id == instance.c.id)
        also = also.join(held, held.c.id == further.c.holding_id)
        return sa.or_(*(there_is(found.where(instance.c.series_id == series_id, ours)) for found in (first, also)))


@lru_cache(maxsize=256)
def _counting(blank: Reached, what: Counted) -> list[sa.Select[Any]]:
    found = {"ids": blank.ids, "patients": blank.patients, "one by one": blank._one_by_one}[what]()
    return [sa.select(sa.func.count()).select_from(one.limit(_LEFT).subquery()) for one in found]


@dataclass(frozen=True, slots=True)
class Openness:
    """Restricted studies: what is not one, and which of them somebody's own grants show all the same."""

    asked: Asked
    kinds: frozenset[str]  # of all grants
    trusted: frozenset[str]  # of those to groups that see restricted studies; may hold "organisation"
    gathered: bool = False  # all restricted studies once for the statement, instead of asking for each row

    def study(self, study_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that no restriction, or a grant in spite of it, lets a study be seen."""
        admitted = (one.study(study_id) for one in self._admitting())
        if self.gathered:
            return sa.or_(sa.not_(is_restricted(study_id, self.asked.organisation)), *admitted)
        return sa.or_(open_to_all(study_id), *admitted)

    def series(self, study_id: IdColumn, series_id: IdColumn) -> ColumnElement[bool]:
        """Return the same of a series."""
        return sa.or_(open_to_all(study_id), *(one.series(study_id, series_id) for one in self._admitting()))

    def blanked(self) -> Openness:
        """Return the same for whoever asks like this."""
        return replace(self, asked=self.asked.blanked())

    def _admitting(self) -> list[Reached]:
        own = Reached(replace(self.asked, which="personal"), self.kinds & {"study", "series"})
        trusted = Reached(
            replace(self.asked, which="trusted"), self.trusted - {"organisation"}, "organisation" in self.trusted
        )
        return [one for one in (own, trusted) if one.kinds or one.whole]


def is_restricted(study_id: IdColumn, organisation_id: Any) -> ColumnElement[bool]:
    """Return the condition that a study is one of the organisation's restricted ones, gathered once."""
    ids = sa.select(RESTRICTED.study_id).where(
        RESTRICTED.organisation_id == organisation_id, RESTRICTED.barred.is_(False)
    )
    return sa.func.coalesce(study_id.in_(ids), sa.false())


def open_to_all(study_id: IdColumn) -> ColumnElement[bool]:
    """Return the condition that a study falls under no restriction that some grants open."""
    found = sa.select(sa.literal(1)).where(RESTRICTED.study_id == study_id, RESTRICTED.barred.is_(False))
    return found.limit(1).scalar_subquery().is_(None)


def unbarred(study_id: IdColumn) -> ColumnElement[bool]:
    """Return the condition that processing of a study is not restricted (`barring`): that no grant opens."""
    found = sa.select(sa.literal(1)).where(RESTRICTED.study_id == study_id, RESTRICTED.barred.is_(True))
    return found.limit(1).scalar_subquery().is_(None)

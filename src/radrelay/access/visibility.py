"""What grants reach, as SQL: one study or series at a time, or all ids of somebody who sees few.

Two forms say the same. *Each* asks of a row by indexes (grants by target, holdings by study): for a single study, and
for a list that walks an index until a page is full, which of what somebody sees much of is soon. *Few* names the ids:
for who sees so few that a walk would go through everything. Which is shorter is `Scope.listed`'s to judge.

Subqueries of *each* are scalar, not EXISTS: of an EXISTS below an OR PostgreSQL may make a hash of the whole table.
The archive's tables are named by their names and columns, without importing the archive.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.elements import ColumnClause

from radrelay.access.grants import ANYBODY
from radrelay.access.models import Grant, Group, Member, Restricted
from radrelay.access.principal import Principal, Right
from radrelay.storage.columns import Id, Instant

NO_ROLE = "-"  # of devices; no grant names it
BROKEN_GLASS = "break-glass"
BY_RULE = "rule"
OWNER = "owner"
UNTHOUGHT = (BY_RULE, OWNER)
"""Grants that nobody gave with a study's being restricted in mind: they do not show it."""
LEADING_NOWHERE = (BROKEN_GLASS, OWNER)
"""Who opened or brought one study sees no others of its patient by that."""
GRANT = Grant.__table__.c  # plain columns: the mapper takes longer than the database
_MEMBER, _GROUP = Member.__table__.c, Group.__table__.c
RESTRICTED = Restricted.__table__.c
IdColumn = ColumnElement[Any] | Any  # a mapped attribute or a column that holds ids
Which = Literal["all", "personal", "trusted", "leading", "marked"]
"""Which of somebody's grants: all; those that a person gave to themselves or a group, not to a role or anybody, and
none by a rule or of an owner, for nobody thought of that study; those to a group that sees restricted studies; those
by which earlier studies may be seen; of these the marked ones."""


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
    sa.column("expires_at", Instant),
)  # fmt: skip


def whom(organisation: Any, kind: Any, grantee: Any, role: Any) -> sa.CompoundSelect[Any]:
    """Return whom a grant may be for to count for somebody: pairs of kind and id."""
    own, name, its_role = _text(kind), _text(grantee), _text(role)
    group, of_role, anybody = (sa.literal(word, sa.String) for word in ("group", "role", ANYBODY))
    groups = sa.select(group, _MEMBER.group_id).where(
        _MEMBER.organisation_id == organisation, _MEMBER.member_kind == own, _MEMBER.member_id == name
    )
    return sa.union_all(
        sa.select(own.label("kind"), name.label("id")),
        sa.select(own, anybody),
        groups,
        sa.select(of_role, its_role),
        sa.select(of_role, anybody).where(its_role != NO_ROLE),
    )


def grants_of(found: sa.CompoundSelect[Any]) -> sa.FromClause:
    """Return the grants for some: from them to the grants by an index, where alternatives would read all grants."""
    some = found.subquery()
    fits = sa.and_(GRANT.grantee_kind == some.c.kind, GRANT.grantee_id == some.c.id)
    return some.join(Grant.__table__, fits)


def counts(organisation: Any, right: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that a grant is the organisation's, holds the right, and lasts."""
    lasts = sa.or_(GRANT.ends_at.is_(None), GRANT.ends_at > now)
    return sa.and_(GRANT.organisation_id == organisation, GRANT.rights.like(right), lasts)


def _text(value: Any) -> ColumnElement[Any]:
    return value if isinstance(value, ColumnElement) else sa.literal(value, sa.String)


def is_trusted(organisation: Any) -> ColumnElement[bool]:
    """Return the condition that a grant is to a group that sees restricted studies."""
    trusted = sa.select(_GROUP.key).where(_GROUP.organisation_id == organisation, _GROUP.sees_restricted.is_(True))
    return sa.and_(GRANT.grantee_kind == "group", GRANT.grantee_id.in_(trusted))


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what and when, and by which of their grants."""

    principal: Principal
    right: Right
    now: datetime
    which: Which = "all"

    def matching(self) -> ColumnElement[bool]:
        """Return the condition that a grant is one of these; for statements that are led by something else."""
        return sa.and_(sa.tuple_(GRANT.grantee_kind, GRANT.grantee_id).in_(self._whom()), *self._counting())

    def targets(self, kind: str) -> sa.Select[Any]:
        """Return what the grants on a kind of target name."""
        return self._targets(kind, GRANT.target_id)

    def patients(self, kind: str) -> list[sa.Select[Any]]:
        """Return statements for whose the studies or series are that the grants on such a kind name.

        A grant says it itself, if its study was here when it was given.
        """
        one = STUDY.alias()
        said = self._targets(kind, GRANT.patient_id).where(GRANT.patient_id.is_not(None))
        untold = self.targets(kind).where(GRANT.patient_id.is_(None))
        if kind == "series":
            part = SERIES.alias()
            untold = sa.select(part.c.study_id).where(part.c.id.in_(untold))
        return [said, sa.select(one.c.patient_id).where(one.c.id.in_(untold))]

    def _targets(self, kind: str, column: ColumnElement[Any]) -> sa.Select[Any]:
        return _targets(self, kind, column)

    def grants(self, kind: str, *columns: ColumnElement[Any]) -> sa.Select[Any]:
        """Return columns of the grants on a kind of target."""
        found = sa.select(*columns).select_from(grants_of(self._whom()))
        return found.where(GRANT.target_kind == kind, *self._counting())

    def _whom(self) -> sa.CompoundSelect[Any]:
        one = self.principal
        return whom(one.organisation_id, one.kind, one.id, one.role or NO_ROLE)

    def _counting(self) -> list[ColumnElement[bool]]:
        organisation = self.principal.organisation_id
        found = [counts(organisation, f"%,{self.right.value},%", self.now)]
        match self.which:
            case "personal":
                found += [GRANT.grantee_kind != "role", GRANT.grantee_id != ANYBODY, GRANT.origin.not_in(UNTHOUGHT)]
            case "trusted":
                found.append(is_trusted(organisation))
            case "leading":
                found.append(GRANT.origin.not_in(LEADING_NOWHERE))
            case "marked":
                found += [GRANT.origin.not_in(LEADING_NOWHERE), GRANT.priors.is_(True)]
        return found


@lru_cache(maxsize=64)
def _targets(asked: Asked, kind: str, column: ColumnElement[Any]) -> sa.Select[Any]:
    """Return the same statement again while a request asks: to make it takes longer than the database does."""
    return asked.grants(kind, column)


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


def lasting(held: Any, now: datetime) -> ColumnElement[bool]:
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

    def read(self, session: Session, *, gathered: bool = False) -> Reached:
        """Return the same with the sources of its grants read; `gathered`: what is named one by one is, too."""
        sources = tuple(session.scalars(self.asked.targets("source"))) if "source" in self.kinds else ()
        kinds = self.kinds if sources else self.kinds - {"source"}
        return replace(self, kinds=kinds, sources=sources, gathered=gathered)

    def names_up_to(self, session: Session, most: int) -> bool:
        """Say whether grants name no more than `most` studies and series one by one."""
        return count_up_to(session, self._one_by_one(), most) <= most

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
            found.append(sa.select(held.c.study_id).where(by_source, lasting(held, self.asked.now)))
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
            found.append(sa.select(held.c.patient_id).where(by_source, lasting(held, self.asked.now)))
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
            found.append(sa.select(held.c.patient_id, held.c.study_id).where(by_source, lasting(held, self.asked.now)))
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
        return self.asked.targets("source") if self.sources is None else self.sources

    @property
    def _organisation(self) -> Any:
        return self.asked.principal.organisation_id

    def _named(self, kind: str, row_id: IdColumn) -> ColumnElement[bool]:
        found = sa.select(sa.literal(1)).where(GRANT.target_kind == kind, GRANT.target_id == row_id)
        return there_is(found.where(self.asked.matching()))

    def _held(self, study_id: IdColumn) -> ColumnElement[bool]:
        held = HOLDING.alias()
        found = sa.select(sa.literal(1)).where(held.c.study_id == study_id, lasting(held, self.asked.now))
        by = sa.func.coalesce(held.c.source_id, held.c.source_id)  # the study leads, not one source after the other
        return there_is(found.where(by.in_(self._sources())))

    def _brought(self, series_id: IdColumn) -> ColumnElement[bool]:
        instance, held, further = INSTANCE.alias(), HOLDING.alias(), INSTANCE_HOLDING.alias()
        ours = sa.and_(held.c.source_id.in_(self._sources()), lasting(held, self.asked.now))
        first = sa.select(sa.literal(1)).join_from(instance, held, held.c.id == instance.c.holding_id)
        also = sa.select(sa.literal(1)).join_from(instance, further, further.c.instance_id == instance.c.id)
        also = also.join(held, held.c.id == further.c.holding_id)
        return sa.or_(*(there_is(found.where(instance.c.series_id == series_id, ours)) for found in (first, also)))


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
            return sa.or_(sa.not_(is_restricted(study_id, self.asked.principal.organisation_id)), *admitted)
        return sa.or_(open_to_all(study_id), *admitted)

    def series(self, study_id: IdColumn, series_id: IdColumn) -> ColumnElement[bool]:
        """Return the same of a series."""
        return sa.or_(open_to_all(study_id), *(one.series(study_id, series_id) for one in self._admitting()))

    def _admitting(self) -> list[Reached]:
        own = Reached(replace(self.asked, which="personal"), self.kinds & {"study", "series"})
        trusted = Reached(
            replace(self.asked, which="trusted"), self.trusted - {"organisation"}, "organisation" in self.trusted
        )
        return [one for one in (own, trusted) if one.kinds or one.whole]


def is_restricted(study_id: IdColumn, organisation_id: uuid.UUID) -> ColumnElement[bool]:
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

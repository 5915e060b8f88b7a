"""Whose grants are asked for: by what right, when, and which of them, as SQL."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from radrelay.access.grants import ANYBODY
from radrelay.access.models import Grant, Group, Member
from radrelay.access.placeholders import KIND, NOW, ORGANISATION, ROLE, WHO
from radrelay.access.principal import Principal, Right
from radrelay.access.tables import GRANT, SERIES, STUDY

NO_ROLE = "-"  # of devices; no grant names it
BROKEN_GLASS = "break-glass"
BY_RULE = "rule"
OWNER = "owner"
UNTHOUGHT = (BY_RULE, OWNER)
"""Grants that nobody gave with a study's being restricted in mind: they do not show it."""
LEADING_NOWHERE = (BROKEN_GLASS, OWNER)
"""Who opened or brought one study sees no others of its patient by that."""
Which = Literal["all", "personal", "trusted", "leading", "marked"]
"""Which of somebody's grants: all; those that a person gave to themselves or a group, not to a role or anybody, and
none by a rule or of an owner, for nobody thought of that study; those to a group that sees restricted studies; those
by which earlier studies may be seen; of these the marked ones."""
_MEMBER, _GROUP = Member.__table__.c, Group.__table__.c
_ANYBODY = Principal("account", "", "", uuid.UUID(int=0))  # nobody's, should it ever be asked by
_EVER = datetime.max.replace(tzinfo=UTC)


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
    """Who asks for what and when, and by which of their grants; `blank`: names stand for who and when."""

    principal: Principal
    right: Right
    now: datetime
    which: Which = "all"
    blank: bool = False

    def blanked(self) -> Asked:
        """Return the same for whoever asks like this: equal for all of them (see `written`)."""
        return replace(self, principal=_ANYBODY, now=_EVER, blank=True)

    def values(self) -> dict[str, Any]:
        """Return the values of the names."""
        one = self.principal
        named = (ORGANISATION, KIND, WHO, ROLE, NOW)
        mine = (one.organisation_id, one.kind, one.id, one.role or NO_ROLE, self.now)
        return {name.key: value for name, value in zip(named, mine, strict=True)}

    @property
    def organisation(self) -> Any:
        """Return whose studies are asked for."""
        return ORGANISATION if self.blank else self.principal.organisation_id

    @property
    def at(self) -> Any:
        """Return when it is asked."""
        return NOW if self.blank else self.now

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
        if self.blank:
            return whom(ORGANISATION, KIND, WHO, ROLE)
        one = self.principal
        return whom(one.organisation_id, one.kind, one.id, one.role or NO_ROLE)

    def _counting(self) -> list[ColumnElement[bool]]:
        organisation = self.organisation
        found = [counts(organisation, f"%,{self.right.value},%", self.at)]
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

"""The one rule of who sees what: a principal and a right become a SQL filter at series level.

Study list, QIDO-RS, WADO-RS, C-FIND, C-MOVE, exports and deliveries all put this filter into their queries.
It names the archive's tables by their names and columns, without importing the archive.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.elements import ColumnClause

from radrelay.access.grants import ANYBODY
from radrelay.access.models import Grant, Member
from radrelay.access.principal import Principal, Right
from radrelay.clock import SystemClock
from radrelay.storage.columns import Id, Instant

_SYSTEM_CLOCK = SystemClock()
NO_ROLE = "-"  # of devices; no grant names it
_GRANT = Grant.__table__.c  # plain columns: the mapper takes longer than the database
_MEMBER = Member.__table__.c


def _id(name: str) -> ColumnClause[Any]:
    return sa.column(name, Id)


HOLDING = sa.table("holding", _id("id"), _id("study_id"), _id("source_id"), sa.column("ends_at", Instant))
SERIES = sa.table("series", _id("id"), _id("study_id"))
INSTANCE = sa.table("instance", _id("id"), _id("series_id"), _id("holding_id"))
INSTANCE_HOLDING = sa.table("instance_holding", _id("instance_id"), _id("holding_id"))

IdColumn = ColumnElement[Any] | Any  # a mapped attribute or a column that holds ids


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks for what and when."""

    principal: Principal
    right: Right
    now: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """What one principal may reach with one right.

    Queries add `study_filter` or `series_filter` beside `organisation_id`. `identity` says whether patients are
    shown in the clear or by alias. `everything` is true where no filter is needed within the organisation.
    `within` are the reaches that bound this one: of a link, that of who shares.
    """

    organisation_id: uuid.UUID
    identity: Literal["clear", "alias"]
    everything: bool
    kinds: frozenset[str]
    _asked: _Asked
    within: tuple[Scope, ...] = ()

    @property
    def nothing(self) -> bool:
        """Say whether no study at all is within reach."""
        return (not self.everything and not self.kinds) or any(one.nothing for one in self.within)

    def _targets(self, kind: str) -> sa.Select[Any]:
        return sa.select(_GRANT.target_id).where(_matching(self._asked), _GRANT.target_kind == kind)

    def study_filter(self, study_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that the study with id `study_id` is at least in part within reach."""
        if self.within:
            part = SERIES.alias()  # series by series: what bounds a reach may hold another part of the same study
            return study_id.in_(sa.select(part.c.study_id).where(self.series_filter(part.c.study_id, part.c.id)))
        if self.everything:
            return sa.true()
        parts: list[ColumnElement[bool]] = []
        if "study" in self.kinds:
            parts.append(study_id.in_(self._targets("study")))
        if "source" in self.kinds:
            parts.append(study_id.in_(self._held("study_id")))
        if "series" in self.kinds:
            series = SERIES.alias()
            parts.append(study_id.in_(sa.select(series.c.study_id).where(series.c.id.in_(self._targets("series")))))
        return sa.or_(*parts) if parts else sa.false()

    def series_filter(self, study_id: IdColumn, series_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that the series `series_id` of the study `study_id` is within reach."""
        if self.within:
            both = (replace(self, within=()), *self.within)
            return sa.and_(*(one.series_filter(study_id, series_id) for one in both))
        if self.everything:
            return sa.true()
        parts: list[ColumnElement[bool]] = []
        if "study" in self.kinds:
            parts.append(study_id.in_(self._targets("study")))
        if "series" in self.kinds:
            parts.append(series_id.in_(self._targets("series")))
        if "source" in self.kinds:
            parts.append(self._brought_by_source(series_id))
        return sa.or_(*parts) if parts else sa.false()

    def _held(self, column: str) -> sa.Select[Any]:
        """Return a column of the sources' holdings; one that has ended gives nothing, though others keep the study."""
        held = HOLDING.alias()
        lasting = sa.or_(held.c.ends_at.is_(None), held.c.ends_at > self._asked.now)
        return sa.select(held.c[column]).where(held.c.source_id.in_(self._targets("source")), lasting)

    def _brought_by_source(self, series_id: IdColumn) -> ColumnElement[bool]:
        instance, further = INSTANCE.alias(), INSTANCE_HOLDING.alias()
        holdings = self._held("id")
        also = sa.select(further.c.instance_id).where(
            further.c.instance_id == instance.c.id, further.c.holding_id.in_(holdings)
        )
        return sa.exists(
            sa.select(instance.c.id).where(
                instance.c.series_id == series_id,
                sa.or_(instance.c.holding_id.in_(holdings), also.exists()),
            )
        )


def scope(session: Session, principal: Principal, right: Right, *, now: datetime | None = None) -> Scope:
    """Return what `principal` may reach with `right` at `now` (default: the present).

    Someone without any matching grant gets a scope whose filters are false: an empty list, never an error.
    """
    asked = _Asked(principal, right, now or _SYSTEM_CLOCK.now())
    if principal.kind == "system":
        return Scope(principal.organisation_id, "clear", True, frozenset(), asked)
    if principal.kind == "link":
        return _of_link(session, asked)
    return _granted(session, asked)


def _of_link(session: Session, asked: _Asked) -> Scope:
    """Return what a link holds and who shares it may still share, and do itself; in the clear where all are."""
    sharer = asked.principal.sharer
    if sharer is None or sharer.kind == "link":
        return Scope(asked.principal.organisation_id, "alias", False, frozenset(), asked)
    rights = sorted({asked.right, Right.SHARE})
    own, *bounds = (
        _granted(session, asked),
        *(_granted(session, _Asked(sharer, right, asked.now)) for right in rights),
    )
    clear = all(one.identity == "clear" for one in (own, *bounds))
    within = tuple(one for one in bounds if not one.everything)  # what reaches everything bounds nothing
    return replace(own, everything=False, identity="clear" if clear else "alias", within=within)


def _granted(session: Session, asked: _Asked) -> Scope:
    principal, right = asked.principal, asked.right
    values = {
        "organisation": principal.organisation_id,
        "kind": principal.kind,
        "id": principal.id,
        "role": principal.role or NO_ROLE,
        "right": f"%,{right.value},%",
        "now": asked.now,
    }
    found = {(kind, identity) for kind, identity in session.execute(_KINDS, values)}
    everything = any(kind == "organisation" for kind, _ in found)
    clear = ("organisation", "clear") in found or all(identity == "clear" for _, identity in found)
    kinds = frozenset(kind for kind, _ in found if kind != "organisation")
    return Scope(principal.organisation_id, "clear" if clear else "alias", everything, kinds, asked)


def _condition(organisation: Any, kind: Any, grantee: Any, role: Any, right: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that a grant is for the grantee, its groups or its role, holds the right, and lasts."""
    return sa.and_(
        _GRANT.organisation_id == organisation,
        sa.or_(
            sa.and_(_GRANT.grantee_kind == kind, sa.or_(_GRANT.grantee_id == grantee, _GRANT.grantee_id == ANYBODY)),
            sa.and_(_GRANT.grantee_kind == "group", _GRANT.grantee_id.in_(_groups(organisation, kind, grantee))),
            sa.and_(_GRANT.grantee_kind == "role", sa.or_(_GRANT.grantee_id == role, _any_role(role))),
        ),
        _GRANT.rights.like(right),
        sa.or_(_GRANT.ends_at.is_(None), _GRANT.ends_at > now),
    )


def _groups(organisation: Any, kind: Any, grantee: Any) -> sa.Select[Any]:
    return sa.select(_MEMBER.group_id).where(
        _MEMBER.organisation_id == organisation, _MEMBER.member_kind == kind, _MEMBER.member_id == grantee
    )


def _any_role(role: Any) -> ColumnElement[bool]:
    return sa.and_(_GRANT.grantee_id == ANYBODY, sa.literal(NO_ROLE) != role)


_KINDS = (  # built once: making the expression takes longer than asking the database
    sa.select(_GRANT.target_kind, _GRANT.identity)
    .where(
        _condition(
            sa.bindparam("organisation", type_=Id),
            sa.bindparam("kind", type_=sa.String),
            sa.bindparam("id", type_=sa.String),
            sa.bindparam("role", type_=sa.String),
            sa.bindparam("right", type_=sa.String),
            sa.bindparam("now", type_=Instant),
        )
    )
    .distinct()
)


def matching(principal: Principal, right: Right, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a grant gives `principal` the `right` at `now`."""
    return _matching(_Asked(principal, right, now))


def _matching(asked: _Asked) -> ColumnElement[bool]:
    principal = asked.principal
    role = sa.literal(principal.role or NO_ROLE)
    pattern = f"%,{asked.right.value},%"
    return _condition(principal.organisation_id, principal.kind, principal.id, role, pattern, asked.now)

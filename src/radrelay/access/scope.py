"""The one rule of who sees what: a principal and a right become a SQL filter at series level.

Study list, QIDO-RS, WADO-RS, C-FIND, C-MOVE, exports and deliveries all put this filter into their queries.
It names the archive's tables by their names and columns, without importing the archive.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.elements import ColumnClause

from radrelay.access.grants import ANYBODY
from radrelay.access.models import Grant
from radrelay.access.principal import Principal, Right
from radrelay.clock import SystemClock
from radrelay.storage.columns import Id

_SYSTEM_CLOCK = SystemClock()


def _id(name: str) -> ColumnClause[Any]:
    return sa.column(name, Id)


HOLDING = sa.table("holding", _id("id"), _id("study_id"), _id("source_id"))
SERIES = sa.table("series", _id("id"), _id("study_id"))
INSTANCE = sa.table("instance", _id("id"), _id("series_id"), _id("holding_id"))
INSTANCE_HOLDING = sa.table("instance_holding", _id("instance_id"), _id("holding_id"))

IdColumn = ColumnElement[Any] | Any  # a mapped attribute or a column that holds ids


@dataclass(frozen=True, slots=True)
class Scope:
    """What one principal may reach with one right.

    Queries add `study_filter` or `series_filter` beside `organisation_id`. `identity` says whether patients are
    shown in the clear or by alias. `everything` is true where no filter is needed within the organisation.
    """

    organisation_id: uuid.UUID
    identity: Literal["clear", "alias"]
    everything: bool
    kinds: frozenset[str]
    _matching: ColumnElement[bool]

    @property
    def nothing(self) -> bool:
        """Say whether no study at all is within reach."""
        return not self.everything and not self.kinds

    def _targets(self, kind: str) -> sa.Select[Any]:
        return sa.select(Grant.target_id).where(self._matching, Grant.target_kind == kind)

    def study_filter(self, study_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that the study with id `study_id` is at least in part within reach."""
        if self.everything:
            return sa.true()
        parts: list[ColumnElement[bool]] = []
        if "study" in self.kinds:
            parts.append(study_id.in_(self._targets("study")))
        if "source" in self.kinds:
            held = HOLDING.alias()
            parts.append(study_id.in_(sa.select(held.c.study_id).where(held.c.source_id.in_(self._targets("source")))))
        if "series" in self.kinds:
            series = SERIES.alias()
            parts.append(study_id.in_(sa.select(series.c.study_id).where(series.c.id.in_(self._targets("series")))))
        return sa.or_(*parts) if parts else sa.false()

    def series_filter(self, study_id: IdColumn, series_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that the series `series_id` of the study `study_id` is within reach."""
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

    def _brought_by_source(self, series_id: IdColumn) -> ColumnElement[bool]:
        held, instance, further = HOLDING.alias(), INSTANCE.alias(), INSTANCE_HOLDING.alias()
        holdings = sa.select(held.c.id).where(held.c.source_id.in_(self._targets("source")))
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
    moment = now or _SYSTEM_CLOCK.now()
    if principal.kind == "system":
        return Scope(principal.organisation_id, "clear", True, frozenset(), sa.true())
    matching = _matching(principal, right, moment)
    rows = session.execute(sa.select(Grant.target_kind, Grant.identity).where(matching).distinct()).all()
    found = {(kind, identity) for kind, identity in rows}
    everything = any(kind == "organisation" for kind, _ in found)
    clear = ("organisation", "clear") in found or all(identity == "clear" for _, identity in found)
    kinds = frozenset(kind for kind, _ in found if kind != "organisation")
    return Scope(principal.organisation_id, "clear" if clear else "alias", everything, kinds, matching)


def _matching(principal: Principal, right: Right, now: datetime) -> ColumnElement[bool]:
    grantee = sa.and_(Grant.grantee_kind == principal.kind, Grant.grantee_id.in_((principal.id, ANYBODY)))
    if principal.role:
        by_role = sa.and_(Grant.grantee_kind == "role", Grant.grantee_id.in_((principal.role, ANYBODY)))
        grantee = sa.or_(grantee, by_role)
    return sa.and_(
        Grant.organisation_id == principal.organisation_id,
        grantee,
        Grant.rights.like(f"%,{right.value},%"),
        sa.or_(Grant.ends_at.is_(None), Grant.ends_at > now),
    )

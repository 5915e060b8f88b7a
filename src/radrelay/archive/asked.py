"""What is asked of the archive, by whom and when, as statements are made of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.access import Listed
from radrelay.archive.query import StudyQuery
from radrelay.archive.routes import Route
from radrelay.archive.study_conditions import StudyConditions, conditions_of
from radrelay.archive.tables import STUDY

FEW = 2_000

Visible = Listed | ColumnElement[bool]
"""What the caller may see: as `Scope.listed` says it, or a condition on `Study.id`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with who asks and when."""

    organisation_id: uuid.UUID
    visible: ColumnElement[bool]  # on study.id
    now: datetime
    conditions: StudyConditions
    few: bool | None = None  # whether `visible` names few studies; none: it is found out
    surely: Callable[[], ColumnElement[bool]] | None = None  # this and the next three: see `Listed`
    in_hand: Callable[[Any, int], ColumnElement[bool] | None] | None = None
    ids: Callable[[int], sa.CompoundSelect[Any] | None] | None = None
    by_patient: bool = False
    led: bool = False  # by patients that were gathered
    sooner: Callable[[], ColumnElement[bool]] | None = None  # see `Listed`
    sparse: bool = False  # little of what is walked is seen: the rest is not gone through to count it

    @classmethod
    def of(cls, organisation_id: uuid.UUID, query: StudyQuery, visible: Visible, now: datetime) -> Asked:
        """Return what is asked by somebody who sees what `visible` says."""
        listed = visible if isinstance(visible, Listed) else Listed(visible, few=None)
        conditions = conditions_of(query)
        if conditions.selective and listed.each is not None:
            return cls(organisation_id, listed.each(), now, conditions, few=False)
        return cls(
            organisation_id,
            listed.condition,
            now,
            conditions,
            listed.few,
            listed.surely,
            listed.in_hand,
            listed.ids,
            listed.by_patient,
            listed.led,
            listed.sooner,
        )

    @property
    def sees_all(self) -> bool:
        """Say whether no study is out of reach."""
        return isinstance(self.visible, sa.True_)


def base(asked: Asked) -> list[ColumnElement[bool]]:
    """Return what holds of every answer: it is the organisation's, lives, and who asks may see it."""
    living = sa.or_(STUDY.c.expires_at.is_(None), STUDY.c.expires_at > asked.now)
    holds: list[ColumnElement[bool]] = [STUDY.c.organisation_id == asked.organisation_id, living]
    if not asked.sees_all:
        holds.append(asked.visible)
    return holds


def sees_few(session: Session, asked: Asked) -> bool:
    """Say whether the caller sees so few studies that looking at each of them is the shortest way."""
    if asked.sees_all:
        return False
    if asked.few is not None:
        return asked.few
    some = sa.select(STUDY.c.id).where(asked.visible).limit(FEW + 1).subquery()
    return (session.scalar(sa.select(sa.func.count()).select_from(some)) or 0) <= FEW


def selected(asked: Asked, route: Route, *columns: ColumnElement[Any]) -> sa.Select[Any]:
    """Return columns of what is asked for, on a way to it."""
    statement = sa.select(*columns).select_from(route.source).where(*base(asked), *route.conditions)
    if route.hint:
        statement = statement.with_hint(STUDY, route.hint, "sqlite")
    return statement

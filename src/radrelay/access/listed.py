"""What somebody may see of a list of studies, in the form that is shortest for it; written out once for all alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.access.tables import STUDY, IdColumn
from radrelay.access.written import Written, written

SERVER = "postgresql"
Form = Literal["few", "each", "led", "in hand"]
"""The forms of one condition: see `Listed`."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What somebody may see of a list: the condition on a study's id, and whether it names `few` studies.

    `each` is the same condition, asked of one row after the other: where something else leaves few rows.
    `surely` is quicker to ask and never true where the condition is not, for counting up to a number. `in_hand` gives
    the condition with all ids gathered beforehand, for who is not given more than so many; none for who is given more:
    for a long walk that comes by little that is seen. `ids` gives them themselves, likewise, where they are all that
    is seen. `by_patient` says that the few are found by their patients; `led`
    that a study is passed by whose patient is not among some that are gathered, before anything else of it is asked.
    `sooner` is the condition of that kind on what the few are: for a walk that is given up where it fills no page.
    """

    condition: ColumnElement[bool]
    few: bool | None  # none: that is to be found out
    each: Callable[[], ColumnElement[bool]] | None = None
    surely: Callable[[], ColumnElement[bool]] | None = None
    in_hand: Callable[[IdColumn, int], ColumnElement[bool] | None] | None = None
    ids: Callable[[int], sa.CompoundSelect[Any] | None] | None = None
    by_patient: bool = False
    led: bool = False
    sooner: Callable[[], ColumnElement[bool]] | None = None


class Formed(Hashable, Protocol):
    """A reach with names in the place of values: equal for all who ask alike."""

    def form(self, form: Form, study_id: IdColumn, *, on_server: bool) -> ColumnElement[bool]:
        """Return one of the forms of what is within reach."""


@dataclass(frozen=True, slots=True)
class _Speaks:
    """A database's language."""

    name: str
    dialect: Dialect = field(compare=False)


@lru_cache(maxsize=512)
def _written(blank: Formed, form: Form, speaks: _Speaks) -> Written:
    return written(blank.form(form, STUDY.c.id, on_server=speaks.name == SERVER), speaks.dialect)


def said(session: Session, blank: Formed, form: Form, values: Mapping[str, Any]) -> ColumnElement[bool]:
    """Return a form of what is within reach of somebody, on rows of the table study itself."""
    dialect = session.get_bind().dialect
    return _written(blank, form, _Speaks(dialect.name, dialect)).filled(values)


def is_one_of(named: list[sa.Select[Any]], column: IdColumn, *, on_server: bool) -> ColumnElement[bool]:
    """Return the condition that an id is one of few.

    PostgreSQL is given an array: it takes a source for an average one, and would go through the whole table.
    """
    if not named:
        return sa.false()
    every = sa.union_all(*named) if len(named) > 1 else named[0]
    if not on_server:
        return column.in_(every)
    return column == sa.any_(sa.func.array(every.scalar_subquery(), type_=ARRAY(UUID)))


def is_among(patient_id: ColumnElement[Any], patients: list[sa.Select[Any]]) -> ColumnElement[bool]:
    """Return the condition that a patient is one of some, gathered once for a walk on which most are not."""
    if not patients:
        return sa.false()
    return sa.func.coalesce(patient_id.in_(sa.union_all(*patients)), sa.false())

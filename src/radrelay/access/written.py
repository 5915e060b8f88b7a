"""Conditions that are written out once for all who ask alike: making one takes longer than the database does.

A condition is made with names in the place of who asks, when, and what was read of their grants (`placeholders`). Its
SQL is kept; whoever asks fills in their own values. A value that is not filled in is an error, never somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler

from radrelay.access.placeholders import ALL
from radrelay.access.tables import STUDY

_WHERE = "\nWHERE "


@dataclass(frozen=True, slots=True)
class Written:
    """A condition as SQL, and the names of the values that are to be filled in."""

    text: sa.TextClause
    names: frozenset[str]

    def filled(self, values: Mapping[str, Any]) -> ColumnElement[bool]:
        """Return it with the values of one who asks."""
        mine = {name: values[name] for name in self.names}
        return cast("ColumnElement[bool]", self.text.bindparams(**mine))


def written(condition: ColumnElement[bool], dialect: Dialect) -> Written:
    """Return a condition on rows of the table study as SQL with names for values, of which none is filled in.

    What else it compares with stands in it: words and numbers of this program, nothing that anybody said.
    """
    names: set[str] = set()
    statement: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(STUDY).where(condition)
    text = str(_naming(dialect.statement_compiler, names)(dialect, statement))
    if dialect.paramstyle in ("format", "pyformat"):
        text = text.replace("%%", "%")  # is doubled again where it is put into a statement
    found = sa.text(f"({text.partition(_WHERE)[2]})")
    return Written(found.bindparams(*(ALL[name] for name in names)), frozenset(names))


def _naming(compiler: type[SQLCompiler], names: set[str]) -> type[SQLCompiler]:
    """Return a compiler that leaves names as they are, and notes them, and writes everything else out."""

    class Naming(compiler):  # type: ignore[valid-type, misc]  # the dialect's own
        def visit_bindparam(self, bindparam: sa.BindParameter[Any], **kwargs: Any) -> str:
            if bindparam.key in ALL:
                names.add(bindparam.key)
                return f":{bindparam.key}"
            kwargs["literal_binds"] = True
            return str(super().visit_bindparam(bindparam, **kwargs))

    return Naming

"""What a study tells of its patient as one number, which the database works out itself.

PostgreSQL's indexes take no spellings of a name, which may be long; to read the rows for them took half of a list's
time for who sees earlier studies. SQLite's index has the columns themselves.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

IN_ONE = (
    "hashtextextended(coalesce(patient_birth_date - '0001-01-01'::date, 0)::text || ' ' ||"
    " length(patient_sex)::text || ' ' || patient_sex::text || patient_spellings, 0)"
)
"""Of birth date, sex and spellings; the same for two that differ once in 2^64 pairs of one issuer's patient ID."""


class Telling(sa.ColumnElement[int]):
    """The expression of the column `patient_telling`: generated, so that no writer can leave an old one behind."""

    inherit_cache = True
    type = sa.BigInteger()


@compiles(Telling)
def _on_sqlite(element: Telling, compiler: SQLCompiler, **_: Any) -> str:
    return "0"


@compiles(Telling, "postgresql")
def _on_postgresql(element: Telling, compiler: SQLCompiler, **_: Any) -> str:
    return IN_ONE

"""PostgreSQL's engine: every text is taken.

PostgreSQL holds every character but U+0000, which comes in names of files and in what is typed or asked for. It is
kept as its picture, U+2400: a row that is refused for it would stop all that waits behind it. (DICOM's texts lose
theirs, which are padding, when they are read.)
"""

from __future__ import annotations

from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Dumper
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine

NUL, NUL_PICTURE = "\0", "\N{SYMBOL FOR NULL}"
SPARE_CONNECTIONS = 20


def postgresql_engine(url: URL, pool_size: int) -> Engine:
    """Return an engine on the database of `url`."""
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=SPARE_CONNECTIONS,
        pool_pre_ping=True,
        hide_parameters=True,  # they are patients' names; errors are logged
        connect_args={"client_encoding": "UTF8"},
    )
    event.listen(engine, "connect", _take_any_text)
    event.listen(engine, "connect", _compile_nothing)
    return engine


class AnyText(Dumper):
    """Writes text for PostgreSQL."""

    def dump(self, obj: str) -> bytes:
        """Return the text in the connection's encoding, UTF-8."""
        return obj.replace(NUL, NUL_PICTURE).encode()


def _take_any_text(connection: psycopg.Connection[Any], _: object) -> None:
    connection.adapters.register_dumper(str, AnyText)


def _compile_nothing(connection: psycopg.Connection[Any], _: object) -> None:
    """Switch the server's compiler of expressions off: it takes 20 to 100 ms for statements that take 10."""
    connection.execute("SET jit = off")
    connection.commit()
